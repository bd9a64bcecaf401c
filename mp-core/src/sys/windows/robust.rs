//! A lock between processes that survives its holder.

#![allow(unsafe_code)] // the contracts of `init`, `mark_consistent` and `unlock`

use super::unsupported;
use std::io;
use std::time::Instant;

/// A mutex without a value.
#[repr(C)]
#[derive(Debug)]
pub struct Robust(());

/// How a lock was got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taken {
    /// As it should be.
    Clean,
    /// The thread that held it ended.
    OwnerDied,
}

/// How an attempt ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Attempt {
    /// It is held by this thread now.
    Taken(Taken),
    /// Another thread holds it.
    Busy,
    /// This thread holds it already.
    Mine,
}

impl Robust {
    /// Makes a mutex out of the bytes at `place`.
    ///
    /// # Safety
    /// `place` is valid for writes and aligned, and nobody uses it yet.
    pub unsafe fn init(_: *mut Self) -> io::Result<()> {
        Err(unsupported())
    }

    /// Waits for the lock.
    pub fn lock(&self) -> io::Result<Attempt> {
        Err(unsupported())
    }

    /// Takes the lock if it is free.
    pub fn try_lock(&self) -> io::Result<Attempt> {
        Err(unsupported())
    }

    /// Waits for the lock until `deadline`.
    pub fn lock_until(&self, _: Instant) -> io::Result<Attempt> {
        Err(unsupported())
    }

    /// Says that what the lock protects is in order again.
    ///
    /// # Safety
    /// This thread holds the lock.
    pub unsafe fn mark_consistent(&self) -> io::Result<()> {
        Err(unsupported())
    }

    /// Gives the lock back.
    ///
    /// # Safety
    /// This thread holds the lock.
    pub unsafe fn unlock(&self) {}
}
