//! `RwLock`.
//!
//! ```text
//!  gate    ▢               a robust lock, as all of these: a writer takes it first, and then the open seats in order
//!  seats   ▢ ▢ ▢ ▢ ┆ ▢ ..  a reader takes an open one that is free
//!  open    4       ┆       how many are open
//!  state   WRITING │ POISONED
//! ```
//! | `open` | by | goes to | when |
//! |---|---|---|---|
//! | n | a reader that has the gate | n + 1, at most 64 | others have all open seats, and it has taken the next one |
//!
//! | `WRITING` | by | when |
//! |---|---|---|
//! | 0 → 1 | a writer | it has all seats, before it has the guard |
//! | 1 → 0 | the same writer | it drops its guard, before it gives the first seat back |
//! | 1 → 0 | a later writer | it took over, and recovered |
//!
//! Whoever has an open seat and sees `WRITING` knows that its writer is dead: a living one would have that seat. A reader that
//! dies leaves a seat that the next one takes over without a word, as it has changed nothing.

#![allow(unsafe_code)] // the value behind the lock

use super::error::{LockError, OwnerDied, sealed};
use super::lock::{LockWords, Patience, Refusal};
use crate::error::Error;
use crate::shared::block::{Block, Words};
use crate::shared::shareable::Shareable;
use crate::sys::cpu;
use serde::{Deserialize, Serialize};
use std::cell::{Cell, UnsafeCell};
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{
    AtomicU32,
    Ordering::{Relaxed, SeqCst},
    fence,
};
use std::thread;
use std::time::Duration;

const SEATS: usize = 64;
/// So many seats are open from the start.
const OPEN_FIRST: u32 = 4;
/// How often who does not want to wait looks at a gate that is taken though nobody writes: a reader that opens a seat has it for a
/// moment.
const GATE_LOOKS: u32 = 100;
const WRITING: u32 = 1;
const POISONED: u32 = 2;

/// A value that many may read at a time, or one may change.
///
/// At most 64 read at a time; more wait, but for a thread that reads already, which gets an error. Writing is the dearer side: a writer takes five locks, and one more for each reader beyond
/// four that there ever was beside others. A writer that waits keeps new readers out sooner or later, so a thread that
/// reads should not lock again.
///
/// A writer that is killed is seen by everybody, as [`LockError::OwnerDied`], until a writer has
/// [recovered](super::OwnerDied::recover); a reader that is killed by nobody.
///
/// ```
/// let config = mp::sync::RwLock::new([1, 2, 3])?;
/// {
///     let (one, two) = (config.read()?, config.read()?);
///     assert_eq!(one[0] + two[2], 4);
///     assert!(config.try_write().is_err());
/// }
/// config.write()?[0] = 10;
/// assert_eq!(*config.read()?, [10, 2, 3]);
/// # Ok::<(), mp::Error>(())
/// ```
#[allow(clippy::unsafe_derive_deserialize, reason = "`Block` checks what arrives")]
#[derive(Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct RwLock<T: Shareable> {
    block: Block<RwLockWords<T>>,
}

/// The right to read the value of an [`RwLock`]. It stays in the thread that locked.
#[must_use = "dropped, it gives the lock back"]
pub struct RwLockReadGuard<'a, T: Shareable> {
    lock: &'a RwLock<T>,
    seat: usize,
    stays: PhantomData<*const ()>,
}

/// The right to change the value of an [`RwLock`]. It stays in the thread that locked.
#[must_use = "dropped, it gives the lock back"]
pub struct RwLockWriteGuard<'a, T: Shareable> {
    lock: &'a RwLock<T>,
    /// All that are open.
    seats: usize,
    panicking: bool,
    /// Whether a writer before this one died, and nobody has recovered.
    died: Cell<bool>,
    stays: PhantomData<*const ()>,
}

// SAFETY: duty: what several threads may do with a `&` of it: read the value, and `Shareable` types are `Sync`.
unsafe impl<T: Shareable> Sync for RwLockReadGuard<'_, T> {}

