//! The frames of the rings.
//!
//! ```text
//! CALL  seq of the first item, count items   slot: u32 | one item: its bytes
//!                                                      | more items: (length: u32, bytes) each
//! QUIT  nothing
//! DONE  seq                                  the result's bytes
//! FAIL  seq                                  postcard(Failure)
//! (short)                                    the same, of the call after the one of the response before
//! SKIPPED seq                                nothing: calls from `seq` to the end of the revoked range did not run
//! ```
//!
//! With the flag [`SPILLED`] the bytes of the (one) item or result lie in a slab and the payload ends in
//! `slab: u64, length: u64`.

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

/// Descriptors belong to the (one) item or result; they came or will come over the control socket, with its number.
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

/// The items of a `CALL` payload behind its slot: one item is bare, several carry their lengths.
pub fn items(count: u16, mut bytes: &[u8]) -> impl Iterator<Item = Option<&[u8]>> {
    (0..count).map(move |_| {
        if count == 1 {
            return Some(bytes);
        }
        let (len, rest) = take_u32(bytes)?;
        let (item, rest) = rest.split_at_checked(len as usize)?;
        bytes = rest;
        Some(item)
    })
}
