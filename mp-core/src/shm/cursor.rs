//! The two numbers of a ring: how far it is written and how far it is read.
//!
//! ```text
//!   head ───────────► tail              both only grow; a byte's place is its number modulo the capacity
//!    │ used bytes      │ free bytes
//!  consumer writes    producer writes
//! ```
//!
//! | word | written by | Release says | Acquire learns |
//! |---|---|---|---|
//! | `tail` | producer | the bytes before it are written | the consumer may read them |
//! | `head` | consumer | the bytes before it are not needed any more | the producer may overwrite them |
//!
//! Each side keeps its own number and its last look at the other's in private memory, so most steps touch no line that
//! the other side writes. What a look finds is checked: the other side may be broken.

use super::layout::Line;
use crate::raw::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

/// Frames start and end at multiples of this.
pub(super) const ALIGNMENT: u64 = 8;

/// The shared words of a ring.
#[repr(C)]
#[derive(Debug, Default)]
pub(super) struct RingWords {
    tail: Line<AtomicU64>,
    head: Line<AtomicU64>,
}

/// The other side has written something that cannot be: nothing it writes is worth reading any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Corrupt;

/// The producer's private view.
#[derive(Debug)]
pub(super) struct WriteCursor {
    tail: u64,
    head_seen: u64,
    capacity: u64,
}

/// The consumer's private view.
#[derive(Debug)]
pub(super) struct ReadCursor {
    head: u64,
    tail_seen: u64,
    capacity: u64,
}

impl WriteCursor {
    /// Goes on where the words say the ring was left.
    pub(super) fn new(words: &RingWords, capacity: u64) -> Self {
        let head_seen = words.head.load(Acquire);
        Self { tail: words.tail.load(Relaxed), head_seen, capacity }
    }

    /// How far it has written.
    #[inline]
    pub(super) fn tail(&self) -> u64 {
        self.tail
    }

    /// Whether `wanted` bytes can be written; looks at the consumer's number only if the last look is not enough.
    #[inline]
    pub(super) fn has_room(&mut self, words: &RingWords, wanted: u64) -> Result<bool, Corrupt> {
        if self.free_at_last_look() < wanted {
            self.look(words)?;
        }
        Ok(self.free_at_last_look() >= wanted)
    }

    /// How many bytes can be written now.
    pub(super) fn free(&mut self, words: &RingWords) -> Result<u64, Corrupt> {
        self.look(words)?;
        Ok(self.free_at_last_look())
    }

    /// Hands `bytes` more over to the consumer.
    #[inline]
    pub(super) fn publish(&mut self, words: &RingWords, bytes: u64) {
        self.tail += bytes;
        // PAIR: `ReadCursor::look` acquires it before it reads the bytes.
        words.tail.store(self.tail, Release);
    }

    /// A reader of what a dead consumer has left. What it may have written over the shared `tail` is put right first.
    pub(super) fn read_back(&mut self, words: &RingWords) -> Result<ReadCursor, Corrupt> {
        self.look(words)?;
        // PAIR: `ReadCursor::look`, in this process.
        words.tail.store(self.tail, Release);
        Ok(ReadCursor { head: self.head_seen, tail_seen: self.head_seen, capacity: self.capacity })
    }

    fn look(&mut self, words: &RingWords) -> Result<(), Corrupt> {
        // PAIR: `ReadCursor::advance` releases it when it is through with the bytes.
        let head = words.head.load(Acquire);
        // It moves forward only, and not past us.
        if head < self.head_seen || head > self.tail || !head.is_multiple_of(ALIGNMENT) {
            return Err(Corrupt);
        }
        self.head_seen = head;
        Ok(())
    }

    #[inline]
    fn free_at_last_look(&self) -> u64 {
        self.capacity.saturating_sub(self.tail.saturating_sub(self.head_seen))
    }
}

impl ReadCursor {
    /// Goes on where the words say the ring was left.
    pub(super) fn new(words: &RingWords, capacity: u64) -> Self {
        let head = words.head.load(Relaxed);
        Self { head, tail_seen: head, capacity }
    }

    /// How far it has read.
    #[inline]
    pub(super) fn head(&self) -> u64 {
        self.head
    }

    /// How many bytes can be read: zero only if there was nothing at the very last look.
    #[inline]
    pub(super) fn available(&mut self, words: &RingWords) -> Result<u64, Corrupt> {
        if self.tail_seen == self.head { self.look(words) } else { Ok(self.tail_seen - self.head) }
    }

    /// Whether the last look has found more than was read.
    #[inline]
    pub(super) fn is_behind(&self) -> bool {
        self.tail_seen != self.head
    }

    /// How many bytes can be read now.
    pub(super) fn look(&mut self, words: &RingWords) -> Result<u64, Corrupt> {
        // PAIR: `WriteCursor::publish` releases it behind the bytes.
        let tail = words.tail.load(Acquire);
        // It moves forward only, and not past the ring's end.
        let used = tail.checked_sub(self.head).ok_or(Corrupt)?;
        if tail < self.tail_seen || used > self.capacity || !tail.is_multiple_of(ALIGNMENT) {
            return Err(Corrupt);
        }
        self.tail_seen = tail;
        Ok(used)
    }

    /// Whether a look would find something new, or something corrupt.
    #[inline]
    pub(super) fn is_ready(&self, words: &RingWords) -> bool {
        // PAIR: as in `look`, which follows before anything is read.
        self.tail_seen != self.head || words.tail.load(Acquire) != self.head
    }

    /// Gives `bytes` more back to the producer. They are at most what was [`available`](Self::available).
    #[inline]
    pub(super) fn advance(&mut self, words: &RingWords, bytes: u64) {
        debug_assert!(bytes <= self.tail_seen - self.head);
        self.head += bytes;
        // PAIR: `WriteCursor::look` acquires it before it overwrites the bytes.
        words.head.store(self.head, Release);
    }
}

#[cfg(all(test, not(loom)))]
impl RingWords {
    /// What a broken producer might do.
    pub(super) fn scribble_tail(&self, tail: u64) {
        self.tail.store(tail, Release);
    }

    /// What a broken consumer might do.
    pub(super) fn scribble_head(&self, head: u64) {
        self.head.store(head, Release);
    }
}

#[cfg(test)]
#[path = "cursor_tests.rs"]
mod tests;
