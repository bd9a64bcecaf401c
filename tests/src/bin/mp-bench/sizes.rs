//! One task by how long it takes, and by how long its argument is: what the plot of `docs/performance.md` shows.
//! Its peers, in `.ci/peers`, do the same with the same counts.

use crate::Outcome;
use crate::load::sum;
use crate::measure::{emit, percentile, sample_us, scaled, seconds};
use mp::Pool;
use std::hint::spin_loop;
use std::iter::repeat_n;
use std::time::{Duration, Instant};

/// Keeps a processor busy for so many microseconds. Without any it does not even look at the clock.
#[mp::task]
fn spin(us: u64) {
    if us > 0 {
        let start = Instant::now();
        while start.elapsed() < Duration::from_micros(us) {
            spin_loop();
        }
    }
}

/// How long one call takes, from one caller to one worker, and how many a second `map` gets done on two workers; by how
/// long the task takes. Then how long a call takes by how many bytes it sends, whose sum comes back.
pub fn sizes(variant: &str) -> Outcome {
    let (one, two) = (Pool::new(1)?, Pool::new(2)?);
    two.map(spin, repeat_n(0, 100))?;
    for us in [0, 1, 10, 100, 1000, 10_000] {
        let calls = scaled(600_000 / (us.max(1) as usize + 100));
        let samples = sample_us(calls / 20 + 2, calls, || Ok(one.apply(spin, (us,))?))?;
        emit(&format!("work.latency.{us}us"), variant, percentile(&samples, 0.5), "us");
        let tasks = scaled(2_000_000 / (us as usize + 2));
        let (time, done) = seconds(|| two.map(spin, repeat_n(us, tasks)));
        done?;
        emit(&format!("work.rate.{us}us"), variant, tasks as f64 / time, "tasks/s");
    }
    for bytes in (0..8).map(|power| 8_usize << (3 * power)).chain([64 << 20]) {
        let payload = vec![7_u8; bytes];
        let calls = scaled((400 << 20) / (bytes + (100 << 10))).min(4000);
        let samples = sample_us(calls / 20 + 2, calls, || {
            one.apply(sum, (&payload,))?;
            Ok(())
        })?;
        emit(&format!("weight.latency.{bytes}B"), variant, percentile(&samples, 0.5), "us");
    }
    one.shutdown(false)?;
    Ok(two.shutdown(false)?)
}
