//! The contract of `Mutex`, `RLock` and `RwLock`.

use crate::parties::{
    Dormitory, Parties, SHORT, contracts, dormitory, go_to_sleep, join_all, panic_silently, until_asleep,
};
use mp::shm::Atomic;
use mp::sync::{Barrier, Event, LockError, Mutex, RLock, RwLock};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

contracts! {
    a_counter_under_a_mutex_is_exact
    a_held_mutex_is_refused_and_handed_on
    a_panic_with_a_mutex_poisons_it
    a_counter_under_a_recursive_lock_is_exact
    a_recursive_lock_is_free_after_its_last_guard
    a_panic_with_a_recursive_lock_gives_it_back
    a_counter_under_a_writer_is_exact_and_readers_see_whole_changes
    readers_are_in_together
    a_writer_is_alone
    a_panic_of_a_writer_poisons_and_that_of_a_reader_does_not
}

const TIMES: u64 = 200;

/// Counts in two steps: who is not alone loses a count.
#[mp::task]
fn count(mutex: Mutex<[u64; 2]>) {
    for _ in 0..TIMES {
        let mut pair = mutex.lock().unwrap();
        let [first, second] = *pair;
        assert_eq!(first, second, "half of a change");
        pair[0] = first + 1;
        thread::yield_now();
        pair[1] = second + 1;
    }
}

fn a_counter_under_a_mutex_is_exact(parties: &Parties) {
    let mutex = Mutex::new([0; 2]).unwrap();
    let counting = parties.each(0..4, count, |_| (mutex.clone(),));
    count(mutex.clone());
    join_all(counting);
    assert_eq!(*mutex.lock().unwrap(), [5 * TIMES; 2]);
}

/// Holds the lock until it may go.
#[mp::task]
fn hold(mutex: Mutex<u32>, held: Event, go: Event) {
    let mut guard = mutex.lock().unwrap();
    held.set();
    go.wait();
    *guard += 1;
}

#[mp::task]
fn be_refused(mutex: Mutex<u32>) {
    assert!(mutex.is_locked());
    assert!(matches!(mutex.try_lock(), Err(LockError::WouldBlock)));
    assert!(matches!(mutex.lock_timeout(Duration::ZERO), Err(LockError::TimedOut)));
    let start = Instant::now();
    assert!(mutex.lock_timeout(SHORT).unwrap_err().is_timeout());
    assert!(start.elapsed() >= SHORT);
}

#[mp::task]
fn be_next(mutex: Mutex<u32>, beds: Dormitory) -> u32 {
    go_to_sleep(&beds);
    let mut guard = mutex.lock_timeout(Duration::MAX).unwrap();
    *guard += 1;
    *guard
}

fn a_held_mutex_is_refused_and_handed_on(parties: &Parties) {
    let (mutex, beds) = (Mutex::new(0).unwrap(), dormitory());
    let (held, go) = (Event::new().unwrap(), Event::new().unwrap());
    let holder = parties.start(hold, (mutex.clone(), held.clone(), go.clone()));
    held.wait();
    be_refused(mutex.clone());
    join_all(parties.each(0..2, be_refused, |_| (mutex.clone(),)));
    let next = parties.each(0..2, be_next, |_| (mutex.clone(), beds.clone()));
    until_asleep(&beds, 2);
    go.set();
    holder.join();
    let mut places = join_all(next);
    places.sort_unstable();
    assert_eq!(places, [2, 3], "after the holder, one after the other");
    assert!(!mutex.is_locked());
    assert_eq!(*mutex.try_lock().unwrap(), 3);
}

#[mp::task]
fn panic_with_mutex(mutex: Mutex<u32>) {
    let mut guard = mutex.lock().unwrap();
    *guard = 7;
    panic_silently();
}

/// Finds it poisoned; the value is there.
#[mp::task]
fn find_poisoned(mutex: Mutex<u32>) -> u32 {
    assert!(mutex.is_poisoned() && !mutex.is_locked());
    assert!(mutex.try_lock().unwrap_err().is_poisoned());
    let error = mutex.lock().unwrap_err();
    assert!(error.is_poisoned() && !error.is_owner_died());
    *error.into_guard().unwrap()
}

