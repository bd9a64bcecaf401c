//! Frames in a ring of bytes.
//!
//! ```text
//!  producer  reserve ─► write the payload in place ─► commit    (one store hands it over)
//!  consumer  peek ─► look at the frame, or copy it ─► advance   (one store gives the room back)
//!
//!  frame   │ 2·len u32 │ kind u8 │ flags u8 │ count u16 │ seq u64 │ payload │ pad to 8 │
//!  short   │ 2·len+1 u8 │ payload │ pad to 8 │               what it says about itself goes without saying
//!  wrap    │ u32::MAX │ unused to the end of the ring │ the next frame is at the start
//! ```
//! A frame lies in one piece. The producer hands a wrap over together with the frame behind it.
//!
//! Who reads believes nothing: a length is checked against what was published, against the end of the ring and against
//! [`MAX_INLINE`] before a byte is touched, each number is read once, and no input makes a step longer than one frame.

#![allow(unsafe_code)] // slices of memory that another process maps

use super::cursor::{ALIGNMENT, ReadCursor, WriteCursor};
use super::layout::MAX_INLINE;
use super::place::Place;
use crate::wire::varint::{Short, word_of};
use std::io;
use std::marker::PhantomData;

pub use super::cursor::Corrupt;

/// Bytes of a frame's head.
pub const HEAD_BYTES: usize = 16;

/// The longest payload of a short frame.
pub const SHORT_BYTES_MAX: usize = 55;

/// In place of a length: the next frame is at the start of the ring.
const WRAP: u32 = u32::MAX;

/// The other side may write anything at any moment: bytes are copied before they are looked at.
#[derive(Debug)]
pub struct Hostile(());

/// The other side keeps to the protocol: bytes are looked at in place.
#[derive(Debug)]
pub struct Trusted(());

/// What a frame says about itself, besides how long it is. That of a short frame is all zeros.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FrameHead {
    /// What it is.
    pub kind: u8,
    /// What is special about it.
    pub flags: u8,
    /// How many calls or results are in it.
    pub count: u16,
    /// The number of the first of them.
    pub seq: u64,
}

/// Why a frame could not be pushed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PushError {
    /// Not now: the consumer has to take some first.
    Full,
    /// Never: the payload is longer than [`MAX_INLINE`].
    TooLong,
    /// Never: the consumer's number makes no sense.
    Corrupt,
}

/// The end that frames go in at. `P` says how far the consumer is trusted.
#[derive(Debug)]
pub struct Producer<P> {
    place: Place,
    cursor: WriteCursor,
    consumer: PhantomData<P>,
}

/// Room for a frame that nobody else sees until it is committed. Dropped, it never was.
#[derive(Debug)]
pub struct Slot<'a, P> {
    producer: &'a mut Producer<P>,
    /// Bytes to leave unused at the end of the ring.
    skipped: usize,
    /// Where the head goes.
    start: usize,
    room: usize,
    written: usize,
}

/// The end that frames come out at. `P` says how far the producer is trusted.
#[derive(Debug)]
pub struct Consumer<P> {
    place: Place,
    cursor: ReadCursor,
    /// Bytes up to the end of the frame that was peeked at.
    peeked: u64,
    producer: PhantomData<P>,
}

/// A frame still in the ring.
#[derive(Debug)]
pub struct Frame<'a, P> {
    /// What it says about itself.
    pub head: FrameHead,
    place: &'a Place,
    start: usize,
    len: usize,
    producer: PhantomData<P>,
}

impl<P> Producer<P> {
    pub(super) fn new(place: Place) -> Self {
        let cursor = WriteCursor::new(place.words(), place.capacity as u64);
        Self { place, cursor, consumer: PhantomData }
    }

    /// Pushes a frame whose payload is `parts` one after the other.
    #[inline]
    pub fn try_push(&mut self, head: FrameHead, parts: &[&[u8]]) -> Result<(), PushError> {
        let len = parts.iter().fold(0_usize, |sum, part| sum.saturating_add(part.len()));
        let mut slot = self.reserve(len)?;
        for part in parts {
            slot.append(part);
        }
        slot.finish(head);
        Ok(())
    }

