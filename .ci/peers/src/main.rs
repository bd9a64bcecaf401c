//! The Rust peers of `mp-bench sizes`: threads of one process (rayon), processes of this binary (procspawn), and messages between
//! two processes without a pool (ipc-channel). Speaks the protocol of the bench harness: `list`, `sizes`, `BENCH_QUICK`.
//!
//! A call of every peer does what `spin` and `sum` of `mp-bench` do; keep the counts and sizes equal to those of
//! `tests/src/bin/mp-bench/sizes.rs`.

use ipc_channel::ipc::{self, IpcBytesSender, IpcOneShotServer, IpcReceiver, IpcSender};
use procspawn::{JoinHandle, Pool};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use serde::{Serialize, de::DeserializeOwned};
use serde_bytes::ByteBuf;
use std::collections::VecDeque;
use std::hint::{black_box, spin_loop};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// How many calls of procspawn are on their way at a time: each holds descriptors.
const WINDOW: usize = 64;

fn main() {
    procspawn::init();
    let words: Vec<_> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["list"] => println!("sizes"),
        ["sizes"] => sizes(),
        ["spins", name] => spins(name),
        ["sums", name] => sums(name),
        _ => {
            eprintln!("expected list or sizes, and not {words:?}");
            std::process::exit(2);
        }
    }
}

fn sizes() {
    threads();
    processes();
    messages();
}

fn threads() {
    let (one, two) = (pool_of_threads(1), pool_of_threads(2));
    for us in times() {
        latency("thread-rayon", us, || one.install(|| spin(us)));
        rate("thread-rayon", us, |tasks| {
            two.install(|| (0..tasks).into_par_iter().for_each(|_| spin(black_box(us))))
        });
    }
    for bytes in lengths() {
        let payload = vec![7_u8; bytes];
        weight("thread-rayon", bytes, || one.install(|| sum(&payload)));
    }
}

fn pool_of_threads(threads: usize) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool of threads")
}

fn processes() {
    let (one, two) = (Pool::new(1).expect("a pool"), Pool::new(2).expect("a pool"));
    let join = |call: JoinHandle<()>| call.join().expect("no task fails");
    for us in times() {
        latency("procspawn", us, || join(one.spawn(us, spin)));
        rate("procspawn", us, |tasks| {
            let mut flying = VecDeque::new();
            for _ in 0..tasks {
                flying.push_back(two.spawn(us, spin));
                if flying.len() == WINDOW {
                    flying.pop_front().map(join);
                }
            }
            flying.into_iter().for_each(join);
        });
    }
    for bytes in lengths() {
        let payload = ByteBuf::from(vec![7_u8; bytes]);
        weight("procspawn", bytes, || {
            one.spawn(payload.clone(), |bytes| sum(&bytes)).join().expect("no task fails")
        });
    }
    one.shutdown();
    two.shutdown();
}

/// The worker is this binary as well, in a role that its arguments name; it brings the two ends for its parent.
fn messages() {
    let (mut worker, (ask, answered)) = another::<(IpcSender<u64>, IpcReceiver<()>)>("spins");
    for us in times() {
        latency("ipc-channel", us, || {
            ask.send(us).expect("the worker lives");
            answered.recv().expect("the worker answers");
        });
    }
    drop(ask);
    worker.wait().expect("a child");

    let (mut worker, (ask, answered)) = another::<(IpcBytesSender, IpcReceiver<u64>)>("sums");
    for bytes in lengths() {
        let payload = vec![7_u8; bytes];
        weight("ipc-channel", bytes, || {
            ask.send(&payload).expect("the worker lives");
            answered.recv().expect("the worker answers")
        });
    }
    drop(ask);
    worker.wait().expect("a child");
}

fn another<Ends: DeserializeOwned + Serialize>(role: &str) -> (Child, Ends) {
    let (server, name) = IpcOneShotServer::new().expect("a server");
    let program = std::env::current_exe().expect("this program");
    let worker = Command::new(program).args([role, &name]).spawn().expect("a child");
    let (_, ends) = server.accept().expect("the child's first message");
    (worker, ends)
}

fn introduce<Ends: Serialize>(name: &str, ends: Ends) {
    IpcSender::connect(name.to_owned()).expect("the parent's server").send(ends).expect("the parent lives");
}

fn spins(name: &str) {
    let (ask, asked) = ipc::channel::<u64>().expect("a channel");
    let (answer, answered) = ipc::channel::<()>().expect("a channel");
    introduce(name, (ask, answered));
    while let Ok(us) = asked.recv() {
        spin(us);
        answer.send(()).expect("the one who asked waits");
    }
}

fn sums(name: &str) {
    let (ask, asked) = ipc::bytes_channel().expect("a channel");
    let (answer, answered) = ipc::channel::<u64>().expect("a channel");
    introduce(name, (ask, answered));
    while let Ok(bytes) = asked.recv() {
        answer.send(sum(&bytes)).expect("the one who asked waits");
    }
}

// The work, as in mp-bench.

fn times() -> [u64; 6] {
    [0, 1, 10, 100, 1000, 10_000]
}

fn lengths() -> impl Iterator<Item = usize> {
    (0..8).map(|power| 8 << (3 * power)).chain([64 << 20])
}

fn spin(us: u64) {
    if us > 0 {
        let start = Instant::now();
        while start.elapsed() < Duration::from_micros(us) {
            spin_loop();
        }
    }
}

fn sum(bytes: &[u8]) -> u64 {
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().fold(0, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word)))
}

// Counting, timing and printing.

fn latency(variant: &str, us: u64, call: impl FnMut()) {
    let calls = scaled(600_000 / (us.max(1) as usize + 100));
    emit(&format!("work.latency.{us}us/{variant}"), median_us(calls, call), "us");
}

/// How many calls a second get done when many are there. A peer that needs longer for one gets fewer.
fn rate(variant: &str, us: u64, run: impl Fn(usize)) {
    let begin = Instant::now();
    run(100);
    let each = begin.elapsed().as_secs_f64() / 100.0;
    let tasks = scaled(2_000_000 / (us as usize + 2)).min((2.0 / each) as usize).max(100);
    let begin = Instant::now();
    run(tasks);
    emit(&format!("work.rate.{us}us/{variant}"), tasks as f64 / begin.elapsed().as_secs_f64(), "tasks/s");
}

fn weight(variant: &str, bytes: usize, mut call: impl FnMut() -> u64) {
    let expected = 0x0707_0707_0707_0707_u64.wrapping_mul(bytes as u64 / 8);
    let calls = scaled((400 << 20) / (bytes + (100 << 10))).min(4000);
    let median = median_us(calls, || assert_eq!(call(), expected));
    emit(&format!("weight.latency.{bytes}B/{variant}"), median, "us");
}

fn scaled(count: usize) -> usize {
    let divisor = if std::env::var_os("BENCH_QUICK").is_some() { 20 } else { 1 };
    (count / divisor).max(2)
}

fn median_us(calls: usize, mut call: impl FnMut()) -> f64 {
    for _ in 0..calls / 20 + 2 {
        call();
    }
    let mut samples: Vec<_> = (0..calls)
        .map(|_| {
            let start = Instant::now();
            call();
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

fn emit(metric: &str, value: f64, unit: &str) {
    println!("{metric} {value:.5} {unit}");
}
