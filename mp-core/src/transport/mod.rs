//! Frames and descriptors between a parent and one worker.
//!
//! ```text
//!   Control   whole messages over the socket, with descriptors
//!   Lane      the parent's end: Control + the region's rings + slabs; long results are read from the worker's slab
//!   Berth     the worker's end of the same; incoming arguments are read from the parent's slab; steps aside for the parent
//!   Mail      what comes to a worker over the socket
//!   bundles   descriptors of calls, past the socket
//!   carried   those of results, until these are heard
//! ```

mod aside;
pub mod berth;
mod bundles;
mod carried;
pub mod control;
mod incoming;
mod known;
pub mod lane;
mod long;
pub mod mail;
mod response;
