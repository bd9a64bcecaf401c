//! What pipes and duplexes promise, within one process.

use mp::ErrorKind;
use mp_tests::scenario;
use std::thread;
use std::time::Duration;

#[test]
fn messages_come_in_order_until_the_sender_is_gone() {
    scenario(|| {
        let (sender, receiver) = mp::pipe::<u32>().unwrap();
        (0..100).for_each(|number| sender.send(number).unwrap());
        drop(sender);
        assert!(receiver.poll(Duration::ZERO).unwrap());
        let numbers: Vec<u32> = receiver.iter().map(Result::unwrap).collect();
        assert_eq!(numbers, (0..100).collect::<Vec<_>>());
        assert!(receiver.recv().unwrap_err().is_closed());
        assert!(receiver.try_recv().unwrap_err().is_closed());
        assert!(receiver.poll(Duration::ZERO).unwrap(), "the end is news too");
    });
}

#[test]
fn the_value_comes_back_when_nobody_will_read_it() {
    scenario(|| {
        let (sender, receiver) = mp::pipe::<String>().unwrap();
        drop(receiver);
        for refused in [sender.send("kept".into()), sender.try_send("kept".into())] {
            let refused = refused.unwrap_err();
            assert_eq!(refused.error().kind(), ErrorKind::Closed);
            assert_eq!(refused.into_inner(), "kept");
        }
        assert!(sender.send_bytes(b"x").unwrap_err().is_closed());
    });
}

#[test]
fn zero_time_outs_look_once() {
    scenario(|| {
        let (sender, receiver) = mp::pipe::<u8>().unwrap();
        assert_eq!(receiver.try_recv().unwrap_err().kind(), ErrorKind::Empty);
        assert!(receiver.recv_timeout(Duration::ZERO).unwrap_err().is_timeout());
        assert!(receiver.recv_timeout(Duration::from_millis(2)).unwrap_err().is_timeout());
        assert!(!receiver.poll(Duration::ZERO).unwrap());
        sender.send(1).unwrap();
        assert_eq!(receiver.recv_timeout(Duration::ZERO).unwrap(), 1);
    });
}

#[test]
fn a_full_pipe_says_so_and_keeps_everything() {
    scenario(|| {
        let (sender, receiver) = mp::pipe::<u64>().unwrap();
        let refused = (0..).find_map(|number| sender.try_send(number).err()).unwrap();
        assert_eq!(refused.error().kind(), ErrorKind::Full);
        let first_refused = refused.into_inner();
        drop(sender);
        assert!(receiver.iter().map(Result::unwrap).eq(0..first_refused));
    });
}

#[test]
fn who_sends_into_a_full_pipe_waits_no_longer_than_it_says() {
    scenario(|| {
        let (sender, receiver) = mp::pipe::<u64>().unwrap();
        let full = (0..).find_map(|number| sender.try_send(number).err()).unwrap().into_inner();
        for timeout in [Duration::ZERO, Duration::from_millis(5)] {
            let refused = sender.send_timeout(full, timeout).unwrap_err();
            assert_eq!((refused.error().kind(), refused.into_inner()), (ErrorKind::TimedOut, full));
            assert!(sender.send_bytes_timeout(b"x", timeout).unwrap_err().is_timeout());
        }
        assert_eq!(sender.try_send_bytes(b"x").unwrap_err().kind(), ErrorKind::Full);
        thread::scope(|scope| {
            let reader =
                scope.spawn(|| (0..=full).for_each(|number| assert_eq!(receiver.recv().unwrap(), number)));
            sender.send_timeout(full, Duration::MAX).unwrap();
            reader.join().unwrap();
        });
        assert_eq!(receiver.try_recv_bytes().unwrap_err().kind(), ErrorKind::Empty);
        assert!(receiver.recv_bytes_timeout(Duration::from_millis(5)).unwrap_err().is_timeout());
        sender.send_bytes_timeout(b"one", Duration::ZERO).unwrap();
        sender.try_send_bytes(b"two").unwrap();
        assert_eq!(receiver.recv_bytes_timeout(Duration::ZERO).unwrap(), b"one");
        assert_eq!(receiver.try_recv_bytes().unwrap(), b"two");
        drop(receiver);
        assert_eq!(sender.send_timeout(1, Duration::MAX).unwrap_err().error().kind(), ErrorKind::Closed);
    });
}

