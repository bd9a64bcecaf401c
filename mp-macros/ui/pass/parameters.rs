//! Every shape of parameter and result.

// Odd on purpose.
#![allow(warnings)]

use std::borrow::Cow;
use std::collections::HashMap;
use std::ffi::{CStr, OsStr};
use std::path::{Path, PathBuf};

#[mp::task]
fn borrowed(text: &str, bytes: &[u8], path: &Path, full: &std::path::Path, numbers: &[f64]) -> usize {
    text.len() + bytes.len() + path.as_os_str().len() + full.as_os_str().len() + numbers.len()
}

#[mp::task]
fn lent(text: &String, list: &Vec<Option<&str>>, table: &HashMap<String, u8>, both: &(u8, &str)) -> usize {
    text.len() + list.len() + table.len() + both.1.len()
}

#[mp::task]
fn nested(texts: &[&str], bytes: Vec<&[u8]>, maybe: Option<&str>, deep: &&str, names: &[String]) -> usize {
    texts.len() + bytes.len() + maybe.map_or(0, str::len) + deep.len() + names.len()
}

#[mp::task]
fn lifetimes<'a, 'b: 'a>(
    one: &'a str,
    two: Cow<'b, str>,
    fixed: Cow<'static, str>,
    any: Cow<'_, [u8]>,
) -> String {
    format!("{one}{two}{fixed}{any:?}")
}

#[mp::task]
fn platform(os: &OsStr, c: &CStr) -> usize {
    os.len() + c.to_bytes().len()
}

#[mp::task]
fn patterns((a, b): (i64, i64), mut c: i64, _: u8, [first, ..]: [u8; 3], Point { x, .. }: Point) -> i64 {
    c += a + b;
    c + i64::from(first) + x
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Point {
    x: i64,
    y: i64,
}

#[mp::task]
fn results(path: PathBuf) -> Result<(Point, Vec<Option<String>>), String> {
    Err(format!("{}", path.display()))
}

#[mp::task]
fn unit() -> () {}

#[mp::task]
fn twelve(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8, i: u8, j: u8, k: u8, l: u8) -> u8 {
    a + b + c + d + e + f + g + h + i + j + k + l
}

fn main() {
    assert_eq!(twelve(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1), 12);
    assert_eq!(Point { x: 1, y: 2 }.y, 2);
}
