//! The start methods: the same for a task whatever the way in which its process came to be, and as safe.
//!
//! Linux has all of them. Elsewhere what is asked of all is asked of the one there is, and the modules about copies are left
//! out; that copies are refused there is a test of the suite `api`.

#![allow(clippy::unwrap_used)] // a test stops at the first thing that is not as it should be

#[cfg(all(target_os = "linux", not(mp_portable_unix)))]
#[path = "start/bare.rs"]
mod bare;
#[path = "start/ends.rs"]
mod ends;
#[path = "start/executable.rs"]
mod executable;
#[path = "start/facts.rs"]
mod facts;
#[cfg(all(target_os = "linux", not(mp_portable_unix)))]
#[path = "start/fork.rs"]
mod fork;
#[path = "crash/kinds.rs"]
#[allow(dead_code, reason = "the crash table uses the rest")]
mod kinds;
#[path = "start/limits.rs"]
mod limits;
#[path = "start/locks.rs"]
mod locks;
#[cfg(all(target_os = "linux", not(mp_portable_unix)))]
#[path = "start/pools.rs"]
mod pools;
#[cfg(all(target_os = "linux", not(mp_portable_unix)))]
#[path = "start/preload.rs"]
mod preload;
#[path = "crash/scratch.rs"]
mod scratch;
#[cfg(all(target_os = "linux", not(mp_portable_unix)))]
#[path = "start/server.rs"]
mod server;
#[cfg(all(target_os = "linux", not(mp_portable_unix)))]
#[path = "start/tree.rs"]
mod tree;

use mp::{Context, StartMethod};
use serde::{Deserialize, Serialize};

mp::test_main!();

/// A way to start processes, as it can be told to another process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum How {
    Spawn,
    Server,
    Fork,
}

/// Those that there are here.
fn all() -> &'static [How] {
    if has_copies() { &[How::Spawn, How::Server, How::Fork] } else { &[How::Spawn] }
}

/// Those that may be used in a worker: it has threads of its own.
fn clean() -> &'static [How] {
    if has_copies() { &[How::Spawn, How::Server] } else { &[How::Spawn] }
}

/// Whether a process can be copied here. Under an emulator it cannot: qemu-user has a thread of its own in each process.
fn has_copies() -> bool {
    cfg!(all(target_os = "linux", not(mp_portable_unix))) && !mp_tests::is_emulated()
}

/// A test that is about copies of a process.
#[cfg(all(target_os = "linux", not(mp_portable_unix)))]
fn about_copies(body: impl FnOnce()) {
    if has_copies() {
        mp_tests::scenario(body);
    }
}

impl How {
    fn context(self) -> Context {
        Context::new(match self {
            Self::Spawn => StartMethod::Spawn,
            Self::Server => StartMethod::ForkServer,
            // SAFETY: duty: a copy can live with what the other threads are at: tests run one at a time, so those of the
            // test harness wait, and hold nothing that a task needs.
            Self::Fork => StartMethod::Fork(unsafe { mp::Fork::new() }),
        })
    }
}

/// How many rounds a random test makes: `MP_ROUNDS` times as many as in the suite.
fn rounds(suite: u64) -> u64 {
    suite * std::env::var("MP_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1)
}
