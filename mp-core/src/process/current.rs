//! Who this process is, and who its relatives are.

use super::children;
use super::own::Own;
use crate::limits;
use crate::sys;
use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::num::NonZeroUsize;

/// A process of the family: of those that were started through `mp`, from the first on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProcessInfo {
    /// The process id.
    pub pid: u32,
    /// Its name: `main`, or as given, or made of the numbers at the end of its ancestors' names (`process-1:2`). Two processes may have
    /// the same.
    pub name: String,
}

/// The parent of a worker or of a child process.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParentProcess {
    /// The process id.
    pub pid: u32,
    /// Its name.
    pub name: String,
}

/// What a task can know about the worker that runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerInfo {
    /// The worker's place in its pool, from 0. A worker that died is replaced in the same place.
    pub index: u32,
    /// The process that it runs in; the caller's own for the thread and inline backends.
    pub pid: u32,
    /// The worker's name.
    pub name: String,
    /// The pool's name.
    pub pool: String,
}

/// What the parent told a worker process at its start; the first process has made it up itself.
#[derive(Clone, Debug)]
pub struct Identity {
    /// This process's name.
    pub name: String,
    /// The parent's process id and name.
    pub parent: Option<(u32, String)>,
    /// 0 for the first process.
    pub depth: u32,
    /// How many processors this process may count as its own.
    pub cpus: Option<usize>,
}

static IDENTITY: Own<Identity> = Own::new();
static WORKER: Own<WorkerInfo> = Own::new();

thread_local! {
    static THREAD_WORKER: RefCell<Option<WorkerInfo>> = const { RefCell::new(None) };
}

/// Sets the identity of a worker process, once, before anything asks for it.
pub fn assume(identity: &Identity, worker: Option<WorkerInfo>) {
    // What a thread of the original was, if this process is a copy.
    THREAD_WORKER.take();
    IDENTITY.get_or_init(|| identity.clone());
    if let Some(worker) = worker {
        WORKER.get_or_init(|| worker.clone());
    }
}

/// Runs `f` as this worker on this thread: for workers that are not processes.
pub fn as_worker<T>(worker: &WorkerInfo, f: impl FnOnce() -> T) -> T {
    struct Restore(Option<WorkerInfo>);
    impl Drop for Restore {
        fn drop(&mut self) {
            THREAD_WORKER.set(self.0.take());
        }
    }
    let _restore = Restore(THREAD_WORKER.replace(Some(worker.clone())));
    f()
}

/// Who this process is.
pub fn identity() -> &'static Identity {
    IDENTITY.get_or_init(|| Identity { name: "main".into(), parent: None, depth: 0, cpus: None })
}

/// Whether this code runs in a worker process.
///
/// ```
/// assert!(!mp::is_worker());
/// ```
pub fn is_worker() -> bool {
    identity().depth > 0
}

/// The pool worker that runs this code; `None` in the main process and in a [`Process`](crate::Process).
///
/// ```
/// #[mp::task]
/// fn who() -> Option<String> {
///     mp::worker().map(|worker| worker.name)
/// }
///
/// fn main() -> Result<(), mp::Error> {
///     mp::main!();
///     let pool = mp::Pool::builder().workers(1).name("sums").build()?;
///     assert_eq!(pool.apply(who, ())?.as_deref(), Some("sums-0"));
///     assert!(mp::worker().is_none());
///     Ok(())
/// }
/// ```
pub fn worker() -> Option<WorkerInfo> {
    THREAD_WORKER.with_borrow(Clone::clone).or_else(|| WORKER.get().cloned())
}

/// This process.
///
/// ```
/// assert_eq!(mp::current_process().pid, std::process::id());
/// ```
pub fn current_process() -> ProcessInfo {
    ProcessInfo { pid: std::process::id(), name: identity().name.clone() }
}

/// The process that started this one through `mp`; `None` in the first process.
///
/// ```
/// #[mp::task]
/// fn parent() -> Option<u32> {
///     mp::parent_process().map(|parent| parent.pid)
/// }
///
/// fn main() -> Result<(), mp::Error> {
///     mp::main!();
///     assert!(mp::parent_process().is_none());
///     assert_eq!(mp::spawn(parent, ())?.join()?, Some(std::process::id()));
///     Ok(())
/// }
/// ```
pub fn parent_process() -> Option<ParentProcess> {
    let (pid, name) = identity().parent.clone()?;
    Some(ParentProcess { pid, name })
}

/// The children of this process that are alive: [`Process`](crate::Process)es, and pool workers.
///
/// ```
/// fn main() -> Result<(), mp::Error> {
///     mp::main!();
///     let pool = mp::Pool::builder().workers(2).name("sums").build()?;
///     for child in mp::active_children() {
///         println!("{} {}", child.pid, child.name); // 4711 sums-0, 4712 sums-1
///     }
///     # assert_eq!(mp::active_children().len(), pool.workers().len());
///     Ok(())
/// }
/// ```
pub fn active_children() -> Vec<ProcessInfo> {
    children::alive()
}

/// How many processors this process may use: those that its affinity mask and its cgroup allow, or what the environment
/// variable `MP_CPU_COUNT` says. In a worker it is the worker's share of its parent's processors, so that nested pools do not
/// multiply.
///
/// `MP_CPU_COUNT` is a whole number from 1 to 4096, the most workers of a pool; anything else is as if it was not set.
///
/// ```
/// fn main() -> Result<(), mp::Error> {
///     mp::main!();
///     let pool = mp::Pool::new(mp::cpu_count().get())?; // what `Pool::default` and a builder without a number do
///     # drop(pool);
///     Ok(())
/// }
/// ```
pub fn cpu_count() -> NonZeroUsize {
    // A worker was told its share, which heeds the variable in its environment: see `share_of`.
    NonZeroUsize::new(identity().cpus.unwrap_or(0))
        .or_else(|| std::env::var_os(CPU_COUNT).and_then(|told| told_count(&told)))
        .or_else(|| NonZeroUsize::new(sys::cpu::available()))
        .unwrap_or(NonZeroUsize::MIN)
}

/// The environment variable that says how many processors to use.
const CPU_COUNT: &str = "MP_CPU_COUNT";

/// What a child counts as its own: what its own environment says, or its share.
pub fn share_of(environment: &[(OsString, Option<OsString>)], share: usize) -> usize {
    let changed = environment.iter().rev().find(|(name, _)| name == CPU_COUNT);
    changed.and_then(|(_, value)| told_count(value.as_deref()?)).map_or(share, NonZeroUsize::get)
}

fn told_count(text: &OsStr) -> Option<NonZeroUsize> {
    let count: NonZeroUsize = text.to_str()?.trim().parse().ok()?;
    (count.get() <= limits::WORKERS_MAX).then_some(count)
}
