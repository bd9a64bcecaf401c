//! What a pool is built with: numbers, initializers, surroundings.

use crate::gate::{Gate, knock, wait_at};
use mp::{Backend, Context, Error, ErrorKind, Output, Pool, PoolBuilder, Restart, StartMethod};
use mp_tests::{is_emulated, lives, scenario};
use std::collections::HashMap;
use std::fs;
use std::io::{PipeWriter, Read, Write};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

#[mp::task]
fn square(x: i64) -> i64 {
    x * x
}

#[mp::task]
fn pid() -> u32 {
    std::process::id()
}

#[mp::task]
fn exit_with(code: i32) {
    std::process::exit(code)
}

#[mp::task]
fn panic_with(message: &str) {
    panic!("{message}")
}

#[mp::task]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[mp::task]
fn own_name() -> String {
    mp::current_process().name
}

#[mp::task]
fn directory() -> PathBuf {
    std::env::current_dir().unwrap()
}

#[mp::task]
fn say(out: &str, err: &str) {
    print!("{out}");
    std::io::stdout().flush().unwrap();
    eprint!("{err}");
}

static STATE: Mutex<Vec<u8>> = Mutex::new(Vec::new());

#[mp::task]
fn keep(bytes: Vec<u8>) {
    *STATE.lock().unwrap() = bytes;
}

#[mp::task]
fn kept() -> (usize, u8, u32) {
    let state = STATE.lock().unwrap();
    (state.len(), state.last().copied().unwrap_or(0), std::process::id())
}

#[mp::task]
fn report(gate: &str, bytes: Vec<u8>) {
    knock(gate, bytes.len() as i64);
}

#[track_caller]
fn check_refused(builder: PoolBuilder, kind: ErrorKind, parts: &[&str]) {
    let error = builder.build().unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    for part in parts {
        assert!(error.to_string().contains(part), "{part:?} is not in: {error}");
    }
}

#[test]
fn numbers_that_make_no_sense_are_refused_by_name() {
    scenario(|| {
        use ErrorKind::InvalidInput;
        check_refused(Pool::builder().workers(0), InvalidInput, &["0 workers"]);
        check_refused(Pool::builder().workers(usize::MAX), InvalidInput, &[&usize::MAX.to_string()]);
        check_refused(Pool::builder().max_tasks_per_worker(0), InvalidInput, &["max_tasks_per_worker(0)"]);
        check_refused(Pool::builder().chunk_size(0), InvalidInput, &["chunk_size(0)"]);
        check_refused(Pool::builder().name("a\0b"), InvalidInput, &["NUL"]);
        for backend in [mp::Backend::Thread, mp::Backend::Inline] {
            check_refused(Pool::builder().workers(0).backend(backend), InvalidInput, &["0 workers"]);
        }
        assert_eq!(Pool::new(0).unwrap_err().kind(), InvalidInput);
    });
}

#[test]
fn surroundings_that_do_not_exist_are_refused() {
    if is_emulated() {
        return; // qemu-user makes a fork of a vfork: the child's refusal comes too late for the parent
    }
    scenario(|| {
        let one = || Pool::builder().workers(1);
        let nowhere = ["cannot start the process", "in the directory \"/no/such/place\""];
        check_refused(one().current_dir("/no/such/place"), ErrorKind::Os, &nowhere);
    });
}

#[test]
fn surroundings_that_cannot_be_are_refused_by_name() {
    scenario(|| {
        use ErrorKind::InvalidInput;
        let one = || Pool::builder().workers(1);
        check_refused(one().env("a\0b", "x"), InvalidInput, &["variable \"a\\0b\"", "NUL in its name"]);
        check_refused(one().env_remove("a\0b"), InvalidInput, &["variable \"a\\0b\"", "NUL in its name"]);
        check_refused(one().env("abc", "x\0"), InvalidInput, &["variable \"abc\"", "NUL in its value"]);
        check_refused(one().env("", "x"), InvalidInput, &["variable \"\"", "empty name"]);
        check_refused(one().env("a=b", "x"), InvalidInput, &["variable \"a=b\"", "`=`"]);
        check_refused(one().current_dir("/a\0b"), InvalidInput, &["directory \"/a\\0b\"", "NUL"]);
    });
}

