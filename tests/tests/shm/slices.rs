//! `Shared` slices that are read in place, and `SharedVec` whose pieces are lent.

use crate::rounds;
use mp::shm::{ChunkMut, Shared, SharedVec};
use mp::{Backend, ErrorKind, Pool};
use mp_tests::{Random, lives, runs, scenario, until};
use serde::{Deserialize, Serialize};

const BACKENDS: [Backend; 3] = [Backend::Process, Backend::Thread, Backend::Inline];

fn pool(backend: Backend, workers: usize) -> Pool {
    Pool::builder().workers(workers).backend(backend).build().unwrap()
}

#[mp::task]
fn sum(numbers: Shared<[u64]>) -> u64 {
    numbers.iter().sum()
}

#[mp::task]
fn sum_lent(numbers: &Shared<[u64]>, from: usize, to: usize) -> u64 {
    numbers[from..to].iter().sum()
}

#[mp::task]
fn squares(count: u64) -> Shared<[u64]> {
    Shared::from_iter((0..count).map(|number| number * number)).unwrap()
}

#[derive(Serialize, Deserialize)]
struct Table {
    name: String,
    columns: Vec<Shared<[f32]>>,
}

#[mp::task]
fn describe(table: Table) -> Table {
    let sizes: Vec<usize> = table.columns.iter().map(|column| column.len()).collect();
    Table { name: format!("{} {sizes:?}", table.name), columns: table.columns }
}

#[mp::task]
fn nested(numbers: Shared<[u64]>) -> u64 {
    let pool = Pool::new(2).unwrap();
    let inside: u64 = pool.map(sum, [&numbers, &numbers]).unwrap().iter().sum();
    inside + mp::spawn(sum, (&numbers,)).unwrap().join().unwrap()
}

#[test]
fn a_shared_slice_is_read_in_place_everywhere() {
    scenario(|| {
        let numbers = Shared::from_iter(1..=1000_u64).unwrap();
        for backend in BACKENDS {
            let pool = pool(backend, 2);
            assert_eq!(pool.map(sum, [&numbers, &numbers.clone()]).unwrap(), [500_500, 500_500]);
            assert_eq!(
                pool.starmap(sum_lent, [(&numbers, 0, 500), (&numbers, 500, 1000)]).unwrap(),
                [125_250, 375_250]
            );
            assert_eq!(*pool.apply(squares, (4,)).unwrap(), [0, 1, 4, 9], "as a result");
        }
        assert_eq!(Pool::new(1).unwrap().apply(nested, (&numbers,)).unwrap(), 3 * 500_500);
    });
}

/// How many page faults it takes to read all of it.
#[cfg(all(target_os = "linux", not(mp_portable_unix)))]
#[mp::task]
fn faults(numbers: Shared<[u64]>) -> libc::c_long {
    let so_far = || {
        // SAFETY: duty: all-zero bytes are valid: a C struct of integers.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: duty: a valid pointer: a live local.
        assert_eq!(unsafe { libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage) }, 0);
        usage.ru_minflt
    };
    let before = so_far();
    std::hint::black_box(numbers.iter().sum::<u64>());
    so_far() - before
}

#[cfg(all(target_os = "linux", not(mp_portable_unix)))]
#[mp::task]
fn nothing() {}

// What is kept is seen in the kernel's table.
#[cfg(all(target_os = "linux", not(mp_portable_unix)))]
#[test]
fn a_worker_maps_once_what_it_is_sent_again_and_again_and_keeps_it_a_moment() {
    scenario(|| {
        let (numbers, others) =
            (Shared::from_iter(0..1_u64 << 19).unwrap(), Shared::from_iter(0..9_u64).unwrap());
        let pool = Pool::new(1).unwrap();
        let worker = pool.workers()[0].pid;
        let maps = || {
            let maps = std::fs::read_to_string(format!("/proc/{worker}/maps")).unwrap();
            maps.lines().filter(|line| line.contains("/memfd:mp-shm")).count()
        };
        assert!(pool.apply(faults, (&numbers,)).unwrap() > 30, "4 MiB, 16 pages at once at most");
        // A worker that idles for longer than it keeps it maps it anew.
        until(|| pool.map(faults, [&numbers; 5]).unwrap()[4] < 10);
        assert_eq!(pool.map(faults, [&others; 2]).unwrap().len(), 2);
        assert!(maps() <= 1, "only the last one");
        for _ in 0..3 {
            pool.apply(nothing, ()).unwrap();
        }
        assert_eq!(maps(), 0, "not for ever");
        pool.apply(faults, (&numbers,)).unwrap();
        until(|| maps() == 0);
    });
}

