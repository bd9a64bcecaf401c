//! Sealed shared memory.
//!
//! Memory is a memfd that can never shrink: no process that holds it can make another one's access fault. It has no
//! name in any file system, so it is gone with the last process that holds it, whatever killed them.

#![allow(unsafe_code)] // madvise: rustix leaves the range to the caller

use super::super::mapping::{corrupt, invalid, set_len};
use super::super::{BorrowedHandle, Handle};
use super::refused::refused;
use rustix::buffer::spare_capacity;
use rustix::fs::{
    FallocateFlags, MemfdFlags, SealFlags, fallocate, fcntl_add_seals, fcntl_get_seals, fstat, fstatfs,
    memfd_create,
};
use rustix::io::{Errno, pread, pwrite};
use rustix::mm::{Advice, madvise};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;

pub use super::super::access::Access;
pub use super::super::mapping::Mapping;
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
        let handle = memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)
            .map_err(refused("memfd_create"))?;
        set_len(handle.as_fd(), len as u64)?;
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

    /// What tells this memory from all others, as long as somebody has it; `None` where the system does not say.
    pub fn identity(&self) -> Option<[u64; 4]> {
        // Inode numbers come again after 2^32 of them, but not within one tick of the clock.
        let found = fstat(&self.handle).ok()?;
        // The types of the fields differ between targets.
        #[allow(clippy::cast_sign_loss, clippy::cast_lossless, clippy::unnecessary_cast)]
        Some([found.st_dev as u64, found.st_ino as u64, found.st_ctime as u64, found.st_ctime_nsec as u64])
    }

    /// Writes these pieces one behind the other, from the start on. Pages that were never touched come sooner this way than in a
    /// mapping.
    pub fn fill<'p>(&self, pieces: impl Iterator<Item = &'p [u8]>) -> io::Result<()> {
        let mut at = 0;
        for mut piece in pieces {
            while !piece.is_empty() {
                match pwrite(&self.handle, piece, at) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(count) => (at, piece) = (at + count as u64, &piece[count..]),
                    Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    /// Appends all its bytes to `bytes`: a snapshot that nobody can change any more.
    ///
    /// # Errors
    /// [`io::ErrorKind::OutOfMemory`] when there is no room for a copy: the length may be what another process claims.
    pub fn read(&self, bytes: &mut Vec<u8>) -> io::Result<()> {
        bytes.try_reserve_exact(self.len)?;
        in_large_pages(bytes.spare_capacity_mut());
        let (start, end) = (bytes.len(), bytes.len() + self.len);
        while bytes.len() < end {
            let at = (bytes.len() - start) as u64;
            match pread(&self.handle, spare_capacity(bytes), at) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        // There may be more than we were told of.
        bytes.truncate(end);
        Ok(())
    }

    /// Makes it at least `len` bytes. Mappings made before stay as they are.
    pub fn grow(&mut self, len: usize) -> io::Result<()> {
        if len > self.len {
            set_len(self.handle.as_fd(), len as u64)?;
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
    pub const SHRINKS: bool = true;

    /// How many bytes this process knows it to have.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The descriptor, to be sent.
    pub fn handle(&self) -> BorrowedHandle<'_> {
        self.handle.as_fd()
    }

    /// The descriptor, to be mapped here.
    pub fn own_handle(&self) -> BorrowedHandle<'_> {
        self.handle.as_fd()
    }
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
