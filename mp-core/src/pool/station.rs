//! A worker as the driver sees it: a process behind a lane, or a thread behind a queue. Both say the same things.

use super::hands::Hands;
use crate::clock::Time;
use crate::error::WorkerLost;
use crate::error::{Error, Failure};
use crate::ids::CallSeq;
use crate::limits;
use crate::process::children::Listed;
use crate::process::fork_server::ANOTHER_PROGRAM;
use crate::process::launch::Launched;
use crate::process::obituary::{self, Remains};
use crate::process::running::failure;
use crate::protocol::control::{FULL, MAGIC, ToParent, VERSION};
use crate::sys::Handle;
use crate::sys::poller::Poller;
use crate::sys::process::{Ended, Signal, Status};
use crate::task::entry::Entry;
use crate::task::registry::registry;
use crate::transport::lane::{ResponseKind, Violation};
use std::io;
use std::sync::Arc;

/// What keeps a place of the pool busy.
pub enum Station {
    /// A process.
    Process(Box<ProcessStation>),
    /// A thread, or the waiting thread itself.
    Thread(ThreadStation),
}

/// A worker process and what is known about its calls.
pub struct ProcessStation {
    pub launched: Launched,
    pub name: String,
    /// Since when the oldest call that is out may have been running.
    pub since: Time,
    /// The calls that are being taken back: up to here.
    pub revoked_to: Option<CallSeq>,
    oom_kills: Option<u64>,
    /// What it runs before it takes calls.
    initializer: Option<&'static str>,
    /// It said hello.
    greeted: bool,
    /// It takes calls.
    ready: bool,
    /// Why we killed it, if it broke the protocol. Nothing that it says counts any more.
    broken: Option<String>,
    /// Why we killed it, if it did not.
    remark: Option<String>,
    /// It cannot be sent what goes with a call.
    is_of_no_use: bool,
    /// Its entry in the list of children.
    _listed: Listed,
}

/// What is said of a worker that had no room for a call, which is run by another one.
const HANDED_BACK: &str =
    "it had no descriptors or no address space left for what goes with a call, and handed it back";

/// A worker thread and the calls that it has.
pub struct ThreadStation {
    pub hands: Arc<Hands>,
    pub name: String,
    /// The calls that were taken back: the scheduler hears of the answer after it has heard of the request.
    pub skipped: Option<CallSeq>,
}

/// What a worker says.
pub enum Said {
    /// Its first word.
    Greeted,
    /// It takes calls.
    Ready,
    /// Its initializer failed.
    InitializerFailed(Error),
    /// A call returned; its bytes are in the buffer, these are its descriptors.
    Done(CallSeq, Vec<Handle>),
    /// A call failed.
    Failed(CallSeq, Failed),
    /// Revoked calls from this one on did not run.
    Skipped(CallSeq),
    /// It is gone (threads only; the death of a process is seen by its handle).
    Gone,
}

/// A failure in the form in which it came.
pub enum Failed {
    /// From another process; the bytes are in the buffer.
    Encoded,
    /// From this one.
    Here(Failure),
    /// It returned, and what came with its result could not be taken.
    Unreceived(io::Error),
}

impl Failed {
    /// The error that the caller gets.
    pub fn into_error(self, bytes: &[u8], task: &'static Entry) -> Error {
        match self {
            Self::Encoded => failure(bytes, task),
            Self::Here(failure) => Error::of_failure(failure, task.name),
            Self::Unreceived(why) => Error::result_unreceived(&why).for_task(task.name),
        }
    }
}

impl Station {
    /// The next thing that it says, in order. Bytes of results are put into `buffer`; of a long one at most `most` are read at once.
    pub fn next(&mut self, most: usize, buffer: &mut Vec<u8>) -> Option<Said> {
        match self {
            Self::Process(station) => station.next_response(most, buffer),
            Self::Thread(station) => station.next(buffer),
        }
    }

    /// Whether it has said something that nobody has heard.
    pub fn has_news(&self) -> bool {
        match self {
            Self::Process(station) => station.broken.is_none() && station.launched.lane.has_response(),
            Self::Thread(station) => station.skipped.is_some() || station.hands.has_news(),
        }
    }

