//! Handles on their way to nobody knows whom, and what becomes of them when nobody comes.
//!
//! A process (the keeper, see [`super::family`]) has copies of them until their message is received. Shared memory with its
//! name says which, so that it closes them at the end. Nobody else closes a copy: whoever is killed at whatever moment, no
//! number is closed twice.
//!
//! ```text
//!  sender    a free slot ─► copy into the keeper ─► slot is FULL ─► message
//!  receiver  message ─► copy of the copy ─► slot is OVER ─────────► rings
//!  keeper    OVER, or FULL and the pipe is gone ─► close the copy ─► FREE
//! ```
//! | `state` | by | goes to | when |
//! |---|---|---|---|
//! | FREE | sender | WRITING | it takes the slot |
//! | WRITING | sender | FULL | the copy is there |
//! | WRITING | sender | FREE | there is no copy |
//! | WRITING | keeper | FREE | the sender was killed: the one copy that it may have made stays |
//! | FULL | receiver | OVER | it has a copy of the copy |
//! | FULL | sender | OVER | the message was not sent, or its receiver is gone |
//! | FULL | keeper | OVER | no process has the end that would receive it |
//! | OVER | keeper | FREE | the copy is closed |
//!
//! Whether a process has an end is told by the name of the pipe, which is there as long as its server's end: the end that
//! receives, where only one does. Toward the other end of a duplex, what was sent is taken out by that end when it is dropped,
//! and is over for the sender when it finds the receiver gone.

#![allow(unsafe_code)] // named events, the place of slots in a mapping, closing by number

use super::call::{owned, signal, wait_for, wide};
use super::family::Peer;
use super::life::{self, Life};
use super::line::{self, Pipe};
use super::segment::Segment;
use super::{BorrowedHandle, Handle, borrow, family};
use std::io;
use std::os::windows::io::FromRawHandle as _;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use windows_sys::Win32::System::Threading::CreateEventW;

/// How many copies can be on their way at once. What is beyond that is moved by its receiver, or stays until the keeper ends.
const SLOTS: usize = 4096;

/// How often the keeper looks for pipes that are gone: those of processes that were killed say nothing.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

const FREE: u32 = 0;
const WRITING: u32 = 1;
const FULL: u32 = 2;
const OVER: u32 = 3;

/// What the shared memory holds; all zeros at first.
#[repr(C)]
struct Book {
    /// One more than the highest slot that was ever used.
    used: AtomicU32,
    /// 1: all slots were free when the keeper went to sleep.
    asleep: AtomicU32,
    /// 1: somebody has closed an end of a pipe.
    closed: AtomicU32,
    slots: [Slot; SLOTS],
}

#[repr(C)]
struct Slot {
    state: AtomicU32,
    /// The number in the keeper.
    copy: AtomicU32,
    /// The life of who writes it; 0 while it is free, and for a moment longer.
    writer: AtomicU64,
    /// The pipe that the message goes into.
    pipe: [AtomicU64; 2],
}

/// The deposits with one keeper, as this process sees them.
#[derive(Debug)]
pub struct Deposits {
    /// A `Book`.
    memory: Segment,
    /// Set when the keeper has something to do.
    event: Handle,
}

/// Those with this process.
static OURS: OnceLock<Option<Arc<Deposits>>> = OnceLock::new();

