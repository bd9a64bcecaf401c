//! One job, as its owner holds it.

use super::config::Backend;
use super::core::Core;
use super::jobs::{Job, Portion};
use super::packing::is_long;
use super::results::Results;
use super::scheduler::{Event, OnFailure};
use super::shared::Shared;
use super::waiter::{Asker, Waiter};
use crate::check::never;
use crate::clock::Time;
use crate::error::Error;
use crate::ids::JobId;
use crate::shm::slab::Slab;
use crate::sys::Handle;
use crate::task::entry::Entry;
use crate::task::registry::Slot;
use crate::wire::handles;
use crate::wire::outgoing::{Apart, Outgoing, pieces};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::Duration;

/// The right to the results of a job. Dropping it gives them up; the job goes on.
pub struct Ticket {
    shared: Arc<Shared>,
    task: &'static str,
    job: Result<JobId, Refused>,
}

/// A job that never came to be. Its error is there like a result, to be taken once.
struct Refused(Mutex<Option<Error>>);

/// What a job is besides its items.
#[derive(Clone, Copy)]
pub struct Kind {
    /// Errors say which item.
    pub itemised: bool,
    /// Each result is news, not only the last.
    pub each: bool,
    /// More items will be offered.
    pub open: bool,
    /// What a failure means for later items.
    pub on_failure: OnFailure,
}

/// What runs: its place in the table, and what is there.
pub type TaskRef = (Slot, &'static Entry);

/// One call.
pub const SINGLE: Kind = Kind { itemised: false, each: false, open: false, on_failure: OnFailure::Continue };

impl Ticket {
    /// Hands a call in whose arguments are still to be poured.
    pub fn submit_call(
        shared: &Arc<Shared>,
        task: TaskRef,
        (portion, pour): (Portion, Option<Pour<'_>>),
    ) -> Self {
        let pour = Pour::late(pour, shared);
        let id = shared.start(pour, |core| hand_in(core, task, SINGLE, Some(portion)));
        Self { shared: shared.clone(), task: task.1.name, job: Ok(id) }
    }

    /// Hands a job in.
    pub fn submit(shared: &Arc<Shared>, task: TaskRef, kind: Kind, portion: Option<Portion>) -> Self {
        let id = shared.start(None, |core| hand_in(core, task, kind, portion));
        Self { shared: shared.clone(), task: task.1.name, job: Ok(id) }
    }

    /// Hands a call in and waits for its results.
    ///
    /// # Errors
    /// In a task of the same pool.
    pub fn call(shared: &Shared, task: TaskRef, portion: Portion) -> Result<Results, Error> {
        let start = |core: &mut Core| hand_in(core, task, SINGLE, Some(portion));
        let results = shared.start_and_wait(start, |core, id| {
            let job = core.jobs.get(id).filter(|job| job.finished)?;
            let results = job.take_results();
            core.discard(id);
            Some(results)
        })?;
        Ok(results.unwrap_or_default())
    }

    /// A job that cannot be: its owner finds the reason as its outcome.
    pub fn refused(shared: &Arc<Shared>, error: Error) -> Self {
        Self { shared: shared.clone(), task: "?", job: Err(Refused(Mutex::new(Some(error)))) }
    }

    /// The job, unless it was refused, or is another process's.
    pub fn id(&self) -> Option<JobId> {
        self.job.as_ref().ok().copied().filter(|_| self.shared.is_ours())
    }

    /// The pool.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The task that runs.
    pub fn task(&self) -> &'static str {
        self.task
    }

    /// Adds items.
    pub fn offer(&self, portion: Portion) {
        let Some(id) = self.id() else { return };
        self.shared.with(|core| {
            let Some(job) = core.jobs.get(id) else { return };
            if job.finished || !job.open {
                core.refuse(id, portion.len() as u64);
            } else {
                let items = job.offer(portion);
                core.feed(Event::Offered { job: id, items });
            }
        });
    }

    /// Says that no more items come.
    pub fn seal(&self) {
        self.with_job(Core::seal);
    }

    /// Drops the items from `first` on that no worker has started.
    pub fn cancel_from(&self, first: u64) {
        let Some(id) = self.id() else { return };
        self.shared.with(|core| {
            core.collect_if_free();
            if core.jobs.get(id).is_some_and(|job| !job.finished) {
                core.feed(Event::Cancelled { job: id, items: first..u64::MAX });
            }
        });
    }

    /// Drops the items that no worker has started. Whether there were any, now or before; if not, none will be dropped
    /// later either.
    pub fn cancel(&self) -> bool {
        let Some(id) = self.id() else { return false };
        self.shared.with(|core| {
            core.collect_if_free();
            if core.jobs.get(id).is_some_and(|job| !job.finished) {
                core.feed(Event::Cancelled { job: id, items: 0..u64::MAX });
            }
            let cancelled = core.jobs.get(id).is_some_and(|job| job.was_cancelled());
            if !cancelled {
                core.scheduler.keep(id);
            }
            cancelled
        })
    }

    /// Waits until every item is accounted for; false if the time-out passed first.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<bool, Error> {
        let Some(id) = self.id() else { return Ok(true) };
        let deadline = timeout.map(|timeout| Time::now() + timeout);
        let over = |core: &mut Core| core.is_finished(id).then_some(());
        Ok(self.shared.wait(Some(id), deadline, over)?.is_some())
    }

    /// Waits for the results. A long one may come to lie in `spare`, memory that nobody needs any more.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_with(&self, spare: Option<Vec<u8>>) -> Result<Results, Error> {
        let Some(spare) = spare else {
            self.wait(None)?;
            return Ok(self.take());
        };
        self.shared.with(|core| core.buffer = spare);
        let waited = self.wait(None);
        // What was not used is not kept.
        drop(self.shared.with(|core| std::mem::take(&mut core.buffer)));
        waited?;
        Ok(self.take())
    }

    /// Whether every item is accounted for.
    pub fn is_ready(&self) -> bool {
        self.id().is_none_or(|id| self.shared.with(|core| look(core, id, over)).is_some())
    }

    /// The same; `waker` is woken when that changes, and no more the one of the same asker before it.
    pub fn poll(&self, asker: Asker, waker: &Waker) -> bool {
        self.id().is_none() || self.poll_for(asker, waker, over).is_some()
    }

    /// What `ready` finds. If that is nothing, `waker` is woken when the job has news.
    pub fn poll_for<T>(
        &self,
        asker: Asker,
        waker: &Waker,
        ready: impl FnOnce(Option<&mut Job>) -> Option<T>,
    ) -> Option<T> {
        let id = self.id()?;
        // Copied here, and what it replaces is dropped here: both are a user's code, which does not run under the lock.
        let mut waker = Some(waker.clone());
        let (found, _before) = self.shared.with(|core| {
            let found = look(core, id, ready);
            let waits = found.is_none().then(|| core.jobs.get(id)).flatten();
            let Some(job) = waits else { return (found, None) };
            let before = waker.take().and_then(|waker| job.wake(asker, waker));
            core.is_left_alone();
            (found, before)
        });
        if found.is_none() {
            self.go_on();
        }
        found
    }

    /// Sees to it that the job goes on while nobody waits for it.
    pub fn go_on(&self) {
        if let Some(id) = self.id() {
            go_on(&self.shared, id);
        }
    }

    /// Whether a worker runs the only item.
    pub fn is_started(&self) -> bool {
        self.id().is_some_and(|id| {
            self.shared.with(|core| {
                core.collect_if_free();
                core.scheduler.is_started(id, 0) == Some(true)
            })
        })
    }

    /// Whether the job is over and one of its items failed.
    pub fn has_failed(&self) -> bool {
        self.id().is_none_or(|id| {
            self.shared.with(|core| core.jobs.get(id).is_some_and(|job| job.finished && job.has_failed()))
        })
    }

    /// The results that have arrived.
    pub fn take(&self) -> Results {
        match &self.job {
            Ok(id) => match self.shared.refuse_copy() {
                Ok(()) => {
                    self.shared.with(|core| core.jobs.get(*id).map(Job::take_results)).unwrap_or_default()
                }
                Err(error) => Results::failed(error),
            },
            Err(Refused(error)) => {
                let error = error.lock().unwrap_or_else(PoisonError::into_inner).take();
                error.map(Results::failed).unwrap_or_default()
            }
        }
    }

    fn with_job(&self, f: impl FnOnce(&mut Core, JobId)) {
        let Some(id) = self.id() else { return };
        self.shared.with(|core| {
            if core.jobs.get(id).is_some_and(|job| !job.finished) {
                f(core, id);
            }
        });
    }
}

