//! A child process that runs one task, as its parent sees it.
//!
//! | state | `is_alive` | `join`, `wait` | `terminate`, `kill`, `interrupt` | drop |
//! |---|---|---|---|---|
//! | running | true | wait for the end | send the signal | kept in the list of children, reaped when it ends |
//! | dead, not reaped | false | reap, read the outcome | nothing | reaped |
//! | ended | false | return at once | nothing | nothing |
//! | detached | – | – | – | lives on by itself |
//!
//! A copy of the parent sees whether it lives, can signal it, and learns neither status nor result.

use super::children;
use super::current::ProcessInfo;
use super::launch::Launched;
use super::obituary::{self, Remains};
use super::sentinel::Sentinel;
use crate::clock::Time;
use crate::error::{Error, ErrorKind, ExitStatus, Failure};
use crate::ids::CallSeq;
use crate::sys::process::{Ended, Signal};
use crate::sys::thread::Kept;
use crate::sys::{self, BorrowedHandle, Handle};
use crate::task::entry::Entry;
use crate::transport::lane::ResponseKind;
use crate::wire::codec;
use crate::wire::handles::providing;
use serde::de::DeserializeOwned;
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A child process that runs one task: made by [`spawn`](crate::spawn) and [`Process::start`](crate::Process::start).
///
/// Dropping it does not end the process; it goes on and is reaped when it ends. A panic of a process that nobody joins is
/// written to stderr. A process never outlives its parent unless it was [detached](Self::detach).
///
/// ```
/// use std::time::Duration;
///
/// #[mp::task]
/// fn endless() {
///     loop {
///         std::thread::park();
///     }
/// }
///
/// fn main() -> Result<(), mp::Error> {
///     mp::main!();
///     let child = mp::spawn(endless, ())?;
///     assert!(child.wait_timeout(Duration::from_millis(10)).is_err_and(|error| error.is_timeout()));
///     child.kill()?;
///     let lost = child.join().expect_err("it was killed");
///     println!("{lost}"); // task `endless` failed: process 4711 was killed by SIGKILL after running the task for 1.2ms
///     Ok(())
/// }
/// ```
pub struct JoinHandle<R> {
    running: Arc<Running>,
    result: PhantomData<fn() -> R>,
}

/// What is shared by the handle and the list of children.
#[derive(Debug)]
pub struct Running {
    name: String,
    pid: u32,
    daemon: bool,
    /// Whether a fork server made it.
    is_copy: bool,
    /// Which copy of the process started it.
    born: u32,
    detached: AtomicBool,
    task: &'static Entry,
    sentinel: Sentinel,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Alive { launched: Box<Launched>, started: Time, oom_kills: Option<u64> },
    Ended { status: Option<ExitStatus>, outcome: Option<Result<Returned, Error>> },
}

/// The bytes of a result, and its descriptors.
type Returned = (Vec<u8>, Vec<Handle>);

/// How long who waits for a copy stays where it is. The copy runs there, too, most often, and so does the fork server: woken by the
/// end of the copy, before it is all gone, this thread would have to go on elsewhere, and they would all follow, each time.
const STAY: Duration = Duration::from_millis(10);

impl Running {
    pub(super) fn new(
        name: String,
        daemon: bool,
        is_copy: bool,
        task: &'static Entry,
        launched: Launched,
    ) -> std::io::Result<Arc<Self>> {
        let sentinel = Sentinel::new(sys::duplicate(launched.child.handle())?);
        let state = State::Alive {
            started: Time::now(),
            oom_kills: sys::memory::oom_kills(),
            launched: Box::new(launched),
        };
        let pid = match &state {
            State::Alive { launched, .. } => launched.child.pid(),
            State::Ended { .. } => 0,
        };
        let running = Arc::new(Self {
            name,
            pid,
            daemon,
            is_copy,
            born: sys::copies::count(),
            detached: AtomicBool::new(false),
            task,
            sentinel,
            state: Mutex::new(state),
        });
        children::list_process(&running);
        Ok(running)
    }

