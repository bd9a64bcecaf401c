//! Newtypes for the numbers that name things, so that none can stand in for another.

use std::fmt;

/// A place in a pool. A worker that dies is replaced in the same place.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkerId(pub u32);

/// One `apply`, `map` or `imap` on its way through a pool: a place in the job table and how often that place was
/// used, so that a late message about an ended job is recognised.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId {
    /// The place in the job table.
    pub slot: u32,
    /// How many jobs held this place before.
    pub generation: u32,
}

/// The number of a call on one worker, counted from 1 over the worker's life; 0 means "no call".
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallSeq(pub u64);

impl CallSeq {
    /// The number of the call after this one.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl WorkerId {
    /// The worker's place as an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Debug for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "worker {}", self.0)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "job {}.{}", self.slot, self.generation)
    }
}

impl fmt::Debug for CallSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call {}", self.0)
    }
}