fn hand_in(core: &mut Core, task: TaskRef, kind: Kind, portion: Option<Portion>) -> JobId {
    let mut job = Job::new(task, kind.itemised, kind.each, kind.open);
    job.enough = 2 * core.config.policy.workers.get() as u64;
    let items = portion.map_or(0, |portion| job.offer(portion));
    let id = core.jobs.insert(job);
    core.feed(Event::Submitted { job: id, items, sealed: !kind.open, on_failure: kind.on_failure });
    id
}

/// What `ready` finds when all that there is to hear of a job has been heard.
fn look<T>(core: &mut Core, id: JobId, ready: impl FnOnce(Option<&mut Job>) -> Option<T>) -> Option<T> {
    if !core.is_finished(id) {
        core.collect_if_free();
    }
    ready(core.jobs.get(id))
}

/// The end of a job, which one that is gone has had.
fn over(job: Option<&mut Job>) -> Option<()> {
    job.is_none_or(|job| job.finished).then_some(())
}

/// Sees to it that a job goes on while nobody waits for it. Without threads or processes it runs now.
fn go_on(shared: &Arc<Shared>, id: JobId) {
    if shared.config.backend == Backend::Inline {
        // In a task of this very pool it waits for its turn instead.
        let _ = shared.wait(Some(id), None, |core| core.is_finished(id).then_some(()));
    } else {
        shared.help();
    }
}

