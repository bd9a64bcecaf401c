//! Values of every length: in the ring, just above it, and up to a gigabyte.

use mp::sync::Event;
use mp::{Backend, Pool};
use mp_tests::scenario;
#[cfg(target_os = "linux")]
use mp_tests::until;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The longest payload that goes through the ring, and what the ring holds.
const INLINE: usize = 256 << 10;
const RING: usize = 1 << 20;

#[mp::task]
fn digest(bytes: &[u8]) -> (usize, u64) {
    (bytes.len(), fold(bytes))
}

#[mp::task]
fn pattern(len: usize) -> Vec<u8> {
    made(len)
}

#[mp::task]
fn reversed(mut text: String) -> String {
    text = text.chars().rev().collect();
    text
}

#[mp::task]
fn ends(bytes: &[u8]) -> (usize, u8, u8) {
    (bytes.len(), bytes[0], bytes[bytes.len() - 1])
}

#[mp::task]
fn blank(len: usize) -> Vec<u8> {
    vec![9; len]
}

/// How many calls ran in this worker before this one.
#[mp::task]
fn ran_before(_: &[u8]) -> u64 {
    static RAN: AtomicU64 = AtomicU64::new(0);
    RAN.fetch_add(1, Relaxed)
}

#[mp::task]
fn wait_for(event: Event) {
    event.wait();
}

/// A digest that sees every byte's place, eight bytes at a time: these tests run unoptimised.
fn fold(bytes: &[u8]) -> u64 {
    let words = bytes.chunks(8).map(|chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_le_bytes(word)
    });
    words.fold(7, |sum, word| sum.rotate_left(5) ^ word)
}

fn made(len: usize) -> Vec<u8> {
    (0_u32..).flat_map(u32::to_le_bytes).take(len).collect()
}

/// The lengths around `edge`, where off-by-one mistakes live: a header and a length prefix may lie in between.
fn around(edge: usize) -> impl Iterator<Item = usize> {
    [edge - 200, edge - 72, edge - 68, edge - 67, edge - 65, edge - 64, edge - 9, edge - 1, edge, edge + 1]
        .into_iter()
}

#[test]
fn arguments_of_every_length_arrive_whole() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        let lengths = [0, 1, 127, 128, 16_383, 16_384, 300 << 10, 5 << 20];
        for len in lengths.into_iter().chain(around(16 << 10)).chain(around(INLINE)).chain(around(RING)) {
            let bytes = made(len);
            assert_eq!(pool.apply(digest, (&bytes,)).unwrap(), (len, fold(&bytes)), "{len} bytes");
        }
    });
}

#[test]
fn results_of_every_length_come_back_whole() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        let lengths = [0, 1, 127, 128, 16_383, 16_384, 300 << 10, 5 << 20];
        for len in lengths.into_iter().chain(around(INLINE)).chain(around(RING)) {
            assert!(pool.apply(pattern, (len,)).unwrap() == made(len), "{len} bytes");
        }
    });
}

#[test]
fn a_process_takes_and_returns_values_of_every_length() {
    scenario(|| {
        for len in [0, INLINE - 64, INLINE, INLINE + 1, RING, 3 << 20] {
            let bytes = made(len);
            assert_eq!(
                mp::spawn(digest, (&bytes,)).unwrap().join().unwrap(),
                (len, fold(&bytes)),
                "{len} bytes"
            );
            assert!(mp::spawn(pattern, (len,)).unwrap().join().unwrap() == bytes, "{len} bytes back");
        }
    });
}

#[test]
fn a_map_may_mix_short_and_long_items() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        let lengths: Vec<usize> = (0..60).map(|n| if n % 7 == 3 { 400 << 10 } else { n * 10 }).collect();
        let items: Vec<Vec<u8>> = lengths.iter().map(|len| made(*len)).collect();
        let expected: Vec<_> = items.iter().map(|item| (item.len(), fold(item))).collect();
        assert_eq!(pool.map(digest, &items).unwrap(), expected);
        assert_eq!(pool.map_async(digest, &items).wait().unwrap(), expected);
        assert_eq!(pool.imap(digest, &items).collect::<Result<Vec<_>, _>>().unwrap(), expected);
        assert!(pool.map(pattern, lengths).unwrap() == items);
    });
}

