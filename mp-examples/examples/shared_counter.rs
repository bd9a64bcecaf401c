//! The example of Python's documentation on `Value`: a counter that several processes increment, wrong and right.
//!
//! Reading and writing are atomic each, and yet `set(get() + 1)` loses counts. `update` holds the lock over both.

use mp::shm::{Atomic, Value};
use std::sync::atomic::{AtomicU64, Ordering};

const TIMES: u64 = 20_000;

#[mp::task]
fn wrong(counter: &Value<u64>) -> Result<(), mp::Error> {
    for _ in 0..TIMES {
        let count = counter.get()?;
        counter.set(count + 1)?;
    }
    Ok(())
}

#[mp::task]
fn right(counter: &Value<u64>, fast: &Atomic<AtomicU64>) -> Result<(), mp::Error> {
    for _ in 0..TIMES {
        counter.update(|count| count + 1)?;
        fast.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

fn main() -> Result<(), mp::Error> {
    mp::main!();
    let pool = mp::Pool::new(4)?;
    let (racy, counter) = (Value::new(0)?, Value::new(0)?);
    let fast = Atomic::new(AtomicU64::new(0))?;
    pool.map(wrong, [&racy; 4])?.into_iter().collect::<Result<(), _>>()?;
    pool.starmap(right, [(&counter, &fast); 4])?.into_iter().collect::<Result<(), _>>()?;
    println!("wrong: at most {}: {}", 4 * TIMES, racy.get()? <= 4 * TIMES);
    println!("right: {}, {}", counter.get()?, fast.load(Ordering::Relaxed));
    Ok(())
}
