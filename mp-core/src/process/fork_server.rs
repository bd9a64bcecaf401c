//! The parent's side of a fork server: a process of this program that copies itself on request.
//!
//! ```text
//!  no server ──(a process is asked for)──► exec, hello, preload, ready ──► serves
//!      ▲                                                                      │ its death is found at the next request,
//!      └──────────────────────────────────────────────────────────────────────┘ or in the middle of it
//! ```
//!
//! The copies are children of this process and not of the server's, so nothing that happens to the server concerns them:
//! their deaths, statuses and watches are those of spawned processes.

use super::current::{self, Identity};
use super::launch::{Orders, Surroundings, Way, channel};
use super::method::{by_running, executable, streams};
use super::start_call::{StartCall, check_room};
use super::{children, gate};
use crate::error::{Error, ErrorKind, ExitStatus};
use crate::limits;
use crate::protocol::control::{Fork, Host, MAGIC, ToParent, ToWorker, VERSION};
use crate::sys::process::{Child, Spawn, Stdio};
use crate::sys::socket::Socket;
use crate::sys::{self, BorrowedHandle};
use crate::task::registry::registry;
use crate::transport::control::{self, Inbox};
use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A fork server that runs when it is needed. Dropping it ends it, and none of the processes that it has made.
#[derive(Debug, Default)]
pub struct ForkServer {
    preload: Vec<Arc<StartCall>>,
    /// Why it cannot be used.
    broken: Option<Error>,
    running: Mutex<Option<Running>>,
}

/// A server that has said that it is ready.
#[derive(Debug)]
struct Running {
    child: Child,
    line: Line,
    /// Whose server it is: a copy of that process must not use it.
    parent: u32,
    /// What it has for an environment.
    env: Vec<(OsString, OsString)>,
    /// The directory it is in.
    directory: Option<PathBuf>,
}

/// The way to a server.
#[derive(Debug)]
struct Line {
    socket: Socket,
    inbox: Inbox,
}

/// How a request failed.
enum Trouble {
    /// The server is of no use any more, or never was: this is why, unless another one does better.
    Lost(Error),
    /// It answers, and another one would say the same.
    Refused(Error),
}

impl ForkServer {
    /// One that says what is wrong when it is used.
    pub fn broken(why: Error) -> Self {
        Self { broken: Some(why), ..Self::default() }
    }

    /// One that runs this, too.
    pub fn with_preload(&self, call: Result<StartCall, Error>) -> Self {
        let mut preload = self.preload.clone();
        let mut broken = self.broken.clone();
        match call {
            Ok(call) => preload.push(Arc::new(call)),
            Err(error) => broken = broken.or(Some(error)),
        }
        Self { preload, broken, running: Mutex::default() }
    }