impl Deposits {
    /// Those with `keeper`; `None` if they cannot be had.
    pub fn with(keeper: &Peer) -> Option<Arc<Self>> {
        /// Those with the first of the family. Others are rare: a detached process that gives something to another one.
        static LATEST: Mutex<Option<(u32, Arc<Deposits>)>> = Mutex::new(None);
        if keeper.handle().is_none() {
            return OURS.get_or_init(|| Self::ours().ok()).clone();
        }
        // Nothing that panics runs under this lock.
        let mut latest = LATEST.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, deposits)) = latest.as_ref().filter(|(pid, _)| *pid == keeper.pid()) {
            return Some(deposits.clone());
        }
        let name = name_of(keeper.pid());
        let deposits = Arc::new(Self::of(&name, Segment::open_named(&name).ok()?).ok()?);
        *latest = Some((keeper.pid(), deposits.clone()));
        Some(deposits)
    }

    /// The same, but that this process does not become a keeper by it.
    pub fn at_hand(keeper: &Peer) -> Option<Arc<Self>> {
        if keeper.handle().is_none() { OURS.get().cloned().flatten() } else { Self::with(keeper) }
    }

    fn ours() -> io::Result<Arc<Self>> {
        let name = name_of(std::process::id());
        let ours = Arc::new(Self::of(&name, Segment::create_named(&name, size_of::<Book>())?)?);
        let keeper = std::thread::Builder::new().name("mp-keeper".into()).stack_size(64 << 10);
        keeper.spawn({
            let ours = ours.clone();
            move || ours.keep()
        })?;
        Ok(ours)
    }

    fn of(name: &str, memory: Segment) -> io::Result<Self> {
        if memory.len() < size_of::<Book>() as u64 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let name = wide(&format!("Local\\{name}.event"));
        // SAFETY: duty: valid pointers: null is the default, the name ends in NUL. Duty of `owned`: it was made just now.
        let event = unsafe { owned(CreateEventW(std::ptr::null(), 0, 0, name.as_ptr()))? };
        Ok(Self { memory, event })
    }

    /// Closes what is over, as long as this process lives.
    fn keep(&self) {
        let book = self.book();
        let mut looked = Instant::now();
        loop {
            // PAIR: `draft` takes a slot before it looks here: it sees that we sleep, or we see the slot.
            book.asleep.store(1, SeqCst);
            let is_empty = self.used().all(|slot| slot.state.load(SeqCst) == FREE);
            if !is_empty {
                book.asleep.store(0, SeqCst);
            }
            wait_for(borrow(&self.event), (!is_empty).then(|| LOOK_AGAIN.saturating_sub(looked.elapsed())));
            // PAIR: `pipe_closed`.
            let is_due = book.closed.swap(0, SeqCst) == 1 || looked.elapsed() >= LOOK_AGAIN;
            if is_due {
                looked = Instant::now();
            }
            while self.sweep(is_due) {}
        }
    }

    /// Closes what is over; whether that may have been the last of another pipe.
    fn sweep(&self, looks_for_pipes: bool) -> bool {
        let mut known: Vec<(Pipe, bool)> = Vec::new();
        let mut has_closed = false;
        for slot in self.used() {
            let state = slot.state.load(Acquire);
            match state {
                WRITING if looks_for_pipes => {
                    let writer = slot.writer.load(Relaxed);
                    if writer != 0 && !life::is_alive(Life(writer)) {
                        slot.leave();
                    }
                }
                FULL if looks_for_pipes => {
                    let pipe = slot.pipe();
                    if !known.iter().any(|(other, _)| *other == pipe) {
                        known.push((pipe, pipe.goes_to_server && line::is_gone(pipe)));
                    }
                    // Nobody has the end by which a receiver would come.
                    if known.contains(&(pipe, true)) && slot.end() {
                        slot.close();
                        has_closed = true;
                    }
                }
                OVER => {
                    slot.close();
                    has_closed = true;
                }
                _ => {}
            }
        }
        looks_for_pipes && has_closed
    }

    /// Puts copies of `handles` into the keeper, for a message that goes into `pipe`: what the message says of each.
    pub fn give(&self, keeper: &Peer, handles: &[BorrowedHandle<'_>], pipe: Pipe) -> io::Result<Vec<u64>> {
        let mut given = Vec::with_capacity(handles.len());
        for handle in handles {
            let draft = self.draft();
            match keeper.give(std::slice::from_ref(handle)) {
                Ok(copy) => {
                    let copy = copy.first().map_or(0, |copy| *copy as u32);
                    if let Some(slot) = draft {
                        self.slot(slot).fill(copy, pipe);
                    }
                    given.push(u64::from(draft.map_or(0, |slot| slot + 1)) << 32 | u64::from(copy));
                }
                Err(error) => {
                    if let Some(slot) = draft {
                        self.slot(slot).leave();
                    }
                    self.take_back(keeper, &given, pipe);
                    return Err(error);
                }
            }
        }
        Ok(given)
    }

    /// Takes a free slot.
    fn draft(&self) -> Option<u32> {
        let (life, book) = (life::this_life()?, self.book());
        let free = |slot: &Slot| {
            // PAIR: `leave`.
            slot.state.load(Relaxed) == FREE
                && slot.state.compare_exchange(FREE, WRITING, SeqCst, Relaxed).is_ok()
        };
        let index = book.slots.iter().position(free)?;
        book.slots[index].writer.store(life.0, Relaxed);
        book.used.fetch_max(index as u32 + 1, SeqCst);
        // PAIR: `keep`.
        if book.asleep.swap(0, SeqCst) == 1 {
            signal(borrow(&self.event));
        }
        Some(index as u32)
    }

    /// Gets what a message says is with the keeper.
    pub fn fetch(&self, keeper: &Peer, word: u64) -> io::Result<Handle> {
        let Some(slot) = self.slot_of(word) else { return keeper.fetch(word) };
        let copied = keeper.copy(word & u64::from(u32::MAX));
        if slot.copy.load(Relaxed) == word as u32 {
            self.end(slot);
        }
        copied
    }

    /// Nobody will receive these, which were given for `pipe`: closes them.
    pub fn take_back(&self, keeper: &Peer, given: &[u64], pipe: Pipe) {
        for word in given {
            match self.slot_of(*word) {
                // Its pipe may be gone, and the slot another one's.
                Some(slot) if slot.copy.load(Relaxed) == *word as u32 && slot.pipe() == pipe => {
                    self.end(slot);
                }
                Some(_) => {}
                None => keeper.take_back(&[*word]),
            }
        }
    }

    /// What went into `pipe` in the direction that it says will not be received: its receiver is gone.
    pub fn end_all(&self, pipe: Pipe) {
        // PAIR: `fill`.
        let of_pipe = |slot: &&Slot| slot.state.load(Acquire) == FULL && slot.pipe() == pipe;
        self.used().filter(of_pipe).for_each(|slot| self.end(slot));
    }

    /// Somebody has closed an end of a pipe: perhaps it was the last one.
    pub fn pipe_closed(&self) {
        // PAIR: `keep`.
        if self.book().asleep.load(SeqCst) == 0 && self.book().closed.swap(1, SeqCst) == 0 {
            signal(borrow(&self.event));
        }
    }

    fn end(&self, slot: &Slot) {
        if slot.end() {
            signal(borrow(&self.event));
        }
    }

    fn slot_of(&self, word: u64) -> Option<&Slot> {
        let index = ((word >> 32) as usize).checked_sub(1)?;
        self.book().slots.get(index)
    }

    fn slot(&self, index: u32) -> &Slot {
        &self.book().slots[index as usize]
    }

    fn used(&self) -> impl Iterator<Item = &Slot> {
        self.book().slots.iter().take(self.book().used.load(SeqCst) as usize)
    }

    #[allow(clippy::cast_ptr_alignment)] // a page is aligned enough
    fn book(&self) -> &Book {
        // SAFETY: duty: in bounds and aligned: `of` has seen that it is long enough, at a page's start; alive: the borrow of
        // `self` keeps the mapping; valid and shareable: atomics, for which all bits are valid.
        unsafe { &*self.memory.ptr().cast::<Book>() }
    }
}

