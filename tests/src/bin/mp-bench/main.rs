//! The workloads of `docs/performance.md` through the public API, in the words of the bench harness: `mp-bench w1` prints
//! lines `metric/variant value unit`, `mp-bench list` the workloads.
//!
//! ```text
//! start  w1 w8   processes and pools from nothing, and what an idle worker holds
//! calls  w2 w3   one call at a time, many at once
//! load   w4 w5   large arguments, long tasks
//! share  w6 w7   a queue, a lock
//! answers        all that two can wait at, and calls of other kinds
//! growth, population, sizes   one of many, one that is large
//! limits, report              what can be done without mp, and how far from it we are
//!   └─► measure (counts, percentiles, lines) · place (processors)
//! ```
//!
//! Warm-up, counts and what is inside the clock are those of the raw limits that each number is compared with.

mod answers;
mod calls;
mod growth;
mod limits;
mod load;
mod measure;
mod place;
mod population;
mod report;
mod share;
mod sizes;
mod start;

use mp::{Context, ErrorKind, StartMethod};
use std::error::Error;
use std::process::ExitCode;

/// What stands behind the slash: workers are this program, started again ..
const VARIANT: &str = "mp-process";

/// .. or copies of a fork server.
const FORK_SERVER: &str = "mp-forkserver";

/// The benchmark stops at the first thing that is not as it should be.
type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Measures and prints, under this variant's name.
enum Workload {
    /// The same however workers are started.
    Once(fn(&str) -> Outcome),
    /// Once for each way of starting workers.
    Started(fn(&str, &Context) -> Outcome),
}

/// Measures and prints what the machine can do.
type Limit = fn() -> Outcome;

/// Name, how it is measured, and how that is measured which it cannot be faster than.
const WORKLOADS: &[(&str, Workload, Option<Limit>)] = &[
    ("w1", Workload::Started(start::processes), Some(limits::processes)),
    ("w2", Workload::Started(calls::round_trips), Some(limits::round_trips)),
    ("w3", Workload::Once(calls::map), Some(limits::map)),
    ("w4", Workload::Once(load::large_arguments), Some(limits::large_arguments)),
    ("w5", Workload::Once(load::long_tasks), Some(limits::long_tasks)),
    ("w6", Workload::Once(share::queue), Some(limits::queue)),
    ("w7", Workload::Once(share::mutex), Some(limits::mutex)),
    ("w8", Workload::Started(start::pools), Some(limits::pools)),
    ("pending", Workload::Once(growth::pending), None),
    ("awaited", Workload::Once(growth::awaited), None),
    ("workers", Workload::Started(population::workers), None),
    ("pools", Workload::Started(population::pools), None),
    ("parents", Workload::Started(population::parents), None),
    ("sizes", Workload::Once(sizes::sizes), None),
    ("answers", Workload::Once(answers::answers), None),
    ("others", Workload::Once(answers::others), None),
];

impl Workload {
    fn run(&self) -> Outcome {
        match self {
            Self::Once(measure) => measure(VARIANT),
            Self::Started(measure) => {
                measure(VARIANT, &Context::default())?;
                // Where there is no fork server its lines are missing.
                let context = Context::new(StartMethod::ForkServer);
                match context.spawn(nothing, ()) {
                    Err(error) if error.kind() == ErrorKind::Unsupported => Ok(()),
                    Err(error) => Err(error.into()),
                    Ok(process) => {
                        process.join()?;
                        measure(FORK_SERVER, &context)
                    }
                }
            }
        }
    }
}

#[mp::task]
fn nothing() {}

fn main() -> ExitCode {
    mp::main!();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some(outcome) = run(&words.iter().map(String::as_str).collect::<Vec<_>>()) else {
        let asked = words.join(" ");
        eprintln!(
            "mp-bench: cannot run {asked:?}: expected one word of: list report {}, or one of those that have a \
             limit and the word limit",
            names()
        );
        return ExitCode::from(2);
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mp-bench: {} failed: {error}", words.join(" "));
            ExitCode::FAILURE
        }
    }
}

fn names() -> String {
    WORKLOADS.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(" ")
}

/// Does what the words say, if they say anything.
fn run(words: &[&str]) -> Option<Outcome> {
    let known = |word: &str| WORKLOADS.iter().find(|(name, ..)| *name == word);
    match words {
        ["list"] => {
            println!("{}", names());
            Some(Ok(()))
        }
        ["report"] => Some(report::report()),
        [word] => known(word).map(|(_, workload, _)| workload.run()),
        [word, limits::VARIANT] => known(word).and_then(|(_, _, limit)| *limit).map(|limit| limit()),
        _ => None,
    }
}
