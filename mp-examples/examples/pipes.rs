//! Python's "wait on several pipes at once": each worker sends through a pipe of its own, and the reader takes from
//! whichever has something, until all of them are gone.

use mp::{Receiver, Sender, Waitable, wait_any};

#[mp::task]
fn count(worker: usize, sender: Sender<(usize, u32)>) {
    for number in 0..10 {
        sender.send((worker, number)).expect("somebody reads");
    }
}

fn main() -> Result<(), mp::Error> {
    mp::main!();
    let mut readers: Vec<Receiver<(usize, u32)>> = Vec::new();
    let mut children = Vec::new();
    for worker in 0..4 {
        let (sender, receiver) = mp::pipe()?;
        readers.push(receiver);
        // The end moves into the child: here nothing of it is left, so that its reader sees the end.
        children.push(mp::spawn(count, (worker, sender))?);
    }

    let mut received = vec![Vec::new(); 4];
    while !readers.is_empty() {
        let waitable: Vec<&dyn Waitable> = readers.iter().map(|reader| reader as _).collect();
        for index in wait_any(&waitable, None)?.into_iter().rev() {
            match readers[index].recv() {
                Ok((worker, number)) => received[worker].push(number),
                Err(error) if error.is_closed() => drop(readers.remove(index)),
                Err(error) => return Err(error),
            }
        }
    }
    for (worker, numbers) in received.iter().enumerate() {
        println!("worker {worker}: {} messages, in order: {}", numbers.len(), numbers.is_sorted());
    }
    children.into_iter().try_for_each(mp::JoinHandle::join)
}
