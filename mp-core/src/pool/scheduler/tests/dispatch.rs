//! Who gets what and when: order, credit, refills, refusals, stealing, recycling.

use super::super::{Event, WorkerState};
use super::table::*;

#[test]
fn an_item_of_unknown_length_is_alone_on_each_worker() {
    let rows = vec![
        (0, submitted(A, 5), vec![dispatch(W0, A, 0..1, 1), dispatch(W1, A, 1..2, 1)]),
        // 300 µs each: two may be out, but what is left is shared.
        (300, returned(W0), vec![complete(A, 0), dispatch(W0, A, 2..3, 2)]),
        (300, returned(W1), vec![complete(A, 1), dispatch(W1, A, 3..4, 2)]),
        (600, returned(W1), vec![complete(A, 3), dispatch(W1, A, 4..5, 3)]),
        (600, returned(W0), vec![complete(A, 2)]),
        (900, returned(W1), vec![complete(A, 4), finished(A)]),
    ];
    check(policy(2), rows);
}

#[test]
fn short_items_are_handed_over_in_batches() {
    let mut rows = vec![
        (0, submitted(A, 1000), vec![dispatch(W0, A, 0..1, 1)]),
        // 10 µs each: 50 of them are 500 µs.
        (10, returned(W0), vec![complete(A, 0), dispatch(W0, A, 1..51, 2)]),
    ];
    for item in 1..25 {
        rows.push((10 + 10 * item, returned(W0), vec![complete(A, item)]));
    }
    rows.push((260, returned(W0), vec![complete(A, 25), dispatch(W0, A, 51..76, 52)]));
    assert_eq!(check(policy(1), rows).out(W0), 50);
}

#[test]
fn many_outcomes_with_one_time_stamp_measure_their_mean() {
    let mut rows = vec![
        (0, submitted(A, 100_000), vec![dispatch(W0, A, 0..1, 1)]),
        (40, returned(W0), vec![complete(A, 0), dispatch(W0, A, 1..13, 2)]),
    ];
    // Twelve in 12 µs. When the sixth arrives, 52 µs made 7 items, 7.4 µs each; six of 40 are out.
    for item in 1..6 {
        rows.push((52, returned(W0), vec![complete(A, item)]));
    }
    rows.push((52, returned(W0), vec![complete(A, 6), dispatch(W0, A, 13..48, 14)]));
    check(policy(1), rows);
}

#[test]
fn outcomes_that_come_at_once_are_as_those_one_by_one() {
    let rows = vec![
        (0, submitted(A, 100_000), vec![dispatch(W0, A, 0..1, 1)]),
        (40, returned(W0), vec![complete(A, 0), dispatch(W0, A, 1..13, 2)]),
        // Five in 12 µs: 52 µs made 6 items, and seven are left.
        (52, returned_run(W0, 5), vec![complete_run(A, 1..6)]),
        (52, returned_run(W0, 3), vec![complete_run(A, 6..9), dispatch(W0, A, 13..71, 14)]),
    ];
    check(policy(1), rows);
}

#[test]
fn long_items_are_refilled_one_by_one() {
    let rows = vec![
        (0, submitted(A, 100), vec![dispatch(W0, A, 0..1, 1)]),
        (100, returned(W0), vec![complete(A, 0), dispatch(W0, A, 1..6, 2)]),
        (200, returned(W0), vec![complete(A, 1), dispatch(W0, A, 6..7, 7)]),
    ];
    check(policy(1), rows);
}

#[test]
fn items_much_longer_than_the_credit_are_two_at_a_time() {
    let rows = vec![
        (0, submitted(A, 100), vec![dispatch(W0, A, 0..1, 1)]),
        (90_000, returned(W0), vec![complete(A, 0), dispatch(W0, A, 1..3, 2)]),
    ];
    check(policy(1), rows);
}

