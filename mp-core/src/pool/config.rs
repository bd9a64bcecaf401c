//! What a pool is built with.

use super::Pool;
use super::scheduler::{Policy, Restart};
use crate::error::{Error, ErrorKind};
use crate::limits;
use crate::process::current::cpu_count;
use crate::process::launch::{OWN_HANDLES, Surroundings};
use crate::process::limits::Limits;
use crate::process::method::{Context, Start, StartMethod};
use crate::process::output::Output;
use crate::process::start_call::{StartCall, check_room};
use crate::process::{children, gate};
use crate::task::arguments::{Args, Task};
use std::ffi::OsStr;
use std::fmt;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Where the workers of a pool live.
///
/// ```
/// use mp::{Backend, Pool};
///
/// #[mp::task]
/// fn whose() -> u32 {
///     std::process::id()
/// }
///
/// fn main() -> Result<(), mp::Error> {
///     mp::main!();
///     let backend = if std::env::args().any(|arg| arg == "--debug") { Backend::Inline } else { Backend::Process };
///     let pool = Pool::builder().workers(2).backend(backend).build()?;
///     assert_ne!(pool.apply(whose, ())?, std::process::id());
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Backend {
    /// Each in a process of its own: whatever it does, it takes only its own call with it.
    #[default]
    Process,
    /// Each in a thread of this process: for tasks that are known to be well-behaved. A panic is caught; anything
    /// worse takes the program down, and a call that is stuck cannot be ended.
    Thread,
    /// Nowhere: calls run on the calling thread, one by one, those of `apply_async` and its like before that returns (in a task of the
    /// same pool: when its handle is waited for). So there is nothing to cancel then, and no time-out is kept. For debuggers and
    /// profilers.
    Inline,
}

/// Builds a [`Pool`]; made by [`Pool::builder`].
///
/// ```
/// #[mp::task]
/// fn level() -> Option<String> {
///     std::env::var("LEVEL").ok()
/// }
///
/// fn main() -> Result<(), mp::Error> {
///     mp::main!();
///     let pool = mp::Pool::builder().workers(1).name("levels").env("LEVEL", "9").build()?;
///     assert_eq!(pool.apply(level, ())?, Some("9".to_owned()));
///     Ok(())
/// }
/// ```
#[must_use = "a builder does nothing until `build`"]
#[derive(Default)]
pub struct PoolBuilder {
    workers: Option<usize>,
    name: Option<String>,
    initializer: Option<Result<StartCall, Error>>,
    finalizer: Option<Result<StartCall, Error>>,
    chunk_size: Option<usize>,
    max_tasks_per_worker: Option<u64>,
    restart: Option<Restart>,
    grace: Option<Duration>,
    surroundings: Surroundings,
    backend: Backend,
}

/// What a pool needs to know for as long as it lives.
pub struct Config {
    pub id: u64,
    pub name: String,
    pub backend: Backend,
    pub policy: Policy,
    pub initializer: Option<StartCall>,
    pub finalizer: Option<StartCall>,
    pub surroundings: Surroundings,
    /// How many of our processors each worker may count as its own.
    pub cpus_each: usize,
}

#[allow(clippy::needless_pass_by_value, reason = "a call takes its arguments, as a function does")]
impl PoolBuilder {
    /// How many workers; without this one per processor that this process [may use](crate::cpu_count).
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// Names the pool; its workers are called `name-0`, `name-1`, ... Without this it is `pool-1`, or whatever the next number
    /// is: pools, processes and fork servers count together, so after a `process-1` comes a `pool-2`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// A task that each worker runs before its first call: to open what all calls need and keep it in a static.
    ///
    /// If it panics or returns an `Err`, the pool ends, and every pending and later call gets an error of the kind
    /// [`InitializerFailed`](ErrorKind::InitializerFailed). If it ends the process instead (`exit`, a crash), that is the death of a
    /// worker as any other: a new one is started, and if they keep dying the pool ends with a
    /// [`CrashLoop`](ErrorKind::CrashLoop).
    ///
    /// ```
    /// use std::sync::OnceLock;
    ///
    /// static WORDS: OnceLock<Vec<String>> = OnceLock::new();
    ///
    /// #[mp::task]
    /// fn load(words: Vec<String>) {
    ///     WORDS.set(words).expect("once in each worker");
    /// }
    ///
    /// #[mp::task]
    /// fn is_known(word: &str) -> bool {
    ///     WORDS.get().is_some_and(|words| words.iter().any(|known| known == word))
    /// }
    ///
    /// fn main() -> Result<(), mp::Error> {
    ///     mp::main!();
    ///     let words = vec!["cow".to_owned(), "hen".to_owned()];
    ///     let pool = mp::Pool::builder().workers(2).initializer(load, (words,)).build()?;
    ///     assert_eq!(pool.map(is_known, ["cow", "cat"])?, [true, false]);
    ///     Ok(())
    /// }
    /// ```
    #[track_caller]
    pub fn initializer<F, P, A>(mut self, task: F, args: A) -> Self
    where
        F: Task<P>,
        A: Args<P>,
    {
        self.initializer = Some(StartCall::new(task, &args));
        self
    }

