use super::*;
use crate::raw::sleep::Patience;
use crate::shm::frame::FrameHead;
use crate::shm::ring::PushError;

/// Both sides in one process, each with a mapping of its own.
pub(in crate::shm) fn both_sides(ring_bytes: usize) -> (ParentEnd, WorkerEnd) {
    let region = Region::create_with("mp-test", ring_bytes).expect("memory");
    let handle = region.handle().try_clone_to_owned().expect("a copy");
    let attached = Region::attach_with(handle, ring_bytes).expect("a region");
    (region.into_parent(), attached.into_worker())
}

#[test]
fn a_call_goes_over_and_its_outcome_comes_back() {
    let (mut parent, mut worker) = both_sides(RING_BYTES);
    let head = FrameHead { kind: 1, flags: 2, count: 3, seq: 4 };
    parent.requests.try_push(head, &[b"hel", b"", b"lo"]).expect("room");
    let frame = worker.requests.peek().expect("honest").expect("a frame");
    assert_eq!((frame.head, frame.payload()), (head, &b"hello"[..]));
    assert!(worker.recorder.begin(4));
    assert_eq!(parent.recorder.running(), Some(4));
    worker.responses.try_push(FrameHead { seq: 4, ..FrameHead::default() }, &[b"ok"]).expect("room");
    worker.recorder.end();
    worker.requests.advance();
    assert!(worker.requests.peek().expect("honest").is_none());
    assert_eq!(parent.recorder.running(), None);
    let mut bytes = Vec::new();
    parent.responses.peek().expect("honest").expect("a frame").copy_to(&mut bytes);
    parent.responses.advance();
    assert_eq!(bytes, b"ok");
    assert_eq!(parent.responses.used(), Ok(0));
}

#[test]
fn what_a_worker_writes_before_its_parent_has_taken_its_ends_is_not_believed() {
    let region = Region::create_with("mp-test", RING_BYTES).expect("memory");
    let handle = region.handle().try_clone_to_owned().expect("a copy");
    let attached = Region::attach_with(handle, RING_BYTES).expect("a region");
    attached.shared.requests.scribble_tail(3);
    attached.shared.responses.scribble_head(5);
    let mut parent = region.into_parent();
    parent.requests.try_push(FrameHead::default(), &[b"hello"]).expect("room");
    assert_eq!(parent.responses.used(), Ok(0));
}

#[test]
fn last_words_outlive_the_worker() {
    let (parent, worker) = both_sides(RING_BYTES);
    assert!(worker.recorder.begin(7));
    worker.recorder.note_panic("overflow in the middle");
    worker.recorder.take_stderr(|room| {
        room[..10].copy_from_slice(b"some words");
        10
    });
    let faults = worker.recorder.fault_words();
    drop(worker);
    assert_eq!(faults.read(), None);
    assert_eq!(parent.recorder.running(), Some(7));
    assert_eq!(parent.recorder.panic_text(7).as_deref(), Some("overflow in the middle"));
    assert_eq!(parent.recorder.panic_text(8), None);
    assert_eq!(parent.recorder.last_words().tail, b"some words");
    assert_eq!(parent.recorder.fault(), None);
}

#[test]
fn frames_too_long_and_rings_too_full_are_refused() {
    let (mut parent, mut worker) = both_sides(RING_BYTES);
    let max = crate::shm::layout::MAX_INLINE;
    let head = FrameHead::default();
    assert_eq!(parent.requests.try_push(head, &[&vec![0; max + 1]]), Err(PushError::TooLong));
    let payload = vec![7; max];
    let mut pushed = 0;
    while parent.requests.try_push(head, &[&payload]).is_ok() {
        pushed += 1;
    }
    assert_eq!(pushed, 3, "four do not fit with their heads");
    assert!(!parent.requests.is_ready(max));
    assert_eq!(worker.requests.peek().expect("honest").expect("a frame").payload(), payload);
    worker.requests.advance();
    // Room enough, but not in one piece at the end: it wraps.
    assert!(parent.requests.try_push(head, &[&payload[..max - 100]]).is_ok());
    worker.shared.requests.scribble_head(12345);
    assert_eq!(parent.requests.try_push(head, &[&payload]), Err(PushError::Corrupt));
    assert!(parent.requests.is_ready(max), "who waits must learn of it");
}

#[test]
fn foreign_handles_are_no_regions() {
    let short = Memory::create("mp-test", 4096).expect("memory");
    let handle = short.handle().try_clone_to_owned().expect("a copy");
    assert_eq!(Region::attach(handle).expect_err("too short").kind(), io::ErrorKind::InvalidData);
}

#[test]
fn calls_and_outcomes_cross_while_both_sides_sleep_and_wake() {
    const CALLS: u64 = 30_000;
    let (mut parent, mut worker) = both_sides(4096);
    let serving = std::thread::spawn(move || {
        let (mut idle, mut full) = (Patience::default(), Patience::default());
        loop {
            let shared = worker.shared.clone();
            let partner = shared.parent_sleep.word();
            shared.worker_sleep.wait(partner, &mut idle, None, || worker.requests.is_ready());
            let frame = worker.requests.peek().expect("honest").expect("ready");
            let (head, number) = (frame.head, frame.payload().len() as u64);
            if head.kind == 1 {
                return;
            }
            assert!(worker.recorder.begin(head.seq));
            let answer = number.to_ne_bytes();
            shared.room_sleep.wait(partner, &mut full, None, || worker.responses.is_ready(8));
            worker.responses.try_push(head, &[&answer]).expect("room");
            shared.parent_sleep.take_sleeper(head.seq);
            worker.recorder.end();
            worker.requests.advance();
        }
    });
    let payload = [0; 700];
    let (mut asked, mut answered, mut bytes) = (0, 0, Vec::new());
    while answered < CALLS {
        while asked < CALLS {
            let head = FrameHead { seq: asked + 1, ..FrameHead::default() };
            let len = (asked * 37 % 700) as usize;
            match parent.requests.try_push(head, &[&payload[..len]]) {
                Ok(()) => asked += 1,
                Err(full) => {
                    assert_eq!(full, PushError::Full);
                    break;
                }
            }
            parent.shared.worker_sleep.notify();
        }
        while let Some(frame) = parent.responses.peek().expect("honest") {
            bytes.clear();
            frame.copy_to(&mut bytes);
            assert_eq!(frame.head.seq, answered + 1);
            assert_eq!(bytes, (answered * 37 % 700).to_ne_bytes());
            parent.responses.advance();
            parent.shared.room_sleep.notify();
            answered += 1;
        }
    }
    parent.requests.try_push(FrameHead { kind: 1, ..FrameHead::default() }, &[]).expect("room");
    parent.shared.worker_sleep.notify();
    serving.join().expect("no panic");
}
