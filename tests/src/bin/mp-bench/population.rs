//! Growth of what there is of processes: workers of a pool, pools one after the other, and the memory of their parent.

use crate::Outcome;
use crate::growth::{Costs, rounds};
use crate::measure::{emit, percentile, sample_us, scaled, seconds};
use crate::start::one_task_each;
use mp::Context;
use mp::sync::Barrier;
use std::fs;
use std::hint::black_box;

#[mp::task]
fn next(number: i64) -> i64 {
    black_box(number) + 1
}

/// Pools of more and more workers: to start one, give each of them a task and shut it down, for each worker; and a `map`
/// of 100,000 small items, for each item.
pub fn workers(variant: &str, context: &Context) -> Outcome {
    let (mut starts, mut items) = (Costs::new("start", variant), Costs::new("workers", variant));
    let count = scaled(100_000) as i64;
    for _ in 0..rounds() {
        for size in [2, 8, 64, 256] {
            let workers = scaled(size * 20).min(size);
            let all = Barrier::new(workers as u32)?;
            for _ in 0..64_usize.div_ceil(size).min(10) {
                let (start, pool) = seconds(|| {
                    let pool = context.pool(workers)?;
                    one_task_each(&pool, &all)?;
                    Outcome::Ok(pool)
                });
                let pool = pool?;
                for _ in 0..3 {
                    let (time, results) = seconds(|| pool.map(next, 0..count));
                    assert_eq!(results?.last(), Some(&count));
                    items.add(size, time * 1e6 / count as f64);
                }
                let (stop, stopped) = seconds(|| pool.shutdown(false));
                stopped?;
                starts.add(size, (start + stop) * 1e6 / workers as f64);
            }
        }
    }
    starts.print();
    items.print();
    Ok(())
}

/// What this process has of the system, when nobody else is at work.
struct Held {
    descriptors: usize,
    threads: usize,
    mappings: usize,
    memory: usize,
}

impl Held {
    fn now() -> Outcome<Self> {
        let status = fs::read_to_string("/proc/self/status")?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next());
        Ok(Self {
            descriptors: fs::read_dir("/proc/self/fd")?.count(),
            threads: fs::read_dir("/proc/self/task")?.count(),
            mappings: fs::read_to_string("/proc/self/maps")?.lines().count(),
            memory: resident.ok_or("no VmRSS")?.parse()?,
        })
    }
}

/// Pools of one worker, made, used once and dropped, one after the other: 10⁴ of them, or 10⁵ with `BENCH_LONG` in the
/// environment. What one of the first thousand costs and one of the last; and what the last left that the first did not.
pub fn pools(variant: &str, context: &Context) -> Outcome {
    let total = scaled(if std::env::var_os("BENCH_LONG").is_some() { 100_000 } else { 10_000 });
    let ends = scaled(1000).min(total / 2);
    let once = || {
        let pool = context.pool(1)?;
        assert_eq!(pool.apply(next, (1,))?, 2);
        Ok(())
    };
    let mut costs = Costs::new("pools", variant);
    costs.add("first", percentile(&sample_us(0, ends, once)?, 0.5));
    let before = Held::now()?;
    for _ in 0..total - 2 * ends {
        once()?;
    }
    costs.add("last", percentile(&sample_us(0, ends, once)?, 0.5));
    let after = Held::now()?;
    costs.print();
    for (what, before, after, unit) in [
        ("descriptors", before.descriptors, after.descriptors, "more"),
        ("threads", before.threads, after.threads, "more"),
        ("mappings", before.mappings, after.mappings, "more"),
        ("memory", before.memory, after.memory, "KiB"),
    ] {
        emit(&format!("growth.pools.{what}"), variant, after as f64 - before as f64, unit);
    }
    Ok(())
}

/// A process from start to joined, from a parent with more and more memory that it has touched.
pub fn parents(variant: &str, context: &Context) -> Outcome {
    let mut costs = Costs::new("parent", variant);
    for _ in 0..rounds() {
        for (size, bytes) in [("64MiB", 64 << 20), ("1GiB", 1 << 30), ("4GiB", 4 << 30)] {
            let ballast = vec![1_u8; scaled(bytes)];
            let samples = sample_us(5, scaled(100), || {
                assert_eq!(context.spawn(next, (1,))?.join()?, 2);
                Ok(())
            })?;
            costs.add(size, percentile(&samples, 0.5));
            drop(black_box(ballast));
        }
    }
    costs.print();
    Ok(())
}
