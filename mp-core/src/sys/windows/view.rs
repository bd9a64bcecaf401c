//! Sections made visible, and the page behind the bytes of each: it holds what other systems keep in the kernel.
//!
//! ```text
//!  0 ┌───────────────────────────┬──────────┬─────────────────────────────────┐ total
//!    │ the bytes of the user     │ up to a  │ back page: length, seal, who     │
//!    │                           │ page     │ sleeps on which word             │
//!    └───────────────────────────┴──────────┴─────────────────────────────────┘
//! ```
//! A section that is committed later has one more page, which never is: Wine forgets what was committed up to the very end.

#![allow(unsafe_code)] // mappings

use super::call::{number, owned};
use super::lot::Lot;
use super::{BorrowedHandle, Handle};
use std::collections::BTreeMap;
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::sync::{PoisonError, RwLock};
use windows_sys::Win32::Foundation::INVALID_HANDLE_VALUE;
use windows_sys::Win32::System::Memory::{
    CreateFileMappingW, FILE_MAP, FILE_MAP_READ, FILE_MAP_WRITE, MEM_COMMIT, MEMORY_BASIC_INFORMATION,
    MEMORY_MAPPED_VIEW_ADDRESS, MapViewOfFile, PAGE_READWRITE, SEC_COMMIT, SEC_RESERVE, UnmapViewOfFile,
    VirtualAlloc, VirtualQuery,
};

const PAGE: usize = 4096;

/// "mp memory", so that no other section passes for one of ours.
const MAGIC: u64 = u64::from_le_bytes(*b"mpmemory");

/// The back page of a section.
#[repr(C)]
pub struct Back {
    magic: AtomicU64,
    /// How many bytes the user has.
    len: AtomicU64,
    /// 1: nobody may write here any more.
    sealed: AtomicU32,
    /// Views that can be written to, in all processes.
    writers: AtomicU32,
    /// Who sleeps on a word of this memory.
    pub lot: Lot,
}

const _: () = assert!(size_of::<Back>() <= PAGE);

/// A section in this process's memory, unmapped when dropped.
#[derive(Debug)]
pub struct View {
    start: NonNull<u8>,
    total: usize,
    is_writer: bool,
}

// SAFETY: duty: usable from any thread: a mapping belongs to the process; its bytes are reached as `Mapping` says.
unsafe impl Send for View {}
// SAFETY: duty: as for `Send`.
unsafe impl Sync for View {}

/// The views of this process that can be written to: where they start, and how long they are.
static VIEWS: RwLock<BTreeMap<usize, usize>> = RwLock::new(BTreeMap::new());

/// When the system has to have memory for a section.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Commit {
    /// When it is made.
    All,
    /// When a [place of it is asked for](View::commit).
    Later,
}

