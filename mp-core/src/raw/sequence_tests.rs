use super::*;

#[cfg(not(loom))]
mod counts {
    use super::*;
    use crate::raw::atomic::Ordering::Relaxed;
    use std::time::Duration;

    const NOW: Duration = Duration::ZERO;

    fn told(words: &SequenceWords, waiters: &[Waiter]) -> usize {
        waiters.iter().filter(|waiter| words.leave(**waiter, false) == Some(true)).count()
    }

    fn state(words: &SequenceWords) -> (u64, u64) {
        let state = State::of(words.state.load(Relaxed));
        (state.told, state.waiters)
    }

    #[test]
    fn as_many_go_on_as_are_told_and_nobody_who_comes_later() {
        let words = SequenceWords::default();
        words.notify(3);
        let first: Vec<_> = (0..4).map(|_| words.enter()).collect();
        assert_eq!(told(&words, &first), 0, "nobody waited then");
        words.notify(1);
        words.notify(2);
        let late = words.enter();
        assert_eq!(told(&words, &[late]), 0);
        assert_eq!((told(&words, &first), state(&words)), (3, (0, 2)));
        words.notify(1);
        assert_eq!((told(&words, &[late]), state(&words)), (1, (0, 1)));
    }

    #[test]
    fn all_are_told_and_the_dead_are_forgotten() {
        let words = SequenceWords::default();
        let _dead = [words.enter(), words.enter()];
        let alive = [words.enter(), words.enter()];
        words.notify(1);
        assert_eq!((told(&words, &alive), state(&words)), (1, (0, 3)), "the other one waits");
        words.notify(u32::MAX);
        assert_eq!(state(&words), (0, 0));
        assert_eq!(told(&words, &alive[1..]), 1);
        let next = [words.enter(), words.enter()];
        words.notify(1);
        assert_eq!(told(&words, &next), 1, "no more than that");
    }

    #[test]
    fn one_whose_time_runs_out_is_not_told_and_takes_nothing_along() {
        let words = SequenceWords::default();
        let (early, other) = (words.enter(), words.enter());
        assert!(!words.wait(early, Deadline::after(NOW)));
        assert_eq!(state(&words), (0, 1));
        words.notify(1);
        assert!(words.wait(other, Deadline::after(NOW)), "told just in time");
        // Told is one of two, and the one that nothing was said to leaves: it can only be the other.
        let (first, _second) = (words.enter(), words.enter());
        words.notify(1);
        let third = words.enter();
        assert!(!words.wait(third, Deadline::after(NOW)));
        assert_eq!((told(&words, &[first]), state(&words)), (1, (0, 1)));
    }

    #[test]
    fn more_than_can_be_counted_wait_all_the_same() {
        let words = SequenceWords::default();
        for _ in 0..COUNT_MAX {
            words.enter();
        }
        let more = [words.enter(), words.enter()];
        assert_eq!(told(&words, &more), 0);
        assert!(!words.wait(more[0], Deadline::after(NOW)));
        assert_eq!(state(&words), (0, COUNT_MAX));
        words.notify(1);
        assert_eq!((told(&words, &more), state(&words)), (2, (1, COUNT_MAX)));
    }

    #[test]
    fn numbers_that_come_round_do_no_harm() {
        let words = SequenceWords::default();
        words.state.store(State { era: ERA_MAX, seq: SEQ_MAX, told: 0, waiters: 0 }.word(), Relaxed);
        let waiters: Vec<_> = (0..3).map(|_| words.enter()).collect();
        words.notify(1);
        assert_eq!((told(&words, &waiters), state(&words)), (1, (0, 2)));
        words.notify(2);
        assert_eq!((told(&words, &waiters[1..]), state(&words)), (2, (0, 0)));
    }
}

/// loom finds a lost wake-up as a deadlock.
#[cfg(loom)]
mod models {
    use super::*;
    use loom::sync::{Arc, Mutex};
    use loom::thread;

    /// Waits until the value is there.
    fn wait_for_it(shared: &(SequenceWords, Mutex<bool>)) {
        loop {
            let value = shared.1.lock().expect("no panic");
            if *value {
                break;
            }
            let waiter = shared.0.enter();
            drop(value);
            shared.0.wait(waiter, Deadline::NEVER);
        }
    }

    #[test]
    fn loom_a_notification_after_the_change_ends_the_wait() {
        loom::model(|| {
            let shared = Arc::new((SequenceWords::default(), Mutex::new(false)));
            let notifier = thread::spawn({
                let shared = Arc::clone(&shared);
                move || {
                    *shared.1.lock().expect("no panic") = true;
                    shared.0.notify(1);
                }
            });
            wait_for_it(&shared);
            notifier.join().expect("no panic");
        });
    }

    #[test]
    fn loom_all_are_woken() {
        crate::raw::three_threads(|| {
            let shared = Arc::new((SequenceWords::default(), Mutex::new(false)));
            let other = thread::spawn({
                let shared = Arc::clone(&shared);
                move || wait_for_it(&shared)
            });
            let notifier = thread::spawn({
                let shared = Arc::clone(&shared);
                move || {
                    *shared.1.lock().expect("no panic") = true;
                    shared.0.notify(u32::MAX);
                }
            });
            wait_for_it(&shared);
            other.join().expect("no panic");
            notifier.join().expect("no panic");
        });
    }

    /// Two wait, one is told, and tells the other when it goes on.
    #[test]
    fn loom_one_notification_is_heard_by_one() {
        use crate::raw::atomic::AtomicU32;
        crate::raw::three_threads(|| {
            let shared = Arc::new((SequenceWords::default(), AtomicU32::new(0), AtomicU32::new(0)));
            let wait = |shared: &(SequenceWords, AtomicU32, AtomicU32), waiter| {
                assert!(shared.0.wait(waiter, Deadline::NEVER));
                let awake = shared.2.fetch_add(1, AcqRel) + 1;
                assert!(awake <= shared.1.load(Acquire), "more go on than were told");
                shared.1.fetch_add(1, AcqRel);
                shared.0.notify(1);
            };
            let (first, second) = (shared.0.enter(), shared.0.enter());
            let other = thread::spawn({
                let shared = Arc::clone(&shared);
                move || wait(&shared, first)
            });
            let notifier = thread::spawn({
                let shared = Arc::clone(&shared);
                move || {
                    shared.1.fetch_add(1, AcqRel);
                    shared.0.notify(1);
                }
            });
            wait(&shared, second);
            other.join().expect("no panic");
            notifier.join().expect("no panic");
        });
    }
}
