//! How a process is started: `StartMethod`, and `Context`, which is bound to one.

use super::builder::Process;
use super::fork_server::{ForkServer, Request};
use super::gate;
use super::handle::JoinHandle;
use super::launch::{Orders, Surroundings, Way, channel};
use super::start_call::StartCall;
use crate::error::{Error, ErrorKind};
use crate::sys::fork::{Copied, Fork};
use crate::sys::process::{Child, Spawn, Stdio};
use crate::sys::socket::Socket;
use crate::sys::{self, Handle};
use crate::task::arguments::{Args, Task};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// How a process is started.
///
/// | | a fresh process costs | it finds | where |
/// |---|---|---|---|
/// | [`Spawn`](Self::Spawn) | an exec of this program, whatever the size of the parent | nothing of its parent's memory | everywhere |
/// | [`ForkServer`](Self::ForkServer) | a fraction of that | what the server has [preloaded](Context::preload) | Linux |
/// | [`Fork`](Self::Fork) | grows with the parent's memory | a copy of its parent's memory | Linux |
///
/// Everything else is the same for all: what a task sees of its arguments, environment, directory and streams, how the
/// process dies with its parent, and what is known of its end.
///
/// ```
/// #[mp::task]
/// fn square(x: i64) -> i64 {
///     x * x
/// }
///
/// fn main() -> Result<(), mp::Error> {
///     mp::main!();
///     # if cfg!(target_os = "linux") {
///     let context = mp::Context::new(mp::StartMethod::ForkServer);
///     assert_eq!(context.pool(2)?.map(square, 0..4)?, [0, 1, 4, 9]);
///     # }
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StartMethod {
    /// This program is started again.
    #[default]
    Spawn,
    /// A process that was started once and does nothing else copies itself. It has one thread and nothing of the parent's
    /// state, so that its copies are as good as fresh processes.
    ///
    /// A process so started is a child of the one that asked for it. The server starts with the first of them, is started
    /// again if it dies, and ends with the program, or with the [`Context`] that it belongs to. What a process has of
    /// limits, priorities and umask is what the program had when the server started.
    ForkServer,
    /// This process copies itself, with all its memory, descriptors and mappings, but with one thread. See [`Fork::new`]
    /// for what there is to promise.
    ///
    /// The copy holds a descriptor of everything that was open, so that a pipe, queue or socket of another process may not
    /// come to its end before the copy does.
    Fork(Fork),
}

/// A way of starting processes: a [`StartMethod`] with what belongs to it.
///
/// Cheap to clone; the clones share one fork server, which ends with the last of them and of the pools and processes that
/// were made with them.
#[derive(Clone, Debug, Default)]
pub struct Context {
    start: Start,
}

/// The method, as a process that is about to be started needs it.
#[derive(Clone, Debug, Default)]
pub enum Start {
    #[default]
    Spawn,
    Server(Arc<ForkServer>),
    Fork(Fork),
}

impl Context {
    /// A context for this method, with a fork server of its own if it is about one.
    pub fn new(method: StartMethod) -> Self {
        let start = match method {
            StartMethod::Spawn => Start::Spawn,
            StartMethod::ForkServer => Start::Server(Arc::default()),
            StartMethod::Fork(promise) => Start::Fork(promise),
        };
        Self { start }
    }

    /// Which method it is.
    pub fn method(&self) -> StartMethod {
        match self.start {
            Start::Spawn => StartMethod::Spawn,
            Start::Server(_) => StartMethod::ForkServer,
            Start::Fork(promise) => StartMethod::Fork(promise),
        }
    }