#[test]
fn long_values_pass_on_threads_too() {
    scenario(|| {
        for backend in [Backend::Thread, Backend::Inline] {
            let pool = Pool::builder().workers(1).backend(backend).build().unwrap();
            let bytes = made(3 << 20);
            assert_eq!(pool.apply(digest, (&bytes,)).unwrap(), (bytes.len(), fold(&bytes)));
            assert!(pool.apply(pattern, (bytes.len(),)).unwrap() == bytes);
        }
    });
}

#[test]
fn a_long_text_travels_both_ways() {
    scenario(|| {
        let text = "añb".repeat(100_000);
        let back = Pool::new(1).unwrap().apply(reversed, (&text,)).unwrap();
        assert!(back == text.chars().rev().collect::<String>());
    });
}

#[mp::task]
fn echo(bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

#[mp::task]
fn echo_boxed(bytes: Box<[u8]>) -> Box<[u8]> {
    bytes
}

/// A task that keeps what it was given and returns what it had before.
#[mp::task]
fn exchange(bytes: Vec<u8>) -> Vec<u8> {
    static MINE: Mutex<Vec<u8>> = Mutex::new(Vec::new());
    std::mem::replace(&mut *MINE.lock().unwrap(), bytes)
}

#[test]
fn what_comes_back_is_what_was_sent_whatever_was_sent_before() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let mut before = Vec::new();
        let lengths =
            [5 << 20, 5 << 20, 3 << 20, 2 << 20, 300 << 10, (5 << 20) + 1, 100, 4 << 20, 1 << 20, 0];
        for len in lengths.into_iter().chain(around(INLINE)) {
            let mut bytes = made(len);
            bytes.rotate_left(len / 3);
            assert!(pool.apply(echo, (&bytes,)).unwrap() == bytes, "{len} bytes");
            assert!(
                *pool.apply(echo_boxed, (bytes.clone().into_boxed_slice(),)).unwrap() == *bytes,
                "{len} bytes in a box"
            );
            assert!(pool.apply(exchange, (&bytes,)).unwrap() == before, "before {len} bytes");
            before = bytes;
        }
    });
}

#[mp::task]
fn first(bytes: Vec<u8>, len: usize) -> Vec<u8> {
    bytes[..len].into()
}

#[test]
fn what_comes_back_lies_in_the_memory_of_what_was_sent() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        for len in [4 << 20, INLINE + 100, 5 << 20] {
            let sent = made(len);
            let (place, expected) = (sent.as_ptr(), sent.clone());
            let back = pool.apply(echo, (sent,)).unwrap();
            assert!(back == expected, "{len} bytes");
            assert_eq!(back.as_ptr(), place, "{len} bytes");
            let boxed = back.into_boxed_slice();
            let place = boxed.as_ptr();
            let back = pool.apply(echo_boxed, (boxed,)).unwrap();
            assert!(*back == *expected, "{len} bytes in a box");
            assert_eq!(back.as_ptr(), place, "{len} bytes in a box");
        }
        let few = pool.apply(first, (made(8 << 20), 1 << 20)).unwrap();
        assert!(few == made(8 << 20)[..1 << 20]);
        assert!(few.capacity() <= 2 << 20, "{} bytes are kept for 1 MiB", few.capacity());
    });
}

/// Sets `about_to_return` and returns so many bytes.
#[mp::task]
fn many(len: usize, about_to_return: Event) -> Vec<u8> {
    let bytes = vec![7; len];
    about_to_return.set();
    bytes
}

#[mp::task]
fn next(number: u32) -> u32 {
    number + 1
}