#[test]
fn one_item_jobs_share_one_rate() {
    let rows = vec![
        (0, submitted(A, 1), vec![dispatch(W0, A, 0..1, 1)]),
        (1, returned(W0), vec![complete(A, 0), finished(A)]),
        (10, submitted(A, 1), vec![dispatch(W0, A, 0..1, 2)]),
        (10, submitted(B, 1), vec![]),
        (10, submitted(job(2), 1), vec![]),
        (
            11,
            returned(W0),
            vec![complete(A, 0), finished(A), dispatch(W0, B, 0..1, 3), dispatch(W0, job(2), 0..1, 4)],
        ),
    ];
    check(policy(1), rows);
}

#[test]
fn a_chunk_is_handed_over_whole_and_the_next_one_when_it_has_ended() {
    let rows = vec![
        (0, submitted(A, 10), vec![dispatch(W0, A, 0..4, 1), dispatch(W1, A, 4..8, 1)]),
        (1, returned_run(W0, 3), vec![complete_run(A, 0..3)]),
        (2, returned(W0), vec![complete(A, 3), dispatch(W0, A, 8..10, 5)]),
        (3, returned_run(W1, 4), vec![complete_run(A, 4..8)]),
        // A call is no chunk, and is given by what is known of calls.
        (3, submitted(B, 1), vec![dispatch(W1, B, 0..1, 5)]),
        (4, returned_run(W0, 2), vec![complete_run(A, 8..10), finished(A)]),
    ];
    check(chunked(2, 4), rows);
}

#[test]
fn jobs_are_served_in_the_order_of_their_submission() {
    let rows = vec![
        (0, unsealed(A, 1), vec![dispatch(W0, A, 0..1, 1)]),
        (0, submitted(B, 2), vec![]),
        (0, Event::Offered { job: A, items: 1 }, vec![]),
        (900, returned(W0), vec![complete(A, 0), dispatch(W0, A, 1..2, 2)]),
        (1800, Event::Sealed { job: A }, vec![]),
        (1800, returned(W0), vec![complete(A, 1), finished(A), dispatch(W0, B, 0..1, 3)]),
    ];
    check(policy(1), rows);
}

#[test]
fn an_empty_sealed_job_is_finished_at_once() {
    let rows = vec![
        (0, submitted(A, 0), vec![finished(A)]),
        (0, unsealed(B, 0), vec![]),
        (0, Event::Sealed { job: B }, vec![finished(B)]),
    ];
    check(policy(1), rows);
}

#[test]
fn refused_calls_go_back_and_their_numbers_are_used_again() {
    let rows = vec![
        (0, submitted(A, 100), vec![dispatch(W0, A, 0..1, 1)]),
        (100, returned(W0), vec![complete(A, 0), dispatch(W0, A, 1..6, 2)]),
        (100, refused(W0, 4), vec![]),
        (200, returned(W0), vec![complete(A, 1), dispatch(W0, A, 3..7, 4)]),
    ];
    check(policy(1), rows);
}

#[test]
fn a_worker_that_refuses_its_only_call_is_asked_again_later() {
    let rows = vec![(0, submitted(A, 1), vec![dispatch(W0, A, 0..1, 1)]), (0, refused(W0, 1), vec![])];
    let mut scheduler = check(policy(1), rows);
    assert_eq!(scheduler.next_deadline(), Some(micros_in(50)));
    play(&mut scheduler, vec![(50, Event::Tick, vec![dispatch(W0, A, 0..1, 1)])]);
}

