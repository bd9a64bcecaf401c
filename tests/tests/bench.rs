//! What `mp-bench` says, word by word: a harness reads it. How fast it is no test asks.

// Workers are kept to processors there.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // a test stops at the first thing that is not as it should be

mp::test_main!();

use mp_tests::scenario;
use rustix::thread::sched_getaffinity;
use std::process::{Command, Output, Stdio};

/// The names and units of each workload, in order.
const LINES: &[(&str, &[(&str, &str)])] = &[
    ("w1", &[("w1.spawn/mp-process", "us"), ("w1.spawn/mp-process@256MiB", "us")]),
    (
        "w2",
        &[
            ("w2.rtt.p50/mp-process", "us"),
            ("w2.rtt.p99/mp-process", "us"),
            ("w2.gap.p50/mp-process", "us"),
            ("w2.gap.p99/mp-process", "us"),
            ("w2.rtt.p50/mp-process@same", "us"),
            ("w2.rtt.p99/mp-process@same", "us"),
            ("w2.rtt.p50/mp-process@cross", "us"),
            ("w2.rtt.p99/mp-process@cross", "us"),
        ],
    ),
    ("w3", &[("w3.map/mp-process", "tasks/s")]),
    (
        "w4",
        &[
            ("w4.send/mp-process", "GB/s"),
            ("w4.send/mp-process-shared", "GB/s"),
            ("w4.echo/mp-process-lent", "GB/s"),
            ("w4.echo/mp-process", "GB/s"),
        ],
    ),
    ("w5", &[("w5.speedup/mp-process", "x"), ("w5.overhead/mp-process", "%")]),
    ("w6", &[("w6.queue/mp-process", "msg/s"), ("w6.queue/mp-process-array", "msg/s")]),
    ("w7", &[("w7.uncontended/mp-process", "ns"), ("w7.contended/mp-process", "inc/s")]),
    (
        "w8",
        &[
            ("w8.pool2/mp-process", "ms"),
            ("w8.pool8/mp-process", "ms"),
            ("w8.rss/mp-process", "KiB"),
            ("w8.pss/mp-process", "KiB"),
        ],
    ),
];

