//! Memory that is read and written by copying, with a name or without one.
//!
//! A name goes away with the last handle, so there is nothing to remove, and nothing is left over.

#![allow(unsafe_code)] // OpenFileMappingW

use super::call::{owned, wide};
use super::memory::{Access, Mapping, Memory};
use super::view::{self, Commit, View};
use super::{BorrowedHandle, Handle, borrow};
use std::io;
use windows_sys::Win32::System::Memory::{FILE_MAP_READ, FILE_MAP_WRITE, OpenFileMappingW};

/// Bytes that several processes can open.
#[derive(Debug)]
pub struct Segment {
    memory: Memory,
    mapping: Mapping,
}

impl Segment {
    /// Zeroed bytes without a name.
    pub fn create(len: usize) -> io::Result<Self> {
        Self::of(Memory::create("mp-shm", len)?)
    }

    /// Zeroed bytes with a name that nothing has, for this session.
    pub fn create_named(name: &str, len: usize) -> io::Result<Self> {
        Self::from_handle(view::create(len, Some(&path(name)), Commit::All)?)
    }

    /// The bytes with this name.
    pub fn open_named(name: &str) -> io::Result<Self> {
        // SAFETY: duty: a valid pointer: the name ends in NUL. Duty of `owned`: it was made just now.
        Self::from_handle(unsafe {
            owned(OpenFileMappingW(FILE_MAP_READ | FILE_MAP_WRITE, 0, path(name).as_ptr()))?
        })
    }

    /// Takes a handle from another process, if it is one of memory.
    pub fn from_handle(handle: Handle) -> io::Result<Self> {
        let len = View::reading(borrow(&handle))?.len()?;
        Self::of(Memory::from_handle(handle, len)?)
    }

    fn of(memory: Memory) -> io::Result<Self> {
        Ok(Self { mapping: Mapping::map(&memory, Access::ReadWrite)?, memory })
    }

    /// The first byte.
    pub(super) fn ptr(&self) -> *mut u8 {
        self.mapping.ptr()
    }

    /// How many bytes there are.
    pub fn len(&self) -> u64 {
        self.mapping.len() as u64
    }

    /// Copies bytes out.
    pub fn read(&self, offset: u64, target: &mut [u8]) -> io::Result<()> {
        let mut bytes = Vec::new();
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        self.mapping.copy_out(offset, target.len(), &mut bytes)?;
        target.copy_from_slice(&bytes);
        Ok(())
    }

    /// Copies bytes in.
    pub fn write(&self, offset: u64, source: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        self.mapping.copy_in(offset, source)
    }

    /// The handle, to be sent.
    pub fn handle(&self) -> BorrowedHandle<'_> {
        self.memory.handle()
    }

    /// Nothing to do: the name goes away with the last handle.
    #[allow(clippy::unnecessary_wraps, clippy::unused_self)] // the signature is that of systems where there is
    pub fn unlink_own(&self, _: &str) -> io::Result<()> {
        Ok(())
    }
}

/// Nothing to do: the name goes away with the last handle.
///
/// # Errors
/// [`io::ErrorKind::NotFound`] when nothing has this name.
pub fn unlink_named(name: &str) -> io::Result<()> {
    Segment::open_named(name).map(drop)
}

fn path(name: &str) -> Vec<u16> {
    wide(&format!("Local\\{name}"))
}