    /// Has processes made, and gives them their orders. Each request has an outcome after that.
    pub fn fork(&self, requests: &mut [Request<'_>], surroundings: &Surroundings) {
        if let Some(why) = &self.broken {
            return refuse(requests, why);
        }
        let mut running = self.running();
        while requests.iter().any(Request::is_open) {
            let ready = match running.take() {
                // It may have died since; a request tells. What this process was copied from had another one.
                Some(server) if server.parent == std::process::id() => Ok(server),
                Some(_) | None => self.start(),
            };
            match ready.and_then(|ready| running.insert(ready).fork(requests, surroundings)) {
                Ok(()) => {}
                Err(Trouble::Refused(why)) => refuse(requests, &why),
                Err(Trouble::Lost(why)) => {
                    *running = None;
                    // It takes one after the other: what it was at may have killed it.
                    if let Some(request) = requests.iter_mut().find(|request| request.is_open()) {
                        request.lost(&why);
                    }
                }
            }
        }
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        // Each state is written in one assignment.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a server and waits until it has run what it is to run first.
    fn start(&self) -> Result<Running, Trouble> {
        let refused = |error| Trouble::Refused(Error::os("cannot start the fork server", error));
        // Where nobody can make copies, that is known before anybody is started.
        sys::fork::threads().map_err(refused)?;
        check_room(self.preload.iter().map(|call| &**call), 0).map_err(Trouble::Refused)?;
        let name = children::next_name("forkserver");
        let (ours, theirs) = Socket::pair().map_err(refused)?;
        let env = std::env::vars_os().collect();
        let directory = std::env::current_dir().ok();
        let child = sys::process::spawn(Spawn {
            program: executable(),
            args: std::env::args_os().collect(),
            marker: gate::MARKER,
            env: Vec::new(),
            current_dir: None,
            stdin: theirs,
            stdout: Stdio::inherit(),
            stderr: Stdio::inherit(),
        });
        let child = child.map_err(|error| {
            Trouble::Refused(Error::os(format!("cannot start the fork server{}", by_running()), error))
        })?;
        ours.set_nonblocking(true).map_err(refused)?;
        let Identity { name: parent, depth, cpus, .. } = current::identity();
        let host = ToWorker::Host(Box::new(Host {
            name,
            parent: (std::process::id(), parent.clone()),
            depth: depth + 1,
            cpus: cpus.unwrap_or(0) as u32,
            executable: executable().map(Into::into),
            preload: self.preload.iter().map(|call| call.message.clone()).collect(),
        }));
        let attached: Vec<_> = self.preload.iter().flat_map(|call| call.attached()).collect();
        let mut line = Line { socket: ours, inbox: Inbox::default() };
        let heard = line.welcome(&host, &attached).and_then(|()| line.hear(None));
        match heard {
            Ok(ToParent::Ready) => Ok(Running { child, line, parent: std::process::id(), env, directory }),
            Ok(ToParent::PreloadFailed { index, failure }) => {
                let task = self.preload.get(index as usize).map_or("unknown", |call| call.entry.name);
                Err(Trouble::Refused(Error::of_failure(failure, task).into_preload_failure(task)))
            }
            Ok(ToParent::NotForked { why }) => {
                let what = format!("the fork server cannot serve: {why}");
                Err(Trouble::Refused(Error::new(ErrorKind::InvalidInput, what)))
            }
            Ok(_) => Err(Trouble::Refused(out_of_turn())),
            Err(silence) => Err(silence.of(&child)),
        }
    }
}

/// A process that is to be made.
pub struct Request<'a> {
    orders: &'a Orders<'a>,
    /// How many servers died over it.
    lost: u32,
    outcome: Option<Result<(Child, Way), Error>>,
}

/// A server that dies is replaced; a request that none of so many survives is given up.
const ATTEMPTS: u32 = 3;

/// Nobody will serve those of them that are open.
fn refuse(requests: &mut [Request<'_>], why: &Error) {
    for request in requests.iter_mut().filter(|request| request.is_open()) {
        request.outcome = Some(Err(why.clone()));
    }
}

impl<'a> Request<'a> {
    /// One for a process with these orders.
    pub fn new(orders: &'a Orders<'a>) -> Self {
        Self { orders, lost: 0, outcome: None }
    }

    /// What became of it.
    pub fn outcome(self) -> Result<(Child, Way), Error> {
        self.outcome.unwrap_or_else(|| Err(Error::new(ErrorKind::Os, "the fork server was not asked")))
    }

    fn is_open(&self) -> bool {
        self.outcome.is_none()
    }

    /// A server died over it.
    fn lost(&mut self, why: &Error) {
        self.lost += 1;
        if self.lost == ATTEMPTS {
            let (name, kind) = (self.orders.name, why.kind());
            let what = format!("cannot start the process \"{name}\", {ATTEMPTS} times in a row: {why}");
            self.outcome = Some(Err(Error::new(kind, what)));
        }
    }

    /// A process was made for it.
    fn made(&mut self, pid: u32, way: Way) {
        let adopted = sys::process::adopt(pid).map_err(|error| self.refused(error));
        self.outcome = Some(adopted.map(|child| (child, way)));
    }

    fn refused(&self, error: io::Error) -> Error {
        Error::os(format!("cannot start the process \"{}\"", self.orders.name), error)
    }
}

/// How many requests a server has at most: enough that it need not wait for us, and few enough that what goes with them does
/// not use up what may be on its way.
const AT_ONCE: usize = 4;

impl Running {
    /// Serves the requests that are open. After an error some of them still are.
    fn fork(&mut self, requests: &mut [Request<'_>], surroundings: &Surroundings) -> Result<(), Trouble> {
        let order = Fork {
            env: self.changes().into_iter().chain(surroundings.env.iter().cloned()).collect(),
            current_dir: self.directory_of(surroundings).map(Into::into),
            streams: (false, false),
        };
        let mut waiting = requests.iter_mut().filter(|request| request.is_open());
        let mut asked = VecDeque::new();
        loop {
            while asked.len() < AT_ONCE
                && let Some(request) = waiting.next()
            {
                match self.ask(request, &order, surroundings) {
                    Ok((way, sent)) => {
                        asked.push_back((request, way));
                        if let Err(error) = sent {
                            return Err(self.end(asked, Err(error.into())));
                        }
                    }
                    Err(why) => request.outcome = Some(Err(why)),
                }
            }
            let Some((request, way)) = asked.pop_front() else { return Ok(()) };
            match self.line.hear(Some(limits::HANDSHAKE)) {
                Ok(ToParent::Forked { pid }) => request.made(pid, way),
                Ok(ToParent::NotForked { why }) => {
                    let name = request.orders.name;
                    let what = format!(
                        "cannot start the process \"{name}\": the fork server cannot copy itself: {why}"
                    );
                    request.outcome = Some(Err(Error::new(ErrorKind::Os, what)));
                }
                other => {
                    asked.push_front((request, way));
                    return Err(self.end(asked, other));
                }
            }
        }
    }

    /// Sends a request; whether that went well, too.
    fn ask(
        &self,
        request: &Request<'_>,
        order: &Fork,
        surroundings: &Surroundings,
    ) -> Result<(Way, io::Result<()>), Error> {
        let own = |error| request.refused(error);
        // A way of its own for each attempt: a copy of a server that died may have gone some way on the one before.
        let (ours, theirs) = channel().map_err(own)?;
        // It finds them when it begins.
        let way = request.orders.tell(ours).map_err(own)?;
        let theirs = theirs.into_handle();
        let (stdout, stderr) = streams(surroundings, request.orders.stderr()).map_err(own)?;
        let order =
            ToWorker::Fork(Box::new(Fork { streams: (stdout.is_some(), stderr.is_some()), ..order.clone() }));
        let handles: Vec<_> = [Some(&theirs), stdout.as_ref(), stderr.as_ref()]
            .into_iter()
            .flatten()
            .map(sys::borrow)
            .collect();
        match self.line.say(&order, &handles) {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Err(own(error)),
            sent => Ok((way, sent)),
        }
    }

    /// Ends a server that has not answered as it should, and looks which of the copies that it was asked for it has made.
    fn end<'r, 'o: 'r>(
        &self,
        asked: impl IntoIterator<Item = (&'r mut Request<'o>, Way)>,
        heard: Result<ToParent, Silence>,
    ) -> Trouble {
        // It makes no copy from here on. Those that it has made are in its process group until they speak, so the group, which
        // ends with the server's reaping, has to stay until then.
        let _ = self.child.signal(sys::process::Signal::Kill);
        for (request, way) in asked {
            if let Some(pid) = greeting(&way.socket) {
                request.made(pid, way);
            }
        }
        Trouble::Lost(match heard {
            Ok(_) => out_of_turn(),
            Err(silence) => silence.of(&self.child).into_error(),
        })
    }

    /// How our environment differs from what the server has.
    fn changes(&self) -> Vec<(OsString, Option<OsString>)> {
        let now: Vec<_> = std::env::vars_os().collect();
        if now == self.env {
            return Vec::new();
        }
        let before: BTreeMap<_, _> = self.env.iter().cloned().collect();
        let now: BTreeMap<_, _> = now.into_iter().collect();
        let gone = before.keys().filter(|name| !now.contains_key(*name));
        let mut changes: Vec<_> = gone.map(|name| (name.clone(), None)).collect();
        let differs = |(name, value): &(&OsString, &OsString)| before.get(*name) != Some(*value);
        changes.extend(now.iter().filter(differs).map(|(name, value)| (name.clone(), Some(value.clone()))));
        changes
    }

    /// Where the process is to be, unless that is where the server is.
    fn directory_of(&self, surroundings: &Surroundings) -> Option<PathBuf> {
        let here = std::env::current_dir().ok();
        match (&surroundings.current_dir, here) {
            // Relative to where we are, not to where the server is.
            (Some(chosen), Some(here)) => Some(here.join(chosen)),
            (Some(chosen), None) => Some(chosen.clone()),
            (None, here) => here.filter(|here| Some(here) != self.directory.as_ref()),
        }
    }
}

impl Line {
    /// Waits for the server's hello, and tells it what it is.
    fn welcome(&mut self, host: &ToWorker, attached: &[BorrowedHandle<'_>]) -> Result<(), Silence> {
        let ToParent::Hello { magic, version, fingerprint, .. } = self.hear(Some(limits::HANDSHAKE))? else {
            return Err(Silence::Other(out_of_turn()));
        };
        if (magic, version, fingerprint) != (MAGIC, VERSION, registry().fingerprint()) {
            return Err(Silence::Other(Error::new(
                ErrorKind::Handshake,
                format!("cannot start the fork server: {ANOTHER_PROGRAM}"),
            )));
        }
        Ok(self.say(host, attached)?)
    }

    /// Sends a message. The server reads all the time, so that there is room for it soon.
    fn say(&self, message: &ToWorker, handles: &[BorrowedHandle<'_>]) -> io::Result<()> {
        loop {
            match control::send(&self.socket, message, handles) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if !self.socket.wait_for_room(limits::HANDSHAKE)? {
                        return Err(error);
                    }
                }
                sent => return sent,
            }
        }
    }

    /// The next message, if it comes within `timeout`.
    fn hear(&mut self, timeout: Option<Duration>) -> Result<ToParent, Silence> {
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        loop {
            if let Some((message, _)) = self.inbox.receive(&self.socket)? {
                return Ok(message);
            }
            if !ready_by(self.socket.handle(), deadline)? {
                let waited = timeout.unwrap_or_default();
                return Err(Silence::Other(Error::new(
                    ErrorKind::Handshake,
                    format!("the fork server says nothing for {waited:?}"),
                )));
            }
        }
    }
}

/// Why a server is not heard.
enum Silence {
    /// It is gone.
    Ended,
    /// It is there.
    Other(Error),
}

impl From<io::Error> for Silence {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
        match error.kind() {
            BrokenPipe | ConnectionReset | UnexpectedEof => Self::Ended,
            _ => Self::Other(Error::os("cannot talk to the fork server", error)),
        }
    }
}

impl Silence {
    /// What it means that `server` is silent. One that somebody has killed is worth another attempt; one that has left by
    /// itself would do so again.
    fn of(self, server: &Child) -> Trouble {
        if let Self::Other(why) = self {
            return Trouble::Refused(why);
        }
        let ended = server.reap(Some(limits::HANDSHAKE)).ok().flatten().map(|ended| ExitStatus(ended.status));
        let how = ended.map_or_else(|| "nobody knows how".into(), |status| status.to_string());
        let by_itself = ended.is_some_and(|status| status.code().is_some());
        let cause = if by_itself {
            "a program must come to `mp::main!()` first of all"
        } else {
            "somebody may have killed it, the system for want of memory, too"
        };
        let why = Error::new(
            ErrorKind::Os,
            format!(
                "the fork server died ({how}): {cause}; preloaded tasks must return, and may have said on stderr why they do not"
            ),
        );
        if by_itself { Trouble::Refused(why) } else { Trouble::Lost(why) }
    }
}

impl Trouble {
    fn into_error(self) -> Error {
        match self {
            Self::Lost(why) | Self::Refused(why) => why,
        }
    }
}

/// Waits until something can be read, through signals; false if the time is over first.
fn ready_by(handle: BorrowedHandle<'_>, deadline: Option<Instant>) -> io::Result<bool> {
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if sys::poller::ready(handle, left)? {
            return Ok(true);
        }
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(false);
        }
    }
}

/// The number in the first message of a process whose control channel this is; `None` if nobody has the other end.
fn greeting(channel: &Socket) -> Option<u32> {
    if !ready_by(channel.handle(), Some(Instant::now() + limits::HANDSHAKE)).ok()? {
        return None;
    }
    match control::look(channel).ok()? {
        ToParent::Hello { pid, .. } => Some(pid),
        _ => None,
    }
}

/// What a worker says that is not a copy of this program.
pub const ANOTHER_PROGRAM: &str = "it is another program than its parent: the binary was replaced while it runs, or built \
                                   with another version of mp: restart the program; or two versions of mp are in it, of \
                                   which the one whose `main!` comes first can have workers: see `cargo tree -d`";

fn out_of_turn() -> Error {
    Error::new(ErrorKind::Handshake, "the fork server broke the protocol: it spoke out of turn")
}
