//! Python's "queue of tasks, queue of results": workers take calls from one queue and put what they found into another,
//! until they take the word that ends them.

use mp::{Queue, current_process};

/// An operation and its operands; `None` says stop.
type Job = Option<(char, i64, i64)>;

#[mp::task]
fn work(jobs: Queue<Job>, results: Queue<String>) {
    while let Ok(Some((operation, a, b))) = jobs.get() {
        let result = match operation {
            '*' => a * b,
            _ => a + b,
        };
        let name = current_process().name;
        results.put(format!("{name} says that {a} {operation} {b} = {result}")).expect("room");
    }
}

fn main() -> Result<(), mp::Error> {
    mp::main!();
    let (jobs, results) = (Queue::unbounded()?, Queue::unbounded()?);
    for number in 0..5 {
        jobs.put(Some(('*', number, 7)))?;
    }
    let workers = (0..4)
        .map(|_| mp::Process::new(work, (jobs.clone(), results.clone())).name("a worker").start())
        .collect::<Result<Vec<_>, _>>()?;
    let mut lines = (0..5).map(|_| results.get()).collect::<Result<Vec<_>, _>>()?;

    for number in 0..5 {
        jobs.put(Some(('+', number, 8)))?;
    }
    for _ in &workers {
        jobs.put(None)?;
    }
    for worker in workers {
        worker.join()?;
    }
    while !results.is_empty() {
        lines.push(results.get()?);
    }
    lines.sort();
    for line in &lines {
        println!("{line}");
    }
    println!("left in the queue of jobs: {}", jobs.len());
    Ok(())
}
