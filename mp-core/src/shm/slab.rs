//! Slabs: memory for what is too large for a ring, kept and used again.
//!
//! ```text
//!  parent  pool.take(len) ─► slab ─► its handle goes to the worker once per (id, length) ─► bytes ─► pool.give_back
//!  worker                            AttachedSlab, kept by id ─► read and written in place
//! ```
//! Its first page says how much of the payload is there ([`Filling`]): arguments are handed over before they are.
//!
//! A fresh page costs a fault of about 2 µs, as much as copying several: a slab that was used before costs none.

#![allow(unsafe_code)] // the worker's view of bytes in place

use super::filling::{Filling, STEP_BYTES};
use super::ring::Corrupt;
use crate::sys::memory::{Access, Mapping, Memory};
use crate::sys::{BorrowedHandle, Handle};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes of slabs that nobody uses and that are kept all the same: a few large arguments for each of a few workers.
pub const KEPT_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Slabs that nobody uses and that are kept all the same: each holds a descriptor.
pub const KEPT_SLABS_MAX: usize = 32;

/// The smallest slab. What is smaller fits into the ring; untouched pages cost nothing.
const SLAB_BYTES_MIN: usize = 1024 * 1024;

/// Where the bytes begin: behind the page that says how many are there.
pub const HEAD_BYTES: usize = 4096;

/// Shared memory of the parent. Its bytes are copied in and out: the worker may write them at any time.
#[derive(Debug)]
pub struct Slab {
    id: u64,
    memory: Memory,
    mapping: Mapping,
}

/// A slab of the parent as the worker sees it.
#[derive(Debug)]
pub struct AttachedSlab {
    mapping: Mapping,
}

/// Slabs that nobody uses.
#[derive(Debug, Default)]
pub struct SlabPool {
    idle: Mutex<Vec<Slab>>,
}

impl Slab {
    /// A fresh slab of at least `len` bytes.
    pub fn create(len: usize) -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let memory = Memory::create_growable("mp-slab", HEAD_BYTES + rounded(len)?)?;
        let mapping = Mapping::map(&memory, Access::ReadWrite)?;
        // PAIR: other callers of this line; each gets its own number.
        Ok(Self { id: NEXT.fetch_add(1, Relaxed), memory, mapping })
    }

    /// The number of this slab, never used again in this process.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Bytes it has. A worker that was sent a shorter one of the same number must be sent it again.
    #[allow(clippy::len_without_is_empty)] // never empty
    pub fn len(&self) -> usize {
        self.mapping.len() - HEAD_BYTES
    }

    /// Arguments are going to be [poured](Self::pour): none are there.
    pub fn start(&self) {
        filling(&self.mapping).start();
    }

    /// Copies arguments to its start, one piece behind the other; whoever reads them may do so meanwhile.
    pub fn pour<'p>(&self, pieces: impl Iterator<Item = &'p [u8]>) -> io::Result<()> {
        self.fill(pieces, filling(&self.mapping), || {})
    }

    /// Copies these pieces to its start, one behind the other, and says how far it has come: to who looks there, and to
    /// `step` each time.
    pub fn fill<'p>(
        &self,
        pieces: impl Iterator<Item = &'p [u8]>,
        filling: &Filling,
        step: impl Fn(),
    ) -> io::Result<()> {
        let mut at = 0;
        for piece in pieces.flat_map(|piece| piece.chunks(STEP_BYTES)) {
            self.write(at, piece)?;
            at += piece.len();
            filling.reached(at);
            step();
        }
        filling.finish();
        Ok(())
    }

    /// The handle, to be sent.
    pub fn handle(&self) -> BorrowedHandle<'_> {
        self.memory.handle()
    }

    /// Makes it at least `len` bytes, with what was in it.
    pub fn grow(&mut self, len: usize) -> io::Result<()> {
        if len > self.len() {
            self.memory.grow(HEAD_BYTES + rounded(len)?)?;
            self.mapping = Mapping::map(&self.memory, Access::ReadWrite)?;
        }
        Ok(())
    }

    /// Gives back what lies behind the first `len` bytes, in all processes that have it mapped: nobody may be reading there.
    pub fn keep_only(&self, len: usize) -> io::Result<()> {
        let from = from_start(len)?;
        let behind = self.mapping.len().saturating_sub(from);
        if behind == 0 { Ok(()) } else { self.memory.discard(from, behind) }
    }

    /// How many bytes of it exist.
    #[cfg(test)]
    pub fn resident(&self) -> io::Result<u64> {
        self.memory.resident()
    }

    /// Copies `bytes` to `offset`.
    pub fn write(&self, offset: usize, bytes: &[u8]) -> io::Result<()> {
        self.mapping.copy_in(from_start(offset)?, bytes)
    }

    /// Appends `len` bytes from `offset` to `bytes`: a snapshot.
    pub fn read(&self, offset: usize, len: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
        self.mapping.copy_out(from_start(offset)?, len, bytes)
    }
}

