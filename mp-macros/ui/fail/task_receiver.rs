struct Counter(u64);

impl Counter {
    #[mp::task]
    fn next(&self) -> u64 {
        self.0 + 1
    }

    #[mp::task]
    fn into_inner(self) -> u64 {
        self.0
    }

    #[mp::task]
    fn of(value: u64) -> Self {
        Self(value)
    }
}

fn main() {}
