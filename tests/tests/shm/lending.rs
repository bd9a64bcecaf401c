//! Many chunks at once, and what tasks are given beside them.

use mp::shm::{ChunkMut, Shared, SharedVec, Value};
use mp::sync::{Event, Mutex};
use mp::{Backend, ErrorKind, Pool, Receiver, pipe};
#[cfg(all(target_os = "linux", not(mp_portable_unix)))]
use mp_tests::is_emulated;
use mp_tests::{Random, lives, scenario, until};
use serde::{Deserialize, Serialize};

const BACKENDS: [Backend; 3] = [Backend::Process, Backend::Thread, Backend::Inline];

fn pool(backend: Backend, workers: usize) -> Pool {
    Pool::builder().workers(workers).backend(backend).build().unwrap()
}

#[mp::task]
fn fill(mut chunk: ChunkMut<'_, u64>) -> usize {
    let start = chunk.start();
    chunk.iter_mut().zip(start..).for_each(|(number, position)| *number = position as u64);
    start
}

/// Where the kernel has the memory of a slice.
#[cfg(all(target_os = "linux", not(mp_portable_unix)))]
fn inode<T>(slice: &[T]) -> String {
    let (maps, at) = (std::fs::read_to_string("/proc/self/maps").unwrap(), slice.as_ptr() as usize);
    let line = maps.lines().find(|line| {
        let (from, rest) = line.split_once('-').unwrap();
        let (from, to) = (from, rest.split_once(' ').unwrap().0);
        let address = |text| usize::from_str_radix(text, 16).unwrap();
        (address(from)..address(to)).contains(&at)
    });
    line.unwrap().split_whitespace().nth(4).unwrap().to_owned()
}

#[mp::task]
fn fail_some(mut chunk: ChunkMut<'_, u64>, failing: u64) {
    chunk.fill(1);
    assert!((chunk.start() as u64) < failing, "this panic is part of the test");
}

// Elsewhere it may be copied.
#[cfg(all(target_os = "linux", not(mp_portable_unix)))]
#[test]
fn a_vector_is_sealed_where_it_lies_as_soon_as_its_chunks_are_done() {
    scenario(|| {
        let (pool, mut random) = (pool(Backend::Process, 2), Random::new());
        for size in [1, 3, 64, 5000].repeat(crate::rounds(2) as usize) {
            let mut numbers = SharedVec::<u64>::zeroed(10_000).unwrap();
            let here = inode(&numbers);
            pool.chunks_mut(fill, &mut numbers, size).unwrap();
            let sealed = numbers.into_shared().unwrap();
            assert!(inode(&sealed) == here && sealed[9_999] == 9_999, "by {size}");
            let mut numbers = SharedVec::<u64>::zeroed(10_000).unwrap();
            let here = inode(&numbers);
            pool.chunks_mut_with(fail_some, &mut numbers, size, (random.below(5_000),)).unwrap_err();
            assert_eq!(inode(&numbers.into_shared().unwrap()), here, "by {size}, after a failure");
        }
    });
}

/// How many page faults this process has had.
#[cfg(all(target_os = "linux", not(mp_portable_unix)))]
#[mp::task]
fn touch(mut chunk: ChunkMut<'_, u64>) -> (u32, libc::c_long) {
    chunk.fill(1);
    // SAFETY: duty: all-zero bytes are valid: a C struct of integers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: duty: a valid pointer: a live local.
    assert_eq!(unsafe { libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage) }, 0);
    (std::process::id(), usage.ru_minflt)
}

#[cfg(all(target_os = "linux", not(mp_portable_unix)))]
#[test]
fn a_worker_has_the_vector_in_view_for_many_chunks() {
    if is_emulated() {
        // Its faults are counted with those of the program.
        return;
    }
    scenario(|| {
        let pool = pool(Backend::Process, 1);
        let mut numbers = SharedVec::<u64>::zeroed(40_000).unwrap();
        pool.chunks_mut(touch, &mut numbers, 10_000).unwrap();
        let faults = pool.chunks_mut(touch, &mut numbers, 2).unwrap();
        let (first, last) = (faults[0], faults[faults.len() - 1]);
        assert_eq!(first.0, last.0);
        let (count, chunks) = (last.1 - first.1, faults.len());
        assert!((count as usize) < chunks, "{count} for {chunks} chunks, each of which has two pages");
    });
}

