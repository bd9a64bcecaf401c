//! A worker's region: made by the parent, attached to by the worker, taken apart into the ends each side uses.
//!
//! ```text
//!  parent  create ─► handle() over the socket ─► into_parent ─► requests: Producer   responses: Consumer
//!  worker            attach ───────────────────► into_worker ─► requests: Consumer   responses: Producer
//! ```
//! A ring has one producer and one consumer: a region is used up by taking its ends, and each process takes one side.

#![allow(unsafe_code)] // a mapping's bytes seen as the header

use super::cursor::RingWords;
use super::layout::{HEADER_BYTES, Header, RING_BYTES, region_bytes};
use super::place::Place;
use super::recorder::{ParentRecorder, WorkerRecorder};
use super::ring::{Consumer, Hostile, Producer, Trusted};
use crate::sys::memory::{Access, Mapping, Memory};
use crate::sys::{BorrowedHandle, Handle};
use std::fmt;
use std::io;
use std::ops::Deref;
use std::sync::Arc;

/// No system takes a longer name for memory, in bytes: Linux has 255 for it with a `memfd:` and a NUL.
const NAME_BYTES_MAX: usize = 200;

/// The region of one worker.
#[derive(Debug)]
pub struct Region {
    memory: Memory,
    shared: Shared,
    ring_bytes: usize,
}

/// The header of a mapped region; keeps it mapped.
#[derive(Clone)]
pub struct Shared(Arc<Mapping>);

/// What the parent holds of a region.
#[derive(Debug)]
pub struct ParentEnd {
    /// Calls go in here.
    pub requests: Producer<Hostile>,
    /// Outcomes come out here, also those that a dead worker has published.
    pub responses: Consumer<Hostile>,
    /// What the worker is at, and its last words.
    pub recorder: ParentRecorder,
    /// The sleep words.
    pub shared: Shared,
}

/// What the worker holds of its region.
#[derive(Debug)]
pub struct WorkerEnd {
    /// Calls come out here.
    pub requests: Consumer<Trusted>,
    /// Outcomes go in here.
    pub responses: Producer<Trusted>,
    /// Where it says what it is at.
    pub recorder: WorkerRecorder,
    /// The sleep words.
    pub shared: Shared,
}

impl Region {
    /// A fresh region. No page of it exists before it is touched. `name` is for people, who are shown the start of a long one.
    pub fn create(name: &str) -> io::Result<Self> {
        let mut len = name.len().min(NAME_BYTES_MAX);
        while !name.is_char_boundary(len) {
            len -= 1;
        }
        Self::create_with(&name[..len], RING_BYTES)
    }

    /// Maps the region whose handle came from the parent.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] when the handle is not sealed memory of a region's size.
    pub fn attach(handle: Handle) -> io::Result<Self> {
        Self::attach_with(handle, RING_BYTES)
    }

    /// The handle, to be sent to the worker.
    pub fn handle(&self) -> BorrowedHandle<'_> {
        self.memory.handle()
    }

    /// The parent's ends. The handle is closed; the region stays mapped while one of the ends lives.
    pub fn into_parent(self) -> ParentEnd {
        let shared = self.shared.clone();
        ParentEnd {
            requests: Producer::new(self.place(Ring::Requests)),
            responses: Consumer::new(self.place(Ring::Responses)),
            recorder: ParentRecorder::new(shared.clone()),
            shared,
        }
    }

    /// The worker's ends. The handle is closed; the region stays mapped while one of the ends lives.
    pub fn into_worker(self) -> WorkerEnd {
        let shared = self.shared.clone();
        WorkerEnd {
            requests: Consumer::new(self.place(Ring::Requests)),
            responses: Producer::new(self.place(Ring::Responses)),
            recorder: WorkerRecorder::new(shared.clone()),
            shared,
        }
    }

    pub(super) fn create_with(name: &str, ring_bytes: usize) -> io::Result<Self> {
        Self::map(Memory::create(name, region_bytes(ring_bytes))?, ring_bytes)
    }

    pub(super) fn attach_with(handle: Handle, ring_bytes: usize) -> io::Result<Self> {
        Self::map(Memory::from_handle(handle, region_bytes(ring_bytes))?, ring_bytes)
    }

    fn map(memory: Memory, ring_bytes: usize) -> io::Result<Self> {
        debug_assert!(ring_bytes.is_power_of_two());
        let mapping = Mapping::map(&memory, Access::ReadWrite)?;
        Ok(Self { memory, shared: Shared(Arc::new(mapping)), ring_bytes })
    }

    fn place(&self, ring: Ring) -> Place {
        let offset = match ring {
            Ring::Requests => HEADER_BYTES,
            Ring::Responses => HEADER_BYTES + self.ring_bytes,
        };
        Place::new(self.shared.clone(), ring, offset, self.ring_bytes)
    }
}

/// One of the two rings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ring {
    Requests,
    Responses,
}

impl Shared {
    #[inline]
    pub(super) fn words(&self, ring: Ring) -> &RingWords {
        match ring {
            Ring::Requests => &self.requests,
            Ring::Responses => &self.responses,
        }
    }

    #[inline]
    pub(super) fn mapping(&self) -> &Mapping {
        &self.0
    }
}

impl Deref for Shared {
    type Target = Header;
    #[inline]
    fn deref(&self) -> &Header {
        #[allow(clippy::cast_ptr_alignment)] // a page is aligned enough
        let header = self.0.ptr().cast::<Header>();
        // SAFETY: duty: in bounds and aligned: `Region::map` maps `region_bytes` at a page's start; alive: the borrow of
        // `self` keeps the mapping; valid and shareable: a header is atomics only, for which all bits are valid.
        unsafe { &*header }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shared({:p})", self.0.ptr())
    }
}

#[cfg(all(test, not(loom)))]
#[path = "region_tests.rs"]
pub(super) mod tests;
