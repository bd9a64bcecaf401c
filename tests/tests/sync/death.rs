//! Users that are killed, at random instructions: nobody stays stuck, and who should hear of it does.

use crate::rounds;
use mp::ErrorKind;
use mp::sync::{Barrier, Condvar, Event, LockError, Mutex, OnceLock, RLock, RwLock, Semaphore};
use mp_tests::{Random, is_emulated, scenario, until};
use std::time::Duration;

/// So long that only a lock that is stuck takes it.
const STUCK: Duration = Duration::from_secs(60);

/// Both numbers are the same except while a holder changes them.
#[mp::task]
fn count_for_ever(pair: Mutex<[u64; 2]>, started: Event) {
    loop {
        match pair.lock() {
            Ok(mut pair) => {
                pair[0] += 1;
                started.set();
                pair[1] += 1;
            }
            Err(error) => drop(error.into_guard()),
        }
    }
}

/// Lets a process run for a random while, and kills it.
fn kill_later<R>(process: mp::JoinHandle<R>, random: &mut Random) {
    for _ in 0..random.below(20_000) {
        std::hint::spin_loop();
    }
    process.kill().unwrap();
    process.wait().unwrap();
}

#[test]
fn a_killed_holder_of_a_mutex_is_told_of_and_the_lock_goes_on() {
    if is_emulated() {
        return; // qemu-user does not pass on the locks of the dead
    }
    scenario(|| {
        let mut random = Random::new();
        let pair = Mutex::new([0; 2]).unwrap();
        for _ in 0..rounds(25) {
            let started = Event::new().unwrap();
            let process = mp::spawn(count_for_ever, (pair.clone(), started.clone())).unwrap();
            started.wait();
            kill_later(process, &mut random);
            match pair.lock_timeout(STUCK) {
                Ok(pair) => assert_eq!(pair[0], pair[1], "half changed, and nobody said so"),
                Err(LockError::OwnerDied(died)) => {
                    let mut pair = died.recover();
                    assert!(pair[0] - pair[1] <= 1);
                    pair[1] = pair[0];
                }
                Err(other) => panic!("{other}"),
            }
            assert!(pair.lock_timeout(STUCK).is_ok(), "recovered");
        }
    });
}

#[mp::task]
fn hold(mutex: Mutex<u64>, rlock: RLock, rwlock: RwLock<u64>, write: bool, held: Event) {
    let (_mutex, _outer, _inner) = (mutex.lock().unwrap(), rlock.lock().unwrap(), rlock.lock().unwrap());
    let _read = (!write).then(|| rwlock.read().unwrap());
    let _write = write.then(|| rwlock.write().unwrap());
    held.set();
    loop {
        std::thread::park();
    }
}

#[test]
fn who_waits_for_a_killed_holder_gets_the_lock_and_the_news() {
    if is_emulated() {
        return; // qemu-user does not pass on the locks of the dead
    }
    scenario(|| {
        for write in [false, true] {
            let (mutex, rlock, rwlock, held) = (
                Mutex::new(0).unwrap(),
                RLock::new().unwrap(),
                RwLock::new(0).unwrap(),
                Event::new().unwrap(),
            );
            let arguments = (mutex.clone(), rlock.clone(), rwlock.clone(), write, held.clone());
            let process = mp::spawn(hold, arguments).unwrap();
            held.wait();
            std::thread::scope(|scope| {
                let waiters = [
                    scope.spawn(|| mutex.lock().unwrap_err().is_owner_died()),
                    scope.spawn(|| rlock.lock().unwrap_err().is_owner_died()),
                ];
                assert!(mutex.is_locked() && rlock.is_locked() && rwlock.try_write().is_err());
                process.kill().unwrap();
                assert!(waiters.into_iter().all(|waiter| waiter.join().unwrap()));
            });
            if write {
                assert!(rwlock.read_timeout(STUCK).unwrap_err().is_owner_died());
                // A reader cannot put it in order.
                drop(rwlock.read().unwrap_err().into_guard());
                assert!(rwlock.try_read().unwrap_err().is_owner_died());
                *rwlock.write_timeout(STUCK).unwrap_err().into_guard().unwrap() = 1;
            }
            drop(rwlock.write_timeout(STUCK).unwrap());
            assert!(rwlock.read().is_ok());
        }
    });
}

/// Everything that has no owner, again and again.
#[mp::task]
fn use_all(
    started: Event,
    event: Event,
    semaphore: Semaphore,
    rwlock: RwLock<u64>,
    mutex: Mutex<u64>,
    changed: Condvar,
) {
    loop {
        event.set();
        event.clear();
        semaphore.release().unwrap();
        if !semaphore.try_acquire() {
            started.set();
        }
        drop(rwlock.read().map_err(LockError::into_guard));
        drop(rwlock.write().map_err(LockError::into_guard));
        if let Ok(guard) = mutex.lock().or_else(LockError::into_guard) {
            drop(changed.wait_timeout(guard, Duration::ZERO).map_err(LockError::into_guard));
        }
        changed.notify_one();
        started.set();
    }
}

