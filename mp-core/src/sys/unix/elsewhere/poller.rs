//! Sleeping on many handles.

use super::{BorrowedHandle, unsupported};
use std::io;
use std::time::Duration;

/// A set of handles to sleep on.
#[derive(Debug)]
pub struct Poller(());

impl Poller {
    /// An empty set.
    pub fn new() -> io::Result<Self> {
        Err(unsupported())
    }

    /// Adds a handle; [`wait`](Self::wait) names it by `key`.
    pub fn add(&self, _: BorrowedHandle<'_>, _: u64) -> io::Result<()> {
        Err(unsupported())
    }

    /// Takes a handle out again.
    pub fn remove(&self, _: BorrowedHandle<'_>) -> io::Result<()> {
        Err(unsupported())
    }

    /// Sleeps until a handle is ready, at most `timeout`; replaces the contents of `keys`.
    pub fn wait(&self, _: Option<Duration>, _: &mut Vec<u64>) -> io::Result<()> {
        Err(unsupported())
    }
}

/// Sleeps until `handle` is ready, at most `timeout`; whether it is.
pub fn ready(_: BorrowedHandle<'_>, _: Option<Duration>) -> io::Result<bool> {
    Err(unsupported())
}

/// Sleeps until one of `handles` is ready, at most `timeout`; for each, whether it is.
pub fn ready_any(_: &[BorrowedHandle<'_>], _: Option<Duration>) -> io::Result<Vec<bool>> {
    Err(unsupported())
}

/// The same for a number of them that is known beforehand.
pub fn ready_each<const N: usize>(_: [BorrowedHandle<'_>; N], _: Option<Duration>) -> io::Result<[bool; N]> {
    Err(unsupported())
}
