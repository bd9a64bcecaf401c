//! Long results: they lie in a slab of the worker's, which is copied out of while the worker still copies into it.

use crate::shm::filling::Filling;
use crate::shm::slab::HEAD_BYTES;
use crate::sys::Handle;
use crate::sys::memory::{Access, Mapping, Memory, in_large_pages};
use crate::wire::spare;
use std::io;
use std::mem;

/// The long results of one worker, one after the other.
#[derive(Debug, Default)]
pub struct LongResults {
    slab: Option<Theirs>,
    arriving: Option<Arriving>,
}

/// The slab of the worker. It stays mapped: the next result lies in the same pages.
#[derive(Debug)]
struct Theirs {
    id: u64,
    handle: Handle,
    mapping: Option<Mapping>,
}

/// A result of which not all may be there yet.
#[derive(Debug)]
struct Arriving {
    bytes: Vec<u8>,
    len: usize,
}

impl LongResults {
    /// The worker has a new slab.
    pub fn lie_in(&mut self, id: u64, handle: Handle) {
        self.slab = Some(Theirs { id, handle, mapping: None });
    }

    /// Whether the worker has this slab.
    pub fn are_in(&self, id: u64) -> bool {
        self.slab.as_ref().is_some_and(|slab| slab.id == id)
    }

    /// Whether nothing more is there of the result that was read in part. `filling` is what the worker says.
    pub fn stand_still(&self, filling: &Filling) -> bool {
        self.arriving.as_ref().is_some_and(|arriving| filling.there(arriving.len) <= arriving.bytes.len())
    }

    /// Whether a result has been read in part.
    pub fn is_arriving(&self) -> bool {
        self.arriving.is_some()
    }

    /// Reads on in a result of `len` bytes, at most `most` of them, and appends it to `out` when all of it has been read: false if
    /// there is more to read, or it is not all there and `wait`ing for a moment did not help. Its memory is that of `out` if that
    /// suits.
    pub fn read(
        &mut self,
        len: usize,
        most: usize,
        filling: &Filling,
        wait: impl Fn(&dyn Fn() -> bool),
        out: &mut Vec<u8>,
    ) -> io::Result<bool> {
        let slab = self.slab.as_mut().ok_or(io::ErrorKind::NotFound)?;
        let mut bytes = match self.arriving.take() {
            Some(Arriving { bytes, .. }) => bytes,
            None if out.is_empty() && spare::suits(out, len) => mem::take(out),
            None => spare::take_received(len).unwrap_or_default(),
        };
        let until = len.min(bytes.len().saturating_add(most));
        while bytes.len() < until {
            let more = || filling.there(len) > bytes.len();
            if !more() {
                wait(&more);
            }
            // Once: the worker may change it.
            let there = filling.there(len).min(until);
            if there <= bytes.len() {
                break;
            }
            slab.copy_out(there, len, &mut bytes)?;
        }
        if bytes.len() < len {
            self.arriving = Some(Arriving { bytes, len });
            return Ok(false);
        }
        if out.is_empty() {
            *out = bytes;
        } else {
            out.append(&mut bytes);
        }
        Ok(true)
    }
}

impl Theirs {
    /// Copies what is `there` and not yet in `bytes`.
    fn copy_out(&mut self, there: usize, len: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
        let needed = len.checked_add(HEAD_BYTES).ok_or(io::ErrorKind::OutOfMemory)?;
        let mapped = self.mapping.take().filter(|mapping| mapping.len() >= needed);
        let mapping = match mapped {
            Some(mapping) => mapping,
            None => Mapping::map(&Memory::from_handle(self.handle.try_clone()?, needed)?, Access::Read)?,
        };
        let mapping = self.mapping.insert(mapping);
        let had = bytes.len();
        if had == 0 {
            bytes.try_reserve_exact(len)?;
            in_large_pages(bytes.spare_capacity_mut());
        }
        mapping.copy_out(HEAD_BYTES + had, there - had, bytes)
    }
}
