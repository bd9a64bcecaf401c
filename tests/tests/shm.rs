//! Typed shared memory: what is read in place, lent, locked, and named; its travels, and what a kill leaves behind.
//!
//! Long forms: `MP_ROUNDS` multiplies the rounds of the tests that kill.

#![allow(clippy::unwrap_used, reason = "a test stops at what is not as it should be")]

#[path = "shm/bytes.rs"]
mod bytes;
#[path = "shm/killed.rs"]
mod killed;
#[path = "shm/lending.rs"]
mod lending;
#[path = "shm/locked.rs"]
mod locked;
#[path = "shm/slices.rs"]
mod slices;
#[path = "shm/travel.rs"]
mod travel;

mp::test_main!();

/// How many rounds a random test makes: `MP_ROUNDS` times as many as in the suite.
fn rounds(suite: u64) -> u64 {
    suite * std::env::var("MP_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1)
}
