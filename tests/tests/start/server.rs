//! A fork server that is killed, stopped, or not wanted any more.

use crate::{How, about_copies, clean, rounds};
use mp::sync::Event;
use mp::{Context, Pool, StartMethod};
use mp_tests::{Random, lives, living_children, until};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use std::collections::BTreeSet;
use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

#[mp::task]
pub fn double(x: u64) -> u64 {
    2 * x
}

#[mp::task]
fn length_of(variable: &str) -> usize {
    std::env::var(variable).map_or(0, |value| value.len())
}

#[mp::task]
fn wait_for(event: Event) -> u32 {
    event.wait();
    std::process::id()
}

/// The children of this process that mp does not name: its fork servers.
pub fn servers() -> BTreeSet<u32> {
    let named: BTreeSet<u32> = mp::active_children().iter().map(|child| child.pid).collect();
    living_children(std::process::id()).difference(&named).copied().collect()
}

pub fn signal(pid: u32, signal: Signal) {
    // It may have died by itself meanwhile.
    let _ = kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal);
}

/// What `/proc` says of a process, from its state on.
fn stat(pid: u32) -> Option<Vec<String>> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(stat.rsplit_once(')')?.1.split_whitespace().map(Into::into).collect())
}

/// The children of this process, the dead ones too that nobody has reaped.
fn all_children() -> BTreeSet<u32> {
    let ourselves = std::process::id().to_string();
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| stat(*pid).is_some_and(|stat| stat[1] == ourselves)).collect()
}

/// Whether it has run a program since it was made (the flag `PF_FORKNOEXEC` is not set): a server, and no copy of one.
fn is_fresh(pid: u32) -> bool {
    stat(pid).is_some_and(|stat| stat[6].parse::<u32>().unwrap() & 0x40 == 0)
}

fn kill_servers() {
    let children = living_children(std::process::id()).into_iter();
    children.filter(|child| is_fresh(*child)).for_each(|server| signal(server, Signal::KILL));
}

#[test]
fn workers_do_not_notice_the_death_of_their_server_and_the_next_start_has_a_new_one() {
    about_copies(|| {
        let context = How::Server.context();
        let pool = context.pool(2).unwrap();
        let go_on = Event::new().unwrap();
        let process = context.spawn(wait_for, (go_on.clone(),)).unwrap();
        let before = servers();
        assert_eq!(before.len(), 1, "one server for all");
        let handles: Vec<_> = (0..50).map(|x| pool.apply_async(double, (x,))).collect();
        before.iter().for_each(|server| signal(*server, Signal::KILL));
        for (x, handle) in (0..).zip(handles) {
            assert_eq!(handle.wait().unwrap(), 2 * x);
        }
        assert!(process.is_alive());
        // A worker that dies now is replaced by a new server.
        let first = pool.workers()[0].pid;
        signal(first, Signal::KILL);
        until(|| {
            pool.apply(double, (1,)).unwrap();
            let there = pool.workers();
            there.len() == 2 && there.iter().all(|worker| worker.pid != first && lives(worker.pid))
        });
        assert_eq!(context.spawn(double, (4,)).unwrap().join().unwrap(), 8);
        let after = servers();
        assert!(after.len() == 1 && after.is_disjoint(&before));
        go_on.set();
        let pid = process.pid();
        assert_eq!(process.join().unwrap(), pid);
    });
}

#[test]
fn a_server_that_is_killed_at_any_moment_costs_no_start() {
    about_copies(|| {
        let mut random = Random::new();
        let before = all_children();
        let context = How::Server.context();
        for _ in 0..rounds(60) {
            std::thread::scope(|scope| {
                for thread in [0_u64, 1] {
                    let context = &context;
                    scope.spawn(move || {
                        for x in 4 * thread..4 * thread + 4 {
                            assert_eq!(context.spawn(double, (x,)).unwrap().join().unwrap(), 2 * x);
                        }
                    });
                }
                let begun = Instant::now();
                let wait = Duration::from_micros(random.below(8000));
                until(|| begun.elapsed() > wait);
                kill_servers();
            });
        }
        drop(context);
        assert_eq!(all_children(), before, "somebody is left, alive or not reaped");
    });
}

