//! Files of the data folder: readable for their owner alone, whatever the umask and the folder's own mode.

use std::fs::{File, OpenOptions};
use std::io::{Result, Write};
use std::path::Path;

/// What Beck keeps in a data folder …
const FILES: [&str; 6] = ["admin.sock", "erased", "lock", "lost.jsonl", "moved", "workspace"];
/// … and what has these names with more behind them: databases with their parts, and what was set aside.
const BEGINNINGS: [&str; 6] =
    ["copy.sqlite", "log-before-format-", "log-cut-", "log.sqlite", "state.sqlite", "unfinished.sqlite"];

/// Options that make a new file private. What an existing file allows stays: see [`tighten_folder`].
pub fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes a private file with this content, in place of one that is there.
pub fn write(path: &Path, content: &[u8]) -> Result<File> {
    let mut file = options().write(true).create(true).truncate(true).open(path)?;
    file.write_all(content)?;
    Ok(file)
}

/// Flushes the folder of a file that is new or has a new name: the folder has the name.
pub fn sync_folder_of(path: &Path) -> Result<()> {
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Makes the file of a database if it is missing: SQLite would make it by the umask. Its `-wal` and `-shm` get the
/// mode of the file itself.
pub fn prepare_database(path: &Path) {
    // An existing file is not opened: closing it would drop the locks that this process has on it. Why a file cannot
    // be made SQLite itself says.
    let _ = options().write(true).create_new(true).open(path);
}

/// Takes the rights of others from Beck's own files in a folder: an earlier version made them by the umask.
pub fn tighten_folder(folder: &Path) {
    for path in open_to_others(folder) {
        #[cfg(unix)]
        if let Err(fault) =
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))
        {
            let file = path.display();
            tracing::warn!(%file, %fault, "others can read this file: run chmod 600 on it as its owner");
        }
        #[cfg(not(unix))]
        let _ = path;
    }
}

/// Beck's own files in a folder that others than their owner have any right to.
pub fn open_to_others(folder: &Path) -> Vec<std::path::PathBuf> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let open = files.filter(|file| {
        let name = file.file_name();
        let own = name.to_str().is_some_and(|name| {
            FILES.contains(&name) || BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
        });
        own && file.metadata().is_ok_and(|meta| !meta.is_dir() && !meta.is_symlink() && is_open(&meta))
    });
    let mut open: Vec<_> = open.map(|file| file.path()).collect();
    open.sort();
    open
}

#[cfg(unix)]
fn is_open(meta: &std::fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::mode(meta) & 0o077 != 0
}

#[cfg(not(unix))]
fn is_open(_meta: &std::fs::Metadata) -> bool {
    false
}
