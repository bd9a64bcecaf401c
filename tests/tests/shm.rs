//! Typed shared memory: what is read in place, lent, locked, and named.

mp::test_main!();

#[path = "shm/bytes.rs"]
mod bytes;
#[path = "shm/locked.rs"]
mod locked;
#[path = "shm/slices.rs"]
mod slices;
