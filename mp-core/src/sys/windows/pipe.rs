//! What a worker writes to stderr: a pipe instead, read without waiting, and passed on.

use super::{BorrowedHandle, Handle, unsupported};
use std::io;

/// What there was to read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Available {
    /// This many bytes were appended; zero says that there is nothing now.
    Bytes(usize),
    /// Every writer is gone and everything was read.
    End,
}

/// A pipe that no child inherits: the end to read from and the end to write to.
pub fn pipe() -> io::Result<(Handle, Handle)> {
    Err(unsupported())
}

/// Makes calls on `handle` that would wait fail instead, or back.
pub fn set_nonblocking(_: BorrowedHandle<'_>, _: bool) -> io::Result<()> {
    Err(unsupported())
}

/// Reads what there is now into `room`, without waiting.
pub fn read_now(_: BorrowedHandle<'_>, _: &mut [u8]) -> io::Result<Available> {
    Err(unsupported())
}

/// Appends what can be read without waiting, at most `max` bytes.
pub fn read_available(_: BorrowedHandle<'_>, _: &mut Vec<u8>, _: usize) -> io::Result<Available> {
    Err(unsupported())
}

/// This process's stderr, kept open by the caller; `None` if it is closed.
pub fn stderr() -> Option<Handle> {
    None
}

/// This process's stdout, kept open by the caller; `None` if it is closed.
pub fn stdout() -> Option<Handle> {
    None
}

/// Where everything that is written is lost, and nothing is to be read.
pub fn null() -> io::Result<Handle> {
    Err(unsupported())
}

/// Writes to `handle` until all is written; what cannot be written is lost.
pub fn write_all(_: BorrowedHandle<'_>, _: &[u8]) {}

/// Writes to this process's stderr; what cannot be written is lost.
pub fn write_stderr(bytes: &[u8]) {
    // Nobody is told of what is lost: stderr is where they would be told.
    let _ = io::Write::write_all(&mut io::stderr(), bytes);
}
