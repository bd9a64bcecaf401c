//! Whether this program can host workers: without the entry a fresh process would run `main` from the top, start more
//! processes, and so on.

use super::current;
use crate::error::{Error, ErrorKind};
use crate::limits;
use crate::sys::socket::Socket;
use crate::task::registry::registry;
use std::sync::OnceLock;

/// How this program serves as a worker.
static SERVE: OnceLock<fn(Socket) -> !> = OnceLock::new();

/// The last argument of a worker process.
pub const MARKER: &str = "--mp-worker";

/// The entry has run in this process. `serve` makes a worker of a process that has a control channel.
pub fn open(serve: fn(Socket) -> !) {
    SERVE.get_or_init(|| serve);
}

/// Makes a worker of this process, which is a copy.
pub fn serve(channel: Socket) -> ! {
    match SERVE.get() {
        Some(serve) => serve(channel),
        // Nobody starts a process before the entry has run.
        None => crate::sys::process::exit_now(1),
    }
}

/// Whether processes may be started from here.
pub fn check() -> Result<(), Error> {
    if SERVE.get().is_none() {
        return Err(Error::new(
            ErrorKind::NoEntry,
            "this program cannot start workers yet: add `mp::main!();` as the first line of `fn main` (or \
             `#[mp::entry]` above it); in a test or bench crate add `mp::test_main!();` once, outside of any function",
        ));
    }
    let depth = current::identity().depth;
    if depth >= limits::DEPTH_MAX {
        return Err(Error::new(
            ErrorKind::TooDeep,
            format!(
                "this process is {depth} workers deep and may not start further ones (the limit is {}): does a task \
                 start a pool whose tasks start a pool?",
                limits::DEPTH_MAX
            ),
        ));
    }
    registry().check()
}
