use super::*;

#[cfg(not(loom))]
struct Place(Box<Brief>);

#[cfg(not(loom))]
impl std::ops::Deref for Place {
    type Target = Brief;
    fn deref(&self) -> &Brief {
        &self.0
    }
}

/// It stays where it is made.
#[cfg(not(loom))]
fn lock() -> Place {
    let mut place = Box::<Brief>::new_zeroed();
    // SAFETY: duty: valid, aligned, zero, unused: a fresh box.
    unsafe {
        Brief::init(place.as_mut_ptr()).expect("a lock");
        Place(place.assume_init())
    }
}

/// A lock that has fallen back on that of pthreads.
#[cfg(not(loom))]
fn lock_beside() -> Place {
    let lock = lock();
    lock.is_word.store(0, Relaxed);
    lock
}

#[cfg(not(loom))]
#[test]
fn it_excludes_and_nobody_sleeps_for_ever() {
    for lock in [lock(), lock_beside()] {
        let inside = AtomicU32::new(0);
        let count = std::sync::atomic::AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        assert_eq!(lock.lock(None).unwrap(), Attempt::Taken(Taken::Clean));
                        assert_eq!(inside.swap(1, Relaxed), 0);
                        count.fetch_add(1, Relaxed);
                        inside.store(0, Relaxed);
                        // SAFETY: duty: held by this thread: the lines above.
                        unsafe { lock.unlock() };
                    }
                });
            }
        });
        assert_eq!(count.into_inner(), 8000);
    }
}

#[cfg(not(loom))]
#[test]
fn a_thread_that_ends_with_it_leaves_it_to_the_next() {
    if me().is_none() {
        return;
    }
    for round in 0..3 {
        let lock = lock();
        std::thread::scope(|scope| {
            // With a waiter that sleeps in one round, and without in the others.
            let waiter = (round == 1).then(|| {
                scope.spawn(|| {
                    while !lock.word.is_held() {
                        std::thread::yield_now();
                    }
                    assert_eq!(lock.lock(None).unwrap(), Attempt::Taken(Taken::OwnerDied));
                    // SAFETY: duty: held by this thread: the line above.
                    unsafe { lock.unlock() };
                })
            });
            scope.spawn(|| {
                assert_eq!(lock.try_lock().unwrap(), Attempt::Taken(Taken::Clean));
                while round == 1 && lock.word.word.load(Relaxed) & WANTED == 0 {
                    std::thread::yield_now();
                }
            });
            if let Some(waiter) = waiter {
                waiter.join().unwrap();
            }
        });
        let expected = if round == 1 { Taken::Clean } else { Taken::OwnerDied };
        assert_eq!(lock.lock(None).unwrap(), Attempt::Taken(expected));
        // SAFETY: duty: held by this thread: the line above.
        unsafe {
            lock.mark_consistent().unwrap();
            lock.unlock();
        }
        assert_eq!(lock.try_lock().unwrap(), Attempt::Taken(Taken::Clean));
        // SAFETY: as above.
        unsafe { lock.unlock() };
    }
}

#[cfg(not(loom))]
#[test]
fn who_holds_one_gets_no_other_and_waits_no_longer_than_asked() {
    let (first, second) = (lock(), lock());
    assert_eq!(first.try_lock().unwrap(), Attempt::Taken(Taken::Clean));
    if me().is_some() {
        assert_eq!(second.try_lock().unwrap(), Attempt::Mine);
        assert_eq!(second.lock(None).unwrap(), Attempt::Mine);
    }
    std::thread::scope(|scope| {
        scope.spawn(|| {
            assert_eq!(first.try_lock().unwrap(), Attempt::Busy);
            let soon = Instant::now() + Duration::from_millis(5);
            assert_eq!(first.lock(Some(soon)).unwrap(), Attempt::Busy);
            assert!(Instant::now() >= soon);
            // Nothing is left announced.
            assert_eq!(second.try_lock().unwrap(), Attempt::Taken(Taken::Clean));
            // SAFETY: duty: held by this thread: the line above.
            unsafe { second.unlock() };
        });
    });
    // SAFETY: duty: held by this thread: the second line.
    unsafe { first.unlock() };
}

#[cfg(loom)]
fn take(word: &Word, me: u32) -> Taken {
    let mut taken = word.take(me, 0);
    // As `lock` does: who has slept never takes it as one that nobody wants.
    while taken.is_none() {
        taken = word.take_or_sleep(me, Duration::ZERO);
    }
    taken.unwrap()
}

#[cfg(loom)]
#[test]
fn loom_it_excludes_and_no_wake_up_is_lost() {
    use loom::sync::Arc;
    crate::raw::three_threads(|| {
        let shared = Arc::new((Word::default(), loom::cell::UnsafeCell::new(0)));
        let work = |shared: &(Word, loom::cell::UnsafeCell<u32>), me| {
            take(&shared.0, me);
            // SAFETY: duty: nobody else is inside: what the model checks.
            shared.1.with_mut(|count| unsafe { *count += 1 });
            shared.0.give_back();
        };
        let others: Vec<_> = (1..=2)
            .map(|me| {
                let shared = Arc::clone(&shared);
                loom::thread::spawn(move || work(&shared, me))
            })
            .collect();
        work(&shared, 3);
        others.into_iter().for_each(|other| other.join().unwrap());
        // SAFETY: duty: the others are gone.
        shared.1.with(|count| assert_eq!(unsafe { *count }, 3));
    });
}

#[cfg(loom)]
#[test]
fn loom_a_death_passes_it_on_with_what_was_written() {
    use loom::sync::Arc;
    crate::raw::three_threads(|| {
        let shared = Arc::new((Word::default(), loom::cell::UnsafeCell::new(0)));
        let dies = {
            let shared = Arc::clone(&shared);
            loom::thread::spawn(move || {
                take(&shared.0, 1);
                // SAFETY: duty: nobody else is inside: what the model checks.
                shared.1.with_mut(|count| unsafe { *count += 1 });
                shared.0.died(1);
            })
        };
        let lives = {
            let shared = Arc::clone(&shared);
            loom::thread::spawn(move || {
                let taken = take(&shared.0, 2);
                // SAFETY: as above.
                shared.1.with_mut(|count| unsafe { *count += 1 });
                shared.0.give_back();
                taken
            })
        };
        dies.join().unwrap();
        let taken = lives.join().unwrap();
        // SAFETY: duty: the others are gone.
        let count = shared.1.with(|count| unsafe { *count });
        assert_eq!(count, 2);
        // It is found by the one who came after it: the other thread, or nobody yet.
        let left = take(&shared.0, 3);
        assert!((taken == Taken::OwnerDied) != (left == Taken::OwnerDied));
    });
}

/// The arrival of a message is a store, and what comes between it and the look for sleepers is the exchange that gives the lock
/// back.
#[cfg(loom)]
#[test]
fn loom_a_message_that_was_put_under_the_lock_wakes_who_waits() {
    use crate::raw::{crowd::Crowd, ends::Ends};
    use loom::sync::Arc;
    loom::model(|| {
        let shared = Arc::new((Word::default(), Ends::default(), Crowd::default()));
        let consumer = {
            let shared = Arc::clone(&shared);
            loom::thread::spawn(move || {
                shared.2.wait(None, || {
                    let (head, tail) = shared.1.look();
                    head != tail
                })
            })
        };
        take(&shared.0, 1);
        let (_, tail) = shared.1.last_look();
        shared.1.put(tail.after(1));
        shared.0.give_back();
        shared.2.wake_one();
        assert!(consumer.join().unwrap());
    });
}
