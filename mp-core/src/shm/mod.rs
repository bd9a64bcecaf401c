//! Shared memory: what lies where, and who may touch it.
//!
//! ```text
//!  region    header │ request bytes │ response bytes        one per worker, sealed, all zero at first
//!            header: layout ─ ring words (cursor), sleep words, recorder
//!            bytes:  ring ─ frames, validated by whoever reads them
//!  slab      bytes too many for a ring, recycled
//!  block     one object in memory of its own: a lock, an event; handles to it travel     shareable  what it may hold
//!  backlog   the messages of a queue: many producers, many consumers
//! ```
//!
//! The parent believes nothing that a worker can write: every number from the region is checked before it is used, and
//! bytes are copied before they are looked at. A worker trusts its parent, which wrote before it and could do anything
//! to it anyhow: it reads arguments in place. [`ring::Hostile`] and [`ring::Trusted`] say which side's rules hold.

pub mod backlog;
pub mod block;
mod held;
pub mod layout;
pub mod recorder;
pub mod region;
pub mod ring;
pub mod shareable;
pub mod slab;

mod cursor;
pub mod notes;
