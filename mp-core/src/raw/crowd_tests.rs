use super::*;
#[cfg(not(loom))]
use std::sync::Arc;

#[cfg(not(loom))]
#[test]
fn a_wait_ends_with_its_condition_or_its_time() {
    let crowd = Crowd::default();
    assert!(!crowd.wait(Some(Duration::ZERO), || false));
    assert!(!crowd.wait(Some(Duration::from_millis(1)), || false));
    assert!(crowd.wait(None, || true));
}

#[cfg(not(loom))]
#[test]
fn each_of_many_sleepers_gets_its_turn() {
    use std::sync::atomic::AtomicU64;
    let shared = Arc::new((Crowd::default(), AtomicU64::new(0)));
    let take = |count: &AtomicU64| count.fetch_update(SeqCst, SeqCst, |n| n.checked_sub(1)).is_ok();
    let takers: Vec<_> = (0..4)
        .map(|_| {
            let shared = shared.clone();
            std::thread::spawn(move || {
                for _ in 0..1000 {
                    shared.0.wait(None, || take(&shared.1));
                    if shared.1.load(SeqCst) > 0 {
                        shared.0.wake_one();
                    }
                }
            })
        })
        .collect();
    for _ in 0..4000 {
        shared.1.fetch_add(1, SeqCst);
        shared.0.wake_one();
    }
    for taker in takers {
        taker.join().unwrap();
    }
}

#[cfg(loom)]
#[test]
fn loom_no_wake_up_is_lost() {
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicU32 as Word;
    loom::model(|| {
        let shared = Arc::new((Crowd::default(), Word::new(0)));
        let sleeper = {
            let shared = shared.clone();
            loom::thread::spawn(move || shared.0.wait(None, || shared.1.load(Relaxed) == 1))
        };
        shared.1.swap(1, SeqCst);
        shared.0.wake_one();
        assert!(sleeper.join().unwrap());
    });
}
