//! A queue's region: many producers, many consumers, messages in one ring.
//!
//! ```text
//!  producers  lock ─► room? ─► write the frame ─► tail = behind it ─► unlock ─► wake a consumer
//!  consumers  a frame? ─► copy it out ─► head: from its start to behind it ─────► wake a producer
//!   0 ┌───────────────────────────────────────────────────────────────┐
//!     │ locks ▏ tail ▏ head ▏ state, watched, done ▏ three sleep words │  HEADER_BYTES
//!     ├───────────────────────────────────────────────────────────────┤
//!     │ frames: length, flags, tag, bytes, in units of 16 bytes        │  see `segments`
//!     └───────────────────────────────────────────────────────────────┘
//! ```
//! The lock survives its holders. `tail` and `head` (see `raw::ends`) are the only words that say what is in the ring, and each
//! changes at once. So a producer that is killed has put its message or has not; a consumer that is killed has taken it or has
//! not, and then the next one gets it. Consumers lock each other out only for messages that they should not copy twice: long ones,
//! and those with something beside the ring.
//!
//! | `state` | by | goes to | when |
//! |---|---|---|---|
//! | 0 open | `close`, under the producers' lock | 1 draining, 2 closed | shut down |
//! | 1 draining | `close` | 2 closed | shut down again, at once |

#![allow(unsafe_code)] // a mapping's bytes seen as the header; the contracts of the robust locks

use super::held::Held;
use super::segments::{Segments, UNIT};
use crate::raw::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed, Release, SeqCst},
};
use crate::raw::brief::Brief;
use crate::raw::crowd::Crowd;
use crate::raw::ends::{Ends, Mark};
use crate::raw::line::Line;
use crate::sys::{BorrowedHandle, Handle};
use std::fmt;
use std::io;
use std::time::Instant;

/// While the ring is more than half full, one consumer wakes a producer so often at most: each one woken puts one message
/// and sleeps again.
const WAKE_EVERY_MICROS: u64 = 100;

/// The longest message in a ring. What is longer would wait long for so much room.
const INLINE_MAX: usize = 512 << 10;

/// The longest message that several consumers may copy at once, of whom one gets it.
const COPIED_TOGETHER_MAX: usize = 4096;

const OPEN: u32 = 0;
const DRAINING: u32 = 1;
const CLOSED: u32 = 2;

/// Descriptors and perhaps the bytes of this frame travel beside the ring, under its tag.
const BUNDLED: u64 = 1 << 32;

/// The start of the region.
#[repr(C)]
struct Header {
    producers: Line<Brief>,
    consumers: Line<Brief>,
    ends: Ends,
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
    segments: Segments,
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

/// A frame that was at the head when it was looked at.
struct Found {
    head: Mark,
    units: u32,
    len: usize,
    /// The tag of what travels beside it.
    bundle: Option<u64>,
}

/// What is at the head.
enum Look {
    Frame(Found),
    Nothing,
    Closed,
}

impl Backlog {
    /// A fresh region.
    pub fn create(shape: Shape) -> io::Result<Self> {
        let backlog = Self::new(Segments::create(HEADER_BYTES, shape.ring_bytes as usize)?, shape);
        let header = backlog.place();
        // SAFETY: duty: valid for writes, aligned, zero: in the mapping, at a page's start; nobody uses them yet: the memory
        // was made above and is known to nobody.
        unsafe {
            Brief::init((&raw mut (*header).producers).cast())?;
            Brief::init((&raw mut (*header).consumers).cast())?;
        }
        Ok(backlog)
    }

    /// The region of another process of the family.
    pub fn attach(handle: Handle, shape: Shape) -> io::Result<Self> {
        Ok(Self::new(Segments::attach(handle, HEADER_BYTES, shape.ring_bytes as usize)?, shape))
    }

    fn new(segments: Segments, shape: Shape) -> Self {
        Self { segments, shape, woke: AtomicU64::new(0), made: Instant::now() }
    }

    /// The handle, to be sent.
    pub fn handle(&self) -> BorrowedHandle<'_> {
        self.segments.handle()
    }

