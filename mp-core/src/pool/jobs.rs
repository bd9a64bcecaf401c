//! The jobs of a pool: the bytes of items that have not ended, the results nobody has taken yet, and who waits.
//!
//! Encoded arguments stay here until their item ends: a worker that dies, or scribbles over its ring, takes nothing
//! with it that another worker needs.

use super::results::Results;
use super::waiter::{Asker, Waiter};
use crate::error::Error;
use crate::ids::JobId;
use crate::limits;
use crate::protocol::frame::{bytes_of_length, put_length, split_length};
use crate::shm::slab::Slab;
use crate::sys::Handle;
use crate::task::entry::Entry;
use crate::task::registry::Slot;
use crate::wire::outgoing::{Apart, Outgoing};
use std::cell::Cell;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::task::Waker;
use std::thread::ThreadId;

/// All jobs of a pool that have not ended or whose results somebody will take.
#[derive(Default)]
pub struct Jobs {
    places: Vec<Place>,
    free: Vec<u32>,
    /// The generation of a new place: no place that was here before it had this one.
    fresh: u32,
}

struct Place {
    generation: u32,
    job: Option<Job>,
}

/// One `apply`, `map` or `imap`.
#[allow(clippy::struct_excessive_bools, reason = "independent facts, each asked for by its name")]
pub struct Job {
    /// What runs.
    pub task: (Slot, &'static Entry),
    /// Whether the items are those of a collection: their errors then say which.
    pub itemised: bool,
    /// Whether somebody will take the results; if not they are thrown away.
    pub wanted: bool,
    /// Whether every item is accounted for.
    pub finished: bool,
    /// Whether each arriving result is news to the waiters, or only the end.
    pub each: bool,
    /// Whether more items may be offered, so that a short backlog is news.
    pub open: bool,
    /// How many items have been offered and have not ended.
    pub live: u64,
    /// So many items keep every worker busy.
    pub enough: u64,
    /// Encoded bytes of items that have not ended.
    pub backlog_bytes: usize,
    /// The thread that offers its items, if it may go on with something else meanwhile.
    pub feeder: Option<ThreadId>,
    /// Who is told of news.
    pub waiters: Vec<Waiter>,
    portions: VecDeque<Portion>,
    /// The portion that was found last.
    hint: Cell<usize>,
    offered: u64,
    results: Results,
    /// Whether one of the results that were taken says that its item was cancelled.
    cancelled: bool,
    /// Whether one of the results that were taken is a failure.
    failed: bool,
}

/// Some consecutive items, encoded.
pub struct Portion {
    payload: Payload,
    /// Where each item ends in the payload, if there are several.
    ends: Vec<u32>,
    items: u64,
    /// Descriptors of the only item.
    handles: Vec<Handle>,
    /// Descriptors of all items of the job.
    common: Option<Arc<[Handle]>>,
    first: u64,
    live: u64,
}

/// Where encoded bytes lie.
pub enum Payload {
    /// In this process: items as [a frame of several](crate::protocol::frame) has them.
    Packed(Vec<u8>),
    /// In this process: one item.
    Single(Vec<u8>),
    /// In shared memory: one item that is too long for a ring.
    Slab {
        /// The memory. Whoever submitted the item may still be copying into it.
        slab: Arc<Slab>,
        /// How much of it is the item.
        len: u64,
    },
}

/// One item.
pub struct Item<'a> {
    /// Its bytes.
    pub bytes: ItemBytes<'a>,
    /// Its descriptors.
    pub handles: &'a [Handle],
}

