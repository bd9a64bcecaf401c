//! The contract of `Condvar` and `OnceLock`.

use crate::parties::{
    Dormitory, Parties, SHORT, contracts, dormitory, go_to_sleep, is_asleep, join_all, until_asleep,
};
use mp::shm::Atomic;
use mp::sync::{Barrier, Condvar, Mutex, OnceLock};
use mp_tests::until;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

contracts! {
    a_turn_goes_round
    a_notification_wakes_no_more_than_it_says
    a_notification_of_all_wakes_all
    a_wait_without_a_notification_runs_out
    a_condition_is_waited_for
    one_initializer_wins
    the_first_value_stays
}

const ROUNDS: u32 = 100;

/// How long who waits sleeps before it looks whether somebody died.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Waits for its turn and hands it on. A notification that is lost is never made up for: `wait` looks once.
#[mp::task]
fn take_turns(turn: Mutex<u32>, changed: Condvar, me: u32, of: u32) {
    let mut guard = turn.lock().unwrap();
    for round in 0..ROUNDS {
        while *guard % of != me {
            guard = changed.wait(guard).unwrap();
        }
        assert_eq!(*guard, round * of + me);
        *guard += 1;
        changed.notify_all();
    }
}

fn a_turn_goes_round(parties: &Parties) {
    for of in [2, 4] {
        let (turn, changed) = (Mutex::new(0).unwrap(), Condvar::new().unwrap());
        let others = parties.each(1..of, take_turns, |me| (turn.clone(), changed.clone(), me, of));
        take_turns(turn.clone(), changed, 0, of);
        join_all(others);
        assert_eq!(*turn.lock().unwrap(), ROUNDS * of);
    }
}

/// Waits once. Who has gone to sleep has given the lock back, and waits.
#[mp::task]
fn wait_once(woken: Mutex<u32>, changed: Condvar, beds: Dormitory) {
    let guard = woken.lock().unwrap();
    go_to_sleep(&beds);
    *changed.wait(guard).unwrap() += 1;
}

fn a_notification_wakes_no_more_than_it_says(parties: &Parties) {
    for (count, first) in [(3_u32, 1_u32), (3, 2), (4, 3), (2, 0)] {
        let (woken, changed, beds) = (Mutex::new(0).unwrap(), Condvar::new().unwrap(), dormitory());
        changed.notify(count); // nobody waits: nobody hears it later
        let waiters = parties.each(0..count, wait_once, |_| (woken.clone(), changed.clone(), beds.clone()));
        let threads = until_asleep(&beds, count);
        drop(woken.lock().unwrap()); // all have given it back
        until(|| threads.iter().all(|thread| is_asleep(*thread)));
        changed.notify(first);
        until(|| *woken.lock().unwrap() >= first);
        // Who sleeps looks again meanwhile.
        let nobody = Condvar::new().unwrap();
        let (guard, _) = nobody.wait_timeout(woken.lock().unwrap(), 3 * LOOK_AGAIN).unwrap();
        assert_eq!(*guard, first);
        drop(guard);
        changed.notify(count - first);
        join_all(waiters);
        assert_eq!(*woken.lock().unwrap(), count);
    }
}

fn a_notification_of_all_wakes_all(parties: &Parties) {
    let (woken, changed, beds) = (Mutex::new(0).unwrap(), Condvar::new().unwrap(), dormitory());
    let waiters = parties.each(0..4, wait_once, |_| (woken.clone(), changed.clone(), beds.clone()));
    until_asleep(&beds, 4);
    let guard = woken.lock().unwrap();
    changed.notify_all();
    assert_eq!(*guard, 0, "not before the lock is given back");
    drop(guard);
    join_all(waiters);
    assert_eq!(*woken.lock().unwrap(), 4);
}

