//! The verbs of a pool.

use super::config::{Config, PoolBuilder};
use super::core::Core;
use super::handle::{MapHandle, TaskHandle, only};
use super::imap::{Imap, ImapUnordered};
use super::jobs::Portion;
use super::map::{self, Input};
use super::scheduler::{Event, OnFailure, Why};
use super::shared::Shared;
use super::ticket::{Kind, Pour, TaskRef, Ticket, portion_of};
use crate::clock::Time;
use crate::error::Error;
use crate::process::current::WorkerInfo;
use crate::task::arguments::{Arg, Args, Task};
use crate::task::registry;
use crate::wire::outgoing::Outgoing;
use crate::wire::spare;
use serde::de::DeserializeOwned;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A pool of workers.
///
/// Whatever kills a worker, exactly the call that it was running fails, with an error that says what happened; the
/// worker is replaced, and everything else goes on.
///
/// Calls are started in the order in which they were handed in, whoever did so: one that comes behind a long
/// [`map`](Self::map) of another thread waits until all its items have been started. Give calls that must not wait a pool of their
/// own.
///
/// A process that was forked from the one that made it (by [`StartMethod::Fork`](crate::StartMethod), by a fork server that made it
/// while it preloaded, or by other means) cannot use it: every call there fails with an error that says so.
///
/// All methods take `&self`: a pool can be shared by threads. Dropping it drops what no worker has started, lets running
/// calls and finalizers go on for the [grace](PoolBuilder::grace), then kills.
///
/// ```
/// #[mp::task]
/// fn length(text: &str) -> usize {
///     text.len()
/// }
///
/// fn main() -> Result<(), mp::Error> {
///     mp::main!();
///     let pool = mp::Pool::new(2)?;
///     assert_eq!(pool.map(length, ["a", "bb", "ccc"])?, [1, 2, 3]);
///     Ok(())
/// }
/// ```
pub struct Pool {
    pub(super) shared: Arc<Shared>,
}

#[allow(clippy::needless_pass_by_value, reason = "a call takes its arguments, as a function does")]
impl Pool {
    /// A pool of `workers` processes; [`mp::cpu_count().get()`](crate::cpu_count) is one per processor.
    ///
    /// # Errors
    /// If `workers` is zero, this program has no entry, or a process cannot be started.
    pub fn new(workers: usize) -> Result<Self, Error> {
        Self::builder().workers(workers).build()
    }

    /// A pool to be described first.
    pub fn builder() -> PoolBuilder {
        PoolBuilder::default()
    }

    pub(super) fn start(config: Config) -> Result<Self, Error> {
        let pool = Self { shared: Arc::new(Shared::new(config)?) };
        let failed = pool.shared.with(|core| {
            core.feed(Event::Tick);
            core.spawn_error.take()
        });
        match failed {
            None => Ok(pool),
            Some(error) => {
                pool.stop(Duration::ZERO, Why::Terminated);
                Err(error)
            }
        }
    }

    /// Runs a task in a worker and waits for what it returns.
    ///
    /// Long bytes that are moved into the arguments (`Vec<u8>`, `Box<[u8]>`) leave their memory to a long result.
    ///
    /// ```
    /// #[mp::task]
    /// fn add(x: i32, y: i32) -> i32 {
    ///     x + y
    /// }
    ///
    /// fn main() -> Result<(), mp::Error> {
    ///     mp::main!();
    ///     assert_eq!(mp::Pool::new(1)?.apply(add, (2, 3))?, 5);
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// What the call failed with: a function that is no task, an argument that cannot travel, a panic, the death of its
    /// worker, the end of the pool.
    ///
    /// # Blocking and death
    /// Returns when the call ends, its worker dies, or the pool ends.
    #[track_caller]
    pub fn apply<F, P, A>(&self, task: F, args: A) -> Result<F::Output, Error>
    where
        F: Task<P>,
        A: Args<P>,
        F::Output: DeserializeOwned,
    {
        self.shared.refuse_inside()?;
        let (task, (portion, pour)) = self.encode::<F, P, A>(task, &args)?;
        if pour.is_none() {
            return only(Ticket::call(&self.shared, task, portion)?, task.1.name);
        }
        let ticket = Ticket::submit_call(&self.shared, task, (portion, pour));
        only(ticket.wait_with(args.into_spare())?, task.1.name)
    }

