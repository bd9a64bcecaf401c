//! Workers that turn on their parent: bytes that no worker of ours would send.

use crate::rounds;
use crate::table::{builder, whole};
use mp::{Error, ErrorKind, Pool, Restart};
use mp_tests::{Random, Signal, died_of, lives, scenario, send};
use serde::{Deserialize, Serialize};
use std::fs;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// What a task does to the memory that its worker shares with the parent.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Scribble {
    seed: u64,
    /// How many words to overwrite.
    words: u64,
    /// Only this much from the start; the state of the rings is there.
    within: u64,
    /// Abort afterwards, or return.
    dies: bool,
}

#[mp::task]
fn scribble(what: Scribble) -> u64 {
    let mut random = Random::seeded(what.seed);
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let shared: Vec<(usize, usize)> = maps.lines().filter_map(writable_shared).collect();
    assert!(!shared.is_empty(), "no region in\n{maps}");
    for _ in 0..what.words {
        for (start, end) in &shared {
            let len = (end - start).min(what.within as usize) as u64;
            let address = start + (random.below(len) & !7) as usize;
            let value = match random.below(4) {
                0 => 0,
                1 => u64::MAX,
                2 => random.below(4096),
                _ => random.next(),
            };
            // SAFETY: in bounds and aligned, by the lines above; that the bytes are another's to write is the point.
            unsafe { std::ptr::with_exposed_provenance_mut::<u64>(address).write_volatile(value) };
        }
    }
    if what.dies {
        std::process::abort();
    }
    what.seed
}

fn writable_shared(line: &str) -> Option<(usize, usize)> {
    if !line.contains(" rw-s ") || !line.contains("memfd:") {
        return None;
    }
    let (start, end) = line.split(' ').next()?.split_once('-')?;
    Some((usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?))
}

#[mp::task]
fn double(number: u64) -> u64 {
    number * 2
}

fn patient() -> Pool {
    builder(2).restart(Restart { at_most: 20, per: Duration::from_secs(1) }).build().unwrap()
}

/// The pool serves everybody else, whatever one of its workers did.
fn serves(pool: &Pool) {
    let doubled: Vec<u64> = (0..100).map(|number| number * 2).collect();
    assert_eq!(pool.map(double, 0..100_u64).unwrap(), doubled);
    whole(pool, 2);
}

#[test]
fn a_worker_that_scribbles_over_its_shared_memory_and_dies_costs_its_own_call_only() {
    scenario(|| {
        let mut random = Random::new();
        for _ in 0..rounds(60) {
            let pool = patient();
            let others: Vec<_> = (0..20).map(|number| pool.apply_async(double, (number,))).collect();
            for (number, other) in (0..).zip(&others) {
                assert_eq!(other.wait().unwrap(), number * 2);
            }
            let what = attack(&mut random, true);
            // What is said of the death may be garbled too; that it is a failure is certain.
            let error = pool.apply(scribble, (what,)).unwrap_err();
            // Some wipe out the note that they run; those are run again, until the pool has had enough. The death that is
            // one too many may be noticed behind the answer.
            let gave_up = |error: &Error| error.kind() == ErrorKind::CrashLoop;
            if !gave_up(&error) && !pool.apply(double, (1,)).is_err_and(|error| gave_up(&error)) {
                serves(&pool);
            }
        }
    });
}

#[test]
fn a_worker_that_scribbles_over_its_shared_memory_and_goes_on_can_be_killed() {
    scenario(|| {
        let mut random = Random::new();
        for _ in 0..rounds(60) {
            let pool = patient();
            whole(&pool, 2);
            let what = attack(&mut random, false);
            let handle = pool.apply_async(scribble, (what,));
            loop {
                // It may have said that it is done, or may sleep for ever now: a stuck worker like any other. Killed before it
                // began, it runs once more in the next worker, which is killed in its turn.
                let ended = handle.wait_timeout(Duration::from_millis(random.below(20)));
                for worker in pool.workers().iter().filter(|worker| lives(worker.pid)) {
                    let _ = send(worker.pid, Signal::Kill);
                }
                if !ended.is_err_and(|error| error.is_timeout()) {
                    break;
                }
            }
            serves(&pool);
        }
    });
}