/// A pool asks for its next worker before it has the last one.
#[test]
fn a_server_that_is_killed_while_it_makes_several_costs_no_worker() {
    about_copies(|| {
        let mut random = Random::new();
        let before = all_children();
        let context = How::Server.context();
        for _ in 0..rounds(40) {
            let wait = Duration::from_micros(random.below(4000));
            std::thread::scope(|scope| {
                let pool = scope.spawn(|| context.pool(9).unwrap());
                let begun = Instant::now();
                until(|| begun.elapsed() > wait);
                kill_servers();
                let pool = pool.join().unwrap();
                let pids: BTreeSet<_> = pool.workers().iter().map(|worker| worker.pid).collect();
                assert_eq!(pids.len(), 9);
                assert!(pids.is_subset(&all_children()), "each is a child of this process");
                assert_eq!(pool.map(double, 0..20).unwrap(), (0..20).map(|x| 2 * x).collect::<Vec<_>>());
                pool.shutdown(false).unwrap();
            });
        }
        drop(context);
        assert_eq!(all_children(), before, "somebody is left, alive or not reaped");
    });
}

/// Three of these requests fill what there is between this process and the server.
#[test]
fn long_requests_of_a_pool_wait_for_room() {
    about_copies(|| {
        let long = "x".repeat(72_000);
        let context = How::Server.context();
        context.spawn(double, (1,)).unwrap().join().unwrap();
        let server = *servers().first().unwrap();
        signal(server, Signal::STOP);
        std::thread::scope(|scope| {
            let pool = Pool::builder().workers(6).context(&context).env("MP_TEST_LONG", &long);
            let pool = scope.spawn(move || pool.build().unwrap());
            let begun = Instant::now();
            until(|| begun.elapsed() > Duration::from_millis(100));
            signal(server, Signal::CONT);
            let lengths = pool.join().unwrap().map(length_of, ["MP_TEST_LONG"; 12]).unwrap();
            assert_eq!(lengths, [long.len(); 12]);
        });
        assert!(servers().contains(&server), "it is the same one");
    });
}

#[test]
fn a_start_waits_for_a_server_that_is_stopped_for_a_while() {
    about_copies(|| {
        let context = How::Server.context();
        context.spawn(double, (1,)).unwrap().join().unwrap();
        let server = *servers().first().unwrap();
        signal(server, Signal::STOP);
        std::thread::scope(|scope| {
            let start = scope.spawn(|| context.spawn(double, (2,)).unwrap().join().unwrap());
            signal(server, Signal::CONT);
            assert_eq!(start.join().unwrap(), 4);
        });
        assert!(servers().contains(&server), "it is the same one");
    });
}

/// A wait that a signal interrupts is no wait that is over.
#[test]
fn signals_to_the_program_do_not_disturb_a_start() {
    extern "C" fn nothing(_: libc::c_int) {}
    about_copies(|| {
        // SAFETY: duty: an async-signal-safe handler: it has no body.
        unsafe { libc::signal(libc::SIGUSR2, nothing as *const () as libc::sighandler_t) };
        // SAFETY: duty: none, the call takes nothing. On musl it is a pointer, which goes to no other thread.
        let starter = unsafe { libc::pthread_self() } as usize;
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    // SAFETY: duty: a thread that lives: it waits for this one.
                    unsafe { libc::pthread_kill(starter as libc::pthread_t, libc::SIGUSR2) };
                    let begun = Instant::now();
                    until(|| begun.elapsed() > Duration::from_micros(50));
                }
            });
            let sums =
                (0..10_u64).map(|x| How::Server.context().spawn(double, (x,)).and_then(|it| it.join()));
            let sums: Result<Vec<_>, _> = sums.collect();
            done.store(true, Ordering::Relaxed);
            assert_eq!(sums.unwrap(), (0..10).map(|x| 2 * x).collect::<Vec<_>>());
        });
        // SAFETY: duty: a valid disposition: the default is one.
        unsafe { libc::signal(libc::SIGUSR2, libc::SIG_DFL) };
    });
}

/// Takes as long as a handshake may.
#[test]
fn a_server_that_is_stopped_for_ever_is_replaced() {
    about_copies(|| {
        let context = How::Server.context();
        context.spawn(double, (1,)).unwrap().join().unwrap();
        let server = *servers().first().unwrap();
        signal(server, Signal::STOP);
        assert_eq!(context.spawn(double, (2,)).unwrap().join().unwrap(), 4);
        assert!(!lives(server));
    });
}

#[test]
fn a_server_ends_with_its_context_and_what_was_made_with_it_goes_on() {
    about_copies(|| {
        let context = How::Server.context();
        let other = context.clone();
        let go_on = Event::new().unwrap();
        // Dropped at once: the copy may not have taken its first step.
        let processes: Vec<_> = (0..20)
            .map(|_| {
                let context = How::Server.context();
                context.spawn(wait_for, (go_on.clone(),)).unwrap()
            })
            .collect();
        assert!(servers().is_empty(), "each went with its context");
        let pool = context.pool(2).unwrap();
        drop(context);
        assert_eq!(servers().len(), 1, "the clone has it");
        drop(other);
        assert_eq!(servers().len(), 1, "and the pool");
        signal(pool.workers()[0].pid, Signal::KILL);
        assert_eq!(pool.map(double, 0..4_u64).unwrap(), [0, 2, 4, 6]);
        drop(pool);
        assert!(servers().is_empty());
        go_on.set();
        for process in processes {
            let pid = process.pid();
            assert_eq!(process.join().unwrap(), pid);
        }
    });
}