/// A section with `len` zeroed bytes for the user; `name`: in the namespace of the session, and it must be new.
pub fn create(len: usize, name: Option<&[u16]>, commit: Commit) -> io::Result<Handle> {
    let total = len.checked_next_multiple_of(PAGE).and_then(|bytes| bytes.checked_add(PAGE));
    let spare = if commit == Commit::Later { PAGE } else { 0 };
    let total = total.and_then(|bytes| bytes.checked_add(spare)).ok_or(io::ErrorKind::OutOfMemory)? as u64;
    let name_start = name.map_or(std::ptr::null(), <[u16]>::as_ptr);
    let attribute = if commit == Commit::All { SEC_COMMIT } else { SEC_RESERVE };
    // SAFETY: duty: valid pointers: null, or a name that ends in NUL by the callers. Duty of `owned`: made just now.
    let section = unsafe {
        owned(CreateFileMappingW(
            INVALID_HANDLE_VALUE,
            std::ptr::null(),
            PAGE_READWRITE | attribute,
            (total >> 32) as u32,
            total as u32,
            name_start,
        ))?
    };
    if name.is_some() && io::Error::last_os_error().kind() == io::ErrorKind::AlreadyExists {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let mut view = View::map(super::borrow(&section), FILE_MAP_READ | FILE_MAP_WRITE)?;
    view.total -= spare;
    view.commit(view.total - PAGE, PAGE)?;
    view.back().len.store(len as u64, Relaxed);
    // PAIR: `len`, which looks at it first.
    view.back().magic.store(MAGIC, SeqCst);
    Ok(section)
}

impl View {
    /// Maps a whole section.
    fn map(section: BorrowedHandle<'_>, rights: FILE_MAP) -> io::Result<Self> {
        // SAFETY: duty: none, no address is asked for; the handle is open by the borrow.
        let mapped = unsafe { MapViewOfFile(number(section), rights, 0, 0, 0) };
        let start = NonNull::new(mapped.Value.cast::<u8>()).ok_or_else(io::Error::last_os_error)?;
        let mut view = Self { start, total: 0, is_writer: false };
        while let Some(found) = view.look(view.total) {
            view.total += found.RegionSize;
        }
        if view.total < 2 * PAGE || !view.total.is_multiple_of(PAGE) {
            return Err(not_ours());
        }
        Ok(view)
    }

    /// The same, of a section that may be anybody's: what is looked at first must be there.
    fn of_others(section: BorrowedHandle<'_>, rights: FILE_MAP) -> io::Result<Self> {
        let mut view = Self::map(section, rights)?;
        if !view.is_committed(view.total - PAGE) {
            view.total -= PAGE;
        }
        if view.is_committed(view.total - PAGE) { view.len().map(|_| view) } else { Err(not_ours()) }
    }

    /// What the system knows of the pages from `offset` on; `None` beyond the end.
    fn look(&self, offset: usize) -> Option<MEMORY_BASIC_INFORMATION> {
        let start = self.start.as_ptr();
        let mut found = MEMORY_BASIC_INFORMATION::default();
        // SAFETY: duty: a valid pointer: a live local of the length that is named. The address is only looked up.
        let done = unsafe {
            let size = size_of::<MEMORY_BASIC_INFORMATION>();
            VirtualQuery(start.wrapping_add(offset).cast(), &raw mut found, size)
        };
        (done != 0 && found.AllocationBase == start.cast()).then_some(found)
    }

    /// Whether there is memory for the page at `offset`. Wine knows that of a page that is asked for, not of those behind it.
    fn is_committed(&self, offset: usize) -> bool {
        self.look(offset).is_some_and(|found| found.State == MEM_COMMIT)
    }

    /// About how many bytes there is memory for.
    #[cfg(test)]
    pub fn committed(&self) -> usize {
        const STEP: usize = 16 * PAGE;
        let places = (0..self.total).step_by(STEP).filter(|offset| self.is_committed(*offset));
        places.map(|offset| STEP.min(self.total - offset)).sum()
    }

    /// Has the system find memory for a part, which must lie in the view, of a section that is [committed
    /// later](Commit::Later).
    pub fn commit(&self, offset: usize, len: usize) -> io::Result<()> {
        let place = self.start.as_ptr().wrapping_add(offset).cast();
        // SAFETY: duty: nothing of ours is taken away: what is committed already stays as it is.
        let done = unsafe { VirtualAlloc(place, len, MEM_COMMIT, PAGE_READWRITE) };
        if done.is_null() { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Maps memory of ours for reading.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] when it is something else.
    pub fn reading(section: BorrowedHandle<'_>) -> io::Result<Self> {
        Self::of_others(section, FILE_MAP_READ)
    }

    /// Maps memory of ours for reading and writing.
    ///
    /// # Errors
    /// As [`reading`](Self::reading), and [`io::ErrorKind::PermissionDenied`] when it is sealed.
    pub fn writing(section: BorrowedHandle<'_>) -> io::Result<Self> {
        let mut view = Self::of_others(section, FILE_MAP_READ | FILE_MAP_WRITE)?;
        view.is_writer = true;
        // PAIR: `seal` looks in the opposite order: one of the two sees the other.
        view.back().writers.fetch_add(1, SeqCst);
        views_mut().insert(view.start.as_ptr().addr(), view.total);
        if view.back().sealed.load(SeqCst) == 1 {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the memory is sealed"));
        }
        Ok(view)
    }

    /// The first byte.
    pub fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// How many bytes the user has.
    pub fn len(&self) -> io::Result<usize> {
        let back = self.back();
        // Read once: others may write.
        let (magic, len) = (back.magic.load(SeqCst), back.len.load(Relaxed));
        if magic != MAGIC || len == 0 || len > (self.total - PAGE) as u64 {
            return Err(not_ours());
        }
        Ok(len as usize)
    }

    /// Whether nobody may write any more.
    pub fn is_sealed(&self) -> bool {
        self.back().sealed.load(SeqCst) == 1
    }

    /// Has all later writers refused, unless there are some. For a view that can be written to, but is not counted.
    pub fn seal(section: BorrowedHandle<'_>) -> io::Result<()> {
        let view = Self::of_others(section, FILE_MAP_READ | FILE_MAP_WRITE)?;
        // PAIR: `writing`.
        view.back().sealed.store(1, SeqCst);
        if view.back().writers.load(SeqCst) > 0 {
            view.back().sealed.store(0, SeqCst);
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        Ok(())
    }

    /// What lies in the last page.
    fn back(&self) -> &Back {
        // SAFETY: duty: in bounds, aligned and shareable: a whole page of the mapping, which is at least two, made of
        // atomics; alive: the borrow. A view for reading is only read by the callers.
        unsafe { self.start.add(self.total - PAGE).cast::<Back>().as_ref() }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        if self.is_writer {
            views_mut().remove(&self.start.as_ptr().addr());
            self.back().writers.fetch_sub(1, SeqCst);
        }
        let address = MEMORY_MAPPED_VIEW_ADDRESS { Value: self.start.as_ptr().cast() };
        // SAFETY: duty: a mapping of ours that nobody uses any more: made by `map`, ended here only.
        unsafe { UnmapViewOfFile(address) };
    }
}

/// Where a word lies that is slept on: the back page of its memory, and its number there. `None` for a word that is not
/// in shared memory.
#[allow(clippy::cast_ptr_alignment)] // a page is aligned enough
pub fn find(word: &AtomicU32) -> Option<(&Back, u32)> {
    let address = std::ptr::from_ref(word).addr();
    let views = VIEWS.read().unwrap_or_else(PoisonError::into_inner);
    let (start, total) = views.range(..=address).next_back()?;
    let offset = address - start;
    if offset >= total - PAGE {
        return None;
    }
    let back = std::ptr::from_ref(word).cast::<u8>().wrapping_add(total - PAGE - offset).cast::<Back>();
    // SAFETY: duty: in bounds, aligned: the last page of the mapping that the word lies in, by the list; alive: whoever
    // lends the word keeps its mapping.
    Some((unsafe { &*back }, (offset / 4) as u32))
}

fn not_ours() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the handle is not memory of ours")
}

fn views_mut() -> std::sync::RwLockWriteGuard<'static, BTreeMap<usize, usize>> {
    // Nothing that panics runs under this lock.
    VIEWS.write().unwrap_or_else(PoisonError::into_inner)
}
