//! The bytes of a queue: places that only grow, on memory that is used again.
//!
//! ```text
//!  place ─► number of its segment ─► table ─► piece of memory
//!
//!   0 ┌──────────┐
//!     │ header   │  the queue's words
//!     │ table    │  which piece a segment lies in: twice as many entries as there may be segments in use
//!     │ pieces   │  of SEGMENT_BYTES, or one half of a ring that is smaller than two of them
//!     └──────────┘
//! ```
//! A segment gets the first piece that no segment between head and tail has: a queue that is never deep lives in a few pieces
//! that stay in the processor's cache, however long its ring may grow. Who gets a lock finds out from head, tail and table
//! which pieces are in use: there is nothing that a killed process could leave half done.

#![allow(unsafe_code)] // words in a mapping

use crate::raw::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use crate::sys::BorrowedHandle;
use crate::sys::memory::{Access, Mapping, Memory};
use std::io;

/// What places and lengths are counted in: the size of a frame's head.
pub(super) const UNIT: usize = 16;

/// What is given back to the system at once, and a small part of a processor's cache.
const SEGMENT_BYTES: usize = 64 << 10;

/// Pieces from here on are given back when they are free: 2 MiB stay.
const PIECES_KEPT: usize = 32;

/// The largest ring has so many pieces.
const PIECES_MAX: usize = crate::limits::QUEUE_BYTES_MAX as usize / SEGMENT_BYTES + 1;

/// The memory of a queue as one process sees it. A place is a number of units; it wraps around.
pub(super) struct Segments {
    memory: Memory,
    mapping: Mapping,
    /// Where the table begins.
    table: usize,
    /// Where the pieces begin.
    first: usize,
    segment: usize,
    pieces: usize,
}

impl Segments {
    /// Fresh memory for a ring, and for a header before it.
    pub(super) fn create(header: usize, ring: usize) -> io::Result<Self> {
        let made = Self::map(Memory::create_sparse("mp-queue", Self::bytes(header, ring))?, header, ring)?;
        made.mapping.commit(0, made.first)?;
        Ok(made)
    }

    /// What [`create`](Self::create) made in another process of the family.
    pub(super) fn attach(handle: crate::sys::Handle, header: usize, ring: usize) -> io::Result<Self> {
        if !ring.is_power_of_two() || !(4 * UNIT..=crate::limits::QUEUE_BYTES_MAX as usize).contains(&ring) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Self::map(Memory::from_handle(handle, Self::bytes(header, ring))?, header, ring)
    }

    fn map(memory: Memory, header: usize, ring: usize) -> io::Result<Self> {
        let (segment, pieces) = Self::divide(ring);
        let mapping = Mapping::map(&memory, Access::ReadWrite)?;
        let first = header + Self::table_bytes(pieces);
        Ok(Self { memory, mapping, table: header, first, segment, pieces })
    }

    /// How long a segment is and how many pieces there are: one more than the ring is long, as it may begin in the middle of
    /// one.
    fn divide(ring: usize) -> (usize, usize) {
        let segment = SEGMENT_BYTES.min(ring / 2);
        (segment, ring / segment + 1)
    }

    /// The table has a power of two of entries, so that it goes on where the count of units wraps around.
    fn table_bytes(pieces: usize) -> usize {
        (2 * (pieces - 1) * size_of::<AtomicU32>()).next_multiple_of(4096)
    }

    fn bytes(header: usize, ring: usize) -> usize {
        let (segment, pieces) = Self::divide(ring);
        header + Self::table_bytes(pieces) + pieces * segment
    }