#[test]
fn shared_slices_travel_in_fields_and_may_be_empty() {
    scenario(|| {
        let columns = vec![Shared::from_slice(&[]).unwrap(), Shared::from_slice(&[1.5, f32::NAN]).unwrap()];
        let table = Table { name: "t".into(), columns };
        let table = Pool::new(1).unwrap().apply(describe, (&table,)).unwrap();
        assert_eq!((&*table.name, table.columns.len()), ("t [0, 2]", 2));
        assert!(table.columns[1][1].is_nan());
    });
}

#[test]
fn memory_of_another_type_is_refused() {
    scenario(|| {
        let numbers = Shared::from_slice(&[1_u64]).unwrap();
        let pool = Pool::new(1).unwrap();
        assert_eq!(pool.apply(mislabelled, (Carrier(numbers),)).unwrap_err().kind(), ErrorKind::Decode);
    });
}

/// Writes one type and reads another.
struct Carrier(Shared<[u64]>);

impl Serialize for Carrier {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Carrier {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Shared::<[i64]>::deserialize(deserializer).map(|numbers| panic!("read as {}", numbers.len()))
    }
}

#[mp::task]
fn mislabelled(_carrier: Carrier) {}

#[mp::task]
fn add_position(mut chunk: ChunkMut<'_, u64>) -> usize {
    let start = chunk.start() as u64;
    for (number, position) in chunk.iter_mut().zip(start..) {
        *number += position;
    }
    chunk.len()
}

#[test]
fn tasks_work_in_place_on_chunks() {
    scenario(|| {
        for backend in BACKENDS {
            let pool = pool(backend, 2);
            for (len, size) in [(1000, 1000), (1000, 333), (1000, 1), (1000, 5000), (0, 3), (1, usize::MAX)] {
                let mut numbers = SharedVec::from_slice(&vec![7_u64; len]).unwrap();
                let lens = pool.chunks_mut(add_position, &mut numbers, size).unwrap();
                let expected: Vec<usize> = vec![0; len].chunks(size).map(<[usize]>::len).collect();
                assert_eq!(lens, expected, "{backend:?} {len} {size}");
                assert!(numbers.iter().zip(7..).all(|(number, expected)| *number == expected));
            }
            let mut numbers = SharedVec::<u64>::zeroed(1).unwrap();
            let refused = pool.chunks_mut(add_position, &mut numbers, 0).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::InvalidInput);
        }
    });
}

#[test]
fn a_vector_becomes_a_shared_slice() {
    scenario(|| {
        let pool = Pool::new(2).unwrap();
        let mut numbers = SharedVec::from_slice(&[1_u64; 100]).unwrap();
        pool.chunks_mut(add_position, &mut numbers, 10).unwrap();
        let numbers = numbers.into_shared().unwrap();
        assert_eq!(pool.apply(sum, (&numbers,)).unwrap(), 100 + 4950);
    });
}

#[mp::task]
#[expect(clippy::mem_forget, reason = "what happens to a chunk that is never given back")]
fn forget(mut chunk: ChunkMut<'_, u64>) {
    chunk.fill(3);
    std::mem::forget(chunk);
}

#[test]
fn a_forgotten_chunk_is_over_with_its_call() {
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let mut numbers = SharedVec::<u64>::zeroed(10).unwrap();
        pool.chunks_mut(forget, &mut numbers, 5).unwrap();
        assert_eq!(*numbers, [3; 10]);
        pool.chunks_mut(add_position, &mut numbers, 5).unwrap();
        assert_eq!(*numbers.into_shared().unwrap(), [3, 4, 5, 6, 7, 8, 9, 10, 11, 12], "copied");
    });
}

#[mp::task]
fn fail_on_third(mut chunk: ChunkMut<'_, u64>) {
    chunk.fill(1);
    assert!(chunk.start() != 20, "the third chunk");
}

#[test]
fn a_failed_chunk_ends_the_round() {
    scenario(|| {
        for backend in BACKENDS {
            let mut numbers = SharedVec::<u64>::zeroed(2_000_000).unwrap();
            let pool = pool(backend, 1);
            let error = pool.chunks_mut(fail_on_third, &mut numbers, 10).unwrap_err();
            assert_eq!((error.kind(), error.item()), (ErrorKind::Panicked, Some(2)), "{error}");
            assert_eq!(numbers[..30], [1; 30], "what was done before stays");
            // Fewer than half of the chunks wait at once.
            assert_eq!(numbers[1_999_000..], [0; 1000], "no more is lent");
            numbers.fill(0);
            pool.chunks_mut(add_position, &mut numbers, 200_000).unwrap();
            assert_eq!(numbers[999], 999);
        }
    });
}

#[mp::task]
fn die_or_fill(mut chunk: ChunkMut<'_, u64>) {
    let (half, die) = (chunk.len() / 2, chunk[0]);
    chunk[half..].fill(9);
    if die == 1 {
        std::process::abort();
    }
    chunk.fill(9);
}