#[mp::task]
fn die_at(mut chunk: ChunkMut<'_, u64>, victim: usize) {
    chunk[0] = 1;
    if chunk.start() == victim {
        std::process::abort();
    }
    chunk.fill(9);
}

#[test]
fn the_death_of_a_worker_takes_one_of_many_chunks() {
    scenario(|| {
        let (pool, mut random) = (pool(Backend::Process, 2), Random::new());
        for _ in 0..crate::rounds(4) {
            let mut numbers = SharedVec::<u64>::zeroed(10_000).unwrap();
            let victim = random.below(5_000) as usize;
            let error = pool.chunks_mut_with(die_at, &mut numbers, 2, (2 * victim,)).unwrap_err();
            assert_eq!((error.kind(), error.item()), (ErrorKind::WorkerLost, Some(victim as u64)), "{error}");
            let (before, after) = numbers.split_at(2 * victim);
            assert!(before.iter().all(|number| *number == 9), "what was lent before is done");
            assert_eq!(after[..2], [1, 0], "half done");
            assert!(
                after[2..].chunks(2).all(|chunk| chunk == [9, 9] || chunk == [0, 0]),
                "done or not begun"
            );
            let starts = pool.chunks_mut(fill, &mut numbers, 2).unwrap();
            assert!(starts.iter().copied().eq((0..10_000).step_by(2)));
            assert!(numbers.iter().copied().eq(0..10_000));
        }
    });
}

#[mp::task]
fn die_beside(mut chunk: ChunkMut<'_, u64>, inside: Event, victim: Value<u32>) {
    if chunk.start() == 0 {
        inside.wait();
        victim.set(std::process::id()).unwrap();
        std::process::abort();
    }
    inside.set();
    until(|| victim.get().unwrap() != 0);
    until(|| !lives(victim.get().unwrap()));
    for number in 0..100_000 {
        chunk.fill(number);
        std::hint::black_box(&mut *chunk);
    }
    chunk.fill(7);
}

#[test]
fn a_chunk_that_is_out_when_an_earlier_one_fails_is_done_to_the_end() {
    scenario(|| {
        let mut numbers = SharedVec::<u64>::zeroed(200).unwrap();
        let (event, victim) = (Event::new().unwrap(), Value::new(0).unwrap());
        let pool = pool(Backend::Process, 2);
        let error = pool.chunks_mut_with(die_beside, &mut numbers, 100, (&event, &victim)).unwrap_err();
        assert_eq!((error.kind(), error.item()), (ErrorKind::WorkerLost, Some(0)), "{error}");
        assert_eq!(numbers[100..], [7; 100]);
    });
}

/// Nobody can send it.
#[derive(Deserialize)]
struct Stuck;

impl Serialize for Stuck {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("it is stuck"))
    }
}

