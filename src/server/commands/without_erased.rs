//! A source of entries without the texts that were erased since it was made: a backup does not know that, but the data
//! folder does.

use crate::server::broker::moving::{Beside, Moved, Side};
use crate::server::broker::{Entry, Head};
use crate::server::erased_entries;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::collections::HashSet;
use std::path::Path;

pub struct WithoutErased<'a> {
    source: &'a dyn Side,
    erased: HashSet<Head>,
    /// A log keeps the body of its newest entry.
    newest: u64,
}

impl WithoutErased<'_> {
    /// Leaves out what a server of this data folder was told to erase. An entry goes only if number and link agree.
    pub fn of<'a>(source: &'a dyn Side, end: Head, folder: &Path) -> Moved<WithoutErased<'a>> {
        let erased = erased_entries::read(folder).map_err(|fault| {
            format!("{} cannot be read: {fault}", folder.join(erased_entries::ERASED_FILE).display())
        })?;
        if !erased.is_empty() {
            say!("The data folder knows of {} erased texts: they are left out.", erased.len());
        }
        Ok(WithoutErased { source, erased: erased.into_iter().collect(), newest: end.g })
    }
}

impl Side for WithoutErased<'_> {
    fn name(&self) -> String {
        self.source.name()
    }

    fn head(&self) -> BoxFuture<'_, Moved<Option<Head>>> {
        self.source.head()
    }

    fn read(&self, from: u64, limit: usize) -> BoxFuture<'_, Moved<Vec<Entry>>> {
        async move {
            let mut entries = self.source.read(from, limit).await?;
            for entry in &mut entries {
                if self.erased.contains(&entry.head()) && entry.header.g != self.newest {
                    entry.body = None;
                }
            }
            Ok(entries)
        }
        .boxed()
    }

    fn beside(&self) -> BoxFuture<'_, Moved<Beside>> {
        self.source.beside()
    }
}
