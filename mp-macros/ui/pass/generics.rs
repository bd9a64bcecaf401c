//! Instances of generic functions, in the attribute and at the place of use.

use std::collections::HashMap;

#[derive(Clone, Copy, serde::Serialize, serde::Deserialize)]
struct T(u8);

#[mp::task(instances(f64, String, HashMap<u8, Vec<u8>>, (u8, u8), T))]
fn twice<T: Clone>(value: T) -> (T, T) {
    (value.clone(), value)
}

#[mp::task(name = "fill", instances((f64, 3), (T, { 1 + 1 })))]
fn fill<'a, T, const N: usize>(value: T, others: &'a [T], text: &'a str) -> Vec<T>
where
    T: Copy,
{
    let mut filled = vec![value; N + text.len()];
    filled.extend(others);
    filled
}

#[mp::task(instances(4, 8))]
fn below<const LIMIT: usize>(value: usize) -> bool {
    value < LIMIT
}

#[mp::task(instances(Vec<u8>, std::ops::Range<i64>))]
fn last<I: IntoIterator>(first: I::Item, rest: I, more: &[I::Item], one: &I::Item) -> Option<I::Item> {
    let _ = (more, one);
    rest.into_iter().last().or(Some(first))
}

fn pair<A, B>(a: A, b: B) -> (A, B) {
    (a, b)
}

mod shapes {
    pub fn side<T: Copy>(area: T) -> T {
        area
    }
}

struct Maker;

impl Maker {
    fn make<T: Default>(_: u8) -> T {
        T::default()
    }
}

fn main() {
    assert_eq!(mp::task_of!(pair::<u8, Vec<u16>>)(1, vec![2]), (1, vec![2]));
    assert_eq!(mp::task_of!(shapes::side::<u64>)(3), 3);
    assert_eq!(mp::task_of!(Maker::make::<u32>)(3), 0);
    assert_eq!(mp::task_of!(twice::<u64>)(3), (3, 3));
    assert!(mp::task_of!(below::<4>)(3));
}
