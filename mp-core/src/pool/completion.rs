//! Waiting for several handles at once.

use super::handle::{MapHandle, TaskHandle};
use super::shared::Shared;
use super::ticket::{Ticket, when_finished};
use super::waiter::Waiter;
use crate::clock::Time;
use crate::ids::JobId;
use sealed::Ticketed;
use std::fmt;
use std::iter::FusedIterator;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// When [`wait`] returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum When {
    /// When one of the handles is ready.
    FirstCompleted,
    /// When one of the handles has failed, or all are ready. What was cancelled has not failed.
    FirstFailed,
    /// When all are ready.
    All,
}

/// What [`wait`] found: the handles that are ready, and the others, each in the order in which they were given.
#[derive(Debug)]
#[must_use = "it holds the handles"]
pub struct Waited<H> {
    /// Handles that are ready.
    pub done: Vec<H>,
    /// Handles that are not.
    pub not_done: Vec<H>,
}

/// Something that [`wait`] and [`as_completed`] wait for: a [`TaskHandle`], a [`MapHandle`], or a reference to one.
pub trait Handle: Ticketed {}

mod sealed {
    use super::Ticket;

    pub trait Ticketed {
        fn job(&self) -> &Ticket;
    }
}

impl<R> Handle for TaskHandle<R> {}
impl<R> Handle for MapHandle<R> {}
impl<H: Handle> Handle for &H {}

impl<R> Ticketed for TaskHandle<R> {
    fn job(&self) -> &Ticket {
        self.ticket()
    }
}

impl<R> Ticketed for MapHandle<R> {
    fn job(&self) -> &Ticket {
        self.ticket()
    }
}

impl<H: Ticketed> Ticketed for &H {
    fn job(&self) -> &Ticket {
        (**self).job()
    }
}

/// Waits for several handles, of one or of several pools, at most `timeout` (`None`: as long as it takes). The outcomes
/// stay in the handles.
///
/// ```
/// #[mp::task]
/// fn square(x: i64) -> i64 {
///     x * x
/// }
///
/// fn main() -> Result<(), mp::Error> {
///     mp::main!();
///     let pool = mp::Pool::new(2)?;
///     let handles: Vec<_> = (1..=3).map(|x| pool.apply_async(square, (x,))).collect();
///     let waited = mp::wait(&handles, mp::When::All, None);
///     assert_eq!((waited.done.len(), waited.not_done.len()), (3, 0));
///     Ok(())
/// }
/// ```
///
/// # Blocking and death
/// A handle is ready when its call ends, its worker dies, or its pool ends. In a task of one of the pools it does not
/// wait, because that could last for ever.
pub fn wait<I>(handles: I, when: When, timeout: Option<Duration>) -> Waited<I::Item>
where
    I: IntoIterator,
    I::Item: Handle,
{
    let handles: Vec<I::Item> = handles.into_iter().collect();
    let deadline = timeout.map(|timeout| Time::now() + timeout);
    match when {
        When::All => {
            for handle in &handles {
                match handle.job().wait(deadline.map(|deadline| deadline.since(Time::now()))) {
                    Ok(true) => {}
                    Ok(false) | Err(_) => break,
                }
            }
        }
        When::FirstCompleted | When::FirstFailed => {
            let mut endings = Endings::of(&handles);
            while let Some(index) = endings.next(deadline) {
                if when == When::FirstCompleted || handles[index].job().has_failed() {
                    break;
                }
            }
        }
    }
    let (done, not_done) = handles.into_iter().partition(|handle| handle.job().is_ready());
    Waited { done, not_done }
}

