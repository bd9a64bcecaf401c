fn counter() -> Result<(), mp::Error> {
    let _ = mp::shm::Atomic::new(0_u64)?;
    Ok(())
}

fn main() {}
