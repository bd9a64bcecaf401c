//! `mp`: process-based parallelism. Functions run in other processes, and whatever kills one of those costs one call.
//!
//! ```
//! #[mp::task]
//! fn square(x: i64) -> i64 {
//!     x * x
//! }
//!
//! fn main() -> Result<(), mp::Error> {
//!     mp::main!(); // a worker is this same program, started again: it serves here and never returns
//!     let pool = mp::Pool::new(2)?;
//!     assert_eq!(pool.map(square, 0..10)?, [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]);
//!     Ok(())
//! }
//! ```
//!
//! | for | there is |
//! |---|---|
//! | many calls | [`Pool`]: [`map`](Pool::map), [`try_map`](Pool::try_map), [`imap`](Pool::imap), [`apply_async`](Pool::apply_async) and their like; [`wait`] and [`as_completed`] for many handles, which are futures, too |
//! | one call in a process of its own | [`spawn`], [`Process`], [`scope`] |
//! | how processes start | [`Context`] and [`StartMethod`]; [`Limits`] for what they may use |
//! | talking | [`pipe`], [`duplex`], [`Queue`], [`JoinableQueue`]; [`wait_any`] for the first of many things |
//! | locks and what is shared | [`sync`], [`shm`] |
//! | what went wrong | [`Error`], [`ErrorKind`]; [`Error::worker_lost`] says what is known of a death, [`Error::panic`] of a panic |
//!
//! Features: `stream` makes what [`Imap::into_stream`] gives a `futures_core::Stream`; `log` and `tracing` tell the program's log of
//! workers that start, die and are replaced. The README says what happens when something dies, what can be sent, and on which platforms.
//!
//! ```text
//!  ┌──────────────────────────── parent process ────────────────────────────────┐
//!  │ user      pool.map(square, 0..10)
//!  │   │
//!  │ task      fn ─► slot · args ─► bytes               registry, glue, codec
//!  │   │
//!  │ pool      scheduler.step(event, now) ─► actions    pure: no clock, no thread, no I/O
//!  │   │       the driver (whichever caller waits) feeds events in, carries actions out
//!  │ transport ring │ socket │ slabs                    frames + handles ─► sys
//!  └───│────────────────────────────────────────────────────────────────────────┘
//! ═════╪════════════════════ process border ═════════════════════════════════════
//!  ┌───▼──────────────────────── worker process ────────────────────────────────┐
//!  │ worker    take ─► find ─► run (panics caught) ─► publish
//!  │ task      bytes ─► args · fn(args) · result ─► bytes
//!  └───│────────────────────────────────────────────────────────────────────────┘
//!      └─ DONE bytes │ FAIL report ─► same stairs up ─► handle.wait()
//! ```

#![deny(unsafe_code)]

extern crate self as mp;

#[doc(hidden)]
pub mod __private1;

mod channel;
mod check;
mod clock;
mod error;
mod fnv;
mod ids;
mod journal;
mod kept;
mod limits;
mod macros;
mod pool;
mod process;
mod protocol;
mod raw;
mod shared;
pub mod shm;
#[cfg(doctest)]
mod snippets;
pub mod sync;
mod sys;
mod task;
mod transport;
mod wire;
mod worker;

pub use channel::into_iter::IntoIter;
pub use channel::joinable::JoinableQueue;
pub use channel::pipe::{Duplex, Iter, Receiver, Sender, duplex, pipe};
pub use channel::queue::{Messages, Queue, QueueBuilder, Shutdown};
pub use channel::refusal::SendError;
pub use channel::waiting::{Waitable, wait_any};
pub use error::{Error, ErrorKind, ExitStatus, PanicReport, WorkerLost};
pub use mp_macros::{Shareable, entry, task, task_of, tasks};
pub use pool::{
    AsCompleted, Backend, Handle, Imap, ImapStream, ImapUnordered, ImapUnorderedStream, MapHandle, Pool,
    PoolBuilder, Restart, TaskHandle, Waited, When, as_completed, wait,
};
pub use process::builder::{Process, spawn};
pub use process::current::{
    ParentProcess, ProcessInfo, WorkerInfo, active_children, cpu_count, current_process, is_worker,
    parent_process, worker,
};
pub use process::handle::JoinHandle;
pub use process::limits::Limits;
pub use process::method::{Context, StartMethod, set_executable};
pub use process::output::Output;
pub use process::scope::{Scope, scope};
pub use process::sentinel::Sentinel;
pub use shared::shareable::Shareable;
pub use sys::fork::Fork;
pub use task::arguments::{Arg, Args, Behind, Task};
