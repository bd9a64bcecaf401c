//! Items that fail, items that are cancelled, workers that die.

use super::super::{Event, Why};
use super::table::*;

#[test]
fn after_a_failure_earlier_items_still_run_and_later_ones_do_not() {
    let rows = vec![
        (0, stopping(A, 9), vec![dispatch(W0, A, 0..1, 1), dispatch(W1, A, 1..2, 1)]),
        (300, failed(W1), vec![complete(A, 1), dropped(A, 2..9, Why::EarlierFailure)]),
        (400, failed(W0), vec![complete(A, 0), finished(A)]),
    ];
    check(policy(2), rows);
}

#[test]
fn a_death_in_the_middle_of_a_run_loses_the_call_behind_what_returned() {
    let rows = vec![
        (0, submitted(A, 1000), vec![dispatch(W0, A, 0..1, 1)]),
        (10, returned(W0), vec![complete(A, 0), dispatch(W0, A, 1..51, 2)]),
        (40, returned_run(W0, 3), vec![complete_run(A, 1..4)]),
        (40, died(W0, 5), vec![lost(A, 4, W0), spawn(W0)]),
        (50, Event::Greeted { worker: W0 }, vec![]),
        (60, Event::Ready { worker: W0 }, vec![dispatch(W0, A, 5..55, 1)]),
    ];
    check(policy(1), rows);
}

#[test]
fn calls_behind_a_failure_are_revoked_and_dropped() {
    let rows = vec![
        (0, stopping(A, 20), vec![dispatch(W0, A, 0..1, 1), dispatch(W1, A, 1..2, 1)]),
        (100, returned(W0), vec![complete(A, 0), dispatch(W0, A, 2..7, 2)]),
        // Item 2 runs, 3 to 6 have not started; item 2 is not needed any more, item 1 was the last that was.
        (
            100,
            failed(W1),
            vec![complete(A, 1), dropped(A, 7..20, Why::EarlierFailure), revoke(W0, 3), finished(A)],
        ),
        (100, revoked(W0, 3), vec![]),
        // A late outcome of the finished job.
        (200, returned(W0), vec![complete(A, 2)]),
        (200, skipped(W0, 3), vec![]),
        (200, submitted(A2, 1), vec![dispatch(W0, A2, 0..1, 7)]),
    ];
    check(policy(2), rows);
}

#[test]
fn calls_that_come_back_after_a_failure_are_dropped_while_their_job_goes_on() {
    let rows = vec![
        (0, stopping(A, 20), vec![dispatch(W0, A, 0..1, 1), dispatch(W1, A, 1..2, 1)]),
        (100, returned(W1), vec![complete(A, 1), dispatch(W1, A, 2..7, 2)]),
        (200, failed(W1), vec![complete(A, 2), dropped(A, 7..20, Why::EarlierFailure), revoke(W1, 4)]),
        (200, revoked(W1, 4), vec![dropped(A, 4..7, Why::EarlierFailure)]),
        (300, returned(W1), vec![complete(A, 3)]),
        (300, skipped(W1, 4), vec![]),
        (400, returned(W0), vec![complete(A, 0), finished(A)]),
    ];
    check(policy(2), rows);
}

#[test]
fn a_job_hears_of_all_items_that_come_back_before_it_is_finished() {
    // Seed 52205 of the simulation.
    let rows = vec![
        (0, stopping(A, 40), vec![dispatch(W0, A, 0..1, 1), dispatch(W1, A, 1..2, 1)]),
        (100, returned(W0), vec![complete(A, 0), dispatch(W0, A, 2..7, 2)]),
        (100, died(W1, 0), vec![spawn(W1)]),
        (200, returned(W0), vec![complete(A, 2), dispatch(W0, A, 1..2, 7)]),
        (300, failed(W0), vec![complete(A, 3), dropped(A, 7..40, Why::EarlierFailure), revoke(W0, 5)]),
        (300, stopped(5000), vec![ended(Why::Terminated), quit(W1)]),
        (
            300,
            revoked(W0, 5),
            vec![dropped(A, 1..2, Why::Terminated), dropped(A, 5..7, Why::EarlierFailure), finished(A)],
        ),
    ];
    check(policy(2), rows);
}

