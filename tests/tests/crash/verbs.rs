//! The verbs of a pool, seen alike.

use crate::kinds::{Answer, Order, one, two};
use mp::{Error, Pool};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

/// A way to call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Apply,
    ApplyAsync,
    Await,
    Map,
    MapAsync,
    Starmap,
    TryMap,
    TryStarmap,
    Imap,
    ImapUnordered,
}

pub const VERBS: [Verb; 10] = [
    Verb::Apply,
    Verb::ApplyAsync,
    Verb::Await,
    Verb::Map,
    Verb::MapAsync,
    Verb::Starmap,
    Verb::TryMap,
    Verb::TryStarmap,
    Verb::Imap,
    Verb::ImapUnordered,
];

/// The verbs that a test makes a pool for each of; under Wine, where a pool takes long to start, those that differ most, unless the
/// long form is asked for (`MP_ROUNDS`).
pub fn verbs() -> &'static [Verb] {
    if mp_tests::is_slow() && std::env::var_os("MP_ROUNDS").is_none() {
        &[Verb::Apply, Verb::TryMap, Verb::ImapUnordered]
    } else {
        &VERBS
    }
}

/// What came of some orders.
#[derive(Debug)]
pub enum Outcome {
    /// Each for itself.
    Each(Vec<Result<u64, Error>>),
    /// All, or the first failure.
    All(Result<Vec<u64>, Error>),
}

impl Verb {
    /// Hands the orders in and waits for what becomes of them.
    pub fn run(self, pool: &Pool, orders: &[Order]) -> Outcome {
        let number = |outcome: Result<Answer, Error>| outcome.map(|answer| answer.number);
        let numbers = |answers: Vec<Answer>| answers.into_iter().map(|answer| answer.number).collect();
        let singles = || orders.iter().map(|order| pool.apply_async(one, (*order,))).collect::<Vec<_>>();
        let pairs = || orders.iter().map(|order| (*order, 0_u64));
        match self {
            Self::Apply => {
                Outcome::Each(orders.iter().map(|order| number(pool.apply(one, (*order,)))).collect())
            }
            Self::ApplyAsync => Outcome::Each(singles().iter().map(|handle| number(handle.wait())).collect()),
            Self::Await => {
                Outcome::Each(singles().into_iter().map(|handle| number(block_on(handle))).collect())
            }
            Self::Map => Outcome::All(pool.map(one, orders.iter().copied()).map(numbers)),
            Self::MapAsync => Outcome::All(pool.map_async(one, orders.iter().copied()).wait().map(numbers)),
            Self::Starmap => Outcome::All(pool.starmap(two, pairs()).map(numbers)),
            Self::TryMap => {
                Outcome::Each(pool.try_map(one, orders.iter().copied()).into_iter().map(number).collect())
            }
            Self::TryStarmap => {
                Outcome::Each(pool.try_starmap(two, pairs()).into_iter().map(number).collect())
            }
            Self::Imap => Outcome::Each(pool.imap(one, orders.iter().copied()).map(number).collect()),
            Self::ImapUnordered => {
                let mut found: Vec<_> = pool.imap_unordered(one, orders.iter().copied()).collect();
                found.sort_by_key(|(index, _)| *index);
                let indices = found.iter().map(|(index, _)| *index);
                assert!(indices.eq(0..orders.len()), "an item is missing or there twice: {found:?}");
                Outcome::Each(found.into_iter().map(|(_, outcome)| number(outcome)).collect())
            }
        }
    }

    /// The task that it runs.
    pub fn task(self) -> &'static str {
        match self {
            Self::Starmap | Self::TryStarmap => "::two",
            Self::Apply
            | Self::ApplyAsync
            | Self::Await
            | Self::Map
            | Self::MapAsync
            | Self::TryMap
            | Self::Imap
            | Self::ImapUnordered => "::one",
        }
    }

    /// The item that an error names.
    pub fn item(self, index: u64) -> Option<u64> {
        let itemised = !matches!(self, Self::Apply | Self::ApplyAsync | Self::Await);
        itemised.then_some(index)
    }
}

/// Runs a future on this thread.
pub fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}
