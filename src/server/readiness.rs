//! Why a server is not ready. Each state has one sentence with its cause and its remedy: `/readyz`, the log and
//! `beck doctor` print it, and docs/operations.md explains it under a heading with the state's code.

use std::fmt;

/// What keeps a server from being ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnreadyState {
    Starting,
    ShuttingDown,
    TaskEnded,
    StoreUnreachable,
    StoreRights,
    StoreReadOnly,
    StoreFull,
    StoreDiskFault,
    StoreReplicasMissing,
    Clock,
    DiskFull,
    LogUnwritable,
    LogUnreadable,
    LogRewritten,
    LogGone,
    LogMoved,
    EntriesMissing,
    SecretsLost,
    OtherWorkspace,
    NewerFormat,
    StateUnwritable,
    StateDamaged,
    CopyUnwritable,
    FolderUnwritable,
}

use UnreadyState::*;

impl UnreadyState {
    /// Every state, in the order of docs/operations.md.
    pub const ALL: [UnreadyState; 24] = [
        Starting,
        ShuttingDown,
        TaskEnded,
        StoreUnreachable,
        StoreRights,
        StoreReadOnly,
        StoreFull,
        StoreDiskFault,
        StoreReplicasMissing,
        Clock,
        DiskFull,
        LogUnwritable,
        LogUnreadable,
        LogRewritten,
        LogGone,
        LogMoved,
        EntriesMissing,
        SecretsLost,
        OtherWorkspace,
        NewerFormat,
        StateUnwritable,
        StateDamaged,
        CopyUnwritable,
        FolderUnwritable,
    ];

