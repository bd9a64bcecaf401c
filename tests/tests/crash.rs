//! What happens when things die: promises 1, 2, 5, 6 and 7 of the reliability page, kind by kind and place by place.
//!
//! Long forms: `MP_ROUNDS` multiplies the rounds of the random tests (see `.ci/soak`).

#![allow(clippy::unwrap_used)] // a test stops at the first thing that is not as it should be

// `fork`.
#[cfg(target_os = "linux")]
#[path = "crash/copies.rs"]
mod copies;
// It finds what it closes in `/proc`.
#[cfg(target_os = "linux")]
#[path = "crash/closed.rs"]
mod closed;
#[path = "crash/early.rs"]
mod early;
#[path = "crash/edges.rs"]
mod edges;
#[path = "crash/ends.rs"]
mod ends;
// Stops where a page bars the way.
#[cfg(target_os = "linux")]
#[path = "crash/halfway.rs"]
mod halfway;
// Limits on descriptors.
#[cfg(unix)]
#[path = "crash/full.rs"]
mod full;
#[path = "crash/hostile.rs"]
mod hostile;
// It knows where in a mapping its region lies, and how long that is.
#[cfg(target_os = "linux")]
#[path = "crash/forged.rs"]
mod forged;
#[path = "crash/kinds.rs"]
mod kinds;
#[path = "crash/leaks.rs"]
mod leaks;
#[path = "crash/one_item.rs"]
mod one_item;
#[path = "crash/poisson.rs"]
mod poisson;
// Users and their rights.
#[cfg(unix)]
#[path = "crash/rights.rs"]
mod rights;
#[path = "crash/scratch.rs"]
mod scratch;
// Elsewhere nobody tells a process what memory it shares.
#[cfg(any(windows, target_os = "linux"))]
#[path = "crash/scribble.rs"]
mod scribble;
#[path = "crash/stuck.rs"]
mod stuck;
#[path = "crash/table.rs"]
mod table;
#[path = "crash/verbs.rs"]
mod verbs;

mp::test_main!();

/// As many of these as the suite has, or as many as fit in where a process takes long to start.
fn where_slow(usual: u64, slow: u64) -> u64 {
    if mp_tests::is_slow() { slow } else { usual }
}

/// How many rounds a random test makes: `MP_ROUNDS` times as many as in the suite.
fn rounds(suite: u64) -> u64 {
    suite * std::env::var("MP_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1)
}
