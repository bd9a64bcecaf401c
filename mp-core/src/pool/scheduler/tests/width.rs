//! How many workers have items at once: all of them if the items are long or wait for something, as many as there are
//! processors if they are short.

use super::super::{Event, Policy};
use super::table::*;
use crate::ids::WorkerId;
use std::num::NonZeroUsize;

const W2: WorkerId = WorkerId(2);
const W3: WorkerId = WorkerId(3);

fn sharing(workers: usize, processors: usize) -> Policy {
    Policy { processors: NonZeroUsize::new(processors).expect("not zero"), ..policy(workers) }
}

#[test]
fn short_items_go_to_as_many_workers_as_there_are_processors() {
    let rows = vec![
        (0, submitted(A, 10_000), vec![dispatch(W0, A, 0..1, 1), dispatch(W1, A, 1..2, 1)]),
        (10, returned(W0), vec![complete(A, 0), dispatch(W0, A, 2..52, 2)]),
        (10, returned(W1), vec![complete(A, 1), dispatch(W1, A, 52..102, 2)]),
        (500, returned_run(W0, 40), vec![complete_run(A, 2..42), dispatch(W0, A, 102..134, 52)]),
        (510, returned_run(W1, 50), vec![complete_run(A, 52..102), dispatch(W1, A, 134..179, 52)]),
    ];
    let mut scheduler = check(sharing(4, 2), rows);
    let deadline = scheduler.next_deadline().expect("two workers have nothing to do");
    // So many are known to be short now: who takes long waits for a processor.
    play(&mut scheduler, vec![(2600, Event::Tick, vec![])]);
    assert!(scheduler.next_deadline().is_some_and(|next| next > deadline), "it is asked again and again");
    assert_eq!((scheduler.out(W2), scheduler.out(W3)), (0, 0));
}

#[test]
fn items_that_do_not_end_make_room_for_others() {
    let rows = vec![(0, submitted(A, 8), vec![dispatch(W0, A, 0..1, 1), dispatch(W1, A, 1..2, 1)])];
    let mut scheduler = check(sharing(8, 2), rows);
    assert_eq!(scheduler.next_deadline(), Some(micros_in(1000)));
    let fourth = |worker| dispatch(WorkerId(worker), A, u64::from(worker)..u64::from(worker) + 1, 1);
    let rows = vec![
        (999, Event::Tick, vec![]),
        (1000, Event::Tick, vec![dispatch(W2, A, 2..3, 1), dispatch(W3, A, 3..4, 1)]),
        // Four wait, and as many more may.
        (2000, Event::Tick, (4..8).map(fourth).collect()),
    ];
    play(&mut scheduler, rows);
}

#[test]
fn long_items_go_to_all_workers() {
    let shares =
        vec![complete(A, 0), dispatch(W0, A, 1..3, 2), dispatch(W1, A, 3..5, 1), dispatch(W2, A, 5..7, 1)];
    let rows = vec![(0, submitted(A, 100), vec![dispatch(W0, A, 0..1, 1)]), (1500, returned(W0), shares)];
    check(sharing(3, 1), rows);
}

#[test]
fn calls_that_come_one_by_one_go_to_all_workers() {
    let rows = vec![
        (0, submitted(A, 1), vec![dispatch(W0, A, 0..1, 1)]),
        (0, submitted(B, 1), vec![dispatch(W1, B, 0..1, 1)]),
    ];
    check(sharing(2, 1), rows);
}

#[test]
fn what_one_job_has_taught_does_not_count_for_the_next() {
    let rows = vec![
        (0, submitted(A, 2), vec![dispatch(W0, A, 0..1, 1)]),
        (1000, Event::Tick, vec![dispatch(W1, A, 1..2, 1)]),
        (1100, returned(W0), vec![complete(A, 0)]),
        (1100, returned(W1), vec![complete(A, 1), finished(A)]),
        (1200, submitted(B, 2), vec![dispatch(W0, B, 0..1, 2)]),
        (2199, Event::Tick, vec![]),
        (2200, Event::Tick, vec![dispatch(W1, B, 1..2, 2)]),
    ];
    check(sharing(2, 1), rows);
}

#[test]
fn a_single_call_passes_short_items_that_have_the_workers_they_need() {
    let rows = vec![
        (0, submitted(A, 10_000), vec![dispatch(W0, A, 0..1, 1), dispatch(W1, A, 1..2, 1)]),
        (5, submitted(B, 1), vec![dispatch(W2, B, 0..1, 1)]),
        // It runs: its worker counts among those that have a processor.
        (10, returned(W0), vec![complete(A, 0)]),
        (20, returned(W2), vec![complete(B, 0), finished(B), dispatch(W0, A, 2..52, 2)]),
    ];
    check(sharing(4, 2), rows);
}
