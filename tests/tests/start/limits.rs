//! What a process may use at most.

use crate::{How, all, clean};
use mp::sync::Event;
use mp::{Backend, Context, Error, ErrorKind, Limits, Pool, Process, Restart};
use mp_tests::{is_emulated, is_wine, scenario};
use serde::{Deserialize, Serialize};
use std::fs::{File, read_to_string};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// What a task finds of its process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Room {
    /// How many files can be opened, of 200.
    files: usize,
    /// Whether there is room for a gibibyte.
    gibibyte: bool,
    /// How many steps others go first, if that can be told.
    nice: Option<i32>,
    /// How many processors std finds, and how many count as its own.
    processors: (usize, usize),
}

#[mp::task]
fn room() -> Room {
    let program = std::env::current_exe().unwrap();
    let files: Vec<File> = (0..200).map_while(|_| File::open(&program).ok()).collect();
    let files = files.len();
    Room {
        files,
        gibibyte: Vec::<u8>::new().try_reserve_exact(1 << 30).is_ok(),
        nice: nice(),
        processors: (std::thread::available_parallelism().unwrap().get(), mp::cpu_count().get()),
    }
}

fn nice() -> Option<i32> {
    if cfg!(windows) {
        return None; // under Wine the file is there, and says nothing of the class
    }
    let stat = read_to_string("/proc/thread-self/stat").ok()?;
    // The name, which is in brackets, may hold anything; behind it comes the third field.
    stat.rsplit_once(')')?.1.split_whitespace().nth(16)?.parse().ok()
}

#[mp::task]
fn nested_room() -> Room {
    Pool::new(1).unwrap().apply(room, ()).unwrap()
}

/// Keeps a processor busy for as long as it may, and a minute at most.
#[mp::task]
fn spin() {
    let began = Instant::now();
    while black_box(began).elapsed() < Duration::from_secs(60) {}
}

#[mp::task]
fn nothing() {}

fn start(limits: Limits) -> Result<(), Error> {
    Process::new(nothing, ()).limits(limits).start()?.join()
}

/// These limits, or none of this kind where the system does not keep it, which it says then.
fn kept(limits: Limits) -> Limits {
    match start(limits.clone()) {
        Ok(()) => limits,
        Err(error) => {
            let must_be_kept = cfg!(all(target_os = "linux", not(mp_portable_unix)));
            assert_eq!((error.kind(), must_be_kept), (ErrorKind::Unsupported, false), "{error}");
            assert!(error.to_string().contains("this system does not keep such a limit"), "{error}");
            Limits::new()
        }
    }
}

fn room_in(context: &Context, limits: &Limits) -> [Room; 2] {
    let pool = context.pool_builder().workers(1).limits(limits.clone()).build().unwrap();
    let process = context.process(room, ()).limits(limits.clone()).start().unwrap();
    [pool.apply(room, ()).unwrap(), process.join().unwrap()]
}

#[test]
fn a_process_has_no_more_than_its_limits_allow() {
    scenario(|| {
        let own = Pool::new(1).unwrap().apply(room, ()).unwrap();
        assert!(own.files > 100 && own.gibibyte, "{own:?}");
        let files = kept(Limits::new().open_files(64));
        let space = kept(Limits::new().address_space(512 << 20));
        let one = kept(Limits::new().affinity([0]));
        let nicer = kept(Limits::new().nice(3));
        for &how in all() {
            let context = how.context();
            for room in room_in(&context, &files) {
                let few = files == Limits::new() || (1..64).contains(&room.files);
                assert!(few && room.gibibyte, "{how:?}: {room:?}");
            }
            for room in room_in(&context, &space) {
                // An emulator, and Wine, take such a limit and do not keep it.
                let tight = space == Limits::new() || is_emulated() || is_wine() || !room.gibibyte;
                assert!(tight && room.files > 100, "{how:?}: {room:?}");
            }
            for room in room_in(&context, &one) {
                // On Windows std does not look at what the process may use.
                let single = room.processors == (1, 1) || cfg!(windows) && room.processors.1 == 1;
                let single = one == Limits::new() || single;
                assert!(single, "{how:?}: {room:?}");
            }
            for room in room_in(&context, &nicer) {
                let expected = own.nice.map(|nice| (nice + 3).min(19));
                assert_eq!(room.nice, expected, "{how:?}");
            }
        }
    });
}

