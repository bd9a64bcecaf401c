//! A table that is loaded once and shared by all workers: a fork server copies itself, and the copies share its memory.

use mp::{Context, ErrorKind, StartMethod};
use std::sync::OnceLock;

/// The smallest prime factor of each number.
static FACTORS: OnceLock<Vec<u32>> = OnceLock::new();

#[mp::task]
fn sieve(below: usize) {
    println!("the table is made");
    let mut factors: Vec<u32> = (0..below as u32).collect();
    for prime in (2..below).take_while(|prime| prime * prime < below) {
        for multiple in (prime * prime..below).step_by(prime) {
            factors[multiple] = factors[multiple].min(prime as u32);
        }
    }
    FACTORS.set(factors).expect("a server loads once");
}

#[mp::task]
fn factorize(mut number: u32) -> Vec<u32> {
    let factors = FACTORS.get().expect("the server has made it before this process was");
    let mut found = Vec::new();
    while number > 1 {
        found.push(factors[number as usize]);
        number /= factors[number as usize];
    }
    found
}

fn main() -> Result<(), mp::Error> {
    mp::main!();
    let context = Context::new(StartMethod::ForkServer).preload(sieve, (1_000_000,));
    let numbers = [60_u32, 97, 2026, 524_288, 999_999];
    match context.pool(4).and_then(|pool| pool.map(factorize, numbers)) {
        Ok(factors) => {
            for (number, factors) in numbers.iter().zip(factors) {
                println!("{number:>6} = {factors:?}");
            }
        }
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            println!("no fork server here ({error}): an initializer does the same in each worker");
        }
        Err(error) => return Err(error),
    }
    Ok(())
}
