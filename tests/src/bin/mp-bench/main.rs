//! The workloads of `docs/performance.md` through the public API, in the words of the bench harness: `mp-bench w1` prints
//! lines `metric/variant value unit`, `mp-bench list` the workloads.
//!
//! ```text
//! start  w1 w8   processes and pools from nothing, and what an idle worker holds
//! calls  w2 w3   one call at a time, many at once
//! load   w4 w5   large arguments, long tasks
//! share  w6 w7   a queue, a lock
//! growth, population, sizes   one of many, one that is large
//!   └─► measure (counts, percentiles, lines) · place (processors)
//! ```
//!
//! Warm-up, counts and what is inside the clock are those of the raw limits that each number is compared with.

mod calls;
mod growth;
mod load;
mod measure;
mod place;
mod population;
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

const WORKLOADS: &[(&str, Workload)] = &[
    ("w1", Workload::Started(start::processes)),
    ("w2", Workload::Started(calls::round_trips)),
    ("w3", Workload::Once(calls::map)),
    ("w4", Workload::Once(load::large_arguments)),
    ("w5", Workload::Once(load::long_tasks)),
    ("w6", Workload::Once(share::queue)),
    ("w7", Workload::Once(share::mutex)),
    ("w8", Workload::Started(start::pools)),
    ("pending", Workload::Once(growth::pending)),
    ("awaited", Workload::Once(growth::awaited)),
    ("workers", Workload::Started(population::workers)),
    ("pools", Workload::Started(population::pools)),
    ("parents", Workload::Started(population::parents)),
    ("sizes", Workload::Once(sizes::sizes)),
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
    let names: Vec<&str> = WORKLOADS.iter().map(|(name, _)| *name).collect();
    let chosen = match words.as_slice() {
        [word] if word == "list" => {
            println!("{}", names.join(" "));
            return ExitCode::SUCCESS;
        }
        [word] => WORKLOADS.iter().find(|(name, _)| name == word),
        _ => None,
    };
    let Some((name, run)) = chosen else {
        let asked = words.join(" ");
        eprintln!("mp-bench: cannot run {asked:?}: expected one word of: list {}", names.join(" "));
        return ExitCode::from(2);
    };
    match run.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mp-bench: {name} failed: {error}");
            ExitCode::FAILURE
        }
    }
}
