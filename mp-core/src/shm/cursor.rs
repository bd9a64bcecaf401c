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
//! Who waits for a frame looks at `tail`. A short frame that somebody waits for is therefore echoed beside it: reading it where it
//! lies would be another line to fetch from the other processor. An echo counts for the frame at its place, and there are two looks
//! at the place, one before its words are read and one after:
//!
//! | `place` | goes to | then |
//! |---|---|---|
//! | a frame's place, or 0: none yet | `NOWHERE`, before the words are changed | the words are those of no frame |
//! | `NOWHERE` | the new frame's place + 1, when they are | `tail` is moved past that frame |
//!
//! Each side keeps its own number and its last look at the other's in private memory, so most steps touch no line that
//! the other side writes. What a look finds is checked: the other side may be broken.

use crate::raw::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
    fence,
};
use crate::raw::line::Line;

/// Frames start and end at multiples of this.
pub(super) const ALIGNMENT: u64 = 8;

/// The longest frame that is echoed: words and echo together are no longer than a processor's line. Two words are enough to be torn.
pub(super) const ECHO_BYTES: usize = if cfg!(loom) { 16 } else { 32 };

/// The words of a frame.
pub(super) type EchoWords = [u64; ECHO_BYTES / 8];

/// In place of the place of an echo: its words are being written.
const NOWHERE: u64 = u64::MAX;

/// The shared words of a ring.
#[repr(C)]
#[derive(Debug, Default)]
pub(super) struct RingWords {
    front: Line<Front>,
    head: Line<AtomicU64>,
}

/// What a consumer looks at.
#[repr(C)]
#[derive(Debug, Default)]
struct Front {
    tail: AtomicU64,
    place: AtomicU64,
    echo: [AtomicU64; ECHO_BYTES / 8],
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
    /// At the start of a fresh ring. What the words say is not asked: the other side may be at work already.
    pub(super) fn new(capacity: u64) -> Self {
        Self { tail: 0, head_seen: 0, capacity }
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

    /// Whether the consumer has taken all.
    pub(super) fn is_empty(&mut self, words: &RingWords) -> Result<bool, Corrupt> {
        self.look(words)?;
        Ok(self.head_seen == self.tail)
    }

    /// Echoes the frame at `place`, which is handed over next.
    #[inline]
    pub(super) fn echo(&mut self, words: &RingWords, frame: &EchoWords) {
        let Front { place, echo, .. } = &*words.front;
        place.store(NOWHERE, Relaxed);
        // PAIR: the fence in `ReadCursor::echo`: who has read a word of this frame does not find the old place any more.
        fence(Release);
        for (word, value) in echo.iter().zip(frame) {
            word.store(*value, Relaxed);
        }
        // PAIR: `ReadCursor::echo` acquires it before it reads the words.
        place.store(self.tail + 1, Release);
    }

    /// Hands `bytes` more over to the consumer.
    #[inline]
    pub(super) fn publish(&mut self, words: &RingWords, bytes: u64) {
        self.tail += bytes;
        // PAIR: `ReadCursor::look` acquires it before it reads the bytes.
        words.front.tail.store(self.tail, Release);
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
    /// At the start of a fresh ring.
    pub(super) fn new(capacity: u64) -> Self {
        Self { head: 0, tail_seen: 0, capacity }
    }

    /// How far it has read.
    #[inline]
    pub(super) fn head(&self) -> u64 {
        self.head
    }

    /// The words of the frame that is next, if it was echoed.
    #[inline]
    pub(super) fn echo(&self, words: &RingWords) -> Option<EchoWords> {
        let Front { place, echo, .. } = &*words.front;
        // PAIR: `WriteCursor::echo` releases it behind the words.
        if place.load(Acquire) != self.head + 1 {
            return None;
        }
        let frame = std::array::from_fn(|at| echo[at].load(Relaxed));
        // PAIR: the fence in `WriteCursor::echo`.
        fence(Acquire);
        (place.load(Relaxed) == self.head + 1).then_some(frame)
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
        let tail = words.front.tail.load(Acquire);
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
        self.tail_seen != self.head || words.front.tail.load(Acquire) != self.head
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
        self.front.tail.store(tail, Release);
    }

    /// What a broken producer might do, too.
    pub(super) fn scribble_echo(&self, place: u64, words: EchoWords) {
        for (word, value) in self.front.echo.iter().zip(words) {
            word.store(value, Release);
        }
        self.front.place.store(place, Release);
    }

    /// What a broken consumer might do.
    pub(super) fn scribble_head(&self, head: u64) {
        self.head.store(head, Release);
    }
}

#[cfg(test)]
#[path = "cursor_tests.rs"]
mod tests;
