//! What an erasure leaves.

/// What an erasure has left as it was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NotErased {
    /// The newest entry of the log was among them.
    pub newest: bool,
    /// Numbers at which the log has an entry with another link.
    pub other: Vec<u64>,
}

impl NotErased {
    /// What two erasures have left.
    pub fn and(mut self, more: NotErased) -> NotErased {
        self.newest |= more.newest;
        self.other.extend(more.other);
        self
    }
}
