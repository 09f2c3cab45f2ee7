//! One line on standard error that tells how far a file is.

use std::io::{IsTerminal, Write};

/// The live line of one file. On a terminal it is rewritten in place; elsewhere each change of state
/// is a line of its own.
pub struct Line {
    name: String,
    live: bool,
    last: String,
}

impl Line {
    /// A line for the file of this name.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), live: std::io::stderr().is_terminal(), last: String::new() }
    }

    /// Bytes sent so far.
    pub fn uploaded(&mut self, sent: u64, total: u64) {
        if self.live || sent == total {
            self.write(&format!("uploading {:>3} %", sent * 100 / total.max(1)));
        }
    }

    /// The state that the file is in.
    pub fn state(&mut self, state: &str, percent: u8) {
        self.write(&if percent > 0 { format!("{state} {percent:>3} %") } else { state.to_owned() });
    }

    /// The last word.
    pub fn end(&mut self, text: &str) {
        self.write(text);
        if self.live {
            eprintln!();
        }
    }

    fn write(&mut self, text: &str) {
        if self.last == text {
            return;
        }
        text.clone_into(&mut self.last);
        if self.live {
            // Carriage return, text, and "erase to the end of the line" (ECMA-48, EL).
            eprint!("\r{}: {text}\x1b[K", self.name);
            // A terminal that cannot be written to has nobody to tell.
            let _ = std::io::stderr().flush();
        } else {
            eprintln!("{}: {text}", self.name);
        }
    }
}
