//! The public API, area by area. What every backend promises alike is in `conformance`, what needs a program of its own
//! in `entry`.

mp::test_main!();

#[path = "api/gate.rs"]
mod gate;
#[path = "api/refusals.rs"]
mod refusals;
#[path = "api/sizes.rs"]
mod sizes;
#[path = "api/tasks.rs"]
mod tasks;
#[path = "api/values.rs"]
mod values;
