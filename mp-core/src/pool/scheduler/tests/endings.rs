//! Closing and stopping a pool, from every state.

use super::super::{Event, Phase, Why};
use super::table::*;

#[test]
fn a_closed_pool_ends_its_jobs_and_takes_no_more() {
    let rows = vec![
        (0, unsealed(A, 1), vec![dispatch(W0, A, 0..1, 1)]),
        (0, Event::Closed, vec![]),
        (1, submitted(B, 2), vec![dropped(B, 0..2, Why::Closed), finished(B)]),
        (2, Event::Offered { job: A, items: 1 }, vec![]),
        (3, Event::Sealed { job: A }, vec![]),
        (900, returned(W0), vec![complete(A, 0), dispatch(W0, A, 1..2, 2)]),
        (901, died(W0, 0), vec![spawn(W0)]),
        (902, Event::Ready { worker: W0 }, vec![dispatch(W0, A, 1..2, 1)]),
        (1800, returned(W0), vec![complete(A, 1), finished(A), quit(W0)]),
        (1801, Event::Closed, vec![]),
        (1802, submitted(B, 0), vec![finished(B)]),
        (1900, died(W0, 0), vec![]),
    ];
    assert!(check(policy(1), rows).is_over());
}

#[test]
fn closing_an_idle_pool_sends_its_workers_away_and_kills_after_the_grace() {
    let rows = vec![
        (0, Event::Closed, vec![quit(W0), quit(W1)]),
        (10, died(W0, 0), vec![]),
        (100_000, Event::Tick, vec![kill(W1)]),
        (100_010, died(W1, 0), vec![]),
    ];
    let scheduler = check(policy(2), rows);
    assert_eq!((scheduler.phase(), scheduler.is_over()), (Phase::Leaving, true));
    assert_eq!(scheduler.next_deadline(), None);
}

#[test]
fn closing_while_workers_start_sends_them_away() {
    let rows = vec![
        (0, Event::Tick, vec![spawn(W0), spawn(W1)]),
        (1, Event::Greeted { worker: W0 }, vec![]),
        (2, Event::Closed, vec![quit(W0), quit(W1)]),
        (3, Event::Ready { worker: W0 }, vec![]),
        (3, Event::InitializerFailed { worker: W1 }, vec![]),
        (4, died(W0, 0), vec![]),
        (5, Event::SpawnFailed { worker: W1 }, vec![]),
    ];
    assert!(check_new(policy(2), rows).is_over());
}

#[test]
fn a_finished_map_that_still_runs_does_not_keep_a_closed_pool_open() {
    let rows = vec![
        (0, stopping(A, 2), vec![dispatch(W0, A, 0..1, 1), dispatch(W1, A, 1..2, 1)]),
        (10, Event::Closed, vec![]),
        (20, failed(W0), vec![complete(A, 0), finished(A), quit(W0), quit(W1)]),
        (30, died(W0, 0), vec![]),
        (100_020, Event::Tick, vec![kill(W1)]),
        (100_021, died(W1, 1), vec![]),
    ];
    assert!(check(policy(2), rows).is_over());
}

#[test]
fn a_stopped_pool_drops_what_has_not_started_and_lets_running_calls_end() {
    let rows = vec![
        (0, submitted(A, 20), vec![dispatch(W0, A, 0..1, 1), dispatch(W1, A, 1..2, 1)]),
        (100, returned(W0), vec![complete(A, 0), dispatch(W0, A, 2..7, 2)]),
        (110, stopped(5000), vec![dropped(A, 7..20, Why::Terminated), ended(Why::Terminated), revoke(W0, 3)]),
        (110, revoked(W0, 3), vec![dropped(A, 3..7, Why::Terminated)]),
        (200, returned(W1), vec![complete(A, 1), quit(W1)]),
        (210, returned(W0), vec![complete(A, 2), finished(A)]),
        (220, skipped(W0, 3), vec![quit(W0)]),
        (300, submitted(B, 1), vec![dropped(B, 0..1, Why::Terminated), finished(B)]),
        (300, died(W0, 0), vec![]),
        (300, died(W1, 0), vec![]),
    ];
    let scheduler = check(policy(2), rows);
    assert_eq!((scheduler.phase(), scheduler.is_over()), (Phase::Ended(Why::Terminated), true));
}

#[test]
fn after_the_grace_everybody_is_killed_and_running_items_are_dropped() {
    let rows = vec![
        (0, submitted(A, 2), vec![dispatch(W0, A, 0..1, 1), dispatch(W1, A, 1..2, 1)]),
        (10, stopped(5000), vec![ended(Why::Terminated)]),
        // By itself, before we killed it.
        (20, died(W1, 1), vec![lost(A, 1, W1)]),
        (5010, Event::Tick, vec![kill(W0)]),
        (5020, died(W0, 1), vec![dropped(A, 0..1, Why::Terminated), finished(A)]),
    ];
    assert!(check(policy(2), rows).is_over());
}

#[test]
fn a_shorter_grace_counts_and_a_longer_one_does_not() {
    let rows = vec![
        (0, submitted(A, 1), vec![dispatch(W0, A, 0..1, 1)]),
        (10, Event::Closed, vec![]),
        (10, stopped(5000), vec![ended(Why::Terminated)]),
        (20, stopped(9000), vec![]),
        (30, Event::Closed, vec![]),
        (40, stopped(100), vec![]),
        (140, Event::Tick, vec![kill(W0)]),
        // It was done in time, and we saw it late.
        (150, returned(W0), vec![complete(A, 0), finished(A)]),
        (150, died(W0, 0), vec![]),
    ];
    assert!(check(policy(1), rows).is_over());
}

#[test]
fn a_pool_without_grace_is_killed_at_once() {
    let rows = vec![
        (0, submitted(A, 1), vec![dispatch(W0, A, 0..1, 1)]),
        (10, stopped(0), vec![ended(Why::Terminated), kill(W0), kill(W1)]),
        (11, stopped(0), vec![]),
        (12, died(W1, 0), vec![]),
        (12, died(W0, 1), vec![dropped(A, 0..1, Why::Terminated), finished(A)]),
    ];
    assert!(check(policy(2), rows).is_over());
}

#[test]
fn a_pool_that_was_never_started_can_be_stopped() {
    let rows = vec![(0, stopped(5000), vec![ended(Why::Terminated)]), (9000, Event::Tick, vec![])];
    let scheduler = check_new(policy(2), rows);
    assert!(scheduler.is_over());
    assert_eq!(scheduler.next_deadline(), None);
}