    /// Starts a call and returns a handle of it at once. What is wrong with the task or the arguments is the outcome of
    /// the handle, and so is a system that gives no thread to go on while nobody waits.
    ///
    /// ```
    /// #[mp::task]
    /// fn square(x: i64) -> i64 {
    ///     x * x
    /// }
    /// # fn main() -> Result<(), mp::Error> {
    /// #     mp::main!();
    /// #     let pool = mp::Pool::new(2)?;
    /// let (two, three) = (pool.apply_async(square, (2,)), pool.apply_async(square, (3,)));
    /// // Both run; the handles may be waited for in any order, awaited, cancelled, or dropped.
    /// assert_eq!(three.wait()? - two.wait()?, 5);
    /// #     Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn apply_async<F, P, A>(&self, task: F, args: A) -> TaskHandle<F::Output>
    where
        F: Task<P>,
        A: Args<P>,
    {
        // No closure: the error names the line of the caller.
        let encoded = match self.shared.start_helper() {
            Ok(()) => self.encode::<F, P, A>(task, &args),
            Err(error) => Err(error),
        };
        let ticket = match encoded {
            Ok((task, portion)) => Ticket::submit_call(&self.shared, task, portion),
            Err(error) => Ticket::refused(&self.shared, error),
        };
        ticket.go_on();
        TaskHandle::new(ticket)
    }

    /// Runs a task on each item and returns what it returns, in the order of the items.
    ///
    /// Items are pulled from the input as they are needed. When an item fails, later items that no worker has started are
    /// dropped; earlier ones still run, so that the error is the one that a plain loop would meet first.
    ///
    /// ```
    /// #[mp::task]
    /// fn root(x: f64) -> f64 {
    ///     assert!(x >= 0.0, "{x} has no root");
    ///     x.sqrt()
    /// }
    /// # fn main() -> Result<(), mp::Error> {
    /// #     mp::main!();
    /// #     let pool = mp::Pool::new(2)?;
    /// assert_eq!(pool.map(root, [4.0, 9.0])?, [2.0, 3.0]);
    /// let error = pool.map(root, [4.0, -1.0, 9.0]).unwrap_err();
    /// assert_eq!((error.is_panic(), error.item()), (true, Some(1)));
    /// #     Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The failure of the earliest failing item; a function that is no task.
    ///
    /// # Blocking and death
    /// Returns when all items have ended; after a failure, when those before the failing one have ended; or when the pool ends.
    #[track_caller]
    pub fn map<F, P, I>(&self, task: F, items: I) -> Result<Vec<F::Output>, Error>
    where
        F: Task<(P,)>,
        I: IntoIterator,
        I::Item: Arg<P>,
        F::Output: DeserializeOwned,
    {
        map::all(&self.shared, self.find(task)?, &mut Input::new(items, <I::Item as Arg<P>>::write))
    }

    /// Runs a task on each item and returns what became of each, in the order of the items.
    ///
    /// ```
    /// #[mp::task]
    /// fn half(x: u32) -> u32 {
    ///     if x % 2 == 0 { x / 2 } else { panic!("{x} is odd") }
    /// }
    /// # fn main() -> Result<(), mp::Error> {
    /// #     mp::main!();
    /// #     let pool = mp::Pool::new(2)?;
    /// let halves = pool.try_map(half, [2, 3, 4]);
    /// assert_eq!(halves.into_iter().map(Result::ok).collect::<Vec<_>>(), [Some(1), None, Some(2)]);
    /// #     Ok(())
    /// # }
    /// ```
    ///
    /// # Blocking and death
    /// Returns when all items have ended; when the pool ends, the rest get an error.
    #[track_caller]
    pub fn try_map<F, P, I>(&self, task: F, items: I) -> Vec<Result<F::Output, Error>>
    where
        F: Task<(P,)>,
        I: IntoIterator,
        I::Item: Arg<P>,
        F::Output: DeserializeOwned,
    {
        map::each(&self.shared, self.find(task), Input::new(items, <I::Item as Arg<P>>::write))
    }

    /// Starts a call for each item and returns a handle of them all at once; what is wrong is the outcome of the handle, as with
    /// [`apply_async`](Self::apply_async). The input is encoded before this returns, so this
    /// process has all descriptors in it (four for a queue, one for a lock or an end of a pipe) open at once; [`map`](Self::map) and
    /// [`imap`](Self::imap) read such an input bit by bit.
    ///
    /// ```
    /// #[mp::task]
    /// fn square(x: i64) -> i64 {
    ///     x * x
    /// }
    /// # fn main() -> Result<(), mp::Error> {
    /// #     mp::main!();
    /// #     let pool = mp::Pool::new(2)?;
    /// let squares = pool.map_async(square, 0..5);
    /// // Something else meanwhile.
    /// assert_eq!(squares.wait()?, [0, 1, 4, 9, 16]);
    /// #     Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn map_async<F, P, I>(&self, task: F, items: I) -> MapHandle<F::Output>
    where
        F: Task<(P,)>,
        I: IntoIterator,
        I::Item: Arg<P>,
    {
        let handle = map::start(&self.shared, self.find(task), Input::new(items, <I::Item as Arg<P>>::write));
        handle.ticket().go_on();
        handle
    }

