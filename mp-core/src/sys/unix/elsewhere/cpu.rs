//! Where this thread runs and how much there is to run on.

pub use super::leaf::cpu::current;
use std::io;

/// How many CPUs this process may keep busy: by affinity where there is such a thing; at least 1.
pub fn available() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The processors that this thread may run on, by number; `None` where that cannot be told.
pub fn allowed() -> Option<Vec<u32>> {
    None
}

/// Has this thread, and those that it starts, run on these processors only.
///
/// # Errors
/// [`io::ErrorKind::Unsupported`]: macOS has no such thing, and that of FreeBSD is not used.
pub fn stay_on(_: &[u32]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Has this thread go on on another processor where that can be asked for: not here.
pub fn step_aside() {}

/// A thread that is kept on one processor for now: here it never is.
#[derive(Clone, Copy, Debug)]
pub struct Kept;

impl Kept {
    /// Keeps this thread, and those that it starts, on the processor that it runs on, if that can be done.
    pub fn here() -> Self {
        Self
    }

    /// Lets this thread run wherever it might before.
    #[allow(clippy::unused_self)] // the signature is that of Linux
    pub fn let_go(self) {}
}
