//! An annotated function is a function.

// Odd on purpose.
#![allow(warnings)]

#[mp::task]
const fn square(x: i64) -> i64 {
    x * x
}

#[mp::task]
fn r#match(x: i64) -> i64 {
    x
}

#[mp::task]
fn factorial(x: u64) -> u64 {
    if x == 0 { 1 } else { x * factorial(x - 1) }
}

/// The names that the attribute uses, or might.
#[mp::task]
fn invoke(arguments: u8, reply: u8) -> u8 {
    arguments + reply
}

#[mp::task]
fn main_task(main: u8) -> u8 {
    main
}

/// The type keeps its name.
#[mp::task]
fn f64(x: u8) -> u8 {
    x
}

const NINE: i64 = square(3);
const PROVED: i64 = mp::task_of!(square)(4);

fn used(square: i64) -> i64 {
    square
}

fn main() {
    let pointer: fn(i64) -> i64 = square;
    let all: Vec<i64> = [1, 2].into_iter().map(square).collect();
    let proved: Vec<i64> = [1, 2].into_iter().map(mp::task_of!(self::square)).collect();
    assert_eq!(all, proved);
    let square = square(4);
    assert_eq!((pointer(4), PROVED, NINE), (square, square, 9));
    assert_eq!(used(square), 16);
    assert_eq!((r#match(1), mp::task_of!(r#match)(1), factorial(5)), (1, 1, 120));
    assert_eq!((invoke(1, 2), main_task(3)), (3, 3));
    let number: f64 = 1.5;
    assert_eq!(f64(number as u8), 1);
}
