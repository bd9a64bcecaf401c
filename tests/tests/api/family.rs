//! Who a process is, and what it sees of its surroundings.

use crate::gate::{Gate, knock};
use mp::{Backend, ErrorKind, Pool, Process, WorkerInfo};
use mp_tests::{Signal, is_emulated, scenario, send, until};
use std::collections::{BTreeMap, BTreeSet};
#[cfg(not(windows))]
use std::fs;
use std::io::Read;
#[cfg(not(windows))]
use std::thread;

#[mp::task]
fn square(x: i64) -> i64 {
    x * x
}

/// The worker's index, process, name and pool.
#[mp::task]
fn me() -> Option<(u32, u32, String, String)> {
    mp::worker().map(|WorkerInfo { index, pid, name, pool, .. }| (index, pid, name, pool))
}

/// This process's id and name, the parent's, whether it is a worker.
#[mp::task]
fn ancestry() -> ((u32, String), Option<(u32, String)>, bool) {
    let (own, parent) = (mp::current_process(), mp::parent_process());
    ((own.pid, own.name), parent.map(|parent| (parent.pid, parent.name)), mp::is_worker())
}

/// The ancestry of a process that this one starts, and its own name.
#[mp::task]
fn child_ancestry() -> (String, String, Option<(u32, String)>) {
    let ((_, name), parent, _) = mp::spawn(ancestry, ()).unwrap().join().unwrap();
    (mp::current_process().name, name, parent)
}

#[mp::task]
fn arguments() -> Vec<String> {
    std::env::args().collect()
}

#[mp::task]
fn environment() -> BTreeMap<String, String> {
    std::env::vars().collect()
}

#[mp::task]
fn standard_input() -> (usize, bool) {
    let mut bytes = Vec::new();
    let count = std::io::stdin().read_to_end(&mut bytes).unwrap();
    let link = std::fs::read_link("/proc/self/fd/0");
    (count, cfg!(windows) || link.is_ok_and(|link| link.to_str() == Some("/dev/null")))
}

#[mp::task]
fn processors() -> usize {
    mp::cpu_count().get()
}

#[mp::task]
fn sum_of_squares(n: i64) -> i64 {
    Pool::new(2).unwrap().map(square, 0..n).unwrap().into_iter().sum()
}

/// How deep it comes before it is refused, and with which error.
#[mp::task]
fn descend() -> (u32, String) {
    match Pool::new(1) {
        Ok(pool) => {
            let (depth, text) = pool.apply(descend, ()).unwrap();
            (depth + 1, text)
        }
        Err(error) => (0, format!("{:?} {error}", error.kind())),
    }
}

#[mp::task]
fn nested_default_pool() -> usize {
    Pool::default().workers().len()
}

/// What each descriptor is: its kind and, where there is one, its identity.
#[cfg(not(windows))]
fn descriptors() -> BTreeMap<u32, String> {
    use std::os::unix::fs::MetadataExt;
    let entries = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let seen = entries.filter_map(|entry| {
        let number = entry.file_name().to_str()?.parse().ok()?;
        let target = fs::read_link(entry.path()).ok()?.to_str()?.to_owned();
        let inode = fs::metadata(entry.path()).ok()?.ino();
        // The list itself is read through a descriptor.
        (!target.starts_with("/proc/")).then(|| (number, format!("{target} {inode}")))
    });
    seen.collect()
}

// Handles have no names to compare on Windows.
#[cfg(windows)]
fn descriptors() -> BTreeMap<u32, String> {
    BTreeMap::new()
}

#[mp::task]
fn descriptors_at(gate: &str) -> BTreeMap<u32, String> {
    let seen = descriptors();
    knock(gate, 0);
    seen
}

#[test]
fn a_worker_knows_its_place() {
    scenario(|| {
        assert_eq!(mp::worker(), None);
        let pool = Pool::builder().workers(2).name("crew").build().unwrap();
        let known: BTreeSet<_> =
            pool.workers().into_iter().map(|w| Some((w.index, w.pid, w.name, w.pool))).collect();
        let seen: BTreeSet<_> = pool.starmap(me, vec![(); 200]).unwrap().into_iter().collect();
        assert!(seen.is_subset(&known), "{seen:?} {known:?}");
        assert_eq!(mp::spawn(me, ()).unwrap().join().unwrap(), None, "a process of its own is in no pool");
        for backend in [Backend::Thread, Backend::Inline] {
            let pool = Pool::builder().workers(1).name("here").backend(backend).build().unwrap();
            let expected = (0, std::process::id(), "here-0".to_owned(), "here".to_owned());
            assert_eq!(pool.apply(me, ()).unwrap(), Some(expected));
            assert_eq!(mp::worker(), None, "and outside of calls nobody is");
        }
    });
}

