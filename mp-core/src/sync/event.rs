//! `Event`.

#![allow(unsafe_code)] // the promise that the words may be shared

use crate::error::Error;
use crate::raw::event::EventWord;
use crate::raw::word::Deadline;
use crate::shared::block::{Block, Words};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// Something that has happened or not, for many to wait for.
///
/// ```
/// #[mp::task]
/// fn worker(start: mp::sync::Event) -> String {
///     start.wait();
///     "started".to_owned()
/// }
///
/// fn main() -> Result<(), mp::Error> {
///     mp::main!();
///     let start = mp::sync::Event::new()?;
///     let process = mp::spawn(worker, (start.clone(),))?;
///     start.set();
///     assert_eq!(process.join()?, "started");
///     Ok(())
/// }
/// ```
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Event {
    block: Block<EventWords>,
}

#[repr(C)]
struct EventWords(EventWord);

// SAFETY: duty: what others write is in atomics: an event is one.
unsafe impl Words for EventWords {
    const KIND: u32 = 2;
    const NAME: &'static str = "event";
}

impl Event {
    /// A new event, not set.
    ///
    /// # Errors
    /// If the system refuses memory or a descriptor.
    pub fn new() -> Result<Self, Error> {
        Ok(Self { block: Block::create(|_| Ok(()))? })
    }

    /// Sets it. Everybody who waits goes on, also if it is cleared right afterwards.
    pub fn set(&self) {
        self.block.0.set();
    }

    /// Makes it not set.
    pub fn clear(&self) {
        self.block.0.clear();
    }

    /// Whether it is set.
    pub fn is_set(&self) -> bool {
        self.block.0.is_set()
    }

    /// Waits until it is set.
    ///
    /// # Blocking and death
    /// For ever, if nobody sets it: nobody knows who was to do it. A setter that is killed has set it or has not; in
    /// the first case everybody goes on, if it did not come to wake them then a tenth of a second later.
    pub fn wait(&self) {
        self.block.0.wait(Deadline::NEVER);
    }

    /// Waits until it is set, at most for `timeout`; whether it was. Zero looks once.
    ///
    /// # Blocking and death
    /// As [`wait`](Self::wait), with an end.
    #[must_use = "the time-out may have passed"]
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        self.block.0.wait(Deadline::after(timeout))
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("set", &self.is_set()).finish_non_exhaustive()
    }
}