    pub(super) fn sentinel(&self) -> BorrowedHandle<'_> {
        self.sentinel.handle()
    }

    /// Reaps it if it is dead.
    pub(super) fn has_ended(&self) -> bool {
        self.settle(&mut self.lock());
        matches!(*self.lock(), State::Ended { .. })
    }

    pub(super) fn info_if_alive(&self) -> Option<ProcessInfo> {
        (!self.has_ended()).then(|| ProcessInfo { pid: self.pid, name: self.name.clone() })
    }

    /// This program ends in order: its daemons end now.
    pub(super) fn end_daemon(&self) {
        if self.daemon && !self.detached.load(Ordering::Relaxed) && self.signal(Signal::Kill).is_err() {
            // This program has given up the rights that it started the process with.
            if let State::Alive { launched, .. } = &*self.lock() {
                launched.lane.hang_up();
            }
        }
    }

    /// This program ends in order, when this process has ended.
    pub(super) fn wait_at_exit(&self) {
        if !self.detached.load(Ordering::Relaxed) {
            self.wait(None);
        }
    }

    /// The end of a scope.
    pub(super) fn wait_in_scope(&self) {
        if !self.detached.load(Ordering::Relaxed) && self.is_ours() {
            self.wait(None);
        }
    }

    /// The failure that nobody has taken.
    pub(super) fn take_failure(&self) -> Option<Error> {
        if self.detached.load(Ordering::Relaxed) || !self.is_ours() {
            return None;
        }
        match &mut *self.lock() {
            State::Ended { outcome, .. } => outcome.take_if(|outcome| outcome.is_err())?.err(),
            State::Alive { .. } => None,
        }
    }

    /// Nobody will ask for the outcome any more: a panic that nobody has heard of goes to stderr, as that of a thread does. Deaths are most
    /// often wanted.
    pub(super) fn tell_unheard(&self) {
        let is_panic = |outcome: &mut _| matches!(outcome, Err(error) if Error::is_panic(error));
        let unheard = match &mut *self.lock() {
            State::Ended { outcome, .. } => outcome.take_if(is_panic),
            State::Alive { .. } => None,
        };
        if let Some(Err(unheard)) = unheard {
            let text = format!("mp: nobody joined the process \"{}\": {unheard}\n", self.name);
            sys::pipe::write_stderr(text.as_bytes());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each state is written in one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn signal(&self, signal: Signal) -> Result<(), Error> {
        match &*self.lock() {
            State::Ended { .. } => Ok(()),
            State::Alive { launched, .. } => launched.child.signal(signal).map_err(|error| {
                Error::os(format!("cannot signal the process \"{}\" ({})", self.name, self.pid), error)
            }),
        }
    }

    /// Waits until it has ended; false if the time-out passed first.
    fn wait(&self, timeout: Option<Duration>) -> bool {
        let deadline = timeout.map(|timeout| Time::now() + timeout);
        let mut may_be_short = self.is_copy;
        loop {
            if self.has_ended() {
                return true;
            }
            let left = deadline.map(|deadline| deadline.since(Time::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return false;
            }
            let kept = std::mem::take(&mut may_be_short).then(Kept::here);
            let patience = kept.map(|_| left.map_or(STAY, |left| left.min(STAY))).or(left);
            // An interrupted wait, or one that fails, looks again.
            let _ = sys::poller::ready(self.sentinel(), patience);
            if let Some(kept) = kept {
                kept.let_go();
            }
        }
    }

    /// Whether this process started it, and not the one of which this is a copy.
    fn is_ours(&self) -> bool {
        self.born == sys::copies::count()
    }

    fn settle(&self, state: &mut State) {
        let State::Alive { launched, started, oom_kills } = state else { return };
        if !self.is_ours() {
            // Others see that it is gone, and no more.
            if sys::poller::ready(self.sentinel(), Some(Duration::ZERO)).unwrap_or(true) {
                *state = State::Ended { status: None, outcome: Some(Err(of_another(&self.name))) };
            }
            return;
        }
        let ended = match launched.child.try_reap() {
            Ok(None) => return,
            Ok(Some(ended)) => Some(ended),
            // Somebody else reaped it; that it is dead is certain.
            Err(_) => None,
        };
        let outcome = self.outcome(launched, *started, *oom_kills, ended);
        *state = State::Ended { status: ended.map(|ended| ExitStatus(ended.status)), outcome: Some(outcome) };
    }

    /// What the dead process left: its result, its failure, or nothing.
    fn outcome(
        &self,
        launched: &mut Launched,
        started: Time,
        oom_kills: Option<u64>,
        ended: Option<Ended>,
    ) -> Result<Returned, Error> {
        let mut bytes = Vec::new();
        let mut remark = None;
        let mut arrived = Ok(Vec::new());
        match launched.lane.next_response(usize::MAX, &mut bytes, &mut arrived) {
            Ok(Some(response)) => match response.kind {
                ResponseKind::Done => {
                    drain_stderr(launched);
                    let unreceived = |why| Error::result_unreceived(&why).for_task(self.task.name);
                    return Ok((bytes, arrived.map_err(unreceived)?));
                }
                ResponseKind::Failed => {
                    drain_stderr(launched);
                    return Err(failure(&bytes, self.task));
                }
                ResponseKind::Skipped => remark = Some("it skipped its only call".to_owned()),
            },
            Ok(None) => {}
            Err(violation) => remark = Some(violation.0),
        }
        let began = launched.lane.running().is_some();
        if !began && remark.is_none() {
            remark = Some(obituary::never_began(ended).into());
        }
        Err(Error::lost(obituary::write(Remains {
            pid: self.pid,
            ended,
            lane: &launched.lane,
            stderr: launched.stderr.as_ref(),
            running: Some((CallSeq(1), self.task.name, began.then(|| Time::now().since(started)))),
            worker: None,
            oom_kills_before: oom_kills,
            remark,
        })))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tell_unheard();
    }
}

fn of_another(name: &str) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        format!(
            "the process \"{name}\" is a child of the one that this one was forked from, which has its result"
        ),
    )
}

