//! W6 and W7: a queue and a lock between processes.

use crate::Outcome;
use crate::measure::{emit, pass, scaled, seconds};
use mp::Queue;
use mp::sync::{Barrier, Event, Mutex};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::hint::black_box;
use std::time::Duration;

/// 64 bytes, the first eight of which are a number.
trait Message: Serialize + DeserializeOwned {
    fn new(number: u64) -> Self;
    fn number(&self) -> u64;
}

impl Message for Vec<u8> {
    fn new(number: u64) -> Self {
        let mut bytes = vec![7; 64];
        bytes[..8].copy_from_slice(&number.to_ne_bytes());
        bytes
    }

    fn number(&self) -> u64 {
        number_in(self)
    }
}

/// Serde knows arrays of up to 32 elements.
#[derive(Serialize, Deserialize)]
struct Array([[u8; 32]; 2]);

impl Message for Array {
    fn new(number: u64) -> Self {
        let mut halves = [[7; 32]; 2];
        halves[0][..8].copy_from_slice(&number.to_ne_bytes());
        Self(halves)
    }

    fn number(&self) -> u64 {
        number_in(&self.0[0])
    }
}

fn number_in(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |word| u64::from_ne_bytes(*word))
}

/// Messages numbered from 0, after everybody is there.
fn produce<M: Message>(queue: &Queue<M>, all: &Barrier, count: u64) -> Result<(), String> {
    all.wait().map_err(|error| error.to_string())?;
    (0..count).try_for_each(|number| queue.put(M::new(number)).map_err(|error| error.to_string()))
}

#[mp::task]
fn produce_vecs(queue: Queue<Vec<u8>>, all: Barrier, count: u64) -> Result<(), String> {
    produce(&queue, &all, count)
}

#[mp::task]
fn produce_arrays(queue: Queue<Array>, all: Barrier, count: u64) -> Result<(), String> {
    produce(&queue, &all, count)
}

/// W6: messages of 64 bytes from two processes to this one, through a queue of 1024.
pub fn queue(variant: &str) -> Outcome {
    let half = scaled(1_000_000) as u64 / 2;
    let all = Barrier::new(3)?;
    let queue = Queue::bounded(1024)?;
    let start = || mp::spawn(produce_vecs, (queue.clone(), all.clone(), half));
    consume(variant, &queue, &all, half, [start()?, start()?])?;
    let queue = Queue::bounded(1024)?;
    let start = || mp::spawn(produce_arrays, (queue.clone(), all.clone(), half));
    consume(&format!("{variant}-array"), &queue, &all, half, [start()?, start()?])
}

/// The clock starts when both producers run, and stops with the last message.
fn consume<M: Message>(
    variant: &str,
    queue: &Queue<M>,
    all: &Barrier,
    half: u64,
    producers: [mp::JoinHandle<Result<(), String>>; 2],
) -> Outcome {
    all.wait()?;
    let (time, sum) =
        seconds(|| (0..2 * half).try_fold(0, |sum, _| Ok::<_, mp::Error>(sum + queue.get()?.number())));
    assert_eq!(sum?, half * (half - 1), "messages were lost or came twice");
    for producer in producers {
        producer.join()??;
    }
    emit("w6.queue", variant, 2.0 * half as f64 / time, "msg/s");
    Ok(())
}

#[mp::task]
fn count_up(count: Mutex<u64>, all: Barrier, stop: Event) -> Result<u64, String> {
    all.wait().map_err(|error| error.to_string())?;
    let mut own = 0;
    // At least once, however busy the machine is.
    while own == 0 || !stop.is_set() {
        *count.lock().map_err(|error| error.to_string())? += 1;
        own += 1;
    }
    Ok(own)
}

/// W7: a lock that nobody else wants, and one that two processes want all the time.
pub fn mutex(variant: &str) -> Outcome {
    let (count, pairs) = (Mutex::new(0_u64)?, scaled(2_000_000));
    let (time, result) = seconds(|| {
        for _ in 0..pairs {
            let mut count = count.lock()?;
            *count = black_box(*count + 1);
        }
        Ok::<_, mp::Error>(())
    });
    result?;
    emit("w7.uncontended", variant, time * 1e9 / pairs as f64, "ns");

    let (count, all, stop) = (Mutex::new(0_u64)?, Barrier::new(3)?, Event::new()?);
    let start = || mp::spawn(count_up, (count.clone(), all.clone(), stop.clone()));
    let two = [start()?, start()?];
    all.wait()?;
    let (time, ()) = seconds(|| {
        pass(Duration::from_millis(scaled(400) as u64));
        stop.set();
    });
    let mut own = Vec::new();
    for process in two {
        own.push(process.join()??);
    }
    let total = *count.lock().map_err(mp::Error::from)?;
    assert_eq!(total, own.iter().sum::<u64>(), "the lock does not exclude");
    emit("w7.contended", variant, total as f64 / time, "inc/s");
    Ok(())
}
