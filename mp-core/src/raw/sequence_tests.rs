use super::*;
use loom::sync::{Arc, Mutex};
use loom::thread;

/// loom finds a lost wake-up as a deadlock.
#[test]
fn loom_a_notification_after_the_change_ends_the_wait() {
    loom::model(|| {
        let shared = Arc::new((SequenceWords::default(), Mutex::new(0)));
        let notifier = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                *shared.1.lock().expect("no panic") = 1;
                shared.0.notify(1);
            }
        });
        loop {
            let value = shared.1.lock().expect("no panic");
            let seen = shared.0.times();
            if *value == 1 {
                break;
            }
            drop(value);
            shared.0.wait(seen, Deadline::NEVER);
        }
        notifier.join().expect("no panic");
    });
}

#[test]
fn loom_all_are_woken() {
    crate::raw::three_threads(|| {
        let shared = Arc::new((SequenceWords::default(), Mutex::new(false)));
        let waiter = |shared: &(SequenceWords, Mutex<bool>)| loop {
            let value = shared.1.lock().expect("no panic");
            let seen = shared.0.times();
            if *value {
                break;
            }
            drop(value);
            shared.0.wait(seen, Deadline::NEVER);
        };
        let other = thread::spawn({
            let shared = Arc::clone(&shared);
            move || waiter(&shared)
        });
        let notifier = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                *shared.1.lock().expect("no panic") = true;
                shared.0.notify(u32::MAX);
            }
        });
        waiter(&shared);
        other.join().expect("no panic");
        notifier.join().expect("no panic");
    });
}
