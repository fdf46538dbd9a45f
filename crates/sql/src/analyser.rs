//! A bounded cache of facts, one for each worker: no locks, and no allocation on a hit.

use std::rc::Rc;

use hashbrown::HashTable;

use crate::digest::{KeyHasher, Seed};
use crate::lex::Lexer;
use crate::normal::normalise;
use crate::{Facts, Mode, analyse};

/// Looks texts up by a secret 128-bit hash of their normalised tokens, and classifies what it does not know.
///
/// Entries live in two generations. When the young one is full, the old one is dropped and they change places; an
/// entry of the old one that is asked for becomes young again. So a hit moves nothing, and what is used stays.
pub struct Analyser {
    young: HashTable<Entry>,
    old: HashTable<Entry>,
    generation: usize,
    seed: Seed,
    hits: u64,
    misses: u64,
}

struct Entry {
    key: u128,
    facts: Rc<Facts>,
}

impl Entry {
    /// The key is a hash already.
    fn hash(key: u128) -> u64 {
        key as u64
    }
}

impl Analyser {
    /// Longer texts are classified every time: most of them are bulk loads that do not come again.
    const LONGEST_CACHED: usize = 64 * 1024;
    /// Heavier facts are not kept, so that a cache's memory is bounded by its entries.
    const HEAVIEST_CACHED: usize = 8 * 1024;

    /// A cache of at most `capacity` entries.
    pub fn new(capacity: usize) -> Self {
        Self {
            young: HashTable::new(),
            old: HashTable::new(),
            generation: capacity.div_ceil(2).max(1),
            seed: Seed::random(),
            hits: 0,
            misses: 0,
        }
    }

    /// The facts of a text: the same as [`analyse()`] gives.
    pub fn facts(&mut self, sql: &[u8], mode: Mode) -> Rc<Facts> {
        if sql.len() > Self::LONGEST_CACHED {
            self.misses += 1;
            return Rc::new(analyse(sql, mode));
        }
        let key = self.key(sql, mode);
        if let Some(entry) = self.young.find(Entry::hash(key), |e| e.key == key) {
            self.hits += 1;
            return Rc::clone(&entry.facts);
        }
        self.old_or_new(key, sql, mode)
    }

    /// Entries kept.
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Texts whose facts were in the cache.
    pub fn hits(&self) -> u64 {
        self.hits
    }

    /// Texts that were classified.
    pub fn misses(&self) -> u64 {
        self.misses
    }

    fn key(&self, sql: &[u8], mode: Mode) -> u128 {
        let mut hasher = KeyHasher::new(&self.seed, mode);
        if mode.multibyte_unsafe {
            hasher.mix(u64::from(sql.is_ascii()));
        }
        normalise(sql, &mut Lexer::new(sql, mode), &mut hasher);
        if hasher.version_comment {
            // The tokens depend on the reading: the bytes are the key.
            hasher.bytes(0, sql);
        }
        hasher.finish()
    }

    #[cold]
    fn old_or_new(&mut self, key: u128, sql: &[u8], mode: Mode) -> Rc<Facts> {
        let facts = match self.old.find_entry(Entry::hash(key), |e| e.key == key) {
            Ok(entry) => {
                self.hits += 1;
                entry.remove().0.facts
            }
            Err(_) => {
                self.misses += 1;
                Rc::new(analyse(sql, mode))
            }
        };
        if facts.weight() <= Self::HEAVIEST_CACHED {
            self.keep(Entry { key, facts: Rc::clone(&facts) });
        }
        facts
    }

    fn keep(&mut self, entry: Entry) {
        if self.young.len() >= self.generation {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.young.insert_unique(Entry::hash(entry.key), entry, |e| Entry::hash(e.key));
    }
}
