//! The public API, area by area. What every backend promises alike is in `conformance`, what needs a program of its own
//! in `entry`.

#![allow(
    clippy::unwrap_used,
    reason = "tests and their tasks stop at the first thing that is not as it should be"
)]
#![allow(clippy::cast_possible_wrap, clippy::cast_sign_loss, reason = "small numbers of items")]

mp::test_main!();

#[path = "api/building.rs"]
mod building;
#[path = "api/family.rs"]
mod family;
#[path = "api/futures.rs"]
mod futures;
#[path = "api/gate.rs"]
mod gate;
#[path = "api/handles.rs"]
mod handles;
#[path = "api/imap.rs"]
mod imap;
#[path = "api/journal.rs"]
mod journal;
#[path = "api/lifecycle.rs"]
mod lifecycle;
#[path = "api/map.rs"]
mod map;
#[path = "api/process.rs"]
mod process;
#[path = "api/refusals.rs"]
mod refusals;
#[path = "api/scope.rs"]
mod scope;
#[path = "api/sizes.rs"]
mod sizes;
#[path = "api/stream.rs"]
mod stream;
#[path = "api/tasks.rs"]
mod tasks;
#[path = "api/user_code.rs"]
mod user_code;
#[path = "api/values.rs"]
mod values;
