use super::*;

#[cfg(not(loom))]
mod steps {
    use super::*;

    fn check(begun: u64, revoke: Range<u64>, first: u64, allowed: &[u64], declined: &[u64]) {
        let (progress, revoked) = (Progress::default(), Revoked::default());
        for seq in 1..=begun {
            assert!(progress.begin(&revoked, seq));
            progress.end();
        }
        assert_eq!(revoked.revoke(&progress, revoke.clone()), first, "{begun} {revoke:?}");
        for seq in allowed {
            assert!(progress.begin(&revoked, *seq), "{begun} {revoke:?}: {seq} may run");
            progress.end();
        }
        for seq in declined {
            assert!(!progress.begin(&revoked, *seq), "{begun} {revoke:?}: {seq} may not run");
            assert_eq!(progress.running(), None);
        }
        revoked.clear();
        assert!(progress.begin(&revoked, 100));
        assert_eq!(progress.running(), Some(100));
    }

    #[test]
    fn what_is_revoked_is_declined_and_nothing_else() {
        check(0, 1..4, 1, &[], &[1, 2, 3]);
        check(2, 1..6, 3, &[], &[3, 4, 5]);
        check(2, 4..6, 4, &[3], &[4, 5]);
        check(5, 1..4, 4, &[6], &[]);
        check(1, 3..3, 3, &[2, 3, 4], &[]);
        check(0, 2..5, 2, &[1], &[2, 3, 4]);
    }

    #[test]
    fn no_call_is_both_run_and_given_back_with_a_light_fence() {
        const ROUNDS: u64 = 20_000;
        let world = (Progress::default(), Revoked::default(), AtomicU64::new(0), AtomicU64::new(0));
        world.0.lighten();
        let (progress, revoked, round, answered) = &world;
        let wait = |word: &AtomicU64, number| {
            for look in 0_u32.. {
                if word.load(Acquire) == number {
                    return;
                }
                // Both at once is what is tested; with one processor for both it is a matter of turns.
                if look < 1000 { std::hint::spin_loop() } else { std::thread::yield_now() }
            }
        };
        let both = std::thread::scope(|scope| {
            let worker = scope.spawn(|| {
                let mut ran = Vec::new();
                for seq in 1..=ROUNDS {
                    wait(round, seq);
                    ran.push(progress.begin(revoked, seq));
                    answered.store(seq, Release);
                }
                ran
            });
            let mut given_back = Vec::new();
            for seq in 1..=ROUNDS {
                round.store(seq, Release);
                given_back.push(revoked.revoke(progress, seq..seq + 1) == seq);
                wait(answered, seq);
                revoked.clear();
            }
            let ran = worker.join().expect("no panic");
            ran.into_iter().zip(given_back).filter(|&(ran, given_back)| ran && given_back).count()
        });
        assert_eq!(both, 0);
    }

    #[test]
    fn nothing_runs_at_the_start() {
        let progress = Progress::default();
        assert_eq!(progress.running(), None);
        assert_eq!(progress.last_begun(), 0);
    }
}

#[cfg(loom)]
mod models {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    /// Calls that the worker takes, in order.
    const CALLS: u64 = 3;

    struct World {
        progress: Progress,
        revoked: Revoked,
        /// How many outcomes (run or declined) are published.
        outcomes: AtomicU64,
    }

    fn model(calls: Range<u64>) {
        loom::model(move || {
            let world = Arc::new(World {
                progress: Progress::default(),
                revoked: Revoked::default(),
                outcomes: AtomicU64::new(0),
            });
            let worker = thread::spawn({
                let world = Arc::clone(&world);
                move || {
                    let mut ran = [false; CALLS as usize + 1];
                    for seq in 1..=CALLS {
                        ran[seq as usize] = world.progress.begin(&world.revoked, seq);
                        world.outcomes.store(seq, Release);
                        if ran[seq as usize] {
                            world.progress.end();
                        }
                    }
                    ran
                }
            });
            let first = world.revoked.revoke(&world.progress, calls.clone());
            let ran = worker.join().expect("no panic");
            for seq in 1..=CALLS {
                let given_back = calls.contains(&seq) && seq >= first;
                // Run, or declined; a declined one counts as such only if it is not given back, and then the parent
                // gets its outcome.
                assert!(!(ran[seq as usize] && given_back), "call {seq} is run and given back");
                assert!(ran[seq as usize] || calls.contains(&seq), "call {seq} is declined for no reason");
            }
            assert_eq!(world.progress.last_begun(), CALLS);
        });
    }

    #[test]
    fn loom_no_call_is_both_run_and_given_back() {
        model(1..4);
        model(2..4);
        model(2..3);
    }

    /// A second range, after the first was cleared, is never seen with the start of the first.
    #[test]
    fn loom_a_new_range_declines_nothing_below_it() {
        loom::model(|| {
            let world = Arc::new((Progress::default(), Revoked::default()));
            world.1.revoke(&world.0, 1..2);
            assert!(!world.0.begin(&world.1, 1));
            let worker = thread::spawn({
                let world = Arc::clone(&world);
                move || (world.0.begin(&world.1, 2), world.0.end(), world.0.begin(&world.1, 3))
            });
            world.1.clear();
            let first = world.1.revoke(&world.0, 3..4);
            let (second, (), third) = worker.join().expect("no panic");
            assert!(second, "call 2 is in no range");
            assert!(!(third && first == 3), "call 3 is run and given back");
        });
    }
}
