//! Threads that cost little to start.

use std::io;

/// Starts a thread that nobody joins.
pub fn spawn_bare(name: &'static str, body: Box<dyn FnOnce() + Send>) -> io::Result<()> {
    std::thread::Builder::new().name(name.into()).stack_size(128 << 10).spawn(body).map(drop)
}
