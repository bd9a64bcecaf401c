use super::*;
use crate::raw::atomic::AtomicU32;
use loom::sync::Arc;
use loom::thread;

/// loom finds a lost wake-up as a deadlock.
#[test]
fn loom_an_event_wakes_all_and_shows_what_was_done_before() {
    crate::raw::three_threads(|| {
        let shared = Arc::new((EventWord::default(), AtomicU32::new(0)));
        let waiters: Vec<_> = (0..2)
            .map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    assert!(shared.0.wait(Deadline::NEVER));
                    assert_eq!(shared.1.load(Relaxed), 1);
                })
            })
            .collect();
        shared.1.store(1, Relaxed);
        shared.0.set();
        for waiter in waiters {
            waiter.join().expect("no panic");
        }
    });
}

/// Who waits before the event is set goes on, even if it is cleared at once. Who comes later is woken by the second set.
#[test]
fn loom_a_pulse_is_not_missed() {
    loom::model(|| {
        let shared = Arc::new((EventWord::default(), AtomicU32::new(0)));
        let waiter = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                shared.0.wait(Deadline::NEVER);
                shared.1.store(1, Release);
            }
        });
        shared.0.set();
        shared.0.clear();
        shared.0.set();
        waiter.join().expect("no panic");
        assert_eq!(shared.1.load(Acquire), 1);
    });
}
