//! Frames in a ring of bytes.
//!
//! ```text
//!  producer  reserve ─► write the payload in place ─► commit    (one store hands it over)
//!  consumer  peek ─► look at the frame, or copy it ─► advance   (one store gives the room back)
//! ```
//! A [frame](super::frame) lies in one piece. The producer hands a wrap over together with the frame behind it, and wraps
//! early where nothing waits: of a ring that never holds much, little memory exists.
//!
//! Who reads believes nothing: a length is checked against what was published, against the end of the ring and against
//! [`MAX_INLINE`] before a byte is touched, each number is read once, and no input makes a step longer than one frame.

#![allow(unsafe_code)] // slices of memory that another process maps

use super::cursor::{ECHO_BYTES, EchoWords, ReadCursor, WriteCursor};
use super::frame::{FrameHead, HEAD_BYTES, SHORT_BYTES_MAX, WRAP, encode, frame_bytes, parse, short_bytes};
use super::layout::MAX_INLINE;
use super::place::Place;
use crate::wire::varint::{Short, word_of};
use std::marker::PhantomData;

pub use super::cursor::Corrupt;

/// The other side may write anything at any moment: bytes are copied before they are looked at.
#[derive(Debug)]
pub struct Hostile(());

/// The other side keeps to the protocol: bytes are looked at in place.
#[derive(Debug)]
pub struct Trusted(());

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

/// How much of a ring is used before it is looked for a place to start over, in bytes: a page.
const USED_FIRST: usize = 4096;

/// The end that frames go in at. `P` says how far the consumer is trusted.
#[derive(Debug)]
pub struct Producer<P> {
    place: Place,
    cursor: WriteCursor,
    /// How many of its bytes, from the start on, have been used.
    used: usize,
    /// Whether what is pushed is echoed.
    echoes: bool,
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
    /// The frame that was peeked at, if it was echoed.
    echo: [u8; ECHO_BYTES],
    /// Bytes up to the end of the frame that was peeked at.
    peeked: u64,
    producer: PhantomData<P>,
}

/// A frame still in the ring.
#[derive(Debug)]
pub struct Frame<'a, P> {
    /// What it says about itself.
    pub head: FrameHead,
    payload: Payload<'a>,
    producer: PhantomData<P>,
}

