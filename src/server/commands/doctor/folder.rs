//! The data folder, and the bundle.

use super::report::Report;
use crate::server::broker::embedded::check_moves;
use crate::server::commands::serve::public_folder;
use crate::server::config::Config;
use crate::server::private_files;
use crate::server::readiness::UnreadyState;
use crate::server::remedy::with_remedy;
use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::Path;

/// Below so many bytes there is trouble soon; below so many there is trouble now.
const LITTLE_SPACE: u64 = 1024 * 1024 * 1024;
const NO_SPACE: u64 = 32 * 1024 * 1024;

/// What a million messages of about 60 letters take, in MB, measured on a release build of 0.1.0 with one message an
/// entry: the log (or the copy of a store's, which has the same form), and what is made of it.
const MILLION_IN_LOG: u64 = 286;
const MILLION_IN_STATE: u64 = 733;

/// File systems over a network, on which SQLite's locks and flushes cannot be relied on.
const NETWORK: [&str; 13] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "afs",
    "ceph",
    "glusterfs",
    "fuse.sshfs",
    "fuse.glusterfs",
    "fuse.s3fs",
    "fuse.rclone",
];

/// The folder is not there, and a server of these settings runs all the same.
pub fn say_gone(config: &Config, report: &mut Report) {
    let folder = std::path::absolute(&config.data_dir).unwrap_or_else(|_| config.data_dir.clone());
    report.fault(
        "folder",
        format!("{} is not there, and a Beck runs with these settings: put the folder back where it was, or, if that Beck has another one, run this with its DATA_DIR", folder.display()),
    );
}

/// Looks at the folder; `true` if a Beck is at work on it.
pub fn look(config: &Config, report: &mut Report) -> bool {
    let (folder, on_store) = (&config.data_dir, config.redis.is_some());
    let shown = std::path::absolute(folder).unwrap_or_else(|_| folder.clone()).display().to_string();
    if !folder.exists() {
        report.ok("folder", format!("{shown} is not there yet: the first start makes it"));
        return false;
    }
    if let Err(fault) = write_and_flush(folder) {
        report.fault("folder", format!("{shown} cannot be written: {}", with_remedy(&fault)));
        return false;
    }
    look_at_rights(folder, &shown, report);
    check_files(folder, &shown, report);
    #[cfg(unix)]
    look_at_space(folder, &shown, on_store, report);
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.clone());
    match file_system_of(&mounts, &whole) {
        Some(kind) if NETWORK.contains(&kind) => report.warning(
            "disk",
            format!("{shown} is on a file system of the network ({kind}), where a power cut or a second server can harm the log: set DATA_DIR to a folder on a disk of this machine"),
        ),
        Some(kind) => report.ok("disk", format!("a flush works; the file system is {kind}")),
        None => report.ok("disk", "a flush works"),
    }
    match check_moves(folder) {
        Ok(()) => {}
        Err(fault) => report.fault("folder", fault.to_string()),
    }
    let locked = is_locked(folder);
    match &locked {
        Ok(true) => report.ok("lock", "a Beck is at work on it"),
        Ok(false) => report.ok("lock", "no Beck is at work on it"),
        Err(fault) => {
            let fault = match fault.kind() {
                ErrorKind::PermissionDenied => with_remedy(fault),
                _ => format!("{fault}. Set DATA_DIR to a file system with locks"),
            };
            report.fault("lock", format!("the file lock in {shown} cannot be locked: {fault}"));
        }
    }
    locked.unwrap_or(false)
}

fn write_and_flush(folder: &Path) -> std::io::Result<()> {
    let path = folder.join(format!("doctor-{}", uuid::Uuid::new_v4().simple()));
    let written = (|| {
        let mut file = private_files::options().write(true).create_new(true).open(&path)?;
        file.write_all(b"beck doctor\n")?;
        file.sync_all()
    })();
    let _ = std::fs::remove_file(&path);
    written
}

#[cfg(unix)]
fn look_at_rights(folder: &Path, shown: &str, report: &mut Report) {
    let mode = std::fs::metadata(folder).map_or(0, |meta| std::os::unix::fs::MetadataExt::mode(&meta));
    if mode & 0o007 == 0 {
        report.ok("folder", format!("{shown} can be written, and others have no way in"));
    } else {
        report.warning(
            "folder",
            format!(
                "others on this machine can look into {shown}, which holds every message: chmod 700 {shown}"
            ),
        );
    }
}

