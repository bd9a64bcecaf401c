//! Shared memory made visible.

#![allow(unsafe_code)] // mmap and raw access: rustix leaves both to the caller

use super::BorrowedHandle;
use super::access::Access;
use super::platform::memory::{Memory, in_large_pages};
use rustix::fs::ftruncate;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use rustix::process::{Resource, getrlimit};
use std::io;
use std::ptr::NonNull;

/// Memory made visible in this process.
///
/// Other processes may write to it at any moment, so there is no `&[u8]` of it: bytes are copied in and out, shared
/// words are reached as atomics through [`ptr`](Self::ptr).
#[derive(Debug)]
pub struct Mapping {
    start: NonNull<u8>,
    len: usize,
    access: Access,
}

// SAFETY: duty: usable from any thread. The mapping belongs to the process, not to a thread, and its bytes are only
// reached by copies and atomics: kept by the methods below and by the unsafe blocks of whoever uses `ptr`.
unsafe impl Send for Mapping {}
// SAFETY: duty: shared use from several threads. As for `Send`: another process may write at the same time anyhow, and
// everything here is made for that.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps all of `memory`. The mapping outlives the handle.
    pub fn map(memory: &Memory, access: Access) -> io::Result<Self> {
        Self::of(memory.own_handle(), memory.len(), access)
    }

    /// Maps what cannot become shorter than `len`.
    pub(super) fn of(memory: BorrowedHandle<'_>, len: usize, access: Access) -> io::Result<Self> {
        // Before Linux 6.7 the kernel refuses a shared mapping of sealed memory even for reading. A private one shows
        // the same pages, since nobody writes.
        let (protection, flags) = match access {
            Access::Read => (ProtFlags::READ, MapFlags::SHARED),
            Access::ReadWrite => (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED),
            Access::Sealed => (ProtFlags::READ, MapFlags::PRIVATE),
        };
        // SAFETY: duty: replace no existing mapping: no address is given and MAP_FIXED is not set, so the kernel keeps
        // it. Duty: pages stay backed: the length is within memory that cannot shrink, kept by the callers.
        let start = unsafe { mmap(std::ptr::null_mut(), len, protection, flags, memory, 0)? };
        let start = NonNull::new(start.cast()).ok_or_else(|| io::Error::other("mapped at address zero"))?;
        Ok(Self { start, len, access })
    }

    /// The first byte; page-aligned. Valid for reads, and for writes if mapped so, of [`len`](Self::len) bytes while
    /// this mapping lives.
    #[inline]
    pub fn ptr(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// Has memory be there for a part: it comes by itself when it is touched.
    #[allow(clippy::unnecessary_wraps, clippy::unused_self)] // the signature is that of systems that must be asked
    #[inline]
    pub fn commit(&self, _: usize, _: usize) -> io::Result<()> {
        Ok(())
    }

    /// How many bytes are mapped.
    #[allow(clippy::len_without_is_empty)] // never empty
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Copies `bytes` to `offset`. What another process writes there at the same time gives a mixture.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] when they do not fit or the mapping is not writable.
    pub fn copy_in(&self, offset: usize, bytes: &[u8]) -> io::Result<()> {
        if !self.holds(offset, bytes.len()) || self.access != Access::ReadWrite {
            return Err(invalid("a copy into shared memory out of bounds"));
        }
        // SAFETY: duty: source and target are valid for the length and apart: the source is a live slice of ours, the
        // target in bounds and writable by the line above, and no `&[u8]` into a mapping exists but by `slice`, whose
        // caller answers for it.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.ptr().add(offset), bytes.len()) };
        Ok(())
    }

    /// Appends `len` bytes from `offset` to `bytes`: a snapshot that nobody can change any more.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] when out of bounds, [`io::ErrorKind::OutOfMemory`] when there is no room for a copy:
    /// the length may be what a worker claims, and memory that was never written costs it nothing.
    pub fn copy_out(&self, offset: usize, len: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
        if !self.holds(offset, len) {
            return Err(invalid("a copy out of shared memory out of bounds"));
        }
        if bytes.capacity() - bytes.len() < len {
            bytes.try_reserve(len)?;
            in_large_pages(bytes.spare_capacity_mut());
        }
        // SAFETY: duty: source and target are valid for the length and apart: the source is in bounds by the check
        // above, the target is the spare room just reserved in a vector of ours. Duty of `set_len`: the bytes are
        // written, by the copy.
        unsafe {
            std::ptr::copy_nonoverlapping(self.ptr().add(offset), bytes.as_mut_ptr().add(bytes.len()), len);
            bytes.set_len(bytes.len() + len);
        }
        Ok(())
    }

    /// The bytes in place.
    ///
    /// # Safety
    /// `offset..offset + len` must be in bounds, and nobody, in this process or another, may write there while the
    /// slice lives.
    pub unsafe fn slice(&self, offset: usize, len: usize) -> &[u8] {
        debug_assert!(self.holds(offset, len));
        // SAFETY: duty: in bounds, initialised (the kernel zeroes pages) and unchanging: the caller by the contract;
        // alive: the borrow of `self` keeps the mapping.
        unsafe { std::slice::from_raw_parts(self.ptr().add(offset), len) }
    }

    fn holds(&self, offset: usize, len: usize) -> bool {
        offset.checked_add(len).is_some_and(|end| end <= self.len)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: duty: the range is one mapping of ours that nobody uses any more: made by `map`, and everything that
        // reaches into it borrows `self` or keeps it alive.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
    }
}

/// Gives a file its length.
///
/// # Errors
/// [`io::ErrorKind::FileTooLarge`] beyond the limit that this process has for files: asked all the same, the kernel would end it
/// by a signal.
pub(super) fn set_len(file: BorrowedHandle<'_>, len: u64) -> io::Result<()> {
    check_file_limit(len)?;
    Ok(ftruncate(file, len)?)
}

/// Refuses to write where a file may not reach.
pub(super) fn check_file_limit(end: u64) -> io::Result<()> {
    match getrlimit(Resource::Fsize).current {
        Some(most) if most < end => Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!(
                "it would have {end} bytes, and a file of this process {most} at most (`ulimit -f`), which is meant for shared \
                 memory, too"
            ),
        )),
        Some(_) | None => Ok(()),
    }
}

/// The error for what the caller got wrong.
pub(super) fn invalid(message: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

/// The error for what another process got wrong.
pub(super) fn corrupt(message: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}
