//! Whether this program can host workers: without the entry a fresh process would run `main` from the top, start more
//! processes, and so on.

use super::current;
use crate::error::{Error, ErrorKind};
use crate::limits;
use crate::task::registry::registry;
use std::sync::atomic::{AtomicBool, Ordering};

static SEEN: AtomicBool = AtomicBool::new(false);

/// The last argument of a worker process.
pub const MARKER: &str = "--mp-worker";

/// The entry has run in this process.
pub fn open() {
    SEEN.store(true, Ordering::Relaxed);
}

/// Whether processes may be started from here.
pub fn check() -> Result<(), Error> {
    if !SEEN.load(Ordering::Relaxed) {
        return Err(Error::new(
            ErrorKind::NoEntry,
            "this program cannot start workers yet: add `mp::main!();` as the first line of `fn main` (or \
             `#[mp::entry]` above it); in a test or bench crate add `mp::test_main!();` once, outside of any function",
        ));
    }
    let depth = current::identity().depth;
    if depth >= limits::DEPTH_MAX {
        return Err(Error::new(
            ErrorKind::TooDeep,
            format!(
                "this process is {depth} workers deep and may not start further ones (the limit is {}): does a task \
                 start a pool whose tasks start a pool?",
                limits::DEPTH_MAX
            ),
        ));
    }
    registry().check()
}
