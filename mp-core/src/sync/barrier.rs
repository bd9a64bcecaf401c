//! `Barrier`.
//!
//! Each handle that has waited is a member: its process is listed until the handle is dropped. Who waits looks at its
//! share of the list from time to time, and breaks the barrier if one of the processes is gone: it will not come any
//! more. Which process is meant is said by its number and the time it was started.

#![allow(unsafe_code)] // the promise that the words may be shared

use crate::error::{Error, ErrorKind};
use crate::limits::LOOK_AGAIN;
use crate::raw::barrier::{Arrival, BarrierWords, Broken, Cause, PARTIES_MAX};
use crate::raw::word::Deadline;
use crate::shared::block::{Block, Words};
use crate::sys::life::{self, Life};
use crate::task::arguments::Task;
use crate::task::registry::{self, Slot};
use crate::task::run::{Runner, run};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How many processes can be watched. The death of others is not seen.
const MEMBERS: usize = 448;

/// A place where a number of parties wait for each other, again and again.
///
/// When the last one comes, all go on, each with another number from 0 up. A barrier can break: by a time-out, by
/// [`abort`](Self::abort), by a panic of an action, or by the death of a party. Then all who wait and all who come get an
/// error of kind [`BrokenBarrier`](ErrorKind::BrokenBarrier), until somebody [resets](Self::reset) it.
///
/// # Death
/// When the process of a handle that has waited at this barrier, now or in an earlier round, ends without having dropped
/// the handle, the barrier breaks within a tenth of a second, for those who wait. A party that dies before it has ever
/// waited is not known: where that may happen, wait with a time-out. (If the dead one was waiting and all others come
/// before anybody has looked, that round ends well.)
///
/// ```
/// #[mp::task]
/// fn party(barrier: mp::sync::Barrier) -> Result<u32, mp::Error> {
///     barrier.wait()
/// }
///
/// fn main() -> Result<(), mp::Error> {
///     mp::main!();
///     let barrier = mp::sync::Barrier::new(2)?;
///     let other = mp::spawn(party, (barrier.clone(),))?;
///     let mine = barrier.wait()?;
///     assert_eq!(1 - mine, other.join()??);
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct Barrier(Arc<Member>);

struct Member {
    block: Block<Places>,
    /// Where the process is listed for this handle, if there was room.
    listed: OnceLock<Option<usize>>,
}

#[repr(C)]
struct Places {
    words: BarrierWords,
    parties: AtomicU32,
    /// The slot of the action's task, and one more; 0 for none.
    action: AtomicU32,
    members: [AtomicU64; MEMBERS],
}

// SAFETY: duty: what others write is in atomics: all of it is.
unsafe impl Words for Places {
    const KIND: u32 = 8;
    const NAME: &'static str = "barrier";
}

impl Barrier {
    /// A new barrier for this many parties.
    ///
    /// # Errors
    /// Of kind [`InvalidInput`](ErrorKind::InvalidInput) for none or more than 65535; or if the system refuses memory or a
    /// descriptor.
    pub fn new(parties: u32) -> Result<Self, Error> {
        if parties == 0 || parties > PARTIES_MAX {
            let message = format!("a barrier cannot have {parties} parties: 1 to {PARTIES_MAX} can meet");
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        let block = Block::<Places>::create(|_| Ok(()))?;
        // PAIR: `parties`; written before the handle is sent, which orders it.
        block.parties.store(parties, Relaxed);
        Ok(Self::of(block))
    }

    /// A new barrier for this many parties; the last one to come runs `action`, a task without parameters, before anybody
    /// goes on.
    ///
    /// ```
    /// #[mp::task]
    /// fn say() {
    ///     println!("all are here");
    /// }
    ///
    /// fn main() -> Result<(), mp::Error> {
    ///     mp::main!();
    ///     let barrier = mp::sync::Barrier::with_action(1, say)?;
    ///     assert_eq!(barrier.wait()?, 0);
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`new`](Self::new); of kind [`NotATask`](ErrorKind::NotATask) for a function without the attribute. When the
    /// action panics, its party gets an error with the report and the barrier is broken.
    #[track_caller]
    pub fn with_action<F: Task<(), Output = ()>>(parties: u32, action: F) -> Result<Self, Error> {
        let (Slot(slot), _) = registry::of(action)?;
        let barrier = Self::new(parties)?;
        // PAIR: `action`; written before the handle is sent, which orders it.
        barrier.0.block.action.store(slot + 1, Relaxed);
        Ok(barrier)
    }

