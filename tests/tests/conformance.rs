//! What every backend promises alike: one suite for each contract, run for each line of `backends`.
//!
//! ```text
//!   verbs     apply, map and their kin: values, order, failures
//!   handles   waiting, looking, cancelling, callbacks, futures
//!   endings   close, join, shutdown, terminate, drop
//!   sharing   many threads at one pool, waiting inside of a pool's own task
//! ```

#![allow(
    clippy::unwrap_used,
    reason = "tests and their tasks stop at the first thing that is not as it should be"
)]
#![allow(clippy::cast_possible_wrap, clippy::cast_sign_loss, reason = "small numbers of items")]

mp::test_main!();

#[path = "conformance/endings.rs"]
mod endings;
#[path = "conformance/handles.rs"]
mod handles;
#[path = "conformance/sharing.rs"]
mod sharing;
#[path = "conformance/verbs.rs"]
mod verbs;

use mp::{Backend, Pool};

/// A kind of pool.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    backend: Backend,
    workers: usize,
}

impl Kind {
    /// A pool of this kind.
    pub fn pool(self) -> Pool {
        Pool::builder().workers(self.workers).backend(self.backend).build().unwrap()
    }

    /// Whether calls run while nobody waits for them.
    pub fn runs_by_itself(self) -> bool {
        self.backend != Backend::Inline
    }
}

/// One module for each backend, with one test for each function of the suites.
macro_rules! backends {
    ($($name:ident: $backend:ident, $workers:literal;)+) => {$(
        mod $name {
            use crate::{Kind, endings, handles, sharing, verbs};

            const KIND: Kind = Kind { backend: mp::Backend::$backend, workers: $workers };

            crate::suite! { KIND, verbs: apply_returns_what_the_task_returns, maps_keep_the_order_of_their_items,
                every_item_has_its_own_outcome, the_earliest_failure_is_the_error, lazy_maps_pull_what_they_need,
                a_panic_is_reported_and_harms_nobody, values_that_cannot_travel_are_refused,
                a_random_mix_of_calls_comes_out_right }
            crate::suite! { KIND, handles: an_outcome_is_taken_once, a_time_out_is_not_the_end,
                a_callback_runs_once, a_handle_is_a_future, several_handles_are_waited_for,
                what_has_not_started_is_cancelled }
            crate::suite! { KIND, endings: a_closed_pool_finishes_and_refuses, a_terminated_pool_resolves_everything,
                a_shutdown_cancels_or_finishes, ending_twice_is_ending_once, a_dropped_pool_leaves_nothing_unresolved,
                initializers_and_finalizers_run_in_each_worker, a_failing_initializer_ends_the_pool }
            crate::suite! { KIND, sharing: sixteen_threads_use_one_pool, threads_wait_for_each_others_handles,
                waiting_for_the_own_pool_is_refused, a_task_may_submit_without_waiting, pools_nest }
        }
    )+};
}

macro_rules! suite {
    ($kind:ident, $suite:ident: $($test:ident),+) => {$(
        #[test]
        fn $test() {
            mp_tests::scenario(|| $suite::$test($kind));
        }
    )+};
}
use suite;

backends! {
    process: Process, 2;
    one_process: Process, 1;
    thread: Thread, 2;
    one_thread: Thread, 1;
    inline: Inline, 1;
    inline_for_two: Inline, 2;
}
