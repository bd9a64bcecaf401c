//! Ctrl-C in the parent: the first one stops what runs in order, a second one ends the process at once.

use super::bell::Bell;
use super::unsupported;
use std::io;
use std::sync::Arc;

/// Bells that can be watched at once.
pub const BELLS_MAX: usize = 1024;

/// A bell that rings on Ctrl-C, until dropped.
#[derive(Debug)]
pub struct WatchGuard(());

/// Takes care of Ctrl-C if nobody else does; whether it is ours now.
pub fn arm() -> io::Result<bool> {
    Err(unsupported())
}

/// Has `bell` rung on each Ctrl-C that is served.
pub fn watch(_: Arc<Bell>) -> io::Result<WatchGuard> {
    Err(unsupported())
}

/// How many Ctrl-C were served since the process started.
pub fn count() -> u64 {
    0
}

/// The interrupt that was served is dealt with.
pub fn done() {}

impl WatchGuard {
    /// Says whether somebody is waiting for work to end.
    pub fn busy(&self, _: bool) {}
}
