//! What was found, and what to do about it.

use std::{fmt, io};

/// Findings in the order in which they were made.
#[derive(Default)]
pub struct Report {
    findings: Vec<Finding>,
}

struct Finding {
    subject: String,
    said: String,
    advice: Option<String>,
}

impl Report {
    /// As it should be.
    pub fn good(&mut self, subject: impl fmt::Display, said: impl fmt::Display) {
        self.add(subject, said, None);
    }

    /// Not as it should be; `advice` is what to do.
    pub fn bad(&mut self, subject: impl fmt::Display, said: impl fmt::Display, advice: impl fmt::Display) {
        self.add(subject, said, Some(advice.to_string()));
    }

    /// How many findings are bad.
    pub fn count_bad(&self) -> usize {
        self.findings.iter().filter(|finding| finding.advice.is_some()).count()
    }

    /// A line for each, and one for each advice.
    pub fn write(&self, out: &mut impl io::Write) -> io::Result<()> {
        for Finding { subject, said, advice } in &self.findings {
            let verdict = if advice.is_some() { "BAD " } else { "ok  " };
            writeln!(out, "{verdict} {subject}: {said}")?;
            if let Some(advice) = advice {
                writeln!(out, "     {advice}")?;
            }
        }
        Ok(())
    }

    fn add(&mut self, subject: impl fmt::Display, said: impl fmt::Display, advice: Option<String>) {
        self.findings.push(Finding { subject: subject.to_string(), said: said.to_string(), advice });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_finding_has_its_advice_below() {
        let mut report = Report::default();
        report.good("clock", "right");
        report.bad("queue a", "there is none", "make it");
        let mut out = Vec::new();
        report.write(&mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "ok   clock: right\nBAD  queue a: there is none\n     make it\n");
        assert_eq!(report.count_bad(), 1);
    }
}
