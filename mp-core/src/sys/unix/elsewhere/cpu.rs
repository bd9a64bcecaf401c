//! Where this thread runs and how much there is to run on.

pub use super::leaf::cpu::current;

/// How many CPUs this process may keep busy: by affinity where there is such a thing; at least 1.
pub fn available() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

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
