//! Ends of pools: every verb and every handle hears of them, whatever state the pool is in.

use crate::edges::{errors, orders};
use crate::kinds::{Order, one};
use crate::verbs::{Outcome, VERBS};
use mp::{Error, ErrorKind, Pool};
use mp_tests::scenario;

/// A verb on a pool that has ended must fail: an empty result would look like success.
fn all_verbs_fail(pool: &Pool, kind: ErrorKind) {
    for verb in VERBS {
        let outcome = verb.run(pool, &orders(6));
        if let Outcome::Each(outcomes) = &outcome {
            assert!(!outcomes.is_empty(), "{verb:?} yields nothing");
        }
        for error in errors(outcome) {
            assert_eq!(error.kind(), kind, "{verb:?}: {error:?}");
        }
    }
    assert_eq!(pool.try_map(one, orders(6)).len(), 6);
}

#[test]
fn a_closed_pool_refuses_every_verb() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        pool.close();
        all_verbs_fail(&pool, ErrorKind::Closed);
        pool.join().unwrap();
        all_verbs_fail(&pool, ErrorKind::Closed);
    });
}

#[test]
fn a_terminated_pool_refuses_every_verb() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        pool.terminate();
        all_verbs_fail(&pool, ErrorKind::Closed);
    });
}

/// Numbers whose production ends the pool on the way.
fn ending(pool: &Pool) -> impl Iterator<Item = Order> + '_ {
    (0..100).map(move |number| {
        if number == 50 {
            // Everything so far has ended: nothing is dropped by this.
            pool.terminate();
        }
        Order { number, end: None }
    })
}

#[test]
fn a_pool_that_ends_while_the_input_is_pulled_does_not_pass_for_success() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        assert!(pool.map(one, ending(&pool)).unwrap_err().is_closed());
        let pool = Pool::new(2).unwrap();
        let outcomes: Vec<Result<_, Error>> = pool.try_map(one, ending(&pool));
        assert_eq!(outcomes.len(), 100);
        assert!(outcomes[99].as_ref().unwrap_err().is_closed());
        let pool = Pool::new(2).unwrap();
        let one_ahead = std::num::NonZeroUsize::MIN;
        let outcomes: Vec<_> = pool.imap(one, ending(&pool)).read_ahead(one_ahead).collect();
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 50);
        assert!(outcomes.iter().any(|outcome| outcome.as_ref().is_err_and(Error::is_closed)));
    });
}
