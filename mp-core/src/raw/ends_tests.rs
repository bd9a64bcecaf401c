use super::*;

#[cfg(not(loom))]
#[test]
fn counts_wrap_around() {
    let last = Mark { items: u32::MAX, units: u32::MAX };
    let next = last.after(3);
    assert_eq!(next, Mark { items: 0, units: 2 });
    assert_eq!(next.since(last), Mark { items: 1, units: 3 });
    assert_eq!(Mark::of(last.word()), last);
}

#[cfg(not(loom))]
#[test]
fn a_message_is_taken_once() {
    let ends = Ends::default();
    let (head, tail) = ends.look_to_write();
    assert_eq!(head, tail);
    ends.put(tail.after(2));
    let (head, tail) = ends.look();
    assert_eq!(tail.since(head), Mark { items: 1, units: 2 });
    assert!(ends.is_at(head));
    assert!(ends.take(head, tail));
    assert!(!ends.take(head, tail) && !ends.is_at(head));
    assert_eq!(ends.snapshot(), (tail, tail));
}

/// A ring of one unit, so that each message is written where the one before it was.
#[cfg(loom)]
#[test]
fn loom_each_message_is_taken_once_and_whole() {
    use loom::sync::Arc;
    crate::raw::three_threads(|| {
        let shared = Arc::new((Ends::default(), [AtomicU64::new(0), AtomicU64::new(0)]));
        let take = |shared: &(Ends, [AtomicU64; 2])| {
            let (head, tail) = shared.0.look_to_read();
            if head == tail {
                return 0;
            }
            let copy = [shared.1[0].load(Relaxed), shared.1[1].load(Relaxed)];
            if !shared.0.take(head, head.after(1)) {
                return 0;
            }
            assert_eq!(copy[0], copy[1], "torn");
            copy[0]
        };
        let takers: Vec<_> = (0..2)
            .map(|_| {
                let shared = Arc::clone(&shared);
                loom::thread::spawn(move || take(&shared))
            })
            .collect();
        let mut put = 0;
        for message in 1..=2 {
            let (mut head, tail) = shared.0.last_look();
            if head != tail {
                head = shared.0.look_to_write().0;
            }
            if head == tail {
                shared.1.iter().for_each(|word| word.store(message, Relaxed));
                shared.0.put(tail.after(1));
                put += message;
            }
        }
        let taken: u64 = takers.into_iter().map(|taker| taker.join().expect("no panic")).sum();
        let mut left = 0;
        loop {
            match take(&shared) {
                0 => break,
                message => left += message,
            }
        }
        assert_eq!(taken + left, put);
    });
}
