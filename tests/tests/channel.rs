//! Pipes, queues and waiting for many things: what they promise, where they may travel, and what a kill leaves behind.
//!
//! Long forms: `MP_ROUNDS` multiplies the rounds of the tests that kill.

#[path = "channel/killed.rs"]
mod killed;
#[path = "channel/pipes.rs"]
mod pipes;
#[path = "channel/queues.rs"]
mod queues;
#[path = "channel/travel.rs"]
mod travel;
#[path = "channel/unread.rs"]
mod unread;
#[path = "channel/waiting.rs"]
mod waiting;

mp::test_main!();

/// How many rounds a random test makes: `MP_ROUNDS` times as many as in the suite.
fn rounds(suite: u64) -> u64 {
    suite * std::env::var("MP_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1)
}
