//! Names that mean something else, too, and traits whose methods have the names of ours.

// Odd on purpose.
#![allow(warnings)]
#![deny(missing_debug_implementations, missing_copy_implementations)]

#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub struct Point(f64, f64);

/// The standard deviation.
#[mp::task]
fn std(numbers: &[f64]) -> f64 {
    std::hint::black_box(numbers.len()) as f64
}

#[mp::task]
fn serde(point: Point) -> Point {
    point
}

trait Everywhere {
    fn bytes(&self) {}
    fn next(&self) {}
    fn finish(&self) {}
    fn value(&self) {}
}

impl<T> Everywhere for T {}

#[mp::task]
fn lengths(bytes: &[u8], text: String, list: &[u8]) -> usize {
    bytes.len() + text.len() + list.len()
}

/// A module with nothing in sight.
#[no_implicit_prelude]
mod bare {
    #[::mp::task]
    pub fn sum(numbers: &[f64]) -> f64 {
        numbers[0]
    }
}

macro_rules! define {
    ($name:ident) => {
        #[mp::task]
        pub fn $name(x: u8) -> u8 {
            x
        }
    };
}

define!(defined);

fn main() {
    mp::main!();
    let _ = (std, serde, lengths, bare::sum, defined);
}
