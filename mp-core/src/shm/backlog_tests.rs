use super::*;
use crate::sys::memory::Memory;

type NoBundle = fn(u64) -> io::Result<()>;

fn push(backlog: &Backlog, bytes: &[u8]) -> Pushed {
    backlog.push(bytes, None::<NoBundle>, || None).expect("a put")
}

fn pop(backlog: &Backlog) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    match backlog.pop(&mut bytes, |_| Ok(Some(())), || None).expect("a get") {
        Popped::Frame(_) => Some(bytes),
        Popped::Empty | Popped::Closed => None,
    }
}

#[test]
fn messages_of_all_lengths_go_round_and_round() {
    let backlog = Backlog::create(Shape { items: 100, ring_bytes: 4096 }).unwrap();
    for round in 0..5000_usize {
        let bytes = vec![round as u8; round * 7 % (backlog.inline_max() + 1)];
        assert_eq!(push(&backlog, &bytes), Pushed::Done { watched: false });
        assert_eq!(backlog.len(), 1);
        assert_eq!(pop(&backlog), Some(bytes));
        assert_eq!(pop(&backlog), None);
    }
}

#[test]
fn room_ends_in_items_and_in_bytes() {
    let backlog = Backlog::create(Shape { items: 3, ring_bytes: 4096 }).unwrap();
    for _ in 0..3 {
        assert!(!backlog.is_full());
        push(&backlog, b"x");
    }
    assert!(backlog.is_full());
    assert_eq!(push(&backlog, b"x"), Pushed::NoRoom);
    let backlog = Backlog::create(Shape { items: 300, ring_bytes: 4096 }).unwrap();
    for _ in 0..4 {
        push(&backlog, &[1; 1008]);
    }
    assert_eq!((push(&backlog, b""), backlog.len(), backlog.is_full()), (Pushed::NoRoom, 4, true));
    assert!(!backlog.wait_for_room(0, Some(std::time::Duration::ZERO)));
    pop(&backlog);
    assert!(backlog.wait_for_room(0, Some(std::time::Duration::ZERO)));
}

/// `None` where the system does not tell.
fn resident(backlog: &Backlog) -> Option<u64> {
    backlog.segments.resident().ok()
}

#[test]
fn a_queue_that_was_deep_gives_its_memory_back() {
    let backlog = Backlog::create(Shape { items: 10_000, ring_bytes: 16 << 20 }).unwrap();
    for round in 0..3_u32 {
        for number in 0..200_u8 {
            assert_eq!(push(&backlog, &vec![number; 60_000]), Pushed::Done { watched: false });
        }
        assert!(resident(&backlog).is_none_or(|bytes| bytes > 200 * 60_000), "round {round}");
        for number in 0..200_u8 {
            assert_eq!(pop(&backlog), Some(vec![number; 60_000]));
        }
        let left = resident(&backlog).filter(|_| Memory::SHRINKS);
        assert!(left.is_none_or(|bytes| bytes < 3 << 20), "round {round}: {left:?} bytes stay");
    }
}

#[test]
fn a_queue_that_is_never_deep_never_grows() {
    let backlog = Backlog::create(Shape { items: 10, ring_bytes: 1 << 30 }).unwrap();
    let fresh = resident(&backlog);
    assert!(fresh.is_none_or(|bytes| bytes < 200 << 10), "{fresh:?} bytes of a fresh one");
    for round in 0..100_000_u32 {
        push(&backlog, &[round as u8; 100]);
        assert_eq!(pop(&backlog), Some(vec![round as u8; 100]));
    }
    let left = resident(&backlog);
    assert!(left.is_none_or(|bytes| bytes < 400 << 10), "{left:?} bytes");
}

#[test]
fn each_message_is_got_once_and_whole_by_one_of_many() {
    const EACH: u64 = 3000;
    let backlog = Backlog::create(Shape { items: 8, ring_bytes: 64 << 10 }).unwrap();
    // Short ones are copied by several at once, long ones by one.
    let message = |number: u64| number.to_le_bytes().repeat(1 + number as usize * 7 % 600);
    let take_all = || {
        let (mut taken, mut bytes) = (Vec::new(), Vec::new());
        loop {
            match backlog.pop(&mut bytes, |_| Ok(Some(())), || None).unwrap() {
                Popped::Frame(_) => backlog.pass_on(),
                Popped::Closed => return taken,
                Popped::Empty => {
                    backlog.wait_for_message(None);
                    continue;
                }
            }
            let number = bytes.first_chunk().map_or(u64::MAX, |word| u64::from_le_bytes(*word));
            assert!(bytes == message(number), "torn");
            taken.push(number);
        }
    };
    let put = |from: u64| {
        for number in from * EACH..(from + 1) * EACH {
            while push(&backlog, &message(number)) == Pushed::NoRoom {
                backlog.wait_for_room(0, None);
            }
        }
    };
    let all: Vec<Vec<u64>> = std::thread::scope(|scope| {
        let takers: Vec<_> = (0..3).map(|_| scope.spawn(take_all)).collect();
        let putters: Vec<_> = (0..2)
            .map(|from| {
                scope.spawn({
                    let put = &put;
                    move || put(from)
                })
            })
            .collect();
        for putter in putters {
            putter.join().unwrap();
        }
        backlog.close(false).unwrap();
        takers.into_iter().map(|taker| taker.join().unwrap()).collect()
    });
    for taken in &all {
        for from in 0..2 {
            assert!(taken.iter().filter(|number| *number / EACH == from).is_sorted(), "a producer's order");
        }
    }
    let mut all = all.concat();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..2 * EACH));
}

#[test]
fn a_message_without_its_bundle_is_skipped() {
    let backlog = Backlog::create(Shape { items: 100, ring_bytes: 4096 }).unwrap();
    backlog.push(b"lost", Some(|_| Ok(())), || None).unwrap();
    backlog.push(b"here", Some(|_| Ok(())), || None).unwrap();
    let mut bytes = Vec::new();
    let popped = backlog.pop(&mut bytes, |tag| Ok((tag == 2).then_some(tag)), || None).unwrap();
    assert!(matches!(popped, Popped::Frame(Some(2)) if bytes == b"here"));
    assert!(!backlog.is_finished());
    assert!(backlog.task_done());
    assert!(backlog.is_finished());
    assert!(!backlog.task_done());
}

#[test]
fn a_shape_that_cannot_be_is_refused() {
    let backlog = Backlog::create(Shape { items: 100, ring_bytes: 4096 }).unwrap();
    for ring_bytes in [0, 1, 4095, 1 << 20] {
        let copy = crate::sys::duplicate(backlog.handle()).unwrap();
        assert!(Backlog::attach(copy, Shape { items: 1, ring_bytes }).is_err(), "{ring_bytes}");
    }
}