/// Where the payload of a frame is.
#[derive(Debug)]
enum Payload<'a> {
    /// In the ring.
    There { place: &'a Place, start: usize, len: usize },
    /// In its echo.
    Here(&'a [u8]),
}

impl<P> Producer<P> {
    pub(super) fn new(place: Place) -> Self {
        let cursor = WriteCursor::new(place.capacity as u64);
        Self { place, cursor, used: 0, echoes: true, consumer: PhantomData }
    }

    /// Whether a short frame from here on is echoed: worth it for one that the consumer waits for, and a waste for one of many.
    #[inline]
    pub fn echo(&mut self, echoes: bool) {
        self.echoes = echoes;
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
        self.hand_over(skipped, start, bytes);
        Ok(())
    }

    /// Pushes a frame that is a single word, whose head is all zeros.
    #[inline]
    pub fn try_push_word(&mut self, payload: Short) -> Result<(), PushError> {
        let (start, skipped) = self.find(size_of::<u64>())?;
        self.place.write_word(start, payload.word << 8 | (2 * payload.len as u64 + 1));
        self.hand_over(skipped, start, size_of::<u64>());
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
        let wraps = to_end < bytes || (position + bytes > self.used && self.starts_over(position, bytes)?);
        let skipped = if wraps { to_end } else { 0 };
        match self.cursor.has_room(self.place.words(), (skipped + bytes) as u64) {
            Ok(true) => Ok((if skipped > 0 { 0 } else { position }, skipped)),
            Ok(false) => Err(PushError::Full),
            Err(Corrupt) => Err(PushError::Corrupt),
        }
    }

    /// Whether a frame that would be the first to lie so far behind goes to the start instead, where memory exists: if nothing
    /// waits, and as much again fits behind it, as what is skipped is not free before the frame has been taken. Otherwise more
    /// of the ring is used from here on, twice as much, as this takes a look at the consumer's line.
    #[cold]
    fn starts_over(&mut self, position: usize, bytes: usize) -> Result<bool, PushError> {
        let starts_over = 2 * bytes <= position
            && self.cursor.is_empty(self.place.words()).map_err(|Corrupt| PushError::Corrupt)?;
        if !starts_over {
            self.used = (position + bytes).max(2 * self.used).max(USED_FIRST).min(self.place.capacity);
        }
        Ok(starts_over)
    }

    /// Whether the consumer is through with all that was handed over.
    pub fn is_empty(&mut self) -> bool {
        self.cursor.is_empty(self.place.words()).unwrap_or(true)
    }

    /// Hands over a frame of `bytes` at `start` that was written behind what is left unused.
    #[inline]
    fn hand_over(&mut self, skipped: usize, start: usize, bytes: usize) {
        if skipped > 0 {
            self.place.write_word(self.place.capacity - skipped, u64::from(WRAP));
        } else if self.echoes && bytes <= ECHO_BYTES {
            self.echo_frame(start, bytes);
        }
        self.cursor.publish(self.place.words(), (skipped + bytes) as u64);
    }

    /// Echoes the frame of `bytes` at `start`. Not inlined: those that are pushed in masses are not echoed.
    #[inline(never)]
    fn echo_frame(&mut self, start: usize, bytes: usize) {
        let word = |at| if 8 * at < bytes { self.place.read_word(start + 8 * at) } else { 0 };
        self.cursor.echo(self.place.words(), &std::array::from_fn(word));
    }

    /// Whether a payload of `len` bytes could be pushed now, or never. What a wait for room waits for.
    #[inline]
    pub fn is_ready(&mut self, len: usize) -> bool {
        !matches!(self.reserve(len), Err(PushError::Full))
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

    /// Hands the frame over with the payload that was appended.
    #[inline]
    pub fn finish(self, head: FrameHead) {
        let [first, second] = encode(head, self.written);
        self.producer.place.write_word(self.start, first);
        self.producer.place.write_word(self.start + 8, second);
        self.producer.hand_over(self.skipped, self.start, frame_bytes(self.written));
    }
}

impl<P> Consumer<P> {
    pub(super) fn new(place: Place) -> Self {
        let cursor = ReadCursor::new(place.capacity as u64);
        Self { place, cursor, echo: [0; ECHO_BYTES], peeked: 0, producer: PhantomData }
    }

    /// The next frame, if there is one. It stays in the ring until [`advance`](Self::advance).
    #[inline]
    pub fn peek(&mut self) -> Result<Option<Frame<'_, P>>, Corrupt> {
        self.peeked = 0;
        let mut available = self.cursor.available(self.place.words())?;
        if available == 0 {
            return Ok(None);
        }
        if available <= ECHO_BYTES as u64
            && let Some(words) = self.cursor.echo(self.place.words())
        {
            return self.peek_echo(available as usize, words).map(Some);
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
        let (head, payload, bytes) = parse(available, first, || self.place.read_word(start + 8))?;
        self.peeked = skipped + bytes as u64;
        let (start, len) = (start + payload.start, payload.len());
        let payload = Payload::There { place: &self.place, start, len };
        Ok(Some(Frame { head, payload, producer: PhantomData }))
    }

    /// The same for a frame that is echoed.
    #[inline]
    fn peek_echo(&mut self, available: usize, words: EchoWords) -> Result<Frame<'_, P>, Corrupt> {
        let (head, payload, bytes) = parse(available, words[0], || words[1])?;
        self.peeked = bytes as u64;
        for (bytes, word) in self.echo.chunks_exact_mut(8).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        Ok(Frame { head, payload: Payload::Here(&self.echo[payload]), producer: PhantomData })
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
        let len = waiting.min(max).min(self.place.capacity - start);
        // Behind a wrap is nothing.
        if len > 0 && self.place.read_word(start) as u32 != WRAP {
            self.place.append_to(start, len, bytes);
        }
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
        match self.payload {
            Payload::There { len, .. } => len,
            Payload::Here(bytes) => bytes.len(),
        }
    }

    /// Whether there is no payload.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends the payload to `bytes`.
    #[inline]
    pub fn copy_to(&self, bytes: &mut Vec<u8>) {
        match self.payload {
            Payload::There { place, start, len } => place.append_to(start, len, bytes),
            Payload::Here(payload) => bytes.extend_from_slice(payload),
        }
    }
}

impl<'a> Frame<'a, Trusted> {
    /// The payload in place.
    #[inline]
    pub fn payload(&self) -> &'a [u8] {
        let (start, len) = match self.payload {
            Payload::There { place, start, len } => (place.range(start, len), len),
            Payload::Here(bytes) => return bytes,
        };
        // SAFETY: duty: in bounds: checked by `range`; alive: `'a` borrows the consumer, which keeps the mapping;
        // initialised: the kernel zeroes pages; unchanging: `'a` also keeps the consumer from advancing, and the trusted
        // producer writes nothing between head and tail.
        unsafe { std::slice::from_raw_parts(start, len) }
    }
}

#[cfg(all(test, not(loom)))]
#[path = "ring_tests.rs"]
mod tests;
