//! `#[mp::entry]` below the attribute that makes a runtime.

#![allow(clippy::unwrap_used, reason = "what is not as it should be ends the program")]

#[mp::task]
fn square(x: i64) -> i64 {
    x * x
}

#[tokio::main]
#[mp::entry]
async fn main() -> Result<(), mp::Error> {
    println!("main runs");
    let pool = mp::Pool::new(2)?;
    println!("{}", pool.apply_async(square, (3,)).await?);
    println!("{}", tokio::spawn(pool.apply_async(square, (4,))).await.unwrap()?);
    Ok(())
}
