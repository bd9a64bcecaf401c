//! What belongs to this process and not to a copy of it: a process that is forked finds the memory of another.

use std::sync::OnceLock;

/// A value that is made once in each process and stays.
///
/// The processes from which this one was copied, one after the other, have each left theirs in a chain. It is read without
/// a lock: a copy made while another thread reads finds nothing locked.
#[derive(Debug)]
pub struct Own<T: 'static>(OnceLock<Box<Link<T>>>);

#[derive(Debug)]
struct Link<T: 'static> {
    owner: u32,
    value: T,
    next: Own<T>,
}

impl<T> Own<T> {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// The value of this process, if it has been made.
    pub fn get(&self) -> Option<&T> {
        let ourselves = std::process::id();
        let mut place = self;
        loop {
            let link = place.0.get()?;
            if link.owner == ourselves {
                return Some(&link.value);
            }
            place = &link.next;
        }
    }

    /// The value of this process, made now if there is none.
    pub fn get_or_init(&self, make: impl Fn() -> T) -> &T {
        let owner = std::process::id();
        let mut place = self;
        loop {
            let link = place.0.get_or_init(|| Box::new(Link { owner, value: make(), next: Self::new() }));
            if link.owner == owner {
                return &link.value;
            }
            place = &link.next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_does_not_take_what_another_one_has_left_for_its_own() {
        let stranger = Link { owner: std::process::id() + 1, value: "theirs", next: Own::new() };
        let own = Own(OnceLock::from(Box::new(stranger)));
        assert_eq!(own.get(), None);
        assert_eq!(*own.get_or_init(|| "ours"), "ours");
        assert_eq!(*own.get_or_init(|| "another"), "ours");
        assert_eq!(own.get(), Some(&"ours"));
    }
}