    /// Pushes a short frame, whose head is all zeros.
    #[inline]
    pub fn try_push_short(&mut self, payload: &[u8]) -> Result<(), PushError> {
        if payload.len() > SHORT_BYTES_MAX {
            return Err(PushError::TooLong);
        }
        let bytes = short_bytes(payload.len());
        let (start, skipped) = self.find(bytes)?;
        let (front, rest) = payload.split_at(payload.len().min(7));
        self.place.write_word(start, word_of(front) << 8 | (2 * payload.len() as u64 + 1));
        if !rest.is_empty() {
            self.place.write(start + 8, rest);
        }
        self.hand_over(skipped, bytes);
        Ok(())
    }

    /// Pushes a frame that is a single word, whose head is all zeros.
    #[inline]
    pub fn try_push_word(&mut self, payload: Short) -> Result<(), PushError> {
        let (start, skipped) = self.find(size_of::<u64>())?;
        self.place.write_word(start, payload.word << 8 | (2 * payload.len as u64 + 1));
        self.hand_over(skipped, size_of::<u64>());
        Ok(())
    }

    /// Room for a payload of up to `max_len` bytes.
    #[inline]
    pub fn reserve(&mut self, max_len: usize) -> Result<Slot<'_, P>, PushError> {
        if max_len > MAX_INLINE || frame_bytes(max_len) > self.place.capacity / 2 {
            return Err(PushError::TooLong);
        }
        let (start, skipped) = self.find(frame_bytes(max_len))?;
        Ok(Slot { producer: self, skipped, start, room: max_len, written: 0 })
    }

    /// Where a frame of `bytes` can lie in one piece, and how much is left unused before it.
    #[inline]
    fn find(&mut self, bytes: usize) -> Result<(usize, usize), PushError> {
        let position = self.place.position(self.cursor.tail());
        let to_end = self.place.capacity - position;
        let skipped = if to_end < bytes { to_end } else { 0 };
        match self.cursor.has_room(self.place.words(), (skipped + bytes) as u64) {
            Ok(true) => Ok((if skipped > 0 { 0 } else { position }, skipped)),
            Ok(false) => Err(PushError::Full),
            Err(Corrupt) => Err(PushError::Corrupt),
        }
    }

    /// Hands over a frame of `bytes` that was written behind what is left unused.
    #[inline]
    fn hand_over(&mut self, skipped: usize, bytes: usize) {
        if skipped > 0 {
            self.place.write_word(self.place.capacity - skipped, u64::from(WRAP));
        }
        self.cursor.publish(self.place.words(), (skipped + bytes) as u64);
    }

    /// Whether a payload of `len` bytes could be pushed now, or never. What a wait for room waits for.
    #[inline]
    pub fn is_ready(&mut self, len: usize) -> bool {
        !matches!(self.reserve(len), Err(PushError::Full))
    }

    /// How many bytes are free, frame heads included. A wrap may leave some of them unused.
    pub fn free(&mut self) -> Result<usize, Corrupt> {
        Ok(self.cursor.free(self.place.words())? as usize)
    }

    /// A reader of what the consumer has not taken, for when it is dead: requests that were not started can be read
    /// back. Believes nothing, as the dead could write there.
    ///
    /// # Errors
    /// When the consumer's number makes no sense.
    pub fn read_back(&mut self) -> Result<Consumer<Hostile>, Corrupt> {
        let cursor = self.cursor.read_back(self.place.words())?;
        Ok(Consumer { place: self.place.clone(), cursor, peeked: 0, producer: PhantomData })
    }
}

impl<P> Slot<'_, P> {
    /// Appends to the payload; false if there is no room for all of `bytes`, and then nothing was written.
    #[inline]
    pub fn append(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() > self.room - self.written {
            return false;
        }
        self.producer.place.write(self.start + HEAD_BYTES + self.written, bytes);
        self.written += bytes.len();
        true
    }

    /// How many bytes were appended.
    pub fn written(&self) -> usize {
        self.written
    }

    /// Hands the frame over with the payload that was appended.
    #[inline]
    pub fn finish(self, head: FrameHead) {
        let len = self.written;
        self.commit(head, len);
    }

    /// Hands the frame over with the first `len` bytes of the room as its payload.
    #[inline]
    pub fn commit(self, head: FrameHead, len: usize) {
        debug_assert!(len <= self.room, "a payload longer than the room for it");
        let len = len.min(self.room);
        let [first, second] = encode(head, len);
        self.producer.place.write_word(self.start, first);
        self.producer.place.write_word(self.start + 8, second);
        self.producer.hand_over(self.skipped, frame_bytes(len));
    }
}

