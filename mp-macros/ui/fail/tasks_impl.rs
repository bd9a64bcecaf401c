struct Wrapper<T>(T);

#[mp::tasks]
impl<T> Wrapper<T> {
    #[task]
    fn wrap(value: T) -> Self {
        Self(value)
    }
}

struct Square;

#[mp::tasks]
impl From<u8> for Square {
    #[task]
    fn from(_: u8) -> Self {
        Self
    }
}

#[mp::tasks]
impl Square {
    fn unmarked() {}
}

#[mp::tasks(name = "squares")]
impl Square {
    #[task(retrys = 3)]
    #[task]
    fn twice_marked() {}

    #[task]
    const SIDE: u8 = 1;
}

#[mp::tasks]
fn lonely() {}

fn main() {}
