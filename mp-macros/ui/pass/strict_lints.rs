//! Nothing of what the attributes add is held against a crate with strict lints.
#![forbid(
    unsafe_code,
    dead_code,
    missing_docs,
    non_camel_case_types,
    non_upper_case_globals,
    unused_variables
)]
#![deny(warnings, unused, unreachable_pub, unused_qualifications, missing_debug_implementations)]
#![deny(rust_2018_idioms, elided_lifetimes_in_paths, single_use_lifetimes, trivial_casts, unused_results)]
#![deny(clippy::all, clippy::pedantic)]

use std::path::Path;

mp::test_main!();

/// Squares.
#[mp::task]
#[must_use]
pub const fn square(x: i64) -> i64 {
    x * x
}

/// Adds.
#[mp::task(name = "sum of pairs")]
fn sum((a, b): (i64, i64), mut c: i64, _: u8) -> i64 {
    c += a + b;
    c
}

#[mp::task]
fn nothing() {}

#[mp::task]
fn exists(path: &Path) -> bool {
    path.exists()
}

#[mp::task(instances(f64, Vec<u8>))]
fn twice<T: Clone>(value: T) -> (T, T) {
    (value.clone(), value)
}

#[mp::task]
#[deprecated]
fn old(x: i64) -> i64 {
    x
}

#[mp::task]
#[expect(clippy::ptr_arg, reason = "the task is to see whether the glue fulfils this once more")]
fn length(list: &Vec<u8>) -> usize {
    list.len()
}

#[derive(Debug)]
struct Shape;

#[mp::tasks]
impl Shape {
    #[task]
    fn area(side: u64) -> u64 {
        side * side
    }

    #[cfg(any())]
    #[task]
    fn left_out(side: NoSuchType) {}
}

#[mp::entry]
fn main() {}
