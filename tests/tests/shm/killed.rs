//! kill -9 of writers at random moments: who comes next finds the old or the new, and waits for nobody.

use crate::rounds;
use mp::shm::{Atomic, Item, ShareableList, Value};
use mp_tests::{Random, is_emulated, scenario, until};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// So long that only a lock that is stuck takes it.
const STUCK: Duration = Duration::from_secs(60);

/// How many changes are through.
type Done = Atomic<AtomicU64>;

/// Large enough that writing it takes a while.
type Wide = [u64; 500];

/// Lets a writer go on for a random while, and kills it. Returns how many of its changes are through.
fn kill_later<R>(writer: mp::JoinHandle<R>, done: &Done, random: &mut Random) -> u64 {
    let before = done.load(Ordering::Acquire);
    until(|| done.load(Ordering::Acquire) > before);
    for _ in 0..random.below(20_000) {
        std::hint::spin_loop();
    }
    writer.kill().unwrap();
    writer.wait().unwrap();
    done.load(Ordering::Acquire)
}

#[mp::task]
fn write_values(value: Value<Wide>, done: Done) {
    for number in done.load(Ordering::Relaxed) + 1.. {
        if number % 2 == 0 {
            value.set([number; 500]).unwrap();
        } else {
            value.lock().unwrap().fill(number);
        }
        done.store(number, Ordering::Release);
    }
}

#[test]
fn a_value_is_the_old_or_the_new_one_when_its_writer_was_killed() {
    if is_emulated() {
        return; // qemu-user does not pass on the locks of the dead
    }
    scenario(|| {
        let mut random = Random::new();
        let (value, done) = (Value::new([0; 500]).unwrap(), Atomic::new(AtomicU64::new(0)).unwrap());
        let mut cut = 0;
        for _ in 0..rounds(40) {
            let writer = mp::spawn(write_values, (&value, &done)).unwrap();
            let through = kill_later(writer, &done, &mut random);
            let found = *value.lock_timeout(STUCK).unwrap();
            assert_eq!(found, [found[0]; 500], "half of a change");
            assert!(found[0] == through || found[0] == through + 1, "{} after {through}", found[0]);
            assert_eq!(value.get().unwrap(), found);
            cut += found[0] - through;
            done.store(found[0], Ordering::Relaxed);
        }
        println!("{cut} died after the change and before they said so");
    });
}

/// The same for the same number, of three types and many lengths.
fn item(number: u64) -> Item {
    let text = number.to_string().repeat((number % 7) as usize + 1);
    match number % 3 {
        0 => Item::from(i64::try_from(number).unwrap()),
        1 => Item::from(text),
        _ => Item::from(text.into_bytes()),
    }
}

#[mp::task]
fn write_items(list: ShareableList, done: Done) {
    for number in done.load(Ordering::Relaxed) + 1.. {
        list.set(0, item(number)).unwrap();
        list.set(2, item(number)).unwrap();
        done.store(number, Ordering::Release);
    }
}

#[test]
fn an_item_is_the_old_or_the_new_one_when_its_writer_was_killed() {
    if is_emulated() {
        return; // qemu-user does not pass on the locks of the dead
    }
    scenario(|| {
        let mut random = Random::new();
        let room = Item::from(vec![0; 200]);
        let list = ShareableList::new([room.clone(), "between".into(), room]).unwrap();
        let done = Atomic::new(AtomicU64::new(0)).unwrap();
        list.set(0, item(0)).unwrap();
        list.set(2, item(0)).unwrap();
        for _ in 0..rounds(40) {
            let writer = mp::spawn(write_items, (&list, &done)).unwrap();
            let through = kill_later(writer, &done, &mut random);
            let found = list.to_vec().unwrap();
            let [old, new] = [item(through), item(through + 1)];
            assert_eq!(found[1], Item::from("between"));
            assert!(found[0] == old || found[0] == new, "{:?} after {through}", found[0]);
            assert!(found[2] == old || (found[2] == new && found[0] == new), "{found:?} after {through}");
            done.store(through + 1, Ordering::Relaxed);
            list.set(0, item(through + 1)).unwrap();
            list.set(2, item(through + 1)).unwrap();
        }
    });
}