/// The bytes of one item.
pub enum ItemBytes<'a> {
    /// Copy these.
    Inline(&'a [u8]),
    /// Point at these.
    Spilled(&'a Slab, u64),
}

impl Jobs {
    /// Takes in a job.
    pub fn insert(&mut self, job: Job) -> JobId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place { generation: self.fresh, job: None });
            self.places.len() as u32 - 1
        });
        let place = &mut self.places[slot as usize];
        place.job = Some(job);
        JobId { slot, generation: place.generation }
    }

    /// A job that is still here.
    pub fn get(&mut self, id: JobId) -> Option<&mut Job> {
        let place = self.places.get_mut(id.slot as usize)?;
        if place.generation == id.generation { place.job.as_mut() } else { None }
    }

    /// The same, to look at.
    pub fn get_ref(&self, id: JobId) -> Option<&Job> {
        let place = self.places.get(id.slot as usize)?;
        if place.generation == id.generation { place.job.as_ref() } else { None }
    }

    /// Forgets a job.
    pub fn remove(&mut self, id: JobId) -> Option<Job> {
        self.get(id)?;
        let place = &mut self.places[id.slot as usize];
        place.generation = place.generation.wrapping_add(1);
        self.free.push(id.slot);
        place.job.take()
    }

    /// Whether there were many places, for jobs that are all gone: they are given up here.
    pub fn gave_up_places(&mut self) -> bool {
        if self.places.len() <= limits::JOB_PLACES_KEPT || self.free.len() < self.places.len() {
            return false;
        }
        // Each is beyond all that its place had.
        self.fresh = self.places.iter().map(|place| place.generation).max().unwrap_or(self.fresh);
        (self.places, self.free) = (Vec::new(), Vec::new());
        true
    }

    /// Every job that has not finished.
    pub fn unfinished(&self) -> impl Iterator<Item = &Job> {
        self.places.iter().filter_map(|place| place.job.as_ref()).filter(|job| !job.finished)
    }

    /// The same by their names.
    pub fn ids(&self) -> Vec<JobId> {
        let places = self.places.iter().zip(0..);
        let unfinished = places.filter(|(place, _)| place.job.as_ref().is_some_and(|job| !job.finished));
        unfinished.map(|(place, slot)| JobId { slot, generation: place.generation }).collect()
    }
}

impl Job {
    /// A job without items.
    pub fn new(task: (Slot, &'static Entry), itemised: bool, each: bool, open: bool) -> Self {
        Self {
            task,
            itemised,
            wanted: true,
            finished: false,
            each,
            open,
            live: 0,
            enough: 2,
            backlog_bytes: 0,
            feeder: None,
            waiters: Vec::new(),
            portions: VecDeque::new(),
            hint: Cell::new(0),
            offered: 0,
            results: Results::default(),
            cancelled: false,
            failed: false,
        }
    }

    /// Adds items; their numbers follow on those before. Says how many there are.
    pub fn offer(&mut self, mut portion: Portion) -> u64 {
        let count = portion.items;
        portion.first = self.offered;
        portion.live = count;
        self.offered += count;
        self.live += count;
        self.backlog_bytes += portion.weight();
        if count > 0 {
            if self.portions.is_empty() {
                // Most jobs have no second one, and there may be millions of them.
                self.portions.reserve_exact(1);
            }
            self.portions.push_back(portion);
        }
        count
    }

    /// Numbers for items that come too late to run.
    pub fn number(&mut self, items: u64) -> Range<u64> {
        let first = self.offered;
        self.offered += items;
        first..self.offered
    }

    /// The bytes of an item that has not ended.
    pub fn item(&self, item: u64) -> Option<Item<'_>> {
        let portion = self.portions.get(self.portion_of(item)?)?;
        let bytes = match &portion.payload {
            Payload::Slab { slab, len } => ItemBytes::Spilled(slab, *len),
            Payload::Single(bytes) => ItemBytes::Inline(bytes),
            Payload::Packed(bytes) => {
                let index = item - portion.first;
                let (_, bytes) =
                    split_length(bytes.get(portion.start_of(index)..portion.start_of(index + 1))?)?;
                ItemBytes::Inline(bytes)
            }
        };
        Some(Item { bytes, handles: portion.handles() })
    }

    /// Several items as one frame has them: as many of these as lie in one piece, at most `max_bytes` of them; how many
    /// that is, and their descriptors. None if it is less than two.
    pub fn packed(&self, items: Range<u64>, max_bytes: usize) -> Option<(u16, &[u8], &[Handle])> {
        let portion = self.portions.get(self.portion_of(items.start)?)?;
        let Payload::Packed(bytes) = &portion.payload else { return None };
        let first = items.start - portion.first;
        let last = (items.end - portion.first).min(portion.items).min(first + u64::from(u16::MAX));
        let start = portion.start_of(first);
        let ends = portion.ends.get(first as usize..last as usize)?;
        let count = ends.partition_point(|&end| end as usize - start <= max_bytes);
        let end = *ends.get(count.checked_sub(1).filter(|&last| last > 0)?)?;
        Some((count as u16, bytes.get(start..end as usize)?, portion.handles()))
    }

