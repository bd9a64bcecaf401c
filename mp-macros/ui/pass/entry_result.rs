//! `#[mp::entry]` on a `main` with a result, whose body begins with an inner attribute.

#[mp::entry]
fn main() -> Result<(), std::num::ParseIntError> {
    #![allow(unused_variables)]
    let unused: i64 = "3".parse()?;
    Ok(())
}