impl Slot {
    /// Says what is in it.
    fn fill(&self, copy: u32, pipe: Pipe) {
        self.copy.store(copy, Relaxed);
        let [token, next] = &self.pipe;
        token.store(pipe.token, Relaxed);
        next.store(pipe.next << 1 | u64::from(pipe.goes_to_server), Relaxed);
        // PAIR: whoever finds it FULL sees what is in it.
        self.state.store(FULL, Release);
    }

    fn pipe(&self) -> Pipe {
        let [token, next] = self.pipe.each_ref().map(|word| word.load(Relaxed));
        Pipe { token, next: next >> 1, goes_to_server: next & 1 == 1 }
    }

    /// Whether it was full; now its copy is to be closed.
    fn end(&self) -> bool {
        // PAIR: `sweep`.
        self.state.compare_exchange(FULL, OVER, AcqRel, Relaxed).is_ok()
    }

    /// Closes the copy. For the keeper alone.
    fn close(&self) {
        let copy = std::ptr::without_provenance_mut(self.copy.load(Relaxed) as usize);
        // SAFETY: duty: open, and nobody else's: a copy that was put into this process, and its slot is OVER, which only the
        // thread that calls this ends.
        drop(unsafe { Handle::from_raw_handle(copy) });
        self.leave();
    }

