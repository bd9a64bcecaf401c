use super::*;
use loom::sync::Arc;
use loom::thread;

/// loom finds a lost wake-up as a deadlock.
#[test]
fn loom_each_permit_is_taken_once_and_nobody_sleeps_on() {
    crate::raw::three_threads(|| {
        let semaphore = Arc::new(SemaphoreWords::default());
        let takers: Vec<_> = (0..2)
            .map(|_| {
                let semaphore = Arc::clone(&semaphore);
                thread::spawn(move || assert!(semaphore.acquire(Deadline::NEVER)))
            })
            .collect();
        assert!(semaphore.release(1, PERMITS_MAX));
        assert!(semaphore.release(1, PERMITS_MAX));
        for taker in takers {
            taker.join().expect("no panic");
        }
        assert_eq!(semaphore.value(), 0);
    });
}

#[test]
fn loom_a_permit_excludes() {
    loom::model(|| {
        let shared = Arc::new((SemaphoreWords::default(), AtomicU32::new(0)));
        assert!(shared.0.release(1, 1));
        let inside = |shared: &(SemaphoreWords, AtomicU32)| {
            assert!(shared.0.acquire(Deadline::NEVER));
            assert_eq!(shared.1.fetch_add(1, Relaxed), 0, "alone");
            shared.1.fetch_sub(1, Relaxed);
            assert!(shared.0.release(1, 1));
        };
        let other = thread::spawn({
            let shared = Arc::clone(&shared);
            move || inside(&shared)
        });
        inside(&shared);
        other.join().expect("no panic");
        assert!(!shared.0.release(1, 1), "over the limit");
    });
}