#[test]
fn words_stay_whole_whoever_is_killed() {
    if is_emulated() {
        return; // qemu-user does not pass on the locks of the dead
    }
    scenario(|| {
        let mut random = Random::new();
        let (event, semaphore) = (Event::new().unwrap(), Semaphore::new(1).unwrap());
        let (rwlock, mutex, changed) =
            (RwLock::new(0).unwrap(), Mutex::new(0).unwrap(), Condvar::new().unwrap());
        for _ in 0..rounds(25) {
            let started = Event::new().unwrap();
            let all = (
                started.clone(),
                event.clone(),
                semaphore.clone(),
                rwlock.clone(),
                mutex.clone(),
                changed.clone(),
            );
            let process = mp::spawn(use_all, all).unwrap();
            started.wait();
            kill_later(process, &mut random);
            drop(rwlock.write_timeout(STUCK).or_else(LockError::into_guard).unwrap());
            drop(rwlock.read_timeout(STUCK).unwrap());
            drop(mutex.lock_timeout(STUCK).or_else(LockError::into_guard).unwrap());
            semaphore.release().unwrap();
            assert!(semaphore.acquire_timeout(STUCK));
            std::thread::scope(|scope| {
                let waiter = scope.spawn(|| event.wait_timeout(STUCK));
                let mutex_waiter = scope.spawn(|| {
                    let guard = mutex.lock().unwrap();
                    *changed.wait_while(guard, |value| *value == 0).unwrap() = 0;
                });
                event.set();
                *mutex.lock().unwrap() = 1;
                changed.notify_one();
                assert!(waiter.join().unwrap());
                mutex_waiter.join().unwrap();
            });
            event.clear();
        }
    });
}

#[mp::task]
fn wait_at(barrier: Barrier, times: u32, then: Event) {
    for _ in 0..times {
        let _ = barrier.wait();
    }
    then.wait();
}

#[test]
fn a_killed_party_breaks_the_barrier() {
    scenario(|| {
        let never = Event::new().unwrap();
        let barrier = Barrier::new(3).unwrap();
        // While it waits.
        let process = mp::spawn(wait_at, (barrier.clone(), 1, never.clone())).unwrap();
        until(|| barrier.n_waiting() == 1);
        process.kill().unwrap();
        process.wait().unwrap();
        let broken = barrier.wait().unwrap_err();
        assert_eq!(broken.kind(), ErrorKind::BrokenBarrier);
        assert!(broken.to_string().contains("had waited at it died"), "{broken}");
        barrier.reset();
        // After it has been there once.
        let process = mp::spawn(wait_at, (barrier.clone(), 1, never.clone())).unwrap();
        std::thread::scope(|scope| {
            let other = scope.spawn(|| barrier.wait().unwrap());
            barrier.wait().unwrap();
            other.join().unwrap();
        });
        process.kill().unwrap();
        process.wait().unwrap();
        let broken = barrier.wait().unwrap_err();
        assert_eq!(broken.kind(), ErrorKind::BrokenBarrier);
        assert!(broken.to_string().contains("had waited at it died"), "{broken}");
        barrier.reset();
        // One that ends in order is no dead one.
        let gone = Event::new().unwrap();
        gone.set();
        let process = mp::spawn(wait_at, (barrier.clone(), 1, gone)).unwrap();
        std::thread::scope(|scope| {
            let other = scope.spawn(|| barrier.wait().unwrap());
            barrier.wait().unwrap();
            other.join().unwrap();
        });
        process.join().unwrap();
        assert_eq!(barrier.wait_timeout(Duration::ZERO).unwrap_err().kind(), ErrorKind::BrokenBarrier);
    });
}

#[mp::task]
fn act_for_ever(barrier: Barrier, begun: Event) {
    let _ = barrier.wait_with_action(|| {
        begun.set();
        loop {
            std::thread::park();
        }
    });
}

#[test]
fn a_party_that_is_killed_in_the_action_breaks_the_barrier_for_who_comes_next() {
    scenario(|| {
        let (barrier, begun) = (Barrier::new(1).unwrap(), Event::new().unwrap());
        let process = mp::spawn(act_for_ever, (barrier.clone(), begun.clone())).unwrap();
        begun.wait();
        process.kill().unwrap();
        process.wait().unwrap();
        let broken = barrier.wait().unwrap_err();
        assert_eq!(broken.kind(), ErrorKind::BrokenBarrier);
        assert!(broken.to_string().contains("had waited at it died"), "{broken}");
        barrier.reset();
        assert_eq!(barrier.wait().unwrap(), 0);
    });
}

#[mp::task]
fn initialize_for_ever(once: OnceLock<u64>, begun: Event) {
    let _ = once.get_or_init(|| {
        begun.set();
        loop {
            std::thread::park();
        }
    });
}

#[test]
fn a_killed_initializer_lets_the_next_one_run() {
    if is_emulated() {
        return; // qemu-user does not pass on the locks of the dead
    }
    scenario(|| {
        let (once, begun) = (OnceLock::new().unwrap(), Event::new().unwrap());
        let process = mp::spawn(initialize_for_ever, (once.clone(), begun.clone())).unwrap();
        begun.wait();
        assert_eq!(once.get(), None);
        process.kill().unwrap();
        assert_eq!(once.get_or_init(|| 8).unwrap(), &8);
    });
}
