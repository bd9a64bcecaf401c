//! How far `mp` is from what this machine can do without it: each workload beside its limit, round by round.

use crate::measure::median;
use crate::{Outcome, WORKLOADS, limits};
use std::collections::BTreeMap;
use std::process::{Command, Stdio};

/// Each round runs each workload and its limit once, one right after the other.
const ROUNDS: usize = 5;

/// A number and its unit, by metric and variant.
type Lines = BTreeMap<(String, String), (f64, String)>;

/// Runs this program, quickly, and reads what it prints.
fn measured(words: &[&str]) -> Outcome<Lines> {
    let quick = std::env::var("BENCH_QUICK").unwrap_or_else(|_| "1".into());
    let mut command = Command::new(std::env::current_exe()?);
    let output = command
        .args(words)
        .env("BENCH_QUICK", quick)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("{} ended with {}", words.join(" "), output.status).into());
    }
    let mut lines = Lines::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        let [name, value, unit] = line.split(' ').collect::<Vec<_>>()[..] else {
            return Err(format!("{} says {line:?}", words.join(" ")).into());
        };
        let (metric, variant) = name.split_once('/').ok_or_else(|| format!("no variant in {line:?}"))?;
        lines.insert((metric.into(), variant.into()), (value.parse()?, unit.into()));
    }
    Ok(lines)
}

/// How many times worse than the limit a number is, if there is a limit for it: one for the same place, or one for all.
fn times_worse(
    (metric, variant): &(String, String),
    (value, unit): &(f64, String),
    limits: &Lines,
) -> Option<f64> {
    let place = variant.split_once('@').map_or("", |(_, place)| place);
    let named = |variant: String| limits.get(&(metric.clone(), variant));
    let (limit, _) =
        named(format!("{}@{place}", limits::VARIANT)).or_else(|| named(limits::VARIANT.into()))?;
    let more_is_better = unit == "x" || unit.ends_with("/s");
    Some(if more_is_better { limit / value } else { value / limit })
}

/// Prints `metric/variant median lowest highest` of the ratios of all rounds.
pub fn report() -> Outcome {
    let mut ratios = BTreeMap::<_, Vec<f64>>::new();
    for _ in 0..ROUNDS {
        for (name, _, limit) in WORKLOADS {
            if limit.is_none() {
                continue;
            }
            let limits = measured(&[name, limits::VARIANT])?;
            for (of, line) in measured(&[name])? {
                if let Some(ratio) = times_worse(&of, &line, &limits) {
                    ratios.entry(of).or_default().push(ratio);
                }
            }
        }
    }
    for ((metric, variant), ratios) in ratios {
        let lowest = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = ratios.iter().copied().fold(0.0, f64::max);
        println!("{metric}/{variant} {:.2} {lowest:.2} {highest:.2}", median(ratios));
    }
    Ok(())
}