#[test]
fn what_is_offered_after_a_failure_is_dropped_at_once() {
    let rows = vec![
        (0, unsealed(A, 2), vec![dispatch(W0, A, 0..1, 1), dispatch(W1, A, 1..2, 1)]),
        (10, failed(W1), vec![complete(A, 1)]),
        (10, Event::Offered { job: A, items: 3 }, vec![dropped(A, 2..5, Why::EarlierFailure)]),
        (20, returned(W0), vec![complete(A, 0), finished(A)]),
        (20, Event::Offered { job: A, items: 3 }, vec![]),
    ];
    check(policy(2), rows);
}

#[test]
fn a_failure_cancels_later_items_and_those_that_run_are_waited_for() {
    let rows = vec![
        (0, cancelling(A, 20), vec![dispatch(W0, A, 0..1, 1), dispatch(W1, A, 1..2, 1)]),
        (10, failed(W0), vec![complete(A, 0), dropped(A, 2..20, Why::Cancelled)]),
        (20, returned(W1), vec![complete(A, 1), finished(A)]),
    ];
    check(policy(2), rows);
}

#[test]
fn a_cancelled_item_that_waits_is_dropped_and_one_that_runs_goes_on() {
    let rows = vec![
        (0, submitted(A, 3), vec![dispatch(W0, A, 0..1, 1)]),
        (10, cancelled(A, 0..2), vec![dropped(A, 1..2, Why::Cancelled)]),
        (900, returned(W0), vec![complete(A, 0), dispatch(W0, A, 2..3, 2)]),
        (910, cancelled(A, 0..u64::MAX), vec![]),
        (1800, returned(W0), vec![complete(A, 2), finished(A)]),
    ];
    check(policy(1), rows);
}

#[test]
fn a_cancelled_call_that_has_not_started_is_revoked_and_its_neighbours_run() {
    let rows = vec![
        (0, submitted(A, 20), vec![dispatch(W0, A, 0..1, 1)]),
        (100, returned(W0), vec![complete(A, 0), dispatch(W0, A, 1..6, 2)]),
        (110, cancelled(A, 3..4), vec![revoke(W0, 3)]),
        (110, revoked(W0, 3), vec![dropped(A, 3..4, Why::Cancelled)]),
        (200, returned(W0), vec![complete(A, 1)]),
        (200, skipped(W0, 3), vec![dispatch(W0, A, 2..3, 7), dispatch(W0, A, 4..8, 8)]),
    ];
    check(policy(1), rows);
}

#[test]
fn a_death_loses_the_running_call_and_no_other() {
    let rows = vec![
        (0, submitted(A, 20), vec![dispatch(W0, A, 0..1, 1)]),
        (100, returned(W0), vec![complete(A, 0), dispatch(W0, A, 1..6, 2)]),
        (150, died(W0, 2), vec![lost(A, 1, W0), spawn(W0)]),
        (160, Event::Greeted { worker: W0 }, vec![]),
        (170, Event::Ready { worker: W0 }, vec![dispatch(W0, A, 2..7, 1)]),
    ];
    check(policy(1), rows);
}

#[test]
fn a_death_between_two_calls_loses_none() {
    let rows = vec![
        (0, submitted(A, 20), vec![dispatch(W0, A, 0..1, 1)]),
        (100, returned(W0), vec![complete(A, 0), dispatch(W0, A, 1..6, 2)]),
        // The recorder still names call 1, whose outcome has come.
        (150, died(W0, 1), vec![spawn(W0)]),
        (160, Event::Ready { worker: W0 }, vec![dispatch(W0, A, 1..6, 1)]),
        (170, died(W0, 0), vec![spawn(W0)]),
        (180, Event::Ready { worker: W0 }, vec![dispatch(W0, A, 1..6, 1)]),
        // A call that nobody handed out: the one that is next is to blame.
        (190, died(W0, 77), vec![lost(A, 1, W0), spawn(W0)]),
    ];
    check(policy(1), rows);
}

