//! Typed shared memory: what is read in place, lent, locked, and named.

// Tasks may stop at the first thing that is not as it should be, and take what the test is about.
#![allow(clippy::unwrap_used)]

mp::test_main!();

#[path = "shm/bytes.rs"]
mod bytes;
#[path = "shm/locked.rs"]
mod locked;
#[path = "shm/slices.rs"]
mod slices;
