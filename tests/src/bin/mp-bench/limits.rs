//! What this machine can do without `mp`: for each workload the least that does the same, with nothing but the standard
//! library. A yardstick for [`crate::report`]; the limits of `docs/performance.md` are closer.

use crate::Outcome;
use crate::load::sum_of_words;
use crate::measure::{
    emit, hits, median, pass, percentile, points_in_2ms, sample_us, scaled, seconds, sized,
};
use crate::place;
use std::hint::{black_box, spin_loop};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

/// What stands behind the slash.
pub const VARIANT: &str = "limit";

/// This program, started to say something and end.
fn another() -> Outcome<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    Ok(command.arg("list").stdin(Stdio::null()).stdout(Stdio::null()).spawn()?)
}

fn end(mut child: Child) -> Outcome {
    if child.wait()?.success() { Ok(()) } else { Err("this program cannot start itself".into()) }
}

/// W1: this program, started and waited for.
pub fn processes() -> Outcome {
    let samples = sample_us(3, scaled(600), || end(another()?))?;
    emit("w1.spawn", VARIANT, percentile(&samples, 0.5), "us");
    Ok(())
}

/// W2: a number in a word, to another thread and back: asleep between on one processor, spinning on two.
pub fn round_trips() -> Outcome {
    let everywhere = place::allowed()?;
    let processors = place::numbers(&everywhere);
    let first = processors[0];
    ping_pong("@same", first, first, thread::park)?;
    if let Some(&second) = processors.get(1) {
        ping_pong("@cross", first, second, spin_loop)?;
    }
    Ok(place::allow(&everywhere)?)
}

fn ping_pong(place: &str, here: usize, there: usize, wait: fn()) -> Outcome {
    place::pin(here)?;
    let (word, caller) = (AtomicI64::new(0), thread::current());
    let samples = thread::scope(|scope| {
        let worker = scope.spawn(|| {
            place::pin(there)?;
            let mut expected = 1;
            while expected > 0 {
                match word.load(Ordering::Acquire) {
                    i64::MIN => expected = 0,
                    number if number == expected => {
                        word.store(-number, Ordering::Release);
                        caller.unpark();
                        expected += 1;
                    }
                    _ => wait(),
                }
            }
            Ok::<_, place::Error>(())
        });
        let (mut number, count) = (0, scaled(15_000));
        let samples = sample_us(count / 30 + 20, count, || {
            number += 1;
            word.store(number, Ordering::Release);
            worker.thread().unpark();
            while word.load(Ordering::Acquire) == number {
                wait();
            }
            Ok(())
        });
        word.store(i64::MIN, Ordering::Release);
        worker.thread().unpark();
        worker.join().expect("the other thread does not panic")?;
        samples
    })?;
    emit("w2.rtt.p50", &format!("{VARIANT}{place}"), percentile(&samples, 0.5), "us");
    Ok(())
}

/// W3: the numbers in chunks through a channel to each of two threads and back.
pub fn map() -> Outcome {
    const CHUNK: usize = 96;
    let count = scaled(1_000_000) as i64;
    let once = || {
        thread::scope(|scope| {
            let workers = [(), ()].map(|()| {
                let (ask, asked) = mpsc::sync_channel::<Vec<i64>>(64);
                let (answer, answered) = mpsc::channel::<Vec<i64>>();
                scope.spawn(move || {
                    for mut chunk in asked {
                        chunk.iter_mut().for_each(|number| *number = black_box(*number) + 1);
                        // Who asked waits for it.
                        let _ = answer.send(chunk);
                    }
                });
                (ask, answered)
            });
            let mut results = Vec::with_capacity(count as usize);
            let chunks = (0..count).step_by(CHUNK).count();
            for (chunk, (ask, _)) in (0..chunks as i64).zip(workers.iter().cycle()) {
                let start = chunk * CHUNK as i64;
                ask.send((start..count.min(start + CHUNK as i64)).collect())?;
            }
            for (_, (_, answered)) in (0..chunks).zip(workers.iter().cycle()) {
                results.extend(answered.recv()?);
            }
            assert!(results.into_iter().eq(1..=count), "wrong results");
            Outcome::Ok(())
        })
    };
    let mut times = Vec::new();
    for _ in 0..5 {
        let (time, done) = seconds(once);
        done?;
        times.push(time);
    }
    emit("w3.map", VARIANT, count as f64 / median(times), "tasks/s");
    Ok(())
}

