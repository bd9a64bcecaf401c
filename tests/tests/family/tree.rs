//! No orphan, no litter: promise 3.

use crate::scratch::Scratch;
use mp_tests::{Random, Signal, family, lives, marked, scenario, send, sleeper, until};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

/// Processes of a whole `family_tree`: itself, 6 workers, a process, a nested worker, and 3 `sleep`s.
const WHOLE: usize = 12;

/// Where the kernel does not wake a process for its parent's death, one that stops itself right after it stays as it is.
const STOPPED_ARE_WOKEN: bool =
    cfg!(any(all(target_os = "linux", not(mp_portable_unix)), target_os = "freebsd", windows));

fn is_stopped(pid: u32) -> bool {
    let state = Command::new("ps").args(["-o", "state=", "-p"]).arg(pid.to_string()).output().unwrap();
    state.stdout.trim_ascii().starts_with(b"T")
}

/// The mark of a new family.
pub fn new_mark() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn kill(pid: u32) {
    // It may have died by itself meanwhile.
    let _ = send(pid, Signal::Kill);
}

fn start_tree(name: &str, temporary: &Path) -> Child {
    let mut command = marked(env!("CARGO_BIN_EXE_family_tree"), name);
    command.env("TMPDIR", temporary).env("TMP", temporary);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_whose_first_thread_has_ended_does_not_stay_either() {
    use std::io::{BufRead, BufReader, Read};
    scenario(|| {
        let mut command = marked(env!("CARGO_BIN_EXE_family_tree"), &new_mark());
        let mut parent = command.arg("headless").stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(parent.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        assert_eq!(line, "headless\n");
        kill(parent.id());
        parent.wait().unwrap();
        // It ends when nobody is left who could write there.
        said.read_to_string(&mut line).unwrap();
        assert_eq!(line, "headless\n");
    });
}

/// Waits until nobody of the family lives, and looks for files.
fn check_gone(name: &str, scratch: &Scratch) -> Duration {
    let begun = Instant::now();
    until(|| family(name).is_empty());
    let left: Vec<_> = fs::read_dir(scratch.file("")).unwrap().flatten().map(|entry| entry.path()).collect();
    assert!(left.is_empty(), "temporary files: {left:?}");
    begun.elapsed()
}

#[test]
fn nothing_is_left_of_a_family_whose_parent_is_killed_at_any_moment() {
    for _ in 0..crate::rounds(1) {
        scenario(|| {
            let mut random = Random::new();
            let mut longest = Duration::ZERO;
            for round in 0..20 {
                let (name, scratch) = (new_mark(), Scratch::new());
                let mut parent = start_tree(&name, &scratch.file(""));
                if round % 2 == 0 || !STOPPED_ARE_WOKEN {
                    until(|| family(&name).len() == WHOLE);
                    until(|| STOPPED_ARE_WOKEN || family(&name).into_iter().any(is_stopped));
                } else {
                    // Not to wait for anything: any moment will do.
                    thread::sleep(Duration::from_micros(random.below(40_000)));
                }
                kill(parent.id());
                parent.wait().unwrap();
                longest = longest.max(check_gone(&name, &scratch));
            }
            println!("the last one was gone after {longest:?}");
        });
    }
}

#[test]
fn nothing_is_left_of_a_family_that_is_killed_all_at_once() {
    scenario(|| {
        for _ in 0..3 {
            let (name, scratch) = (new_mark(), Scratch::new());
            let mut parent = start_tree(&name, &scratch.file(""));
            until(|| family(&name).len() == WHOLE);
            family(&name).into_iter().for_each(kill);
            parent.wait().unwrap();
            check_gone(&name, &scratch);
        }
    });
}

/// Those of a family that are the program and its workers: not what tasks have started.
#[cfg(all(target_os = "linux", not(mp_portable_unix)))]
fn members_of_ours(name: &str) -> Vec<u32> {
    // Of an emulated program others see the emulator, and so do we here.
    let program =
        if mp_tests::is_emulated() { "/proc/thread-self/exe" } else { env!("CARGO_BIN_EXE_family_tree") };
    let program = fs::canonicalize(program).unwrap();
    let is_ours = |pid: &u32| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|path| path == program);
    family(name).into_iter().filter(is_ours).collect()
}

// Elsewhere nobody knows of them who is not killed.
#[cfg(all(target_os = "linux", not(mp_portable_unix)))]
#[test]
fn what_tasks_started_is_gone_when_nobody_is_left_who_knows_of_it() {
    scenario(|| {
        let name = new_mark();
        let mut command = marked(env!("CARGO_BIN_EXE_family_tree"), &name);
        command.arg("plain").stdout(Stdio::null()).stderr(Stdio::null());
        let mut parent = command.spawn().unwrap();
        // The program, two workers and a nested one, a process, and three `sleep`s, which are ours until they have called exec.
        until(|| family(&name).len() == 8 && members_of_ours(&name).len() == 5);
        let ours = members_of_ours(&name);
        // None of them can look after another: all stand still when the first is killed.
        for pid in &ours {
            send(*pid, Signal::Stop).unwrap();
        }
        ours.into_iter().for_each(kill);
        parent.wait().unwrap();
        until(|| family(&name).is_empty());
    });
}

/// Stops its process again and again, and counts how often somebody has it go on.
#[cfg(all(target_os = "linux", not(mp_portable_unix)))]
#[mp::task]
fn stop(wakes: mp::sync::Semaphore) {
    loop {
        mp_tests::send_self(Signal::Stop);
        wakes.release().unwrap();
    }
}

// A stop takes a wake-up away that is under way, and the kernel sends no other.
#[cfg(all(target_os = "linux", not(mp_portable_unix)))]
#[test]
fn a_worker_that_was_started_by_a_thread_that_has_ended_is_woken_up_more_than_once() {
    scenario(|| {
        let wakes = mp::sync::Semaphore::new(0).unwrap();
        let (go_on, until_then) = std::sync::mpsc::channel::<()>();
        let (give, take) = std::sync::mpsc::channel();
        let starter = thread::spawn(move || {
            give.send(mp::Pool::new(1).unwrap()).unwrap();
            until_then.recv().unwrap_err();
        });
        let pool = take.recv().unwrap();
        let stopping = pool.apply_async(stop, (wakes.clone(),));
        until(|| is_stopped(pool.workers()[0].pid));
        drop(go_on);
        starter.join().unwrap();
        for _ in 0..3 {
            wakes.acquire();
        }
        pool.terminate();
        assert!(stopping.wait().is_err());
    });
}

// Nobody tells how much is unread there.
#[cfg(not(windows))]
#[test]
fn a_worker_whose_stderr_stands_still_does_not_outlive_its_parent() {
    scenario(|| {
        let name = new_mark();
        let mut command = marked(env!("CARGO_BIN_EXE_family_tree"), &name);
        command.arg("chatty").stdout(Stdio::null()).stderr(Stdio::piped());
        let mut parent = command.spawn().unwrap();
        let unread = parent.stderr.take().unwrap();
        // 16 pages of a chunk each: there is no room for one more.
        until(|| rustix::io::ioctl_fionread(&unread).unwrap() > 40_000);
        kill(parent.id());
        parent.wait().unwrap();
        until(|| family(&name).is_empty());
        drop(unread);
    });
}

/// Starts `sleep`, says which process that is, and waits for it.
#[mp::task]
fn sleep(says: PathBuf) {
    let mut child = sleeper().spawn().unwrap();
    fs::write(says.with_extension("new"), child.id().to_string()).unwrap();
    fs::rename(says.with_extension("new"), says).unwrap();
    child.wait().unwrap();
}

/// Does the same in a pool of its own.
#[mp::task]
fn nested_sleep(says: PathBuf) {
    let _ = mp::Pool::new(1).unwrap().apply(sleep, (says,));
}

fn said(says: &Path) -> u32 {
    until(|| says.exists());
    fs::read_to_string(says).unwrap().parse().unwrap()
}

#[test]
fn what_a_task_started_is_gone_with_its_killed_worker() {
    scenario(|| {
        for deep in [false, true] {
            let scratch = Scratch::new();
            let says = scratch.file("pid");
            let pool = mp::Pool::new(1).unwrap();
            let worker = pool.workers()[0].pid;
            let handle = if deep {
                pool.apply_async(nested_sleep, (says.clone(),))
            } else {
                pool.apply_async(sleep, (says.clone(),))
            };
            let asleep = said(&says);
            kill(worker);
            assert!(handle.wait().unwrap_err().is_worker_lost());
            until(|| !lives(asleep));
        }
    });
}

#[test]
fn what_a_task_started_is_gone_with_its_terminated_pool() {
    scenario(|| {
        for deep in [false, true] {
            let scratch = Scratch::new();
            let says = scratch.file("pid");
            let pool = mp::Pool::new(1).unwrap();
            let handle = if deep {
                pool.apply_async(nested_sleep, (says.clone(),))
            } else {
                pool.apply_async(sleep, (says.clone(),))
            };
            let asleep = said(&says);
            pool.terminate();
            assert!(handle.wait().unwrap_err().is_closed());
            until(|| !lives(asleep));
        }
    });
}
