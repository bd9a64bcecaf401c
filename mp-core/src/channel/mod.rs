//! Messages between processes: pipes, queues, and waiting for many things at once.
//!
//! ```text
//!  value ─► parcel (bytes + descriptors) ─► end    one packet of a socket pair            pipe, duplex
//!                                        └► queue  a frame in shared memory; descriptors
//!                                                  and long messages beside it            Queue, JoinableQueue
//!  wait_any   sleeps on descriptors: of ends, of a queue's bell, of anything
//! ```
//!
//! No thread moves messages: the sender puts one where it will be read, and the receiver takes it from there. Each is
//! there in whole or not at all, whoever is killed meanwhile.

mod end;
pub mod into_iter;
pub mod joinable;
mod parcel;
pub mod pipe;
mod post;
pub mod queue;
pub mod refusal;
mod scratch;
pub mod waiting;
