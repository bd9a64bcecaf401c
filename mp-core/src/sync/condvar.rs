//! `Condvar`.

#![allow(unsafe_code)] // the promise that the words may be shared

use super::error::LockError;
use super::mutex::{Mutex, MutexGuard};
use crate::error::Error;
use crate::limits::LOOK_AGAIN;
use crate::raw::sequence::SequenceWords;
use crate::raw::word::Deadline;
use crate::shared::block::{Block, Words};
use crate::shared::shareable::Shareable;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::{Duration, Instant};

/// Waiting for a change of what a [`Mutex`] protects.
///
/// A notification lets as many go on as it says, of those who waited when it came. As with [`std::sync::Condvar`], a wait may
/// end without a notification all the same (when others that waited were killed): test the condition, or let
/// [`wait_while`](Self::wait_while) do it.
///
/// ```
/// use mp::sync::{Condvar, Mutex};
///
/// #[mp::task]
/// fn producer(stock: Mutex<u32>, changed: Condvar) {
///     *stock.lock().unwrap() += 3;
///     changed.notify_one();
/// }
///
/// fn main() -> Result<(), mp::Error> {
///     mp::main!();
///     let (stock, changed) = (Mutex::new(0)?, Condvar::new()?);
///     let process = mp::spawn(producer, (stock.clone(), changed.clone()))?;
///     let full = changed.wait_while(stock.lock()?, |stock| *stock < 3)?;
///     assert_eq!(*full, 3);
///     drop(full);
///     process.join()
/// }
/// ```
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Condvar {
    block: Block<CondvarWords>,
}

/// Whether a wait ended with its time-out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    /// Whether the time-out passed.
    pub fn timed_out(&self) -> bool {
        self.0
    }
}

#[repr(C)]
struct CondvarWords(SequenceWords);

// SAFETY: duty: what others write is in atomics: all of it is.
unsafe impl Words for CondvarWords {
    const KIND: u32 = 4;
    const NAME: &'static str = "condition variable";
}

impl Condvar {
    /// A new condition variable.
    ///
    /// # Errors
    /// If the system refuses memory or a descriptor.
    pub fn new() -> Result<Self, Error> {
        Ok(Self { block: Block::create(|_| Ok(()))? })
    }

    /// Gives the lock back, waits for a notification, and locks again.
    ///
    /// # Errors
    /// As [`Mutex::lock`]: somebody else may have died or panicked with the lock meanwhile.
    ///
    /// # Blocking and death
    /// For ever, if nobody notifies. A waiter that is killed leaves nothing behind; if it was woken in the place of
    /// another, that one goes on a tenth of a second later.
    pub fn wait<'a, T: Shareable>(
        &self,
        guard: MutexGuard<'a, T>,
    ) -> Result<MutexGuard<'a, T>, LockError<MutexGuard<'a, T>>> {
        self.wait_until(guard, Deadline::NEVER).0.lock()
    }

    /// Waits while `condition` holds.
    ///
    /// # Errors
    /// As [`Mutex::lock`].
    ///
    /// # Blocking and death
    /// As [`wait`](Self::wait). It tests the condition at least ten times a second: a process that changed it and was
    /// killed before it notified delays this wait, and does not make it endless.
    pub fn wait_while<'a, T: Shareable>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> Result<MutexGuard<'a, T>, LockError<MutexGuard<'a, T>>> {
        while condition(&mut guard) {
            guard = self.wait_until(guard, Deadline::after(LOOK_AGAIN)).0.lock()?;
        }
        Ok(guard)
    }

    /// Gives the lock back, waits for a notification for at most `timeout`, and locks again.
    ///
    /// # Errors
    /// As [`Mutex::lock`].
    ///
    /// # Blocking and death
    /// As [`wait`](Self::wait), with an end; but for the lock it waits as long as it takes.
    pub fn wait_timeout<'a, T: Shareable>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout: Duration,
    ) -> Result<(MutexGuard<'a, T>, WaitTimeoutResult), LockError<MutexGuard<'a, T>>> {
        let (mutex, notified) = self.wait_until(guard, Deadline::after(timeout));
        Ok((mutex.lock()?, WaitTimeoutResult(!notified)))
    }

    /// Waits while `condition` holds, for at most `timeout`. Zero tests the condition once.
    ///
    /// # Errors
    /// As [`Mutex::lock`].
    ///
    /// # Blocking and death
    /// As [`wait_while`](Self::wait_while), with an end.
    pub fn wait_timeout_while<'a, T: Shareable>(
        &self,
        mut guard: MutexGuard<'a, T>,
        timeout: Duration,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> Result<(MutexGuard<'a, T>, WaitTimeoutResult), LockError<MutexGuard<'a, T>>> {
        let start = Instant::now();
        loop {
            if !condition(&mut guard) {
                return Ok((guard, WaitTimeoutResult(false)));
            }
            let left = timeout.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Ok((guard, WaitTimeoutResult(true)));
            }
            guard = self.wait_until(guard, Deadline::after(left.min(LOOK_AGAIN))).0.lock()?;
        }
    }

    /// Wakes one of those who wait.
    pub fn notify_one(&self) {
        self.notify(1);
    }

    /// Wakes `count` of those who wait, or all if they are fewer.
    pub fn notify(&self, count: u32) {
        self.block.0.notify(count);
    }

    /// Wakes everybody who waits.
    pub fn notify_all(&self) {
        self.notify(u32::MAX);
    }

    fn wait_until<'a, T: Shareable>(
        &self,
        guard: MutexGuard<'a, T>,
        deadline: Deadline,
    ) -> (&'a Mutex<T>, bool) {
        let mutex = guard.mutex();
        let waiter = self.block.0.enter();
        drop(guard);
        (mutex, self.block.0.wait(waiter, deadline))
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").finish_non_exhaustive()
    }
}
