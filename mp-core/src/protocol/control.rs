//! The messages of the control socket.

use crate::error::{Error, Failure};
use crate::wire::codec;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;

/// Says that a hello comes from a worker of ours.
pub const MAGIC: u32 = 0x6d70_7731;

/// Counts changes of anything in `protocol`.
pub const VERSION: u32 = 1;

/// Exit code of a worker that cannot go on (`EX_OSERR`).
pub const BROKEN: i32 = 71;

/// Exit code of a worker that has handed its calls back, as it had no room for what goes with one (`EX_TEMPFAIL`).
pub const FULL: i32 = 75;

/// From parent to worker.
#[derive(Debug, Serialize, Deserialize)]
pub enum ToWorker {
    /// The first message. Its descriptors: the parent's liveness handle, the region, the bell, and, when `tee` is set,
    /// the read end of the worker's stderr pipe and the real stderr.
    Init(Box<Init>),
    /// A slab that calls will refer to, and its length; one descriptor.
    Slab { id: u64, len: u64 },
    /// That slab will not be referred to again.
    Forget { id: u64 },
    /// The worker's own slab has been read.
    Free,
    /// The descriptors of a call's arguments.
    Handles { call: u64 },
    /// Those of all later calls come as packets, each with the number of its call; the worker's end, one descriptor.
    Line,
    /// Live on when the parent ends.
    Detach,
    /// The first message to a fork server; its descriptors are those of the calls.
    Host(Box<Host>),
    /// To a fork server: make a copy of yourself. Its descriptors: the copy's end of its control channel, and its stdout and
    /// stderr, as far as there are any.
    Fork(Box<Fork>),
}

/// From worker to parent.
#[derive(Debug, Serialize, Deserialize)]
pub enum ToParent {
    /// The first message.
    Hello { magic: u32, version: u32, pid: u32, fingerprint: u64 },
    /// The initializer is done; calls are taken.
    Ready,
    /// The initializer failed.
    InitializerFailed(Failure),
    /// The slab in which this worker's large results lie from now on; one descriptor.
    Slab { id: u64 },
    /// The descriptors of a call's result.
    Handles { call: u64 },
    /// Of what a fork server was to run first, this failed.
    PreloadFailed { index: u32, failure: Failure },
    /// The number of the copy that the fork server has made.
    Forked { pid: u32 },
    /// Why it has made none.
    NotForked { why: String },
}

/// Everything a worker must know.
#[derive(Debug, Serialize, Deserialize)]
pub struct Init {
    /// The parent's registry: by it a program that is not the same refuses to run anything.
    pub fingerprint: u64,
    /// This process's name along its ancestry, such as `main-2:1`.
    pub name: String,
    /// The parent's process id and name.
    pub parent: (u32, String),
    /// How many workers deep this process is; 1 for a child of the first process.
    pub depth: u32,
    /// How many processors this process may count as its own; 0: as many as it finds.
    pub cpus: u32,
    /// What its own processes run, if that is not the program that runs there.
    pub executable: Option<OsString>,
    /// Whether stderr is a pipe whose other end came along.
    pub tee: bool,
    /// What it may use at most.
    pub allowance: Option<Allowance>,
    /// What this process is for.
    pub role: Role,
}

/// What a process may use at most; `None`: whatever it finds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Allowance {
    /// Bytes of address space.
    pub address_space: Option<u64>,
    /// Whole seconds of processor time.
    pub cpu_seconds: Option<u64>,
    /// Descriptors that are open at the same time.
    pub open_files: Option<u64>,
    /// By how many steps others go first.
    pub nice: Option<u32>,
    /// The processors to run on.
    pub processors: Option<Vec<u32>>,
}

/// Everything a fork server must know.
#[derive(Debug, Serialize, Deserialize)]
pub struct Host {
    /// This process's name along its ancestry.
    pub name: String,
    /// The parent's process id and name.
    pub parent: (u32, String),
    /// How many processes deep this one is.
    pub depth: u32,
    /// How many processors this process may count as its own; 0: as many as it finds.
    pub cpus: u32,
    /// What its own processes run, if that is not the program that runs there.
    pub executable: Option<OsString>,
    /// Run before the first copy is made.
    pub preload: Vec<FirstCall>,
}

/// What the copy of a fork server is to find.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fork {
    /// Changes to the environment: a value to set or, with `None`, a name to remove.
    pub env: Vec<(OsString, Option<OsString>)>,
    /// The directory to be in; `None` for the fork server's.
    pub current_dir: Option<OsString>,
    /// Whether its descriptors for stdout and stderr came along.
    pub streams: (bool, bool),
}

/// What a worker process is for.
#[derive(Debug, Serialize, Deserialize)]
pub enum Role {
    /// Take calls until told to quit.
    Pool {
        /// The pool's name.
        pool: String,
        /// The place in the pool.
        index: u32,
        /// Runs before the first call.
        initializer: Option<FirstCall>,
        /// Runs before the worker leaves in order.
        finalizer: Option<FirstCall>,
    },
    /// Take one call, then exit.
    Process,
}

/// A call that comes with the `Init` message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FirstCall {
    /// The task.
    pub slot: u32,
    /// Where its arguments are.
    pub arguments: FirstArguments,
    /// How many descriptors of its arguments follow that of the slab, if there is one.
    pub handles: u32,
    /// The `E` of a function that returns a `Result<T, E>`: an error is a failure of such a call.
    pub error_type: Option<String>,
}

/// The failure in what a function returned whose result nobody takes. `error_type` is that of its [`FirstCall`].
pub fn failure_in(error_type: Option<&str>, result: &[u8]) -> Option<Failure> {
    let (type_name, [1, error @ ..]) = (error_type?, result) else { return None };
    let text = if type_name == std::any::type_name::<String>() {
        codec::decode::<String>(error).ok()
    } else if type_name == std::any::type_name::<Error>() {
        codec::decode::<Error>(error).ok().map(|error| error.to_string())
    } else {
        None
    };
    Some(Failure::Returned { type_name: type_name.to_owned(), text })
}

/// The name of `E` if `R` is a `Result<T, E>`.
pub fn error_type_of<R>() -> Option<String> {
    let parameters = std::any::type_name::<R>().strip_prefix("core::result::Result<")?.strip_suffix('>')?;
    let mut depth = 0;
    let comma = parameters.find(|letter| {
        match letter {
            '<' | '(' | '[' => depth += 1,
            '>' | ')' | ']' => depth -= 1,
            _ => {}
        }
        letter == ',' && depth == 0
    })?;
    Some(parameters[comma + 1..].trim().to_owned())
}

/// Where the arguments of a [`FirstCall`] are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum FirstArguments {
    /// Here.
    Inline(Vec<u8>),
    /// In the slab whose descriptor is the next one behind those of `Init`, so many bytes of it.
    Attached { len: u64 },
}
