//! The first program: a function runs in other processes.

#[mp::task]
fn square(x: i64) -> i64 {
    x * x
}

fn main() -> Result<(), mp::Error> {
    mp::main!();
    let pool = mp::Pool::new(2)?;
    let squares = pool.map(square, 0..10)?;
    println!("{squares:?}");
    Ok(())
}