    /// Looks how much it has said by now; whether there may be anything.
    pub fn look(&mut self) -> bool {
        match self {
            Self::Process(station) => station.launched.lane.look(),
            Self::Thread(_) => true,
        }
    }

    /// Whether it had said more when we last [looked](Self::look) than has been heard.
    pub fn is_behind(&self) -> bool {
        match self {
            Self::Process(station) => station.launched.lane.is_behind(),
            Self::Thread(_) => true,
        }
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        match self {
            Self::Process(station) => station.launched.child.pid(),
            Self::Thread(_) => std::process::id(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Process(station) => &station.name,
            Self::Thread(station) => &station.name,
        }
    }

    /// Asks it to leave when it has done what it has.
    pub fn quit(&mut self) {
        match self {
            Self::Process(station) => {
                // With a ring full of calls there is no room to ask; nothing is out when the scheduler asks, but what is
                // asked of us twice is done by force.
                if !station.launched.lane.quit() {
                    station.kill();
                }
            }
            Self::Thread(station) => station.hands.quit(),
        }
    }

    /// Ends it by force. A thread cannot be ended: it is left to itself, and nothing that it says counts any more.
    pub fn kill(&mut self) {
        match self {
            Self::Process(station) => {
                if !station.greeted {
                    station.remark = Some(format!(
                        "it had not greeted its parent, which killed it: a start may take {:?}, and what stands before `mp::main!();` \
                         is a part of it",
                        limits::HANDSHAKE
                    ));
                }
                station.kill();
            }
            Self::Thread(station) => station.hands.abandon(),
        }
    }

    /// Takes back the calls `from..to`. Returns the first that will surely not run.
    pub fn revoke(&mut self, from: CallSeq, to: CallSeq) -> CallSeq {
        match self {
            Self::Process(station) => {
                station.revoked_to = Some(to);
                station.launched.lane.revoke(from, to)
            }
            Self::Thread(station) => {
                let first = station.hands.revoke(from, to);
                station.skipped = Some(first);
                first
            }
        }
    }
}

impl ProcessStation {
    /// A process that has just been started.
    pub fn new(
        launched: Launched,
        name: String,
        initializer: Option<&'static str>,
        listed: Listed,
        now: Time,
    ) -> Self {
        Self {
            launched,
            name,
            since: now,
            revoked_to: None,
            oom_kills: crate::sys::memory::oom_kills(),
            initializer,
            greeted: false,
            ready: false,
            broken: None,
            remark: None,
            is_of_no_use: false,
            _listed: listed,
        }
    }

    /// The next message on the control socket.
    pub fn next_message(&mut self) -> Option<Said> {
        loop {
            if self.broken.is_some() {
                return None;
            }
            match self.launched.lane.next_message() {
                Ok(None) => return None,
                Ok(Some(ToParent::Slab { .. } | ToParent::Handles { .. })) => {}
                Ok(Some(ToParent::Ready | ToParent::InitializerFailed(_))) if !self.greeted || self.ready => {
                    self.give_up(out_of_turn("the end of its initializer"));
                }
                Ok(Some(ToParent::Hello { .. })) if self.greeted => self.give_up(out_of_turn("hello")),
                Ok(Some(ToParent::Ready)) => {
                    self.ready = true;
                    return Some(Said::Ready);
                }
                Ok(Some(ToParent::InitializerFailed(message))) => {
                    let task = "the initializer";
                    return Some(Said::InitializerFailed(Error::of_failure(message, task)));
                }
                Ok(Some(ToParent::Hello { magic, version, fingerprint, pid: _ })) => {
                    if magic == MAGIC && version == VERSION && fingerprint == registry().fingerprint() {
                        self.greeted = true;
                        return Some(Said::Greeted);
                    }
                    self.give_up(ANOTHER_PROGRAM.into());
                }
                Ok(Some(
                    ToParent::PreloadFailed { .. } | ToParent::Forked { .. } | ToParent::NotForked { .. },
                )) => {
                    self.give_up(out_of_turn("what only a fork server says"));
                }
                Err(violation) => self.give_up(violation.0),
            }
        }
    }

