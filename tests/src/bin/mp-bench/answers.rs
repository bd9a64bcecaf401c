//! Two processes that answer each other at once, by everything that they can wait at; and what one call of other kinds takes.

use crate::Outcome;
use crate::measure::{emit, median, scaled, seconds};
use mp::shm::{ChunkMut, SharedVec};
use mp::sync::{Barrier, Condvar, Event, Mutex, RwLock, Semaphore};
use mp::{Duplex, Error, Pool, Queue, Receiver, Sender, Shutdown};
use std::hint::black_box;

#[mp::task]
fn answer_pipe(asks: Receiver<u64>, answers: Sender<u64>) {
    asks.iter().map_while(Result::ok).take_while(|number| answers.send(number + 1).is_ok()).for_each(drop);
}

#[mp::task]
fn answer_duplex(line: Duplex<u64, u64>) {
    while line.recv().is_ok_and(|number| line.send(number + 1).is_ok()) {}
}

#[mp::task]
fn answer_queue(asks: Queue<u64>, answers: Queue<u64>) {
    while asks.get().is_ok_and(|number| answers.put(number + 1).is_ok()) {}
}

#[mp::task]
fn answer_semaphore(asks: Semaphore, answers: Semaphore, count: usize) {
    for _ in 0..count {
        asks.acquire();
        answers.release().expect("few permits");
    }
}

#[mp::task]
fn answer_event(asks: Event, answers: Event, count: usize) {
    for _ in 0..count {
        asks.wait();
        asks.clear();
        answers.set();
    }
}

#[mp::task]
fn answer_barrier(all: Barrier, count: usize) {
    for _ in 0..count {
        all.wait().expect("the other one comes");
    }
}

/// Counts on whenever the number has the parity of this side.
#[mp::task]
fn count_in_turn(number: Mutex<usize>, changed: Condvar, parity: usize, count: usize) {
    for _ in 0..count {
        let guard = number.lock().expect("nobody died");
        let mut guard = changed.wait_while(guard, |number| *number % 2 != parity).expect("nobody died");
        *guard += 1;
        drop(guard);
        changed.notify_one();
    }
}

#[mp::task]
fn same(numbers: Vec<u64>) -> Vec<u64> {
    numbers
}

#[mp::task]
fn next(number: i64) -> i64 {
    black_box(number) + 1
}

const ROUNDS: usize = 5;

/// What one of `count` takes, in microseconds: the median of some rounds.
fn rounds(metric: &str, variant: &str, count: usize, mut one: impl FnMut() -> Outcome) -> Outcome {
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let (time, outcome) = seconds(|| (0..count).try_for_each(|_| one()));
        outcome?;
        times.push(time * 1e6 / count as f64);
    }
    emit(metric, variant, median(times), "us");
    Ok(())
}

fn is_true(right: bool) -> Outcome {
    if right { Ok(()) } else { Err("a wrong answer".into()) }
}

/// There and back, wherever the system puts the two.
pub fn answers(variant: &str) -> Outcome {
    let count = scaled(20_000);
    let all = ROUNDS * count;
    let (asks, asked) = mp::pipe()?;
    let (answers, answered) = mp::pipe()?;
    let child = mp::spawn(answer_pipe, (asked, answers))?;
    rounds("answer.pipe", variant, count, || {
        asks.send(1)?;
        is_true(answered.recv()? == 2)
    })?;
    drop(asks);
    child.join()?;
    let (ours, theirs) = mp::duplex()?;
    let child = mp::spawn(answer_duplex, (theirs,))?;
    rounds("answer.duplex", variant, count, || {
        ours.send(1)?;
        is_true(ours.recv()? == 2)
    })?;
    drop(ours);
    child.join()?;
    let (asks, answers) = (Queue::bounded(10)?, Queue::bounded(10)?);
    let child = mp::spawn(answer_queue, (&asks, &answers))?;
    rounds("answer.queue", variant, count, || {
        asks.put(1)?;
        is_true(answers.get()? == 2)
    })?;
    asks.shutdown(Shutdown::Immediate)?;
    child.join()?;
    let (asks, answers) = (Semaphore::new(0)?, Semaphore::new(0)?);
    let child = mp::spawn(answer_semaphore, (&asks, &answers, all))?;
    rounds("answer.semaphore", variant, count, || {
        asks.release()?;
        answers.acquire();
        Ok(())
    })?;
    child.join()?;
    let (asks, answers) = (Event::new()?, Event::new()?);
    let child = mp::spawn(answer_event, (&asks, &answers, all))?;
    rounds("answer.event", variant, count, || {
        asks.set();
        answers.wait();
        answers.clear();
        Ok(())
    })?;
    child.join()?;
    let both = Barrier::new(2)?;
    let child = mp::spawn(answer_barrier, (&both, all))?;
    rounds("answer.barrier", variant, count, || Ok(both.wait().map(drop)?))?;
    child.join()?;
    let (number, changed) = (Mutex::new(0)?, Condvar::new()?);
    let child = mp::spawn(count_in_turn, (&number, &changed, 1, all))?;
    rounds("answer.condvar", variant, count, || {
        count_in_turn(number.clone(), changed.clone(), 0, 1);
        Ok(())
    })?;
    Ok(child.join()?)
}

#[mp::task]
fn double(mut chunk: ChunkMut<'_, f64>) {
    chunk.iter_mut().for_each(|number| *number *= 2.0);
}

/// One chunk of a vector that is lent.
fn chunks(variant: &str, pool: &Pool) -> Outcome {
    let mut numbers = SharedVec::from_slice(&vec![0.5; scaled(1 << 20)])?;
    for size in [16, 256, 4096] {
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            let (time, done) = seconds(|| pool.chunks_mut(double, &mut numbers, size));
            times.push(time * 1e6 / done?.len() as f64);
        }
        emit(&format!("other.chunk.{size}"), variant, median(times), "us");
    }
    Ok(())
}

/// A lock for writing that nobody else wants, an item of an `imap`, a chunk of a vector, lists of numbers there and back.
pub fn others(variant: &str) -> Outcome {
    let lock = RwLock::new(0_u64)?;
    rounds("other.rwlock.write", variant, scaled(1_000_000), || {
        *lock.write().map_err(Error::from)? += 1;
        Ok(())
    })?;
    let pool = Pool::new(2)?;
    let count = scaled(1_000_000) as i64;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let (time, sum) = seconds(|| pool.imap(next, 0..count).sum::<Result<i64, Error>>());
        assert_eq!(sum?, count * (count + 1) / 2);
        times.push(time * 1e6 / count as f64);
    }
    emit("other.imap", variant, median(times), "us");
    chunks(variant, &pool)?;
    for (name, mask) in [("any", u64::MAX), ("small", 0x7f)] {
        for len in [8, 1000, 131_072_u64] {
            let numbers: Vec<u64> = (0..len).map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) & mask).collect();
            let count = scaled(if len > 1000 { 60 } else { 4000 });
            rounds(&format!("other.u64.{name}.{len}"), variant, count, || {
                is_true(pool.apply(same, (&numbers,))?.len() == numbers.len())
            })?;
        }
    }
    Ok(pool.shutdown(false)?)
}