#[mp::task]
fn lock_once(mutex: Mutex<u32>) -> u32 {
    *mutex.lock().unwrap()
}

fn a_panic_with_a_mutex_poisons_it(parties: &Parties) {
    for _ in 0..2 {
        let mutex = Mutex::new(0).unwrap();
        assert!(parties.start(panic_with_mutex, (mutex.clone(),)).has_panicked());
        assert_eq!(find_poisoned(mutex.clone()), 7);
        assert_eq!(parties.start(find_poisoned, (mutex.clone(),)).join(), 7, "until it is cleared");
        mutex.clear_poison();
        assert_eq!(join_all(parties.each(0..2, lock_once, |_| (mutex.clone(),))), [7, 7]);
    }
}

/// Counts in two steps; the lock is taken three times over.
#[mp::task]
fn count_deep(lock: RLock, counter: Atomic<AtomicU64>) {
    for _ in 0..TIMES {
        let _outer = lock.lock().unwrap();
        let _inner = lock.try_lock().unwrap();
        let seen = counter.load(Ordering::Relaxed);
        thread::yield_now();
        let _innermost = lock.lock_timeout(Duration::ZERO).unwrap();
        counter.store(seen + 1, Ordering::Relaxed);
    }
}

fn a_counter_under_a_recursive_lock_is_exact(parties: &Parties) {
    let (lock, counter) = (RLock::new().unwrap(), Atomic::new(AtomicU64::new(0)).unwrap());
    let counting = parties.each(0..3, count_deep, |_| (lock.clone(), counter.clone()));
    count_deep(lock, counter.clone());
    join_all(counting);
    assert_eq!(counter.load(Ordering::Relaxed), 4 * TIMES);
}

const DEPTH: u32 = 3;

/// Drops one guard after the other; before each one, and at the end, others look.
#[mp::task]
fn climb_out(lock: RLock, others_look: Barrier) {
    let guards: Vec<_> = (0..DEPTH).map(|_| lock.lock().unwrap()).collect();
    for guard in guards {
        others_look.wait().unwrap();
        others_look.wait().unwrap();
        drop(guard);
    }
    others_look.wait().unwrap();
    others_look.wait().unwrap();
}

#[mp::task]
fn look(lock: RLock, locked: bool) {
    assert_eq!(lock.is_locked(), locked);
    assert_eq!(matches!(lock.try_lock(), Err(LockError::WouldBlock)), locked);
    assert_eq!(lock.lock_timeout(SHORT).is_err_and(|error| error.is_timeout()), locked);
}

fn a_recursive_lock_is_free_after_its_last_guard(parties: &Parties) {
    let (lock, others_look) = (RLock::new().unwrap(), Barrier::new(2).unwrap());
    let climber = parties.start(climb_out, (lock.clone(), others_look.clone()));
    for left in (0..=DEPTH).rev() {
        others_look.wait().unwrap();
        look(lock.clone(), left > 0);
        parties.start(look, (lock.clone(), left > 0)).join();
        others_look.wait().unwrap();
    }
    climber.join();
}

#[mp::task]
fn panic_with_recursive_lock(lock: RLock) {
    let (_outer, _inner) = (lock.lock().unwrap(), lock.lock().unwrap());
    panic_silently();
}

fn a_panic_with_a_recursive_lock_gives_it_back(parties: &Parties) {
    let lock = RLock::new().unwrap();
    for _ in 0..2 {
        assert!(parties.start(panic_with_recursive_lock, (lock.clone(),)).has_panicked());
        look(lock.clone(), false);
        parties.start(look, (lock.clone(), false)).join();
    }
}

/// Reads and writes by turns.
#[mp::task]
fn read_and_write(lock: RwLock<[u64; 2]>) {
    for _ in 0..TIMES {
        {
            let pair = lock.read().unwrap();
            let first = pair[0];
            thread::yield_now();
            assert_eq!([first; 2], *pair, "a change while somebody reads");
        }
        let mut pair = lock.write().unwrap();
        let [first, second] = *pair;
        pair[0] = first + 1;
        thread::yield_now();
        pair[1] = second + 1;
    }
}

