//! A queue's region: many producers, many consumers, messages in one ring.
//!
//! ```text
//!  producers  lock ─► room? ─► write the frame ─► tail = behind it ─► unlock ─► wake a consumer
//!  consumers  lock ─► a frame? ─► copy it out ──► head = behind it ─► unlock ─► wake a producer
//!   0 ┌───────────────────────────────────────────────────────────────┐
//!     │ locks ▏ tail ▏ head ▏ state, watched, done ▏ three sleep words │  HEADER_BYTES
//!     ├───────────────────────────────────────────────────────────────┤
//!     │ frames: length, flags, tag, bytes, in units of 16 bytes        │  may wrap around at any byte
//!     └───────────────────────────────────────────────────────────────┘
//! ```
//! Both locks survive their holders. `tail` and `head` are the only words that say what is in the ring, each with the
//! count of messages beside the place, and each changes by one store. So a producer that is killed has put its message or
//! has not; a consumer that is killed has taken it or has not, and then the next one gets it.
//!
//! | `state` | by | goes to | when |
//! |---|---|---|---|
//! | 0 open | `close`, under the producers' lock | 1 draining, 2 closed | shut down |
//! | 1 draining | `close` | 2 closed | shut down again, at once |

#![allow(unsafe_code)] // a mapping's bytes seen as the header; the contracts of the robust locks

use super::held::Held;
use super::layout::Line;
use crate::raw::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use crate::raw::crowd::Crowd;
use crate::sys::memory::{Access, Mapping, Memory};
use crate::sys::robust::Robust;
use crate::sys::{BorrowedHandle, Handle};
use std::fmt;
use std::io;
use std::time::Instant;

/// What places and lengths are counted in: the size of a frame's head.
const UNIT: usize = 16;

/// A ring from this size on gives its pages back behind the head.
const SPARSE_BYTES: usize = 16 << 20;

/// While the ring is more than half full, one consumer wakes a producer so often at most: each one woken puts one message
/// and sleeps again.
const WAKE_EVERY_MICROS: u64 = 100;

/// So many bytes at once. The ring keeps two of them free, so that nobody writes where pages are given back. A frame is at
/// most half as long.
const DISCARD_BYTES: usize = 1 << 20;

const OPEN: u32 = 0;
const DRAINING: u32 = 1;
const CLOSED: u32 = 2;

/// Descriptors and perhaps the bytes of this frame travel beside the ring, under its tag.
const BUNDLED: u32 = 1;

/// The start of the region.
#[repr(C)]
struct Header {
    producers: Line<Robust>,
    consumers: Line<Robust>,
    tail: Line<AtomicU64>,
    head: Line<AtomicU64>,
    /// The tag of the last bundle that was sent, committed or not.
    bundles: Line<AtomicU64>,
    state: Line<AtomicU32>,
    watched: AtomicU32,
    done: Line<AtomicU32>,
    messages: Line<Crowd>,
    room: Line<Crowd>,
    finished: Line<Crowd>,
}

const HEADER_BYTES: usize = size_of::<Header>().next_multiple_of(4096);

/// A region as one process sees it.
pub struct Backlog {
    memory: Memory,
    mapping: Mapping,
    shape: Shape,
    /// When this process last woke a producer, in microseconds since `made`.
    woke: AtomicU64,
    made: Instant,
}

/// The numbers that every process must know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    /// Messages at most.
    pub items: u32,
    /// The size of the ring: a power of two.
    pub ring_bytes: u32,
}

/// How a put ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Pushed {
    /// The message is in the queue. Whether somebody asked to hear of it by the bell.
    Done { watched: bool },
    /// No room, or the lock is held until after the deadline.
    NoRoom,
    /// No room for what travels beside the ring.
    NoRoomBeside,
    /// The queue was shut down.
    Closed,
}

/// How a get ended.
#[derive(Debug)]
pub enum Popped<B> {
    /// A message, and what came beside it.
    Frame(Option<B>),
    /// None, or the lock is held until after the deadline.
    Empty,
    /// None, and none will come.
    Closed,
}

/// A look at the counts at one instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Mark {
    items: u32,
    units: u32,
}

impl Backlog {
    /// A fresh region.
    pub fn create(shape: Shape) -> io::Result<Self> {
        let backlog =
            Self::map(Memory::create("mp-queue", HEADER_BYTES + shape.ring_bytes as usize)?, shape)?;
        let header = backlog.place();
        // SAFETY: duty: valid for writes and aligned: in the mapping, at a page's start; nobody uses them yet: the memory
        // was made above and is known to nobody.
        unsafe {
            Robust::init((&raw mut (*header).producers).cast())?;
            Robust::init((&raw mut (*header).consumers).cast())?;
        }
        Ok(backlog)
    }