#[test]
fn a_death_loses_all_that_was_begun_and_not_heard_of() {
    let rows = vec![
        (0, submitted(A, 20), vec![dispatch(W0, A, 0..1, 1)]),
        (100, returned(W0), vec![complete(A, 0), dispatch(W0, A, 1..6, 2)]),
        // Calls 2 and 3 ended, and nobody could take what it said of them.
        (150, died(W0, 4), vec![lost(A, 1, W0), lost(A, 2, W0), lost(A, 3, W0), spawn(W0)]),
        (170, Event::Ready { worker: W0 }, vec![dispatch(W0, A, 4..9, 1)]),
    ];
    check(policy(1), rows);
}

#[test]
fn the_lost_item_of_a_stopping_map_is_its_failure() {
    let rows = vec![
        (0, stopping(A, 20), vec![dispatch(W0, A, 0..1, 1)]),
        (100, returned(W0), vec![complete(A, 0), dispatch(W0, A, 1..6, 2)]),
        (
            150,
            died(W0, 2),
            vec![lost(A, 1, W0), dropped(A, 2..20, Why::EarlierFailure), finished(A), spawn(W0)],
        ),
    ];
    check(policy(1), rows);
}

#[test]
fn calls_of_a_dead_worker_go_to_the_front_of_the_line() {
    let rows = vec![
        (0, submitted(A, 9), vec![dispatch(W0, A, 0..1, 1), dispatch(W1, A, 1..2, 1)]),
        (200, returned(W0), vec![complete(A, 0), dispatch(W0, A, 2..4, 2)]),
        (200, returned(W1), vec![complete(A, 1), dispatch(W1, A, 4..6, 2)]),
        (210, died(W0, 2), vec![lost(A, 2, W0), spawn(W0)]),
        (400, returned(W1), vec![complete(A, 4), dispatch(W1, A, 3..4, 4)]),
    ];
    check(policy(2), rows);
}

#[test]
fn a_death_ends_a_revoke() {
    let rows = vec![
        (0, submitted(A, 20), vec![dispatch(W0, A, 0..1, 1)]),
        (100, returned(W0), vec![complete(A, 0), dispatch(W0, A, 1..6, 2)]),
        (110, cancelled(A, 3..20), vec![dropped(A, 6..20, Why::Cancelled), revoke(W0, 3)]),
        (120, died(W0, 2), vec![dropped(A, 3..6, Why::Cancelled), lost(A, 1, W0), spawn(W0)]),
        // Late answers about the dead.
        (130, revoked(W0, 3), vec![]),
        (130, skipped(W0, 3), vec![]),
        (130, refused(W0, 3), vec![]),
        (140, Event::Ready { worker: W0 }, vec![dispatch(W0, A, 2..3, 1)]),
        (150, returned(W0), vec![complete(A, 2), finished(A)]),
    ];
    check(policy(1), rows);
}

#[test]
fn workers_that_keep_dying_end_the_pool() {
    let rows = vec![
        (0, submitted(A, 9), vec![dispatch(W0, A, 0..1, 1), dispatch(W1, A, 1..2, 1)]),
        (10, died(W0, 1), vec![lost(A, 0, W0), spawn(W0)]),
        // Before it was ready.
        (20, died(W0, 0), vec![spawn(W0)]),
        (30, died(W0, 0), vec![spawn(W0)]),
        (40, died(W0, 0), vec![dropped(A, 2..9, Why::CrashLoop), ended(Why::CrashLoop), kill(W1)]),
        (41, died(W1, 1), vec![dropped(A, 1..2, Why::CrashLoop), finished(A)]),
    ];
    assert!(check(policy(2), rows).is_over());
}

#[test]
fn an_outcome_or_a_pause_forgives_the_deaths_before() {
    let rows = vec![
        (0, submitted(A, 9), vec![dispatch(W0, A, 0..1, 1), dispatch(W1, A, 1..2, 1)]),
        (10, died(W0, 0), vec![spawn(W0)]),
        (20, died(W0, 0), vec![spawn(W0)]),
        (30, died(W0, 0), vec![spawn(W0)]),
        (31, failed(W1), vec![complete(A, 1), dispatch(W1, A, 0..1, 2), dispatch(W1, A, 2..4, 3)]),
        (40, died(W0, 0), vec![spawn(W0)]),
        (50, died(W0, 0), vec![spawn(W0)]),
        (60, died(W0, 0), vec![spawn(W0)]),
        (5_000_051, died(W0, 0), vec![spawn(W0)]),
    ];
    check(policy(2), rows);
}

