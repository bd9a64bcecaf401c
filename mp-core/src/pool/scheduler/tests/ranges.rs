//! `Ranges` does what a plain set of numbers does.

use super::super::ranges::Ranges;
use super::random::Random;
use std::collections::BTreeSet;

#[test]
fn ranges_are_a_set_of_numbers() {
    for seed in 0..500 {
        let mut random = Random(seed);
        let (mut ranges, mut set) = (Ranges::default(), BTreeSet::new());
        for _ in 0..60 {
            let start = random.below(40);
            let range = start..start + random.below(9);
            let mut told = Vec::new();
            match random.below(4) {
                0 => {
                    ranges.remove(&range, |gone| told.extend(gone));
                    let gone: Vec<u64> = range.filter(|number| set.remove(number)).collect();
                    assert_eq!(told, gone, "seed {seed}");
                }
                1 => {
                    told.extend(ranges.take(1 + random.below(5)));
                    let first: Vec<u64> = set.iter().copied().take(told.len()).collect();
                    assert_eq!(told, first, "seed {seed}");
                    assert!(set.is_empty() || !told.is_empty(), "seed {seed}");
                    assert!(told.iter().all(|number| set.remove(number)), "seed {seed}");
                }
                2 if set.range(range.clone()).next().is_none() => {
                    ranges.insert(range.clone());
                    set.extend(range);
                }
                _ => {
                    ranges.unite(range.clone());
                    set.extend(range);
                }
            }
            assert!((0..50).all(|number| ranges.contains(number) == set.contains(&number)), "seed {seed}");
            assert_eq!(ranges.is_empty(), set.is_empty(), "seed {seed}");
        }
        // Ranges that touch are one.
        let mut last = None;
        while !ranges.is_empty() {
            let range = ranges.take(u64::MAX);
            assert!(last.is_none_or(|end| range.start > end), "seed {seed}");
            last = Some(range.end);
        }
    }
}
