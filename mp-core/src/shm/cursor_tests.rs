#![cfg_attr(loom, allow(unsafe_code))] // the model of the bytes
use super::*;

#[cfg(not(loom))]
#[test]
fn numbers_that_cannot_be_are_refused() {
    let (words, capacity) = (RingWords::default(), 64);
    let mut reader = ReadCursor::new(capacity);
    assert_eq!(reader.available(&words), Ok(0));
    for tail in [7, 65, 72, u64::MAX, u64::MAX - 7] {
        words.front.tail.store(tail, Relaxed);
        assert_eq!(reader.available(&words), Err(Corrupt), "tail {tail}");
        assert!(reader.is_ready(&words), "who waits must learn of it");
    }
    words.front.tail.store(64, Relaxed);
    assert_eq!(reader.available(&words), Ok(64));
    reader.advance(&words, 64);
    words.front.tail.store(56, Relaxed);
    assert_eq!(reader.available(&words), Err(Corrupt), "backwards");

    let words = RingWords::default();
    let mut writer = WriteCursor::new(capacity);
    assert_eq!(writer.has_room(&words, 64), Ok(true));
    writer.publish(&words, 48);
    assert_eq!(writer.has_room(&words, 24), Ok(false));
    for head in [3, 56, u64::MAX] {
        words.head.store(head, Relaxed);
        assert_eq!(writer.has_room(&words, 64), Err(Corrupt), "head {head}");
    }
    words.head.store(32, Relaxed);
    assert_eq!([48, 49].map(|bytes| writer.has_room(&words, bytes)), [Ok(true), Ok(false)]);
    words.head.store(24, Relaxed);
    assert_eq!(writer.has_room(&words, 64), Err(Corrupt), "backwards");
}

#[cfg(not(loom))]
#[test]
fn an_echo_is_that_of_the_frame_that_is_next() {
    let (words, capacity) = (RingWords::default(), 64);
    let (mut writer, mut reader) = (WriteCursor::new(capacity), ReadCursor::new(capacity));
    assert_eq!(reader.echo(&words), None, "nothing was pushed");
    writer.echo(&words, &[1; 4]);
    writer.publish(&words, 8);
    assert_eq!((reader.available(&words), reader.echo(&words)), (Ok(8), Some([1; 4])));
    writer.publish(&words, 8);
    assert_eq!(reader.echo(&words), Some([1; 4]), "still the next");
    reader.advance(&words, 8);
    assert_eq!((reader.available(&words), reader.echo(&words)), (Ok(8), None), "the second has none");
    writer.echo(&words, &[3; 4]);
    writer.publish(&words, 8);
    assert_eq!(reader.echo(&words), None, "the third is not next");
}

#[cfg(loom)]
mod models {
    use super::*;
    use loom::cell::UnsafeCell;
    use loom::sync::Arc;
    use loom::thread;

    /// Slots stand for bytes: loom sees it if both sides touch one at once.
    struct Ring<const SLOTS: usize> {
        words: RingWords,
        slots: [UnsafeCell<u64>; SLOTS],
    }

    /// Two frames that are echoed, one over the other: a reader gets the words of the frame that is next, all of them, or none.
    #[test]
    fn loom_an_echo_is_whole() {
        loom::model(|| {
            let words = Arc::new(RingWords::default());
            let mut writer = WriteCursor::new(16);
            let producer = thread::spawn({
                let words = Arc::clone(&words);
                move || {
                    for frame in [1, 2] {
                        writer.echo(&words, &[frame; ECHO_BYTES / 8]);
                        writer.publish(&words, 8);
                    }
                }
            });
            let mut reader = ReadCursor::new(16);
            for frame in [1, 2] {
                if reader.available(&words).expect("the producer is honest") > 0 {
                    let echo = reader.echo(&words);
                    assert!(echo.is_none_or(|words| words == [frame; ECHO_BYTES / 8]), "{frame}: {echo:?}");
                    reader.advance(&words, 8);
                } else {
                    break;
                }
            }
            producer.join().expect("no panic");
        });
    }

    /// Two slots, three items: the ring is full and empty in between. The producer gives up when it is full, the
    /// consumer when it is empty, as spinning would give loom endless interleavings.
    #[test]
    fn loom_items_come_out_whole_and_in_order() {
        loom::model(|| {
            let ring = Arc::new(Ring::<2> {
                words: RingWords::default(),
                slots: [UnsafeCell::new(0), UnsafeCell::new(0)],
            });
            // Made before the threads part: loom remembers one access to a word, and a look of the producer at its own
            // word would hide from it those of the consumer.
            let mut cursor = WriteCursor::new(16);
            let producer = thread::spawn({
                let ring = Arc::clone(&ring);
                move || {
                    let mut next = 1;
                    for _ in 0..3 {
                        if cursor.has_room(&ring.words, 8) == Ok(true) {
                            let slot = (cursor.tail() / 8 % 2) as usize;
                            // SAFETY: duty: nobody else uses the slot: that is what the model checks.
                            ring.slots[slot].with_mut(|item| unsafe { *item = next });
                            cursor.publish(&ring.words, 8);
                            next += 1;
                        }
                    }
                    next - 1
                }
            });
            let mut cursor = ReadCursor::new(16);
            let mut taken = 0;
            let take = |cursor: &mut ReadCursor, taken: &mut u64| {
                let available = cursor.available(&ring.words).expect("the producer is honest");
                if available > 0 {
                    let slot = (cursor.head() / 8 % 2) as usize;
                    // SAFETY: duty: nobody else uses the slot: that is what the model checks.
                    let item = ring.slots[slot].with(|item| unsafe { *item });
                    *taken += 1;
                    assert_eq!(item, *taken);
                    cursor.advance(&ring.words, 8);
                }
                available > 0
            };
            for _ in 0..2 {
                take(&mut cursor, &mut taken);
            }
            let put = producer.join().expect("no panic");
            while take(&mut cursor, &mut taken) {}
            assert_eq!(taken, put);
        });
    }
}