#[test]
fn all_that_name_the_method_share_one_server() {
    about_copies(|| {
        // In a program of its own: that server stays as long as the program.
        let output =
            std::process::Command::new(env!("CARGO_BIN_EXE_start_program")).arg("shared").output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "one for all, one for a context\n");
    });
}

#[test]
fn a_context_says_what_it_is() {
    about_copies(|| {
        assert_eq!(Context::default().method(), StartMethod::Spawn);
        assert_eq!(Context::new(StartMethod::ForkServer).method(), StartMethod::ForkServer);
        assert!(matches!(How::Fork.context().method(), StartMethod::Fork(_)));
    });
}

/// Where this thread may run.
fn places() -> String {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    status.lines().find(|line| line.starts_with("Cpus_allowed:")).unwrap().to_owned()
}

#[test]
fn who_has_waited_for_a_copy_may_run_everywhere_it_might_before() {
    about_copies(|| {
        let (before, context) = (places(), How::Server.context());
        assert_eq!(context.spawn(double, (1,)).unwrap().join().unwrap(), 2);
        assert_eq!(places(), before);
        let go_on = Event::new().unwrap();
        let waiting = context.spawn(wait_for, (go_on.clone(),)).unwrap();
        for timeout in [Duration::ZERO, Duration::from_millis(1), Duration::from_millis(30)] {
            assert!(waiting.join_timeout(timeout).unwrap_err().is_timeout());
            assert_eq!(places(), before);
        }
        go_on.set();
        waiting.join().unwrap();
        assert_eq!(places(), before);
    });
}

#[mp::task]
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn a_copy_of_a_fork_server_has_the_descriptors_of_a_fresh_process() {
    about_copies(|| {
        let [spawned, copied] = [How::Spawn, How::Server].map(|how| {
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
    about_copies(|| {
        for &how in clean() {
            assert_eq!(how.context().spawn(further_heaps, ()).unwrap().join().unwrap(), 0, "{how:?}");
        }
    });
}

/// Waits until the thread that watches over this process may run where the others may.
#[mp::task]
fn until_the_watch_roams() -> bool {
    let allowed = |status: &str| {
        status.lines().find_map(|line| line.strip_prefix("Cpus_allowed:")).map(|cpus| cpus.trim().to_owned())
    };
    let ours = allowed(&std::fs::read_to_string("/proc/self/status").unwrap());
    until(|| {
        let statuses = std::fs::read_dir("/proc/self/task").unwrap().flatten();
        let mut statuses = statuses.filter_map(|one| std::fs::read_to_string(one.path().join("status")).ok());
        statuses.any(|status| status.starts_with("Name:\tmp-watch\n") && allowed(&status) == ours)
    });
    ours.is_some()
}

#[test]
fn the_thread_that_watches_over_a_process_is_not_kept_on_one_processor() {
    about_copies(|| {
        for &how in clean() {
            assert!(how.context().spawn(until_the_watch_roams, ()).unwrap().join().unwrap(), "{how:?}");
        }
    });
}

#[test]
fn a_start_that_runs_out_of_descriptors_says_so_and_leaves_no_zombie() {
    about_copies(|| {
        /// Beyond what is open and what there is to be left.
        const DESCRIPTORS: u64 = 128;
        let before = getrlimit(Resource::Nofile);
        for &how in crate::all() {
            let context = how.context();
            assert_eq!(context.spawn(double, (1,)).unwrap().join().unwrap(), 2);
            let children = all_children();
            // Each of them is the one too many once.
            for left in 0..24 {
                setrlimit(Resource::Nofile, Rlimit { current: Some(DESCRIPTORS), ..before }).unwrap();
                let mut held: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
                held.truncate(held.len() - left);
                let outcome = context.spawn(double, (21,));
                drop(held);
                setrlimit(Resource::Nofile, before).unwrap();
                match outcome {
                    // A copy of this process finds as few.
                    Ok(process) if how == How::Fork => drop(process.join()),
                    Ok(process) => assert_eq!(process.join().unwrap(), 42),
                    Err(error) => {
                        let text = error.to_string();
                        assert!(text.contains("cannot start the process \""), "{how:?}, {left} left: {text}");
                        assert!(text.contains("os error 24"), "{how:?}, {left} left: {text}");
                        assert!(text.contains("`ulimit -n`"), "{how:?}, {left} left: {text}");
                    }
                }
                until(|| all_children().is_subset(&children));
            }
        }
    });
}
