//! The example of Python's `concurrent.futures`: which of these large numbers are prime?

const NUMBERS: [u64; 6] = [
    112_272_535_095_293,
    112_582_705_942_171,
    112_272_535_095_293,
    115_280_095_190_773,
    115_797_848_077_099,
    1_099_726_899_285_419,
];

#[mp::task]
fn is_prime(n: u64) -> bool {
    match n {
        0 | 1 => false,
        2 => true,
        _ if n.is_multiple_of(2) => false,
        _ => (3..=n.isqrt()).step_by(2).all(|divisor| !n.is_multiple_of(divisor)),
    }
}

fn main() -> Result<(), mp::Error> {
    mp::main!();
    let pool = mp::Pool::default();
    for (number, prime) in NUMBERS.into_iter().zip(pool.imap(is_prime, NUMBERS)) {
        println!("{number} is prime: {}", prime?);
    }
    Ok(())
}
