//! The contract of `Semaphore`, `BoundedSemaphore`, `Event` and `Barrier`.

use crate::parties::{Dormitory, Parties, SHORT, contracts, dormitory, go_to_sleep, join_all, until_asleep};
use mp::ErrorKind;
use mp::shm::Atomic;
use mp::sync::{Barrier, BoundedSemaphore, Event, Semaphore};
use mp_tests::until;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

contracts! {
    no_more_are_inside_than_there_are_permits
    a_semaphore_without_permits_is_refused_and_handed_on
    a_bounded_semaphore_refuses_a_permit_that_was_not_taken
    an_event_wakes_all_who_wait
    a_cleared_event_is_waited_for_again
    all_parties_of_a_barrier_meet_each_with_its_own_number
    the_action_of_a_barrier_runs_once_in_a_round
    who_waits_at_a_barrier_sees_it_aborted_and_reset
}

const PERMITS: u32 = 2;

type Inside = Atomic<AtomicU32>;

fn stay(inside: &Inside) {
    let before = inside.fetch_add(1, Ordering::AcqRel);
    assert!(before < PERMITS, "{before} were inside already");
    std::thread::yield_now();
    inside.fetch_sub(1, Ordering::AcqRel);
}

#[mp::task]
fn pass(semaphore: Semaphore, bounded: BoundedSemaphore, inside: [Inside; 2]) {
    for round in 0..200 {
        if round % 10 > 0 || !semaphore.try_acquire() {
            semaphore.acquire();
        }
        stay(&inside[0]);
        semaphore.release().unwrap();
        if !bounded.acquire_timeout(Duration::ZERO) {
            assert!(bounded.acquire_timeout(Duration::MAX));
        }
        stay(&inside[1]);
        bounded.release().unwrap();
    }
}

fn no_more_are_inside_than_there_are_permits(parties: &Parties) {
    let (semaphore, bounded) = (Semaphore::new(PERMITS).unwrap(), BoundedSemaphore::new(PERMITS).unwrap());
    let inside = [0, 0].map(|number| Atomic::new(AtomicU32::new(number)).unwrap());
    let others = parties.each(0..4, pass, |_| (semaphore.clone(), bounded.clone(), inside.clone()));
    pass(semaphore.clone(), bounded.clone(), inside);
    join_all(others);
    assert_eq!([semaphore.value(), bounded.value()], [PERMITS; 2]);
}

#[mp::task]
fn take_late(semaphore: Semaphore, beds: Dormitory) {
    assert!(!semaphore.try_acquire() && semaphore.value() == 0);
    assert!(!semaphore.acquire_timeout(Duration::ZERO));
    let start = Instant::now();
    assert!(!semaphore.acquire_timeout(SHORT) && start.elapsed() >= SHORT);
    go_to_sleep(&beds);
    semaphore.acquire();
}

fn a_semaphore_without_permits_is_refused_and_handed_on(parties: &Parties) {
    let (semaphore, beds) = (Semaphore::new(1).unwrap(), dormitory());
    semaphore.acquire();
    let takers = parties.each(0..3, take_late, |_| (semaphore.clone(), beds.clone()));
    until_asleep(&beds, 3);
    semaphore.release().unwrap();
    semaphore.release_many(3).unwrap();
    join_all(takers);
    assert_eq!(semaphore.value(), 1, "one permit for each, and one is left");
}

#[mp::task]
fn release_too_much(bounded: BoundedSemaphore) {
    assert_eq!(bounded.release().unwrap_err().kind(), ErrorKind::InvalidInput);
    bounded.acquire();
    assert_eq!(bounded.release_many(2).unwrap_err().kind(), ErrorKind::InvalidInput);
    bounded.release().unwrap();
}

/// Takes a permit, which somebody else gives back.
#[mp::task]
fn take(bounded: BoundedSemaphore) {
    bounded.acquire();
}

fn a_bounded_semaphore_refuses_a_permit_that_was_not_taken(parties: &Parties) {
    let bounded = BoundedSemaphore::new(1).unwrap();
    for _ in 0..2 {
        parties.start(release_too_much, (bounded.clone(),)).join();
        release_too_much(bounded.clone());
        parties.start(take, (bounded.clone(),)).join();
        assert_eq!(bounded.value(), 0);
        bounded.release().unwrap();
    }
    assert_eq!(bounded.value(), 1);
}

#[mp::task]
fn wait_for_event(event: Event, beds: Dormitory) {
    assert!(!event.is_set() && !event.wait_timeout(Duration::ZERO));
    let start = Instant::now();
    assert!(!event.wait_timeout(SHORT) && start.elapsed() >= SHORT);
    go_to_sleep(&beds);
    event.wait();
}

#[mp::task]
fn find_set(event: Event) {
    assert!(event.is_set() && event.wait_timeout(Duration::ZERO));
    event.wait();
}

