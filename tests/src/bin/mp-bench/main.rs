//! The workloads of `docs/performance.md` through the public API, in the words of the bench harness: `mp-bench w1` prints
//! lines `metric/variant value unit`, `mp-bench list` the workloads.
//!
//! ```text
//! start  w1 w8   processes and pools from nothing, and what an idle worker holds
//! calls  w2 w3   one call at a time, many at once
//! load   w4 w5   large arguments, long tasks
//! share  w6 w7   a queue, a lock
//!   └─► measure (counts, percentiles, lines) · place (processors)
//! ```
//!
//! Warm-up, counts and what is inside the clock are those of the raw limits that each number is compared with.

mod calls;
mod load;
mod measure;
mod place;
mod share;
mod start;

use std::error::Error;
use std::process::ExitCode;

/// What stands behind the slash: workers are this program, started again.
const VARIANT: &str = "mp-process";

/// The benchmark stops at the first thing that is not as it should be.
type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Measures and prints, under this variant's name.
type Workload = fn(&str) -> Outcome;

const WORKLOADS: &[(&str, Workload)] = &[
    ("w1", start::processes),
    ("w2", calls::round_trips),
    ("w3", calls::map),
    ("w4", load::large_arguments),
    ("w5", load::long_tasks),
    ("w6", share::queue),
    ("w7", share::mutex),
    ("w8", start::pools),
];

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
    match run(VARIANT) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mp-bench: {name} failed: {error}");
            ExitCode::FAILURE
        }
    }
}