    /// The region of another process of the family.
    pub fn attach(handle: Handle, shape: Shape) -> io::Result<Self> {
        if !shape.ring_bytes.is_power_of_two() || (shape.ring_bytes as usize) < 4 * UNIT {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Self::map(Memory::from_handle(handle, HEADER_BYTES + shape.ring_bytes as usize)?, shape)
    }

    fn map(memory: Memory, shape: Shape) -> io::Result<Self> {
        let mapping = Mapping::map(&memory, Access::ReadWrite)?;
        Ok(Self { memory, mapping, shape, woke: AtomicU64::new(0), made: Instant::now() })
    }

    /// The handle, to be sent.
    pub fn handle(&self) -> BorrowedHandle<'_> {
        self.memory.handle()
    }

    /// What was agreed on.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The longest message that goes into the ring.
    pub fn inline_max(&self) -> usize {
        (self.shape.ring_bytes as usize / 4 - UNIT).min(DISCARD_BYTES / 2)
    }

    /// Puts a message in. `bundle`, if there is one, sends what travels beside it, under the tag that it is given; it may
    /// say [`io::ErrorKind::WouldBlock`].
    pub fn push(
        &self,
        bytes: &[u8],
        bundle: Option<impl FnOnce(u64) -> io::Result<()>>,
        deadline: impl FnOnce() -> Option<Instant>,
    ) -> io::Result<Pushed> {
        let header = self.header();
        let Some(lock) = Held::take(&header.producers, deadline)? else { return Ok(Pushed::NoRoom) };
        // PAIR: the store in `close`, under this lock.
        if header.state.load(Relaxed) != OPEN {
            return Ok(Pushed::Closed);
        }
        let units = units_of(bytes.len());
        // PAIR: written under this lock; by consumers that have copied what lay before it.
        let (tail, head) = (Mark::of(header.tail.load(Relaxed)), Mark::of(header.head.load(Acquire)));
        if !self.has_room(tail, head, units) {
            return Ok(Pushed::NoRoom);
        }
        let tag = match bundle {
            None => None,
            Some(send) => {
                // PAIR: read and written under this lock. A tag is used up before its bundle is sent, so that those of
                // producers that were killed are known.
                let tag = header.bundles.load(Relaxed) + 1;
                header.bundles.store(tag, Relaxed);
                match send(tag) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        return Ok(Pushed::NoRoomBeside);
                    }
                    sent => sent?,
                }
                Some(tag)
            }
        };
        let mut frame = [0; UNIT];
        frame[..4].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
        frame[4..8].copy_from_slice(&tag.map_or(0, |_| BUNDLED).to_le_bytes());
        frame[8..].copy_from_slice(&tag.unwrap_or(0).to_le_bytes());
        let start = self.offset(tail.units);
        self.write(start, &frame)?;
        self.write(start + UNIT, bytes)?;
        // PAIR: `pop` acquires it before it reads the frame. This store is the message's arrival.
        header.tail.store(tail.after(units).word(), Release);
        drop(lock);
        header.messages.wake_one();
        // PAIR: `watch`; the fence in `wake_one` lies between, as one lies between its store and its look.
        Ok(Pushed::Done {
            watched: header.watched.load(Relaxed) != 0 && header.watched.swap(0, Relaxed) != 0,
        })
    }

    /// Takes the next message, into `bytes`. `bundle` receives what travels beside it, by its tag; `None` when that was
    /// lost with a consumer that was killed, and then the message is skipped.
    pub fn pop<B>(
        &self,
        bytes: &mut Vec<u8>,
        mut bundle: impl FnMut(u64) -> io::Result<Option<B>>,
        deadline: impl FnOnce() -> Option<Instant>,
    ) -> io::Result<Popped<B>> {
        let header = self.header();
        let Some(_lock) = Held::take(&header.consumers, deadline)? else { return Ok(Popped::Empty) };
        loop {
            // PAIR: `close`; who sees it late takes one message more, as if it had come earlier. First the state: once it
            // is draining, no tail is written.
            let state = header.state.load(Acquire);
            // PAIR: `push` released it after the frame; the head is written under this lock.
            let (tail, head) = (Mark::of(header.tail.load(Acquire)), Mark::of(header.head.load(Relaxed)));
            if state == CLOSED {
                return Ok(Popped::Closed);
            }
            if tail == head {
                return Ok(if state == OPEN { Popped::Empty } else { Popped::Closed });
            }
            let start = self.offset(head.units);
            bytes.clear();
            self.read(start, UNIT, bytes)?;
            let (len, flags, tag) = read_frame(bytes);
            let units = units_of(len as usize);
            if units > tail.units.wrapping_sub(head.units) {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the queue's memory was written over",
                ));
            }
            bytes.clear();
            self.read(start + UNIT, len as usize, bytes)?;
            let beside = if flags & BUNDLED == 0 { None } else { Some(bundle(tag)?) };
            let next = head.after(units);
            // PAIR: `push` acquires it before it writes where this message was. This store takes the message.
            header.head.store(next.word(), Release);
            self.discard(head.units, next.units);
            header.room.wake_one_if(|| self.is_worth_a_wake(tail, next));
            match beside {
                None => return Ok(Popped::Frame(None)),
                Some(Some(beside)) => return Ok(Popped::Frame(Some(beside))),
                // Nobody will say that it was worked on.
                Some(None) => drop(self.task_done()),
            }
        }
    }

    /// Whether a consumer that left these marks wakes a producer now. Those that it lets sleep look again by themselves,
    /// soon: see [`Crowd::wait_impatiently`].
    fn is_worth_a_wake(&self, tail: Mark, head: Mark) -> bool {
        let items = tail.items.wrapping_sub(head.items);
        let bytes = tail.units.wrapping_sub(head.units) as usize * UNIT;
        if items <= self.shape.items / 2 && bytes <= self.shape.ring_bytes as usize / 2 {
            return true;
        }
        let now = self.made.elapsed().as_micros() as u64;
        // PAIR: none, a wake-up too many or a little too late does no harm.
        let due = now.saturating_sub(self.woke.load(Relaxed)) >= WAKE_EVERY_MICROS;
        if due {
            self.woke.store(now, Relaxed);
        }
        due
    }

    /// Waits until a put may succeed; whether it may.
    pub fn wait_for_room(&self, len: usize, timeout: Option<std::time::Duration>) -> bool {
        let header = self.header();
        header.room.wait_impatiently(timeout, || {
            // PAIR: hints; `push` looks again under the lock.
            let (tail, head) = (Mark::of(header.tail.load(Acquire)), Mark::of(header.head.load(Acquire)));
            header.state.load(Relaxed) != OPEN || self.has_room(tail, head, units_of(len))
        })
    }

    /// Waits until a get may succeed; whether it may.
    pub fn wait_for_message(&self, timeout: Option<std::time::Duration>) -> bool {
        self.header().messages.wait(timeout, || self.is_readable())
    }

    /// Wakes another consumer if there is more.
    pub fn pass_on(&self) {
        if self.len() > 0 {
            self.header().messages.wake_one();
        }
    }

    /// Whether a get would not wait.
    pub fn is_readable(&self) -> bool {
        // PAIR: hints; `pop` looks again under the lock.
        self.header().state.load(Relaxed) != OPEN || self.len() > 0
    }

    /// How many messages there were at an instant during this call.
    pub fn len(&self) -> u32 {
        let (tail, head) = self.snapshot();
        tail.items.wrapping_sub(head.items)
    }

    /// Whether there was no room for even an empty message at an instant during this call.
    pub fn is_full(&self) -> bool {
        let (tail, head) = self.snapshot();
        !self.has_room(tail, head, 1)
    }

    /// Asks for a ring of the bell at the next put. Who asks looks once more before it sleeps.
    pub fn watch(&self) {
        // PAIR: the load at the end of `push`, after its fence.
        self.header().watched.store(1, Relaxed);
        crate::raw::atomic::fence(crate::raw::atomic::Ordering::SeqCst);
    }

    /// No more puts; no more gets either if `at_once`.
    pub fn close(&self, at_once: bool) -> io::Result<()> {
        let header = self.header();
        {
            let _lock = Held::take(&header.producers, || None)?;
            let state = if at_once { CLOSED } else { DRAINING };
            // PAIR: `push` looks under this lock; `pop` acquires it, and with it every tail before.
            if header.state.load(Relaxed) < state {
                header.state.store(state, Release);
            }
        }
        header.messages.wake_all();
        header.room.wake_all();
        header.finished.wake_all();
        Ok(())
    }

    /// Whether gets were ended too.
    pub fn is_closed(&self) -> bool {
        // PAIR: `close`.
        self.header().state.load(Acquire) == CLOSED
    }

    /// One message was worked on; false if every message that was put is already.
    pub fn task_done(&self) -> bool {
        let header = self.header();
        // PAIR: other callers; and `push`, whose message the caller took.
        let counted = header.done.fetch_update(Release, Acquire, |done| {
            let put = Mark::of(header.tail.load(Acquire)).items;
            (done != put).then(|| done.wrapping_add(1))
        });
        if counted.is_ok() && self.is_finished() {
            header.finished.wake_all();
        }
        counted.is_ok()
    }

    /// Waits until every message was worked on or gets were ended; whether that is so.
    pub fn wait_until_finished(&self, timeout: Option<std::time::Duration>) -> bool {
        self.header().finished.wait(timeout, || self.is_finished() || self.is_closed())
    }

    /// Whether every message was worked on.
    pub fn is_finished(&self) -> bool {
        let header = self.header();
        // PAIR: `task_done` released it.
        let done = header.done.load(Acquire);
        done == Mark::of(header.tail.load(Acquire)).items
    }

    /// Tail and head as they were at one instant: the tail did not change around the look at the head.
    fn snapshot(&self) -> (Mark, Mark) {
        let header = self.header();
        loop {
            // PAIR: the stores in `push` and `pop`.
            let tail = header.tail.load(Acquire);
            let head = header.head.load(Acquire);
            if header.tail.load(Acquire) == tail {
                return (Mark::of(tail), Mark::of(head));
            }
        }
    }

    fn has_room(&self, tail: Mark, head: Mark, units: u32) -> bool {
        let ring = self.shape.ring_bytes as usize;
        let usable = if ring >= SPARSE_BYTES { ring - 2 * DISCARD_BYTES } else { ring };
        let used = tail.units.wrapping_sub(head.units) as usize;
        tail.items.wrapping_sub(head.items) < self.shape.items && (used + units as usize) * UNIT <= usable
    }

    /// Gives back the pages that the head has left behind for good.
    fn discard(&self, from: u32, to: u32) {
        const STEP: u32 = (DISCARD_BYTES / UNIT) as u32;
        if self.shape.ring_bytes as usize >= SPARSE_BYTES && from / STEP != to / STEP {
            let behind = self.offset((to / STEP).wrapping_sub(1).wrapping_mul(STEP));
            // Pages that stay cost memory, nothing else.
            let _ = self.memory.discard(HEADER_BYTES + behind, DISCARD_BYTES);
        }
    }

    fn offset(&self, units: u32) -> usize {
        (units as usize * UNIT) & (self.shape.ring_bytes as usize - 1)
    }

    /// Writes at an offset in the ring, which may lie behind its end.
    fn write(&self, offset: usize, bytes: &[u8]) -> io::Result<()> {
        let ring = self.shape.ring_bytes as usize;
        let offset = offset & (ring - 1);
        let (first, second) = bytes.split_at(bytes.len().min(ring - offset));
        self.mapping.copy_in(HEADER_BYTES + offset, first)?;
        self.mapping.copy_in(HEADER_BYTES, second)
    }

    fn read(&self, offset: usize, len: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
        let ring = self.shape.ring_bytes as usize;
        let offset = offset & (ring - 1);
        let first = len.min(ring - offset);
        self.mapping.copy_out(HEADER_BYTES + offset, first, bytes)?;
        self.mapping.copy_out(HEADER_BYTES, len - first, bytes)
    }

    #[allow(clippy::cast_ptr_alignment)] // a page is aligned enough
    fn place(&self) -> *mut Header {
        self.mapping.ptr().cast()
    }

    fn header(&self) -> &Header {
        let header = self.place();
        // SAFETY: duty: in bounds and aligned: `map` maps more than the header at a page's start; alive: the borrow of
        // `self` keeps the mapping; valid and shareable: atomics, for which all bits are valid, and locks that `create`
        // has made before it gave the region to anybody.
        unsafe { &*header }
    }
}

impl fmt::Debug for Backlog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backlog")
            .field("len", &self.len())
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}

impl Mark {
    fn of(word: u64) -> Self {
        Self { items: (word >> 32) as u32, units: word as u32 }
    }

    fn word(self) -> u64 {
        (u64::from(self.items) << 32) | u64::from(self.units)
    }

    fn after(self, units: u32) -> Self {
        Self { items: self.items.wrapping_add(1), units: self.units.wrapping_add(units) }
    }
}

fn units_of(len: usize) -> u32 {
    (1 + len.div_ceil(UNIT)) as u32
}

fn read_frame(frame: &[u8]) -> (u32, u32, u64) {
    let word = |at: usize| {
        frame.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |word| u32::from_le_bytes(*word))
    };
    let tag = frame.get(8..).and_then(|rest| rest.first_chunk()).map_or(0, |tag| u64::from_le_bytes(*tag));
    (word(0), word(4), tag)
}

#[cfg(all(test, not(loom)))]
#[path = "backlog_tests.rs"]
mod tests;