    /// A stable name in kebab-case, which is also the anchor in docs/operations.md.
    pub fn code(self) -> &'static str {
        self.texts().0
    }

    /// The cause and the remedy, for the person who runs the server. Ends with a full stop.
    pub fn sentence(self) -> &'static str {
        self.texts().1
    }

    /// The cause in a clause, for people who use the chat and cannot change it.
    pub fn for_people(self) -> &'static str {
        self.texts().2
    }

    fn texts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Starting => (
                "starting",
                "The server is still reading its log. Wait until it has reached the end.",
                "the server is starting",
            ),
            ShuttingDown => (
                "shutting-down",
                "The server is shutting down. Start it again if nothing else does.",
                "the server is restarting",
            ),
            TaskEnded => (
                "task-ended",
                "A part of the server has stopped because of a bug, so the process exits. Start Beck again if no supervisor does, and report the error that is in its log.",
                "a part of the server has failed",
            ),
            StoreUnreachable => (
                "store-unreachable",
                "Redis does not answer or does not let this server in. Check that Redis runs, and that REDIS_URL and its password are right.",
                "the server can't reach its database",
            ),
            StoreRights => (
                "store-rights",
                "The Redis user lacks a right that Beck needs. Give it the rights that docs/architecture.md lists.",
                "the server may not use its database",
            ),
            StoreReadOnly => (
                "store-read-only",
                "Redis is a replica and cannot be written; people can still read. Set REDIS_URL to the address of the primary.",
                "the server's database is read-only",
            ),
            StoreFull => (
                "store-full",
                "Redis has reached its maxmemory and refuses to store anything; people can still read. Raise maxmemory there, or free memory.",
                "the server's database is full",
            ),
            StoreDiskFault => (
                "store-disk-fault",
                "Redis cannot write to its own disk and refuses to store anything; people can still read. Free space on that disk, and see the log of Redis.",
                "the disk of the server's database is full or broken",
            ),
            StoreReplicasMissing => (
                "store-replicas-missing",
                "Redis has fewer replicas than its min-replicas-to-write and refuses to store anything; people can still read. Start the replicas.",
                "the server's database lacks its replicas",
            ),
            Clock => (
                "clock",
                "The clock of this machine and the clock of Redis differ by more than a minute, so that nothing is stored; people can still read. Set both by NTP.",
                "the clock of the server is wrong",
            ),
            DiskFull => (
                "disk-full",
                "The disk of the data folder is full and nothing can be saved; people can still read. Free space on that disk.",
                "the disk of the server is full",
            ),
            LogUnwritable => (
                "log-unwritable",
                "The log in the data folder cannot be written; people can still read. Check the disk, and that Beck's user owns the files in DATA_DIR.",
                "the server can't write to its disk",
            ),
            LogUnreadable => (
                "log-unreadable",
                "The log cannot be read, or holds something that is not an entry of Beck. Run `beck doctor`, and restore a backup if the log is damaged.",
                "the server can't read its log",
            ),
            LogRewritten => (
                "log-rewritten",
                "The log is not the one that this server has read, after a failover or a restore, and the server reads it again. Wait until it has finished.",
                "the server is reading its log again",
            ),
            LogGone => (
                "log-gone",
                "The log is gone, but the data folder belongs to a workspace. Restore the log with `beck restore`, or set DATA_DIR to an empty folder to start a new workspace.",
                "the log of the server is gone",
            ),
            LogMoved => (
                "log-moved",
                "The log is being moved, or was moved to another place. Finish the move with `beck migrate`, or start Beck with the settings of the new place.",
                "the workspace is moving to another place",
            ),
            EntriesMissing => (
                "entries-missing",
                "Redis no longer has all entries of the log: some were evicted or deleted. Restore Redis from a copy, and set its maxmemory-policy to noeviction.",
                "a part of the log is missing",
            ),
            SecretsLost => (
                "secrets-lost",
                "Redis no longer has the password records of some accounts: they were evicted or deleted. Restore Redis from a copy, and set its maxmemory-policy to noeviction.",
                "a part of the server's database is missing",
            ),
            OtherWorkspace => (
                "other-workspace",
                "The data folder belongs to another workspace than the log. Set DATA_DIR to the folder of this workspace, or name the right Redis.",
                "the server has the log of another workspace",
            ),
            NewerFormat => (
                "newer-format",
                "A newer version of Beck has written to the log, and this version cannot read it. Install that version or a newer one.",
                "the server needs an update",
            ),
            StateUnwritable => (
                "state-unwritable",
                "The file state.sqlite in the data folder cannot be read or written. Check the disk and the owner of the file; if it is damaged, stop Beck and move it elsewhere: Beck makes it again from the log.",
                "the server can't write to its disk",
            ),
            StateDamaged => (
                "state-damaged",
                "The file state.sqlite in the data folder is damaged; no message is lost. Restart Beck: it sets the file aside and makes it again from the log.",
                "the server has to be restarted",
            ),
            CopyUnwritable => (
                "copy-unwritable",
                "The server's copy of the log, copy.sqlite in the data folder, cannot be written. Check the disk and the owner of the file; if it is damaged, stop Beck and move it elsewhere: Beck copies the log again.",
                "the server can't write to its disk",
            ),
            FolderUnwritable => (
                "folder-unwritable",
                "A file in the data folder cannot be read or written. Check the disk, and that Beck's user owns DATA_DIR.",
                "the server can't write to its disk",
            ),
        }
    }
}

/// A state, and what is known of this case: a clause without a full stop, or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unready {
    pub state: UnreadyState,
    pub detail: String,
}

impl Unready {
    pub fn new(state: UnreadyState, detail: impl fmt::Display) -> Unready {
        Unready { state, detail: detail.to_string() }
    }

    /// A fault of an SQLite file. On a full disk that is the cause, whichever file it was.
    pub fn of_file(state: UnreadyState, fault: &rusqlite::Error) -> Unready {
        let full = fault.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull);
        Unready::new(if full { DiskFull } else { state }, fault)
    }

    /// A fault of a plain file.
    pub fn of_io(fault: &std::io::Error) -> Unready {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        let full = matches!(fault.kind(), StorageFull | QuotaExceeded);
        Unready::new(if full { DiskFull } else { FolderUnwritable }, fault)
    }

    /// Why something was not stored, for people who use the chat.
    pub fn for_people(&self) -> String {
        format!("Nothing can be saved right now: {}.", self.state.for_people())
    }
}

/// The sentence, the detail, and where the manual has more.
impl fmt::Display for Unready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.state.sentence())?;
        let detail = self.detail.trim_end_matches('.');
        if !detail.is_empty() {
            write!(f, " Details: {detail}.")?;
        }
        write!(f, " See docs/operations.md#{}.", self.state.code())
    }
}
