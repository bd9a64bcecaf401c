//! Deaths before the handshake, and of stacks, in a program of its own: a test program serves before its code runs, and before std
//! has put up its handlers.

use crate::kinds::Kind;
use mp_tests::scenario;
use std::process::Command;

fn check(how: &str, kinds: impl Iterator<Item = Kind>) {
    scenario(|| {
        for kind in kinds {
            let output = Command::new(env!("CARGO_BIN_EXE_family_early"))
                .args([how, &format!("{kind:?}")])
                .env("RUST_BACKTRACE", "0")
                .output()
                .unwrap();
            assert!(output.status.success(), "{kind:?}: {output:?}");
        }
    });
}

#[test]
fn a_death_before_the_handshake_costs_no_item() {
    check("once", Kind::deadly());
}

#[test]
fn workers_that_all_die_before_the_handshake_end_the_pool_with_the_last_death() {
    check("always", Kind::deadly());
}

#[test]
fn a_stack_that_runs_out_anywhere_in_a_page_ends_its_worker() {
    check("anywhere", [Kind::StackOverflow].into_iter());
}
