//! What `mp-bench` says, word by word: a harness reads it. How fast it is no test asks.

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

/// These are measured once more with workers that a fork server makes.
const STARTED: [&str; 3] = ["w1", "w2", "w8"];

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

#[test]
fn the_list_names_every_workload() {
    scenario(|| {
        let names: Vec<_> = LINES.iter().map(|(name, _)| *name).collect();
        assert_eq!(out(&bench(&["list"])), names.join(" ") + "\n");
    });
}

#[test]
fn every_workload_prints_its_lines() {
    scenario(|| {
        let processors = sched_getaffinity(None).unwrap().count();
        for (workload, expected) in LINES {
            let output = bench(&[workload]);
            let mut lines = out(&output).lines();
            let mut expected: Vec<_> =
                expected.iter().map(|(name, unit)| ((*name).to_owned(), *unit)).collect();
            if STARTED.contains(workload) {
                let again: Vec<_> = expected
                    .iter()
                    .map(|(name, unit)| (name.replace("process", "forkserver"), *unit))
                    .collect();
                expected.extend(again);
            }
            expected.retain(|(name, _)| processors > 1 || !name.ends_with("@cross"));
            for (name, unit) in expected {
                let line = lines.next().unwrap_or_default();
                let words: Vec<_> = line.split(' ').collect();
                let [its_name, value, its_unit] = words[..] else { panic!("{name}: {line:?}") };
                assert_eq!((its_name, its_unit), (&*name, unit));
                let value: f64 = value.parse().unwrap();
                assert!(value.is_finite() && (value > 0.0 || unit == "%"), "{line}");
            }
            assert_eq!(lines.next(), None, "{workload} says more");
        }
    });
}

#[test]
fn other_words_are_refused_by_what_could_stand_there() {
    scenario(|| {
        for words in [&[][..], &["w9"], &["w1", "w2"]] {
            let output = bench(words);
            assert_eq!(output.status.code(), Some(2));
            assert!(output.stdout.is_empty());
            let all = "expected one word of: list w1 w2 w3 w4 w5 w6 w7 w8";
            assert!(err(&output).contains(all), "{}", err(&output));
        }
    });
}
