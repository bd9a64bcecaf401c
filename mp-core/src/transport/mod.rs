//! Frames and descriptors between a parent and one worker.
//!
//! ```text
//!   Control   whole messages over the socket, with descriptors
//!   Lane      the parent's end: Control + the region's rings + slabs
//!   Berth     the worker's end of the same
//! ```

pub mod berth;
pub mod control;
pub mod lane;
