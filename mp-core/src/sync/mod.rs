//! Locks, events and barriers between processes, which survive the death of whoever uses them.
//!
//! They have the names and the ways of [`std::sync`], with three differences:
//! - They are handles. Each is `Clone` and a serde value: an argument, a result or a field of a struct, sent to any process
//!   of the family at any time. A clone, or what arrives, is another handle of the same object. One of them takes a
//!   descriptor and a page of memory in each process, which are gone with the last handle.
//! - The constructors can fail: shared memory can be refused.
//! - A process that is killed while it holds a lock does not keep it. The next one to lock gets the lock and hears of it
//!   ([`LockError::OwnerDied`]). That is something else than a *panic* of a holder ([`LockError::Poisoned`]).
//!
//! A lock of a value is a [`Mutex`] or an [`RwLock`]; a value is of a type that is [`Shareable`](crate::Shareable).
//!
//! ```
//! use mp::sync::Mutex;
//!
//! #[mp::task]
//! fn add(counter: Mutex<u64>, times: u64) {
//!     for _ in 0..times {
//!         *counter.lock().unwrap() += 1;
//!     }
//! }
//!
//! fn main() -> Result<(), mp::Error> {
//!     mp::main!();
//!     let counter = Mutex::new(0)?;
//!     let processes = [mp::spawn(add, (counter.clone(), 100))?, mp::spawn(add, (counter.clone(), 100))?];
//!     for process in processes {
//!         process.join()?;
//!     }
//!     assert_eq!(*counter.lock().unwrap(), 200);
//!     Ok(())
//! }
//! ```
//!
//! ```text
//!  Mutex, RLock, RwLock, Once(Lock) ─► lock ─► sys::robust      the kernel hands it on when a holder dies
//!  Event, Semaphore, Condvar, Barrier ─► raw ─► sys::futex    no owner: who is killed leaves a whole word
//!  all of them ─► shared::block                               memory, mapping, travel
//! ```

mod barrier;
mod condvar;
mod error;
mod event;
mod lock;
mod mutex;
mod once;
mod rlock;
mod rwlock;
mod semaphore;

pub use barrier::Barrier;
pub use condvar::{Condvar, WaitTimeoutResult};
pub use error::{Guard, LockError, OwnerDied};
pub use event::Event;
pub use mutex::{Mutex, MutexGuard};
pub use once::{Once, OnceLock};
pub use rlock::{RLock, RLockGuard};
pub use rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use semaphore::{BoundedSemaphore, Semaphore};
