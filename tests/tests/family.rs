//! Whole families of processes: what is left when some of them are killed, and Ctrl-C at a terminal.

#![allow(clippy::unwrap_used)] // a test stops at the first thing that is not as it should be

// It needs a terminal of Unix.
#[cfg(not(windows))]
#[path = "family/interrupt.rs"]
mod interrupt;
#[path = "crash/scratch.rs"]
mod scratch;
#[path = "family/tree.rs"]
mod tree;

mp::test_main!();

/// How many rounds a random test makes: `MP_ROUNDS` times as many as in the suite.
fn rounds(suite: u64) -> u64 {
    suite * std::env::var("MP_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1)
}