#[test]
fn calls_of_other_threads_go_on_while_a_long_result_arrives() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        let about_to_return = Event::new().unwrap();
        std::thread::scope(|scope| {
            let long = scope.spawn(|| pool.apply(many, (256 << 20, about_to_return.clone())).unwrap().len());
            about_to_return.wait();
            let calls = (0..).take_while(|&number| {
                assert_eq!(pool.apply(next, (number,)).unwrap(), number + 1);
                !long.is_finished()
            });
            let calls = calls.count();
            assert_eq!(long.join().unwrap(), 256 << 20);
            // One or two, where they have to wait for all of it.
            assert!(calls > 8, "{calls}");
        });
    });
}

/// Memory of a process that is its own, in bytes.
#[cfg(target_os = "linux")]
fn own_memory(pid: u32) -> usize {
    memory(pid, "RssAnon:")
}

/// Memory of a kind that a process has, in bytes.
#[cfg(target_os = "linux")]
fn memory(pid: u32, kind: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(kind)).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<usize>().unwrap() << 10
}

#[test]
#[cfg(target_os = "linux")]
fn an_idle_worker_holds_no_memory_of_a_long_result() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let bytes = vec![9; 64 << 20];
        assert!(pool.apply(echo, (&bytes,)).unwrap() == bytes);
        let worker = pool.workers()[0].pid;
        until(|| own_memory(worker) < 32 << 20);
    });
}

// Elsewhere it is kept.
#[test]
#[cfg(all(target_os = "linux", not(mp_portable_unix)))]
fn an_idle_pool_shares_no_memory_of_long_results() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        let lengths = [64 << 20; 3];
        let expected = vec![9; lengths[0]];
        for _ in 0..2 {
            assert!(pool.map(blank, lengths).unwrap().iter().all(|result| *result == expected));
            let shared = |pid| memory(pid, "RssShmem:");
            for worker in pool.workers() {
                until(|| shared(worker.pid) < 8 << 20);
            }
            until(|| shared(std::process::id()) < 16 << 20);
        }
    });
}

// What would fit was written behind what did not: it ran again, under the number of another call.
#[test]
fn short_calls_behind_one_that_finds_no_room_in_the_ring_run_once() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        // So that it is known to be short, and many are handed over at once.
        let mut expected = 500_u64;
        assert!((0..expected).all(|before| pool.apply(ran_before, (&[],)).unwrap() == before));
        let long = made(RING / 4 - 128);
        for _ in 0..20 {
            let event = Event::new().unwrap();
            // What it takes is not held against single calls.
            let busy = pool.map_async(wait_for, [&event, &event]);
            let calls: Vec<_> = (0..200)
                .map(|call| pool.apply_async(ran_before, (if call % 20 < 6 { &long[..] } else { &[] },)))
                .collect();
            event.set();
            busy.wait().unwrap();
            for call in calls {
                assert_eq!(call.wait().unwrap(), expected);
                expected += 1;
            }
        }
        assert_eq!(pool.apply(ran_before, (&[],)).unwrap(), expected);
    });
}

#[test]
fn sixty_four_mebibytes_travel_both_ways() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let bytes = vec![9; 64 << 20];
        assert_eq!(pool.apply(ends, (&bytes,)).unwrap(), (64 << 20, 9, 9));
        assert!(pool.apply(blank, (64 << 20,)).unwrap() == bytes);
    });
}

#[test]
fn a_gibibyte_is_an_argument_like_any_other() {
    // Twice as much, the caller's and the copy, has to fit into the address space.
    let len = if usize::BITS == 32 { 1 << 28 } else { 1 << 30 };
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let mut bytes = vec![0; len];
        *bytes.last_mut().unwrap() = 3;
        assert_eq!(pool.apply(ends, (&bytes,)).unwrap(), (len, 0, 3));
        drop(bytes);
        assert_eq!(pool.apply(ends, ([1, 2],)).unwrap(), (2, 1, 2), "and the pool goes on");
    });
}