impl Slot<'_, Trusted> {
    /// The room, to encode into in place and then [`commit`](Self::commit). It holds old bytes.
    pub fn bytes(&mut self) -> &mut [u8] {
        let start = self.producer.place.range(self.start + HEAD_BYTES, self.room);
        // SAFETY: duty: in bounds: checked by `range`; alive: the slot borrows the producer, which keeps the mapping;
        // initialised: the kernel zeroes pages; nobody else reads or writes there: the bytes are not published, there is
        // one producer (`Region::into_worker` uses the region up), and the trusted consumer keeps to what is published.
        unsafe { std::slice::from_raw_parts_mut(start, self.room) }
    }
}

/// Nothing is lost when it says that it wrote less: encoders see [`io::ErrorKind::WriteZero`].
impl<P> io::Write for Slot<'_, P> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.room - self.written);
        self.append(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<P> Consumer<P> {
    pub(super) fn new(place: Place) -> Self {
        let cursor = ReadCursor::new(place.words(), place.capacity as u64);
        Self { place, cursor, peeked: 0, producer: PhantomData }
    }

    /// The next frame, if there is one. It stays in the ring until [`advance`](Self::advance).
    #[inline]
    pub fn peek(&mut self) -> Result<Option<Frame<'_, P>>, Corrupt> {
        self.peeked = 0;
        let mut available = self.cursor.available(self.place.words())?;
        if available == 0 {
            return Ok(None);
        }
        let mut start = self.place.position(self.cursor.head());
        let mut skipped = 0;
        // Each word is read once: what is checked is what is used, whatever the other side writes meanwhile.
        let mut first = self.place.read_word(start);
        if first as u32 == WRAP {
            skipped = (self.place.capacity - start) as u64;
            if start == 0 || skipped >= available {
                return Err(Corrupt);
            }
            available -= skipped;
            start = 0;
            first = self.place.read_word(start);
        }
        let available = (available as usize).min(self.place.capacity - start);
        let (head, payload, bytes) = match short_len(first) {
            Some(len) => (FrameHead::default(), 1..1 + len, short_bytes(len)),
            None if available < HEAD_BYTES => return Err(Corrupt),
            None => {
                let (head, len) = decode([first, self.place.read_word(start + 8)]);
                (head, HEAD_BYTES..HEAD_BYTES + len, frame_bytes(len))
            }
        };
        if payload.len() > MAX_INLINE || bytes > available {
            return Err(Corrupt);
        }
        self.peeked = skipped + bytes as u64;
        let (start, len) = (start + payload.start, payload.len());
        Ok(Some(Frame { head, place: &self.place, start, len, producer: PhantomData }))
    }

    /// Gives the room of the frame that was peeked at back to the producer.
    #[inline]
    pub fn advance(&mut self) {
        let bytes = std::mem::take(&mut self.peeked);
        self.cursor.advance(self.place.words(), bytes);
    }

    /// Appends what waits in one piece, at most `max` bytes, to `bytes`: frames for [`split_frame`], the last of them
    /// perhaps cut off. They stay in the ring until [`advance_over`](Self::advance_over).
    #[inline]
    pub fn copy_piece(&mut self, max: usize, bytes: &mut Vec<u8>) -> Result<(), Corrupt> {
        let waiting = self.cursor.look(self.place.words())? as usize;
        let start = self.place.position(self.cursor.head());
        self.place.append_to(start, waiting.min(max).min(self.place.capacity - start), bytes);
        Ok(())
    }

    /// Gives back the room of frames that were copied: `count` bytes of those that the last look has found.
    #[inline]
    pub fn advance_over(&mut self, count: usize) {
        self.cursor.advance(self.place.words(), count as u64);
    }

    /// Whether [`peek`](Self::peek) would find something, were it corruption. What a wait for frames waits for.
    #[inline]
    pub fn is_ready(&self) -> bool {
        self.cursor.is_ready(self.place.words())
    }

    /// Whether more was there than has been taken when this last looked.
    #[inline]
    pub fn is_behind(&self) -> bool {
        self.cursor.is_behind()
    }

    /// How many bytes are waiting, frame heads and wraps included.
    pub fn used(&mut self) -> Result<usize, Corrupt> {
        Ok(self.cursor.look(self.place.words())? as usize)
    }
}

