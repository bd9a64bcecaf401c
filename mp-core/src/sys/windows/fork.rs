//! Copies of this process: Windows makes none.

#![allow(unsafe_code)] // the safety of a copy is the caller's to know

use super::Handle;
use std::ffi::OsString;
use std::io;
use std::path::Path;

/// Which of the two this process is.
#[allow(dead_code, reason = "there are no copies")]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Copied {
    /// The original; the number of the copy.
    Original(u32),
    /// The copy.
    Copy,
}

/// Somebody has promised that this process may be copied whatever its threads are at.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Fork(());

impl Fork {
    /// Promises it.
    ///
    /// # Safety
    /// A copy of this process has one thread, and finds memory as the other threads left it: whatever they hold a lock of
    /// (of the allocator, of stdout, of a table of a C library) may stay locked for ever, and what they were changing stays
    /// half changed. It shares every descriptor and every mapping. Whoever calls this knows, for each moment at which `mp`
    /// makes a copy, that the task which the copy runs, and what it calls, can live with that. A process with one thread
    /// can.
    pub const unsafe fn new() -> Self {
        Self(())
    }
}

/// How many threads this process has.
pub fn threads() -> io::Result<u64> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Copies this process; the copy is a child of our parent.
pub fn sibling() -> io::Result<Copied> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Copies this process; the copy is a child of ours.
pub fn child(_: Fork) -> io::Result<Copied> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Makes the surroundings of this process those that somebody has chosen for it.
pub fn take_place(
    _: Option<Handle>,
    _: Option<Handle>,
    _: &[(OsString, Option<OsString>)],
    _: Option<&Path>,
) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
