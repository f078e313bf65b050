//! The floor: a bare signature check with a prepared key. No header, no claims.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RsaPublicKeyComponents,
};
use axum::Router;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use dev_issuer::Algorithm;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, LocalBoxFuture};
use http::header::AUTHORIZATION;
use serde_json::Value;

use super::{Contender, Entrant};
use crate::Failure;
use crate::gate::{Gate, Verdict};
use crate::rounds::{Sample, measure};
use crate::world::{Token, World};

pub(super) struct BareCheck {
    key: ParsedPublicKey,
}

impl BareCheck {
    pub(super) fn enter(world: &World, algorithm: Algorithm) -> Entrant {
        let key = prepare(world.jwk(algorithm)?, algorithm)?;
        Ok(Box::new(Self { key }))
    }
}

impl Contender for BareCheck {
    /// The signature is decoded before the clock starts.
    fn verify_all<'a>(&'a self, tokens: &'a [&'a Token]) -> LocalBoxFuture<'a, Sample> {
        let inputs = tokens.iter().filter_map(|token| split(&token.compact)).collect();
        let verify = |(message, signature): (&'a str, Vec<u8>)| {
            let valid = self.key.verify_sig(message.as_bytes(), &signature).is_ok();
            std::future::ready(valid)
        };
        measure(inputs, verify).boxed_local()
    }

    fn verify<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, bool> {
        std::future::ready(is_valid(&self.key, &token.compact)).boxed()
    }

    fn protect(&self, app: Router) -> Router {
        let key = self.key.clone();
        app.layer(Gate::new(move |headers| {
            let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
            let token = value.and_then(|value| value.strip_prefix("Bearer "));
            match token {
                Some(token) if is_valid(&key, token) => Verdict::Accepted,
                Some(_) | None => Verdict::Refused,
            }
        }))
    }
}

fn is_valid(key: &ParsedPublicKey, token: &str) -> bool {
    split(token)
        .is_some_and(|(message, signature)| key.verify_sig(message.as_bytes(), &signature).is_ok())
}

/// The signing input and the signature.
fn split(token: &str) -> Option<(&str, Vec<u8>)> {
    let (message, signature) = token.rsplit_once('.')?;
    Some((message, BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?))
}

fn prepare(jwk: &Value, algorithm: Algorithm) -> Result<ParsedPublicKey, Failure> {
    let bytes = |member: &str| {
        let text = jwk[member].as_str().unwrap_or_default();
        BASE64_URL_SAFE_NO_PAD.decode(text).map_err(Failure::from)
    };
    let key = match algorithm {
        Algorithm::Rs256 => RsaPublicKeyComponents { n: bytes("n")?, e: bytes("e")? }
            .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Es256 => {
            let point = [vec![0x04], bytes("x")?, bytes("y")?].concat();
            ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
        }
        Algorithm::EdDsa => ParsedPublicKey::new(&ED25519, bytes("x")?),
        other => return Err(format!("{other} is not measured").into()),
    };
    key.map_err(|_| "the issuer's key was rejected".into())
}
