//! A child process that runs one task, as its parent knows it: what the handle, the list of children and a scope share.
//!
//! ```text
//!  Alive ──(dies)──► has_ended: reaped, its outcome read ─► Ended ──(join)──► the outcome is taken
//!    └─ detach: nobody waits for it any more
//! ```

use super::children;
use super::current::ProcessInfo;
use super::launch::Launched;
use super::obituary::{self, Remains};
use super::sentinel::Sentinel;
use crate::clock::Time;
use crate::error::{Error, ErrorKind, ExitStatus, Failure};
use crate::ids::CallSeq;
use crate::limits;
use crate::sys::process::{Ended, Signal};
use crate::sys::thread::Kept;
use crate::sys::{self, BorrowedHandle, Handle};
use crate::task::entry::Entry;
use crate::transport::lane::ResponseKind;
use crate::wire::codec;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A child process, until nobody asks for it any more.
#[derive(Debug)]
pub struct Running {
    pub name: String,
    pub pid: u32,
    daemon: bool,
    /// Whether a fork server made it.
    is_copy: bool,
    /// Which copy of the process started it.
    born: u32,
    detached: AtomicBool,
    pub task: &'static Entry,
    pub sentinel: Sentinel,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Alive { launched: Box<Launched>, started: Time, oom_kills: Option<u64> },
    Ended { status: Option<ExitStatus>, outcome: Option<Result<Returned, Error>> },
}

/// The bytes of a result, and its descriptors.
pub type Returned = (Vec<u8>, Vec<Handle>);

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

    /// Sends a signal; one that has ended needs none.
    pub(super) fn signal(&self, signal: Signal) -> Result<(), Error> {
        match &*self.lock() {
            State::Ended { .. } => Ok(()),
            State::Alive { launched, .. } => launched.child.signal(signal).map_err(|error| {
                Error::os(format!("cannot signal the process \"{}\" ({})", self.name, self.pid), error)
            }),
        }
    }

    /// How it ended, if it has and somebody knows. Reaps it if it is dead.
    pub(super) fn exit_status(&self) -> Option<ExitStatus> {
        self.has_ended();
        match &*self.lock() {
            State::Alive { .. } => None,
            State::Ended { status, .. } => *status,
        }
    }

    /// What it left, if it has ended and nobody has taken that.
    pub(super) fn take_outcome(&self) -> Option<Result<Returned, Error>> {
        match &mut *self.lock() {
            State::Ended { outcome, .. } => outcome.take(),
            State::Alive { .. } => None,
        }
    }

    /// Lets it outlive this process.
    pub(super) fn detach(&self) -> Result<(), Error> {
        let told = match &*self.lock() {
            State::Alive { launched, .. } => launched.child.disown().and_then(|()| launched.lane.detach()),
            State::Ended { .. } => Ok(()),
        };
        if let Err(error) = told {
            // One that ends has stopped listening before it is gone.
            if !self.wait(Some(limits::LEAVING)) {
                return Err(Error::os(format!("cannot detach the process \"{}\"", self.name), error));
            }
        }
        self.detached.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Waits until it has ended; false if the time-out passed first.
    pub(super) fn wait(&self, timeout: Option<Duration>) -> bool {
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
    pub(super) fn is_ours(&self) -> bool {
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
