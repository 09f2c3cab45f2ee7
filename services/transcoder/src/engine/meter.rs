//! How far the encoding of one input is.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::time::Instant;

use crate::gauge::{Gauge, Progress};

/// The longest line of a report that is looked at; ffmpeg's have some twenty bytes.
const LONGEST: u64 = 256;

/// Turns seconds of media into percent and speed.
#[derive(Debug)]
pub struct Meter<'a> {
    gauge: &'a Gauge,
    length: Duration,
    begun: Instant,
}

impl<'a> Meter<'a> {
    /// Over an input of this length, of which nothing is done yet.
    pub fn new(gauge: &'a Gauge, length: Duration) -> Self {
        let meter = Self { gauge, length, begun: Instant::now() };
        meter.at(Duration::ZERO);
        meter
    }

    /// So much of the input is encoded.
    pub fn at(&self, done: Duration) {
        let part = |whole: Duration| done.as_secs_f64() / whole.as_secs_f64().max(1e-3);
        self.gauge.set(Progress::new(part(self.length) * 100.0, part(self.begun.elapsed())));
    }

    /// Reads what ffmpeg reports with `-progress pipe:1`: lines `key=value` (ffmpeg manual, "Generic options").
    pub async fn follow(&self, report: impl AsyncRead + Unpin) -> std::io::Result<()> {
        let mut report = BufReader::new(report);
        let mut line = String::new();
        loop {
            line.clear();
            let mut bounded = tokio::io::AsyncReadExt::take(&mut report, LONGEST);
            if bounded.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            if let Some(micros) = line.trim_end().strip_prefix("out_time_us=").and_then(|text| text.parse().ok()) {
                self.at(Duration::from_micros(micros));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gauge::gauge;

    #[tokio::test]
    async fn reports_become_percents() {
        let (gauge, reading) = gauge();
        let meter = Meter::new(&gauge, Duration::from_secs(10));
        assert_eq!(reading.last().unwrap().percent(), 0);
        let report = "frame=1\nout_time_us=N/A\nout_time_us=2500000\nout_time=00:00:02.500000\nprogress=continue\n";
        meter.follow(report.as_bytes()).await.unwrap();
        let last = reading.last().unwrap();
        assert_eq!(last.percent(), 25);
        assert!(last.speed() > 1.0, "{last:?}");
        meter.follow("out_time_us=99000000\n".as_bytes()).await.unwrap();
        assert_eq!(reading.last().unwrap().percent(), 100);
    }
}