#[test]
fn processes_know_their_parents_by_name() {
    scenario(|| {
        let own = mp::current_process();
        assert_eq!((own.pid, own.name.as_str()), (std::process::id(), "main"));
        assert!(mp::parent_process().is_none() && !mp::is_worker());
        let main = Some((std::process::id(), "main".to_owned()));
        let process = Process::new(ancestry, ()).name("child").start().unwrap();
        let pid = process.pid();
        assert_eq!(process.join().unwrap(), ((pid, "child".into()), main.clone(), true));
        let pool = Pool::builder().workers(1).name("crew").build().unwrap();
        let ((_, name), parent, is_worker) = pool.apply(ancestry, ()).unwrap();
        assert_eq!((name.as_str(), parent, is_worker), ("crew-0", main, true));
    });
}

#[test]
fn names_that_were_not_given_follow_the_ancestry() {
    scenario(|| {
        let process = Process::new(child_ancestry, ()).start().unwrap();
        let (pid, given) = (process.pid(), process.name().to_owned());
        let (own, child, parent) = process.join().unwrap();
        assert!(own == given && given.starts_with("process-"), "{given}");
        assert_eq!((child.as_str(), parent), (format!("{given}:1").as_str(), Some((pid, given))));
    });
}

#[test]
fn living_children_are_listed() {
    scenario(|| {
        let gate = Gate::new();
        assert!(mp::active_children().is_empty());
        let process = Process::new(descriptors_at, (gate.name(),)).name("held").start().unwrap();
        let pool = Pool::builder().workers(2).name("crew").build().unwrap();
        let mut names: Vec<_> =
            mp::active_children().into_iter().map(|child| (child.name, child.pid)).collect();
        names.sort();
        let pids: Vec<u32> = pool.workers().iter().map(|worker| worker.pid).collect();
        let expected = [("crew-0", pids[0]), ("crew-1", pids[1]), ("held", process.pid())];
        assert_eq!(names, expected.map(|(name, pid)| (name.to_owned(), pid)));
        drop(pool);
        assert_eq!(mp::active_children().len(), 1);
        drop(gate);
        process.join().unwrap();
        assert!(mp::active_children().is_empty());
    });
}

#[test]
fn a_worker_that_died_is_not_listed_though_nobody_uses_its_pool() {
    scenario(|| {
        let pool = Pool::builder().workers(2).name("crew").build().unwrap();
        let (victim, other) = (pool.workers()[0].pid, pool.workers()[1].pid);
        pool.map(square, 0..10).unwrap();
        send(victim, Signal::Kill).unwrap();
        until(|| mp::active_children().iter().all(|child| child.pid != victim));
        assert!(mp::active_children().iter().any(|child| child.pid == other));
        assert_eq!(pool.map(square, 0..3).unwrap(), [0, 1, 4]);
    });
}

#[test]
fn a_task_sees_the_arguments_and_the_environment_of_its_parent() {
    if is_emulated() {
        return; // qemu-user has the arguments on a stack of its own, where the marker stays in sight
    }
    scenario(|| {
        let (ours, variables): (Vec<_>, BTreeMap<_, _>) =
            (std::env::args().collect(), std::env::vars().collect());
        // musl tells std of the arguments when `main` begins, and a test program serves before that.
        let ours = if cfg!(target_env = "musl") { Vec::new() } else { ours };
        let pool = Pool::new(1).unwrap();
        assert_eq!(pool.apply(arguments, ()).unwrap(), ours);
        assert_eq!(pool.apply(environment, ()).unwrap(), variables);
        assert_eq!(mp::spawn(arguments, ()).unwrap().join().unwrap(), ours);
        assert_eq!(mp::spawn(environment, ()).unwrap().join().unwrap(), variables);
    });
}

#[test]
fn standard_input_of_a_task_is_the_null_device() {
    scenario(|| {
        let null = (0, true);
        assert_eq!(Pool::new(1).unwrap().apply(standard_input, ()).unwrap(), null);
        assert_eq!(mp::spawn(standard_input, ()).unwrap().join().unwrap(), null);
    });
}

#[test]
fn a_worker_counts_its_share_of_the_processors() {
    scenario(|| {
        let all = mp::cpu_count().get();
        let check = |workers: usize, share: usize| {
            let pool = Pool::new(workers).unwrap();
            assert_eq!(pool.apply(processors, ()).unwrap(), share, "of {all} for {workers} workers");
        };
        check(1, all);
        check(2, (all / 2).max(1));
        check(all, 1);
        check(3 * all, 1);
        assert_eq!(mp::spawn(processors, ()).unwrap().join().unwrap(), all);
        let told = Pool::builder().workers(2).env("MP_CPU_COUNT", "5").build().unwrap();
        assert_eq!(told.apply(processors, ()).unwrap(), 5, "unless it was told otherwise");
        for nonsense in ["0", "-1", "4097", "two", ""] {
            let told = Pool::builder().workers(1).env("MP_CPU_COUNT", nonsense).build().unwrap();
            assert_eq!(told.apply(processors, ()).unwrap(), all, "{nonsense:?} says nothing");
        }
        let pool = Pool::new(2).unwrap();
        assert_eq!(pool.apply(nested_default_pool, ()).unwrap(), (all / 2).max(1));
    });
}