#[mp::task]
fn wait_in_vain(mutex: Mutex<u32>, changed: Condvar) {
    let start = Instant::now();
    let (guard, result) = changed.wait_timeout(mutex.lock().unwrap(), SHORT).unwrap();
    assert!(result.timed_out() && start.elapsed() >= SHORT);
    let (guard, result) = changed.wait_timeout(guard, Duration::ZERO).unwrap();
    assert!(result.timed_out());
    let (guard, result) = changed.wait_timeout_while(guard, SHORT, |value| *value == 0).unwrap();
    assert!(result.timed_out() && start.elapsed() >= 2 * SHORT);
    let (_guard, result) = changed.wait_timeout_while(guard, Duration::ZERO, |value| *value != 0).unwrap();
    assert!(!result.timed_out(), "it holds already");
}

fn a_wait_without_a_notification_runs_out(parties: &Parties) {
    let (mutex, changed) = (Mutex::new(0).unwrap(), Condvar::new().unwrap());
    let waiting = parties.each(0..2, wait_in_vain, |_| (mutex.clone(), changed.clone()));
    wait_in_vain(mutex.clone(), changed);
    join_all(waiting);
    assert!(!mutex.is_locked());
}

#[mp::task]
fn wait_for_value(mutex: Mutex<u32>, changed: Condvar, beds: Dormitory) -> u32 {
    let guard = mutex.lock().unwrap();
    go_to_sleep(&beds);
    *changed.wait_while(guard, |value| *value < 2).unwrap()
}

fn a_condition_is_waited_for(parties: &Parties) {
    let (mutex, changed, beds) = (Mutex::new(0).unwrap(), Condvar::new().unwrap(), dormitory());
    let waiters = parties.each(0..2, wait_for_value, |_| (mutex.clone(), changed.clone(), beds.clone()));
    until_asleep(&beds, 2);
    for value in 1..=2 {
        *mutex.lock().unwrap() = value;
        changed.notify_all();
    }
    assert_eq!(join_all(waiters), [2, 2]);
}

/// All come at once; returns what all have in the end.
#[mp::task]
fn initialize(once: OnceLock<[u32; 20]>, ran: Atomic<AtomicU32>, start: Barrier, me: u32) -> u32 {
    start.wait().unwrap();
    let init = || {
        ran.fetch_add(1, Ordering::Relaxed);
        std::thread::yield_now();
        [me; 20]
    };
    let all = *once.get_or_init(init).unwrap();
    assert_eq!(all, [all[0]; 20], "half of a value");
    assert_eq!(once.get(), Some(&all));
    all[0]
}

fn one_initializer_wins(parties: &Parties) {
    for _ in 0..5 {
        let (once, start) = (OnceLock::new().unwrap(), Barrier::new(4).unwrap());
        let ran = Atomic::new(AtomicU32::new(0)).unwrap();
        assert_eq!(once.get(), None);
        let others = parties.each(1..4, initialize, |me| (once.clone(), ran.clone(), start.clone(), me));
        let mine = initialize(once, ran.clone(), start, 0);
        assert_eq!(join_all(others), [mine; 3]);
        assert_eq!(ran.load(Ordering::Relaxed), 1);
    }
}

/// Whether this one's value was taken; who was late gets it back.
#[mp::task]
fn set(once: OnceLock<u32>, start: Barrier, me: u32) -> bool {
    start.wait().unwrap();
    let taken = once.set(me);
    assert_eq!(taken.is_ok(), once.get() == Some(&me));
    assert!(taken.is_ok() || taken == Err(me));
    taken.is_ok()
}

fn the_first_value_stays(parties: &Parties) {
    let (once, start) = (OnceLock::new().unwrap(), Barrier::new(4).unwrap());
    let others = parties.each(1..4, set, |me| (once.clone(), start.clone(), me));
    let mine = set(once.clone(), start, 0);
    let won = join_all(others).into_iter().chain([mine]).filter(|won| *won).count();
    assert_eq!(won, 1);
    let value = *once.get().unwrap();
    assert_eq!(once.set(9), Err(9));
    assert_eq!(once.get_or_init(|| 9).unwrap(), &value);
}
