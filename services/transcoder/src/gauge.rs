//! How far a running job is. The engine says so as often as it likes; the heartbeat stores it every few seconds.

use tokio::sync::watch;

/// A point on the way of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    percent: u8,
    thousandths: u32,
}

/// Where the engine says how far it is.
#[derive(Debug)]
pub struct Gauge(watch::Sender<Option<Progress>>);

/// Where the heartbeat reads it.
#[derive(Debug, Clone)]
pub struct Reading(watch::Receiver<Option<Progress>>);

/// Both ends of one job's gauge. It shows nothing until something is set.
pub fn gauge() -> (Gauge, Reading) {
    let (sender, receiver) = watch::channel(None);
    (Gauge(sender), Reading(receiver))
}

impl Gauge {
    /// The last thing said counts; saying costs next to nothing.
    pub fn set(&self, progress: Progress) {
        self.0.send_replace(Some(progress));
    }
}

impl Reading {
    /// What was said last.
    pub fn last(&self) -> Option<Progress> {
        *self.0.borrow()
    }
}

impl Progress {
    /// `percent` of the work, at `speed` times real time. What lies outside 0 to 100, or is no number, is brought in.
    pub fn new(percent: f64, speed: f64) -> Self {
        // Casts of floats saturate, and take what is no number for 0.
        Self { percent: percent.clamp(0.0, 100.0) as u8, thousandths: (speed * 1000.0).round() as u32 }
    }

    /// From what was stored.
    pub fn stored(percent: i64, thousandths: i64) -> Self {
        Self::new(percent as f64, thousandths as f64 / 1000.0)
    }

    /// 0 to 100.
    pub fn percent(self) -> i64 {
        self.percent.into()
    }

    /// Thousandths of real time: 2500 is two and a half seconds of media in a second.
    pub fn thousandths(self) -> i64 {
        self.thousandths.into()
    }

    /// A multiple of real time.
    pub fn speed(self) -> f64 {
        f64::from(self.thousandths) / 1000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_thing_said_is_read() {
        let (gauge, reading) = gauge();
        assert_eq!(reading.last(), None);
        gauge.set(Progress::new(10.0, 1.0));
        gauge.set(Progress::new(42.7, 2.5));
        let last = reading.last().unwrap();
        assert_eq!((last.percent(), last.thousandths(), last.speed()), (42, 2500, 2.5));
        drop(gauge);
        assert_eq!(reading.last(), Some(last));
        assert_eq!(Progress::stored(last.percent(), last.thousandths()), last);
    }

    #[test]
    fn what_ffmpeg_may_say_is_brought_in() {
        let percent = |given| Progress::new(given, 0.0).percent();
        assert_eq!((percent(-1.0), percent(101.0), percent(f64::NAN)), (0, 100, 0));
        assert_eq!(Progress::new(0.0, f64::NAN).thousandths(), 0);
        assert_eq!(Progress::new(0.0, -1.0).thousandths(), 0);
    }
}
