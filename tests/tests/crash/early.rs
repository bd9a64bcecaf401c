//! Deaths before the handshake, in a program of its own, because a test program serves before its code runs.

use crate::kinds::Kind;
use mp_tests::scenario;
use std::process::Command;

fn check(how: &str) {
    scenario(|| {
        for kind in Kind::deadly() {
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
    check("once");
}

#[test]
fn workers_that_all_die_before_the_handshake_end_the_pool_with_the_last_death() {
    check("always");
}
