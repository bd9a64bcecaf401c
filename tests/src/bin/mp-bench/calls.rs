//! W2 and W3: calls that do nothing, one at a time and many at once.

use crate::Outcome;
use crate::measure::{emit, emit_latency, median, sample_gap_us, sample_us, scaled, seconds};
use crate::place;
use mp::{Context, Pool};
use std::hint::black_box;

#[mp::task]
fn next(number: i64) -> i64 {
    black_box(number) + 1
}

/// Workers pin themselves: the thread that runs tasks is the one that has to stay.
#[mp::task]
fn stay_on(processor: usize) -> Result<(), String> {
    place::pin(processor).map_err(|error| format!("cannot stay on processor {processor}: {error}"))
}

/// W2: one call at a time to one worker, wherever the system puts the two, on one processor, and on two; back to back,
/// and after the worker has been idle.
pub fn round_trips(variant: &str, context: &Context) -> Outcome {
    let everywhere = place::allowed()?;
    let processors = place::numbers(&everywhere);
    let mut places = vec![("", None)];
    if let [first, ..] = processors[..] {
        places.push(("@same", Some((first, first))));
    }
    if let [first, second, ..] = processors[..] {
        places.push(("@cross", Some((first, second))));
    }
    for (suffix, pinned) in places {
        let pool = context.pool(1)?;
        if let Some((caller, worker)) = pinned {
            pool.apply(stay_on, (worker,))??;
            place::pin(caller)?;
        }
        let mut number = 0;
        let mut call = || {
            number += 1;
            assert_eq!(pool.apply(next, (number,))?, number + 1);
            Ok(())
        };
        let (variant, count) = (format!("{variant}{suffix}"), scaled(15_000));
        emit_latency("w2.rtt", &variant, &sample_us(count / 30 + 20, count, &mut call)?);
        if pinned.is_none() {
            emit_latency("w2.gap", &variant, &sample_gap_us(scaled(1000), &mut call)?);
        }
        place::allow(&everywhere)?;
        pool.shutdown(false)?;
    }
    Ok(())
}

/// W3: a million calls by `map`, in order, on two workers that run already.
pub fn map(variant: &str) -> Outcome {
    let count = scaled(1_000_000) as i64;
    let pool = Pool::new(2)?;
    pool.map(next, 0..count / 4)?;
    let mut times = Vec::new();
    for _ in 0..5 {
        let (time, results) = seconds(|| pool.map(next, 0..count));
        assert!(results?.into_iter().eq(1..=count), "wrong results");
        times.push(time);
    }
    emit("w3.map", variant, count as f64 / median(times), "tasks/s");
    Ok(pool.shutdown(false)?)
}
