#[mp::task(retrys = 3, name = "first", name = "second")]
fn first() {}

#[mp::task(name = "")]
fn second() {}

#[mp::task(name = third, crate = "mp", instances)]
fn third() {}

#[mp::task(name, 3)]
fn fourth() {}

#[mp::task(name = "fifth" crate = mp)]
fn fifth() {}

fn main() {}