    /// Makes it free. For who wrote it, or the keeper.
    fn leave(&self) {
        self.writer.store(0, Relaxed);
        // PAIR: `draft` takes it.
        self.state.store(FREE, Release);
    }
}

fn name_of(keeper: u32) -> String {
    format!("mp.{:x}.{keeper:x}.deposits", family::token())
}

#[cfg(test)]
mod tests {
    use super::super::packet::{Packets, Patient};
    use super::*;
    use std::io::IoSlice;
    use windows_sys::Win32::System::Threading::{EVENT_MODIFY_STATE, OpenEventW};

    /// An event that is there as long as somebody has a handle of it.
    fn named(name: &str) -> Handle {
        // SAFETY: duty: valid pointers: null is the default, the name ends in NUL. Duty of `owned`: it was made just now.
        unsafe { owned(CreateEventW(std::ptr::null(), 1, 0, wide(name).as_ptr())).unwrap() }
    }

    fn is_there(name: &str) -> bool {
        // SAFETY: as above.
        unsafe { owned(OpenEventW(EVENT_MODIFY_STATE, 0, wide(name).as_ptr())).is_ok() }
    }

    fn until_gone(name: &str) {
        while is_there(name) {
            std::thread::yield_now();
        }
    }

    fn send(from: &Packets, name: &str) {
        from.send(&[IoSlice::new(b"x")], &[borrow(&named(name))], Patient::No).unwrap();
        assert!(is_there(name), "it is on its way");
    }

    #[test]
    fn what_is_received_is_the_receivers() {
        const NAME: &str = "Local\\mp-test-received";
        let (one, other) = Packets::pair().unwrap();
        send(&one, NAME);
        let mut handles = Vec::new();
        other.receive(&mut [0; 8], &mut handles, Patient::No).unwrap();
        assert!(is_there(NAME) && handles.len() == 1);
        drop(handles);
        until_gone(NAME);
    }

    #[test]
    fn what_nobody_receives_is_closed_with_the_pipe_in_both_directions() {
        const NAMES: [&str; 2] = ["Local\\mp-test-there", "Local\\mp-test-back"];
        for order in 0..2 {
            let (one, other) = Packets::pair().unwrap();
            send(&one, NAMES[0]);
            send(&other, NAMES[1]);
            let (first, second) = if order == 0 { (one, other) } else { (other, one) };
            drop(first);
            drop(second);
            NAMES.into_iter().for_each(until_gone);
        }
    }

    #[test]
    fn what_was_sent_to_the_dead_is_closed() {
        const NAME: &str = "Local\\mp-test-dead";
        for order in 0..4 {
            let (one, other) = Packets::pair().unwrap();
            let (sender, receiver) = if order < 2 { (one, other) } else { (other, one) };
            send(&sender, NAME);
            // Nothing is taken out: as if its process had been killed.
            receiver.let_go().unwrap();
            if order % 2 == 0 {
                let error = sender.send(&[IoSlice::new(b"x")], &[], Patient::No).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
                until_gone(NAME);
            }
            drop(sender);
            until_gone(NAME);
        }
    }

    #[test]
    fn what_is_sent_stays_for_who_comes_late() {
        const NAME: &str = "Local\\mp-test-late";
        for round in 0..2 {
            let (one, other) = Packets::pair().unwrap();
            let (sender, receiver) = if round == 0 { (one, other) } else { (other, one) };
            send(&sender, NAME);
            drop(sender);
            Deposits::with(family::keeper()).unwrap().pipe_closed();
            let mut handles = Vec::new();
            receiver.receive(&mut [0; 8], &mut handles, Patient::No).unwrap();
            assert!(handles.len() == 1 && is_there(NAME));
            drop(handles);
            until_gone(NAME);
        }
    }

    #[test]
    fn what_cannot_be_sent_is_closed() {
        const NAME: &str = "Local\\mp-test-refused";
        let (one, other) = Packets::pair().unwrap();
        drop(other);
        let event = named(NAME);
        let error = one.send(&[IoSlice::new(b"x")], &[borrow(&event)], Patient::No).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        drop(event);
        until_gone(NAME);
    }
}
