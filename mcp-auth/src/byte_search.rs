//! Finding a byte in a text quickly: most texts have none of those that are looked for.

/// How many bytes are looked at one by one first: what is often there is found soon.
const FIRST: usize = 16;
/// How many bytes are looked at together after that: the compiler makes a few instructions of it.
const TOGETHER: usize = 32;

/// Where the first byte is that is wanted. A condition of comparisons alone is the fastest.
#[inline]
pub(crate) fn position_of(bytes: &[u8], is_wanted: impl Fn(u8) -> bool) -> Option<usize> {
    let (first, rest) = bytes.split_at(bytes.len().min(FIRST));
    if let Some(at) = first.iter().position(|byte| is_wanted(*byte)) {
        return Some(at);
    }
    let mut skipped = first.len();
    for group in rest.as_chunks::<TOGETHER>().0 {
        if group.iter().fold(false, |found, byte| found | is_wanted(*byte)) {
            break;
        }
        skipped += TOGETHER;
    }
    bytes[skipped..].iter().position(|byte| is_wanted(*byte)).map(|at| skipped + at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn the_first_one_is_found_wherever_it_is(
            bytes in prop::collection::vec(prop_oneof![40 => Just(b'x'), 1 => any::<u8>()], 0..200),
        ) {
            for wanted in [b'x', b'y', b'\n', 0] {
                let expected = bytes.iter().position(|byte| *byte == wanted);
                prop_assert_eq!(position_of(&bytes, |byte| byte == wanted), expected);
            }
        }
    }
}
