//! A frame as bytes.
//!
//! ```text
//! frame   │ 2·len u32 │ kind u8 │ flags u8 │ count u16 │ seq u64 │ payload │ pad to 8 │
//! short   │ 2·len+1 u8 │ payload │ pad to 8 │               what it says about itself goes without saying
//! wrap    │ u32::MAX │ unused to the end of the ring │ the next frame is at the start
//! ```

use super::cursor::{ALIGNMENT, Corrupt};
use super::layout::MAX_INLINE;
use crate::wire::varint::Short;
use std::ops::Range;

/// Bytes of a frame's head.
pub const HEAD_BYTES: usize = 16;

/// The longest payload of a short frame.
pub const SHORT_BYTES_MAX: usize = 55;

/// In place of a length: the next frame is at the start of the ring.
pub(super) const WRAP: u32 = u32::MAX;

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

/// What a frame that begins with `first`, in `available` bytes, says about itself; where its payload is in it, and how long it is.
#[inline]
pub(super) fn parse(
    available: usize,
    first: u64,
    second: impl FnOnce() -> u64,
) -> Result<(FrameHead, Range<usize>, usize), Corrupt> {
    let (head, payload, bytes) = match short_len(first) {
        Some(len) => (FrameHead::default(), 1..1 + len, short_bytes(len)),
        None if available < HEAD_BYTES => return Err(Corrupt),
        None => {
            let (head, len) = decode([first, second()]);
            (head, HEAD_BYTES..HEAD_BYTES + len, frame_bytes(len))
        }
    };
    if payload.len() > MAX_INLINE || bytes > available { Err(Corrupt) } else { Ok((head, payload, bytes)) }
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
pub(super) const fn frame_bytes(len: usize) -> usize {
    HEAD_BYTES + len.next_multiple_of(ALIGNMENT as usize)
}

/// Bytes of a short frame with a payload of `len` bytes.
#[inline]
pub(super) const fn short_bytes(len: usize) -> usize {
    (1 + len).next_multiple_of(ALIGNMENT as usize)
}

/// The length of the payload, if the frame that starts with this word is a short one.
#[inline]
pub(super) const fn short_len(first: u64) -> Option<usize> {
    if first % 2 == 1 { Some((first as u8 / 2) as usize) } else { None }
}

/// A head as two words: the length in the low half of the first, where a wrap has its mark.
#[inline]
pub(super) const fn encode(head: FrameHead, len: usize) -> [u64; 2] {
    let first =
        (2 * len as u64) | (head.kind as u64) << 32 | (head.flags as u64) << 40 | (head.count as u64) << 48;
    [first, head.seq]
}

#[inline]
pub(super) const fn decode([first, seq]: [u64; 2]) -> (FrameHead, usize) {
    let (kind, flags, count) = ((first >> 32) as u8, (first >> 40) as u8, (first >> 48) as u16);
    (FrameHead { kind, flags, count, seq }, (first as u32 / 2) as usize)
}