/// Yields handles as they become ready, of one or of several pools; those that are ready first.
///
/// ```
/// #[mp::task]
/// fn square(x: i64) -> i64 {
///     x * x
/// }
///
/// fn main() -> Result<(), mp::Error> {
///     mp::main!();
///     let pool = mp::Pool::new(2)?;
///     let handles: Vec<_> = (1..=3).map(|x| pool.apply_async(square, (x,))).collect();
///     let mut squares: Vec<i64> =
///         mp::as_completed(handles).map(|handle| handle.wait()).collect::<Result<_, _>>()?;
///     squares.sort_unstable();
///     assert_eq!(squares, [1, 4, 9]);
///     Ok(())
/// }
/// ```
///
/// # Blocking and death
/// A handle is ready when its call ends, its worker dies, or its pool ends. In a task of one of the pools the handles
/// come as they are, because waiting for them could last for ever.
pub fn as_completed<I>(handles: I) -> AsCompleted<I::Item>
where
    I: IntoIterator,
    I::Item: Handle,
{
    let handles: Vec<I::Item> = handles.into_iter().collect();
    let endings = Endings::of(&handles);
    AsCompleted { handles: handles.into_iter().map(Some).collect(), endings }
}

/// The iterator of [`as_completed`].
#[derive(Debug)]
pub struct AsCompleted<H> {
    handles: Vec<Option<H>>,
    endings: Endings,
}

impl<H> AsCompleted<H> {
    /// The next handle that becomes ready within `timeout`; `None` if none does, or none is left.
    ///
    /// # Blocking and death
    /// A handle is ready when its call ends, its worker dies, or its pool ends.
    pub fn next_timeout(&mut self, timeout: Duration) -> Option<H> {
        self.next_until(Some(Time::now() + timeout))
    }

    /// How many handles have not been yielded.
    pub fn remaining(&self) -> usize {
        self.endings.left
    }

    fn next_until(&mut self, deadline: Option<Time>) -> Option<H> {
        let index = self.endings.next(deadline)?;
        self.handles.get_mut(index)?.take()
    }
}

impl<H> FusedIterator for AsCompleted<H> {}

impl<H> Iterator for AsCompleted<H> {
    type Item = H;

    fn next(&mut self) -> Option<H> {
        self.next_until(None)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.remaining(), Some(self.remaining()))
    }
}

/// The ends of the jobs of some handles, by their index. Dropped, it is not told of any more.
struct Endings {
    ended: Receiver<usize>,
    /// What the jobs send to.
    to: Arc<Sender<usize>>,
    /// Where that waits which has not ended.
    asked: Vec<Option<(Arc<Shared>, JobId)>>,
    left: usize,
}

impl Endings {
    fn of<H: Handle>(handles: &[H]) -> Self {
        let (to, ended) = channel();
        let to = Arc::new(to);
        let ask = |(index, handle): (usize, &H)| {
            let (shared, id) = (handle.job().shared(), handle.job().id());
            let waiter = Waiter::Number(to.clone(), index);
            if shared.refuse_inside().is_err() {
                waiter.tell();
                return None;
            }
            when_finished(shared, id, waiter);
            Some((shared.clone(), id?))
        };
        let asked = handles.iter().enumerate().map(ask).collect();
        Self { ended, to, asked, left: handles.len() }
    }

    /// The next one, if one comes by then; none if none is left.
    fn next(&mut self, deadline: Option<Time>) -> Option<usize> {
        if self.left == 0 {
            return None;
        }
        let index = match deadline {
            None => self.ended.recv().ok()?,
            Some(deadline) => self.ended.recv_timeout(deadline.since(Time::now())).ok()?,
        };
        self.left -= 1;
        *self.asked.get_mut(index)? = None;
        Some(index)
    }
}

impl Drop for Endings {
    fn drop(&mut self) {
        let ours = |waiter: &Waiter| matches!(waiter, Waiter::Number(to, _) if Arc::ptr_eq(to, &self.to));
        for (shared, id) in self.asked.iter().flatten().filter(|(shared, _)| shared.is_ours()) {
            shared.with(|core| {
                if let Some(job) = core.jobs.get(*id) {
                    job.waiters.retain(|waiter| !ours(waiter));
                }
            });
        }
    }
}

impl fmt::Debug for Endings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endings").field("left", &self.left).finish_non_exhaustive()
    }
}