    /// Waits until all parties have come; returns a number from 0 to one less than there are parties, another one to each.
    ///
    /// # Errors
    /// Of kind [`BrokenBarrier`](ErrorKind::BrokenBarrier); what the action of [`with_action`](Self::with_action) failed with, for the
    /// party that ran it.
    ///
    /// # Blocking and death
    /// Until all have come or the barrier breaks; see [the type](Self#death).
    pub fn wait(&self) -> Result<u32, Error> {
        self.meet_and_act(Deadline::NEVER)
    }

    /// Waits until all parties have come, for at most `timeout`. When it passes, the barrier breaks, for everybody.
    ///
    /// # Errors
    /// Of kind [`BrokenBarrier`](ErrorKind::BrokenBarrier).
    ///
    /// # Blocking and death
    /// As [`wait`](Self::wait), with an end.
    pub fn wait_timeout(&self, timeout: Duration) -> Result<u32, Error> {
        self.meet_and_act(Deadline::after(timeout))
    }

    /// Waits until all parties have come, and if this party is the last one runs `action` before anybody goes on. (All
    /// parties bring the same action; that of the last one is the one that runs.)
    ///
    /// # Errors
    /// Of kind [`BrokenBarrier`](ErrorKind::BrokenBarrier).
    ///
    /// # Panics
    /// If the action does; the barrier is broken then.
    ///
    /// # Blocking and death
    /// As [`wait`](Self::wait). When the party that runs the action is killed, the barrier breaks.
    pub fn wait_with_action(&self, action: impl FnOnce()) -> Result<u32, Error> {
        self.meet_with(action, Deadline::NEVER)
    }

    /// As [`wait_with_action`](Self::wait_with_action), for at most `timeout`. When it passes, the barrier breaks, for
    /// everybody.
    ///
    /// # Errors
    /// Of kind [`BrokenBarrier`](ErrorKind::BrokenBarrier).
    ///
    /// # Panics
    /// If the action does; the barrier is broken then.
    ///
    /// # Blocking and death
    /// As [`wait_with_action`](Self::wait_with_action), with an end.
    pub fn wait_timeout_with_action(&self, timeout: Duration, action: impl FnOnce()) -> Result<u32, Error> {
        self.meet_with(action, Deadline::after(timeout))
    }

    /// Makes it as new. Those who wait get an error.
    pub fn reset(&self) {
        for member in &self.0.block.members {
            // PAIR: `list` and the drop of a member.
            let listed = member.load(Acquire);
            if listed != 0 && !life::is_alive(Life(listed)) {
                let _ = member.compare_exchange(listed, 0, AcqRel, Relaxed);
            }
        }
        self.0.block.words.reset();
    }

    /// Breaks it, until it is reset.
    pub fn abort(&self) {
        self.0.block.words.abort();
    }

    /// Whether it is broken.
    pub fn is_broken(&self) -> bool {
        self.0.block.words.is_broken()
    }

    /// How many parties wait just now.
    pub fn n_waiting(&self) -> u32 {
        self.0.block.words.waiting()
    }

    /// How many parties meet here.
    pub fn parties(&self) -> u32 {
        // PAIR: `new`.
        self.0.block.parties.load(Relaxed)
    }

    fn of(block: Block<Places>) -> Self {
        Self(Arc::new(Member { block, listed: OnceLock::new() }))
    }

    /// With the action that the barrier was made with, if it was made with one.
    fn meet_and_act(&self, deadline: Deadline) -> Result<u32, Error> {
        // PAIR: `with_action`.
        let Some(slot) = self.0.block.action.load(Relaxed).checked_sub(1) else {
            return self.meet(None, deadline);
        };
        let runner = Runner { pid: std::process::id(), worker: None, on_panic: None };
        let mut act = || {
            let entry = registry::registry().get(Slot(slot));
            let entry =
                entry.ok_or_else(|| Error::new(ErrorKind::Registry, "the barrier's action is gone"))?;
            let done = run(entry, &[], Vec::new(), &mut Vec::new(), runner);
            done.map(drop).map_err(|failure| Error::of_failure(failure, entry.name))
        };
        self.meet(Some(&mut act), deadline)
    }

    fn meet_with(&self, action: impl FnOnce(), deadline: Deadline) -> Result<u32, Error> {
        let mut action = Some(action);
        let mut run = || {
            if let Some(action) = action.take() {
                action();
            }
            Ok(())
        };
        self.meet(Some(&mut run), deadline)
    }

