use super::*;

#[cfg(loom)]
mod models {
    use super::*;
    use crate::raw::atomic::AtomicU32;
    use loom::sync::Arc;
    use loom::thread;

    fn meet(barrier: &BarrierWords, parties: u32) -> Result<u32, Broken> {
        match barrier.arrive(parties, false, Deadline::NEVER, || false)? {
            Arrival::Early { round, index } => {
                barrier.await_end(round, Deadline::NEVER, || false).map(|()| index)
            }
            Arrival::Last { index } | Arrival::Acts { index, .. } => Ok(index),
        }
    }

    /// loom finds a lost wake-up as a deadlock.
    #[test]
    fn loom_everybody_goes_on_and_sees_what_everybody_did() {
        loom::model(|| {
            let shared = Arc::new((BarrierWords::default(), [AtomicU32::new(0), AtomicU32::new(0)]));
            let other = thread::spawn({
                let shared = Arc::clone(&shared);
                move || {
                    shared.1[0].store(1, Relaxed);
                    let index = meet(&shared.0, 2).expect("not broken");
                    assert_eq!(shared.1[1].load(Relaxed), 1);
                    index
                }
            });
            shared.1[1].store(1, Relaxed);
            let index = meet(&shared.0, 2).expect("not broken");
            assert_eq!(shared.1[0].load(Relaxed), 1);
            assert_eq!(index + other.join().expect("no panic"), 1, "each index once");
        });
    }

    #[test]
    fn loom_an_abort_ends_every_wait() {
        loom::model(|| {
            let barrier = Arc::new(BarrierWords::default());
            let other = thread::spawn({
                let barrier = Arc::clone(&barrier);
                move || meet(&barrier, 2)
            });
            barrier.abort();
            assert_eq!(other.join().expect("no panic"), Err(Broken(Cause::Aborted)));
        });
    }

    #[test]
    fn loom_the_action_comes_before_everything_after() {
        loom::model(|| {
            let shared = Arc::new((BarrierWords::default(), AtomicU32::new(0)));
            let party = |shared: &(BarrierWords, AtomicU32)| {
                match shared.0.arrive(2, true, Deadline::NEVER, || false).expect("not broken") {
                    Arrival::Acts { round, .. } => {
                        shared.1.store(1, Relaxed);
                        shared.0.end_action(round).expect("not broken");
                    }
                    Arrival::Early { round, .. } => {
                        shared.0.await_end(round, Deadline::NEVER, || false).expect("not broken");
                    }
                    Arrival::Last { .. } => unreachable!("the last one acts"),
                }
                assert_eq!(shared.1.load(Relaxed), 1);
            };
            let other = thread::spawn({
                let shared = Arc::clone(&shared);
                move || party(&shared)
            });
            party(&shared);
            other.join().expect("no panic");
        });
    }
}

#[cfg(not(loom))]
#[test]
fn the_end_of_a_good_round_is_known_for_long() {
    let mut state = State(0);
    for _ in 0..1000 {
        state = state.next_round(false);
    }
    for round in 0..1000 {
        assert_eq!(state.end_of(round), Some(Ok(())), "none was ever bad: {round}");
    }
    state = state.next_round(true);
    for later in 1..1000 {
        let (good, bad) = (state.end_of(1001), state.end_of(1000));
        assert_eq!(good, if later == 1 { None } else { Some(Ok(())) }, "{later}");
        assert!(bad == Some(Err(Broken(Cause::Reset))) || later > GOOD_MAX, "{later}");
        state = state.next_round(false);
    }
    // The number of a round begins anew.
    let mut state = State(u64::from(ROUNDS - 1) << ROUND_SHIFT);
    for _ in 0..3 {
        state = state.next_round(false);
    }
    assert_eq!((state.round(), state.count()), (1, 0));
    assert_eq!((state.end_of(ROUNDS), state.end_of(0), state.end_of(1)), (Some(Ok(())), Some(Ok(())), None));
}

#[cfg(not(loom))]
#[test]
fn the_end_of_a_round_is_known_eight_rounds_long() {
    let mut state = State(0);
    let bad = [true, false, false, true, false, true, true, false];
    for end in bad {
        state = state.next_round(end);
    }
    for (round, end) in bad.into_iter().enumerate() {
        assert_eq!(
            state.end_of(round as u32),
            Some(if end { Err(Broken(Cause::Reset)) } else { Ok(()) }),
            "{round}"
        );
    }
    assert_eq!(state.end_of(8), None);
    for cause in [Cause::TimedOut, Cause::Died, Cause::Aborted, Cause::Action] {
        let broken = state.broken(cause);
        assert_eq!(broken.end_of(8), Some(Err(Broken(cause))));
        assert_eq!(broken.broken(Cause::Aborted).damage(), Some(Broken(cause)), "the first one stays");
        assert_eq!(broken.next_round(true).damage(), None);
    }
}
