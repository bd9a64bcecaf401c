//! What a process may use at most.

use crate::error::{Error, ErrorKind};
use crate::limits;
use crate::protocol::control::Allowance;
use crate::sys::{self, limit};
use std::io;
use std::time::Duration;

/// What a worker or a child process may use at most: for [`PoolBuilder::limits`](crate::PoolBuilder::limits) and
/// [`Process::limits`](crate::Process::limits).
///
/// The process sets them on itself, for good, before it runs an [initializer](crate::PoolBuilder::initializer) or a task, and what it starts
/// has them as well. Where this program is itself allowed less, that counts. The initializer is the place for what a system has beyond these,
/// such as a sandbox for what the thread that runs tasks may do.
///
/// ```
/// #[mp::task]
/// fn square(x: u64) -> u64 {
///     x * x
/// }
///
/// fn main() -> Result<(), mp::Error> {
///     mp::main!();
///     let limits = mp::Limits::new().cpu_time(std::time::Duration::from_secs(60)).nice(10);
///     let pool = mp::Pool::builder().workers(1).limits(limits).build()?;
///     assert_eq!(pool.apply(square, (7,))?, 49);
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[must_use = "limits do nothing until a pool or a process has them"]
pub struct Limits(Allowance);

impl Limits {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many bytes of address space the process may have, at least 16 MiB: all that it has mapped, its program, libraries and stacks among
    /// it, whether or not it is used. What is allocated beyond that fails: in Rust code that usually ends the process, and the call with
    /// [`WorkerLost`](crate::WorkerLost). For long arguments that find no room see [`open_files`](Self::open_files). On Windows: how many
    /// bytes of memory the system has promised to it. Not on macOS.
    pub fn address_space(mut self, bytes: u64) -> Self {
        self.0.address_space = Some(bytes);
        self
    }

    /// How long the process may keep a processor busy, in all its life and with all its threads, in whole seconds, rounded up. After
    /// that it is ended, on Unix by `SIGXCPU`: the call that it runs fails, and a pool replaces the worker. Waiting does not count.
    pub fn cpu_time(mut self, time: Duration) -> Self {
        self.0.cpu_seconds = Some(time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0)));
        self
    }

    /// How many files, sockets and other descriptors the process may have open at the same time, at least 32: it needs a dozen for itself, and
    /// more for long arguments and what travels in calls. A worker that has no room for what a call brings ends, and a new one runs the
    /// call; if that has no room either, the call fails with [`ErrorKind::Os`](crate::ErrorKind::Os). Not on Windows.
    pub fn open_files(mut self, count: u64) -> Self {
        self.0.open_files = Some(count);
        self
    }

    /// By how many steps, 1 to 19, others go first when there are not enough processors. (On Windows there are two: below 10, and from
    /// there on.)
    pub fn nice(mut self, steps: u32) -> Self {
        self.0.nice = Some(steps);
        self
    }

    /// The processors that tasks may run on, by their numbers from 0. The process then [counts](crate::cpu_count) no more than these
    /// as its own. On Linux and Windows.
    pub fn affinity(mut self, processors: impl IntoIterator<Item = u32>) -> Self {
        let mut processors: Vec<u32> = processors.into_iter().collect();
        processors.sort_unstable();
        processors.dedup();
        self.0.processors = Some(processors);
        self
    }

    /// What the process is told.
    pub(crate) fn allowance(&self) -> Option<Allowance> {
        (self.0 != Allowance::default()).then(|| self.0.clone())
    }

    /// How many of `processors` are left; 0 stands for as many as there are.
    pub(crate) fn within(&self, processors: usize) -> usize {
        match &self.0.processors {
            Some(only) if processors > 0 => processors.min(only.len()),
            Some(_) | None => processors,
        }
    }

    /// Refuses what makes no sense, or what this system does not keep.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let Allowance { address_space, cpu_seconds, open_files, nice, processors } = &self.0;
        if let Some(bytes) = address_space {
            kept(limit::Resource::AddressSpace, "address_space")?;
            if *bytes < limits::ADDRESS_SPACE_MIN {
                return invalid(format!(
                    "`address_space({bytes})`: a process needs more than that to start; the number is in bytes, and at \
                     least {}",
                    limits::ADDRESS_SPACE_MIN
                ));
            }
        }
        if let Some(seconds) = cpu_seconds {
            kept(limit::Resource::CpuTime, "cpu_time")?;
            if *seconds == 0 {
                return invalid("`cpu_time` of zero: a process must be allowed some time to run".into());
            }
        }
        if let Some(count) = open_files {
            kept(limit::Resource::OpenFiles, "open_files")?;
            if *count < limits::OPEN_FILES_MIN {
                return invalid(format!(
                    "`open_files({count})`: a process needs a dozen for itself, and some for what it is sent; at least {}",
                    limits::OPEN_FILES_MIN
                ));
            }
        }
        if let Some(steps) = nice.filter(|steps| !(1..=19).contains(steps)) {
            return invalid(format!("`nice({steps})`: the steps are 1 to 19"));
        }
        processors.as_deref().map_or(Ok(()), check_processors)
    }
}

fn check_processors(wanted: &[u32]) -> Result<(), Error> {
    if wanted.is_empty() {
        return invalid("`affinity` of no processor: a process must have one to run on".into());
    }
    let Some(allowed) = sys::cpu::allowed() else { return unsupported("affinity") };
    match wanted.iter().find(|cpu| !allowed.contains(cpu)) {
        Some(cpu) => invalid(format!("`affinity` with processor {cpu}: this process may use {allowed:?}")),
        None => Ok(()),
    }
}

fn kept(resource: limit::Resource, name: &str) -> Result<(), Error> {
    if limit::is_kept(resource) { Ok(()) } else { unsupported(name) }
}

fn unsupported(name: &str) -> Result<(), Error> {
    Err(Error::new(
        ErrorKind::Unsupported,
        format!("`{name}` of `Limits`: this system does not keep such a limit"),
    ))
}

fn invalid(what: String) -> Result<(), Error> {
    Err(Error::new(ErrorKind::InvalidInput, what))
}

/// Has this process keep to its allowance.
///
/// # Errors
/// What of it the system refuses.
pub fn keep_to(allowance: &Allowance) -> io::Result<()> {
    let Allowance { address_space, cpu_seconds, open_files, nice, processors } = allowance;
    let named = |what: &'static str| move |error| io::Error::other(format!("{what}: {error}"));
    if let Some(steps) = nice {
        limit::give_way(*steps).map_err(named("nice"))?;
    }
    if let Some(processors) = processors {
        sys::cpu::stay_on(processors).map_err(named("affinity"))?;
    }
    if let Some(seconds) = cpu_seconds {
        limit::set(limit::Resource::CpuTime, *seconds).map_err(named("cpu_time"))?;
    }
    if let Some(count) = open_files {
        limit::set(limit::Resource::OpenFiles, *count).map_err(named("open_files"))?;
    }
    if let Some(bytes) = address_space {
        limit::set(limit::Resource::AddressSpace, *bytes).map_err(|error| match error.kind() {
            io::ErrorKind::OutOfMemory => {
                io::Error::other(format!("address_space: {bytes} bytes are less than it has without a task"))
            }
            _ => named("address_space")(error),
        })?;
    }
    Ok(())
}