fn attack(random: &mut Random, dies: bool) -> Scribble {
    let within = [2 << 10, 12 << 10, 12 << 10, 8 << 20][random.below(4) as usize];
    Scribble { seed: random.next(), words: 1 << random.below(14), within, dies }
}

/// Writes these bytes into every socket of its process, and goes on.
#[mp::task]
fn say(bytes: &[u8], repeat: u32) -> u64 {
    for number in sockets() {
        // SAFETY: duty: open for the length of the borrow: a worker keeps its control socket for life.
        let socket = unsafe { BorrowedFd::borrow_raw(number) };
        for _ in 0..repeat {
            let _ = rustix::io::write(socket, bytes);
        }
    }
    // The parent hears of it while this call runs.
    loop {
        std::thread::park();
    }
}

fn sockets() -> Vec<i32> {
    let entries = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let is_socket = |entry: &fs::DirEntry| {
        fs::read_link(entry.path()).is_ok_and(|target| target.to_string_lossy().starts_with("socket:"))
    };
    entries.filter(is_socket).filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// A frame of the control socket: a length and postcard.
fn frame(payload: &[u8]) -> Vec<u8> {
    [&(payload.len() as u32).to_le_bytes(), payload].concat()
}

#[test]
fn a_worker_that_sends_what_no_worker_sends_is_killed_and_costs_its_own_call_only() {
    scenario(|| {
        let hello = [&[0][..], &[0xb1, 0xee, 0xc1, 0xeb, 0x06], &[1, 1, 1]].concat();
        let cases: [(&str, Vec<u8>); 9] = [
            ("a length beyond the limit", u32::MAX.to_le_bytes().to_vec()),
            ("no bytes", frame(&[])),
            ("an unknown message", frame(&[9])),
            ("a hello that is cut", frame(&[0])),
            ("a second hello", frame(&hello)),
            ("a second ready", frame(&[1])),
            ("an initializer that fails late", frame(&[2, 1, 1, b'T', 1, b'r'])),
            ("a slab without its descriptor", frame(&[3, 7])),
            ("noise", (0..4000_u32).map(|number| (number * 37 % 251) as u8).collect()),
        ];
        for (what, bytes) in cases {
            let pool = patient();
            whole(&pool, 2);
            let error = pool.apply(say, (&bytes, 1_u32)).unwrap_err();
            assert!(error.is_worker_lost(), "{what}: {error:?}");
            let remark = error.worker_lost().unwrap().remark.clone().unwrap_or_default();
            assert!(remark.contains("protocol") || remark.contains("another program"), "{what}: {error:?}");
            serves(&pool);
        }
    });
}

#[test]
fn random_bytes_on_the_control_socket_neither_hang_nor_crash_the_parent() {
    scenario(|| {
        let mut random = Random::new();
        for _ in 0..rounds(60) {
            let pool = patient();
            whole(&pool, 2);
            let workers = pool.workers();
            // Small numbers first, so that some frames look plausible.
            let len = 1 + random.below(40);
            let mut bytes: Vec<u8> = vec![random.below(12) as u8, 0, 0, 0];
            bytes.extend(
                (0..len)
                    .map(|_| if random.below(2) == 0 { random.below(5) as u8 } else { random.next() as u8 }),
            );
            let handle = pool.apply_async(say, (&bytes, 1 + random.below(3) as u32));
            let _ = handle.wait_timeout(Duration::from_millis(20));
            for worker in workers.iter().filter(|worker| lives(worker.pid)) {
                let _ = send(worker.pid, Signal::Kill);
            }
            let _ = handle.wait();
            serves(&pool);
        }
    });
}

/// Closes all descriptors, and goes on.
#[mp::task]
fn close_all(returns: bool) -> u64 {
    for number in 3..256 {
        // SAFETY: none is kept: others own these descriptors, which is the point.
        unsafe { libc::close(number) };
    }
    if returns {
        return 1;
    }
    loop {
        std::thread::park();
    }
}

#[test]
fn a_worker_that_closes_all_its_descriptors_costs_its_call() {
    scenario(|| {
        let pool = patient();
        whole(&pool, 2);
        // Among them are those whose end the kernel takes for the worker's.
        for returns in [true, false] {
            let error = pool.apply(close_all, (returns,)).unwrap_err();
            let report = error.worker_lost().unwrap();
            assert!(died_of(report.status.unwrap(), "SIGKILL"), "{report:?}");
            serves(&pool);
        }
    });
}
