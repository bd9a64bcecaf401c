//! Take, find, run, publish: what a worker process does with its life.

use super::desk::{Desk, Original, PANICKED};
use super::host::Host;
use super::watch::{self, Watched};
use crate::error::{Failure, PanicReport};
use crate::limits;
use crate::process::current::{self, Identity, WorkerInfo};
use crate::process::fork_server::ANOTHER_PROGRAM;
use crate::process::gate;
use crate::process::limits::keep_to;
use crate::process::method::set_executable;
use crate::process::own::Own;
use crate::protocol::control::{
    BROKEN, FULL, FirstArguments, FirstCall, Init, MAGIC, Role, ToParent, ToWorker, VERSION, failure_in,
};
use crate::protocol::frame::request;
use crate::shared::kept::KEPT;
use crate::shm::recorder::WorkerRecorder;
use crate::shm::region::Region;
use crate::shm::ring::{Consumer, Trusted};
use crate::shm::slab::AttachedSlab;
use crate::sys::bell::Bell;
use crate::sys::process::exit;
use crate::sys::socket::Socket;
use crate::sys::{self, Handle};
use crate::task::registry::{Slot, registry};
use crate::task::run::{Runner, run};
use crate::transport::berth::Berth;
use crate::transport::control::is_no_room;
use crate::transport::mail::Mail;
use crate::wire::spare::SPARE;
use std::io;
use std::sync::Arc;

/// Exit code of a worker that was started by hand, or whose parent is not what it should be (`EX_USAGE`).
const NOT_FOR_PEOPLE: i32 = 64;

/// Serves this process's parent until it says quit.
pub fn serve() -> ! {
    let channel = match sys::entry::take_channel() {
        Ok(channel) => channel,
        Err(error) if error.kind() != io::ErrorKind::InvalidInput => {
            complain(&format!("a worker process cannot take over its control channel: {error}"), BROKEN)
        }
        Err(error) => complain(
            &format!(
                "this program was started with {}, which it uses to start workers of itself ({error}); leave the \
                 argument away",
                gate::MARKER
            ),
            NOT_FOR_PEOPLE,
        ),
    };
    // The marker only disturbs tasks that look at their arguments; it is no reason not to work.
    let _ = sys::entry::hide_marker(gate::MARKER);
    serve_on(channel)
}

/// The same in a process whose control channel is known.
pub fn serve_on(mut channel: Socket) -> ! {
    loop {
        match start(channel) {
            Started::Worker(worker) => worker.live(),
            Started::Host(host) => channel = host.live(),
        }
    }
}

/// What a process has turned out to be.
enum Started {
    Worker(Box<Worker>),
    Host(Host),
}

/// What went wrong before anybody could be told.
pub struct Trouble(pub &'static str, pub io::Error);

/// Becomes what the parent says, or says why it cannot.
fn start(channel: Socket) -> Started {
    let mail = Mail::new(channel);
    // The channel is open as long as `mail` is there: a parent that sees it close kills, and would do so in the middle of the
    // complaint.
    match greet(mail.clone()) {
        Ok(started) => started,
        Err(Trouble(what, error)) => complain(&format!("a worker process {what}: {error}"), BROKEN),
    }
}

/// Greets the parent, and becomes what it says.
fn greet(mail: Arc<Mail>) -> Result<Started, Trouble> {
    let os = |what| move |error| Trouble(what, error);
    sys::entry::ignore_sigpipe().map_err(os("cannot ignore SIGPIPE"))?;
    sys::entry::go_on_in_background().map_err(os("cannot go on in the background"))?;
    sys::entry::die_with_parent().map_err(os("cannot ask for its parent's death"))?;
    let hello = ToParent::Hello {
        magic: MAGIC,
        version: VERSION,
        pid: std::process::id(),
        fingerprint: registry().fingerprint(),
    };
    match mail.send(&hello, &[]) {
        // A parent that is gone may have detached this process: its orders wait in the socket.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            return Err(Trouble("cannot greet its parent", error));
        }
        Ok(()) | Err(_) => {}
    }
    match mail.receive_first().map_err(os("did not get its orders"))? {
        Some((ToWorker::Init(init), _)) if init.fingerprint != registry().fingerprint() => {
            Err(Trouble("cannot serve", io::Error::other(ANOTHER_PROGRAM)))
        }
        Some((ToWorker::Init(init), arrived)) => {
            let handles = arrived.map_err(os("did not get its orders"))?;
            Worker::start(mail, *init, handles).map(Box::new).map(Started::Worker)
        }
        Some((ToWorker::Host(orders), arrived)) => {
            let handles = arrived.map_err(os("did not get its orders"))?;
            Host::start(mail, *orders, handles).map(Started::Host)
        }
        Some(_) | None => Err(Trouble(
            "did not get its orders",
            io::Error::other("the first message is not a first message"),
        )),
    }
}

