//! W1 and W8: processes and pools from nothing.

use crate::Outcome;
use crate::measure::{emit, pass, percentile, sample_us, scaled, sized};
use mp::sync::Barrier;
use mp::{Context, Pool};
use std::fs;
use std::hint::black_box;
use std::time::Duration;

#[mp::task]
fn next(number: i64) -> i64 {
    black_box(number) + 1
}

/// W1: one process for one call, from start to joined; again from a parent with 256 MiB of touched memory.
pub fn processes(variant: &str, context: &Context) -> Outcome {
    let once = || {
        assert_eq!(context.spawn(next, (1,))?.join()?, 2);
        Ok(())
    };
    let samples = sample_us(20, scaled(600), once)?;
    emit("w1.spawn", variant, percentile(&samples, 0.5), "us");
    let ballast = vec![1_u8; sized(256 << 20)];
    let samples = sample_us(3, scaled(150), once)?;
    emit("w1.spawn", &format!("{variant}@256MiB"), percentile(&samples, 0.5), "us");
    drop(black_box(ballast));
    Ok(())
}

/// Returns when as many tasks as the barrier has parties run at the same time: each worker has one.
#[mp::task]
fn meet(all: Barrier) -> bool {
    all.wait().is_ok()
}

/// A task on each worker of a pool, all at the same time.
pub fn one_task_each(pool: &Pool, all: &Barrier) -> Outcome {
    let tasks: Vec<_> = (0..all.parties()).map(|_| pool.apply_async(meet, (all.clone(),))).collect();
    for task in tasks {
        assert!(task.wait()?, "the workers did not meet");
    }
    Ok(())
}

/// W8: a pool of 2 and of 8: start, one task on each worker, shut down. Then the memory of an idle worker.
pub fn pools(variant: &str, context: &Context) -> Outcome {
    for workers in [2, 8] {
        let all = Barrier::new(workers)?;
        let samples = sample_us(2, scaled(60), || {
            let pool = context.pool(workers as usize)?;
            one_task_each(&pool, &all)?;
            Ok(pool.shutdown(false)?)
        })?;
        emit(&format!("w8.pool{workers}"), variant, percentile(&samples, 0.5) / 1e3, "ms");
    }
    let (pool, all) = (context.pool(2)?, Barrier::new(2)?);
    one_task_each(&pool, &all)?;
    pass(Duration::from_millis(20)); // until they are idle
    let workers = pool.workers();
    for (metric, field) in [("w8.rss", "Rss:"), ("w8.pss", "Pss:")] {
        let mut sum = 0.0;
        for worker in &workers {
            sum += memory(worker.pid, field)?;
        }
        emit(metric, variant, sum / workers.len() as f64, "KiB");
    }
    Ok(pool.shutdown(false)?)
}

/// A sum over the mappings of a process, in KiB.
fn memory(pid: u32, field: &str) -> Outcome<f64> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path)?;
    let value = text.lines().find_map(|line| line.strip_prefix(field)?.split_whitespace().next());
    Ok(value.ok_or_else(|| format!("{path} has no line {field}"))?.parse()?)
}