    /// These items have ended one way or another: their bytes are not needed any more. Returns slabs that are free now.
    pub fn release(&mut self, items: Range<u64>, freed: &mut Vec<Arc<Slab>>) {
        let Some(mut at) = self.portion_of(items.start) else { return };
        let mut next = items.start;
        while let Some(portion) = self.portions.get_mut(at) {
            let end = portion.first + portion.items;
            let until = end.min(items.end);
            if next >= until {
                break;
            }
            portion.live = portion.live.saturating_sub(until - next);
            self.live = self.live.saturating_sub(until - next);
            next = until;
            if portion.live == 0 {
                self.backlog_bytes = self.backlog_bytes.saturating_sub(portion.weight());
                portion.drop_handles();
                if let Payload::Slab { slab, .. } =
                    std::mem::replace(&mut portion.payload, Payload::Single(Vec::new()))
                {
                    freed.push(slab);
                }
            }
            at += 1;
        }
        while self.portions.front().is_some_and(|portion| portion.live == 0) {
            self.portions.pop_front();
            self.hint.set(self.hint.get().saturating_sub(1));
        }
    }

    /// Whether so little is left that whoever offers items should offer more.
    pub fn wants_more(&self) -> bool {
        self.open
            && (self.live < self.enough
                || (self.live < limits::BACKLOG_ITEMS / 2 && self.backlog_bytes < limits::BACKLOG_BYTES / 2))
    }

    /// Whether so much waits that no more should be offered for now.
    pub fn is_full(&self) -> bool {
        self.live >= self.enough
            && (self.live >= limits::BACKLOG_ITEMS || self.backlog_bytes >= limits::BACKLOG_BYTES)
    }

    /// Wakes this at the end, and not what the same asker left before, which is given back.
    pub fn wake(&mut self, asker: Asker, waker: Waker) -> Option<Waiter> {
        let same = |waiter: &Waiter| matches!(waiter, Waiter::Waker(of, _) if *of == asker);
        let before = self.waiters.iter().position(same).map(|at| self.waiters.swap_remove(at));
        self.waiters.push(Waiter::Waker(asker, waker));
        before
    }

    /// Where a result is kept, if anybody wants it.
    pub fn results(&mut self) -> Option<&mut Results> {
        self.wanted.then_some(&mut self.results)
    }

    /// Keeps the failure of an item, if anybody wants it.
    pub fn fail(&mut self, item: u64, error: Error) {
        let error = if self.itemised { error.on_item(item) } else { error };
        if let Some(results) = self.results() {
            results.fail(item, error);
        }
    }

    /// The results that nobody has taken.
    pub fn arrived(&self) -> &Results {
        &self.results
    }

    /// Whether an item was cancelled, as its result says or said.
    pub fn was_cancelled(&self) -> bool {
        self.cancelled || self.results.errors().any(Error::is_cancelled)
    }

    /// Whether an item failed, as its result says or said; one that was cancelled has not.
    pub fn has_failed(&self) -> bool {
        self.failed || self.results.errors().any(|error| !error.is_cancelled())
    }

    /// Hands out the results that have arrived.
    pub fn take_results(&mut self) -> Results {
        (self.cancelled, self.failed) = (self.was_cancelled(), self.has_failed());
        if self.finished {
            // Items behind a failure may still be out. They will not be sent again, and whoever has the other end of one of
            // their pipes waits for this.
            self.portions.iter_mut().for_each(Portion::drop_handles);
        }
        std::mem::take(&mut self.results)
    }

    /// Hands out the results that have arrived into storage that is used again and again: its own must be drained.
    pub fn swap_results(&mut self, with: &mut Results) {
        std::mem::swap(&mut self.results, with);
    }

    /// The tasks of executors that wait for news.
    pub fn take_wakers(&mut self) -> impl Iterator<Item = Waiter> {
        self.waiters.extract_if(.., |waiter| matches!(waiter, Waiter::Waker(..)))
    }

    /// The slabs of items that have not ended.
    pub fn into_slabs(self) -> impl Iterator<Item = Arc<Slab>> {
        self.portions.into_iter().filter_map(|portion| match portion.payload {
            Payload::Slab { slab, .. } => Some(slab),
            Payload::Packed(_) | Payload::Single(_) => None,
        })
    }

