//! Shared memory and its mappings.

#![allow(unsafe_code)] // the contract of `Mapping::slice`

use super::{BorrowedHandle, Handle, borrow, unsupported};
use std::io;
use std::mem::MaybeUninit;

pub use super::access::Access;

/// Anonymous memory that can be given to other processes by its handle.
#[derive(Debug)]
pub struct Memory {
    handle: Handle,
    len: usize,
}

/// Memory made visible in this process.
#[derive(Debug)]
pub struct Mapping(());

/// Asks for large pages for fresh room in a buffer: there is nobody to ask.
pub fn in_large_pages<T>(_: &mut [MaybeUninit<T>]) {}

/// How many processes the kernel has killed for want of memory: nobody counts.
pub fn oom_kills() -> Option<u64> {
    None
}

impl Memory {
    /// Zeroed memory that can neither shrink nor grow.
    pub fn create(_: &str, _: usize) -> io::Result<Self> {
        Err(unsupported())
    }

    /// Zeroed memory that cannot shrink but may [`grow`](Self::grow).
    pub fn create_growable(_: &str, _: usize) -> io::Result<Self> {
        Err(unsupported())
    }

    /// Zeroed memory that can neither shrink nor grow, and whose contents can be [sealed](Self::seal_contents).
    pub fn create_sealable(_: &str, _: usize) -> io::Result<Self> {
        Err(unsupported())
    }

    /// Zeroed memory of which little will be used: who writes to it has [committed](Mapping::commit) the place.
    pub fn create_sparse(_: &str, _: usize) -> io::Result<Self> {
        Err(unsupported())
    }

    /// From now on nobody can write here, in no process.
    pub fn seal_contents(&self) -> io::Result<()> {
        Err(unsupported())
    }

    /// Whether nobody can write here any more.
    pub fn is_content_sealed(&self) -> bool {
        false
    }

    /// Takes a handle from another process that says it is memory of at least `len` bytes.
    pub fn from_handle(_: Handle, _: usize) -> io::Result<Self> {
        Err(unsupported())
    }

    /// Makes it at least `len` bytes.
    pub fn grow(&mut self, _: usize) -> io::Result<()> {
        Err(unsupported())
    }

    /// How many bytes of it exist.
    #[cfg(test)]
    pub fn resident(&self) -> io::Result<u64> {
        Err(unsupported())
    }

    /// Gives whole pages back to the system.
    pub fn discard(&self, _: usize, _: usize) -> io::Result<()> {
        Err(unsupported())
    }

    /// Whether [`discard`](Self::discard) makes it less.
    #[cfg(test)]
    pub const SHRINKS: bool = false;

    /// The handle, to be sent.
    pub fn handle(&self) -> BorrowedHandle<'_> {
        borrow(&self.handle)
    }
}

impl Mapping {
    /// Has memory be there for a part.
    #[inline]
    pub fn commit(&self, _: usize, _: usize) -> io::Result<()> {
        Err(unsupported())
    }

    /// Maps all of `memory`.
    pub fn map(_: &Memory, _: Access) -> io::Result<Self> {
        Err(unsupported())
    }

    /// The first byte; page-aligned.
    pub fn ptr(&self) -> *mut u8 {
        std::ptr::null_mut()
    }

    /// How many bytes are mapped.
    #[allow(clippy::len_without_is_empty)] // never empty
    pub fn len(&self) -> usize {
        0
    }

    /// Copies `bytes` to `offset`.
    pub fn copy_in(&self, _: usize, _: &[u8]) -> io::Result<()> {
        Err(unsupported())
    }

    /// Appends `len` bytes from `offset` to `bytes`.
    pub fn copy_out(&self, _: usize, _: usize, _: &mut Vec<u8>) -> io::Result<()> {
        Err(unsupported())
    }

    /// The bytes in place.
    ///
    /// # Safety
    /// In bounds, and nobody may write there while the slice lives.
    pub unsafe fn slice(&self, _: usize, _: usize) -> &[u8] {
        &[]
    }
}