/// W4: a copy into memory that was used before, and its sum; a copy there and one back.
pub fn large_arguments() -> Outcome {
    let payload = vec![7_u8; sized(64 << 20) & !7];
    let (mut there, mut back) = (payload.clone(), payload.clone());
    let expected = sum_of_words(&payload);
    let count = scaled(140) / 20 + 1;
    let rate = |samples: &[f64]| payload.len() as f64 / percentile(samples, 0.5) / 1e3;
    let samples = sample_us(1, count, || {
        there.copy_from_slice(black_box(&payload));
        assert_eq!(sum_of_words(&there), expected);
        Ok(())
    })?;
    emit("w4.send", VARIANT, rate(&samples), "GB/s");
    let samples = sample_us(1, count, || {
        there.copy_from_slice(black_box(&payload));
        back.copy_from_slice(black_box(&there));
        Ok(())
    })?;
    emit("w4.echo", VARIANT, rate(&samples), "GB/s");
    Ok(())
}

/// W5: two threads that take the next task from a counter, against the same in one.
pub fn long_tasks() -> Outcome {
    let points = points_in_2ms();
    let tasks = scaled(256) as u64 & !1;
    let serial = || seconds(|| black_box((0..tasks).map(|seed| hits(seed, points)).sum::<u64>())).0;
    let before = serial();
    let next = AtomicU64::new(0);
    let (parallel, ()) = seconds(|| {
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while let Some(seed) =
                        Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < tasks)
                    {
                        black_box(hits(seed, points));
                    }
                });
            }
        });
    });
    emit("w5.speedup", VARIANT, f64::midpoint(before, serial()) / parallel, "x");
    Ok(())
}

/// W6: arrays through a channel of 1024, from two threads to this one.
pub fn queue() -> Outcome {
    let half = scaled(1_000_000) / 2;
    let (send, receive) = mpsc::sync_channel(1024);
    let (time, count) = seconds(|| {
        for _ in 0..2 {
            let send = send.clone();
            // It ends before its receiver.
            thread::spawn(move || (0..half).try_for_each(|number| send.send([number as u8; 64])));
        }
        drop(send);
        receive.iter().map(black_box).count()
    });
    assert_eq!(count, 2 * half, "messages were lost or came twice");
    emit("w6.queue", VARIANT, count as f64 / time, "msg/s");
    Ok(())
}

/// W7: the lock of the standard library, alone and wanted by two threads.
pub fn mutex() -> Outcome {
    let (count, pairs) = (Mutex::new(0_u64), scaled(2_000_000));
    let add = || *count.lock().expect("nobody panics with it") += 1;
    let (time, ()) = seconds(|| (0..pairs).for_each(|_| add()));
    emit("w7.uncontended", VARIANT, time * 1e9 / pairs as f64, "ns");
    let stop = AtomicBool::new(false);
    *count.lock().expect("nobody panics with it") = 0;
    let (time, ()) = seconds(|| {
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    // At least once, however busy the machine is.
                    add();
                    while !stop.load(Ordering::Relaxed) {
                        add();
                    }
                });
            }
            pass(Duration::from_millis(scaled(400) as u64));
            stop.store(true, Ordering::Relaxed);
        });
    });
    let total = *count.lock().expect("nobody panics with it");
    emit("w7.contended", VARIANT, total as f64 / time, "inc/s");
    Ok(())
}

/// W8: this program, so many times at once.
pub fn pools() -> Outcome {
    for workers in [2, 8] {
        let samples = sample_us(2, scaled(60), || {
            let all: Vec<_> = (0..workers).map(|_| another()).collect::<Outcome<_>>()?;
            all.into_iter().try_for_each(end)
        })?;
        emit(&format!("w8.pool{workers}"), VARIANT, percentile(&samples, 0.5) / 1e3, "ms");
    }
    Ok(())
}
