//! The life of a worker process.
//!
//! ```text
//!   entry   main!() or test_main!() ─► is there a marker on argv? ─► serve, never return
//!   serve   channel on fd 0 ─► Hello ─► Init ─► initializer ─► Ready ─► take ─► find ─► run ─► publish ─► .. ─► QUIT
//!   desk    the calls of one frame, each answered on its own
//!   host    .. or, for a fork server: Hello ─► Host ─► preload ─► Ready ─► Fork ─► a copy, which starts over at Hello
//!   watch   a thread: parent gone ─► end this process and all it started; messages; stderr
//! ```
//!
//! The worker trusts its parent, which is the same program, and assumes nothing else: the task may panic, abort, exit,
//! overflow the stack, print, change signal handlers, start threads and processes of its own.

mod desk;
pub mod entry;
mod host;
mod serve;
mod watch;
