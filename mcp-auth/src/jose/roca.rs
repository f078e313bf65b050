//! RSA keys of a generator whose private keys can be computed from the public ones (ROCA,
//! CVE-2017-15361).

/// The primes whose product every prime of that generator is taken modulo.
const PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
    101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/// Whether a modulus is a power of 65537 modulo each of [`PRIMES`], as all of that generator's are.
///
/// So is one in 2²⁷ other keys, by chance; its owner has to make a new one.
pub(super) fn has_fingerprint(modulus: &[u8]) -> bool {
    PRIMES.iter().all(|prime| {
        let residue = modulus.iter().fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime);
        let powers = std::iter::successors(Some(1), |power| Some(power * (65537 % prime) % prime));
        powers.take(*prime as usize).any(|power| power == residue)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_65537_are_found_and_their_neighbours_are_not() {
        // As numbers: 65537², and one more.
        assert!(has_fingerprint(&[1, 0, 2, 0, 1]));
        assert!(!has_fingerprint(&[1, 0, 2, 0, 2]));
        assert!(!has_fingerprint(&[]));
    }
}
