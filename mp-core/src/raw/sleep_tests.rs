#[cfg(loom)]
mod models {
    use super::super::*;
    use crate::raw::atomic::Ordering::{Acquire, Release};
    use loom::sync::Arc;
    use loom::thread;

    /// loom finds a lost wake-up as a deadlock.
    #[test]
    fn loom_a_sleeper_is_woken_for_what_was_published() {
        loom::model(|| {
            let shared = Arc::new((SleepWord::default(), AtomicU32::new(0)));
            let producer = thread::spawn({
                let shared = Arc::clone(&shared);
                move || {
                    shared.1.store(1, Release);
                    shared.0.notify();
                }
            });
            let (word, data) = &*shared;
            loop {
                word.announce();
                if data.load(Acquire) == 1 {
                    word.retract();
                    break;
                }
                word.sleep(None);
            }
            producer.join().expect("no panic");
        });
    }

    #[test]
    fn loom_two_publications_wake_a_sleeper_for_each() {
        loom::model(|| {
            let shared = Arc::new((SleepWord::default(), AtomicU32::new(0)));
            let producer = thread::spawn({
                let shared = Arc::clone(&shared);
                move || {
                    for number in 1..=2 {
                        shared.1.store(number, Release);
                        shared.0.notify();
                    }
                }
            });
            let (word, data) = &*shared;
            for wanted in 1..=2 {
                loop {
                    word.announce();
                    if data.load(Acquire) >= wanted {
                        word.retract();
                        break;
                    }
                    word.sleep(None);
                }
            }
            producer.join().expect("no panic");
        });
    }

    /// A producer that cannot go on leaves no owner asleep that waits for more.
    #[test]
    fn loom_a_counted_sleeper_hears_of_a_producer_that_is_held_up() {
        loom::model(|| {
            let shared = Arc::new((CountedSleep::default(), AtomicU64::new(0)));
            let producer = thread::spawn({
                let shared = Arc::clone(&shared);
                move || {
                    shared.1.store(1, Release);
                    shared.0.hold_up()
                }
            });
            shared.0.announce(2);
            let satisfied = shared.0.is_held_up();
            let rung = producer.join().expect("no panic");
            assert!(satisfied || rung, "asleep for ever");
        });
    }

    /// The owner sleeps on a bell; it is rung exactly when the owner found too little at its second test.
    #[test]
    fn loom_a_counted_sleeper_is_rung_when_enough_is_published() {
        loom::model(|| {
            let shared = Arc::new((CountedSleep::default(), AtomicU64::new(0), AtomicU32::new(0)));
            // An older, higher number must not keep the newer one from counting.
            shared.0.announce(9);
            shared.0.retract();
            let producer = thread::spawn({
                let shared = Arc::clone(&shared);
                move || {
                    for number in 1..=2 {
                        shared.1.store(number, Release);
                        if shared.0.take_sleeper(number) {
                            shared.2.fetch_add(1, Relaxed);
                        }
                    }
                }
            });
            shared.0.announce(2);
            let satisfied = shared.1.load(Acquire) >= 2;
            producer.join().expect("no panic");
            let rings = shared.2.load(Relaxed);
            assert!(satisfied || rings == 1, "asleep for ever");
            assert!(rings <= 1, "one sleep, one ring");
        });
    }
}

#[cfg(not(loom))]
mod threads {
    use super::super::*;
    use crate::raw::atomic::Ordering::{Acquire, Release};
    use std::sync::Arc;

    #[test]
    fn ping_pong_loses_no_wake_up() {
        const ROUNDS: u32 = 20_000;
        let shared = Arc::new((SleepWord::default(), SleepWord::default(), AtomicU32::new(0)));
        let other = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                let (mine, partner, turn) = &*shared;
                let mut patience = Patience::default();
                for round in 0..ROUNDS {
                    let wanted = 2 * round + 1;
                    assert!(mine.wait(partner, &mut patience, None, || turn.load(Acquire) == wanted));
                    turn.store(wanted + 1, Release);
                    partner.notify();
                }
            }
        });
        let (partner, mine, turn) = &*shared;
        let mut patience = Patience::default();
        for round in 0..ROUNDS {
            turn.store(2 * round + 1, Release);
            partner.notify();
            assert!(mine.wait(partner, &mut patience, None, || turn.load(Acquire) == 2 * round + 2));
        }
        other.join().expect("no panic");
    }

    #[test]
    fn a_spin_says_whether_it_has_looked_at_the_clock() {
        let (word, partner) = (SleepWord::default(), SleepWord::default());
        // On another processor than any that we can be on.
        partner.cpu.store(u32::MAX, Relaxed);
        let spin = |mut looks: u32| {
            let found = || {
                looks = looks.saturating_sub(1);
                looks == 0
            };
            word.spin(&partner, &mut Patience::default(), found)
        };
        assert_eq!(spin(1), Some(Found::AtOnce));
        assert_eq!(spin(LOOKS_UNTIMED), Some(Found::AtOnce));
        assert_ne!(spin(LOOKS_UNTIMED + 1), Some(Found::AtOnce));
        assert_eq!(spin(u32::MAX), None);
    }

    #[test]
    fn a_wait_ends_with_its_time_out() {
        let (word, partner) = (SleepWord::default(), SleepWord::default());
        let timeout = Some(Duration::from_millis(5));
        assert!(!word.wait(&partner, &mut Patience::default(), timeout, || false));
        assert!(!word.take_sleeper(), "awake again");
        let none = Some(Duration::ZERO);
        assert!(word.wait(&partner, &mut Patience::default(), none, || true), "ready comes first");
    }

    #[test]
    fn a_wake_up_is_owed_only_to_who_sleeps_for_as_much() {
        let sleep = CountedSleep::default();
        assert!(!sleep.take_sleeper(100));
        sleep.announce(10);
        assert!(!sleep.take_sleeper(9));
        assert!(sleep.take_sleeper(10));
        assert!(!sleep.take_sleeper(11), "once");
        sleep.announce(0);
        sleep.retract();
        assert!(!sleep.take_sleeper(12));
    }

    #[test]
    fn long_waits_end_the_spinning_and_short_ones_bring_it_back() {
        let mut patience = Patience::default();
        assert!(patience.expects_short());
        patience.remember(Duration::from_secs(1));
        assert!(!patience.expects_short());
        (0..8).for_each(|_| patience.remember(Duration::from_micros(60)));
        assert!(patience.expects_short());
    }

    #[test]
    fn a_caller_is_awake_where_it_has_woken_somebody_until_it_sleeps() {
        assert!(!SleepWord::default().is_awake_here(), "nobody was seen anywhere");
        let found = (0..1000).any(|_| {
            let (caller, worker) = (SleepWord::default(), SleepWord::default());
            worker.announce();
            worker.notify_from(&caller);
            // This thread may have been moved to another processor in between.
            let awake = caller.is_awake_here();
            caller.announce();
            assert!(!caller.is_awake_here());
            awake
        });
        assert!(found);
    }

    #[test]
    fn who_spins_lets_others_run_unless_they_have_just_run_for_long() {
        let (mut patience, start) = (Patience::default(), Instant::now());
        let took = Duration::from_millis(3);
        assert!(!patience.may_yield(start), "nobody said so");
        patience.let_others_run(true);
        patience.note_yield(start, start + Duration::from_micros(999));
        assert!(patience.may_yield(start));
        patience.note_yield(start, start + took);
        assert!(!patience.may_yield(start + took * YIELD_REST));
        assert!(patience.may_yield(start + took * (1 + YIELD_REST)));
    }
}
