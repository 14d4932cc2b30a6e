//! Writes an archive under another name, and gives it its own once it is whole and on the disk.

use super::Contents;
use super::line::{Begin, EntryLine, Kind, Line, Manifest, PointerLine, SecretLine, VERSION};
use crate::protocol::{AccountId, Format, Hash, WorkspaceId};
use crate::server::broker::moving::{KeptSecret, Moved};
use crate::server::broker::{Entry, Pointer};
use crate::server::private_files;
use crate::server::remedy::with_remedy;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// An archive that is being written. Dropped before its end it leaves nothing.
pub struct ArchiveWriter {
    file: BufWriter<File>,
    sum: Sha256,
    kind: Kind,
    workspace: WorkspaceId,
    contents: Contents,
    first_link: Hash,
    pointers: u64,
    secrets: u64,
    /// The folder it goes to, its name there if one was named, and its name until it is whole.
    folder: PathBuf,
    name: Option<String>,
    part: PathBuf,
}

fn cannot(path: &Path, fault: &std::io::Error) -> String {
    format!("{} cannot be written: {}", path.display(), with_remedy(fault))
}

impl ArchiveWriter {
    /// Begins a file, or one with a name of its own in a folder that is there.
    /// The log has no format newer than `newest`.
    pub fn create(path: &Path, kind: Kind, workspace: WorkspaceId, newest: Format) -> Moved<ArchiveWriter> {
        let (folder, name) = if path.is_dir() {
            (path.to_owned(), None)
        } else if std::fs::symlink_metadata(path).is_ok() {
            return Err(format!(
                "{} is there already: nothing is overwritten. Name another file",
                path.display()
            ));
        } else {
            let name = path.file_name().and_then(|name| name.to_str());
            let name = name.ok_or_else(|| format!("{} cannot be the name of a file", path.display()))?;
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            (folder.unwrap_or(Path::new(".")).to_owned(), Some(name.to_owned()))
        };
        if !folder.is_dir() {
            return Err(format!("there is no folder {}: make it, or name another one", folder.display()));
        }
        let by_chance = uuid::Uuid::new_v4().simple().to_string();
        let part = format!("{}.part-{}", name.as_deref().unwrap_or("beck"), &by_chance[..8]);
        let part = folder.join(part);
        let file = private_files::options().write(true).create_new(true).open(&part);
        let file = file.map_err(|fault| cannot(&part, &fault))?;
        let mut writer = ArchiveWriter {
            file: BufWriter::new(file),
            sum: Sha256::new(),
            kind,
            workspace,
            contents: Contents::up_to(newest),
            first_link: Hash::ZERO,
            pointers: 0,
            secrets: 0,
            folder,
            name,
            part,
        };
        writer.put(&Line::Beck(Begin { archive: kind, version: VERSION, workspace }))?;
        Ok(writer)
    }

    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    fn put(&mut self, line: &Line) -> Moved<()> {
        let mut text = serde_json::to_vec(line).map_err(|fault| fault.to_string())?;
        text.push(b'\n');
        if !matches!(line, Line::End(_)) {
            self.sum.update(&text);
        }
        self.file.write_all(&text).map_err(|fault| cannot(&self.part, &fault))
    }

    /// The next entry; one that does not continue those before it is refused.
    pub fn entry(&mut self, entry: Entry) -> Moved<()> {
        self.contents.take(&entry)?;
        if entry.header.g == 1 {
            self.first_link = entry.link;
        }
        self.put(&Line::Entry(EntryLine { header: entry.header, link: entry.link, body: entry.body }))
    }

    pub fn pointer(&mut self, account: AccountId, key: String, pointer: Pointer) -> Moved<()> {
        self.pointers += 1;
        let Pointer { generation, ordinal } = pointer;
        self.put(&Line::Pointer(PointerLine { account, key, generation, ordinal }))
    }

    pub fn secret(&mut self, key: String, secret: KeptSecret) -> Moved<()> {
        self.secrets += 1;
        self.put(&Line::Secret(SecretLine { key, value: secret.value, version: secret.version }))
    }

    /// Ends it and gives it its name; nothing that has that name is overwritten.
    pub fn end(mut self) -> Moved<(PathBuf, Manifest)> {
        let manifest = Manifest {
            workspace: self.workspace,
            format: self.contents.format(),
            entries: self.contents.end.g,
            erased: self.contents.erased,
            pointers: self.pointers,
            secrets: self.secrets,
            first_link: self.first_link,
            last_link: self.contents.end.link,
            sha256: self.sum.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect(),
        };
        self.put(&Line::End(manifest.clone()))?;
        let done = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        done.map_err(|fault| cannot(&self.part, &fault))?;
        let path = self.take_name()?;
        let _ = std::fs::remove_file(&self.part);
        if cfg!(unix) {
            let synced = File::open(&self.folder).and_then(|folder| folder.sync_all());
            synced.map_err(|fault| cannot(&path, &fault))?;
        }
        Ok((path, manifest))
    }

    fn take_name(&self) -> Moved<PathBuf> {
        let own = format!("beck-{}-{}-{}", self.kind, self.workspace, self.contents.end.g);
        for n in 1..1_000 {
            let name = match &self.name {
                Some(name) => name.clone(),
                None if n == 1 => format!("{own}.jsonl"),
                None => format!("{own}-{n}.jsonl"),
            };
            let path = self.folder.join(name);
            match name_anew(&self.part, &path) {
                Ok(()) => return Ok(path),
                Err(fault) if fault.kind() == ErrorKind::AlreadyExists && self.name.is_none() => {}
                Err(fault) if fault.kind() == ErrorKind::AlreadyExists => break,
                Err(fault) => return Err(cannot(&path, &fault)),
            }
        }
        Err("a file of that name has come meanwhile: nothing is overwritten. Name another file".into())
    }
}

/// Gives a file a name that nothing has yet.
fn name_anew(part: &Path, path: &Path) -> std::io::Result<()> {
    match std::fs::hard_link(part, path) {
        Err(fault) if fault.kind() == ErrorKind::AlreadyExists => Err(fault),
        // A file system without such names: what comes between the two would be overwritten.
        Err(_) if std::fs::symlink_metadata(path).is_ok() => Err(ErrorKind::AlreadyExists.into()),
        Err(_) => std::fs::rename(part, path),
        Ok(()) => Ok(()),
    }
}

impl Drop for ArchiveWriter {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.part);
    }
}