#[mp::task]
fn hear(_chunk: ChunkMut<'_, u64>, _end: Receiver<u8>) {}

#[mp::task]
fn stuck(_chunk: ChunkMut<'_, u64>, _stuck: Stuck) {}

#[mp::task]
fn scale(mut chunk: ChunkMut<'_, f64>, by: f64) {
    chunk.iter_mut().for_each(|number| *number *= by);
}

#[mp::task]
fn blur(mut chunk: ChunkMut<'_, f32>, image: Shared<[f32]>, near: &Shared<[f32]>, reach: usize) -> f32 {
    let start = chunk.start();
    for (pixel, at) in chunk.iter_mut().zip(start..) {
        let around = &image[at.saturating_sub(reach)..image.len().min(at + reach + 1)];
        *pixel = around.iter().sum::<f32>() + near[0];
    }
    chunk[0]
}

#[mp::task]
fn count_in(mut chunk: ChunkMut<'_, u64>, sum: Mutex<u64>, calls: Value<u32>, name: &str, list: Vec<u8>) {
    chunk.fill(name.len() as u64 + list.len() as u64);
    *sum.lock().unwrap() += chunk.start() as u64;
    calls.update(|calls| calls + 1).unwrap();
}

type Byte = u8;

#[mp::task]
#[allow(clippy::too_many_arguments)]
fn eleven(
    mut chunk: ChunkMut<'_, Byte>,
    (a, b, c): (u8, u8, u8),
    d: u8,
    e: u8,
    f: u8,
    g: u8,
    h: u8,
    i: u8,
    j: u8,
    k: u8,
    l: u8,
    m: u8,
) {
    chunk.fill(a + b + c + d + e + f + g + h + i + j + k + l + m);
}

#[mp::task]
fn alone(mut chunk: ChunkMut<'_, u64>) {
    chunk.fill(5);
}

#[test]
fn tasks_are_given_other_arguments_beside_their_chunk() {
    scenario(|| {
        for backend in BACKENDS {
            let pool = pool(backend, 2);
            let mut numbers = SharedVec::from_slice(&[2.0; 1000]).unwrap();
            pool.chunks_mut_with(scale, &mut numbers, 7, (1.5,)).unwrap();
            pool.chunks_mut_with(scale, &mut numbers, 1, &(2.0,)).unwrap();
            assert_eq!(*numbers, [6.0; 1000]);

            let image = Shared::from_iter((0..500_u16).map(f32::from)).unwrap();
            let near = Shared::from_slice(&[0.5_f32]).unwrap();
            let mut blurred = SharedVec::<f32>::zeroed(image.len()).unwrap();
            let firsts = pool.chunks_mut_with(blur, &mut blurred, 3, (&image, &near, 1)).unwrap();
            let expected =
                |at: usize| image[at.saturating_sub(1)..image.len().min(at + 2)].iter().sum::<f32>() + 0.5;
            assert!(blurred.iter().copied().eq((0..image.len()).map(expected)), "{backend:?}");
            assert!(firsts.into_iter().eq((0..image.len()).step_by(3).map(expected)));

            let (sum, calls) = (Mutex::new(0).unwrap(), Value::new(0).unwrap());
            let mut numbers = SharedVec::<u64>::zeroed(1000).unwrap();
            // Too long for a ring.
            let list = vec![0; 300 << 10];
            pool.chunks_mut_with(count_in, &mut numbers, 100, (&sum, &calls, "name", &list)).unwrap();
            let expected = "name".len() as u64 + list.len() as u64;
            assert!(numbers.iter().all(|number| *number == expected));
            pool.chunks_mut_with(count_in, &mut numbers, 1, (&sum, &calls, "", &[1_u8; 3])).unwrap();
            assert_eq!((*sum.lock().unwrap(), calls.get().unwrap()), (4500 + 499_500, 1010));
            assert_eq!(*numbers, [3; 1000]);
            pool.chunks_mut_with(alone, &mut numbers, 10, ()).unwrap();
            assert_eq!(*numbers, [5; 1000]);

            let mut bytes = SharedVec::<u8>::zeroed(10).unwrap();
            let arguments = ((1, 2, 3), 1, 1, 1, 1, 1, 1, 1, 1, 1, 1);
            pool.chunks_mut_with(eleven, &mut bytes, 3, &arguments).unwrap();
            assert_eq!(*bytes, [16; 10]);
        }
    });
}

#[test]
fn what_cannot_be_given_to_each_chunk_is_refused() {
    scenario(|| {
        for backend in BACKENDS {
            let pool = pool(backend, 1);
            let mut numbers = SharedVec::from_slice(&[1_u64; 10]).unwrap();
            let error = pool.chunks_mut_with(stuck, &mut numbers, 3, (Stuck,)).unwrap_err();
            assert!(
                error.kind() == ErrorKind::Encode && error.to_string().contains("it is stuck"),
                "{error}"
            );
            let (sender, receiver) = pipe::<u8>().unwrap();
            let error = pool.chunks_mut_with(hear, &mut numbers, 3, (&receiver,)).unwrap_err();
            assert!(error.kind() == ErrorKind::Encode && error.to_string().contains("only one"), "{error}");
            sender.send(8).unwrap();
            assert_eq!(receiver.recv().unwrap(), 8, "it stays");
            let error = pool.chunks_mut_with(fail_some, &mut numbers, 0, (3,)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert_eq!(*numbers, [1; 10]);
            let error = pool.chunks_mut_with(fail_some, &mut numbers, 1, (3,)).unwrap_err();
            assert_eq!((error.kind(), error.item()), (ErrorKind::Panicked, Some(3)), "{error}");
        }
    });
}