    /// [`map`](Self::map) for tasks of several parameters: each item is a tuple of arguments.
    ///
    /// ```
    /// #[mp::task]
    /// fn repeat(text: &str, times: usize) -> String {
    ///     text.repeat(times)
    /// }
    /// # fn main() -> Result<(), mp::Error> {
    /// #     mp::main!();
    /// #     let pool = mp::Pool::new(2)?;
    /// assert_eq!(pool.starmap(repeat, [("a", 2), ("b", 3)])?, ["aa", "bbb"]);
    /// #     Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`map`](Self::map).
    ///
    /// # Blocking and death
    /// As [`map`](Self::map).
    #[track_caller]
    pub fn starmap<F, P, I>(&self, task: F, items: I) -> Result<Vec<F::Output>, Error>
    where
        F: Task<P>,
        I: IntoIterator,
        I::Item: Args<P>,
        F::Output: DeserializeOwned,
    {
        map::all(&self.shared, self.find(task)?, &mut Input::new(items, <I::Item as Args<P>>::write))
    }

    /// [`try_map`](Self::try_map) for tasks of several parameters: each item is a tuple of arguments.
    ///
    /// # Blocking and death
    /// As [`try_map`](Self::try_map).
    #[track_caller]
    pub fn try_starmap<F, P, I>(&self, task: F, items: I) -> Vec<Result<F::Output, Error>>
    where
        F: Task<P>,
        I: IntoIterator,
        I::Item: Args<P>,
        F::Output: DeserializeOwned,
    {
        map::each(&self.shared, self.find(task), Input::new(items, <I::Item as Args<P>>::write))
    }

    /// [`map_async`](Self::map_async) for tasks of several parameters: each item is a tuple of arguments.
    #[track_caller]
    pub fn starmap_async<F, P, I>(&self, task: F, items: I) -> MapHandle<F::Output>
    where
        F: Task<P>,
        I: IntoIterator,
        I::Item: Args<P>,
    {
        let handle =
            map::start(&self.shared, self.find(task), Input::new(items, <I::Item as Args<P>>::write));
        handle.ticket().go_on();
        handle
    }

    /// Runs a task on each item and yields the outcomes one by one, in the order of the items.
    ///
    /// The input may be endless: it is pulled only as results are taken, with a bounded
    /// [read-ahead](Imap::read_ahead). A failing item is yielded as an error in its place, and the iteration goes on.
    /// Dropping the iterator drops what no worker has started.
    ///
    /// ```
    /// #[mp::task]
    /// fn square(x: i64) -> i64 {
    ///     x * x
    /// }
    /// # fn main() -> Result<(), mp::Error> {
    /// #     mp::main!();
    /// #     let pool = mp::Pool::new(2)?;
    /// // The input has no end.
    /// let mut squares = pool.imap(square, 1..);
    /// assert_eq!(squares.by_ref().take(3).collect::<Result<Vec<_>, _>>()?, [1, 4, 9]);
    /// #     Ok(())
    /// # }
    /// ```
    ///
    /// # Blocking and death
    /// Items are pulled on the thread that asks for results. A result that is there is yielded before a slow input is pulled again; but
    /// while the input's own `next` blocks (on a channel, a socket) nothing is yielded, and [`next_timeout`](Imap::next_timeout) cannot
    /// interrupt it. With a [`read_ahead`](Imap::read_ahead) of one each result is yielded
    /// before the next item is pulled. To have results at any moment, read such an input on a thread of its own and give its items to
    /// [`apply_async`](Self::apply_async).
    #[track_caller]
    pub fn imap<F, P, I>(&self, task: F, items: I) -> Imap<'_, I::IntoIter, F::Output>
    where
        F: Task<(P,)>,
        I: IntoIterator,
        I::Item: Arg<P>,
        F::Output: DeserializeOwned,
    {
        Imap::new(&self.shared, self.find(task), Input::new(items, Arg::write))
    }

