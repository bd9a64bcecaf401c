use super::*;
#[cfg(not(loom))]
use std::sync::Barrier;
#[cfg(not(loom))]
use std::time::Duration;

/// A lock that is free.
fn lock() -> Robust {
    Robust { owner: AtomicU64::new(FREE), turn: AtomicU32::new(0) }
}

#[cfg(not(loom))]
#[test]
fn one_thread_holds_it_at_a_time() {
    let (robust, inside) = (lock(), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..2000 {
                    assert_eq!(robust.lock().unwrap(), Attempt::Taken(Taken::Clean));
                    assert_eq!(inside.fetch_add(1, SeqCst), 0);
                    inside.fetch_sub(1, SeqCst);
                    // SAFETY: duty: held: the line above.
                    unsafe { robust.unlock() };
                }
            });
        }
    });
}

#[cfg(not(loom))]
#[test]
fn the_lock_of_a_dead_thread_is_handed_on_once() {
    let robust = lock();
    std::thread::scope(|scope| {
        scope.spawn(|| assert_eq!(robust.try_lock().unwrap(), Attempt::Taken(Taken::Clean)));
    });
    assert_eq!(robust.lock().unwrap(), Attempt::Taken(Taken::OwnerDied));
    assert_eq!(robust.lock().unwrap(), Attempt::Mine);
    // SAFETY: duty: held: the lines above.
    unsafe {
        robust.mark_consistent().unwrap();
        robust.unlock();
    }
    assert_eq!(robust.try_lock().unwrap(), Attempt::Taken(Taken::Clean));
}

#[cfg(not(loom))]
#[test]
fn who_waits_is_told_of_the_death_and_a_lock_in_disorder_is_no_lock_any_more() {
    let (robust, held) = (lock(), Barrier::new(2));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            assert_eq!(robust.lock().unwrap(), Attempt::Taken(Taken::Clean));
            held.wait();
        });
        held.wait();
        assert_eq!(robust.lock().unwrap(), Attempt::Taken(Taken::OwnerDied));
        // SAFETY: duty: held: the line above.
        unsafe { robust.unlock() };
    });
    assert!(robust.try_lock().is_err());
}

#[cfg(not(loom))]
#[test]
fn a_deadline_ends_the_wait() {
    let robust = lock();
    assert_eq!(robust.lock().unwrap(), Attempt::Taken(Taken::Clean));
    let soon = Instant::now() + Duration::from_millis(5);
    std::thread::scope(|scope| {
        let late = scope.spawn(|| robust.lock_until(soon).unwrap());
        assert_eq!(late.join().unwrap(), Attempt::Busy);
    });
}

#[cfg(loom)]
type Guarded = loom::sync::Arc<(Robust, loom::cell::UnsafeCell<u32>)>;

#[cfg(loom)]
fn guarded() -> Guarded {
    loom::sync::Arc::new((lock(), loom::cell::UnsafeCell::new(0)))
}

/// Takes the lock, and counts one up inside.
#[cfg(loom)]
fn enter(guarded: &Guarded) -> Taken {
    let Ok(Attempt::Taken(taken)) = guarded.0.lock() else { panic!("it is not got") };
    // SAFETY: duty: nobody else is inside: what the model checks.
    guarded.1.with_mut(|count| unsafe { *count += 1 });
    taken
}

/// Every order of three threads with up to three preemptions, as for the words of `raw`.
#[cfg(loom)]
fn three_threads(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

#[cfg(loom)]
fn start<T: 'static>(
    guarded: &Guarded,
    me: u64,
    work: impl FnOnce(&Guarded) -> T + 'static,
) -> loom::thread::JoinHandle<T> {
    let guarded = guarded.clone();
    loom::thread::spawn(move || {
        model::call_me(me);
        work(&guarded)
    })
}

#[cfg(loom)]
#[test]
fn loom_it_excludes_and_no_wake_up_is_lost() {
    three_threads(|| {
        let guarded = guarded();
        let work = |guarded: &Guarded| {
            assert_eq!(enter(guarded), Taken::Clean);
            // SAFETY: duty: held: the line above.
            unsafe { guarded.0.unlock() };
        };
        let others = [1, 2].map(|me| start(&guarded, me, work));
        model::call_me(3);
        work(&guarded);
        others.into_iter().for_each(|other| other.join().unwrap());
        // SAFETY: duty: the others are gone.
        guarded.1.with(|count| assert_eq!(unsafe { *count }, 3));
        assert_eq!(guarded.0.owner.load(Relaxed), FREE);
    });
}

#[cfg(loom)]
#[test]
fn loom_a_death_passes_it_on_once_with_what_was_written() {
    three_threads(|| {
        let guarded = guarded();
        let dies = start(&guarded, 1, |guarded| {
            let taken = enter(guarded);
            model::die();
            taken
        });
        let work = |guarded: &Guarded| {
            let taken = enter(guarded);
            // SAFETY: duty: held: the line above.
            unsafe {
                guarded.0.mark_consistent().unwrap();
                guarded.0.unlock();
            }
            taken
        };
        let lives = start(&guarded, 2, work);
        model::call_me(3);
        let taken = [work(&guarded), lives.join().unwrap()];
        assert_eq!(dies.join().unwrap(), Taken::Clean);
        // Whoever comes after the death hears of it, and nobody else: one of those two, or the next.
        let left = work(&guarded);
        let heard = taken.iter().chain([&left]).filter(|&&taken| taken == Taken::OwnerDied).count();
        assert_eq!(heard, 1);
        // SAFETY: duty: the others are gone.
        guarded.1.with(|count| assert_eq!(unsafe { *count }, 4));
    });
}

#[cfg(loom)]
#[test]
fn loom_a_lock_in_disorder_wakes_all_who_wait() {
    three_threads(|| {
        let guarded = guarded();
        model::call_me(1);
        enter(&guarded);
        model::die();
        let work = |guarded: &Guarded| match guarded.0.lock() {
            Ok(attempt) => {
                assert_eq!(attempt, Attempt::Taken(Taken::OwnerDied));
                // SAFETY: duty: held: the line above.
                unsafe { guarded.0.unlock() };
                true
            }
            Err(_) => false,
        };
        let others = [2, 3].map(|me| start(&guarded, me, work));
        let got = others.map(|other| other.join().unwrap());
        assert_eq!(
            got.iter().filter(|&&got| got).count(),
            1,
            "the first one after the death, and nobody after it"
        );
    });
}