#[test]
fn what_stands_behind_a_long_call_goes_to_an_idle_worker() {
    let rows = vec![
        (0, submitted(A, 9), vec![dispatch(W0, A, 0..1, 1), dispatch(W1, A, 1..2, 1)]),
        (20, returned(W0), vec![complete(A, 0), dispatch(W0, A, 2..4, 2)]),
        (20, returned(W1), vec![complete(A, 1), dispatch(W1, A, 4..6, 2)]),
        // Its share of what waits is less than two, and two are too little work to be split.
        (40, returned(W1), vec![complete(A, 4), dispatch(W1, A, 6..7, 4)]),
        (60, returned(W1), vec![complete(A, 5), dispatch(W1, A, 7..8, 5)]),
        (80, returned(W1), vec![complete(A, 6), dispatch(W1, A, 8..9, 6)]),
        (100, returned(W1), vec![complete(A, 7)]),
        (120, returned(W1), vec![complete(A, 8)]),
    ];
    let mut scheduler = check(policy(2), rows);
    // Item 2 runs on worker 0 since 20, and item 3 waits behind it.
    assert_eq!(scheduler.next_deadline(), Some(micros_in(1020)));
    assert_eq!((scheduler.is_started(A, 2), scheduler.is_started(A, 3)), (Some(true), Some(false)));
    let rows = vec![
        (1020, Event::Tick, vec![revoke(W0, 3)]),
        (1020, revoked(W0, 3), vec![dispatch(W1, A, 3..4, 7)]),
        (1040, returned(W1), vec![complete(A, 3)]),
        (1050, submitted(B, 2), vec![dispatch(W1, B, 0..1, 8)]),
        (2000, returned(W0), vec![complete(A, 2), finished(A)]),
        // The numbers of revoked calls are not used again.
        (2001, skipped(W0, 3), vec![dispatch(W0, B, 1..2, 4)]),
    ];
    play(&mut scheduler, rows);
}

#[test]
fn a_worker_that_was_faster_keeps_what_it_started_and_may_decline_one_call() {
    let rows = vec![
        (0, submitted(A, 20), vec![dispatch(W0, A, 0..1, 1)]),
        (100, returned(W0), vec![complete(A, 0), dispatch(W0, A, 1..6, 2)]),
        (100, cancelled(A, 5..6), vec![revoke(W0, 3)]),
        // It had started call 3 and may run call 4; 5 and 6 come back.
        (100, revoked(W0, 5), vec![dropped(A, 5..6, super::super::Why::Cancelled)]),
        (150, returned(W0), vec![complete(A, 1)]),
        (150, returned(W0), vec![complete(A, 2)]),
        (150, skipped(W0, 4), vec![dispatch(W0, A, 3..5, 7), dispatch(W0, A, 6..13, 9)]),
    ];
    check(policy(1), rows);
}

/// It declines one call after another while the driver reads how far it has come.
#[test]
fn a_worker_may_decline_several_calls_that_it_was_told_to_keep() {
    let rows = vec![
        (0, submitted(A, 20), vec![dispatch(W0, A, 0..1, 1)]),
        (100, returned(W0), vec![complete(A, 0), dispatch(W0, A, 1..6, 2)]),
        (100, cancelled(A, 5..6), vec![revoke(W0, 3)]),
        (100, revoked(W0, 6), vec![dropped(A, 5..6, super::super::Why::Cancelled)]),
        (150, returned(W0), vec![complete(A, 1)]),
        (150, skipped(W0, 3), vec![dispatch(W0, A, 2..5, 7), dispatch(W0, A, 6..9, 10)]),
    ];
    check(policy(1), rows);
}

#[test]
fn a_worker_is_replaced_after_its_calls() {
    let rows = vec![
        (0, submitted(A, 3), vec![dispatch(W0, A, 0..1, 1)]),
        (900, returned(W0), vec![complete(A, 0), dispatch(W0, A, 1..2, 2)]),
        (1800, returned(W0), vec![complete(A, 1), quit(W0)]),
        (1900, died(W0, 0), vec![spawn(W0)]),
        (2000, Event::Greeted { worker: W0 }, vec![]),
        (2100, Event::Ready { worker: W0 }, vec![dispatch(W0, A, 2..3, 1)]),
    ];
    let scheduler = check(recycling(1, 2), rows);
    assert_eq!(scheduler.worker_state(W0), WorkerState::Ready);
}

#[test]
fn a_worker_that_does_not_leave_is_killed_after_the_grace_and_nobody_blames_it() {
    let rows = vec![
        (0, submitted(A, 1), vec![dispatch(W0, A, 0..1, 1)]),
        (900, returned(W0), vec![complete(A, 0), finished(A), quit(W0)]),
        (100_899, Event::Tick, vec![]),
        (100_900, Event::Tick, vec![kill(W0)]),
        (100_950, died(W0, 0), vec![spawn(W0)]),
    ];
    check(recycling(1, 1), rows);
}