    /// A task that each worker runs before it leaves in order. A worker that is killed does not run it.
    #[track_caller]
    pub fn finalizer<F, P, A>(mut self, task: F, args: A) -> Self
    where
        F: Task<P>,
        A: Args<P>,
    {
        self.finalizer = Some(StartCall::new(task, &args));
        self
    }

    /// The most consecutive items of a `map`, `imap` and their like that a worker is given at once; it gets the next ones when it has
    /// ended these. A slow input may give fewer, and 4096 is the most there is. Without this, measured work steers how many a worker
    /// holds.
    ///
    /// With 1, no item stands behind another one at a worker. With many, neighbours run on the same worker, one after the other. What a
    /// worker has not started goes to one that has nothing to do when nothing else waits. A failing item takes no other along, and the
    /// calls of [`apply`](Pool::apply) and [`apply_async`](Pool::apply_async) are no items: measured work steers those.
    ///
    /// ```
    /// #[mp::task]
    /// fn whose(_: u32) -> u32 {
    ///     std::process::id()
    /// }
    ///
    /// fn main() -> Result<(), mp::Error> {
    ///     mp::main!();
    ///     let pool = mp::Pool::builder().workers(2).chunk_size(50).build()?;
    ///     assert_eq!(pool.map(whose, 0..100)?.len(), 100);
    ///     Ok(())
    /// }
    /// ```
    pub fn chunk_size(mut self, items: usize) -> Self {
        self.chunk_size = Some(items);
        self
    }

    /// Replaces a worker after so many calls, as a cure for leaks. (Python's `maxtasksperchild`.)
    pub fn max_tasks_per_worker(mut self, tasks: u64) -> Self {
        self.max_tasks_per_worker = Some(tasks);
        self
    }

    /// When a pool whose workers keep dying gives up; without this [`Restart::for_workers`]. A host of plugins, a fuzzer or a service,
    /// whose calls may crash one after the other, bears more of them: `Restart { at_most: 10_000, ..Restart::for_workers(n) }`.
    pub fn restart(mut self, restart: Restart) -> Self {
        self.restart = Some(restart);
        self
    }