    /// A task that the fork server runs once, before it makes its first copy: to load what all of them need. What it leaves in
    /// memory is found, and shared until written to, by every process that is started from there on. (Python's
    /// `set_forkserver_preload`.) Several are run in the order in which they were named.
    ///
    /// It must leave no thread behind: the copies would not have it. What is wrong with it, a panic or an `Err` that it returns, is
    /// reported when a process is started.
    ///
    /// ```
    /// use std::sync::OnceLock;
    ///
    /// static TABLE: OnceLock<Vec<u32>> = OnceLock::new();
    ///
    /// #[mp::task]
    /// fn load(len: u32) {
    ///     TABLE.get_or_init(|| (0..len).collect());
    /// }
    ///
    /// #[mp::task]
    /// fn look(index: usize) -> Option<u32> {
    ///     TABLE.get()?.get(index).copied()
    /// }
    ///
    /// fn main() -> Result<(), mp::Error> {
    ///     mp::main!();
    ///     # if cfg!(target_os = "linux") {
    ///     let context = mp::Context::new(mp::StartMethod::ForkServer).preload(load, (1000,));
    ///     let pool = context.pool(2)?;
    ///     assert_eq!(pool.apply(look, (999,))?, Some(999));
    ///     # }
    ///     Ok(())
    /// }
    /// ```
    #[track_caller]
    #[must_use = "a context does nothing until something is started with it"]
    #[allow(clippy::needless_pass_by_value, reason = "a call takes its arguments, as a function does")]
    pub fn preload<F, P, A>(mut self, task: F, args: A) -> Self
    where
        F: Task<P>,
        A: Args<P>,
    {
        let call = StartCall::new(task, &args);
        let server = match &self.start {
            Start::Server(server) => server.with_preload(call),
            Start::Spawn | Start::Fork(_) => ForkServer::broken(Error::new(
                ErrorKind::InvalidInput,
                "only a fork server preloads: make the context with `StartMethod::ForkServer`",
            )),
        };
        self.start = Start::Server(Arc::new(server));
        self
    }

    /// A process that will run `task` with `args`, as [`Process::new`].
    #[track_caller]
    pub fn process<F, P, A>(&self, task: F, args: A) -> Process<F::Output>
    where
        F: Task<P>,
        A: Args<P>,
    {
        Process::new(task, args).context(self)
    }

    /// Runs a task in a process of its own, as [`spawn`](crate::spawn).
    ///
    /// # Errors
    /// As those of [`spawn`](crate::spawn), and what is wrong with the method.
    #[track_caller]
    pub fn spawn<F, P, A>(&self, task: F, args: A) -> Result<JoinHandle<F::Output>, Error>
    where
        F: Task<P>,
        A: Args<P>,
    {
        self.process(task, args).daemon(true).start()
    }

    pub(crate) fn start(&self) -> Start {
        self.start.clone()
    }
}

impl Start {
    /// What a bare method stands for: all that name the fork server share one.
    pub fn of(method: StartMethod) -> Self {
        static SHARED: Mutex<Option<Arc<ForkServer>>> = Mutex::new(None);
        match method {
            StartMethod::Spawn => Self::Spawn,
            StartMethod::ForkServer => {
                let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
                Self::Server(shared.get_or_insert_default().clone())
            }
            StartMethod::Fork(promise) => Self::Fork(promise),
        }
    }

    /// Starts a process and gives it its orders.
    pub fn begin(&self, orders: &Orders<'_>, surroundings: &Surroundings) -> Result<(Child, Way), Error> {
        let what = || format!("cannot start the process \"{}\"", orders.name);
        match self {
            Self::Spawn => {
                spawn(orders, surroundings).map_err(|error| match is_there(orders, surroundings) {
                    Err(nowhere) => nowhere,
                    Ok(()) => Error::os(what() + &by_running(), error),
                })
            }
            // A spawn finds out by itself; a copy could tell nobody.
            Self::Server(server) => is_there(orders, surroundings).and_then(|()| {
                let mut request = Request::new(orders);
                server.fork(std::slice::from_mut(&mut request), surroundings);
                request.outcome()
            }),
            Self::Fork(promise) => is_there(orders, surroundings).and_then(|()| {
                fork(*promise, orders, surroundings).map_err(|error| Error::os(what(), error))
            }),
        }
    }