#[test]
fn a_task_may_have_a_pool_of_its_own() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        assert_eq!(pool.map(sum_of_squares, [3, 10, 0, 4]).unwrap(), [5, 285, 0, 14]);
        assert_eq!(mp::spawn(sum_of_squares, (4,)).unwrap().join().unwrap(), 14);
        let threads = Pool::builder().workers(2).backend(Backend::Thread).build().unwrap();
        assert_eq!(threads.map(sum_of_squares, [3, 4]).unwrap(), [5, 14]);
    });
}

#[mp::task]
fn a_pool_that_fails(panics: bool) -> Result<(), mp::Error> {
    if panics { Pool::new(1)?.apply(panic_now, ()) } else { Pool::new(0).map(drop) }
}

#[mp::task]
fn panic_now() {
    panic!("below")
}

#[test]
fn a_task_may_return_the_errors_of_mp() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let refused = pool.apply(a_pool_that_fails, (false,)).unwrap().unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput);
        let panicked = pool.apply(a_pool_that_fails, (true,)).unwrap().unwrap_err();
        assert_eq!(panicked.panic().unwrap().message, "below");
        assert!(panicked.task_name().unwrap().ends_with("panic_now"), "{panicked}");
    });
}

#[test]
fn the_depth_of_nested_pools_has_a_limit() {
    scenario(|| {
        let (depth, error) = Pool::new(1).unwrap().apply(descend, ()).unwrap();
        assert_eq!(depth + 1, 8);
        assert!(
            error.starts_with(&format!("{:?}", ErrorKind::TooDeep)) && error.contains("the limit is 8"),
            "{error}"
        );
    });
}

#[cfg(not(windows))]
#[test]
fn only_the_descriptors_meant_for_a_child_reach_it() {
    scenario(|| {
        let file = fs::File::open("/proc/self/exe").unwrap();
        let gate = Gate::new();
        let pool = Pool::new(2).unwrap();
        let handles: Vec<_> = (0..2).map(|_| pool.apply_async(descriptors_at, (gate.name(),))).collect();
        let guests = [gate.guest(), gate.guest()];
        let process = mp::spawn(descriptors_at, (gate.name(),)).unwrap();
        drop((guests, gate.guest()));
        let mut seen: Vec<_> = handles.into_iter().map(|handle| handle.wait().unwrap()).collect();
        seen.push(process.join().unwrap());
        check_strangers(&seen);
        drop(file);
    });
}

#[cfg(not(windows))]
#[test]
fn processes_that_start_at_the_same_time_share_no_descriptors() {
    scenario(|| {
        let gate = Gate::new();
        let seen: Vec<_> = thread::scope(|scope| {
            let start = || {
                let processes: Vec<_> =
                    (0..4).map(|_| mp::spawn(descriptors_at, (gate.name(),)).unwrap()).collect();
                processes.into_iter().map(|process| process.join().unwrap()).collect::<Vec<_>>()
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
            drop((0..32).map(|_| gate.guest()).collect::<Vec<_>>());
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(seen.len(), 32);
        check_strangers(&seen);
    });
}

/// Children share no descriptors with each other but those of the parent that all of them have, and all have as many.
#[cfg(not(windows))]
#[track_caller]
fn check_strangers(seen: &[BTreeMap<u32, String>]) {
    // Whoever started the tests may have left more open than stdout and stderr.
    let passes_exec = |number: u32| {
        // SAFETY: duty: none: a number that is no descriptor is an error.
        let flags = unsafe { libc::fcntl(number.cast_signed(), libc::F_GETFD) };
        flags & libc::FD_CLOEXEC == 0
    };
    let ours = descriptors().into_iter().filter(|(number, _)| passes_exec(*number));
    let ours: BTreeSet<String> = ours.map(|(_, what)| what).collect();
    let own = |map: &BTreeMap<u32, String>| -> BTreeSet<String> {
        // Where there is no eventfd, a bell is a FIFO that has lost its name.
        let is_bell = |what: &str| what.contains("/mp-") && what.contains(" (deleted)");
        let is_known =
            |what: &str| what.contains("anon_inode:") || what.starts_with("/dev/null") || is_bell(what);
        map.values().filter(|what| !is_known(what)).cloned().collect()
    };
    let common: BTreeSet<String> = own(&seen[0]).intersection(&own(&seen[1])).cloned().collect();
    assert!(common.is_subset(&ours), "{common:?}");
    for (index, one) in seen.iter().enumerate() {
        assert_eq!(one.len(), seen[0].len(), "{one:?}\n{:?}", seen[0]);
        for other in &seen[..index] {
            let both: BTreeSet<String> = own(one).intersection(&own(other)).cloned().collect();
            assert_eq!(both, common, "{one:?}\n{other:?}");
        }
    }
}