    /// As [`imap`](Self::imap), but yields outcomes in the order in which they come, each with the position of its item
    /// in the input, from 0.
    #[track_caller]
    pub fn imap_unordered<F, P, I>(&self, task: F, items: I) -> ImapUnordered<'_, I::IntoIter, F::Output>
    where
        F: Task<(P,)>,
        I: IntoIterator,
        I::Item: Arg<P>,
        F::Output: DeserializeOwned,
    {
        ImapUnordered::new(&self.shared, self.find(task), Input::new(items, Arg::write))
    }

    /// The workers that are there now. One that died is missing until it is replaced.
    pub fn workers(&self) -> Vec<WorkerInfo> {
        if !self.shared.is_ours() {
            return Vec::new();
        }
        self.shared.with(|core| {
            core.look_for_deaths();
            core.collect_if_free();
            let pool = core.config.name.clone();
            let stations = core.stations.iter().zip(0..);
            stations
                .filter_map(|(station, index)| {
                    let station = station.as_ref()?;
                    let (pid, name) = (station.pid(), station.name().to_owned());
                    Some(WorkerInfo { index, pid, name, pool: pool.clone() })
                })
                .collect()
        })
    }

    /// The pool's name.
    pub fn name(&self) -> &str {
        &self.shared.config.name
    }

    /// The task, for a call of this pool.
    #[track_caller]
    pub(super) fn find<F: Copy + 'static>(&self, task: F) -> Result<TaskRef, Error> {
        self.shared.refuse_copy()?;
        registry::of(task)
    }

    #[track_caller]
    fn encode<'a, F, P, A>(
        &self,
        task: F,
        args: &'a A,
    ) -> Result<(TaskRef, (Portion, Option<Pour<'a>>)), Error>
    where
        F: Task<P>,
        A: Args<P>,
    {
        let (slot, entry) = self.find(task)?;
        let (mut bytes, mut handles) = (Vec::new(), Vec::new());
        let mut outgoing = Outgoing::new(&mut bytes, &mut handles);
        let written = args.write(&mut outgoing);
        outgoing.settle(written.is_ok());
        let apart = outgoing.into_apart();
        let portion = written.and_then(|()| portion_of(&self.shared, bytes, apart, handles));
        let portion = portion.map_err(|error| error.for_task(entry.name))?;
        Ok(((slot, entry), portion))
    }

    pub(super) fn stop(&self, grace: Duration, why: Why) {
        if !self.shared.is_ours() {
            return;
        }
        self.shared.with(|core| {
            core.feed(Event::Stopped { grace, why });
            core.feed(Event::Tick);
        });
        // A leader that sleeps must hear of the new deadline.
        self.shared.rouse();
        if self.shared.wait(None, None, |core| core.scheduler.is_over().then_some(())).is_err() {
            // In a task of this very pool. Threads cannot be killed, but are gone as far as their calls are concerned: who waits
            // for one by a callback or a waker hears of it now.
            self.shared.with(Core::collect_if_free);
        } else {
            self.shared.callbacks.settle(Some(Time::now() + self.shared.config.policy.grace));
        }
    }
}

/// What a `map` asks of its job.
pub(super) fn bulk(on_failure: OnFailure) -> Kind {
    Kind { itemised: true, each: false, open: true, on_failure }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if !self.shared.is_ours() {
            // A lock in there may be held for ever.
            return std::mem::forget(self.shared.clone());
        }
        // A task of this very pool cannot wait for its own end, and after this nobody looks after the pool any more.
        let inside = self.shared.refuse_inside().is_err();
        let grace = if inside { Duration::ZERO } else { self.shared.config.policy.grace };
        if !self.shared.with(|core| core.scheduler.is_over()) {
            self.stop(grace, Why::Terminated);
        } else if !inside {
            self.shared.callbacks.settle(Some(Time::now() + grace));
        }
        self.shared.callbacks.leave();
        self.shared.dismiss_helper();
        spare::forget_received();
    }
}

impl Default for Pool {
    /// A pool of one process per processor that this process [may use](crate::cpu_count).
    ///
    /// # Panics
    /// If it cannot be started; [`Pool::builder`] returns the error instead.
    fn default() -> Self {
        match Self::builder().build() {
            Ok(pool) => pool,
            Err(error) => panic!("cannot start a pool: {error}"),
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pending =
            if self.shared.is_ours() { self.shared.with(|core| core.scheduler.pending()) } else { 0 };
        f.debug_struct("Pool")
            .field("name", &self.name())
            .field("workers", &self.shared.config.policy.workers)
            .field("backend", &self.shared.config.backend)
            .field("pending", &pending)
            .finish()
    }
}
