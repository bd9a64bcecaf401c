//! A task with a pool of its own. Whatever ends the task's worker ends that pool's workers as well.

#[mp::task]
fn cell(row: u64, column: u64) -> u64 {
    row * column
}

#[mp::task]
fn row(row: u64) -> Result<Vec<u64>, mp::Error> {
    let pool = mp::Pool::new(2)?;
    pool.starmap(cell, (1..=10).map(|column| (row, column)))
}

/// The names of the processes from this one to the first.
#[mp::task]
fn ancestry(generations: u32) -> Vec<String> {
    let mut names = match generations.checked_sub(1) {
        Some(rest) => mp::spawn(ancestry, (rest,)).and_then(mp::JoinHandle::join).unwrap_or_default(),
        None => Vec::new(),
    };
    names.push(mp::current_process().name);
    names
}

fn main() -> Result<(), mp::Error> {
    mp::main!();
    let pool = mp::Pool::builder().workers(2).name("rows").build()?;
    for row in pool.imap(row, 1..=10) {
        match row? {
            Ok(cells) => println!("{cells:?}"),
            Err(why) => println!("no row: {why}"),
        }
    }
    println!("{:?}", ancestry(3));
    Ok(())
}
