//! The lock in the header of a memory.

use super::block::Block;
use crate::error::{Error, ErrorKind};
use crate::raw::atomic::Ordering::Relaxed;
use crate::sys::robust::Locked;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

/// The lock of a memory, held by this thread. It keeps the memory mapped: the kernel knows the lock by its address, also
/// of a guard that somebody forgets.
pub struct Held<T> {
    block: Arc<Block<T>>,
    owner_died: bool,
    thread: PhantomData<*const ()>,
}

impl<T> Held<T> {
    /// Takes the lock; `None` when the time is over.
    pub fn take(block: &Arc<Block<T>>, timeout: Option<Duration>) -> Result<Option<Self>, Error> {
        let header = block.header();
        let owner_died = match header.lock.0.lock(timeout).map_err(|error| refused(&error))? {
            Locked::TimedOut => return Ok(None),
            Locked::Clean => false,
            Locked::OwnerDied => {
                // PAIR: none: it is counted under the lock, and read for people.
                header.deaths.fetch_add(1, Relaxed);
                header.lock.0.make_consistent();
                true
            }
        };
        Ok(Some(Self { block: block.clone(), owner_died, thread: PhantomData }))
    }

    /// The same without an end to the time.
    pub fn wait(block: &Arc<Block<T>>) -> Result<Self, Error> {
        Self::take(block, None)?.ok_or_else(|| timed_out(Duration::MAX))
    }

    /// The memory.
    pub fn block(&self) -> &Block<T> {
        &self.block
    }

    /// Whether the holder before was killed.
    pub fn owner_died(&self) -> bool {
        self.owner_died
    }
}

impl<T> Drop for Held<T> {
    fn drop(&mut self) {
        self.block.header().lock.0.unlock();
    }
}

/// How many holders of the lock were killed.
pub fn deaths<T>(block: &Block<T>) -> u64 {
    block.header().deaths.load(Relaxed)
}

/// The error for a lock that somebody held all the time.
pub fn timed_out(timeout: Duration) -> Error {
    Error::new(ErrorKind::TimedOut, format!("the lock of the shared memory was not free within {timeout:?}"))
}

fn refused(error: &io::Error) -> Error {
    if error.kind() == io::ErrorKind::Deadlock {
        let text = "this thread holds the lock of this shared memory: it would wait for itself";
        return Error::new(ErrorKind::Deadlock, text);
    }
    Error::os("cannot lock shared memory", io::Error::from(error.kind()))
}