#[repr(C, align(64))]
struct Seat(LockWords);

#[repr(C)]
struct RwLockWords<T> {
    gate: Seat,
    seats: [Seat; SEATS],
    open: AtomicU32,
    state: AtomicU32,
    value: UnsafeCell<T>,
}

// SAFETY: duty: threads reach the value only with a seat, and change it only with all: kept by the guards.
unsafe impl<T: Shareable> Sync for RwLockWords<T> {}

// SAFETY: duty: what others write is guarded and valid for all bits: the value by the seats and by `Shareable`; the rest
// is atomics and the system's locks.
unsafe impl<T: Shareable> Words for RwLockWords<T> {
    const KIND: u32 = 7;
    const NAME: &'static str = "read-write lock";
}

type Read<'a, T> = Result<RwLockReadGuard<'a, T>, LockError<RwLockReadGuard<'a, T>>>;
type Write<'a, T> = Result<RwLockWriteGuard<'a, T>, LockError<RwLockWriteGuard<'a, T>>>;

impl<T: Shareable> RwLock<T> {
    /// A new lock with this value, free.
    ///
    /// # Errors
    /// If the system refuses memory or a descriptor, or cannot do it at all.
    pub fn new(value: T) -> Result<Self, Error> {
        let block = Block::create(|words: *mut RwLockWords<T>| {
            // SAFETY: duty: valid, unused and zero: `Block::create` says so of what it passes.
            unsafe {
                (&raw mut (*words).value).write(UnsafeCell::new(value));
                LockWords::init(&raw mut (*words).gate.0)?;
                (0..SEATS).try_for_each(|seat| LockWords::init(&raw mut (*words).seats[seat].0))
            }
        })?;
        // PAIR: `open`; the block is given away later.
        block.open.store(OPEN_FIRST, Relaxed);
        Ok(Self { block })
    }