#[cfg(not(unix))]
fn look_at_rights(_folder: &Path, shown: &str, report: &mut Report) {
    report.ok("folder", format!("{shown} can be written"));
}

/// Names files that others can read; a folder that nobody else can enter guards them by itself.
fn check_files(folder: &Path, shown: &str, report: &mut Report) {
    #[cfg(unix)]
    let closed =
        std::fs::metadata(folder).is_ok_and(|meta| std::os::unix::fs::MetadataExt::mode(&meta) & 0o011 == 0);
    #[cfg(not(unix))]
    let closed = false;
    let open = private_files::open_to_others(folder);
    if closed || open.is_empty() {
        return;
    }
    let names: Vec<_> = open.iter().filter_map(|path| path.file_name()?.to_str()).collect();
    let names = names.join(" ");
    report.warning(
        "files",
        format!("others on this machine can read files of {shown}: run chmod 600 on {names} there, or start this version of Beck, which does it"),
    );
}

#[cfg(unix)]
fn look_at_space(folder: &Path, shown: &str, on_store: bool, report: &mut Report) {
    let Ok(disk) = rustix::fs::statvfs(folder) else { return };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    match space(free, shown, on_store) {
        Space::None(words) => report.fault("space", words),
        Space::Little(words) => report.warning("space", words),
        Space::Enough(words) => report.ok("space", words),
    }
}

/// Whether there is space enough, in words.
#[derive(Debug, PartialEq, Eq)]
pub enum Space {
    None(String),
    Little(String),
    Enough(String),
}

/// Judges the free bytes of the disk that the data folder is on.
pub fn space(free: u64, shown: &str, on_store: bool) -> Space {
    let megabytes = free / (1024 * 1024);
    let million = (MILLION_IN_LOG + MILLION_IN_STATE) / 100 * 100;
    let log = if on_store { "copy of the log" } else { "log" };
    let takes = format!(
        "a million messages take about {million} MB ({log} {MILLION_IN_LOG}, state {MILLION_IN_STATE})"
    );
    if free < NO_SPACE {
        let remedy = match free {
            0 => UnreadyState::DiskFull.sentence(),
            _ => "Free some before messages are refused",
        };
        Space::None(format!("{megabytes} MB are free for {shown}. {}", remedy.trim_end_matches('.')))
    } else if free < LITTLE_SPACE {
        Space::Little(format!("only {megabytes} MB are free for {shown}: {takes}"))
    } else {
        Space::Enough(format!("{megabytes} MB are free"))
    }
}

/// The kind of the file system that a path is on, as the system's table of mounts says.
pub fn file_system_of<'a>(mounts: &'a str, path: &Path) -> Option<&'a str> {
    let lines = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (at, kind) = (words.next()?.replace("\\040", " "), words.next()?);
        path.starts_with(&at).then_some((at.len(), kind))
    });
    // Of those on the same place the last one is on top.
    lines.enumerate().max_by_key(|(n, (length, _))| (*length, *n)).map(|(_, (_, kind))| kind)
}

fn is_locked(folder: &Path) -> std::io::Result<bool> {
    let lock = match File::options().write(true).open(folder.join("lock")) {
        Ok(lock) => lock,
        Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(fault) => return Err(fault),
    };
    match lock.try_lock() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(fault)) => Err(fault),
    }
}

/// The files of the bundle, without which pages are bare.
pub fn look_for_assets(report: &mut Report) {
    let Some(folder) = public_folder() else {
        return report.warning(
            "assets",
            "there is no bundle: pages have no style and no script. Build with script/serve, or set DIOXUS_PUBLIC_PATH",
        );
    };
    if holds_wasm(&folder, 3) {
        report.ok("assets", format!("the bundle is in {}", folder.display()));
    } else {
        let shown = folder.display();
        report.warning("assets", format!("{shown} holds no wasm file and is no bundle: build with script/bundle, or set DIOXUS_PUBLIC_PATH"));
    }
}

fn holds_wasm(folder: &Path, deep: u32) -> bool {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|file| file.path());
    let mut files = files.collect::<Vec<_>>().into_iter();
    files.any(|path| {
        path.extension().is_some_and(|ending| ending == "wasm")
            || deep > 0 && path.is_dir() && holds_wasm(&path, deep - 1)
    })
}