/// What is asked, and who answers.
struct Worker {
    requests: Consumer<Trusted>,
    desk: Desk,
    mail: Arc<Mail>,
    runner: Runner,
    role: Role,
    /// Long arguments that the role refers to, in the order in which it does.
    attached: Vec<Handle>,
}

/// Whether the worker goes on.
#[derive(PartialEq, Eq)]
enum Next {
    GoOn,
    Leave,
}

impl Worker {
    /// Becomes a worker: everything up to the initializer.
    fn start(mail: Arc<Mail>, init: Init, handles: Vec<Handle>) -> Result<Self, Trouble> {
        let os = |what| move |error| Trouble(what, error);
        let Parts { parent, region, bell, stderr, attached } =
            Parts::of(handles, init.tee).map_err(os("got bad orders"))?;
        let end = region.into_worker();
        let recorder = end.recorder.clone();
        RECORDER.get_or_init(|| recorder.clone());
        recorder.lighten();
        let worker = assume(&init);
        let interrupt =
            if worker.is_some() { sys::entry::ignore_interrupt() } else { sys::entry::heed_interrupt() };
        interrupt.map_err(os("cannot say what SIGINT does"))?;
        sys::fault::install(recorder.fault_words()).map_err(os("cannot install its crash handler"))?;
        let watched = Watched {
            parent,
            pid: init.parent.0,
            mail: mail.clone(),
            recorder,
            stderr,
            has_one_call: worker.is_none(),
        };
        watch::start(watched).map_err(os("cannot watch over its parent"))?;
        if let Some(allowance) = &init.allowance {
            keep_to(allowance).map_err(os("cannot keep to its limits"))?;
        }
        let runner = Runner { pid: std::process::id(), worker, on_panic: Some(note_panic) };
        if worker.is_some() {
            KEPT.begin();
            SPARE.begin();
        }
        let (requests, berth) = Berth::new(mail.clone(), end, bell);
        Ok(Self { requests, desk: Desk::new(berth, runner), mail, runner, role: init.role, attached })
    }

    fn live(mut self) -> ! {
        self.initialize();
        loop {
            match self.turn() {
                Ok(Next::GoOn) => {
                    let patience = (KEPT.is_any() || SPARE.is_any()).then_some(limits::KEPT_FOR);
                    if !self.desk.berth.wait_for_request(&self.requests, patience) {
                        KEPT.forget();
                        SPARE.forget();
                        self.desk.berth.tidy(&self.requests);
                    }
                }
                Ok(Next::Leave) => self.leave(),
                // No call is lost by it: there is nothing to complain of.
                Err(error) if is_no_room(&error) => exit(FULL),
                Err(error) => complain(&format!("a worker process cannot go on: {error}"), BROKEN),
            }
        }
    }

    /// Runs everything that is in the ring. A request stays there until it is done.
    fn turn(&mut self) -> io::Result<Next> {
        while let Some(frame) =
            self.requests.peek().map_err(|_| io::Error::other("the ring of requests is broken"))?
        {
            match frame.head.kind {
                request::CALL => {
                    let code = self.desk.calls(frame.head, frame.payload())?;
                    if let (Role::Process, Some(code)) = (&self.role, code) {
                        exit(code);
                    }
                }
                request::QUIT => return Ok(Next::Leave),
                other => return Err(io::Error::other(format!("a request of the unknown kind {other}"))),
            }
            self.requests.advance();
        }
        Ok(Next::GoOn)
    }

    /// Runs the initializer, and says how that went.
    fn initialize(&mut self) {
        let attached = &mut self.attached;
        if let Role::Pool { initializer: Some(call), .. } = &self.role
            && let Err(failure) = first_call(call, attached, self.runner)
        {
            let _ = self.mail.send(&ToParent::InitializerFailed(failure), &[]);
            exit(PANICKED);
        }
        // If the parent is gone, the watch thread ends this process any moment, unless it was detached.
        let _ = self.mail.send(&ToParent::Ready, &[]);
    }

