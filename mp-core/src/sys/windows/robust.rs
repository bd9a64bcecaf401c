//! A lock between processes that is handed on when its holder is killed.

#![allow(unsafe_code)] // the contract of `RobustMutex::init`

use super::unsupported;
use std::io;
use std::time::Duration;

/// A lock in shared memory.
pub struct RobustMutex(());

/// What came of locking.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Locked {
    /// It is ours.
    Clean,
    /// It is ours, and who held it before died with it.
    OwnerDied,
    /// It is not ours: somebody held it all the time.
    TimedOut,
}

impl RobustMutex {
    /// Makes an unlocked one.
    ///
    /// # Safety
    /// `place` must be valid for writes and aligned.
    pub unsafe fn init(_: *mut Self) -> io::Result<()> {
        Err(unsupported())
    }

    /// Takes it; waits at most so long.
    pub fn lock(&self, _: Option<Duration>) -> io::Result<Locked> {
        Err(unsupported())
    }

    /// Takes it if nobody holds it.
    pub fn try_lock(&self) -> io::Result<Locked> {
        Err(unsupported())
    }

    /// Lets it go.
    pub fn unlock(&self) {}

    /// Says that what it protects is in order again.
    pub fn make_consistent(&self) {}
}
