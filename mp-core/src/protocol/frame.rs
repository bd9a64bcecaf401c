//! The frames of the rings.
//!
//! ```text
//! CALL  seq of the first item, count items   slot: u32 | one item: its bytes
//!                                                      | more items: (length: u8, bytes) each; from 255 bytes on
//!                                                      |   (255, length: u32, bytes)
//! QUIT  nothing
//! DONE  seq                                  the result's bytes
//! FAIL  seq                                  postcard(Failure)
//! (short)                                    the same, of the call after the one of the response before
//! SKIPPED seq                                nothing: calls from `seq` to the end of the revoked range did not run
//! ```
//!
//! With the flag [`SPILLED`] the bytes of the (one) item or result lie in a slab and the payload ends in
//! `slab: u64, length: u64`.

use crate::limits;

/// Kinds of request frames.
pub mod request {
    /// Run these calls.
    pub const CALL: u8 = 1;
    /// Leave.
    pub const QUIT: u8 = 2;
}

/// Kinds of response frames.
pub mod response {
    /// The call after the one of the response before returned: the head of a short frame.
    pub const NEXT_DONE: u8 = 0;
    /// A call returned.
    pub const DONE: u8 = 1;
    /// A call failed.
    pub const FAIL: u8 = 2;
    /// Calls were passed over because they had been revoked.
    pub const SKIPPED: u8 = 3;
}

/// The payload lies in a slab.
pub const SPILLED: u8 = 1;

/// Descriptors belong to the items, each of which may have copies of all of them, or to the result; they came or will come over the
/// control socket, with the number of the first item.
pub const CARRIES: u8 = 2;

/// Where a spilled payload lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spilled {
    /// The slab's id.
    pub slab: u64,
    /// How many bytes from its start.
    pub len: u64,
}

impl Spilled {
    /// As bytes.
    pub fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.slab.to_le_bytes());
        bytes[8..].copy_from_slice(&self.len.to_le_bytes());
        bytes
    }

    /// From bytes that came from elsewhere.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (slab, rest) = bytes.split_first_chunk::<8>()?;
        let len: &[u8; 8] = rest.try_into().ok()?;
        Some(Self { slab: u64::from_le_bytes(*slab), len: u64::from_le_bytes(*len) })
    }
}

/// Takes a little-endian `u32` off the front.
pub fn take_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*head), rest))
}

/// The items of a `CALL` payload behind its slot: one item is bare, several carry their lengths. `None` for one that is
/// garbled.
#[derive(Debug)]
pub struct Items<'a> {
    left: u16,
    bare: bool,
    bytes: &'a [u8],
}

impl<'a> Items<'a> {
    /// The `count` items that `bytes` are.
    #[inline]
    pub fn of(count: u16, bytes: &'a [u8]) -> Self {
        Self { left: count, bare: count == 1, bytes }
    }

    /// Whether there are no more.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.left == 0
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Option<&'a [u8]>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        if self.bare {
            return Some(Some(self.bytes));
        }
        let item = split_length(self.bytes).and_then(|(len, rest)| rest.split_at_checked(len));
        Some(item.map(|(item, rest)| {
            self.bytes = rest;
            item
        }))
    }
}

/// In place of the length: it is in the four bytes behind.
const IS_LONG: u8 = u8::MAX;

/// Says before an item how long it is: it was appended behind a zero, at `at`. What is too long for any frame is left as it
/// is. Returns the length.
#[inline]
pub fn put_length(at: usize, bytes: &mut Vec<u8>) -> usize {
    let len = bytes.len() - at - 1;
    if len < IS_LONG.into() {
        bytes[at] = len as u8;
    } else if len <= limits::INLINE_BYTES_MAX {
        put_long_length(at, len, bytes);
    }
    len
}

#[cold]
fn put_long_length(at: usize, len: usize, bytes: &mut Vec<u8>) {
    bytes[at] = IS_LONG;
    let behind = at + 1;
    bytes.splice(behind..behind, (len as u32).to_le_bytes());
}

/// How many bytes the length takes that begins with `first`.
#[inline]
pub fn bytes_of_length(first: u8) -> usize {
    if first == IS_LONG { 1 + size_of::<u32>() } else { 1 }
}

/// The length of the item in front, and what is behind the length.
#[inline]
pub fn split_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&len, rest) = bytes.split_first()?;
    if len == IS_LONG {
        return take_u32(rest).map(|(len, rest)| (len as usize, rest));
    }
    Some((len.into(), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_of_any_length_come_out_as_they_went_in() {
        let lengths = [0_usize, 1, 2, 253, 254, 255, 256, 257, 0, limits::INLINE_BYTES_MAX, 3];
        let mut bytes = Vec::new();
        for (number, len) in (0_u8..).zip(lengths) {
            let at = bytes.len();
            bytes.push(0);
            bytes.resize(at + 1 + len, number);
            put_length(at, &mut bytes);
        }
        let items: Vec<_> = Items::of(lengths.len() as u16, &bytes).collect();
        for ((number, len), item) in (0_u8..).zip(lengths).zip(items) {
            assert_eq!(item, Some(vec![number; len].as_slice()));
        }
        assert_eq!(Items::of(1, &bytes).collect::<Vec<_>>(), [Some(bytes.as_slice())]);
    }

    #[test]
    fn items_that_are_cut_off_are_none() {
        for bytes in [&[][..], &[1], &[254, 1], &[255], &[255, 1, 0, 0], &[255, 2, 0, 0, 0, 1]] {
            assert_eq!(Items::of(2, bytes).next(), Some(None), "{bytes:?}");
        }
    }
}