fn drain_stderr(launched: &Launched) {
    obituary::last_words(&launched.lane, launched.stderr.as_ref());
}

/// The failure in a `FAIL` frame.
pub fn failure(bytes: &[u8], task: &'static Entry) -> Error {
    match codec::decode::<Failure>(bytes) {
        Ok(failure) => Error::of_failure(failure, task.name),
        Err(error) => Error::result_undecodable("mp::Failure", &error.to_string()).for_task(task.name),
    }
}

impl<R> JoinHandle<R> {
    pub(super) fn new(running: Arc<Running>) -> Self {
        Self { running, result: PhantomData }
    }

    pub(super) fn running(&self) -> &Arc<Running> {
        &self.running
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.running.pid
    }

    /// The process's name.
    pub fn name(&self) -> &str {
        &self.running.name
    }

    /// Whether the process has not ended. Reaps it if it has.
    pub fn is_alive(&self) -> bool {
        !self.running.has_ended()
    }

    /// How the process ended: 0 after a task that returned, 101 after one that panicked, the code of an `exit`, or the
    /// signal; `None` while it runs.
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.running.has_ended();
        match &*self.running.lock() {
            State::Alive { .. } => None,
            State::Ended { status, .. } => *status,
        }
    }

    /// Waits for the end of the process.
    ///
    /// # Errors
    /// When somebody else reaped the process, so that nobody can tell how it ended.
    ///
    /// # Blocking and death
    /// Returns as soon as the process is gone, whatever ended it.
    pub fn wait(&self) -> Result<ExitStatus, Error> {
        self.running.wait(None);
        self.status()
    }

    /// Waits for the end of the process, at most `timeout`; a timeout of zero looks once.
    ///
    /// # Errors
    /// [`is_timeout`](Error::is_timeout) if it still runs then; otherwise as [`wait`](Self::wait).
    ///
    /// # Blocking and death
    /// Returns as soon as the process is gone, whatever ended it.
    pub fn wait_timeout(&self, timeout: Duration) -> Result<ExitStatus, Error> {
        if self.running.wait(Some(timeout)) { self.status() } else { Err(self.timed_out(timeout)) }
    }

    /// Asks the process to end (`SIGTERM`). Without a handler of its own it dies at once, unless this program had the signal
    /// blocked or ignored when it started the process, which inherits that.
    ///
    /// # Errors
    /// When the signal cannot be sent. A process that has ended is no error.
    pub fn terminate(&self) -> Result<(), Error> {
        self.running.signal(Signal::Terminate)
    }

    /// Ends the process by force (`SIGKILL`).
    ///
    /// # Errors
    /// When the signal cannot be sent. A process that has ended is no error.
    pub fn kill(&self) -> Result<(), Error> {
        self.running.signal(Signal::Kill)
    }

    /// What Ctrl-C does (`SIGINT`), also where this program does not let it come, and if the process has only just started.
    ///
    /// # Errors
    /// When the signal cannot be sent. A process that has ended is no error.
    pub fn interrupt(&self) -> Result<(), Error> {
        self.running.signal(Signal::Interrupt)
    }

    /// A handle that is readable from the end of the process on, to be waited for together with others.
    pub fn sentinel(&self) -> Sentinel {
        self.running.sentinel.clone()
    }

    /// Lets the process outlive this one, and forgets it.
    ///
    /// # Errors
    /// When it cannot be told, because it has stopped listening. A process that has ended is no error.
    pub fn detach(self) -> Result<(), Error> {
        if let State::Alive { launched, .. } = &*self.running.lock() {
            launched.child.disown().and_then(|()| launched.lane.detach()).map_err(|error| {
                Error::os(format!("cannot detach the process \"{}\"", self.running.name), error)
            })?;
        }
        self.running.detached.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn status(&self) -> Result<ExitStatus, Error> {
        self.exit_status().ok_or_else(|| {
            Error::new(
                ErrorKind::Os,
                format!(
                    "the process \"{}\" ended, but somebody else reaped it, so its exit status is unknown (the system itself \
                     does, where this program ignores SIGCHLD)",
                    self.name()
                ),
            )
        })
    }

    fn timed_out(&self, timeout: Duration) -> Error {
        let what = format!("the process \"{}\" ({}) still runs after {timeout:?}", self.name(), self.pid());
        Error::new(ErrorKind::TimedOut, what)
    }
}

