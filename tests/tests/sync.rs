//! Locks, events and barriers between processes: what they promise, their travels, and what is left when users are killed.
//!
//! Long forms: `MP_ROUNDS` multiplies the rounds of the random tests.

#![allow(clippy::unwrap_used, reason = "a test stops at what is not as it should be")]

#[path = "sync/death.rs"]
mod death;
#[path = "sync/locks.rs"]
mod locks;
#[path = "sync/travel.rs"]
mod travel;
#[path = "sync/words.rs"]
mod words;

mp::test_main!();

/// How many rounds a random test makes: `MP_ROUNDS` times as many as in the suite.
fn rounds(suite: u64) -> u64 {
    suite * std::env::var("MP_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1)
}