#[test]
fn what_only_processes_can_have_is_refused_for_threads() {
    scenario(|| {
        for backend in [Backend::Thread, Backend::Inline] {
            let new = || Pool::builder().workers(1).backend(backend);
            let check = |builder: PoolBuilder, option: &str| {
                let parts = [&format!("`{option}`"), &format!("`Backend::{backend:?}`"), "Backend::Process"];
                check_refused(builder, ErrorKind::InvalidInput, &parts);
            };
            check(new().env("A", "1"), "env");
            check(new().env_remove("A"), "env_remove");
            check(new().current_dir("/"), "current_dir");
            check(new().stdout(Output::Null), "stdout");
            check(new().stderr(Output::Null), "stderr");
            check(new().start_method(StartMethod::ForkServer), "start_method");
            check(new().context(&Context::new(StartMethod::ForkServer)), "start_method");
            let plain =
                new().start_method(StartMethod::Spawn).stdout(Output::Inherit).stderr(Output::Inherit);
            let plain = plain.context(&Context::default()).build().unwrap();
            assert_eq!(plain.apply(square, (3,)).unwrap(), 9);
        }
    });
}

#[mp::task]
fn take_ends(ends: Vec<mp::Receiver<u8>>) {
    drop(ends);
}

#[test]
fn initializers_and_finalizers_have_room_for_so_many_descriptors() {
    scenario(|| {
        let new = |initial: usize, last: usize| {
            let ends = |count| (0..count).map(|_| mp::pipe().unwrap().1).collect::<Vec<mp::Receiver<u8>>>();
            Pool::builder()
                .workers(1)
                .initializer(take_ends, (ends(initial),))
                .finalizer(take_ends, (ends(last),))
        };
        assert_eq!(new(50, 9).build().unwrap().apply(square, (3,)).unwrap(), 9);
        let parts = ["take_ends` and `", "60 descriptors", "can take 59"];
        check_refused(new(50, 10), ErrorKind::InvalidInput, &parts);
        assert!(new(50, 10).backend(Backend::Thread).build().is_ok());
    });
}

#[test]
fn names_may_be_long() {
    scenario(|| {
        for name in ["n".repeat(1000), "ü".repeat(1000)] {
            let pool = Pool::builder().workers(1).name(&name).build().unwrap();
            assert_eq!(pool.apply(own_name, ()).unwrap(), format!("{name}-0"));
        }
    });
}

#[test]
fn times_without_end_are_times() {
    scenario(|| {
        let restart = Restart { at_most: u32::MAX, per: Duration::MAX };
        let pool = Pool::builder().workers(1).grace(Duration::MAX).restart(restart).build().unwrap();
        let handle = pool.apply_async(square, (3,));
        assert_eq!(handle.wait_timeout(Duration::MAX).unwrap(), 9);
        assert!(pool.try_map(exit_with, [1]).pop().unwrap().unwrap_err().is_worker_lost());
        let handle = pool.apply_async(square, (4,));
        assert_eq!(mp::wait([&handle], mp::When::All, Some(Duration::MAX)).done.len(), 1);
        pool.shutdown(false).unwrap();
    });
}

#[test]
fn a_pool_has_as_many_workers_as_it_was_told() {
    scenario(|| {
        for count in [1, 3, 16] {
            let pool = Pool::builder().workers(count).name("crew").build().unwrap();
            let workers = pool.workers();
            assert_eq!(workers.len(), count);
            for (index, worker) in (0..).zip(&workers) {
                assert_eq!((worker.index, worker.pool.as_str()), (index, "crew"));
                assert_eq!(worker.name, format!("crew-{index}"));
                assert!(lives(worker.pid));
            }
            assert_eq!(pool.name(), "crew");
        }
        assert_eq!(Pool::default().workers().len(), mp::cpu_count().get());
    });
}

#[test]
fn an_initializer_runs_once_in_each_worker_before_its_first_call() {
    scenario(|| {
        for len in [1, 10_000, 16 << 10, 300 << 10, 5 << 20] {
            let state: Vec<u8> = (0..len).map(|at| at as u8).collect();
            let expected = (len, *state.last().unwrap());
            let pool = Pool::builder().workers(2).initializer(keep, (state,)).build().unwrap();
            let seen: Vec<_> =
                (0..30).map(|_| pool.apply_async(kept, ())).map(|handle| handle.wait().unwrap()).collect();
            assert!(seen.iter().all(|(len, last, _)| (*len, *last) == expected), "{len}: {seen:?}");
            assert!(pool.try_map(exit_with, [7]).pop().unwrap().is_err());
            let seen = pool.starmap(kept, vec![(); 30]).unwrap();
            assert!(seen.iter().all(|(len, last, _)| (*len, *last) == expected), "{len}: a new worker too");
        }
    });
}