/// Tells `waiter` when every item of a job is accounted for: at once, if that is so now.
pub fn when_finished(shared: &Arc<Shared>, id: Option<JobId>, waiter: Waiter) {
    let mut waiter = Some(waiter);
    if let Some(id) = id {
        shared.with(|core| {
            core.collect_if_free();
            if let Some(job) = core.jobs.get(id).filter(|job| !job.finished) {
                job.waiters.extend(waiter.take());
                core.is_left_alone();
            }
        });
        if waiter.is_none() {
            return go_on(shared, id);
        }
    }
    if let Some(errand) = waiter.and_then(Waiter::tell) {
        errand.run();
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let Some(id) = self.id() else { return };
        self.shared.with(|core| {
            let Some(job) = core.jobs.get(id) else { return };
            job.wanted = false;
            if job.finished {
                core.discard(id);
            }
        });
    }
}

/// Encoded items on their way into a job: short ones together, long ones each in a slab.
pub struct Portions<'a> {
    shared: &'a Shared,
    gathered: Portion,
    /// Descriptors of the item that is being encoded.
    handles: Vec<Handle>,
    /// Descriptors of all items, which have no others.
    common: Option<Arc<[Handle]>>,
}

/// What an item made of the portion.
pub enum Encoded {
    /// It is in the portion.
    Gathered,
    /// It is too long for that, or has descriptors; the portion so far must be offered before it.
    Apart(Box<Portion>),
}

impl<'a> Portions<'a> {
    /// No items yet.
    pub fn new(shared: &'a Shared) -> Self {
        Self { shared, gathered: Portion::new(), handles: Vec::new(), common: None }
    }

    /// The same for items that all have these descriptors, and no others.
    pub fn sharing(self, common: Option<&Arc<[Handle]>>) -> Self {
        Self { common: common.cloned(), ..self }
    }

    /// Encodes an item.
    #[inline]
    pub fn push<'i>(
        &mut self,
        write: impl FnOnce(&mut Outgoing<'_, 'i>) -> Result<(), Error>,
    ) -> Result<Encoded, Error> {
        let pushed = self.gathered.push(&mut self.handles, write);
        if let Ok((len, None)) = pushed
            && self.handles.is_empty()
            && !is_long(len)
        {
            return Ok(Encoded::Gathered);
        }
        self.set_apart(pushed)
    }

    /// Takes the item that was pushed last back out.
    #[cold]
    fn set_apart(&mut self, pushed: Result<(usize, Option<Apart<'_>>), Error>) -> Result<Encoded, Error> {
        handles::settle(pushed.is_ok());
        let handles = std::mem::take(&mut self.handles);
        let apart = pushed?.1.unwrap_or_default();
        let bytes = self.gathered.pop().unwrap_or_default();
        let (portion, pour) = portion_of(self.shared, bytes, apart, handles)?;
        pour.inspect(Pour::all);
        Ok(Encoded::Apart(Box::new(portion.sharing(self.common.clone()))))
    }

    /// How many items are gathered.
    #[inline]
    pub fn len(&self) -> usize {
        self.gathered.len()
    }

    /// How many bytes are gathered.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.gathered.bytes()
    }

    /// The items that are gathered, if any are.
    pub fn take(&mut self) -> Option<Portion> {
        if self.len() == 0 {
            return None;
        }
        let next = self.gathered.another();
        Some(std::mem::replace(&mut self.gathered, next).sharing(self.common.clone()))
    }
}

/// One encoded item, and what is still to be copied into it.
pub fn portion_of<'a>(
    shared: &Shared,
    bytes: Vec<u8>,
    apart: Apart<'a>,
    handles: Vec<Handle>,
) -> Result<(Portion, Option<Pour<'a>>), Error> {
    if apart.is_empty() && !is_long(bytes.len()) {
        return Ok((Portion::single(bytes).carrying(handles), None));
    }
    let len = pieces(&bytes, &apart).map(<[u8]>::len).sum();
    let slab = shared.slabs.take(len).map(Arc::new).map_err(|error| {
        Error::os(format!("cannot store {len} bytes of arguments in shared memory"), error)
    })?;
    slab.start();
    let portion = Portion::spilled(slab.clone(), len as u64).carrying(handles);
    Ok((portion, Some(Pour { slab, bytes, apart })))
}

/// Long arguments that are not yet where the worker reads them. They may be submitted before they are [poured](Self::all): the
/// worker copies along.
pub struct Pour<'a> {
    slab: Arc<Slab>,
    bytes: Vec<u8>,
    apart: Apart<'a>,
}

impl Pour<'_> {
    /// Copies them at once if workers do not copy along.
    fn late(pour: Option<Self>, shared: &Shared) -> Option<Self> {
        if shared.config.backend == Backend::Process {
            return pour;
        }
        pour.as_ref().inspect(|pour| pour.all());
        None
    }

    /// Copies them.
    pub fn all(&self) {
        if let Err(error) = self.slab.pour(pieces(&self.bytes, &self.apart)) {
            never!("a slab that has room: {error}");
        }
    }
}
