//! In modules, in functions, from macros, in impls.

// Odd on purpose.
#![allow(warnings)]

mod private {
    #[mp::task]
    pub(super) fn inner(x: i64) -> i64 {
        x + 1
    }

    pub(crate) mod deeper {
        #[mp::task]
        pub(in crate::private) fn hidden(x: i64) -> i64 {
            x + 2
        }
    }

    pub fn proved(x: i64) -> i64 {
        mp::task_of!(deeper::hidden)(x)
    }
}

mod exported {
    pub use crate::private::*;
    #[mp::task]
    pub fn shown(x: i64) -> i64 {
        x
    }
}
use exported::shown;

fn outer<T: Default>() -> T {
    #[mp::task]
    fn nested(x: i64) -> i64 {
        x - 1
    }
    assert_eq!(mp::task_of!(nested)(1), 0);
    T::default()
}

macro_rules! identity {
    ($name:ident, $ty:ty) => {
        #[mp::task]
        fn $name(x: $ty) -> $ty {
            x
        }
    };
}
identity!(same_number, u8);
identity!(same_list, Vec<u8>);

macro_rules! written {
    ($pattern:pat, $owned:ty, $text:ty, $lent:ty, $slice:ty) => {
        #[mp::task]
        fn written($pattern: $owned, a: $text, b: &$lent, c: &[$owned], d: &$slice) -> ($owned, usize) {
            let _ = b;
            (c[0], a.len() + d.len())
        }

        #[mp::task(instances($owned, $lent))]
        fn written_generic<X>(x: X) -> X {
            x
        }
    };
}
written!(_, u32, &str, u8, str);

struct Unit(u8);

macro_rules! with_crate {
    () => {
        mod made {
            #[mp::task]
            pub(super) fn length(list: Vec<u8>) -> $crate::Length {
                list.len()
            }
        }
    };
}
type Length = usize;
with_crate!();

#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Image {
    width: u32,
}

trait Measured {
    type Size;
    const SIDES: usize;
}

impl Measured for Image {
    type Size = u16;
    const SIDES: usize = 2;
}

#[mp::tasks]
impl Image {
    #[task]
    fn width(image: &Self, other: Option<Self>) -> u32 {
        image.width + other.map_or(0, |other| other.width)
    }

    #[mp::task(name = "image.new")]
    pub fn new(width: u32) -> Self {
        Self { width }
    }

    #[task(instances(u8, u16))]
    fn from_small<T: Into<u32>>(width: T) -> Self {
        Self { width: width.into() }
    }

    #[task]
    fn sized(size: <Self as Measured>::Size, sides: [u8; <Self as Measured>::SIDES]) -> Vec<Self> {
        vec![Self { width: u32::from(size) + u32::from(sides[0]) }]
    }

    fn unmarked(&self) -> u32 {
        mp::task_of!(Self::width)(self, None)
    }
}

fn main() {
    assert_eq!((private::proved(1), mp::task_of!(private::inner)(1), mp::task_of!(shown)(1)), (3, 2, 1));
    assert_eq!(outer::<u8>(), 0);
    assert_eq!((same_number(1), same_list(vec![1]).len(), made::length(vec![1])), (1, 1, 1));
    assert_eq!(written(1, "ab", &Unit(1).0, &[3], "x"), (3, 3));
    assert_eq!(written_generic(1), 1);
    let image = mp::task_of!(Image::new)(3);
    assert_eq!((image.unmarked(), mp::task_of!(<Image>::width)(&image, Some(image.clone()))), (3, 6));
    assert_eq!(Image::from_small(3_u8).width + Image::sized(1, [1, 2])[0].width, 5);
}
