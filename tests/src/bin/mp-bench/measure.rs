//! Counting, timing and printing.

use crate::Outcome;
use std::hint::{black_box, spin_loop};
use std::thread;
use std::time::{Duration, Instant};

/// Prints one result.
pub fn emit(metric: &str, variant: &str, value: f64, unit: &str) {
    println!("{metric}/{variant} {value:.5} {unit}");
}

/// Prints the median and the 99th percentile of a latency.
pub fn emit_latency(metric: &str, variant: &str, sorted_us: &[f64]) {
    emit(&format!("{metric}.p50"), variant, percentile(sorted_us, 0.5), "us");
    emit(&format!("{metric}.p99"), variant, percentile(sorted_us, 0.99), "us");
}

/// What the harness calls quick.
const QUICK: usize = 20;

/// By what the work is divided: 1, or 20 with `BENCH_QUICK` in the environment, or more if its value is a larger number.
fn divisor() -> usize {
    std::env::var("BENCH_QUICK").map_or(1, |value| value.parse().map_or(QUICK, |by: usize| by.max(QUICK)))
}

/// How often to do what is done `count` times in a full run.
pub fn scaled(count: usize) -> usize {
    (count / divisor()).max(2)
}

/// How large to make what has `bytes` bytes in a full run. The harness's quick run makes it as large; only one that is
/// quicker than that makes it smaller.
pub fn sized(bytes: usize) -> usize {
    (bytes * QUICK / divisor().max(QUICK)).max(4096)
}

/// The value below which the share `at` of the samples lies.
pub fn percentile(sorted: &[f64], at: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * at).round() as usize]
}

/// The middle one of these samples.
pub fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    percentile(&samples, 0.5)
}

/// Seconds that this takes.
pub fn seconds<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let start = Instant::now();
    let result = work();
    (start.elapsed().as_secs_f64(), result)
}

/// Microseconds of each of `count` calls after `warm` calls without a clock, sorted.
pub fn sample_us(warm: usize, count: usize, mut call: impl FnMut() -> Outcome) -> Outcome<Vec<f64>> {
    for _ in 0..warm {
        call()?;
    }
    let mut samples = Vec::with_capacity(count);
    for _ in 0..count {
        let start = Instant::now();
        call()?;
        samples.push(start.elapsed().as_secs_f64() * 1e6);
    }
    samples.sort_by(f64::total_cmp);
    Ok(samples)
}

/// As [`sample_us`], with 200 µs of the caller's own work before each call, so that the worker has been idle.
pub fn sample_gap_us(count: usize, mut call: impl FnMut() -> Outcome) -> Outcome<Vec<f64>> {
    let mut samples = Vec::with_capacity(count);
    for _ in 0..count {
        let gap = Instant::now();
        while gap.elapsed() < Duration::from_micros(200) {
            spin_loop();
        }
        let start = Instant::now();
        call()?;
        samples.push(start.elapsed().as_secs_f64() * 1e6);
    }
    samples.sort_by(f64::total_cmp);
    Ok(samples)
}

/// The work of one task of W5: points thrown at a square, counted in its circle (xorshift).
pub fn hits(seed: u64, points: u64) -> u64 {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut hits = 0;
    for _ in 0..points {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let x = (state >> 40) as f64 / f64::from(1_u32 << 24);
        let y = ((state >> 8) & 0xFF_FFFF) as f64 / f64::from(1_u32 << 24);
        hits += u64::from(x * x + y * y < 1.0);
    }
    hits
}

/// How many points take 2 ms here: the fastest of fifteen trials tells.
pub fn points_in_2ms() -> u64 {
    const TRIAL: u64 = 200_000;
    let trials = (0..15).map(|seed| seconds(|| black_box(hits(seed, TRIAL))).0);
    (TRIAL as f64 * 0.002 / trials.fold(f64::MAX, f64::min)) as u64
}

/// Lets time pass that is itself what is measured, or in which others come to rest.
pub fn pass(time: Duration) {
    thread::sleep(time);
}