    /// What was agreed on.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The longest message that goes into the ring.
    pub fn inline_max(&self) -> usize {
        (self.shape.ring_bytes as usize / 4 - UNIT).min(INLINE_MAX)
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
        let (mut head, tail) = header.ends.last_look();
        let next = tail.after(units);
        if self.segments.is_fresh(tail.units, next.units) || !self.has_room(tail, head, units) {
            head = header.ends.look_to_write().0;
            if !self.has_room(tail, head, units) {
                return Ok(Pushed::NoRoom);
            }
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
        if self.segments.is_fresh(tail.units, next.units) {
            self.segments.open(head.units, tail.units, next.units)?;
        }
        let flags = tag.map_or(0, |_| BUNDLED);
        self.segments.write(tail.units, [bytes.len() as u64 | flags, tag.unwrap_or(0)], bytes);
        header.ends.put(next);
        drop(lock);
        header.messages.wake_one();
        // PAIR: `watch`, with its fence: this comes after the exchange with which the lock was given back.
        Ok(Pushed::Done { watched: header.watched.load(SeqCst) != 0 && header.watched.swap(0, Relaxed) != 0 })
    }

    /// Takes the next message, into `bytes`. `bundle` receives what travels beside it, by its tag; `None` when that was
    /// lost with a consumer that was killed, and then the message is skipped.
    pub fn pop<B>(
        &self,
        bytes: &mut Vec<u8>,
        mut bundle: impl FnMut(u64) -> io::Result<Option<B>>,
        deadline: impl FnOnce() -> Option<Instant>,
    ) -> io::Result<Popped<B>> {
        let mut lock = None;
        let mut deadline = Some(deadline);
        loop {
            let found = match self.look()? {
                Look::Frame(found) => found,
                Look::Nothing => return Ok(Popped::Empty),
                Look::Closed => return Ok(Popped::Closed),
            };
            if let Some(deadline) = deadline.take_if(|_| found.is_for_one()) {
                lock = Held::take(&self.header().consumers, deadline)?;
                if lock.is_none() {
                    return Ok(Popped::Empty);
                }
                continue;
            }
            // Once it is certain that this frame has a bundle, nobody without the lock can take it.
            let beside = match found.bundle {
                None => Ok(None),
                Some(_) if !self.header().ends.is_at(found.head) => continue,
                Some(tag) => match bundle(tag).map(Some) {
                    // Otherwise it is lost, and the message with it.
                    Err(error) if error.kind() != io::ErrorKind::QuotaExceeded => return Err(error),
                    received => received,
                },
            };
            bytes.clear();
            self.segments.read(found.head.units, found.len, bytes);
            if !self.take(&found) {
                continue;
            }
            // One lock of this kind at a time.
            drop(lock.take());
            self.leave(&found);
            match beside? {
                None => return Ok(Popped::Frame(None)),
                Some(Some(beside)) => return Ok(Popped::Frame(Some(beside))),
                // Nobody will say that it was worked on.
                Some(None) => drop(self.task_done()),
            }
        }
    }

    /// The frame at the head. Others may take it at any moment, and then what is said of it may be wrong.
    #[inline]
    fn look(&self) -> io::Result<Look> {
        let header = self.header();
        loop {
            // PAIR: `close`; who sees it late takes one message more, as if it had come earlier. First the state: once it
            // is draining, no tail is written.
            let state = header.state.load(Acquire);
            let (head, tail) = header.ends.look_to_read();
            if state == CLOSED {
                return Ok(Look::Closed);
            }
            if tail == head {
                return Ok(if state == OPEN { Look::Nothing } else { Look::Closed });
            }
            let [word, tag] = self.segments.read_head(head.units);
            let len = word as u32 as usize;
            let units = units_of(len);
            if len <= self.inline_max() && units <= tail.since(head).units {
                let bundle = (word & BUNDLED != 0).then_some(tag);
                return Ok(Look::Frame(Found { head, units, len, bundle }));
            }
            if header.ends.is_at(head) {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the queue's memory was written over",
                ));
            }
        }
    }

    /// Takes a frame that was copied, unless somebody else did.
    #[inline]
    fn take(&self, found: &Found) -> bool {
        let header = self.header();
        let next = found.head.after(found.units);
        if !header.ends.take(found.head, next) {
            return false;
        }
        header.room.wake_one_if(|| self.is_worth_a_wake(header.ends.tail(), next));
        true
    }

    /// Gives back what lies behind a frame that was taken, if that is worth it.
    #[inline]
    fn leave(&self, found: &Found) {
        let next = found.head.after(found.units);
        if self.segments.has_left(found.head.units, next.units) {
            self.give_back(found.head, next);
        }
    }

    /// Gives back memory that the head has left behind, unless producers have no time for that.
    #[cold]
    fn give_back(&self, from: Mark, to: Mark) {
        let header = self.header();
        if let Ok(Some(_lock)) = Held::take(&header.producers, || Some(Instant::now())) {
            let (head, tail) = header.ends.look();
            self.segments.give_back((from.units, to.units), (head.units, tail.units));
        }
    }

    /// Whether a consumer that left these marks wakes a producer now. Those that it lets sleep look again by themselves,
    /// soon: see [`Crowd::wait_impatiently`].
    fn is_worth_a_wake(&self, tail: Mark, head: Mark) -> bool {
        let Mark { items, units } = tail.since(head);
        if items <= self.shape.items / 2 && units as usize * UNIT <= self.shape.ring_bytes as usize / 2 {
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
            let (head, tail) = header.ends.look();
            header.state.load(Relaxed) != OPEN || self.has_room(tail, head, units_of(len))
        })
    }

    /// Waits until a get may succeed; whether it may.
    pub fn wait_for_message(&self, timeout: Option<std::time::Duration>) -> bool {
        self.header().messages.wait(timeout, || self.is_readable())
    }

    /// Wakes another consumer if there is more.
    pub fn pass_on(&self) {
        let messages = &self.header().messages;
        if messages.seems_asleep() && self.len() > 0 {
            messages.wake_one();
        }
    }

    /// Whether a get would not wait.
    pub fn is_readable(&self) -> bool {
        // PAIR: hints; `pop` looks again under the lock.
        self.header().state.load(Relaxed) != OPEN || self.len() > 0
    }

    /// How many messages there were at an instant during this call: none if nobody can get them any more.
    pub fn len(&self) -> u32 {
        if self.is_closed() {
            return 0;
        }
        let (head, tail) = self.header().ends.snapshot();
        tail.since(head).items
    }

    /// Whether there was no room for even an empty message at an instant during this call.
    pub fn is_full(&self) -> bool {
        let (head, tail) = self.header().ends.snapshot();
        !self.has_room(tail, head, 1) && !self.is_closed()
    }

    /// Asks for a ring of the bell at the next put. Who asks looks once more before it sleeps.
    pub fn watch(&self) {
        // PAIR: the load at the end of `push`, after its fence.
        self.header().watched.store(1, Relaxed);
        crate::raw::atomic::fence(SeqCst);
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

    /// Does something while nobody takes a message that has a bundle; not at all if somebody is at it until after `deadline`.
    pub fn between_bundles(&self, deadline: Instant, work: impl FnOnce()) -> io::Result<()> {
        if let Some(_lock) = Held::take(&self.header().consumers, || Some(deadline))? {
            work();
        }
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
            let put = header.ends.tail().items;
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
        done == header.ends.tail().items
    }

    fn has_room(&self, tail: Mark, head: Mark, units: u32) -> bool {
        let used = tail.since(head);
        let bytes = (used.units as usize + units as usize) * UNIT;
        used.items < self.shape.items && bytes <= self.shape.ring_bytes as usize
    }

    #[allow(clippy::cast_ptr_alignment)] // a page is aligned enough
    fn place(&self) -> *mut Header {
        self.segments.header().cast()
    }

    fn header(&self) -> &Header {
        let header = self.place();
        // SAFETY: duty: in bounds and aligned: `Segments` maps more than the header at a page's start; alive: the borrow of
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

impl Found {
    /// Whether one consumer at a time takes it.
    fn is_for_one(&self) -> bool {
        self.bundle.is_some() || self.len > COPIED_TOGETHER_MAX
    }
}

fn units_of(len: usize) -> u32 {
    (1 + len.div_ceil(UNIT)) as u32
}

#[cfg(all(test, not(loom)))]
#[path = "backlog_tests.rs"]
mod tests;
