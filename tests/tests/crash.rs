//! What happens when things die: promises 1, 2, 5, 6 and 7 of the reliability page, kind by kind and place by place.
//!
//! Long forms: `MP_ROUNDS` multiplies the rounds of the random tests (see `.ci/soak`).

#[path = "crash/early.rs"]
mod early;
#[path = "crash/edges.rs"]
mod edges;
#[path = "crash/kinds.rs"]
mod kinds;
#[path = "crash/scratch.rs"]
mod scratch;
#[path = "crash/table.rs"]
mod table;
#[path = "crash/verbs.rs"]
mod verbs;

mp::test_main!();
