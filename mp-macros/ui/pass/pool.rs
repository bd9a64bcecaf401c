//! What a pool takes where.

#[mp::task]
fn words(text: &str, least: usize) -> usize {
    text.split(' ').filter(|word| word.len() >= least).count()
}

#[mp::task]
fn square(x: i64) -> i64 {
    x * x
}

fn typed(pool: &mp::Pool) -> Result<(), mp::Error> {
    let _: Vec<i64> = pool.map(square, 0..10)?;
    let _: Vec<i64> = pool.map(mp::task_of!(square), vec![1, 2])?;
    let _: usize = pool.apply(words, ("one two", 3))?;
    let _: usize = pool.apply(mp::task_of!(words), (String::from("one two"), 3))?;
    Ok(())
}

fn main() {
    let _ = typed;
}
