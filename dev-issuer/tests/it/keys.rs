use aws_lc_rs::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use dev_issuer::{Algorithm, Broken, DevIssuer};
use serde_json::Value;

use crate::support::*;

#[tokio::test]
async fn tokens_of_every_algorithm_verify_with_the_published_key() {
    let agent = Agent::start().await;
    for algorithm in Algorithm::ALL {
        let token = agent.issuer.mint().algorithm(*algorithm).sign();
        let jwk = published(&agent, &token).await.unwrap();
        assert_eq!(header(&token)["alg"], algorithm.as_str());
        assert_eq!(jwk["alg"], algorithm.as_str());
        assert_eq!(jwk["use"], "sig");
        assert!(verifies(*algorithm, &jwk, &token), "{algorithm}");

        let token = agent.issuer.mint().algorithm(*algorithm).broken(Broken::Signature).sign();
        assert!(!verifies(*algorithm, &jwk, &token), "{algorithm}");
    }
}

#[tokio::test]
async fn rotation_keeps_or_drops_old_keys() {
    let agent = Agent::of(DevIssuer::builder().algorithm(Algorithm::EdDsa).start().await.unwrap());
    let first = agent.issuer.mint().sign();
    agent.issuer.rotate_keys();
    let second = agent.issuer.mint().sign();
    assert_ne!(header(&first)["kid"], header(&second)["kid"]);
    assert!(published(&agent, &first).await.is_some());
    assert!(published(&agent, &second).await.is_some());

    agent.issuer.rotate_keys_and_drop_old();
    let third = agent.issuer.mint().sign();
    assert!(published(&agent, &first).await.is_none());
    assert!(published(&agent, &second).await.is_none());
    assert!(published(&agent, &third).await.is_some());
}

/// The JWK that a token names.
async fn published(agent: &Agent, token: &str) -> Option<Value> {
    let (_, jwks) = answer(agent.http.get(agent.issuer.jwks_uri()).send().await.unwrap()).await;
    let kid = header(token)["kid"].clone();
    jwks["keys"].as_array().unwrap().iter().find(|key| key["kid"] == kid).cloned()
}

fn verifies(algorithm: Algorithm, jwk: &Value, token: &str) -> bool {
    let (message, signature) = token.rsplit_once('.').unwrap();
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    let bytes =
        |member: &str| BASE64_URL_SAFE_NO_PAD.decode(jwk[member].as_str().unwrap()).unwrap();
    let message = message.as_bytes();
    if jwk["kty"] == "RSA" {
        let parameters = match algorithm {
            Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            Algorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
            Algorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
            Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
            Algorithm::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
            _ => &signature::RSA_PSS_2048_8192_SHA512,
        };
        let key = RsaPublicKeyComponents { n: bytes("n"), e: bytes("e") };
        return key.verify(parameters, message, &signature).is_ok();
    }
    let (parameters, key): (&'static dyn signature::VerificationAlgorithm, _) = match algorithm {
        Algorithm::Es256 => (&signature::ECDSA_P256_SHA256_FIXED, point(bytes("x"), bytes("y"))),
        Algorithm::Es384 => (&signature::ECDSA_P384_SHA384_FIXED, point(bytes("x"), bytes("y"))),
        Algorithm::Es512 => (&signature::ECDSA_P521_SHA512_FIXED, point(bytes("x"), bytes("y"))),
        Algorithm::MlDsa44 => (&signature::ML_DSA_44, bytes("pub")),
        Algorithm::MlDsa65 => (&signature::ML_DSA_65, bytes("pub")),
        Algorithm::MlDsa87 => (&signature::ML_DSA_87, bytes("pub")),
        _ => (&signature::ED25519, bytes("x")),
    };
    UnparsedPublicKey::new(parameters, key).verify(message, &signature).is_ok()
}

fn point(x: Vec<u8>, y: Vec<u8>) -> Vec<u8> {
    [vec![4], x, y].concat()
}