#[test]
fn the_death_of_a_worker_ends_its_loan() {
    scenario(|| {
        let mut random = Random::new();
        let pool = Pool::new(2).unwrap();
        for _ in 0..rounds(20) {
            let mut numbers = SharedVec::<u64>::zeroed(64).unwrap();
            let killer = random.below(8) as usize;
            numbers[killer * 8] = 1;
            let error = pool.chunks_mut(die_or_fill, &mut numbers, 8).unwrap_err();
            assert_eq!((error.kind(), error.item()), (ErrorKind::WorkerLost, Some(killer as u64)), "{error}");
            assert_eq!(numbers[..killer * 8], [9; 56][..killer * 8]);
            assert_eq!(numbers[killer * 8], 1, "half done, and the vector's own");
            numbers.fill(2);
            assert_eq!(pool.chunks_mut(add_position, &mut numbers, 8).unwrap(), [8; 8]);
            assert!(numbers.iter().zip(2..).all(|(number, expected)| *number == expected));
        }
    });
}

#[mp::task]
fn fill_for_ever(mut chunk: ChunkMut<'_, u64>) {
    let mut number = 0_u64;
    loop {
        number += 1;
        chunk.fill(number);
        std::hint::black_box(&mut *chunk);
    }
}

#[test]
fn nobody_writes_after_the_pool_was_terminated() {
    scenario(|| {
        for _ in 0..rounds(3) {
            let pool = Pool::new(2).unwrap();
            let mut numbers = SharedVec::<u64>::zeroed(64).unwrap();
            let pids: Vec<u32> = pool.workers().iter().map(|worker| worker.pid).collect();
            std::thread::scope(|scope| {
                let lending = scope.spawn(|| pool.chunks_mut(fill_for_ever, &mut numbers, 32).unwrap_err());
                until(|| pids.iter().all(|pid| runs(*pid)));
                pool.terminate();
                let error = lending.join().unwrap();
                assert!(matches!(error.kind(), ErrorKind::Closed | ErrorKind::WorkerLost), "{error:?}");
            });
            let seen = numbers.to_vec();
            until(|| !pids.iter().any(|pid| lives(*pid)));
            assert_eq!(*numbers, *seen, "somebody still writes");
        }
    });
}

#[cfg(all(target_os = "linux", not(mp_portable_unix)))]
#[test]
fn a_chunk_for_which_there_is_no_descriptor_is_named_and_the_rest_of_the_vector_stays() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    scenario(|| {
        let pool = Pool::new(1).unwrap();
        let mut numbers = SharedVec::from_slice(&[7_u64; 10]).unwrap();
        assert_eq!(pool.chunks_mut(add_position, &mut numbers, 10).unwrap(), [10]);
        let lent = numbers.to_vec();
        let before = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: Some(128), ..before }).unwrap();
        let held: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
        let error = pool.chunks_mut(add_position, &mut numbers, 5).unwrap_err();
        drop(held);
        setrlimit(Resource::Nofile, before).unwrap();
        let text = error.to_string();
        assert!(text.contains("ChunkMut<") && text.contains("no descriptors left"), "{text}");
        assert_eq!(*numbers, lent);
    });
}

/// What a task returns that the caller cannot read without a panic.
#[derive(Serialize)]
struct Unreadable(());

impl<'de> Deserialize<'de> for Unreadable {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("this panic is part of the test")
    }
}

static INSIDE: std::sync::OnceLock<mp::sync::Event> = std::sync::OnceLock::new();

#[mp::task]
fn keep_event(inside: mp::sync::Event) {
    INSIDE.set(inside).unwrap();
}

/// The first piece is given back when the second is being written to, which does not end.
#[mp::task]
fn return_first(mut chunk: ChunkMut<'_, u64>) -> Unreadable {
    let inside = INSIDE.get().unwrap();
    if chunk.start() == 0 {
        inside.wait();
        return Unreadable(());
    }
    for number in 1.. {
        chunk.fill(number);
        inside.set();
    }
    Unreadable(())
}

#[test]
fn nobody_writes_after_a_result_of_a_chunk_has_panicked() {
    scenario(|| {
        let event = mp::sync::Event::new().unwrap();
        let pool = Pool::builder().workers(2).initializer(keep_event, (&event,)).build().unwrap();
        let mut numbers = SharedVec::<u64>::zeroed(64).unwrap();
        let lending = std::panic::AssertUnwindSafe(|| pool.chunks_mut(return_first, &mut numbers, 32));
        assert!(std::panic::catch_unwind(lending).is_err());
        let seen = numbers.to_vec();
        drop(pool);
        assert_eq!(*numbers, *seen, "somebody still wrote");
    });
}