impl<R: DeserializeOwned> JoinHandle<R> {
    /// Waits for the end of the process and returns what its task returned.
    ///
    /// # Errors
    /// The task's panic; a [`WorkerLost`](crate::WorkerLost) if the process ended before the task returned, also with
    /// exit code 0; a result that cannot be decoded.
    ///
    /// # Blocking and death
    /// Returns as soon as the process is gone, whatever ended it.
    pub fn join(self) -> Result<R, Error> {
        self.running.wait(None);
        self.take()
    }

    /// Waits for the end of the process, at most `timeout`, and returns what its task returned.
    ///
    /// # Errors
    /// [`is_timeout`](Error::is_timeout) if it still runs then: the handle stays good. Otherwise as
    /// [`join`](Self::join); the result can be taken once.
    ///
    /// # Blocking and death
    /// Returns as soon as the process is gone, whatever ended it.
    pub fn join_timeout(&self, timeout: Duration) -> Result<R, Error> {
        if self.running.wait(Some(timeout)) { self.take() } else { Err(self.timed_out(timeout)) }
    }

    fn take(&self) -> Result<R, Error> {
        let taken = match &mut *self.running.lock() {
            State::Ended { outcome, .. } => outcome.take(),
            State::Alive { .. } => None,
        };
        let task = self.running.task.name;
        let (bytes, handles) = taken.unwrap_or_else(|| {
            Err(Error::new(ErrorKind::AlreadyTaken, "the result of this process was taken before")
                .for_task(task))
        })?;
        providing(handles, || codec::decode_result_vec(bytes)).map_err(|error| {
            Error::result_undecodable(std::any::type_name::<R>(), &error.to_string()).for_task(task)
        })
    }
}

impl<R> Drop for JoinHandle<R> {
    fn drop(&mut self) {
        if self.running.is_ours() && !self.running.has_ended() {
            children::adopt(self.running.clone());
        }
    }
}

impl<R> fmt::Debug for JoinHandle<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.exit_status().map_or_else(|| "running".to_owned(), |status| status.to_string());
        f.debug_struct("JoinHandle")
            .field("name", &self.name())
            .field("pid", &self.pid())
            .field("status", &status)
            .finish()
    }
}