    /// The control socket is at its end: the process is dying, or has closed what is not its to close. Dying processes
    /// do not mind.
    pub fn hung_up(&mut self, poller: &Poller) {
        let _ = poller.remove(self.launched.lane.handle());
        self.kill();
    }

    /// Whether the other end of the control socket is closed.
    pub fn is_hung_up(&self) -> bool {
        self.launched.lane.is_hung_up()
    }

    /// It is dead: what is known about it. `task` is what it was running.
    pub fn bury(&mut self, running: Option<(CallSeq, &'static Entry)>, worker: u32, now: Time) -> WorkerLost {
        // Whoever reaped it instead of us has not told us how it ended.
        let ended: Option<Ended> = self.launched.child.try_reap().ok().flatten();
        let remark = self.broken.take().or(self.remark.take()).or_else(|| match self.initializer {
            _ if self.has_handed_back() => Some(HANDED_BACK.to_owned()),
            _ if self.ready => None,
            _ if !self.greeted => Some(obituary::never_began(ended).to_owned()),
            Some(task) => Some(format!(
                "it ended before its first call, as far as can be told in the pool's initializer `{task}`"
            )),
            None => None,
        });
        obituary::write(Remains {
            pid: self.launched.child.pid(),
            ended,
            lane: &self.launched.lane,
            stderr: self.launched.stderr.as_ref(),
            running: running.map(|(seq, task)| (seq, task.name, Some(now.since(self.since)))),
            worker: Some(worker),
            oom_kills_before: self.oom_kills,
            remark,
        })
    }

    /// Whether it broke the protocol: what lies in its ring counts no more, however much there is.
    pub fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// Of a dead one that was running no call: whether it could not take what goes with one. Its memory may say anything, and is
    /// not believed alone: a call that writes over it is not to be tried for ever.
    pub fn has_handed_back(&self) -> bool {
        let full =
            || matches!(self.launched.child.try_reap(), Ok(Some(Ended { status: Status::Code(FULL), .. })));
        self.is_of_no_use || (self.launched.lane.recorder().has_handed_back() && full())
    }

    /// Whether it has come as far as to take calls.
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// Whether it has died.
    pub fn is_dead(&self) -> bool {
        // An error means that somebody else reaped it.
        self.launched.child.try_reap().map_or(true, |ended| ended.is_some())
    }

    /// It broke the protocol.
    pub fn give_up(&mut self, why: String) {
        self.broken.get_or_insert(why);
        self.kill();
    }

    /// It is of no use any more. What it has answered counts.
    pub fn end(&mut self, why: String) {
        self.remark.get_or_insert(why);
        self.is_of_no_use = true;
        self.kill();
    }

    fn kill(&mut self) {
        if self.launched.child.signal(Signal::Kill).is_err() {
            // This program has given up the rights that it started the worker with.
            self.launched.lane.hang_up();
        }
        let _ = self.launched.child.kill_group();
    }

    fn next_response(&mut self, most: usize, buffer: &mut Vec<u8>) -> Option<Said> {
        if self.broken.is_some() {
            return None;
        }
        buffer.clear();
        let mut arrived = Ok(Vec::new());
        match self.launched.lane.next_response(most, buffer, &mut arrived) {
            Ok(None) => None,
            Ok(Some(response)) => Some(match response.kind {
                ResponseKind::Done => match arrived {
                    Ok(handles) => Said::Done(response.seq, handles),
                    Err(why) => Said::Failed(response.seq, Failed::Unreceived(why)),
                },
                ResponseKind::Failed => Said::Failed(response.seq, Failed::Encoded),
                ResponseKind::Skipped => Said::Skipped(response.seq),
            }),
            Err(Violation(why)) => {
                self.give_up(why);
                None
            }
        }
    }
}

fn out_of_turn(what: &str) -> String {
    format!("its parent killed it because it broke the protocol: {what} out of turn")
}

impl ThreadStation {
    fn next(&mut self, buffer: &mut Vec<u8>) -> Option<Said> {
        let said = self.hands.next(buffer);
        // What it did before the revoke comes before the answer to it.
        said.or_else(|| self.skipped_when_idle())
    }

    fn skipped_when_idle(&mut self) -> Option<Said> {
        if self.hands.is_idle() { self.skipped.take().map(Said::Skipped) } else { None }
    }
}
