//! Waiting for the first of many things.
//!
//! ```text
//!  end, sentinel, socket   its descriptor
//!  queue                   says that it is watched ─► looks again ─► its bell, rung by the next put
//!  task handle             a waker ─► a bell of this wait
//! ```

use super::joinable::JoinableQueue;
use super::queue::Queue;
use crate::error::Error;
use crate::limits;
use crate::sys::bell::Bell;
use crate::sys::{self, AsKernelHandle, BorrowedHandle, poller};
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

/// Something that [`wait_any`] can wait for: a [`Receiver`], a [`Duplex`], a [`Queue`], a [`JoinableQueue`], a [`TaskHandle`],
/// and anything with a descriptor: a process's [`sentinel`], a socket, a pipe.
///
/// [`Receiver`]: crate::Receiver
/// [`Duplex`]: crate::Duplex
/// [`TaskHandle`]: crate::TaskHandle
/// [`sentinel`]: crate::JoinHandle::sentinel
pub trait Waitable: Arm {}

impl<T: Arm + ?Sized> Waitable for T {}

/// What [`Waitable`] is within the crate.
pub trait Arm {
    /// Gets ready to wait: whether there is nothing to wait for, or what will become readable. `waker` is woken where there
    /// is no descriptor.
    fn arm(&self, waker: &Waker) -> Armed<'_>;
}

/// How to wait for a thing.
#[derive(Debug)]
pub enum Armed<'a> {
    /// Not at all: it is ready.
    Ready,
    /// Its descriptor becomes readable when it is ready.
    Handle(BorrowedHandle<'a>),
    /// This becomes readable when it may be ready.
    Bell(BorrowedHandle<'a>),
    /// The waker is woken when it may be ready.
    Waker,
}

/// Waits until one of `things` is ready, at most `timeout` (`None`: for ever), and returns the positions of all that are,
/// in order; none when the time is over. Zero looks once. With nothing to wait for and no time-out there are none at once.
///
/// A receiver is ready when a message or the end is there, a queue when a get would not wait for a message, a task handle
/// when its outcome is there, or [`wait`](crate::TaskHandle::wait) fails at once, anything else when its descriptor is readable. Somebody
/// else may be faster than what you do about it.
///
/// ```
/// #[mp::task]
/// fn talk(sender: mp::Sender<u32>) {
///     sender.send(1).expect("somebody listens");
/// }
///
/// fn main() -> Result<(), mp::Error> {
///     mp::main!();
///     let (sender, receiver) = mp::pipe::<u32>()?;
///     let queue = mp::Queue::<u32>::bounded(10)?;
///     let child = mp::spawn(talk, (sender,))?;
///     assert_eq!(mp::wait_any(&[&queue, &receiver], None)?, [1]);
///     assert_eq!(receiver.recv()?, 1);
///     assert_eq!(mp::wait_any(&[&child.sentinel(), &queue], None)?, [0]);
///     child.join()
/// }
/// ```
///
/// # Errors
/// [`ErrorKind::Os`](crate::ErrorKind::Os) when the process has no descriptors left.
///
/// # Blocking and death
/// What it waits for says when it ends: see there. The death of whoever puts into a queue is not seen, so name a time-out
/// or wait for its sentinel too.
pub fn wait_any(things: &[&dyn Waitable], timeout: Option<Duration>) -> Result<Vec<usize>, Error> {
    if things.is_empty() && timeout.is_none() {
        return Ok(Vec::new());
    }
    let deadline = timeout.map(|timeout| Instant::now().checked_add(timeout));
    let ringer =
        Arc::new(Ringer(Bell::new().map_err(|error| Error::os("cannot make a bell to wait for", error))?));
    let waker = Waker::from(ringer.clone());
    loop {
        ringer.0.clear();
        let armed: Vec<_> = things.iter().map(|thing| thing.arm(&waker)).collect();
        let left = deadline.flatten().map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let ready = look(&armed, &ringer.0, left)?;
        if !ready.is_empty() || left.is_some_and(|left| left.is_zero()) {
            return Ok(ready);
        }
    }
}

/// The things that are ready now, or after one sleep.
fn look(armed: &[Armed<'_>], bell: &Bell, left: Option<Duration>) -> Result<Vec<usize>, Error> {
    let polled: Vec<_> = armed
        .iter()
        .map(|armed| match armed {
            Armed::Handle(handle) | Armed::Bell(handle) => *handle,
            Armed::Ready | Armed::Waker => bell.handle(),
        })
        .chain([bell.handle()])
        .collect();
    let mut sleep = left.map_or(limits::LOOK_AGAIN, |left| left.min(limits::LOOK_AGAIN));
    if armed.iter().any(|armed| matches!(armed, Armed::Ready)) {
        sleep = Duration::ZERO;
    }
    let readable =
        poller::ready_any(&polled, Some(sleep)).map_err(|error| Error::os("cannot wait", error))?;
    let is_ready = |(armed, readable): (&Armed<'_>, bool)| match armed {
        Armed::Ready => true,
        Armed::Handle(_) => readable,
        Armed::Bell(_) | Armed::Waker => false,
    };
    let indices = armed.iter().zip(readable).map(is_ready).enumerate();
    Ok(indices.filter_map(|(index, ready)| ready.then_some(index)).collect())
}

struct Ringer(Bell);

impl Wake for Ringer {
    fn wake(self: Arc<Self>) {
        self.0.ring();
    }
}

impl<T: AsKernelHandle> Arm for T {
    fn arm(&self, _: &Waker) -> Armed<'_> {
        Armed::Handle(sys::look(self))
    }
}

impl<T> Arm for Queue<T> {
    fn arm(&self, _: &Waker) -> Armed<'_> {
        let (backlog, bell) = (self.post().backlog(), self.post().bell());
        bell.clear();
        backlog.watch();
        if backlog.is_readable() { Armed::Ready } else { Armed::Bell(bell.handle()) }
    }
}

impl<T> Arm for JoinableQueue<T> {
    fn arm(&self, waker: &Waker) -> Armed<'_> {
        (**self).arm(waker)
    }
}
