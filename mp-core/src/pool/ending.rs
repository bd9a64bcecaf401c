//! How a pool is brought to its end by its owner.

use super::core::Core;
use super::scheduler::{Event, Phase, Why};
use super::verbs::Pool;
use crate::clock::Time;
use crate::error::{Error, ErrorKind};
use crate::limits;
use std::time::Duration;

impl Pool {
    /// Takes no new calls. What was submitted goes on; workers leave when it is done.
    pub fn close(&self) {
        if !self.shared.is_ours() {
            return;
        }
        self.shared.with(|core| core.feed(Event::Closed));
        self.shared.help();
    }

    /// Ends the pool at once: drops what no worker has started, kills the workers, and waits until they are gone. (The threads of
    /// [`Backend::Thread`](crate::Backend::Thread) cannot be killed: their calls go on, and nobody hears of them.) Pending handles get an error with [`is_closed`](Error::is_closed).
    ///
    /// # Blocking and death
    /// Waits for killed processes to be gone, and for [callbacks](crate::TaskHandle::on_done), no longer than the grace. In a task of this pool, on the thread or inline backend, it does not wait.
    pub fn terminate(&self) {
        self.stop(Duration::ZERO, Why::Terminated);
    }

    /// Waits until a closed pool has done everything and its workers are gone.
    ///
    /// # Errors
    /// - [`InvalidInput`](ErrorKind::InvalidInput) if the pool was neither [closed](Self::close) nor [terminated](Self::terminate).
    /// - [`Deadlock`](ErrorKind::Deadlock) if this thread has an [`imap`](Self::imap) of the pool that it has not taken to its end.
    /// - [`is_interrupted`](Error::is_interrupted) if Ctrl-C has ended the pool.
    ///
    /// Any other reason for its end is told by its calls, and not here.
    ///
    /// # Blocking and death
    /// Returns when all calls have ended or failed, all workers are gone and all [callbacks](crate::TaskHandle::on_done) have run; a worker that does not leave within the
    /// grace is killed. An `imap` of another thread is waited for: until it was taken to its end, or dropped.
    pub fn join(&self) -> Result<(), Error> {
        self.is_over_by(None).map(drop)
    }

    /// Waits until a closed pool has done everything and its workers are gone, at most `timeout`; a timeout of zero looks once.
    ///
    /// # Errors
    /// [`is_timeout`](Error::is_timeout) if it goes on then, and as for [`join`](Self::join).
    ///
    /// # Blocking and death
    /// As [`join`](Self::join), and when the time is over.
    pub fn join_timeout(&self, timeout: Duration) -> Result<(), Error> {
        if self.is_over_by(Some(Time::now() + timeout))? {
            return Ok(());
        }
        let name = &self.shared.config.name;
        let text = format!(
            "the pool \"{name}\" has not ended within {timeout:?}, and goes on; `terminate` ends it at once"
        );
        Err(Error::new(ErrorKind::TimedOut, text))
    }

    /// Waits for the end; false if the time is over first.
    fn is_over_by(&self, deadline: Option<Time>) -> Result<bool, Error> {
        self.shared.refuse_copy()?;
        if self.shared.with(|core| core.scheduler.phase() == Phase::Open) {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                format!(
                    "the pool \"{}\" is open, so waiting for its workers would last for ever: call `close` or \
                     `terminate` first",
                    self.shared.config.name
                ),
            ));
        }
        let me = std::thread::current().id();
        let mut stuck = false;
        loop {
            // Twice: whoever has just been given the iterator may not have asked it for anything yet.
            let look_again = Time::now() + limits::LOOK_AGAIN;
            let until = deadline.map_or(look_again, |deadline| deadline.min(look_again));
            let over = |core: &mut Core| core.scheduler.is_over().then(|| core.interrupted());
            if let Some(interrupted) = self.shared.wait(None, Some(until), over)? {
                let settled = self.shared.callbacks.settle(deadline);
                return interrupted.map_or(Ok(settled), Err);
            }
            if deadline.is_some_and(|deadline| deadline <= Time::now()) {
                return Ok(false);
            }
            let before = std::mem::replace(&mut stuck, self.shared.with(|core| core.waits_for(me)));
            if before && stuck {
                return Err(Error::new(
                    ErrorKind::Deadlock,
                    format!(
                        "the pool \"{}\" waits for an `imap` that this thread has not taken to its end, and this thread \
                         for the pool: take the rest, or drop it, before `join` or `shutdown`",
                        self.shared.config.name
                    ),
                ));
            }
        }
    }

    /// Closes the pool and waits until its workers are gone. With `cancel_pending` what no worker has started is
    /// cancelled, and so is the rest of the input of an [`imap`](Self::imap); without, it still runs.
    ///
    /// # Errors
    /// [`Deadlock`](ErrorKind::Deadlock) in a task of this pool, and as for [`join`](Self::join).
    ///
    /// # Blocking and death
    /// As [`join`](Self::join).
    pub fn shutdown(&self, cancel_pending: bool) -> Result<(), Error> {
        self.shared.refuse_copy()?;
        self.shared.with(|core| {
            core.feed(Event::Closed);
            if cancel_pending {
                for job in core.jobs.ids() {
                    core.feed(Event::Cancelled { job, items: 0..u64::MAX });
                    core.seal(job);
                }
            }
        });
        self.join()
    }
}
