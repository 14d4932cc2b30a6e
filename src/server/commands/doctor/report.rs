//! What the doctor says: one line for each look.

/// Counts what was found, and prints it at once.
#[derive(Default)]
pub struct Report {
    warnings: u32,
    faults: u32,
}

impl Report {
    fn say(&self, level: &str, name: &str, text: &str) {
        say!("{level:<8} {name:<11} {text}.");
    }

    pub fn ok(&mut self, name: &str, text: impl AsRef<str>) {
        self.say("ok", name, text.as_ref());
    }

    /// It works, and something may go wrong one day.
    pub fn warning(&mut self, name: &str, text: impl AsRef<str>) {
        self.warnings += 1;
        self.say("warning", name, text.as_ref());
    }

    /// It does not work.
    pub fn fault(&mut self, name: &str, text: impl AsRef<str>) {
        self.faults += 1;
        self.say("fault", name, text.as_ref());
    }

    /// Whether there is no fault.
    pub fn end(self) -> bool {
        say!("Faults: {}, warnings: {}.", self.faults, self.warnings);
        self.faults == 0
    }
}
