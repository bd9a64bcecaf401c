//! The examples of Python's documentation on shared memory: a `Value` and an `Array` that a child changes, and a
//! `ShareableList` that two processes split.

use mp::shm::{Array, ShareableList, Value};

#[mp::task]
fn change(number: &Value<f64>, numbers: &Array<i32>) -> Result<(), mp::Error> {
    number.set(2.5)?;
    for number in numbers.lock()?.iter_mut() {
        *number = -*number;
    }
    Ok(())
}

#[mp::task]
fn square(list: &ShareableList, from: usize, to: usize) -> Result<(), mp::Error> {
    for index in from..to {
        if let Ok(Some(mp::shm::Item::Int(number))) = list.get(index) {
            list.set(index, number * number)?;
        }
    }
    Ok(())
}

fn main() -> Result<(), mp::Error> {
    mp::main!();
    let number = Value::new(0.0)?;
    let numbers = Array::from_slice(&(0..10).collect::<Vec<i32>>())?;
    mp::spawn(change, (&number, &numbers))?.join()??;
    println!("{}", number.get()?);
    println!("{:?}", numbers.to_vec()?);

    let list = ShareableList::new(0..6)?;
    let first = mp::spawn(square, (&list, 0, 3))?;
    let second = mp::spawn(square, (&list, 3, 6))?;
    first.join()??;
    second.join()??;
    println!("{:?}", list.to_vec()?);
    Ok(())
}
