//! What lies where in a worker's region.
//!
//! ```text
//!  0 ┌──────────────────────────────────────────────────────────┐
//!    │ requests: tail ▏ head   responses: tail ▏ head           │  ▏ each on a line of its own
//!    │ worker sleeps ▏ parent sleeps ▏ room sleeps              │
//!    │ progress (worker writes) ▏ revoked (parent writes)       │
//!    │ how much of a long result is in its slab (worker writes) │
//!    │ fault ▏ panic text ▏ stderr tail                         │
//!    ├──────────────────────────────────────────────────────────┤  HEADER_BYTES, whole pages
//!    │ request bytes                                            │
//!    ├──────────────────────────────────────────────────────────┤
//!    │ response bytes                                           │
//!    └──────────────────────────────────────────────────────────┘
//! ```
//!
//! Everything is an atomic, has no pointers and no invalid bit patterns, and all-zero bytes are its first state, so a
//! fresh memfd is a fresh region and a worker that scribbles over it can break nothing but its own calls.

use super::cursor::RingWords;
use super::filling::Filling;
use super::notes::{PanicNote, StderrTail};
use super::recorder::{Progress, Revoked};
use crate::raw::line::Line;
use crate::raw::sleep::{CountedSleep, SleepWord};
use crate::sys::fault::FaultWords;

/// Bytes of each ring. A power of two, and four times the largest frame, so that one fits wherever the ring stands.
pub const RING_BYTES: usize = 1024 * 1024;

/// Payload bytes of the largest frame. What is larger goes into a slab: copying it through the ring would cost more.
pub const MAX_INLINE: usize = 256 * 1024;

/// The start of a region.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Header {
    pub(super) requests: RingWords,
    pub(super) responses: RingWords,
    /// The worker sleeps on it when there is nothing to do; the parent wakes it after pushing a request.
    pub worker_sleep: SleepWord,
    /// The parent says here that it sleeps and how many results it waits for; the worker rings the parent's bell.
    pub parent_sleep: CountedSleep,
    /// The worker sleeps on it when the response ring is full; the parent wakes it after taking responses.
    pub room_sleep: SleepWord,
    pub(super) progress: Line<Progress>,
    pub(super) revoked: Line<Revoked>,
    /// The worker says here how much of the long result that it announced last is in its slab.
    pub result: Line<Filling>,
    pub(super) fault: Line<FaultWords>,
    pub(super) panic: PanicNote,
    pub(super) stderr: StderrTail,
}

/// Where the rings' bytes start: a whole number of pages on every machine.
pub const HEADER_BYTES: usize = size_of::<Header>().next_multiple_of(4096);

/// Bytes of a region with rings of `ring_bytes`.
pub const fn region_bytes(ring_bytes: usize) -> usize {
    HEADER_BYTES + 2 * ring_bytes
}

const _: () = assert!(RING_BYTES.is_power_of_two() && RING_BYTES >= 4 * MAX_INLINE);
#[cfg(not(loom))] // loom's atomics are large
const _: () = assert!(HEADER_BYTES <= 3 * 4096 && align_of::<Header>() == 128);