#[test]
fn a_spawn_that_fails_is_tried_again_later_and_counts() {
    let fails = || Event::SpawnFailed { worker: W0 };
    let rows = vec![
        (0, Event::Tick, vec![spawn(W0)]),
        (0, fails(), vec![]),
        (999_999, Event::Tick, vec![]),
        (1_000_000, Event::Tick, vec![spawn(W0)]),
        (1_000_000, fails(), vec![]),
        (2_000_000, Event::Tick, vec![spawn(W0)]),
        (2_000_000, fails(), vec![]),
        (3_000_000, Event::Tick, vec![spawn(W0)]),
        (3_000_000, fails(), vec![ended(Why::CrashLoop)]),
    ];
    assert!(check_new(policy(1), rows).is_over());
}

#[test]
fn a_process_that_does_not_say_hello_is_killed_and_counts() {
    let mut rows = vec![(0, Event::Tick, vec![spawn(W0)])];
    for second in 1..4 {
        rows.push((second * 1_000_000, Event::Tick, vec![kill(W0)]));
        rows.push((second * 1_000_000, died(W0, 0), vec![spawn(W0)]));
    }
    rows.push((4_000_000, Event::Tick, vec![kill(W0)]));
    rows.push((4_000_000, died(W0, 0), vec![ended(Why::CrashLoop)]));
    assert!(check_new(policy(1), rows).is_over());
}

#[test]
fn a_pool_none_of_whose_workers_comes_up_ends_however_slowly_they_die() {
    let mut rows = vec![(0, Event::Tick, vec![spawn(W0)])];
    for death in 1..4 {
        rows.push((death * 9_000_000, Event::Greeted { worker: W0 }, vec![]));
        rows.push((death * 9_000_000, died(W0, 0), vec![spawn(W0)]));
    }
    rows.push((36_000_000, died(W0, 0), vec![ended(Why::CrashLoop)]));
    assert!(check_new(policy(1), rows).is_over());
}

#[test]
fn a_worker_that_does_not_come_up_ends_no_pool_in_which_another_one_is_ready() {
    let mut rows = vec![];
    for death in 1..20 {
        rows.push((death * 9_000_000, died(W0, 0), vec![spawn(W0)]));
    }
    check(policy(2), rows);
}

#[test]
fn an_initializer_may_take_any_time_and_ends_the_pool_if_it_fails() {
    let rows = vec![
        (0, submitted(A, 2), vec![spawn(W0), spawn(W1)]),
        (10, Event::Greeted { worker: W0 }, vec![]),
        (10, Event::Greeted { worker: W1 }, vec![]),
        (90_000_000, Event::Tick, vec![]),
        (
            90_000_001,
            Event::InitializerFailed { worker: W0 },
            vec![
                dropped(A, 0..2, Why::InitializerFailed),
                finished(A),
                ended(Why::InitializerFailed),
                kill(W0),
                kill(W1),
            ],
        ),
        (90_000_002, died(W0, 0), vec![]),
        (90_000_003, died(W1, 0), vec![]),
    ];
    assert!(check_new(policy(2), rows).is_over());
}

#[test]
fn nobody_is_late_because_the_driver_did_not_listen() {
    let rows = vec![
        (0, submitted(A, 8), vec![dispatch(W0, A, 0..1, 1), dispatch(W1, A, 1..2, 1)]),
        (20, returned(W0), vec![complete(A, 0), dispatch(W0, A, 2..4, 2)]),
        (20, died(W1, 0), vec![spawn(W1)]),
        // Two seconds later: the hello and the outcome came long ago, and are fed now.
        (2_000_000, Event::Sealed { job: A }, vec![]),
        (2_000_000, Event::Greeted { worker: W1 }, vec![]),
        (2_000_000, cancelled(A, 4..8), vec![dropped(A, 4..8, Why::Cancelled)]),
        (2_000_000, Event::Ready { worker: W1 }, vec![dispatch(W1, A, 1..2, 1)]),
        (2_000_000, returned(W1), vec![complete(A, 1)]),
        (2_000_000, returned(W0), vec![complete(A, 2)]),
        (2_000_000, returned(W0), vec![complete(A, 3), finished(A)]),
        (2_000_000, Event::Tick, vec![]),
    ];
    check(policy(2), rows);
}
