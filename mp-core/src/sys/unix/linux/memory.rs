//! Sealed shared memory and its mappings.
//!
//! Memory is a memfd that can never shrink: no process that holds it can make another one's access fault. It has no
//! name in any file system, so it is gone with the last process that holds it, whatever killed them.

#![allow(unsafe_code)] // mmap and raw access: rustix leaves both to the caller

use super::super::{BorrowedHandle, Handle};
use rustix::fs::{
    FallocateFlags, MemfdFlags, SealFlags, fallocate, fcntl_add_seals, fcntl_get_seals, fstat, fstatfs,
    ftruncate, memfd_create,
};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::ptr::NonNull;

pub use super::super::access::Access;
pub use super::oom::oom_kills;

/// `f_type` of the file system that memfds live in (`linux/magic.h`). A memfd of huge pages lives in another one, where
/// a mapping may fault for want of a huge page.
const TMPFS_MAGIC: u64 = 0x0102_1994;

/// Asks for large pages for fresh room in a buffer, where the system has such a thing: with small ones, touching it for the first
/// time takes longer than filling it.
pub fn in_large_pages<T>(room: &mut [MaybeUninit<T>]) {
    let len = size_of_val(room);
    if len < LARGE_PAGE {
        return;
    }
    let start = room.as_mut_ptr().cast::<u8>();
    let skipped = start.align_offset(PAGE);
    let (start, len) = (start.wrapping_add(skipped), (len - skipped) & !(PAGE - 1));
    // SAFETY: duty: an advice that takes nothing away: this one changes how pages come, not what is in them. That the range
    // is ours: whole pages within `room`. A kernel without large pages refuses, and nothing is lost.
    let _ = unsafe { madvise(start.cast(), len, Advice::LinuxHugepage) };
}

/// What is shorter than a large page of the usual size gains nothing.
const LARGE_PAGE: usize = 2 << 20;

/// No page that the kernel might have is larger, but for large ones.
const PAGE: usize = 64 << 10;

/// Anonymous memory that can be given to other processes by its handle.
#[derive(Debug)]
pub struct Memory {
    handle: Handle,
    len: usize,
}

impl Memory {
    /// Zeroed memory that can neither shrink nor grow. `name` is for people who read `/proc/<pid>/maps`.
    pub fn create(name: &str, len: usize) -> io::Result<Self> {
        let memory = Self::create_growable(name, len)?;
        fcntl_add_seals(&memory.handle, SealFlags::GROW | SealFlags::SEAL)?;
        Ok(memory)
    }

    /// Zeroed memory that cannot shrink but may [`grow`](Self::grow).
    pub fn create_growable(name: &str, len: usize) -> io::Result<Self> {
        if len == 0 {
            return Err(invalid("shared memory of no bytes cannot be mapped"));
        }
        let handle = memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        ftruncate(&handle, len as u64)?;
        fcntl_add_seals(&handle, SealFlags::SHRINK)?;
        Ok(Self { handle, len })
    }

    /// Zeroed memory that can neither shrink nor grow, and whose contents can be [sealed](Self::seal_contents).
    pub fn create_sealable(name: &str, len: usize) -> io::Result<Self> {
        let memory = Self::create_growable(name, len)?;
        fcntl_add_seals(&memory.handle, SealFlags::GROW)?;
        Ok(memory)
    }

    /// From now on nobody can write here, in no process.
    ///
    /// # Errors
    /// [`io::ErrorKind::ResourceBusy`] while a writable mapping exists.
    pub fn seal_contents(&self) -> io::Result<()> {
        Ok(fcntl_add_seals(&self.handle, SealFlags::WRITE | SealFlags::SEAL)?)
    }

    /// Whether nobody can write here any more.
    pub fn is_content_sealed(&self) -> bool {
        fcntl_get_seals(&self.handle).is_ok_and(|seals| seals.contains(SealFlags::WRITE))
    }

    /// The same as [`create`](Self::create), for memory of which little will be used: who writes to it has
    /// [committed](Mapping::commit) the place.
    pub fn create_sparse(name: &str, len: usize) -> io::Result<Self> {
        Self::create(name, len)
    }

    /// Takes a handle from another process that says it is memory of at least `len` bytes, and believes nothing: it
    /// must be such memory and be sealed against shrinking. The caller holds `len` against its limits.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] when it is not what it claims to be.
    pub fn from_handle(handle: Handle, len: usize) -> io::Result<Self> {
        // Order: once the seal is seen, the size that is read afterwards cannot become less.
        let sealed = fcntl_get_seals(&handle).is_ok_and(|seals| seals.contains(SealFlags::SHRINK));
        // The type of the field differs between targets; the number is positive everywhere.
        #[allow(clippy::cast_sign_loss, clippy::unnecessary_cast)]
        let kind = fstatfs(&handle)?.f_type as u64 & 0xffff_ffff;
        if !sealed || kind != TMPFS_MAGIC {
            return Err(corrupt("the handle is not memory that is sealed against shrinking"));
        }
        if len == 0 || u64::try_from(fstat(&handle)?.st_size).unwrap_or(0) < len as u64 {
            return Err(corrupt("the shared memory is smaller than its sender says"));
        }
        Ok(Self { handle, len })
    }

    /// Makes it at least `len` bytes. Mappings made before stay as they are.
    pub fn grow(&mut self, len: usize) -> io::Result<()> {
        if len > self.len {
            ftruncate(&self.handle, len as u64)?;
            self.len = len;
        }
        Ok(())
    }

    /// How many bytes of it exist.
    #[cfg(test)]
    pub fn resident(&self) -> io::Result<u64> {
        Ok(u64::try_from(i128::from(fstat(&self.handle)?.st_blocks)).unwrap_or(0) * 512)
    }

    /// Gives whole pages back to the system: they read as zeros, and exist again when somebody writes to them.
    pub fn discard(&self, offset: usize, len: usize) -> io::Result<()> {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        Ok(fallocate(&self.handle, flags, offset as u64, len as u64)?)
    }

    /// Whether [`discard`](Self::discard) makes it less.
    #[cfg(test)]
    pub const SHRINKS: bool = true;

    /// The descriptor, to be sent.
    pub fn handle(&self) -> BorrowedHandle<'_> {
        self.handle.as_fd()
    }
}

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
        // Before Linux 6.7 the kernel refuses a shared mapping of sealed memory even for reading. A private one shows
        // the same pages, since nobody writes.
        let (protection, flags) = match access {
            Access::Read => (ProtFlags::READ, MapFlags::SHARED),
            Access::ReadWrite => (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED),
            Access::Sealed => (ProtFlags::READ, MapFlags::PRIVATE),
        };
        // SAFETY: duty: replace no existing mapping: no address is given and MAP_FIXED is not set, so the kernel keeps
        // it. Duty: pages stay backed: the length is within a file sealed against shrinking, kept by `Memory`.
        let start = unsafe { mmap(std::ptr::null_mut(), memory.len, protection, flags, &memory.handle, 0)? };
        let start = NonNull::new(start.cast()).ok_or_else(|| io::Error::other("mapped at address zero"))?;
        Ok(Self { start, len: memory.len, access })
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
        bytes.try_reserve(len)?;
        in_large_pages(bytes.spare_capacity_mut());
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

fn invalid(message: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

fn corrupt(message: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