#[test]
fn a_finalizer_runs_in_each_worker_that_leaves_in_order() {
    scenario(|| {
        let check = |end: fn(Pool), len: usize, expected: usize| {
            let gate = Gate::new();
            let pool = Pool::builder().workers(2).finalizer(report, (gate.name(), vec![1; len]));
            let pool =
                pool.initializer(keep, (vec![2; len],)).grace(Duration::from_secs(3600)).build().unwrap();
            assert_eq!(pool.starmap(kept, vec![(); 20]).unwrap()[0].0, len);
            let pids: Vec<u32> = pool.workers().iter().map(|worker| worker.pid).collect();
            std::thread::scope(|scope| {
                let ending = scope.spawn(|| end(pool));
                for _ in 0..expected {
                    let guest = gate.guest();
                    assert!(pids.contains(&guest.pid) && guest.word == len as i64);
                }
                ending.join().unwrap();
            });
            assert!(gate.guest_now().is_none());
        };
        check(drop, 3, 2);
        check(|pool| pool.shutdown(false).unwrap(), 5 << 20, 2);
        check(|pool| drop((pool.close(), pool.join())), 3, 2);
        check(|pool| pool.terminate(), 3, 0);
    });
}

#[test]
fn a_failing_initializer_ends_the_pool_with_one_clear_error() {
    scenario(|| {
        let pool = Pool::builder().workers(3).initializer(panic_with, ("no database",)).build().unwrap();
        let check = |error: Error| {
            assert_eq!(error.kind(), ErrorKind::InitializerFailed, "{error}");
            assert_eq!(error.panic().unwrap().message, "no database");
            let text = error.to_string();
            assert!(text.contains("initializer") && text.contains("no database"), "{text}");
        };
        let early = [0, 1, 2].map(|x| pool.apply_async(square, (x,)));
        for handle in early {
            check(handle.wait().unwrap_err());
        }
        check(pool.apply(square, (1,)).unwrap_err());
        check(pool.map(square, 0..5).unwrap_err());
        check(pool.try_map(square, 0..2).pop().unwrap().unwrap_err());
        check(pool.imap(square, 0..5).next().unwrap().unwrap_err());
        pool.join().unwrap();
        assert!(pool.workers().is_empty());
    });
}

#[mp::task]
fn refuses_with_text(text: &str) -> Result<(u8, Vec<(u8, u8)>), String> {
    if text.is_empty() { Ok((1, vec![])) } else { Err(text.into()) }
}

#[mp::task]
fn refuses_with_an_error() -> Result<(), mp::Error> {
    mp::Pool::new(0).map(drop)
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Odd(u8);

#[mp::task]
fn refuses_oddly() -> Result<(), Odd> {
    Err(Odd(1))
}

#[test]
fn an_initializer_that_returns_an_error_has_failed() {
    scenario(|| {
        for backend in [Backend::Process, Backend::Thread, Backend::Inline] {
            let builder = || Pool::builder().workers(2).backend(backend);
            let pool = builder().initializer(refuses_with_text, ("",)).build().unwrap();
            assert_eq!(pool.map(square, [3]).unwrap(), [9]);
            let cases = [
                (
                    builder().initializer(refuses_with_text, ("no database",)),
                    "returned an error: no database",
                ),
                (builder().initializer(refuses_with_an_error, ()), "0 workers"),
                (builder().initializer(refuses_oddly, ()), "of type `api::building::Odd`"),
            ];
            for (refused, why) in cases {
                let error = refused.build().unwrap().map(square, [3]).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InitializerFailed, "{error}");
                assert!(error.to_string().contains(why), "{why}: {error}");
            }
        }
    });
}

#[test]
fn workers_that_die_in_the_initializer_do_not_come_back_for_ever() {
    scenario(|| {
        let pool = Pool::builder().workers(2).initializer(exit_with, (3,)).build().unwrap();
        let error = pool.apply(square, (1,)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CrashLoop, "{error}");
        assert_eq!(error.worker_lost().unwrap().status.unwrap().code(), Some(3));
        for part in ["gave up", "`PoolBuilder::restart`", "in the pool's initializer", "exit_with"] {
            assert!(error.to_string().contains(part), "{part:?} is not in {error}");
        }
        assert!(!error.to_string().contains("main!"), "{error}");
    });
}

#[test]
fn the_restart_policy_says_when_to_give_up() {
    scenario(|| {
        let per = Duration::from_secs(3600);
        let pool = Pool::builder().workers(1).restart(Restart { at_most: 0, per }).build().unwrap();
        assert!(pool.apply(exit_with, (1,)).is_err());
        assert_eq!(pool.apply(square, (1,)).unwrap_err().kind(), ErrorKind::CrashLoop);
        let pool = Pool::builder().workers(1).restart(Restart { at_most: 4, per }).build().unwrap();
        for round in 0..20 {
            assert!(pool.apply(exit_with, (1,)).unwrap_err().is_worker_lost(), "round {round}");
            assert_eq!(pool.apply(square, (2,)).unwrap(), 4, "what ended in between is forgiven");
        }
        let outcomes = pool.try_map(exit_with, [1; 8]);
        let kinds: Vec<_> = outcomes.into_iter().map(|outcome| outcome.unwrap_err().kind()).collect();
        assert_eq!(kinds[..5], [ErrorKind::WorkerLost; 5]);
        assert_eq!(kinds[5..], [ErrorKind::CrashLoop; 3]);
    });
}

