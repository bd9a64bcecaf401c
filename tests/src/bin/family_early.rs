//! Workers that die before they reach `mp::main!()`: `family_early once|always KIND`, and stacks that run out in a program
//! whose handlers are std's, too: `family_early anywhere StackOverflow`. Exits with 0 if the pool did what it should.

#![allow(clippy::unwrap_used)] // a test stops at the first thing that is not as it should be

// The test program uses the rest of these two.
#[allow(dead_code)]
#[path = "../../tests/crash/kinds.rs"]
mod kinds;
#[allow(dead_code)]
#[path = "../../tests/crash/verbs.rs"]
mod verbs;

use kinds::{Kind, Order};
use mp::{ErrorKind, Pool};
use std::fs::File;
use std::time::Duration;
use verbs::{Outcome, verbs};

/// In the environment of workers: how to die, and a file that is made by the first (empty: everybody dies).
const DEATH: &str = "MP_CRASH_EARLY";
const FLAG: &str = "MP_CRASH_FLAG";

fn main() {
    let worker = std::env::args().next_back().as_deref() == Some("--mp-worker");
    if let (true, Ok(name), Some(flag)) = (worker, std::env::var(DEATH), std::env::var_os(FLAG))
        && (flag.is_empty() || File::create_new(flag).is_ok())
    {
        kind(&name).strike(false);
    }
    mp::main!();
    let mut arguments = std::env::args().skip(1);
    let (how, name) = (arguments.next().unwrap(), arguments.next().unwrap());
    match how.as_str() {
        "once" => once(&name),
        "always" => always(&name),
        "anywhere" => anywhere(kind(&name)),
        other => panic!("{other}?"),
    }
}

fn kind(name: &str) -> Kind {
    Kind::DEADLY.into_iter().find(|kind| format!("{kind:?}") == name).unwrap()
}

/// Goes a few steps before it dies, so that the stack ends at another place of a frame.
#[mp::task]
#[inline(never)]
fn strike_after(steps: u64, kind: Kind) -> u64 {
    if steps == 0 {
        kind.strike(false);
    }
    let frame = [steps; 3];
    strike_after(std::hint::black_box(&frame)[0] - 1, kind) + frame[2]
}

/// How much of the last page of a stack is left depends on where the calls began: who says what has struck must not need more.
fn anywhere(kind: Kind) {
    let pool = Pool::builder().workers(1).restart(mp::Restart { at_most: 100, per: Duration::from_secs(1) });
    let pool = pool.build().unwrap();
    for steps in 0..24 {
        let error = pool.apply(strike_after, (steps, kind)).unwrap_err();
        kind.check_status(error.worker_lost().unwrap());
    }
}

fn orders() -> Vec<Order> {
    (0..6).map(|number| Order { number, end: None }).collect()
}

/// The first worker dies: every item has its value.
fn once(name: &str) {
    let folder = std::env::temp_dir().join(format!("mp-tests-early-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    for &verb in verbs() {
        let flag = folder.join(format!("{verb:?}"));
        let pool = Pool::builder().workers(2).env(DEATH, name).env(FLAG, &flag).build().unwrap();
        let numbers: Vec<u64> = match verb.run(&pool, &orders()) {
            Outcome::Each(outcomes) => outcomes.into_iter().map(Result::unwrap).collect(),
            Outcome::All(outcome) => outcome.unwrap(),
        };
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5], "{verb:?}");
        assert!(flag.exists(), "nobody died");
        while pool.workers().len() < 2 {
            assert_eq!(pool.apply(kinds::one, (orders()[1],)).unwrap().number, 1);
        }
    }
    std::fs::remove_dir_all(folder).unwrap();
}

/// Every worker dies: the pool gives up and says why.
fn always(name: &str) {
    for &verb in verbs() {
        let pool = Pool::builder().workers(2).env(DEATH, name).env(FLAG, "").build().unwrap();
        let errors = match verb.run(&pool, &orders()) {
            Outcome::Each(outcomes) => outcomes.into_iter().map(Result::unwrap_err).collect(),
            Outcome::All(outcome) => vec![outcome.unwrap_err()],
        };
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::CrashLoop, "{verb:?}: {error:?}");
            let report = error.worker_lost().unwrap();
            kind(name).check_status(report);
            let exits = matches!(kind(name), Kind::Panic | Kind::Exit0 | Kind::Exit7);
            let part = if exits { "is `mp::main!();` the first" } else { "it had not begun its work" };
            // Under Wine an overflow of the stack looks like an exit with 0.
            let told = report.stack_overflow && mp_tests::is_wine();
            assert!(told || report.remark.as_deref().is_some_and(|text| text.contains(part)), "{report:?}");
        }
    }
}