#[test]
fn what_a_limited_process_starts_is_limited_as_well() {
    scenario(|| {
        let limits = kept(Limits::new().open_files(64));
        let pool = Pool::builder().workers(1).limits(limits.clone()).build().unwrap();
        let room = pool.apply(nested_room, ()).unwrap();
        assert!(limits == Limits::new() || room.files < 64, "{room:?}");
    });
}

#[test]
fn who_uses_up_its_processor_time_is_ended_and_replaced() {
    if is_wine() {
        return; // it takes such a limit, and does not keep it
    }
    scenario(|| {
        let limits = Limits::new().cpu_time(Duration::from_millis(900));
        let pool = Pool::builder().workers(1).limits(limits).build().unwrap();
        let error = pool.apply(spin, ()).unwrap_err();
        let lost = error.worker_lost().unwrap_or_else(|| panic!("{error}"));
        if cfg!(unix) {
            assert_eq!(lost.status.and_then(mp::ExitStatus::signal_name), Some("SIGXCPU"), "{error}");
        }
        assert!(pool.apply(room, ()).unwrap().gibibyte, "the next worker has a second of its own");
    });
}

#[test]
fn limits_that_make_no_sense_are_refused_by_name() {
    scenario(|| {
        let refused = |limits: Limits, parts: &[&str]| {
            let errors = [start(limits.clone()).unwrap_err(), {
                Pool::builder().workers(1).limits(limits).build().unwrap_err()
            }];
            for error in errors {
                let supported = error.kind() == ErrorKind::InvalidInput;
                assert!(supported || error.kind() == ErrorKind::Unsupported, "{error}");
                for part in parts.iter().filter(|_| supported) {
                    assert!(error.to_string().contains(part), "{part:?} is not in: {error}");
                }
            }
        };
        refused(Limits::new().address_space(1000), &["address_space(1000)", "bytes"]);
        refused(Limits::new().cpu_time(Duration::ZERO), &["cpu_time"]);
        refused(Limits::new().open_files(3), &["open_files(3)", "32"]);
        refused(Limits::new().nice(0), &["nice(0)"]);
        refused(Limits::new().nice(20), &["nice(20)"]);
        refused(Limits::new().affinity([]), &["affinity"]);
        refused(Limits::new().affinity([0, 99_999]), &["affinity", "99999", "[0"]);
        let threads = Pool::builder().workers(1).backend(Backend::Thread).limits(Limits::new().nice(1));
        assert!(threads.build().unwrap_err().to_string().contains("`limits`"));
        Pool::builder().workers(1).backend(Backend::Thread).limits(Limits::new()).build().unwrap();
    });
}

/// Keeps so many bytes for as long as the process lives.
#[mp::task]
fn grow(bytes: usize) {
    std::mem::forget(vec![0_u8; bytes]);
}

#[test]
fn a_copy_that_has_more_than_it_may_says_so() {
    if !all().contains(&How::Server) {
        return;
    }
    scenario(|| {
        let context = How::Server.context().preload(grow, (64 << 20,));
        let limits = Limits::new().address_space(32 << 20);
        let error = context.process(nothing, ()).limits(limits.clone()).start().unwrap().join().unwrap_err();
        assert!(error.to_string().contains("bytes are less than it has"), "{error}");
        let pool = context.pool_builder().workers(1).limits(limits).build().unwrap();
        let error = pool.apply(nothing, ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CrashLoop, "{error}");
        assert!(error.to_string().contains("bytes are less than it has"), "{error}");
    });
}

/// How many of these there are, and in which process.
#[mp::task]
fn count(events: Vec<Event>) -> (usize, u32) {
    (events.len(), std::process::id())
}

