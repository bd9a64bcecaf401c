//! `Once` and `OnceLock`.

#![allow(unsafe_code)] // the value that is written once

use super::lock::{LockWords, Patience, Refusal};
use crate::error::Error;
use crate::shared::block::{Block, Words};
use crate::shared::shareable::Shareable;
use serde::{Deserialize, Serialize};
use std::cell::UnsafeCell;
use std::fmt;
use std::sync::atomic::{
    AtomicU32,
    Ordering::{Acquire, Relaxed, Release},
};

/// A value that is written once and then read by every process without a lock.
///
/// ```
/// use mp::sync::OnceLock;
///
/// let seed = OnceLock::new()?;
/// assert_eq!(seed.get(), None);
/// assert_eq!(seed.get_or_init(|| 7)?, &7);
/// assert_eq!(seed.set(8), Err(8));
/// # Ok::<(), mp::Error>(())
/// ```
#[allow(clippy::unsafe_derive_deserialize, reason = "`Block` checks what arrives")]
#[derive(Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct OnceLock<T: Shareable> {
    block: Block<OnceWords<T>>,
}

#[repr(C)]
struct OnceWords<T> {
    lock: LockWords,
    /// 0 while there is no value; 1 from then on.
    ready: AtomicU32,
    value: UnsafeCell<T>,
}

// SAFETY: duty: no thread reads the value while another one writes it: it is written under the lock before `ready`, read
// after it, and never written again.
unsafe impl<T: Shareable> Sync for OnceWords<T> {}

// SAFETY: duty: what others write is guarded and valid for all bits: the value by `ready` and by `Shareable`; the rest is
// atomics and the system's lock.
unsafe impl<T: Shareable> Words for OnceWords<T> {
    const KIND: u32 = 6;
    const NAME: &'static str = "once-lock";
}

impl<T: Shareable> OnceLock<T> {
    /// A new one without a value.
    ///
    /// # Errors
    /// If the system refuses memory or a descriptor, or cannot do it at all.
    pub fn new() -> Result<Self, Error> {
        let block = Block::create(|words: *mut OnceWords<T>| {
            // SAFETY: duty: valid, unused and zero: `Block::create` says so of what it passes.
            unsafe { LockWords::init(&raw mut (*words).lock) }
        })?;
        Ok(Self { block })
    }

    /// The value, if there is one.
    pub fn get(&self) -> Option<&T> {
        // PAIR: `initialize` releases.
        let ready = self.block.ready.load(Acquire) == 1;
        // SAFETY: duty: written and never written again: `ready` says so.
        ready.then(|| unsafe { &*self.block.value.get() })
    }

    /// Writes the value if there is none; gives it back otherwise, also if the lock cannot be had.
    ///
    /// # Errors
    /// The value.
    ///
    /// # Blocking and death
    /// Waits for an initializer that runs. One that is killed is as if it had not run.
    pub fn set(&self, value: T) -> Result<(), T> {
        let mut value = Some(value);
        let result = self.initialize(|| value.take());
        match (result, value) {
            (_, Some(value)) => Err(value),
            (Ok(_) | Err(_), None) => Ok(()),
        }
    }

    /// The value; `init` makes it if there is none. One initializer runs at a time, in all processes.
    ///
    /// # Errors
    /// Of kind [`Deadlock`](crate::ErrorKind::Deadlock) if `init` asks for the value that it is to make.
    ///
    /// # Panics
    /// If `init` does; then there is still no value, and the next initializer runs.
    ///
    /// # Blocking and death
    /// Waits for an initializer that runs elsewhere. When that one is killed half way, the next one runs.
    pub fn get_or_init(&self, init: impl FnOnce() -> T) -> Result<&T, Error> {
        match self.get() {
            Some(value) => Ok(value),
            None => self.initialize(|| Some(init())),
        }
    }

    /// Runs `init` under the lock if there is no value yet. What it must not do is return none then.
    fn initialize(&self, init: impl FnOnce() -> Option<T>) -> Result<&T, Error> {
        let turn = Turn::take(self)?;
        // PAIR: none; the lock orders it.
        if self.block.ready.load(Relaxed) == 0
            && let Some(value) = init()
        {
            // SAFETY: duty: nobody reads or writes meanwhile: readers wait for `ready`, writers for the lock.
            unsafe { self.block.value.get().write(value) };
            // PAIR: `get` acquires.
            self.block.ready.store(1, Release);
        }
        drop(turn);
        // SAFETY: duty: written and never written again, as in `get`.
        Ok(unsafe { &*self.block.value.get() })
    }
}

/// The right to initialize; given back also by a panic.
struct Turn<'a, T: Shareable>(&'a OnceLock<T>);

impl<'a, T: Shareable> Turn<'a, T> {
    fn take(once: &'a OnceLock<T>) -> Result<Self, Error> {
        let taken: Result<(), Refusal> = once.block.lock.take(Patience::Endless);
        taken.map_err(|refusal| Error::from(refusal.error::<()>(Patience::Endless)))?;
        once.block.set_held(true);
        Ok(Self(once))
    }
}

impl<T: Shareable> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        self.0.block.set_held(false);
        // SAFETY: duty: held by this thread: `take` locked, and a turn does not leave its function.
        unsafe { self.0.block.lock.give_back() };
    }
}

impl<T: Shareable> Clone for OnceLock<T> {
    fn clone(&self) -> Self {
        Self { block: self.block.clone() }
    }
}

impl<T: Shareable + fmt::Debug> fmt::Debug for OnceLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OnceLock").field(&self.get()).finish()
    }
}

/// Work that is done once, by one of all the processes that ask for it.
///
/// ```
/// use mp::sync::Once;
///
/// #[mp::task]
/// fn prepare(once: Once) -> Result<bool, mp::Error> {
///     let mut was_me = false;
///     once.call_once(|| was_me = true)?;
///     Ok(was_me)
/// }
///
/// fn main() -> Result<(), mp::Error> {
///     mp::main!();
///     let (pool, once) = (mp::Pool::new(2)?, Once::new()?);
///     let who = pool.map(prepare, vec![once.clone(); 10])?;
///     assert_eq!(who.into_iter().filter(|was_me| matches!(was_me, Ok(true))).count(), 1);
///     assert!(once.is_completed());
///     Ok(())
/// }
/// ```
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Once(OnceLock<u8>);

impl Once {
    /// A new one: nothing is done yet.
    ///
    /// # Errors
    /// If the system refuses memory or a descriptor, or cannot do it at all.
    pub fn new() -> Result<Self, Error> {
        OnceLock::new().map(Self)
    }

    /// Runs `work` if nobody has. When this returns it is done, by whomever.
    ///
    /// # Errors
    /// Of kind [`Deadlock`](crate::ErrorKind::Deadlock) if `work` asks for itself.
    ///
    /// # Panics
    /// If `work` does; then it is not done, and the next who asks runs theirs.
    ///
    /// # Blocking and death
    /// Waits for work that runs elsewhere. When whoever does it is killed half way, the next one runs theirs.
    pub fn call_once(&self, work: impl FnOnce()) -> Result<(), Error> {
        self.0.get_or_init(|| {
            work();
            1
        })?;
        Ok(())
    }

    /// Whether it is done.
    pub fn is_completed(&self) -> bool {
        self.0.get().is_some()
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").field("is_completed", &self.is_completed()).finish()
    }
}