    /// Leaves in order: finalizer, buffers, exit handlers.
    fn leave(&mut self) -> ! {
        let attached = &mut self.attached;
        if let Role::Pool { finalizer: Some(call), .. } = &self.role
            && let Err(failure) = first_call(call, attached, self.runner)
        {
            sys::pipe::write_stderr(failure.of_finalizer(&current::identity().name).as_bytes());
            exit(PANICKED)
        }
        exit(0)
    }
}

struct Parts {
    parent: Handle,
    region: Region,
    bell: Bell,
    stderr: Option<(Handle, Handle)>,
    attached: Vec<Handle>,
}

impl Parts {
    fn of(handles: Vec<Handle>, tee: bool) -> io::Result<Self> {
        let mut handles = handles.into_iter();
        let mut next = || handles.next().ok_or_else(|| io::Error::other("a descriptor is missing"));
        let parent = next()?;
        let region = Region::attach(next()?)?;
        let bell = Bell::from_handle(next()?);
        let stderr = if tee { Some((next()?, next()?)) } else { None };
        Ok(Self { parent, region, bell, stderr, attached: handles.collect() })
    }
}

/// Takes on the identity that the parent gives; the place in the pool, if there is one.
fn assume(init: &Init) -> Option<u32> {
    let pid = std::process::id();
    let identity = Identity {
        name: init.name.clone(),
        parent: Some(init.parent.clone()),
        depth: init.depth,
        cpus: Some(init.cpus as usize).filter(|count| *count > 0),
    };
    let _ = sys::entry::set_name(&init.name);
    if let Some(path) = &init.executable {
        set_executable(path);
    }
    match &init.role {
        Role::Process => {
            current::assume(&identity, None);
            None
        }
        Role::Pool { pool, index, .. } => {
            let worker = WorkerInfo { index: *index, pid, name: init.name.clone(), pool: pool.clone() };
            current::assume(&identity, Some(worker));
            Some(*index)
        }
    }
}

/// Runs the initializer or the finalizer. The descriptors of long arguments come in the order of the calls.
pub fn first_call(call: &FirstCall, attached: &mut Vec<Handle>, runner: Runner) -> Result<(), Failure> {
    let broken = |reason: String| Failure::ArgumentUndecodable { type_name: "mp::FirstCall".into(), reason };
    let entry =
        registry().get(Slot(call.slot)).ok_or_else(|| broken(format!("no task in slot {}", call.slot)))?;
    let take = |attached: &mut Vec<Handle>| {
        let count = call.handles as usize;
        if count > attached.len() {
            return Err(broken("descriptors are missing".into()));
        }
        Ok(attached.drain(..count).collect())
    };
    let (mut result, original) = (Vec::new(), Original::now());
    match &call.arguments {
        FirstArguments::Inline(bytes) => run(entry, bytes, take(attached)?, &mut result, runner)?,
        FirstArguments::Attached { len } => {
            let len = usize::try_from(*len).map_err(|error| broken(error.to_string()))?;
            let handle = if attached.is_empty() { None } else { Some(attached.remove(0)) };
            let handle = handle.ok_or_else(|| broken("its descriptor is missing".into()))?;
            let slab = AttachedSlab::attach(handle, len).map_err(|error| broken(error.to_string()))?;
            let bytes = slab.bytes(0, len).map_err(|_| broken("its slab is too short".into()))?;
            run(entry, bytes, take(attached)?, &mut result, runner)?
        }
    };
    original.or_end();
    failure_in(call.error_type.as_deref(), &result).map_or(Ok(()), Err)
}

pub fn complain(what: &str, code: i32) -> ! {
    sys::pipe::write_stderr(format!("mp: {what}\n").as_bytes());
    exit(code)
}

/// The recorder of this process, for the panic hook.
static RECORDER: Own<WorkerRecorder> = Own::new();

/// Keeps the panic where the parent finds it if this process aborts now.
fn note_panic(report: &PanicReport) {
    if let Some(recorder) = RECORDER.get() {
        let location = report.location.as_deref().unwrap_or_default();
        recorder.note_panic(&format!("{location}\n{}", report.message));
    }
}