fn a_counter_under_a_writer_is_exact_and_readers_see_whole_changes(parties: &Parties) {
    let lock = RwLock::new([0; 2]).unwrap();
    let counting = parties.each(0..3, read_and_write, |_| (lock.clone(),));
    read_and_write(lock.clone());
    join_all(counting);
    assert_eq!(*lock.read().unwrap(), [4 * TIMES; 2]);
}

/// Reads, and meets all others while it does.
#[mp::task]
fn read_together(lock: RwLock<u32>, meeting: Barrier) -> u32 {
    let guard = lock.read().unwrap();
    meeting.wait().unwrap();
    assert!(matches!(lock.try_write(), Err(LockError::WouldBlock)));
    meeting.wait().unwrap();
    *guard
}

fn readers_are_in_together(parties: &Parties) {
    let (lock, meeting) = (RwLock::new(5).unwrap(), Barrier::new(4).unwrap());
    let readers = parties.each(0..3, read_together, |_| (lock.clone(), meeting.clone()));
    assert_eq!(read_together(lock.clone(), meeting), 5);
    assert_eq!(join_all(readers), [5; 3]);
    *lock.write().unwrap() = 6;
}

#[mp::task]
fn write_slowly(lock: RwLock<u32>, held: Event, go: Event) {
    let mut guard = lock.write().unwrap();
    *guard += 1;
    held.set();
    go.wait();
    *guard += 1;
}

#[mp::task]
fn be_kept_out(lock: RwLock<u32>) {
    assert!(matches!(lock.try_read(), Err(LockError::WouldBlock)));
    assert!(matches!(lock.try_write(), Err(LockError::WouldBlock)));
    assert!(lock.read_timeout(Duration::ZERO).unwrap_err().is_timeout());
    let start = Instant::now();
    assert!(lock.read_timeout(SHORT).unwrap_err().is_timeout());
    assert!(lock.write_timeout(SHORT).unwrap_err().is_timeout());
    assert!(start.elapsed() >= 2 * SHORT);
}

#[mp::task]
fn read_next(lock: RwLock<u32>, beds: Dormitory) -> u32 {
    go_to_sleep(&beds);
    *lock.read().unwrap()
}

fn a_writer_is_alone(parties: &Parties) {
    let (lock, beds) = (RwLock::new(0).unwrap(), dormitory());
    let (held, go) = (Event::new().unwrap(), Event::new().unwrap());
    let writer = parties.start(write_slowly, (lock.clone(), held.clone(), go.clone()));
    held.wait();
    be_kept_out(lock.clone());
    join_all(parties.each(0..2, be_kept_out, |_| (lock.clone(),)));
    let readers = parties.each(0..2, read_next, |_| (lock.clone(), beds.clone()));
    until_asleep(&beds, 2);
    go.set();
    writer.join();
    assert_eq!(join_all(readers), [2, 2]);
    assert_eq!(*lock.try_write().unwrap(), 2);
}

#[mp::task]
fn panic_while_reading(lock: RwLock<u32>) {
    let _guard = lock.read().unwrap();
    panic_silently();
}

#[mp::task]
fn panic_while_writing(lock: RwLock<u32>) {
    *lock.write().unwrap() = 7;
    let _guard = lock.write().unwrap();
    panic_silently();
}

#[mp::task]
fn find_writer_poisoned(lock: RwLock<u32>) {
    assert!(lock.is_poisoned());
    assert!(lock.read().is_err_and(|error| error.is_poisoned()));
    assert!(lock.write().is_err_and(|error| error.is_poisoned()));
}

fn a_panic_of_a_writer_poisons_and_that_of_a_reader_does_not(parties: &Parties) {
    for _ in 0..2 {
        let lock = RwLock::new(0).unwrap();
        assert!(parties.start(panic_while_reading, (lock.clone(),)).has_panicked());
        assert!(!lock.is_poisoned() && lock.try_write().is_ok());
        assert!(parties.start(panic_while_writing, (lock.clone(),)).has_panicked());
        find_writer_poisoned(lock.clone());
        parties.start(find_writer_poisoned, (lock.clone(),)).join();
        lock.clear_poison();
        assert_eq!(*lock.write().unwrap(), 7);
    }
}
