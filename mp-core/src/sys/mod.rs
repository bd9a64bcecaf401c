//! The operating system, and nothing of ours.
//!
//! ```text
//!  socket   a connected pair of byte streams that also carry handles
//!  packet   a connected pair that keeps the borders of messages
//!  memory   sealed shared memory and its mappings          pipe     what a worker writes to stderr
//!  futex    sleeping on a word in shared memory            cpu      where am I, how many are there
//!  bell     a handle that becomes readable when rung       fault    crash notes from a signal handler
//!  poller   sleeping on many handles                       interrupt  Ctrl-C in the parent
//!  process  start, signal, reap a child                    entry    what a child does to itself first
//!  robust   a lock that survives its holder                 holder   what the kernel looks at when a thread ends
//!  life     does a process live that is no child           limit    what this process may use at most
//!  segment  bytes that are copied, with a name or without      fork     copies of this process      copies   which one is it
//!  thread   threads that cost little to start
//!  at_work  whom a Ctrl-C finds
//!  fence    one that costs its usual side nothing
//! ```
//!
//! `unix` and `windows` have the same files and the same names; a difference in what a name promises is said there in
//! words. Errors are plain [`std::io::Error`]s: the floors above know what was being done and say so.

#[cfg(not(any(target_os = "linux", target_os = "macos", target_os = "freebsd", windows)))]
compile_error!(
    "mp runs functions in processes of the same program, which this target does not let a program start: depend on it for \
     other targets only, `[target.'cfg(any(target_os = \"linux\", windows))'.dependencies]`"
);

pub mod at_work;
pub mod constructor;
#[cfg(any(not(target_os = "linux"), mp_portable_unix))]
pub mod no_holder;
#[cfg(any(not(target_os = "linux"), mp_portable_unix, loom))]
#[cfg_attr(loom, allow(dead_code, reason = "its models are all that is there of it on Linux"))]
mod owned_lock;
#[cfg_attr(any(not(target_os = "linux"), mp_portable_unix), allow(dead_code, reason = "there are no copies"))]
mod promise;
mod resource;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use unix::lends_kernel_handle;
#[cfg(unix)]
pub use unix::{
    AsKernelHandle, BorrowedHandle, Handle, advice, bell, borrow, copies, cpu, duplicate, entry, fault,
    fence, fork, futex, holder, interrupt, life, limit, look, memory, packet, pipe, poller, process, robust,
    segment, socket, stack, thread,
};
#[cfg(windows)]
pub(crate) use windows::lends_kernel_handle;
#[cfg(windows)]
pub use windows::{
    AsKernelHandle, BorrowedHandle, Handle, advice, bell, borrow, copies, cpu, duplicate, entry, fault,
    fence, fork, futex, holder, interrupt, life, limit, look, memory, packet, pipe, poller, process, robust,
    segment, socket, stack, thread,
};