impl AttachedSlab {
    /// Maps the slab whose handle came from the parent, with the length it has there: to be read only, so that a stray
    /// write of a task cannot change the arguments of a call that may have to run again.
    pub fn attach(handle: Handle, len: usize) -> io::Result<Self> {
        let memory = Memory::from_handle(handle, from_start(len)?)?;
        Ok(Self { mapping: Mapping::map(&memory, Access::Read)? })
    }

    /// Bytes that are mapped.
    #[allow(clippy::len_without_is_empty)] // never empty
    pub fn len(&self) -> usize {
        self.mapping.len() - HEAD_BYTES
    }

    /// How much of the payload is there.
    pub fn filling(&self) -> &Filling {
        filling(&self.mapping)
    }

    /// What the parent has put there, in place. The parent changes nothing that it has said to be there, until the worker has
    /// answered; the caller reads nothing else.
    pub fn bytes(&self, offset: usize, len: usize) -> Result<&[u8], Corrupt> {
        self.check(offset, len)?;
        // SAFETY: duty: in bounds: just checked; unchanging: the parent keeps to the protocol above (a worker trusts its
        // parent), and this process cannot write there.
        Ok(unsafe { self.mapping.slice(HEAD_BYTES + offset, len) })
    }

    fn check(&self, offset: usize, len: usize) -> Result<(), Corrupt> {
        let end = offset.checked_add(len).ok_or(Corrupt)?;
        if end <= self.len() { Ok(()) } else { Err(Corrupt) }
    }
}

impl SlabPool {
    /// No slabs yet.
    pub const fn new() -> Self {
        Self { idle: Mutex::new(Vec::new()) }
    }

    /// A slab of at least `len` bytes: the smallest that is idle and large enough, else the largest idle one, grown,
    /// else a fresh one. What is in it is old.
    pub fn take(&self, len: usize) -> io::Result<Slab> {
        let mut idle = self.lock();
        let fitting = idle.iter().enumerate().filter(|(_, slab)| slab.len() >= len);
        let best = fitting.min_by_key(|(_, slab)| slab.len()).map(|(index, _)| index);
        if let Some(index) = best {
            return Ok(idle.swap_remove(index));
        }
        let largest = idle.iter().enumerate().max_by_key(|(_, slab)| slab.len()).map(|(index, _)| index);
        let grown = largest.map(|index| idle.swap_remove(index));
        drop(idle);
        let Some(mut slab) = grown else { return Slab::create(len) };
        match slab.grow(len) {
            Ok(()) => Ok(slab),
            Err(error) => {
                // Workers have it mapped, and are told of no end of it.
                self.lock().push(slab);
                Err(error)
            }
        }
    }

    /// Keeps a slab for the next who needs one. Returns those that are over the limits, smallest first, or this one if it
    /// is too large by itself: their numbers are never used again, and dropping them takes time in proportion to their
    /// pages.
    pub fn give_back(&self, slab: Slab) -> Vec<Slab> {
        let mut surplus = Vec::new();
        let mut idle = self.lock();
        idle.push(slab);
        while idle.len() > KEPT_SLABS_MAX || idle.iter().map(Slab::len).sum::<usize>() > KEPT_BYTES_MAX {
            let too_large = |slab: &Slab| slab.len() > KEPT_BYTES_MAX;
            let victim = idle.iter().position(too_large).or_else(|| {
                idle.iter().enumerate().min_by_key(|(_, slab)| slab.len()).map(|(index, _)| index)
            });
            surplus.extend(victim.map(|index| idle.swap_remove(index)));
        }
        surplus
    }