    /// Locks for reading, and waits while somebody writes.
    ///
    /// # Errors
    /// [`LockError::OwnerDied`] and [`LockError::Poisoned`] with the guard, if a writer died or panicked; [`LockError::Failed`] if this
    /// thread writes, or holds what 64 readers may.
    ///
    /// # Blocking and death
    /// Waits as long as a living thread writes. When it is killed, everybody who waits goes on.
    pub fn read(&self) -> Read<'_, T> {
        self.read_with(Patience::Endless)
    }

    /// Locks for reading if nobody writes.
    ///
    /// # Errors
    /// [`LockError::WouldBlock`]; otherwise as [`read`](Self::read).
    pub fn try_read(&self) -> Read<'_, T> {
        self.read_with(Patience::Once)
    }

    /// Locks for reading, and waits for at most `timeout`. Zero tries once.
    ///
    /// # Errors
    /// [`LockError::TimedOut`]; otherwise as [`read`](Self::read).
    ///
    /// # Blocking and death
    /// As [`read`](Self::read), with an end.
    pub fn read_timeout(&self, timeout: Duration) -> Read<'_, T> {
        self.read_with(Patience::of(timeout))
    }

    /// Locks for writing, and waits while somebody reads or writes.
    ///
    /// # Errors
    /// [`LockError::OwnerDied`] and [`LockError::Poisoned`] with the guard, if a writer died or panicked;
    /// [`LockError::Failed`] if this thread reads or writes already.
    ///
    /// # Blocking and death
    /// Waits as long as living threads read or write. One that is killed makes way at once.
    pub fn write(&self) -> Write<'_, T> {
        self.write_with(Patience::Endless)
    }

    /// Locks for writing if nobody reads or writes.
    ///
    /// # Errors
    /// [`LockError::WouldBlock`]; otherwise as [`write`](Self::write).
    pub fn try_write(&self) -> Write<'_, T> {
        self.write_with(Patience::Once)
    }

    /// Locks for writing, and waits for at most `timeout`. Zero tries once.
    ///
    /// # Errors
    /// [`LockError::TimedOut`]; otherwise as [`write`](Self::write).
    ///
    /// # Blocking and death
    /// As [`write`](Self::write), with an end.
    pub fn write_timeout(&self, timeout: Duration) -> Write<'_, T> {
        self.write_with(Patience::of(timeout))
    }

    /// Whether a writer has panicked.
    pub fn is_poisoned(&self) -> bool {
        self.state() & POISONED != 0
    }

    /// Says that the value is in order again after a panic.
    pub fn clear_poison(&self) {
        self.block.state.fetch_and(!POISONED, Relaxed);
    }

    fn state(&self) -> u32 {
        // PAIR: the writers' changes, ordered by the seats.
        self.block.state.load(Relaxed)
    }

    fn read_with(&self, patience: Patience) -> Read<'_, T> {
        let seat = self.take_a_seat(patience).map_err(|refusal| refusal.error(patience))?;
        self.block.hold();
        let guard = RwLockReadGuard { lock: self, seat, stays: PhantomData };
        match self.state() {
            0 => Ok(guard),
            state if state & WRITING != 0 => Err(LockError::OwnerDied(OwnerDied::new(guard))),
            _ => Err(LockError::Poisoned(guard)),
        }
    }

    /// How many seats are open: for who has the gate, now.
    fn open(&self) -> usize {
        // PAIR: `open_a_seat`, or the gate.
        (self.block.open.load(Relaxed) as usize).clamp(1, SEATS)
    }

    /// Any seat that is free; if there is none, waits for one.
    fn take_a_seat(&self, patience: Patience) -> Result<usize, Refusal> {
        if let Some(seat) = self.take_an_open_seat()? {
            return Ok(seat);
        }
        self.take_the_gate(patience)?;
        // Nobody writes now; it may have been a writer who had the seats.
        let taken = match self.take_an_open_seat() {
            Ok(None) => self.open_a_seat(),
            taken => taken,
        };
        // SAFETY: duty: held by this thread: taken above.
        unsafe { self.block.gate.0.give_back() };
        if let Some(seat) = taken? {
            return Ok(seat);
        }
        let seat = cpu::current() as usize % SEATS;
        self.block.seats[seat].0.take(patience).map(|()| seat)
    }

    fn take_an_open_seat(&self) -> Result<Option<usize>, Refusal> {
        let (open, here) = (self.open(), cpu::current() as usize);
        for seat in (0..open).map(|step| (here + step) % open) {
            match self.block.seats[seat].0.take(Patience::Once) {
                Ok(()) => return Ok(Some(seat)),
                Err(Refusal::Busy | Refusal::Mine) => {}
                Err(refusal @ Refusal::Os(_)) => return Err(refusal),
            }
        }
        Ok(None)
    }

    /// Takes the next seat, and opens it. With the gate; none if all are open.
    fn open_a_seat(&self) -> Result<Option<usize>, Refusal> {
        let seat = self.open();
        let Some(next) = self.block.seats.get(seat) else { return Ok(None) };
        next.0.take(Patience::Once)?;
        // PAIR: `open`; the next one at the gate takes this seat, too.
        self.block.open.store(seat as u32 + 1, Relaxed);
        Ok(Some(seat))
    }

    fn take_the_gate(&self, patience: Patience) -> Result<(), Refusal> {
        let mut looks = 0;
        loop {
            match self.block.gate.0.take(patience) {
                Err(Refusal::Busy) if looks < GATE_LOOKS && self.is_opening(patience) => {
                    looks += 1;
                    thread::yield_now();
                }
                taken => return taken,
            }
        }
    }

    /// Whether a gate that is taken may be free in a moment, and nobody waits for it.
    fn is_opening(&self, patience: Patience) -> bool {
        matches!(patience, Patience::Once) && self.state() & WRITING == 0
    }

    fn write_with(&self, patience: Patience) -> Write<'_, T> {
        self.block.gate.0.take(patience).map_err(|refusal| refusal.error(patience))?;
        let seats = self.open();
        for seat in 0..seats {
            if let Err(refusal) = self.block.seats[seat].0.take(patience) {
                // SAFETY: duty: held by this thread: the gate, and the seats before this one, were taken above.
                unsafe { self.leave_all(seat) };
                return Err(refusal.error(patience));
            }
        }
        self.block.hold();
        // PAIR: every look at the state by who has a seat. The fence keeps what the guard does behind it.
        let before = self.block.state.fetch_or(WRITING, Relaxed);
        fence(SeqCst);
        let died = Cell::new(before & WRITING != 0);
        let panicking = thread::panicking();
        let guard = RwLockWriteGuard { lock: self, seats, panicking, died, stays: PhantomData };
        match before {
            0 => Ok(guard),
            state if state & WRITING != 0 => Err(LockError::OwnerDied(OwnerDied::new(guard))),
            _ => Err(LockError::Poisoned(guard)),
        }
    }

    /// Gives back what a writer has: the first seats, and the gate.
    ///
    /// # Safety
    /// This thread holds them.
    unsafe fn leave_all(&self, seats: usize) {
        // SAFETY: duty: held by this thread, for all: the caller by the contract.
        unsafe {
            self.block.seats[..seats].iter().for_each(|seat| seat.0.give_back());
            self.block.gate.0.give_back();
        }
    }
}