    fn portion_of(&self, item: u64) -> Option<usize> {
        // Neighbours are asked for one after the other.
        let hint = self.hint.get();
        if self.portions.get(hint).is_some_and(|portion| portion.has(item)) {
            return Some(hint);
        }
        let at = self.portions.partition_point(|portion| portion.first <= item).checked_sub(1)?;
        self.hint.set(at);
        self.portions[at].has(item).then_some(at)
    }
}

impl Portion {
    /// No items yet.
    pub fn new() -> Self {
        Self { items: 0, ..Self::of_one(Payload::Packed(Vec::new())) }
    }

    /// The same, with room for as much as this one has.
    pub fn another(&self) -> Self {
        let bytes = Payload::Packed(Vec::with_capacity(self.bytes()));
        Self { items: 0, ends: Vec::with_capacity(self.ends.len()), ..Self::of_one(bytes) }
    }

    /// One item that lies in a slab.
    pub fn spilled(slab: Arc<Slab>, len: u64) -> Self {
        Self::of_one(Payload::Slab { slab, len })
    }

    /// One item.
    pub fn single(bytes: Vec<u8>) -> Self {
        Self::of_one(Payload::Single(bytes))
    }

    fn of_one(payload: Payload) -> Self {
        Self { payload, ends: Vec::new(), items: 1, handles: Vec::new(), common: None, first: 0, live: 0 }
    }

    /// The same portion with the descriptors of its only item.
    pub fn carrying(mut self, handles: Vec<Handle>) -> Self {
        self.handles = handles;
        self
    }

    /// The same portion with descriptors that each of its items has, and has no others.
    pub fn sharing(mut self, common: Option<Arc<[Handle]>>) -> Self {
        self.common = common;
        self
    }

    fn handles(&self) -> &[Handle] {
        self.common.as_deref().unwrap_or(&self.handles)
    }

    fn drop_handles(&mut self) {
        self.handles.clear();
        self.common = None;
    }

    /// Adds an item by letting `write` append its bytes, and its descriptors to `handles`. Says how many bytes that are, and returns
    /// those that it left where they are.
    #[inline]
    pub fn push<'i>(
        &mut self,
        handles: &mut Vec<Handle>,
        write: impl FnOnce(&mut Outgoing<'_, 'i>) -> Result<(), Error>,
    ) -> Result<(usize, Option<Apart<'i>>), Error> {
        let Payload::Packed(bytes) = &mut self.payload else { return Ok((0, None)) };
        let before = bytes.len();
        bytes.push(0);
        let mut outgoing = Outgoing::new(bytes, handles);
        let written = write(&mut outgoing);
        // Moving an empty list costs more than all the rest.
        let apart = if outgoing.is_whole() { None } else { Some(outgoing.into_apart()) };
        if let Err(error) = written {
            bytes.truncate(before);
            return Err(error);
        }
        let len = put_length(before, bytes);
        // What is longer than that is taken out again.
        self.ends.push(bytes.len() as u32);
        self.items += 1;
        Ok((len, apart))
    }

    /// Takes the last item back out, as bytes of its own.
    pub fn pop(&mut self) -> Option<Vec<u8>> {
        let Payload::Packed(bytes) = &mut self.payload else { return None };
        self.ends.pop()?;
        self.items -= 1;
        let start = self.ends.last().map_or(0, |&end| end as usize);
        let item = bytes.split_off(start + bytes_of_length(*bytes.get(start)?));
        bytes.truncate(start);
        Some(item)
    }

    fn has(&self, item: u64) -> bool {
        item >= self.first && item - self.first < self.items
    }

    /// Where an item of several starts, or the one before it ends.
    fn start_of(&self, index: u64) -> usize {
        index.checked_sub(1).and_then(|before| self.ends.get(before as usize)).map_or(0, |&end| end as usize)
    }

    /// How many items there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.items as usize
    }

    /// How many bytes the items have.
    #[inline]
    pub fn bytes(&self) -> usize {
        match &self.payload {
            Payload::Packed(bytes) | Payload::Single(bytes) => bytes.len(),
            Payload::Slab { len, .. } => *len as usize,
        }
    }

    /// How much it counts of the input that waits.
    pub fn weight(&self) -> usize {
        self.bytes() + self.handles.len() * limits::BACKLOG_BYTES_PER_HANDLE
    }
}

#[cfg(all(test, not(loom)))]
#[path = "jobs_tests.rs"]
mod tests;