    /// How long running calls and finalizers may go on when the pool is dropped or stopped by Ctrl-C, before they are
    /// killed; without this two seconds.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = Some(grace);
        self
    }

    /// Sets an environment variable of the workers, which must be processes for it.
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.surroundings.env.push((key.as_ref().into(), Some(value.as_ref().into())));
        self
    }

    /// Removes an environment variable from the workers, which must be processes for it.
    pub fn env_remove(mut self, key: impl AsRef<OsStr>) -> Self {
        self.surroundings.env.push((key.as_ref().into(), None));
        self
    }

    /// The directory in which the workers start, which must be processes for it.
    pub fn current_dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.surroundings.current_dir = Some(directory.as_ref().into());
        self
    }

    /// How the workers are started, which must be processes for it; without this by [`StartMethod::Spawn`].
    pub fn start_method(mut self, method: StartMethod) -> Self {
        self.surroundings.start = Start::of(method);
        self
    }

    /// The context in which the workers are started, as [`Context::pool_builder`].
    pub fn context(mut self, context: &Context) -> Self {
        self.surroundings.start = context.start();
        self
    }

    /// Where the workers' stdout goes, which must be processes for it.
    pub fn stdout(mut self, output: impl Into<Output>) -> Self {
        self.surroundings.stdout = output.into();
        self
    }

    /// Where the workers' stderr goes, which must be processes for it. Only with [`Output::Inherit`] a death report holds its last lines.
    pub fn stderr(mut self, output: impl Into<Output>) -> Self {
        self.surroundings.stderr = output.into();
        self
    }

    /// What each worker may use at most, which must be processes for it.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.surroundings.limits = limits;
        self
    }

    /// Where the workers live; without this in processes. Threads share what this process has of environment, directory,
    /// streams and limits, so [`build`](Self::build) refuses other ones for them.
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backend = backend;
        self
    }

    /// Starts the workers.
    ///
    /// # Errors
    /// A number that makes no sense, an option that only processes can have where the [`backend`](Self::backend) is another
    /// ([`InvalidInput`](ErrorKind::InvalidInput)), an initializer that is not a task, a program without entry, or an operating
    /// system that refuses. What goes wrong in the workers later is reported by the calls.
    ///
    /// # Blocking and death
    /// Starts the processes, but does not wait until they are ready: the first call does.
    pub fn build(self) -> Result<Pool, Error> {
        Pool::start(self.config()?)
    }

    fn config(self) -> Result<Config, Error> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let workers = match (self.backend, self.workers) {
            (_, Some(workers)) => workers,
            (Backend::Inline, None) => 1,
            (Backend::Process | Backend::Thread, None) => {
                processors(&self.surroundings).get().min(limits::WORKERS_MAX)
            }
        };
        let count = NonZeroUsize::new(workers).filter(|count| count.get() <= limits::WORKERS_MAX);
        let workers = count.ok_or_else(|| {
            invalid(format!(
                "a pool of {workers} workers was asked for; it must have between 1 and {} (leave the number away for \
                 one per processor)",
                limits::WORKERS_MAX
            ))
        })?;
        let not_zero = |number: Option<u64>, why: &str| match number.map(NonZeroU64::new) {
            Some(None) => Err(invalid(why.into())),
            some => Ok(some.flatten()),
        };
        let max_tasks_per_worker = not_zero(
            self.max_tasks_per_worker,
            "`max_tasks_per_worker(0)`: a worker must be allowed at least one call",
        )?;
        let chunk = not_zero(
            self.chunk_size.map(|items| (items as u64).min(limits::CALLS_OUT_MAX)),
            "`chunk_size(0)`: a worker must be given at least one item (leave it away, and measured work steers how many)",
        )?;
        let name = self.name.unwrap_or_else(|| children::next_name("pool"));
        if name.contains('\0') {
            return Err(invalid(format!("the pool name {name:?} contains a NUL")));
        }
        check_backend(self.backend, &self.surroundings)?;
        let (initializer, finalizer) = (self.initializer.transpose()?, self.finalizer.transpose()?);
        if self.backend == Backend::Process {
            check_room([&initializer, &finalizer].into_iter().flatten(), OWN_HANDLES)?;
        }
        // The system reads several files for it.
        let processors = processors(&self.surroundings);
        let policy = Policy {
            workers,
            processors,
            credit: limits::CREDIT_TIME,
            chunk,
            restart: self.restart.unwrap_or_else(|| Restart::for_workers(workers.get())),
            grace: self.grace.unwrap_or(limits::GRACE),
            max_tasks_per_worker,
            handshake: limits::HANDSHAKE,
        };
        Ok(Config {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            name,
            backend: self.backend,
            policy,
            initializer,
            finalizer,
            surroundings: self.surroundings,
            cpus_each: (processors.get() / workers.get()).max(1),
        })
    }
}

/// Refuses what the workers of such a pool cannot have.
fn check_backend(backend: Backend, surroundings: &Surroundings) -> Result<(), Error> {
    match (backend, surroundings.chosen()) {
        (Backend::Process, _) => gate::check(),
        (Backend::Thread | Backend::Inline, None) => Ok(()),
        (backend @ (Backend::Thread | Backend::Inline), Some(option)) => Err(invalid(format!(
            "`{option}` together with `Backend::{backend:?}`: the workers of such a pool are threads of this process and \
             share its environment, directory, streams and limits; leave `{option}` away, or let the workers be processes \
             (`Backend::Process`)"
        ))),
    }
}

/// How many processors the workers share.
fn processors(surroundings: &Surroundings) -> NonZeroUsize {
    NonZeroUsize::new(surroundings.limits.within(cpu_count().get())).unwrap_or(NonZeroUsize::MIN)
}

fn invalid(what: String) -> Error {
    Error::new(ErrorKind::InvalidInput, what)
}

impl fmt::Debug for PoolBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolBuilder")
            .field("workers", &self.workers)
            .field("name", &self.name)
            .field("backend", &self.backend)
            .finish_non_exhaustive()
    }
}
