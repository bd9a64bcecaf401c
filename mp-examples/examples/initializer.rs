//! State of a worker: made once by the initializer, used by every call that the worker runs.

use regex_lite::Regex;
use std::sync::OnceLock;

const KINDS: [(&str, &str); 4] = [
    ("address", r"^[a-z.]+@[a-z.]+$"),
    ("date", r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"),
    ("number", r"^-?[0-9]+$"),
    ("word", r"^[a-z]+$"),
];

/// Each worker is a process, so this is one static for each of them.
static PATTERNS: OnceLock<Vec<Regex>> = OnceLock::new();

#[mp::task]
fn compile(patterns: Vec<String>) {
    let patterns: Result<_, _> = patterns.iter().map(|pattern| Regex::new(pattern)).collect();
    PATTERNS.set(patterns.expect("the patterns are valid")).expect("a worker is initialized once");
}

#[mp::task]
fn classify(text: &str) -> Vec<usize> {
    let patterns = PATTERNS.get().expect("the initializer ran before the first call");
    (0..patterns.len()).filter(|&kind| patterns[kind].is_match(text)).collect()
}

fn main() -> Result<(), mp::Error> {
    mp::main!();
    let patterns = |suffix: &str| (KINDS.map(|(_, pattern)| format!("{pattern}{suffix}")).to_vec(),);
    let pool = mp::Pool::builder().workers(2).initializer(compile, patterns("")).build()?;
    let texts = ["2026-11-22", "ann@example.org", "-17", "hello", "?"];
    for (text, kinds) in texts.into_iter().zip(pool.map(classify, texts)?) {
        let names: Vec<_> = kinds.into_iter().map(|kind| KINDS[kind].0).collect();
        println!("{text:>15} {names:?}");
    }

    // An initializer that fails ends its pool, with one error that says so.
    let pool = mp::Pool::builder().workers(2).initializer(compile, patterns("(")).build()?;
    let error = pool.map(classify, texts).expect_err("no worker can start");
    println!("{:?}: {}", error.kind(), error.to_string().lines().next().unwrap_or_default());
    Ok(())
}