fn an_event_wakes_all_who_wait(parties: &Parties) {
    let (event, beds) = (Event::new().unwrap(), dormitory());
    for cleared_at_once in [false, true] {
        let waiters = parties.each(0..3, wait_for_event, |_| (event.clone(), beds.clone()));
        until_asleep(&beds, 3);
        event.set();
        if cleared_at_once {
            event.clear();
        } else {
            parties.start(find_set, (event.clone(),)).join();
        }
        join_all(waiters);
        event.clear();
    }
}

/// Answers each signal of the first event with the second one.
#[mp::task]
fn echo(signal: Event, answer: Event) {
    for _ in 0..100 {
        signal.wait();
        signal.clear();
        answer.set();
    }
}

fn a_cleared_event_is_waited_for_again(parties: &Parties) {
    let (signal, answer) = (Event::new().unwrap(), Event::new().unwrap());
    let echoing = parties.start(echo, (signal.clone(), answer.clone()));
    for _ in 0..100 {
        signal.set();
        answer.wait();
        assert!(!signal.is_set(), "cleared before the answer");
        answer.clear();
    }
    echoing.join();
    let between = Event::new().unwrap();
    let echoing = [
        parties.start(echo, (signal.clone(), between.clone())),
        parties.start(echo, (between.clone(), answer.clone())),
    ];
    for _ in 0..100 {
        signal.set();
        answer.wait();
        answer.clear();
    }
    join_all(echoing.into());
    assert!(!signal.is_set() && !between.is_set() && !answer.is_set());
}

const ROUNDS: usize = 30;

#[mp::task]
fn meet(barrier: Barrier) -> Vec<u32> {
    (0..ROUNDS).map(|_| barrier.wait().unwrap()).collect()
}

fn all_parties_of_a_barrier_meet_each_with_its_own_number(parties: &Parties) {
    for count in [2, 4] {
        let barrier = Barrier::new(count).unwrap();
        let others = parties.each(1..count, meet, |_| (barrier.clone(),));
        let mine = meet(barrier.clone());
        let mut all = join_all(others);
        all.push(mine);
        for round in 0..ROUNDS {
            let mut numbers: Vec<u32> = all.iter().map(|numbers| numbers[round]).collect();
            numbers.sort_unstable();
            assert!(numbers.into_iter().eq(0..count), "round {round}");
        }
        assert_eq!((barrier.n_waiting(), barrier.parties(), barrier.is_broken()), (0, count, false));
    }
}

#[mp::task]
fn meet_and_act(barrier: Barrier, actions: Atomic<AtomicU32>) {
    let act = || {
        actions.fetch_add(1, Ordering::Relaxed);
    };
    for round in 1..=ROUNDS as u32 {
        barrier.wait_with_action(act).unwrap();
        assert_eq!(actions.load(Ordering::Relaxed), round, "before anybody goes on");
        barrier.wait().unwrap();
    }
}

fn the_action_of_a_barrier_runs_once_in_a_round(parties: &Parties) {
    let (barrier, actions) = (Barrier::new(3).unwrap(), Atomic::new(AtomicU32::new(0)).unwrap());
    let others = parties.each(0..2, meet_and_act, |_| (barrier.clone(), actions.clone()));
    meet_and_act(barrier, actions);
    join_all(others);
}

/// Waits for parties that do not come.
#[mp::task]
fn wait_in_vain(barrier: Barrier) {
    assert_eq!(barrier.wait().unwrap_err().kind(), ErrorKind::BrokenBarrier);
}

#[mp::task]
fn wait_too_short(barrier: Barrier) {
    let start = Instant::now();
    assert_eq!(barrier.wait_timeout(SHORT).unwrap_err().kind(), ErrorKind::BrokenBarrier);
    assert!(start.elapsed() >= SHORT);
}

#[mp::task]
fn meet_once(barrier: Barrier) -> u32 {
    barrier.wait_timeout(Duration::MAX).unwrap()
}

fn who_waits_at_a_barrier_sees_it_aborted_and_reset(parties: &Parties) {
    let barrier = Barrier::new(3).unwrap();
    for broken in [true, false] {
        let waiters = parties.each(0..2, wait_in_vain, |_| (barrier.clone(),));
        until(|| barrier.n_waiting() == 2);
        if broken {
            barrier.abort();
            wait_in_vain(barrier.clone());
            parties.start(wait_in_vain, (barrier.clone(),)).join();
        } else {
            barrier.reset();
        }
        join_all(waiters);
        assert_eq!(barrier.is_broken(), broken);
        barrier.reset();
    }
    parties.start(wait_too_short, (barrier.clone(),)).join();
    assert!(barrier.is_broken());
    wait_in_vain(barrier.clone());
    barrier.reset();
    let others = parties.each(0..2, meet_once, |_| (barrier.clone(),));
    let mine = meet_once(barrier);
    let mut numbers = join_all(others);
    numbers.push(mine);
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1, 2], "a barrier that was reset is as new");
}