    /// Starts several: the outcome of each. A fork server is asked for the next one before it has made the last.
    pub fn begin_all(
        &self,
        all: &[Orders<'_>],
        surroundings: &Surroundings,
    ) -> Vec<Result<(Child, Way), Error>> {
        match (self, all) {
            (Self::Server(server), [first, _, ..]) if is_there(first, surroundings).is_ok() => {
                let mut requests: Vec<_> = all.iter().map(Request::new).collect();
                server.fork(&mut requests, surroundings);
                requests.into_iter().map(Request::outcome).collect()
            }
            _ => all.iter().map(|orders| self.begin(orders, surroundings)).collect(),
        }
    }
}

/// Refuses a directory that is not there. What is looked for is what `chdir` needs: that something can be found in there.
fn is_there(orders: &Orders<'_>, surroundings: &Surroundings) -> Result<(), Error> {
    let Some(directory) = &surroundings.current_dir else { return Ok(()) };
    std::fs::metadata(directory.join(".")).map(drop).map_err(|error| {
        let (name, directory) = (orders.name, directory.display());
        Error::os(format!("cannot start the process \"{name}\" in the directory \"{directory}\""), error)
    })
}

/// For an error: which file was to be run, if it was chosen.
pub(super) fn by_running() -> String {
    executable().map_or_else(String::new, |path| {
        format!(" by running \"{}\", as `mp::set_executable` says", path.display())
    })
}

fn spawn(orders: &Orders<'_>, surroundings: &Surroundings) -> io::Result<(Child, Way)> {
    let (ours, theirs) = channel()?;
    // Before, as this process may have to wait for a processor when it has started another.
    let early = if Socket::CARRIES_TO_NOBODY { Ok(orders.tell(ours)?) } else { Err(ours) };
    let stderr = match orders.stderr() {
        Some(stderr) => Stdio::from(stderr.try_clone()?),
        None => surroundings.stderr.stdio()?,
    };
    let child = sys::process::spawn(Spawn {
        program: executable(),
        args: std::env::args_os().collect(),
        marker: gate::MARKER,
        env: surroundings.env.clone(),
        current_dir: surroundings.current_dir.clone(),
        stdin: theirs,
        stdout: surroundings.stdout.stdio()?,
        stderr,
    })?;
    let way = early.or_else(|ours| orders.tell(ours))?;
    Ok((child, way))
}

fn fork(promise: Fork, orders: &Orders<'_>, surroundings: &Surroundings) -> io::Result<(Child, Way)> {
    let (ours, theirs) = channel()?;
    let way = orders.tell(ours)?;
    let (stdout, stderr) = streams(surroundings, orders.stderr())?;
    match sys::fork::child(promise)? {
        Copied::Original(pid) => Ok((sys::process::adopt(pid)?, way)),
        Copied::Copy => {
            drop(way);
            let Surroundings { env, current_dir, .. } = surroundings;
            match sys::fork::take_place(stdout, stderr, env, current_dir.as_deref()) {
                Ok(()) => gate::serve(theirs),
                Err(error) => {
                    sys::pipe::write_stderr(
                        format!("mp: a forked process cannot begin: {error}\n").as_bytes(),
                    );
                    sys::process::exit_now(1)
                }
            }
        }
    }
}

/// The stdout and stderr of a copy of a process.
pub(super) fn streams(
    surroundings: &Surroundings,
    stderr: Option<&Handle>,
) -> io::Result<(Option<Handle>, Option<Handle>)> {
    let stdout = surroundings.stdout.handle(sys::pipe::stdout)?;
    let stderr = match stderr {
        Some(stderr) => Some(stderr.try_clone()?),
        None => surroundings.stderr.handle(sys::pipe::stderr)?,
    };
    Ok((stdout, stderr))
}

static EXECUTABLE: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Starts workers by running the file at `path` from here on, instead of the program that runs now (which on Linux is
/// found by inode, also when its file was replaced). For a program that was started through something else: a loader, an
/// emulator, a wrapper that has to be there for workers, too.
///
/// The processes that a worker starts run the same file. A path with more than one part is looked for in the directory of this
/// moment, and a bare name in `PATH`, whatever directory is chosen for the worker.
///
/// It must be the same program, or pass its arguments on to it: a worker of another one is refused by its parent, as is one
/// that never comes to [`main!`](crate::main).
pub fn set_executable(path: impl Into<PathBuf>) {
    let mut path = path.into();
    if path.components().nth(1).is_some() {
        // Without a directory to look from it stays as it is.
        path = std::path::absolute(&path).unwrap_or(path);
    }
    *EXECUTABLE.lock().unwrap_or_else(PoisonError::into_inner) = Some(path);
}

pub fn executable() -> Option<PathBuf> {
    EXECUTABLE.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
