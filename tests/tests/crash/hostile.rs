//! Workers that turn on their parent: bytes that no worker of ours would send, and connections that are cut.

use crate::table::{builder, whole};
use crate::{rounds, where_slow};
use mp::{Pool, Restart};
use mp_tests::{MESSAGE_HEAD, Random, Signal, close_everything, died_of, lives, say_to_all, scenario, send};
use std::time::Duration;

#[mp::task]
pub fn double(number: u64) -> u64 {
    number * 2
}

pub fn patient() -> Pool {
    builder(2).restart(Restart { at_most: 20, per: Duration::from_secs(1) }).build().unwrap()
}

/// The pool serves everybody else, whatever one of its workers did.
pub fn serves(pool: &Pool) {
    let doubled: Vec<u64> = (0..100).map(|number| number * 2).collect();
    assert_eq!(pool.map(double, 0..100_u64).unwrap(), doubled);
    whole(pool, 2);
}

/// Writes these bytes into every connection that its process has to another one, and goes on.
#[mp::task]
fn say(bytes: &[u8], repeat: u32) -> u64 {
    for _ in 0..repeat {
        say_to_all(bytes);
    }
    // The parent hears of it while this call runs.
    loop {
        std::thread::park();
    }
}

/// A frame of the control socket: a length and postcard.
fn frame(payload: &[u8]) -> Vec<u8> {
    [&(payload.len() as u32).to_le_bytes(), payload].concat()
}

/// Messages that the system's half of the control socket refuses. On Unix there is none: the kernel keeps what it adds apart.
fn without_sense() -> Vec<(&'static str, Vec<u8>)> {
    if MESSAGE_HEAD.is_empty() {
        return Vec::new();
    }
    // The head: a process, and how many of its handles come along; their numbers follow.
    let head = |pid: u32, count: u32| [pid.to_le_bytes(), count.to_le_bytes()].concat();
    let of_nobody = [&head(u32::MAX, 1)[..], &[0x10, 0, 0, 0, 0, 0, 0, 0], &frame(&[1])].concat();
    vec![
        ("half a head", vec![0; 5]),
        ("a head that claims more handles than there are", head(0, u32::MAX)),
        ("a handle of nobody", of_nobody),
    ]
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
        let cases = cases.map(|(what, bytes)| (what, [MESSAGE_HEAD, &bytes].concat()));
        for (what, bytes) in cases.into_iter().chain(without_sense()) {
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
        for _ in 0..rounds(where_slow(60, 12)) {
            let pool = patient();
            whole(&pool, 2);
            let workers = pool.workers();
            // Small numbers first, so that some frames look plausible.
            let len = 1 + random.below(40);
            let head = if random.below(4) == 0 { &[] } else { MESSAGE_HEAD };
            let mut bytes: Vec<u8> = [head, &[random.below(12) as u8, 0, 0, 0]].concat();
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
    close_everything();
    if returns {
        return 1;
    }
    loop {
        std::thread::park();
    }
}

#[test]
fn a_worker_that_closes_all_its_descriptors_costs_its_call() {
    if cfg!(all(target_os = "linux", mp_portable_unix)) {
        return; // Linux keeps a socket open while a thread sleeps on it in poll(2), as the one that watches does there
    }
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