/// The metrics of each workload of growth, in order, and their sizes: a cost for each of these, and the growth.
type Growth = (&'static str, &'static [(&'static str, &'static [&'static str])]);

const GROWTH: &[Growth] = &[
    (
        "pending",
        &[("pending", &["10000", "100000", "1000000"]), ("map", &["10000", "100000", "1000000", "10000000"])],
    ),
    ("awaited", &[("wait", HANDLES), ("as_completed", HANDLES), ("futures", HANDLES)]),
    ("workers", &[("start", WORKERS), ("workers", WORKERS)]),
    ("pools", &[("pools", &["first", "last"])]),
    ("parents", &[("parent", &["64MiB", "1GiB", "4GiB"])]),
];

const HANDLES: &[&str] = &["10", "100", "1000", "10000"];

const WORKERS: &[&str] = &["2", "8", "64", "256"];

/// What a workload prints last: what its pools have left behind.
const LEFT: [(&str, &str); 4] =
    [("descriptors", "more"), ("threads", "more"), ("mappings", "more"), ("memory", "KiB")];

/// How long the tasks of the series take, and how long their arguments are.
const TIMES: [u32; 6] = [0, 1, 10, 100, 1000, 10_000];
const LENGTHS: [u32; 9] = [8, 64, 512, 4 << 10, 32 << 10, 256 << 10, 2 << 20, 16 << 20, 64 << 20];

/// At what two answer each other, and what else is called.
const ANSWERS: [&str; 7] = ["pipe", "duplex", "queue", "semaphore", "event", "barrier", "condvar"];
const OTHERS: [&str; 11] = [
    "rwlock.write",
    "imap",
    "chunk.16",
    "chunk.256",
    "chunk.4096",
    "u64.any.8",
    "u64.any.1000",
    "u64.any.131072",
    "u64.small.8",
    "u64.small.1000",
    "u64.small.131072",
];

/// These are measured once more with workers that a fork server makes.
const STARTED: [&str; 6] = ["w1", "w2", "w8", "workers", "pools", "parents"];

/// All workloads, and what each prints.
fn expected() -> Vec<(&'static str, Vec<(String, &'static str)>)> {
    let mut all: Vec<_> = LINES
        .iter()
        .map(|(name, lines)| (*name, lines.iter().map(|(line, unit)| ((*line).to_owned(), *unit)).collect()))
        .collect();
    for (name, metrics) in GROWTH {
        let mut lines = Vec::new();
        for (metric, sizes) in *metrics {
            let cost = |size| (format!("growth.{metric}/mp-process@{size}"), "us");
            lines.extend(sizes.iter().map(cost));
            lines.push((format!("growth.{metric}/mp-process"), "x"));
        }
        if *name == "pools" {
            lines.extend(LEFT.map(|(what, unit)| (format!("growth.pools.{what}/mp-process"), unit)));
        }
        all.push((*name, lines));
    }
    let of_time = |us| {
        [("latency", "us"), ("rate", "tasks/s")]
            .map(|(metric, unit)| (format!("work.{metric}.{us}us/mp-process"), unit))
    };
    let of_length = |bytes| (format!("weight.latency.{bytes}B/mp-process"), "us");
    all.push(("sizes", TIMES.into_iter().flat_map(of_time).chain(LENGTHS.map(of_length)).collect()));
    let of_answer = |way: &str| (format!("answer.{way}/mp-process"), "us");
    all.push(("answers", ANSWERS.into_iter().map(of_answer).collect()));
    let of_other = |what: &str| (format!("other.{what}/mp-process"), "us");
    all.push(("others", OTHERS.into_iter().map(of_other).collect()));
    for (_, lines) in all.iter_mut().filter(|(name, _)| STARTED.contains(name)) {
        let again = |(line, unit): &(String, _)| (line.replace("process", "forkserver"), *unit);
        lines.extend(lines.iter().map(again).collect::<Vec<_>>());
    }
    all
}

/// Runs the program with a two-thousandth of the work.
fn bench(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mp-bench"));
    command.args(words).env("BENCH_QUICK", "2000").stdin(Stdio::null());
    command.output().unwrap()
}

fn out(output: &Output) -> &str {
    assert!(output.status.success(), "{}", err(output));
    std::str::from_utf8(&output.stdout).unwrap()
}

fn err(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// Whether this is a line of this name and unit, with a number that says something.
fn check(line: &str, (name, unit): &(String, &str)) {
    let words: Vec<_> = line.split(' ').collect();
    let [its_name, value, its_unit] = words[..] else { panic!("{name}: {line:?}") };
    assert_eq!((its_name, its_unit), (name.as_str(), *unit));
    let value: f64 = value.parse().unwrap();
    let may_be_nothing = *unit == "%" || name.starts_with("growth.pools.");
    assert!(value.is_finite() && (value > 0.0 || may_be_nothing), "{line}");
}

#[test]
fn the_list_names_every_workload() {
    scenario(|| {
        let names: Vec<_> = expected().into_iter().map(|(name, _)| name).collect();
        assert_eq!(out(&bench(&["list"])), names.join(" ") + "\n");
    });
}

#[test]
fn every_workload_prints_its_lines() {
    scenario(|| {
        let processors = sched_getaffinity(None).unwrap().count();
        for (workload, mut expected) in expected() {
            expected.retain(|(name, _)| processors > 1 || !name.ends_with("@cross"));
            let output = bench(&[workload]);
            let lines: Vec<_> = out(&output).lines().collect();
            assert_eq!(lines.len(), expected.len(), "{workload}: {lines:#?}");
            lines.iter().zip(&expected).for_each(|(line, expected)| check(line, expected));
        }
    });
}

#[test]
fn pools_leave_nothing_behind() {
    scenario(|| {
        let output = bench(&["pools"]);
        for line in out(&output).lines() {
            for what in ["descriptors", "threads"] {
                assert!(!line.contains(what) || line.contains(" 0.00000 "), "{line}");
            }
        }
    });
}

#[test]
fn a_limit_has_the_metrics_of_its_workload_and_the_report_compares_them() {
    scenario(|| {
        let output = bench(&["w7", "limit"]);
        let expected = [("w7.uncontended/limit", "ns"), ("w7.contended/limit", "inc/s")];
        for (line, (name, unit)) in out(&output).lines().zip(expected) {
            check(line, &(name.to_owned(), unit));
        }
        let output = bench(&["report"]);
        for name in ["w1.spawn/mp-process", "w2.rtt.p50/mp-process@same", "w8.pool8/mp-process"] {
            let line = out(&output).lines().find(|line| line.split(' ').next() == Some(name)).unwrap();
            let ratios: Vec<f64> = line.split(' ').skip(1).map(|ratio| ratio.parse().unwrap()).collect();
            let [median, lowest, highest] = ratios[..] else { panic!("{line}") };
            assert!(lowest <= median && median <= highest, "{line}");
        }
    });
}

#[test]
fn other_words_are_refused_by_what_could_stand_there() {
    scenario(|| {
        for words in [&[][..], &["w9"], &["w1", "w2"], &["sizes", "limit"]] {
            let output = bench(words);
            assert_eq!(output.status.code(), Some(2));
            assert!(output.stdout.is_empty());
            let all = "expected one word of: list report w1 w2 w3 w4 w5 w6 w7 w8 pending awaited";
            assert!(err(&output).contains(all), "{}", err(&output));
        }
    });
}
