//! Why a lock was not got as it should be.

use crate::error::{Error, ErrorKind};
use std::fmt;

/// Why a lock was not got, or was got with something to know.
///
/// Two of these hold the guard: the lock *is* held.
///
/// `?` turns it into an [`mp::Error`](crate::Error), and lets go of the lock. In a function that returns a
/// `Box<dyn std::error::Error>` convert it first: the guard in it borrows from the lock, and cannot be returned:
///
/// ```
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let count = mp::sync::Mutex::new(0)?;
///     *count.lock().map_err(mp::Error::from)? += 1;
///     # Ok(())
/// }
/// ```
#[non_exhaustive]
pub enum LockError<G> {
    /// The process (or the thread) that held the lock ended while it did. The lock is held by the caller now; what it
    /// protects may be half changed. [`OwnerDied::recover`] gives the guard.
    OwnerDied(OwnerDied<G>),
    /// A holder panicked. The lock is held by the caller now; what it protects may be half changed.
    Poisoned(G),
    /// Somebody holds the lock (`try_` methods only).
    WouldBlock,
    /// The time-out passed (`_timeout` methods only).
    TimedOut,
    /// The lock cannot be had: this thread holds it already ([`ErrorKind::Deadlock`]), or the system refused.
    Failed(Error),
}

/// A lock that was taken over from a holder that died.
///
/// Dropped without [`recover`](Self::recover) it gives the lock back as it was found: the next one hears the same.
#[must_use = "dropped, it gives the lock back and leaves the news to the next one"]
pub struct OwnerDied<G>(G);

/// A guard of one of the locks here.
pub trait Guard: sealed::Recover {}

impl<G: sealed::Recover> Guard for G {}

impl<G: Guard> OwnerDied<G> {
    pub(super) fn new(guard: G) -> Self {
        Self(guard)
    }

    /// The guard. Says that what the lock protects is in order, or will be before the guard is dropped: the next one
    /// to lock hears nothing. (The guard of a reader cannot put anything in order, and leaves the news to a writer.)
    ///
    /// ```
    /// use mp::sync::{LockError, Mutex};
    ///
    /// /// Dies between two changes that belong together.
    /// #[mp::task]
    /// fn half(pair: Mutex<[u32; 2]>) {
    ///     let mut pair = pair.lock().unwrap();
    ///     pair[0] += 1;
    ///     std::process::abort();
    /// }
    ///
    /// fn main() -> Result<(), mp::Error> {
    ///     mp::main!();
    ///     let pair = Mutex::new([0, 0])?;
    ///     assert!(mp::spawn(half, (pair.clone(),))?.join().is_err());
    ///     let mut guard = match pair.lock() {
    ///         Err(LockError::OwnerDied(died)) => died.recover(),
    ///         locked => locked?,
    ///     };
    ///     guard[1] = guard[0];
    ///     drop(guard);
    ///     assert_eq!(*pair.lock()?, [1, 1]);
    ///     Ok(())
    /// }
    /// ```
    pub fn recover(self) -> G {
        self.0.recover();
        self.0
    }

    /// The guard, to look at what the dead one left; nothing is said to be in order yet.
    pub fn as_guard(&self) -> &G {
        &self.0
    }
}

impl<G: Guard> LockError<G> {
    /// The guard if there is one, [recovered](OwnerDied::recover). For values that cannot be half changed, such as one
    /// number.
    ///
    /// # Errors
    /// What is left, if the lock is not held.
    pub fn into_guard(self) -> Result<G, Error> {
        match self {
            Self::OwnerDied(died) => Ok(died.recover()),
            Self::Poisoned(guard) => Ok(guard),
            other @ (Self::WouldBlock | Self::TimedOut | Self::Failed(_)) => Err(other.into()),
        }
    }

    /// Whether the last holder died.
    pub fn is_owner_died(&self) -> bool {
        matches!(self, Self::OwnerDied(_))
    }

    /// Whether a holder panicked.
    pub fn is_poisoned(&self) -> bool {
        matches!(self, Self::Poisoned(_))
    }

    /// Whether the lock was held by somebody until the end: of the time-out, or of a single attempt.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::TimedOut | Self::WouldBlock)
    }
}

pub(super) mod sealed {
    pub trait Recover {
        fn recover(&self);
    }
}

impl<G> fmt::Display for LockError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnerDied(_) => f.write_str(
                "the last holder of the lock died while it held it: what it protects may be half changed; \
                 `OwnerDied::recover` takes that as it is",
            ),
            Self::Poisoned(_) => f.write_str(
                "a holder of the lock panicked while it held it: what it protects may be half changed; \
                 `clear_poison` says that it is in order again",
            ),
            Self::WouldBlock => {
                f.write_str("the lock is held now: by another process, another thread, or this very thread")
            }
            Self::TimedOut => f.write_str("the lock was held by somebody else until the time-out"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl<G> fmt::Debug for LockError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnerDied(_) => f.write_str("OwnerDied(..)"),
            Self::Poisoned(_) => f.write_str("Poisoned(..)"),
            Self::WouldBlock => f.write_str("WouldBlock"),
            Self::TimedOut => f.write_str("TimedOut"),
            Self::Failed(error) => f.debug_tuple("Failed").field(error).finish(),
        }
    }
}

impl<G> fmt::Debug for OwnerDied<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnerDied(..)")
    }
}

impl<G> std::error::Error for LockError<G> {}

impl<G> From<LockError<G>> for Error {
    /// For the end of a function that only says that it failed. A guard in it is given back, unrecovered.
    fn from(error: LockError<G>) -> Self {
        let kind = match &error {
            LockError::OwnerDied(_) => ErrorKind::OwnerDied,
            LockError::Poisoned(_) => ErrorKind::Poisoned,
            LockError::WouldBlock | LockError::TimedOut => ErrorKind::TimedOut,
            LockError::Failed(error) => return error.clone(),
        };
        Self::new(kind, error.to_string())
    }
}
