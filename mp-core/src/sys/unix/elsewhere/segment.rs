//! Memory that is read and written by copying, with a name or without one.

use super::{BorrowedHandle, Handle, borrow, unsupported};
use std::io;

/// Bytes that several processes can open.
#[derive(Debug)]
pub struct Segment(Handle);

impl Segment {
    /// Zeroed bytes without a name.
    pub fn create(_: usize) -> io::Result<Self> {
        Err(unsupported())
    }

    /// Zeroed bytes with a name that nothing has.
    pub fn create_named(_: &str, _: usize) -> io::Result<Self> {
        Err(unsupported())
    }

    /// The bytes with this name.
    pub fn open_named(_: &str) -> io::Result<Self> {
        Err(unsupported())
    }

    /// Takes a handle from another process.
    pub fn from_handle(_: Handle) -> io::Result<Self> {
        Err(unsupported())
    }

    /// How many bytes there were when it was made or opened.
    pub fn len(&self) -> u64 {
        0
    }

    /// Copies bytes out.
    pub fn read(&self, _: u64, _: &mut [u8]) -> io::Result<()> {
        Err(unsupported())
    }

    /// Copies bytes in.
    pub fn write(&self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(unsupported())
    }

    /// The handle, to be sent.
    pub fn handle(&self) -> BorrowedHandle<'_> {
        borrow(&self.0)
    }

    /// Removes the name, if it still means these bytes.
    pub fn unlink_own(&self, _: &str) -> io::Result<()> {
        Err(unsupported())
    }
}

/// Removes a name.
pub fn unlink_named(_: &str) -> io::Result<()> {
    Err(unsupported())
}