    /// How many bytes are kept.
    pub fn kept_bytes(&self) -> usize {
        self.lock().iter().map(Slab::len).sum()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Slab>> {
        // Each change is one push or remove: a panic elsewhere cannot have left it half done.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn filling(mapping: &Mapping) -> &Filling {
    #[allow(clippy::cast_ptr_alignment)] // a page is aligned enough
    let filling = mapping.ptr().cast::<Filling>();
    // SAFETY: duty: in bounds and aligned: a slab begins with a page for it; alive: the borrow of the mapping keeps it; valid
    // and shareable: an atomic, for which all bits are valid, and which is only loaded where the mapping cannot be written.
    unsafe { &*filling }
}

/// An offset among the bytes as one in the memory.
fn from_start(offset: usize) -> io::Result<usize> {
    let too_far = || io::Error::new(io::ErrorKind::InvalidInput, "an offset beyond the address space");
    offset.checked_add(HEAD_BYTES).ok_or_else(too_far)
}

/// Powers of two, so that a slab fits the next one too.
fn rounded(len: usize) -> io::Result<usize> {
    let too_long = || io::Error::new(io::ErrorKind::InvalidInput, "a slab too long for the address space");
    len.max(SLAB_BYTES_MIN).checked_next_power_of_two().ok_or_else(too_long)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slab_given_back_is_taken_again() {
        let pool = SlabPool::new();
        let small = pool.take(10).expect("memory");
        let large = pool.take(3 << 20).expect("memory");
        let (small_id, large_id) = (small.id(), large.id());
        assert_ne!(small_id, large_id);
        pool.give_back(large);
        pool.give_back(small);
        assert_eq!(pool.take(100).expect("memory").id(), small_id, "the smallest that fits");
        let grown = pool.take(5 << 20).expect("memory");
        assert_eq!((grown.id(), grown.len()), (large_id, 8 << 20));
        assert_eq!(pool.kept_bytes(), 0);
        pool.give_back(grown);
        assert!(pool.take(usize::MAX).is_err());
        assert_eq!(pool.take(1).expect("it is still there").id(), large_id);
    }

    #[test]
    fn what_is_kept_is_limited_in_bytes_and_count() {
        let pool = SlabPool::new();
        for _ in 0..2 {
            pool.give_back(Slab::create(KEPT_BYTES_MAX).expect("untouched memory"));
        }
        assert_eq!(pool.kept_bytes(), KEPT_BYTES_MAX);
        pool.give_back(Slab::create(KEPT_BYTES_MAX + 1).expect("untouched memory"));
        assert_eq!(pool.kept_bytes(), KEPT_BYTES_MAX);
        let pool = SlabPool::new();
        let surplus = (0..=KEPT_SLABS_MAX).map(|_| pool.give_back(Slab::create(1).expect("memory")).len());
        assert_eq!(surplus.sum::<usize>(), 1);
        assert_eq!(pool.kept_bytes(), KEPT_SLABS_MAX * SLAB_BYTES_MIN);
    }

    #[test]
    fn both_sides_see_the_bytes_and_growing_keeps_them() {
        let mut slab = Slab::create(1).expect("memory");
        slab.write(7, b"hello").expect("in bounds");
        slab.grow(SLAB_BYTES_MIN + 1).expect("memory");
        let handle = slab.handle().try_clone_to_owned().expect("a copy");
        let attached = AttachedSlab::attach(handle, slab.len()).expect("a slab");
        assert_eq!(attached.bytes(7, 5), Ok(&b"hello"[..]));
        let end = slab.len() - 2;
        slab.write(end, b"ok").expect("in bounds");
        assert_eq!(attached.bytes(end, 2), Ok(&b"ok"[..]));
        let mut answer = Vec::new();
        slab.read(end, 2, &mut answer).expect("in bounds");
        assert_eq!(answer, b"ok");
        for (offset, len) in [(end, 3), (usize::MAX, 1), (1, usize::MAX)] {
            assert_eq!(attached.bytes(offset, len), Err(Corrupt), "{offset} {len}");
            assert!(slab.read(offset, len, &mut answer).is_err());
        }
    }
}
