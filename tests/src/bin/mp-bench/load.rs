//! W4 and W5: large arguments, and tasks that take their time.

use crate::Outcome;
use crate::measure::{emit, hits, percentile, points_in_2ms, sample_us, scaled, seconds, sized};
use mp::Pool;
use mp::shm::Shared;
use std::hint::black_box;

/// The wrapping sum of all 64-bit words.
pub fn sum_of_words(bytes: &[u8]) -> u64 {
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().fold(0, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word)))
}

/// The sum of its words.
#[mp::task]
pub fn sum(bytes: &[u8]) -> u64 {
    sum_of_words(bytes)
}

#[mp::task]
fn sum_shared(bytes: &Shared<[u8]>) -> u64 {
    sum_of_words(bytes)
}

#[mp::task]
fn echo(bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

/// W4: 64 MiB to a worker: copied, by a handle of memory that it reads in place, and there and back: lent, or moved there and
/// back. Their sum comes back, or all of them.
pub fn large_arguments(variant: &str) -> Outcome {
    let words = sized(64 << 20) / 8;
    let payload: Vec<u8> =
        (0..words as u64).flat_map(|word| word.wrapping_mul(0x9E37_79B9).to_le_bytes()).collect();
    let expected = sum_of_words(&payload);
    let pool = Pool::new(1)?;
    let count = scaled(140) / 20 + 1;
    let samples = sample_us(1, count, || {
        assert_eq!(pool.apply(sum, (&payload,))?, expected);
        Ok(())
    })?;
    let rate = |samples: &[f64]| payload.len() as f64 / percentile(samples, 0.5) / 1e3;
    emit("w4.send", variant, rate(&samples), "GB/s");
    let shared = Shared::from_slice(&payload)?;
    let samples = sample_us(1, count, || {
        assert_eq!(pool.apply(sum_shared, (&shared,))?, expected);
        Ok(())
    })?;
    emit("w4.send", &format!("{variant}-shared"), rate(&samples), "GB/s");
    let samples = sample_us(1, count, || {
        let back = pool.apply(echo, (&payload,))?;
        assert!(back.len() == payload.len() && back.last() == payload.last(), "not what was sent");
        Ok(())
    })?;
    emit("w4.echo", &format!("{variant}-lent"), rate(&samples), "GB/s");
    let (len, last) = (payload.len(), payload.last().copied());
    let mut travelling = payload;
    let samples = sample_us(1, count, || {
        travelling = pool.apply(echo, (std::mem::take(&mut travelling),))?;
        assert!(travelling.len() == len && travelling.last().copied() == last, "not what was sent");
        Ok(())
    })?;
    emit("w4.echo", variant, len as f64 / percentile(&samples, 0.5) / 1e3, "GB/s");
    Ok(pool.shutdown(false)?)
}

#[mp::task]
fn work((seed, points): (u64, u64)) -> u64 {
    hits(seed, points)
}

/// W5: 256 tasks of 2 ms on two workers, against the same in this process, before and after.
pub fn long_tasks(variant: &str) -> Outcome {
    let points = points_in_2ms();
    let tasks = scaled(256) as u64 & !1;
    let serial = || seconds(|| black_box((0..tasks).map(|seed| hits(seed, points)).sum::<u64>()));
    let pool = Pool::new(2)?;
    pool.map(work, [(0, 1), (1, 1)])?;
    let (before, expected) = serial();
    let (parallel, results) = seconds(|| pool.map(work, (0..tasks).map(|seed| (seed, points))));
    assert_eq!(results?.into_iter().sum::<u64>(), expected);
    let serial = f64::midpoint(before, serial().0);
    emit("w5.speedup", variant, serial / parallel, "x");
    emit("w5.overhead", variant, (2.0 * parallel / serial - 1.0) * 100.0, "%");
    Ok(pool.shutdown(false)?)
}
