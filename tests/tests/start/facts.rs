//! What a task sees of its process.

use crate::scratch::Scratch;
use crate::{ALL, CLEAN, How};
use mp::{ErrorKind, Output};
use mp_tests::scenario;
use serde::{Deserialize, Serialize};
use std::io::{Read, Write};
use std::path::PathBuf;

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Facts {
    arguments: Vec<String>,
    path: Option<String>,
    added: Option<String>,
    removed: Option<String>,
    chosen: Option<String>,
    directory: PathBuf,
    name: String,
    parent: (u32, String),
    is_worker: bool,
    children: usize,
    processors: usize,
    stdin: Vec<u8>,
}

#[mp::task]
fn facts() -> Facts {
    let variable = |name: &str| std::env::var(name).ok();
    let parent = mp::parent_process().unwrap();
    let mut stdin = Vec::new();
    std::io::stdin().read_to_end(&mut stdin).unwrap();
    Facts {
        arguments: std::env::args().collect(),
        path: variable("PATH"),
        added: variable("MP_START_ADDED"),
        removed: variable("MP_START_REMOVED"),
        chosen: variable("MP_START_CHOSEN"),
        directory: std::env::current_dir().unwrap(),
        name: mp::current_process().name,
        parent: (parent.pid, parent.name),
        is_worker: mp::is_worker(),
        children: mp::active_children().len(),
        processors: mp::cpu_count().get(),
        stdin,
    }
}

#[mp::task]
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Changes the environment of this process, which runs one test at a time.
fn set(name: &str, value: Option<&str>) {
    // SAFETY: duty: nobody else looks at the environment: `scenario` holds back the other tests, and mp is not at work.
    unsafe {
        match value {
            Some(value) => std::env::set_var(name, value),
            None => std::env::remove_var(name),
        }
    }
}

#[test]
fn a_task_sees_the_same_whatever_started_its_process() {
    scenario(|| {
        for how in ALL {
            set("MP_START_REMOVED", Some("still there"));
            let context = how.context();
            // The server has its environment and directory from here on.
            context.spawn(descriptors, ()).unwrap().join().unwrap();
            set("MP_START_ADDED", Some("later"));
            set("MP_START_REMOVED", None);
            let here = std::env::current_dir().unwrap();
            let scratch = Scratch::new();
            std::fs::create_dir(scratch.file("below")).unwrap();
            std::env::set_current_dir(scratch.file("")).unwrap();
            let there = std::env::current_dir().unwrap();
            let expected = |directory, chosen: Option<&str>| Facts {
                arguments: std::env::args().collect(),
                path: std::env::var("PATH").ok(),
                added: Some("later".into()),
                removed: None,
                chosen: chosen.map(Into::into),
                directory,
                name: "subject".into(),
                parent: (std::process::id(), "main".into()),
                is_worker: true,
                children: 0,
                processors: mp::cpu_count().get(),
                stdin: Vec::new(),
            };
            let process = || context.process(facts, ()).name("subject");
            let seen = |process: mp::Process<Facts>| process.start().unwrap().join().unwrap();
            assert_eq!(seen(process()), expected(there.clone(), None), "{how:?}");
            let chosen = process().env("MP_START_CHOSEN", "yes").current_dir("below");
            assert_eq!(seen(chosen), expected(there.join("below"), Some("yes")), "{how:?}");
            assert_eq!(seen(process().current_dir(&here)), expected(here.clone(), None), "{how:?}");
            std::env::set_current_dir(here).unwrap();
            set("MP_START_ADDED", None);
        }
    });
}

#[test]
fn a_directory_that_cannot_be_entered_is_an_error_of_the_start() {
    scenario(|| {
        for how in ALL {
            let context = how.context();
            for directory in ["/nowhere/at/all", "/proc/self/stat"] {
                let error = context.process(facts, ()).current_dir(directory).start().unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Os, "{how:?}: {error}");
            }
            assert_eq!(
                context.process(facts, ()).current_dir("/").start().unwrap().join().unwrap().directory,
                PathBuf::from("/")
            );
        }
    });
}

