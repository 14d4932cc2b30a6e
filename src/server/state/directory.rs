//! The Directory as the file holds it.

use super::{ReadError, Reader, meta, parsed};
use crate::protocol::Format;
use crate::protocol::frame::RoomKind;
use crate::server::broker::Head;
use crate::server::directory::{Account, Directory, Room, Workspace};
use std::sync::Arc;

impl Reader<'_> {
    pub(in crate::server) fn directory(&self, newest: Format) -> Result<Directory, ReadError> {
        let mut directory = Directory::default();
        if let (Some(id), Some(name)) = (meta(self.db, "workspace")?, meta(self.db, "name")?) {
            let format = meta(self.db, "format")?.and_then(|format| format.parse().ok()).unwrap_or(1);
            let format = Format::read(format, newest)?;
            let format_since = self.format_since()?;
            directory.workspace = id.parse().ok().map(|id| Workspace { id, name, format, format_since });
        }
        let mut select = self.db.prepare("SELECT id, name, handle, role, status FROM accounts")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let role: String = row.get(3)?;
            let role = serde_json::from_str(&role)?;
            let status: Option<String> = row.get(4)?;
            let status = status.map_or(Ok(Default::default()), |status| serde_json::from_str(&status))?;
            let account =
                Account { id: parsed(row, 0)?, name: row.get(1)?, handle: row.get(2)?, role, status };
            directory.handles.insert(account.handle.clone(), account.id);
            directory.accounts.insert(account.id, Arc::new(account));
        }
        let mut select =
            self.db.prepare("SELECT id, kind, name, key, topic, archived, creator FROM rooms")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let kind: String = row.get(1)?;
            let kind: RoomKind = serde_json::from_str(&kind)?;
            let room = Room {
                id: parsed(row, 0)?,
                kind,
                name: row.get(2)?,
                key: row.get(3)?,
                topic: row.get(4)?,
                archived: row.get(5)?,
                creator: parsed(row, 6)?,
                members: Default::default(),
            };
            directory.rooms.insert(room.id, Arc::new(room));
        }
        let mut select = self.db.prepare("SELECT room, account FROM members")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            directory.add_member(parsed(row, 0)?, parsed(row, 1)?);
        }
        Ok(directory)
    }

    /// A state file of an earlier version does not know it: then nothing is compared.
    fn format_since(&self) -> Result<Head, ReadError> {
        let (g, link) = (meta(self.db, "format_g")?, meta(self.db, "format_link")?);
        let since = g.and_then(|g| g.parse().ok()).zip(link.and_then(|link| link.parse().ok()));
        Ok(since.map_or(Head::default(), |(g, link)| Head { g, link }))
    }
}
