//! Threads that cost little to start.

use std::io;

/// Starts a thread that nobody joins.
pub fn spawn_bare(name: &'static str, body: Box<dyn FnOnce() + Send>) -> io::Result<()> {
    std::thread::Builder::new().name(name.into()).stack_size(128 << 10).spawn(body).map(drop)
}

/// Has this thread go on on another processor where that can be asked for: here it is not.
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

/// The same; on Linux the thread stays on the processor of the one that starts it until it is let go.
pub fn spawn_near(name: &'static str, body: impl FnOnce(Kept) + Send + 'static) -> io::Result<()> {
    spawn_bare(name, Box::new(move || body(Kept)))
}
