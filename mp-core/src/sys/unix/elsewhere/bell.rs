//! A handle that becomes readable when rung.

use super::{BorrowedHandle, Handle, borrow, unsupported};
use std::io;

/// A bell: a pipe with a byte in it. See the Linux side for what it promises.
#[derive(Debug)]
pub struct Bell(Handle);

impl Bell {
    /// A silent bell.
    pub fn new() -> io::Result<Self> {
        Err(unsupported())
    }

    /// Takes a handle that is known to be a bell of another process.
    pub fn from_handle(handle: Handle) -> Self {
        Self(handle)
    }

    /// The handle, to be polled or sent.
    pub fn handle(&self) -> BorrowedHandle<'_> {
        borrow(&self.0)
    }

    /// Makes the handle readable.
    pub fn ring(&self) {}

    /// Makes the handle silent; whether it rang.
    pub fn clear(&self) -> bool {
        false
    }
}
