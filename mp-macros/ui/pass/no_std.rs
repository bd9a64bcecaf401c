//! A program that finds the standard library under another name.

#![no_std]

extern crate std as standard;

#[mp::task]
fn sum(numbers: &[f64]) -> f64 {
    numbers.iter().sum()
}

fn main() {
    mp::main!();
    let _ = sum;
}