#[test]
fn who_waits_for_room_hears_that_the_receiver_is_gone() {
    scenario(|| {
        let (sender, receiver) = mp::pipe::<u64>().unwrap();
        while sender.try_send(0).is_ok() {}
        thread::scope(|scope| {
            let waiting = scope.spawn(|| sender.send_timeout(0, Duration::MAX));
            drop(receiver);
            let refused = waiting.join().unwrap().unwrap_err();
            assert_eq!(refused.error().kind(), ErrorKind::Closed);
        });
    });
}

#[test]
fn messages_of_any_size_pass() {
    scenario(|| {
        let (sender, receiver) = mp::pipe::<Vec<u8>>().unwrap();
        for len in [0, 1, 65_530, 65_536, 65_537, 1 << 20, 20 << 20] {
            let bytes = vec![len as u8; len];
            sender.send(bytes.clone()).unwrap();
            assert!(receiver.recv().unwrap() == bytes, "{len}");
            sender.send_bytes(&bytes).unwrap();
            assert!(receiver.recv_bytes().unwrap() == bytes, "{len}");
        }
    });
}

#[test]
fn bytes_go_into_a_buffer_that_is_long_enough() {
    scenario(|| {
        let (sender, receiver) = mp::pipe::<()>().unwrap();
        sender.send_bytes(b"12345").unwrap();
        let too_long = receiver.recv_bytes_into(&mut [0; 4]).unwrap_err();
        assert_eq!(too_long.kind(), ErrorKind::InvalidInput);
        let mut buffer = [0; 8];
        assert_eq!(receiver.recv_bytes_into(&mut buffer).unwrap(), 5);
        assert_eq!(&buffer[..5], b"12345");
        drop(sender);
        assert!(receiver.recv_bytes_into(&mut buffer).unwrap_err().is_closed());
    });
}

#[test]
fn long_messages_are_refused_where_they_are_not_wanted() {
    scenario(|| {
        let (sender, receiver) = mp::pipe::<()>().unwrap();
        let receiver = receiver.max_len(100);
        for len in [101, 100_000] {
            sender.send_bytes(&vec![0; len]).unwrap();
            assert_eq!(receiver.recv_bytes().unwrap_err().kind(), ErrorKind::InvalidInput);
        }
        sender.send_bytes(&[0; 100]).unwrap();
        assert_eq!(receiver.recv_bytes().unwrap().len(), 100);
    });
}

#[test]
fn bytes_and_values_are_not_taken_for_each_other() {
    scenario(|| {
        let (here, there) = mp::duplex::<u8, u8>().unwrap();
        here.send_bytes(b"x").unwrap();
        assert_eq!(there.recv().unwrap_err().kind(), ErrorKind::Decode);
        here.send(3).unwrap();
        assert_eq!(there.recv_bytes().unwrap_err().kind(), ErrorKind::Decode);
        there.send(there_and_back(4)).unwrap();
        assert_eq!(here.recv().unwrap(), 4);
    });
}

fn there_and_back(number: u8) -> u8 {
    number
}

#[test]
fn threads_share_an_end_and_mix_nothing() {
    scenario(|| {
        let (sender, receiver) = mp::pipe::<(u8, Vec<u8>)>().unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4_u8 {
                let sender = &sender;
                scope.spawn(move || {
                    for len in 0..100_usize {
                        sender.send((thread, vec![thread; len * 997])).unwrap();
                    }
                });
            }
            let mut next = [0_usize; 4];
            for _ in 0..400 {
                let (thread, bytes) = receiver.recv().unwrap();
                assert_eq!(bytes.len(), next[usize::from(thread)] * 997);
                assert!(bytes.iter().all(|byte| *byte == thread));
                next[usize::from(thread)] += 1;
            }
        });
    });
}

#[cfg(unix)]
#[test]
fn an_end_that_receives_goes_into_the_poll_loops_of_others() {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use std::os::fd::AsRawFd;

    /// What a runtime asks for.
    fn registered(end: impl AsRawFd) -> i32 {
        end.as_raw_fd()
    }

    scenario(|| {
        let (sender, receiver) = mp::pipe::<u8>().unwrap();
        let (here, there) = mp::duplex::<u8, u8>().unwrap();
        let readable = || {
            let mut ends = [PollFd::new(&receiver, PollFlags::IN), PollFd::new(&there, PollFlags::IN)];
            poll(&mut ends, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap();
            ends.map(|end| end.revents().contains(PollFlags::IN))
        };
        assert_eq!(readable(), [false, false]);
        here.send(1).unwrap();
        assert_eq!(readable(), [false, true]);
        sender.send(1).unwrap();
        assert_eq!(readable(), [true, true]);
        let number = there.as_fd().as_raw_fd();
        assert_eq!(registered(there), number);
    });
}
