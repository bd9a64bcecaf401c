use super::*;

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

#[test]
fn a_large_ring_gives_its_pages_back() {
    let backlog = Backlog::create(Shape { items: 100, ring_bytes: 16 << 20 }).unwrap();
    for round in 0..1000_u32 {
        let bytes = vec![round as u8; 60_000];
        assert_eq!(push(&backlog, &bytes), Pushed::Done { watched: false });
        assert_eq!(push(&backlog, &bytes), Pushed::Done { watched: false });
        assert_eq!(pop(&backlog), Some(bytes.clone()));
        assert_eq!(pop(&backlog), Some(bytes));
    }
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