impl<P> Frame<'_, P> {
    /// Bytes of the payload.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no payload.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends the payload to `bytes`.
    #[inline]
    pub fn copy_to(&self, bytes: &mut Vec<u8>) {
        self.place.append_to(self.start, self.len, bytes);
    }
}

impl<'a> Frame<'a, Trusted> {
    /// The payload in place.
    #[inline]
    pub fn payload(&self) -> &'a [u8] {
        let start = self.place.range(self.start, self.len);
        // SAFETY: duty: in bounds: checked by `range`; alive: `'a` borrows the consumer, which keeps the mapping;
        // initialised: the kernel zeroes pages; unchanging: `'a` also keeps the consumer from advancing, and the trusted
        // producer writes nothing between head and tail.
        unsafe { std::slice::from_raw_parts(start, self.len) }
    }
}

/// The first of some frames that were copied out of a ring, its payload and what is behind it; `None` if no whole frame is
/// there.
#[inline]
pub fn split_frame(bytes: &[u8]) -> Option<(FrameHead, &[u8], &[u8])> {
    let word = |bytes: &[u8]| bytes.first_chunk().copied().map(u64::from_le_bytes);
    let first = word(bytes)?;
    if first as u32 == WRAP {
        return None;
    }
    if let Some(len) = short_len(first) {
        let (frame, behind) = bytes.split_at_checked(short_bytes(len))?;
        return Some((FrameHead::default(), &frame[1..=len], behind));
    }
    let (head, len) = decode([first, word(bytes.get(8..)?)?]);
    let (frame, behind) = bytes.split_at_checked(frame_bytes(len))?;
    Some((head, &frame[HEAD_BYTES..HEAD_BYTES + len], behind))
}

/// The same for a frame that is a single word: its payload and what is behind it. `None` for any other.
#[inline]
pub fn split_word(bytes: &[u8]) -> Option<(Short, &[u8])> {
    let (word, behind) = bytes.split_first_chunk::<8>()?;
    let word = u64::from_le_bytes(*word);
    let len = (word as u8 / 2) as usize;
    // What the producer has left behind the payload does not count.
    let payload = || Short { word: word >> 8 & !(u64::MAX << (8 * len)), len };
    (word % 2 == 1 && len <= Short::BYTES_MAX).then(|| (payload(), behind))
}

/// Bytes of a frame with a payload of `len` bytes.
#[inline]
const fn frame_bytes(len: usize) -> usize {
    HEAD_BYTES + len.next_multiple_of(ALIGNMENT as usize)
}

/// Bytes of a short frame with a payload of `len` bytes.
#[inline]
const fn short_bytes(len: usize) -> usize {
    (1 + len).next_multiple_of(ALIGNMENT as usize)
}

/// The length of the payload, if the frame that starts with this word is a short one.
#[inline]
const fn short_len(first: u64) -> Option<usize> {
    if first % 2 == 1 { Some((first as u8 / 2) as usize) } else { None }
}

/// A head as two words: the length in the low half of the first, where a wrap has its mark.
#[inline]
const fn encode(head: FrameHead, len: usize) -> [u64; 2] {
    let first =
        (2 * len as u64) | (head.kind as u64) << 32 | (head.flags as u64) << 40 | (head.count as u64) << 48;
    [first, head.seq]
}

#[inline]
const fn decode([first, seq]: [u64; 2]) -> (FrameHead, usize) {
    let (kind, flags, count) = ((first >> 32) as u8, (first >> 40) as u8, (first >> 48) as u16);
    (FrameHead { kind, flags, count, seq }, (first as u32 / 2) as usize)
}

#[cfg(all(test, not(loom)))]
#[path = "ring_tests.rs"]
mod tests;