#[test]
fn a_copy_of_a_fork_server_has_the_descriptors_of_a_fresh_process() {
    scenario(|| {
        let [spawned, copied] = CLEAN.map(|how| {
            let context = how.context();
            let counts = [(); 3].map(|()| context.spawn(descriptors, ()).unwrap().join().unwrap());
            assert!(counts.iter().all(|count| *count == counts[0]), "{how:?}: {counts:?}");
            counts[0]
        });
        assert_eq!(copied, spawned);
    });
}

/// How many heaps there are beside the first, once the thread that watches over this process has begun. glibc gives one to
/// each thread that allocates, and reserves 64 MiB for it.
#[mp::task]
fn further_heaps() -> usize {
    let watches = || {
        let threads = std::fs::read_dir("/proc/self/task").unwrap();
        threads.flatten().any(|one| {
            std::fs::read_to_string(one.path().join("comm")).is_ok_and(|name| name.trim() == "mp-watch")
        })
    };
    while !watches() {
        std::thread::yield_now();
    }
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let reserved = |line: &&str| {
        let (range, rest) = line.split_once(' ').unwrap();
        let (start, end) = range.split_once('-').unwrap();
        let at = |text| u64::from_str_radix(text, 16).unwrap();
        rest.starts_with("---p") && at(end) - at(start) > 32 << 20
    };
    maps.lines().filter(reserved).count()
}

#[test]
fn to_be_watched_over_costs_a_process_no_second_heap() {
    scenario(|| {
        for how in CLEAN {
            assert_eq!(how.context().spawn(further_heaps, ()).unwrap().join().unwrap(), 0, "{how:?}");
        }
    });
}

#[mp::task]
fn talk() {
    // Not by `print!`: the test harness has an eye on the thread that is copied.
    std::io::stdout().write_all(b"half a line").unwrap();
    std::io::stdout().flush().unwrap();
    std::io::stderr().write_all(b"on stderr\n").unwrap();
}

#[mp::task]
fn last_words() {
    std::io::stderr().write_all(b"the last words").unwrap();
    std::process::abort();
}

#[test]
fn the_streams_of_a_process_lead_where_they_should() {
    scenario(|| {
        for how in ALL {
            let context = how.context();
            let (mut out, to_out) = std::io::pipe().unwrap();
            let (mut err, to_err) = std::io::pipe().unwrap();
            let process = context.process(talk, ()).stdout(to_out).stderr(to_err);
            process.start().unwrap().join().unwrap();
            let said = |pipe: &mut std::io::PipeReader| {
                let mut text = String::new();
                pipe.read_to_string(&mut text).unwrap();
                text
            };
            assert_eq!(
                (said(&mut out), said(&mut err)),
                ("half a line".into(), "on stderr\n".into()),
                "{how:?}"
            );
            context
                .process(talk, ())
                .stdout(Output::Null)
                .stderr(Output::Null)
                .start()
                .unwrap()
                .join()
                .unwrap();
            let error = context.spawn(last_words, ()).unwrap().join().unwrap_err();
            assert!(
                error.worker_lost().unwrap().stderr_tail.contains("the last words"),
                "{how:?}: {error:?}"
            );
        }
    });
}

/// How many processes deep this can go on, and who the parents are.
#[mp::task]
fn deeper(how: How) -> Vec<u32> {
    let mut above = match how.context().spawn(deeper, (how,)) {
        Ok(process) => process.join().unwrap(),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::TooDeep, "{error}");
            Vec::new()
        }
    };
    // SAFETY: duty: none, the call takes nothing.
    let parent = unsafe { libc::getppid() }.cast_unsigned();
    assert_eq!(mp::parent_process().unwrap().pid, parent, "a copy is the child of who asked for it");
    above.push(parent);
    above
}

#[test]
fn processes_that_start_processes_come_to_the_same_limit() {
    scenario(|| {
        let depths = CLEAN.map(|how| {
            let parents = how.context().spawn(deeper, (how,)).unwrap().join().unwrap();
            assert_eq!(parents.last(), Some(&std::process::id()));
            parents.len()
        });
        assert_eq!(depths[0], depths[1]);
        assert!(depths[0] > 2);
    });
}
