//! The file: entries that stay, and the number of the newest change.

use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, TableError};
use thiserror::Error;

use crate::Key;
use crate::store::state::State;
use crate::store::{Entry, Revision, StoreError, Write};

/// Key → the number of the change that wrote it, in eight bytes, little end first, and the value.
const ENTRIES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("entries");
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const REVISION: &str = "revision";

/// Opens the file, again after an error.
pub(super) type Opener = Box<dyn Fn() -> Result<Database, redb::DatabaseError> + Send>;

/// Why the file could not be opened.
#[derive(Debug, Error)]
pub enum DiskError {
    /// Also when another process has it open.
    #[error("cannot open the coordination file: {0}")]
    Open(#[from] Box<redb::DatabaseError>),
    #[error("cannot read the coordination file: {0}")]
    Read(Box<redb::Error>),
    /// What is in it was not written by this program.
    #[error("the coordination file has an entry that makes no sense: {0:?}")]
    Damaged(String),
    #[error("cannot start the thread of the coordination file: {0}")]
    Thread(std::io::Error),
}

pub(super) fn file_opener(file: &Path) -> Opener {
    let file = file.to_owned();
    Box::new(move || Database::create(&file))
}

pub(super) struct Disk {
    opener: Opener,
    /// `None` after an error: redb does not go on then, the file has to be opened anew.
    database: Option<Database>,
    /// The write that failed, which may be on the disk nevertheless.
    unsure: Option<(Revision, Vec<Write>)>,
}

impl Disk {
    pub(super) fn open(opener: Opener) -> Result<(Self, State), DiskError> {
        let database = opener().map_err(Box::new)?;
        let (revision, entries) = load(&database)?;
        Ok((Self { opener, database: Some(database), unsure: None }, State::with(revision, entries)))
    }

    /// Opens the file anew if an error had closed it. Gives back the write of which nobody was sure, if it is in the file.
    pub(super) fn recover(&mut self) -> Result<Option<Vec<Write>>, StoreError> {
        if self.database.is_some() {
            return Ok(None);
        }
        let database = (self.opener)().map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let on_disk = revision(&database).map_err(|error| StoreError::Unavailable(error.to_string()))?;
        tracing::info!("the coordination file takes writes again");
        self.database = Some(database);
        Ok(self.unsure.take().filter(|(revision, _)| *revision <= on_disk).map(|(_, writes)| writes))
    }

    /// Returns once it is on the disk.
    pub(super) fn write(&mut self, revision: Revision, writes: &[Write]) -> Result<(), StoreError> {
        let Some(database) = &self.database else {
            return Err(StoreError::Unavailable("the coordination file is closed".to_owned()));
        };
        write(database, revision, writes).map_err(|error| {
            tracing::error!("the coordination file cannot be written: {error}");
            self.database = None;
            self.unsure = Some((revision, writes.to_vec()));
            StoreError::uncertain("writing the coordination file", &error)
        })
    }
}

/// Durable when it returns: redb syncs the file at the end of every transaction.
fn write(database: &Database, revision: Revision, writes: &[Write]) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        transaction.open_table(META)?.insert(REVISION, revision.0)?;
        let mut entries = transaction.open_table(ENTRIES)?;
        for write in writes {
            match write {
                Write::Put { key, value, session: None } => {
                    let bytes = [&revision.0.to_le_bytes(), value.as_slice()].concat();
                    entries.insert(key.as_str(), bytes.as_slice())?;
                }
                // What is bound to a session does not outlive the process, as its session does not.
                Write::Put { key, .. } | Write::Delete { key } => drop(entries.remove(key.as_str())?),
            }
        }
    }
    Ok(transaction.commit()?)
}

fn revision(database: &Database) -> Result<Revision, redb::Error> {
    match database.begin_read()?.open_table(META) {
        Ok(meta) => Ok(Revision(meta.get(REVISION)?.map_or(0, |revision| revision.value()))),
        Err(TableError::TableDoesNotExist(_)) => Ok(Revision(0)),
        Err(error) => Err(error.into()),
    }
}

fn load(database: &Database) -> Result<(Revision, Vec<Entry>), DiskError> {
    let read = |error: redb::Error| DiskError::Read(Box::new(error));
    let newest = revision(database).map_err(read)?;
    let pairs = pairs(database).map_err(read)?;
    let entries = pairs.into_iter().map(|(key, bytes)| decode(&key, &bytes).ok_or(DiskError::Damaged(key)));
    Ok((newest, entries.collect::<Result<_, _>>()?))
}

fn pairs(database: &Database) -> Result<Vec<(String, Vec<u8>)>, redb::Error> {
    let table = match database.begin_read()?.open_table(ENTRIES) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut pairs = Vec::new();
    for pair in table.iter()? {
        let (key, value) = pair?;
        pairs.push((key.value().to_owned(), value.value().to_vec()));
    }
    Ok(pairs)
}

fn decode(key: &str, bytes: &[u8]) -> Option<Entry> {
    let (version, value) = bytes.split_first_chunk()?;
    let version = Revision(u64::from_le_bytes(*version));
    Some(Entry { key: Key::parse(key)?, value: value.to_vec(), version, session: None })
}