/// Opens all files that this process may.
#[mp::task]
fn leak_files() -> u32 {
    let program = std::env::current_exe().unwrap();
    while let Ok(file) = File::open(&program) {
        std::mem::forget(file);
    }
    std::process::id()
}

/// Few descriptors, and how many locks are too many for them, though a plain copy of this process has no room for any; `None` where the system does not keep such a limit.
fn few_files() -> Option<(Limits, Vec<Event>)> {
    let limits = Limits::new().open_files(40);
    (kept(limits.clone()) == limits).then(|| (limits, (0..50).map(|_| Event::new().unwrap()).collect()))
}

#[test]
fn a_call_that_brings_more_than_any_worker_has_room_for_fails_alone() {
    scenario(|| {
        let Some((limits, events)) = few_files() else { return };
        for &how in clean() {
            let pool = how.context().pool_builder().workers(1).limits(limits.clone()).build().unwrap();
            let error = pool.apply(count, (&events,)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Os, "{how:?}: {error}");
            for part in ["`start::limits::count`", "no descriptors left", "Limits"] {
                assert!(error.to_string().contains(part), "{how:?}: {error}");
            }
            // Handed in before the first has ended, so it may be known already when it is clear that there is no room.
            let calls = [50, 3, 50, 5].map(|some| pool.apply_async(count, (&events[..some],)));
            for (call, some) in calls.into_iter().zip([50, 3, 50, 5]) {
                match call.wait() {
                    Ok((counted, _)) => assert!(counted == some && some < 50, "{how:?}: {counted} of {some}"),
                    Err(error) => assert_eq!((error.kind(), some), (ErrorKind::Os, 50), "{how:?}: {error}"),
                }
            }
        }
    });
}

#[test]
fn what_has_no_room_beside_what_was_left_open_goes_to_a_worker_of_its_own() {
    scenario(|| {
        let Some((limits, events)) = few_files() else { return };
        for &how in clean() {
            // It is not borne that a worker crashes.
            let restart = Restart { at_most: 0, per: Duration::from_secs(60) };
            let builder = how.context().pool_builder().workers(1).restart(restart);
            let pool = builder.limits(limits.clone()).build().unwrap();
            for _ in 0..3 {
                let full = pool.apply(leak_files, ()).unwrap();
                let (counted, other) = pool.apply(count, (&events[..3],)).unwrap();
                assert!(counted == 3 && other != full, "{how:?}: {counted} events in {other}, after {full}");
            }
        }
    });
}

#[mp::task]
fn length(bytes: &[u8]) -> usize {
    bytes.len()
}

/// Maps all the address space that this process may.
#[mp::task]
fn leak_memory() {
    let mut bytes = 1 << 30;
    while bytes >= 1 << 16 {
        let mut memory = Vec::<u8>::new();
        match memory.try_reserve_exact(bytes) {
            Ok(()) => std::mem::forget(memory),
            Err(_) => bytes /= 2,
        }
    }
}

#[test]
fn an_argument_that_cannot_be_mapped_says_so_and_one_that_could_be_is_not_lost() {
    if is_emulated() || is_wine() {
        return; // they take such a limit, and do not keep it
    }
    scenario(|| {
        let limits = Limits::new().address_space(256 << 20);
        if kept(limits.clone()) != limits {
            return;
        }
        let (much, some) = (vec![0; 300 << 20], vec![0; 10 << 20]);
        for &how in clean() {
            let pool = how.context().pool_builder().workers(1).limits(limits.clone()).build().unwrap();
            let error = pool.apply(length, (&much,)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Os, "{how:?}: {error}");
            assert!(error.to_string().contains("bytes of arguments cannot be mapped"), "{how:?}: {error}");
            for _ in 0..3 {
                pool.apply(leak_memory, ()).unwrap();
                assert_eq!(pool.apply(length, (&some,)).unwrap(), some.len(), "{how:?}");
            }
        }
    });
}