    pub(super) fn handle(&self) -> BorrowedHandle<'_> {
        self.memory.handle()
    }

    /// How many bytes it takes.
    #[cfg(test)]
    pub(super) fn resident(&self) -> io::Result<u64> {
        self.memory.resident()
    }

    /// The first byte of the header.
    #[inline]
    pub(super) fn header(&self) -> *mut u8 {
        self.mapping.ptr()
    }

    /// Whether a segment begins between `tail` and `end`.
    #[inline]
    pub(super) fn is_fresh(&self, tail: u32, end: u32) -> bool {
        self.round_up(tail) != self.round_up(end)
    }

    /// For the producer that has the lock: finds memory for the segments that begin between `tail` and `end`. What lies between
    /// `head` and `tail` is in use.
    ///
    /// # Errors
    /// When the system has none.
    #[cold]
    pub(super) fn open(&self, head: u32, tail: u32, end: u32) -> io::Result<()> {
        let fresh = self.round_up(tail);
        let mut used = self.used(head, fresh);
        let mut place = fresh;
        while place != self.round_up(end) {
            let piece = used.add_first();
            self.mapping.commit(self.first + piece * self.segment, self.segment)?;
            // PAIR: `Ends::put` releases it, with the bytes that will lie there.
            self.entry(place).store(piece as u32, Relaxed);
            place = place.wrapping_add(self.units());
        }
        Ok(())
    }

    /// Whether a consumer that has moved the head has left memory behind that is worth to be [given
    /// back](Self::give_back).
    #[inline]
    pub(super) fn has_left(&self, from: u32, to: u32) -> bool {
        from / self.units() != to / self.units()
            && self.pieces > PIECES_KEPT
            && self.left(from, to).next().is_some()
    }

    /// Under the producers' lock: gives back what was left between `from` and `to`, unless it is in use again between `head`
    /// and `tail`.
    pub(super) fn give_back(&self, (from, to): (u32, u32), (head, tail): (u32, u32)) {
        let used = self.used(head, self.round_up(tail));
        for piece in self.left(from, to).filter(|piece| !used.has(*piece)) {
            // Pages that stay cost memory, nothing else.
            let _ = self.memory.discard(self.first + piece * self.segment, self.segment);
        }
    }

    /// The pieces beyond those that stay, of the segments that end between two places.
    fn left(&self, from: u32, to: u32) -> impl Iterator<Item = usize> {
        let count = to.wrapping_sub(self.round_down(from)) / self.units();
        let places = (0..count).map(move |number| from.wrapping_add(number * self.units()));
        places.map(|place| self.piece(place)).filter(|piece| *piece >= PIECES_KEPT)
    }

    /// The pieces of the segments from that of `head` up to `end`, where one begins.
    fn used(&self, head: u32, end: u32) -> Pieces {
        let mut used = Pieces([0; PIECES_MAX.div_ceil(64)]);
        let mut place = self.round_down(head);
        while place != end {
            used.add(self.piece(place));
            place = place.wrapping_add(self.units());
        }
        used
    }

    /// Writes a frame.
    #[inline]
    pub(super) fn write(&self, place: u32, head: [u64; 2], bytes: &[u8]) {
        let words = self.words(place, 0);
        for (word, value) in words.iter().zip(head) {
            word.store(value, Relaxed);
        }
        let (mut at, mut left) = (UNIT, bytes);
        while !left.is_empty() {
            let words = self.words(place, at);
            let (now, later) = left.split_at(left.len().min(size_of_val(words)));
            let (whole, rest) = now.as_chunks();
            for (word, value) in words.iter().zip(whole) {
                word.store(u64::from_ne_bytes(*value), Relaxed);
            }
            if let Some(word) = words.get(whole.len()).filter(|_| !rest.is_empty()) {
                word.store(last_word(rest), Relaxed);
            }
            (at, left) = (at + now.len(), later);
        }
    }

    /// Reads the head of a frame.
    #[inline]
    pub(super) fn read_head(&self, place: u32) -> [u64; 2] {
        let words = self.words(place, 0);
        std::array::from_fn(|at| words[at].load(Relaxed))
    }

    /// Appends the `len` bytes of a frame to `bytes`.
    #[inline]
    pub(super) fn read(&self, place: u32, len: usize, bytes: &mut Vec<u8>) {
        bytes.reserve(len.next_multiple_of(8));
        let end = bytes.len() + len;
        let mut at = UNIT;
        while bytes.len() < end {
            let words = self.words(place, at);
            let left = end - bytes.len();
            let count = left.div_ceil(8).min(words.len());
            // SAFETY: duty: in bounds: so many whole words, of which there are at least as many bytes as were reserved;
            // duty of `set_len`: they are written, by the loop.
            unsafe {
                let to = bytes.as_mut_ptr().add(bytes.len()).cast::<[u8; 8]>();
                for (index, word) in words[..count].iter().enumerate() {
                    to.add(index).write(word.load(Relaxed).to_ne_bytes());
                }
                bytes.set_len(bytes.len() + left.min(count * 8));
            }
            at += count * 8;
        }
    }

    /// The words from a place on, to the end of its segment.
    #[inline]
    fn words(&self, place: u32, bytes_behind: usize) -> &[AtomicU64] {
        let place = place.wrapping_add((bytes_behind / UNIT) as u32);
        let within = (place % self.units()) as usize * UNIT;
        let offset = self.first + self.piece(place) * self.segment + within;
        // SAFETY: duty: in bounds and aligned: a piece is one of those that `bytes` counts, at a whole page and `within` at a
        // whole unit; alive: the borrow of `self` keeps the mapping; valid and shareable: atomics, for which all bits
        // are valid.
        unsafe {
            let first = self.mapping.ptr().add(offset);
            std::slice::from_raw_parts(first.cast(), (self.segment - within) / size_of::<u64>())
        }
    }

    /// Which piece a place lies in. What came from another process is cut down to one that there is.
    #[inline]
    fn piece(&self, place: u32) -> usize {
        // PAIR: `Ends::put` released it before the tail was seen behind this place.
        (self.entry(place).load(Relaxed) as usize).min(self.pieces - 1)
    }

    #[inline]
    #[allow(clippy::cast_ptr_alignment)] // a page is aligned enough
    fn entry(&self, place: u32) -> &AtomicU32 {
        let number = (place / self.units()) as usize & (2 * (self.pieces - 1) - 1);
        // SAFETY: duty: in bounds and aligned: the table begins at a whole page and has so many entries: `table_bytes`; alive,
        // valid and shareable: as in `words`.
        unsafe { &*self.mapping.ptr().add(self.table).cast::<AtomicU32>().add(number) }
    }

    /// Units of a segment: a power of two.
    #[inline]
    fn units(&self) -> u32 {
        (self.segment / UNIT) as u32
    }

    #[inline]
    fn round_up(&self, place: u32) -> u32 {
        self.round_down(place.wrapping_add(self.units() - 1))
    }

    #[inline]
    fn round_down(&self, place: u32) -> u32 {
        place & !(self.units() - 1)
    }
}

/// Fewer bytes than a word has, as a word. Not by way of memory: who reads as a whole what it has just written in parts
/// waits until all that it wrote before has come to the cache, and here that lies with the consumers.
#[inline]
fn last_word(rest: &[u8]) -> u64 {
    let value = rest.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte));
    u64::from_ne_bytes(value.to_le_bytes())
}

/// A set of pieces.
struct Pieces([u64; PIECES_MAX.div_ceil(64)]);

impl Pieces {
    fn add(&mut self, piece: usize) {
        self.0[piece / 64] |= 1 << (piece % 64);
    }

    fn has(&self, piece: usize) -> bool {
        self.0[piece / 64] & (1 << (piece % 64)) != 0
    }

    /// Adds the first one that was not in it. There is always one: see [`Segments::divide`].
    fn add_first(&mut self) -> usize {
        let word = self.0.iter().position(|word| *word != u64::MAX).unwrap_or_default();
        let piece = word * 64 + self.0[word].trailing_ones() as usize % 64;
        self.add(piece);
        piece
    }
}

#[cfg(all(test, not(loom)))]
#[path = "segments_tests.rs"]
mod tests;
