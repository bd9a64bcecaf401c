//! The start methods: the same for a task whatever the way in which its process came to be, and as safe.

// Windows has one of them.
#![cfg(not(windows))]
#![allow(clippy::unwrap_used)] // a test stops at the first thing that is not as it should be

#[path = "start/ends.rs"]
mod ends;
#[path = "start/executable.rs"]
mod executable;
#[path = "start/facts.rs"]
mod facts;
#[path = "start/fork.rs"]
mod fork;
#[path = "crash/kinds.rs"]
#[allow(dead_code, reason = "the crash table uses the rest")]
mod kinds;
#[path = "start/locks.rs"]
mod locks;
#[path = "start/pools.rs"]
mod pools;
#[path = "start/preload.rs"]
mod preload;
#[path = "crash/scratch.rs"]
mod scratch;
#[path = "start/server.rs"]
mod server;
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

const ALL: [How; 3] = [How::Spawn, How::Server, How::Fork];

/// Those that may be used in a worker: it has threads of its own.
const CLEAN: [How; 2] = [How::Spawn, How::Server];

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
