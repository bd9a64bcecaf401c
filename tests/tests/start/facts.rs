//! What a task sees of its process.

use crate::scratch::Scratch;
use crate::{How, all, clean};
use mp::{ErrorKind, Output};
use mp_tests::{is_emulated, living_children, scenario};
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
fn nothing() {}

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
        for &how in all() {
            set("MP_START_REMOVED", Some("still there"));
            let context = how.context();
            // The server has its environment and directory from here on.
            context.spawn(nothing, ()).unwrap().join().unwrap();
            set("MP_START_ADDED", Some("later"));
            set("MP_START_REMOVED", None);
            let here = std::env::current_dir().unwrap();
            let scratch = Scratch::new();
            std::fs::create_dir(scratch.file("below")).unwrap();
            std::env::set_current_dir(scratch.file("")).unwrap();
            let there = std::env::current_dir().unwrap();
            // musl tells std of the arguments when `main` begins, and a test program serves before that.
            let is_before_main = cfg!(target_env = "musl") && how != How::Fork;
            let expected = |directory, chosen: Option<&str>| Facts {
                arguments: std::env::args().filter(|_| !is_before_main).collect(),
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
    if is_emulated() {
        return; // qemu-user makes a fork of a vfork: the child's refusal comes too late for the parent
    }
    scenario(|| {
        for &how in all() {
            let context = how.context();
            // The other one is a file.
            for directory in [PathBuf::from("/nowhere/at/all"), std::env::current_exe().unwrap()] {
                let error = context.process(facts, ()).current_dir(directory).start().unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Os, "{how:?}: {error}");
            }
            let root = context.process(facts, ()).current_dir("/").start().unwrap().join().unwrap().directory;
            assert!(root.has_root() && root.parent().is_none(), "{root:?}");
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
        for &how in all() {
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
    let parent = mp::parent_process().unwrap().pid;
    assert!(
        living_children(parent).contains(&std::process::id()),
        "also a copy is the child of who asked for it"
    );
    above.push(parent);
    above
}

#[test]
fn processes_that_start_processes_come_to_the_same_limit() {
    scenario(|| {
        let depths = clean().iter().map(|&how| {
            let parents = how.context().spawn(deeper, (how,)).unwrap().join().unwrap();
            assert_eq!(parents.last(), Some(&std::process::id()));
            parents.len()
        });
        let depths: Vec<usize> = depths.collect();
        assert!(depths[0] > 2 && depths.iter().all(|depth| *depth == depths[0]), "{depths:?}");
    });
}