    fn meet(
        &self,
        action: Option<&mut dyn FnMut() -> Result<(), Error>>,
        deadline: Deadline,
    ) -> Result<u32, Error> {
        let mut failed = None;
        self.0.listed.get_or_init(|| self.0.block.list());
        let Places { words, .. } = &*self.0.block;
        let somebody_died = |index| move || self.0.block.has_dead_member(index);
        let arrived = words.arrive(self.parties(), action.is_some(), deadline, somebody_died(0));
        let met = arrived.and_then(|arrival| match arrival {
            Arrival::Last { index } => Ok(index),
            Arrival::Early { round, index } => {
                words.await_end(round, deadline, somebody_died(index)).map(|()| index)
            }
            Arrival::Acts { round, index } => {
                let acting = Acting { words, round };
                if let Some(action) = action
                    && let Err(error) = action()
                {
                    failed = Some(error);
                    return Err(Broken(Cause::Action));
                }
                std::mem::forget(acting);
                words.end_action(round).map(|()| index)
            }
        });
        met.map_err(|broken| failed.take().unwrap_or_else(|| error(broken)))
    }
}

fn error(Broken(cause): Broken) -> Error {
    let text = match cause {
        Cause::TimedOut => {
            "the barrier is broken: not everybody came before a time-out passed (see Barrier::reset)"
        }
        Cause::Died => "the barrier is broken: a process that had waited at it died (see Barrier::reset)",
        Cause::Aborted => "the barrier is broken: somebody has called Barrier::abort (see Barrier::reset)",
        Cause::Action => "the barrier is broken: its action did not end well (see Barrier::reset)",
        Cause::Reset => "the barrier was reset before everybody had come",
    };
    Error::new(ErrorKind::BrokenBarrier, text)
}

/// Breaks the round if it is dropped: by a panic of the action.
struct Acting<'a> {
    words: &'a BarrierWords,
    round: u32,
}

impl Drop for Acting<'_> {
    fn drop(&mut self) {
        self.words.break_round(self.round, Cause::Action);
    }
}

impl Places {
    /// Lists this process; where, if there is room.
    fn list(&self) -> Option<usize> {
        let Life(life) = life::this_life()?;
        // PAIR: `has_dead_member` and `reset`.
        self.members.iter().position(|member| member.compare_exchange(0, life, AcqRel, Relaxed).is_ok())
    }

    /// Looks at those members that it is up to this one of the waiting parties to look at.
    fn has_dead_member(&self, index: u32) -> bool {
        // PAIR: `list`.
        let listed = self.members.iter().map(|member| member.load(Acquire)).filter(|listed| *listed != 0);
        let listed: Vec<u64> = listed.collect();
        // The clock that all processes share. If it is set, somebody looks at others than it would have.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let round = (since.as_millis() / LOOK_AGAIN.as_millis()) as u64;
        share(listed.len(), self.words.waiting(), index, round).any(|at| !life::is_alive(Life(listed[at])))
    }
}

/// At which of the members one of `waiting` parties looks. All of them together see each member twice, so that the death of
/// one who waits hides nobody's, and the more wait the less each has to look at. With each round of looks, which all count
/// by the same clock, the shares move on.
fn share(members: usize, waiting: u32, index: u32, round: u64) -> impl Iterator<Item = usize> {
    let part = members.div_ceil(waiting.max(1) as usize);
    let first = (round as usize).wrapping_add(index as usize) % members.max(1) * part;
    (first..first + members.min(2 * part)).map(move |at| at % members)
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Some(Some(place)) = self.listed.get() {
            // PAIR: `has_dead_member` and `reset`.
            self.block.members[*place].store(0, Release);
        }
    }
}

impl Serialize for Barrier {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.block.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Barrier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Block::deserialize(deserializer).map(Self::of)
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier")
            .field("parties", &self.parties())
            .field("n_waiting", &self.n_waiting())
            .field("broken", &self.is_broken())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn those_who_wait_see_every_member_twice_and_each_of_them_few() {
        for members in 1..40 {
            for waiting in 1..=members as u32 {
                for round in [0, 1, 7, 1000] {
                    let mut seen = vec![0; members];
                    for index in 0..waiting {
                        let mine: Vec<_> = share(members, waiting, index, round).collect();
                        assert!(mine.len() <= 2 * members.div_ceil(waiting as usize));
                        for member in mine {
                            seen[member] += 1;
                        }
                    }
                    let least = if waiting == 1 { 1 } else { 2 };
                    assert!(
                        seen.iter().all(|&times| times >= least),
                        "{members} {waiting} {round}: {seen:?}"
                    );
                }
            }
        }
        assert_eq!(share(0, 0, 0, 5).count(), 0, "nobody is listed");
    }
}
