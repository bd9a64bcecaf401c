//! Where a ring lies, and copies from and to there.

#![allow(unsafe_code)] // raw copies from and to memory that another process maps

use super::cursor::RingWords;
use super::region::{Ring, Shared};

/// Where a ring lies.
#[derive(Clone, Debug)]
pub(super) struct Place {
    shared: Shared,
    ring: Ring,
    offset: usize,
    pub(super) capacity: usize,
}

impl Place {
    pub(super) fn new(shared: Shared, ring: Ring, offset: usize, capacity: usize) -> Self {
        assert!(capacity.is_power_of_two() && offset + capacity <= shared.mapping().len());
        Self { shared, ring, offset, capacity }
    }

    #[inline]
    pub(super) fn words(&self) -> &RingWords {
        self.shared.words(self.ring)
    }

    #[inline]
    pub(super) fn position(&self, number: u64) -> usize {
        // The capacity is a power of two, and a division is slow.
        (number & (self.capacity as u64 - 1)) as usize
    }

    /// The address of `start`, from which `len` bytes are in the ring.
    #[inline]
    pub(super) fn range(&self, start: usize, len: usize) -> *mut u8 {
        assert!(start <= self.capacity && len <= self.capacity - start, "a range out of the ring");
        // SAFETY: duty: within the mapping: `start` is at most the capacity, which `new` has checked.
        unsafe { self.shared.mapping().ptr().add(self.offset + start) }
    }

    #[inline]
    pub(super) fn write(&self, start: usize, bytes: &[u8]) {
        let target = self.range(start, bytes.len());
        // SAFETY: duty: valid and apart: the target is in bounds (`range`) of a writable mapping, kept alive by `self`;
        // `bytes` is no part of it: nobody holds a slice of room that is not published but a slot, which is borrowed.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), target, bytes.len()) };
    }

    /// Eight bytes at once: what starts at a multiple of eight cannot be torn.
    #[inline]
    pub(super) fn write_word(&self, start: usize, word: u64) {
        let target = self.word(start);
        // SAFETY: duty: valid for writing: in bounds and aligned (`word`), alive by `self`.
        unsafe { target.write_volatile(word.to_le()) };
    }

    /// Eight bytes, read once even if another process writes there.
    #[inline]
    pub(super) fn read_word(&self, start: usize) -> u64 {
        let source = self.word(start);
        // SAFETY: duty: valid for reading: in bounds and aligned (`word`), alive by `self`; all bits are valid.
        u64::from_le(unsafe { source.read_volatile() })
    }

    #[inline]
    fn word(&self, start: usize) -> *mut u64 {
        assert!(start.is_multiple_of(8), "words of a ring are aligned");
        #[allow(clippy::cast_ptr_alignment)] // rings start at a page
        self.range(start, 8).cast::<u64>()
    }

    #[inline]
    pub(super) fn append_to(&self, start: usize, len: usize, bytes: &mut Vec<u8>) {
        let source = self.range(start, len);
        bytes.reserve(len);
        // SAFETY: duty: valid and apart: the source is in bounds (`range`) and alive by `self`, the target is spare room
        // of a vector of ours. Duty of `set_len`: the bytes are written, by the copy.
        unsafe {
            std::ptr::copy_nonoverlapping(source, bytes.as_mut_ptr().add(bytes.len()), len);
            bytes.set_len(bytes.len() + len);
        }
    }
}
