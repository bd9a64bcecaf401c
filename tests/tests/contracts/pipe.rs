//! The contract of `pipe` and `duplex`.

use crate::parties::{Dormitory, Parties, SHORT, contracts, dormitory, go_to_sleep, until_asleep};
use mp::sync::Event;
use mp::{Duplex, ErrorKind, Receiver, Sender};
use std::ops::Range;
use std::time::{Duration, Instant};

contracts! {
    messages_come_in_order_until_the_last_sender_is_gone
    a_receiver_reads_on_where_another_stopped
    a_sleeping_receiver_is_woken_by_the_end
    the_value_comes_back_when_the_receiver_is_gone
    a_full_pipe_says_so_and_goes_on_after_a_receive
    each_request_has_its_answer
    bytes_arrive_as_they_were_sent
    a_time_out_of_zero_looks_once
}

#[mp::task]
fn send_some(sender: Sender<u32>, from: u32) -> Sender<u32> {
    for number in from..from + 100 {
        sender.send(number).unwrap();
    }
    sender
}

fn messages_come_in_order_until_the_last_sender_is_gone(parties: &Parties) {
    let (sender, receiver) = mp::pipe().unwrap();
    let receive =
        |numbers: Range<u32>| numbers.for_each(|number| assert_eq!(receiver.recv().unwrap(), number));
    let sender = parties.start(send_some, (sender, 0)).join();
    // Who had the end before is gone: that is no end.
    receive(0..50);
    let sender = send_some(sender, 100);
    receive(50..200);
    let sender = parties.start(send_some, (sender, 200)).join();
    receive(200..300);
    assert!(!receiver.poll(Duration::ZERO).unwrap());
    let party = parties.start(send_some, (sender, 300));
    receive(300..350);
    drop(party.join());
    assert!(receiver.iter().map(Result::unwrap).eq(350..400), "what was sent before the end arrives");
    assert!(receiver.recv().unwrap_err().is_closed());
    assert!(receiver.try_recv().unwrap_err().is_closed());
    assert!(receiver.recv_timeout(Duration::MAX).unwrap_err().is_closed());
    assert!(receiver.poll(Duration::ZERO).unwrap(), "the end is news too");
}

#[mp::task]
fn receive_some(receiver: Receiver<u32>, count: usize) -> (Vec<u32>, Receiver<u32>) {
    let numbers = receiver.iter().take(count).map(Result::unwrap).collect();
    (numbers, receiver)
}

fn a_receiver_reads_on_where_another_stopped(parties: &Parties) {
    let (sender, receiver) = mp::pipe().unwrap();
    let party = parties.start(receive_some, (receiver, 30));
    let sending = parties.start(send_some, (sender, 0));
    let (first, receiver) = party.join();
    let (second, receiver) = receive_some(receiver, 30);
    drop(sending.join());
    let (third, _receiver) = parties.start(receive_some, (receiver, usize::MAX)).join();
    assert_eq!([first.len(), second.len(), third.len()], [30, 30, 40]);
    assert!([first, second, third].concat().into_iter().eq(0..100));
}

#[mp::task]
fn wait_for_the_end(receiver: Receiver<u32>, beds: Dormitory) {
    go_to_sleep(&beds);
    assert!(receiver.recv().unwrap_err().is_closed());
}

fn a_sleeping_receiver_is_woken_by_the_end(parties: &Parties) {
    for _ in 0..2 {
        let (sender, receiver) = mp::pipe().unwrap();
        let beds = dormitory();
        let party = parties.start(wait_for_the_end, (receiver, beds.clone()));
        until_asleep(&beds, 1);
        drop(sender);
        party.join();
    }
}

#[mp::task]
fn leave(receiver: Receiver<String>) {
    assert!(!receiver.poll(Duration::ZERO).unwrap());
}

/// Sends to nobody; returns what came back.
#[mp::task]
fn send_to_nobody(sender: Sender<String>) -> Vec<String> {
    assert!(sender.send_bytes(b"kept").unwrap_err().is_closed());
    let refused = [sender.send("kept".into()), sender.try_send("too".into())];
    let back = refused.map(|refused| {
        let refused = refused.unwrap_err();
        assert_eq!(refused.error().kind(), ErrorKind::Closed);
        refused.into_inner()
    });
    back.into()
}

fn the_value_comes_back_when_the_receiver_is_gone(parties: &Parties) {
    let (sender, receiver) = mp::pipe().unwrap();
    parties.start(leave, (receiver,)).join();
    assert_eq!(send_to_nobody(sender), ["kept", "too"]);
    let (sender, receiver) = mp::pipe().unwrap();
    drop(receiver);
    assert_eq!(parties.start(send_to_nobody, (sender,)).join(), ["kept", "too"]);
    let (sender, receiver) = mp::pipe().unwrap();
    parties.start(leave, (receiver,)).join();
    assert_eq!(parties.start(send_to_nobody, (sender,)).join(), ["kept", "too"]);
}

