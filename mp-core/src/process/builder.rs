//! `Process` and `spawn`.

use super::children;
use super::current;
use super::handle::JoinHandle;
use super::launch::{Launcher, Surroundings};
use super::limits::Limits;
use super::method::{Context, Start, StartMethod};
use super::output::Output;
use super::own::Own;
use super::running::Running;
use crate::error::{Error, ErrorKind};
use crate::ids::CallSeq;
use crate::limits;
use crate::protocol::control::Role;
use crate::shm::slab::Slab;
use crate::sys::Handle;
use crate::sys::bell::Bell;
use crate::task::arguments::{Args, Task};
use crate::task::registry;
use crate::wire::outgoing::Outgoing;
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;

/// A process that has not been started: a task, its arguments and its surroundings.
///
/// ```
/// #[mp::task]
/// fn product(x: u32, y: u32) -> u32 {
///     x * y
/// }
///
/// fn main() -> Result<(), mp::Error> {
///     mp::main!();
///     let process = mp::Process::new(product, (6, 7)).name("multiplier").start()?;
///     assert_eq!(process.name(), "multiplier");
///     assert_eq!(process.join()?, 42);
///     Ok(())
/// }
/// ```
#[must_use = "a process does nothing until it is started"]
pub struct Process<R> {
    call: Result<Call, Error>,
    name: Option<String>,
    daemon: bool,
    surroundings: Surroundings,
    result: PhantomData<fn() -> R>,
}

struct Call {
    slot: registry::Slot,
    task: &'static crate::task::entry::Entry,
    arguments: Vec<u8>,
    handles: Vec<Handle>,
}

/// Runs a task in a process of its own, like [`std::thread::spawn`] runs a function in a thread of its own.
///
/// Like a thread, it does not outlive the program: if nobody has joined it by then, it is killed in the middle of its work. For a
/// process with a name, an environment or a life of its own see [`Process`].
///
/// ```
/// #[mp::task]
/// fn shout(text: &str) -> String {
///     text.to_uppercase()
/// }
///
/// fn main() -> Result<(), mp::Error> {
///     mp::main!();
///     let process = mp::spawn(shout, ("hello",))?;
///     assert_eq!(process.join()?, "HELLO");
///     Ok(())
/// }
/// ```
///
/// # Errors
/// If the function is not a task, the arguments cannot be encoded, or the process cannot be started.
#[track_caller]
pub fn spawn<F, P, A>(task: F, args: A) -> Result<JoinHandle<F::Output>, Error>
where
    F: Task<P>,
    A: Args<P>,
{
    Process::new(task, args).daemon(true).start()
}

#[allow(clippy::needless_pass_by_value, reason = "a call takes its arguments, as a function does")]
impl<R> Process<R> {
    /// A process that will run `task` with `args`, a tuple. What is wrong with them is reported by
    /// [`start`](Self::start).
    #[track_caller]
    pub fn new<F, P, A>(task: F, args: A) -> Self
    where
        F: Task<P, Output = R>,
        A: Args<P>,
    {
        let call = registry::of(task).and_then(|(slot, task)| {
            let (mut arguments, mut handles) = (Vec::new(), Vec::new());
            let mut outgoing = Outgoing::whole(&mut arguments, &mut handles);
            let written = args.write(&mut outgoing);
            outgoing.settle(written.is_ok());
            written.map_err(|error| error.for_task(task.name))?;
            Ok(Call { slot, task, arguments, handles })
        });
        Self { call, name: None, daemon: false, surroundings: Surroundings::default(), result: PhantomData }
    }

    /// Names the process. Without a name it is `process-1`, or whatever the next number is: processes, pools and fork servers
    /// count together. (A child's child is `process-1:1`, and so on.)
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Whether the process is killed when this program ends in order, before the others are waited for. Without this, the end of
    /// the program waits for it, as in Python. (When this program is killed, its processes die with it either way.)
    pub fn daemon(mut self, daemon: bool) -> Self {
        self.daemon = daemon;
        self
    }

    /// Sets an environment variable of the process.
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.surroundings.env.push((key.as_ref().into(), Some(value.as_ref().into())));
        self
    }

    /// Removes an environment variable from the process.
    pub fn env_remove(mut self, key: impl AsRef<OsStr>) -> Self {
        self.surroundings.env.push((key.as_ref().into(), None));
        self
    }

    /// The directory in which the process starts.
    pub fn current_dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.surroundings.current_dir = Some(directory.as_ref().into());
        self
    }

    /// How the process is started; without this by [`StartMethod::Spawn`].
    pub fn start_method(mut self, method: StartMethod) -> Self {
        self.surroundings.start = Start::of(method);
        self
    }

    /// The context in which the process is started, as [`Context::process`].
    pub fn context(mut self, context: &Context) -> Self {
        self.surroundings.start = context.start();
        self
    }

    /// Where the process's stdout goes.
    pub fn stdout(mut self, output: impl Into<Output>) -> Self {
        self.surroundings.stdout = output.into();
        self
    }

    /// Where the process's stderr goes.
    pub fn stderr(mut self, output: impl Into<Output>) -> Self {
        self.surroundings.stderr = output.into();
        self
    }

    /// What the process may use at most.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.surroundings.limits = limits;
        self
    }

    /// Starts the process.
    ///
    /// # Errors
    /// If the function is not a task, the arguments cannot be encoded, this program has no entry
    /// ([`ErrorKind::NoEntry`]), or the operating system refuses.
    pub fn start(self) -> Result<JoinHandle<R>, Error> {
        let Call { slot, task, arguments, handles } = self.call?;
        let name = self.name.unwrap_or_else(|| children::next_name("process"));
        if name.contains('\0') {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                format!("the process name {name:?} contains a NUL"),
            ));
        }
        let failed = |error| Error::os(format!("cannot start the process \"{name}\""), error);
        let bell = bell().map_err(failed)?;
        let cpus = current::identity().cpus.unwrap_or(0);
        let launcher = Launcher { cpus, surroundings: &self.surroundings, bell, attached: &[] };
        let mut launched = launcher.launch(&name, Role::Process)?;
        let lane = &mut launched.lane;
        let handed_over = if arguments.len() <= limits::INLINE_BYTES_MAX - 64 {
            lane.call_carrying((CallSeq(1), 1), &[&slot.0.to_le_bytes(), &arguments], &handles)
        } else {
            let slab = Slab::create(arguments.len()).map_err(failed)?;
            slab.pour([arguments.as_slice()].into_iter()).map_err(failed)?;
            lane.spilled_call(CallSeq(1), slot.0, (&slab, arguments.len() as u64), &handles)
        };
        // False for a child that is gone already; its death is reported by the handle.
        handed_over.map_err(failed)?;
        let is_copy = matches!(self.surroundings.start, Start::Server(_));
        Running::new(name.clone(), self.daemon, is_copy, task, launched).map(JoinHandle::new).map_err(failed)
    }
}

/// A bell on which nobody sleeps, for all processes: whoever joins one looks at its sentinel.
fn bell() -> io::Result<&'static Bell> {
    static BELL: Own<Arc<Bell>> = Own::new();
    if let Some(bell) = BELL.get() {
        return Ok(bell);
    }
    let bell = Arc::new(Bell::new()?);
    Ok(BELL.get_or_init(|| bell.clone()))
}

impl<R> fmt::Debug for Process<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let task = self.call.as_ref().map(|call| call.task.name);
        f.debug_struct("Process")
            .field("task", &task)
            .field("name", &self.name)
            .field("daemon", &self.daemon)
            .finish_non_exhaustive()
    }
}