impl<T: Shareable> Deref for RwLockReadGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: duty: nobody writes meanwhile: a writer needs this guard's seat; valid: `Shareable`, for all bits.
        unsafe { &*self.lock.block.value.get() }
    }
}

impl<T: Shareable> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: duty: nobody writes meanwhile: this guard has all seats; valid: `Shareable`, for all bits.
        unsafe { &*self.lock.block.value.get() }
    }
}

impl<T: Shareable> DerefMut for RwLockWriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: duty: nobody else reads or writes meanwhile: this guard has all seats and is borrowed mutably.
        unsafe { &mut *self.lock.block.value.get() }
    }
}

impl<T: Shareable> Drop for RwLockReadGuard<'_, T> {
    fn drop(&mut self) {
        self.lock.block.let_go();
        // SAFETY: duty: held by this thread: the guard is not `Send`.
        unsafe { self.lock.block.seats[self.seat].0.give_back() };
    }
}

impl<T: Shareable> Drop for RwLockWriteGuard<'_, T> {
    fn drop(&mut self) {
        let block = &self.lock.block;
        if !self.panicking && thread::panicking() {
            block.state.fetch_or(POISONED, Relaxed);
        }
        if !self.died.get() {
            // What the guard did stays before this.
            fence(SeqCst);
            // PAIR: as in `write_with`.
            block.state.fetch_and(!WRITING, Relaxed);
        }
        block.let_go();
        // SAFETY: duty: held by this thread: the guard is not `Send`.
        unsafe { self.lock.leave_all(self.seats) };
    }
}

impl<T: Shareable> sealed::Recover for RwLockReadGuard<'_, T> {
    /// Who reads cannot put anything in order: the news stays for a writer.
    fn recover(&self) {}
}

impl<T: Shareable> sealed::Recover for RwLockWriteGuard<'_, T> {
    fn recover(&self) {
        self.died.set(false);
    }
}

impl<T: Shareable> Clone for RwLock<T> {
    fn clone(&self) -> Self {
        Self { block: self.block.clone() }
    }
}

impl<T: Shareable + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("RwLock");
        match self.try_read() {
            Ok(guard) | Err(LockError::Poisoned(guard)) => text.field("value", &*guard),
            Err(LockError::OwnerDied(died)) => text.field("value", &**died.as_guard()),
            Err(_) => text.field("value", &format_args!("<locked>")),
        };
        text.field("poisoned", &self.is_poisoned()).finish_non_exhaustive()
    }
}

impl<T: Shareable + fmt::Debug> fmt::Debug for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: Shareable + fmt::Debug> fmt::Debug for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