/// Sends until there is no room, then waits for room.
#[mp::task]
fn fill(sender: Sender<u64>, full: Dormitory) -> u64 {
    let refused = (0..).find_map(|number| sender.try_send(number).err()).unwrap();
    assert_eq!(refused.error().kind(), ErrorKind::Full);
    let value = refused.into_inner();
    go_to_sleep(&full);
    sender.send(value).unwrap();
    value
}

fn a_full_pipe_says_so_and_goes_on_after_a_receive(parties: &Parties) {
    let (sender, receiver) = mp::pipe().unwrap();
    let full = dormitory();
    let party = parties.start(fill, (sender, full.clone()));
    until_asleep(&full, 1);
    let mut numbers = receiver.iter().map(Result::unwrap);
    assert_eq!(numbers.next(), Some(0));
    let rest: Vec<u64> = numbers.collect();
    assert!(rest.into_iter().eq(1..=party.join()));
}

#[mp::task]
fn answer(office: Duplex<String, u64>) -> u64 {
    let mut requests = 0;
    for number in &office {
        office.send(format!("{} squared", number.unwrap())).unwrap();
        requests += 1;
    }
    requests
}

#[mp::task]
fn ask(office: Duplex<u64, String>) {
    for number in 0..50 {
        office.send(number).unwrap();
        assert_eq!(office.recv().unwrap(), format!("{number} squared"));
    }
    // Also before the answers are read.
    (50..60).for_each(|number| office.send(number).unwrap());
    (50..60).for_each(|number| assert_eq!(office.recv().unwrap(), format!("{number} squared")));
}

fn each_request_has_its_answer(parties: &Parties) {
    let (here, there) = mp::duplex().unwrap();
    let party = parties.start(answer, (there,));
    ask(here);
    assert_eq!(party.join(), 60);
    let (here, there) = mp::duplex().unwrap();
    let (answering, asking) = (parties.start(answer, (there,)), parties.start(ask, (here,)));
    asking.join();
    assert_eq!(answering.join(), 60);
}

#[mp::task]
fn give_bytes_back(end: Duplex<(), ()>) {
    let mut buffer = vec![0; 1 << 20];
    loop {
        let received = end.recv_bytes_into(&mut buffer);
        match received {
            Ok(len) => end.send_bytes(&buffer[..len]).unwrap(),
            Err(error) => return assert!(error.is_closed(), "{error}"),
        }
    }
}

fn bytes_arrive_as_they_were_sent(parties: &Parties) {
    let (here, there) = mp::duplex::<(), ()>().unwrap();
    let party = parties.start(give_bytes_back, (there,));
    for len in [0, 1, 1000, 65_536, 65_537, 1 << 20] {
        let bytes: Vec<u8> = (0..=250).cycle().take(len).collect();
        here.send_bytes(&bytes).unwrap();
        assert!(here.recv_bytes().unwrap() == bytes, "{len}");
    }
    drop(here);
    party.join();
}

#[mp::task]
fn look(receiver: Receiver<u8>, looked: Event, sent: Event) {
    assert!(!receiver.poll(Duration::ZERO).unwrap());
    assert_eq!(receiver.try_recv().unwrap_err().kind(), ErrorKind::Empty);
    assert!(receiver.recv_timeout(Duration::ZERO).unwrap_err().is_timeout());
    let start = Instant::now();
    assert!(receiver.recv_timeout(SHORT).unwrap_err().is_timeout());
    assert!(!receiver.poll(SHORT).unwrap());
    assert!(start.elapsed() >= 2 * SHORT);
    looked.set();
    sent.wait();
    assert!(receiver.poll(Duration::ZERO).unwrap());
    assert_eq!(receiver.recv_timeout(Duration::ZERO).unwrap(), 1);
    assert_eq!(receiver.try_recv().unwrap(), 2);
    assert!(!receiver.poll(Duration::ZERO).unwrap());
}

fn a_time_out_of_zero_looks_once(parties: &Parties) {
    for _ in 0..2 {
        let (looked, sent) = (Event::new().unwrap(), Event::new().unwrap());
        let (sender, receiver) = mp::pipe().unwrap();
        let party = parties.start(look, (receiver, looked.clone(), sent.clone()));
        looked.wait();
        sender.send(1).unwrap();
        sender.send(2).unwrap();
        sent.set();
        party.join();
    }
}