#[test]
fn a_worker_is_replaced_after_its_tasks() {
    scenario(|| {
        for (max, calls) in [(1, 6), (3, 20)] {
            let pool = Pool::builder().workers(2).max_tasks_per_worker(max).build().unwrap();
            let mut calls_of = HashMap::<u32, u64>::new();
            for one in pool.starmap(pid, vec![(); calls]).unwrap() {
                *calls_of.entry(one).or_default() += 1;
            }
            assert!(calls_of.values().all(|calls| *calls <= max), "{calls_of:?}");
            let here: Vec<u32> = (0..calls).map(|_| pool.apply(pid, ()).unwrap()).collect();
            assert!(here.chunk_by(|a, b| a == b).all(|chunk| chunk.len() as u64 <= max), "{here:?}");
        }
    });
}

#[test]
fn workers_see_the_environment_and_the_directory_they_were_given() {
    scenario(|| {
        let here = std::env::current_dir().unwrap();
        let there = fs::canonicalize(std::env::temp_dir()).unwrap();
        let builder =
            Pool::builder().workers(1).env("MP_TEST_A", "1").env("MP_TEST_A", "2").env("MP_TEST_B", "x");
        let pool = builder.env_remove("MP_TEST_B").env_remove("PATH").current_dir(&there).build().unwrap();
        let seen = pool.map(variable, ["MP_TEST_A", "MP_TEST_B", "PATH"]).unwrap();
        assert_eq!(seen, [Some("2".to_owned()), None, None]);
        assert_eq!(fs::canonicalize(pool.apply(directory, ()).unwrap()).unwrap(), there);
        let plain = Pool::new(1).unwrap();
        assert_eq!(plain.apply(variable, ("PATH",)).unwrap(), std::env::var("PATH").ok());
        assert_eq!(plain.apply(directory, ()).unwrap(), here);
        assert!(pool.try_map(exit_with, [1])[0].is_err());
        let directory = fs::canonicalize(pool.apply(directory, ()).unwrap()).unwrap();
        assert_eq!(directory, there, "a new worker too");
    });
}

fn piped() -> (impl FnOnce() -> String, PipeWriter) {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let read = move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    };
    (read, writer)
}

#[test]
fn what_workers_write_goes_where_it_was_told() {
    scenario(|| {
        let file = std::env::temp_dir().join(format!("mp-test-output-{}", std::process::id()));
        let (text, writer) = piped();
        let pool = Pool::builder()
            .workers(1)
            .stdout(fs::File::create(&file).unwrap())
            .stderr(writer)
            .build()
            .unwrap();
        pool.apply(say, ("out\n", "err\n")).unwrap();
        pool.apply(say, ("more\n", "")).unwrap();
        drop(pool);
        assert_eq!(fs::read_to_string(&file).unwrap(), "out\nmore\n");
        assert_eq!(text(), "err\n");
        fs::remove_file(file).unwrap();
        let pool = Pool::builder().workers(1).stdout(Output::Null).stderr(Output::Null).build().unwrap();
        pool.apply(say, ("this must not be seen\n", "nor this\n")).unwrap();
    });
}

#[test]
fn a_builder_and_a_pool_can_be_printed() {
    scenario(|| {
        let builder = Pool::builder().workers(1).name("printed");
        assert!(format!("{builder:?}").contains("printed"));
        let pool = builder.build().unwrap();
        let gate = Gate::new();
        let handle = pool.apply_async(wait_at, (gate.name(), 1));
        assert!(format!("{pool:?}").contains("pending: 1"), "{pool:?}");
        drop(gate);
        handle.wait().unwrap();
    });
}

// Elsewhere one value may be as long as all.
#[cfg(target_os = "linux")]
#[test]
fn an_environment_that_is_too_large_is_named() {
    scenario(|| {
        let value = "x".repeat(200 << 10);
        let process = mp::Process::new(variable, ("MP_TEST_A",)).env("MP_TEST_A", &value).start().map(drop);
        let pool = Pool::builder().workers(2).env("MP_TEST_A", &value).build().map(drop);
        for error in [process.unwrap_err(), pool.unwrap_err()] {
            assert!(error.kind() == ErrorKind::Os && error.to_string().contains("environment"), "{error}");
        }
    });
}
