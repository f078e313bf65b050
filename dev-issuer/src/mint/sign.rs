//! Makes the bytes of a token, and breaks them where that is asked for.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

use super::Broken;
use crate::jose::{SigningKey, base64url};

/// The compact serialization, broken where the way to break it lies in the bytes.
pub(super) fn sign(
    key: &SigningKey,
    mut header: Map<String, Value>,
    claims: Map<String, Value>,
    broken: Option<Broken>,
) -> String {
    let foreign = matches!(broken, Some(Broken::ForeignKey | Broken::EmbeddedKey))
        .then(|| SigningKey::generate(key.algorithm));
    if let (Some(foreign), Some(Broken::EmbeddedKey)) = (&foreign, broken) {
        header.insert("jwk".into(), foreign.jwk());
    }
    let encoded_header = base64url(Value::Object(header).to_string());
    let payload = payload(claims, broken);
    let message = format!("{encoded_header}.{}", base64url(&payload));
    let mut signature = foreign.as_ref().unwrap_or(key).sign(message.as_bytes());
    match broken {
        Some(Broken::Signature) => signature[0] ^= 1,
        Some(Broken::AlgorithmNone) => signature.clear(),
        Some(Broken::HmacWithPublicKey) => {
            let secret = hmac::Key::new(hmac::HMAC_SHA256, pem(&key.public_key_der()).as_bytes());
            signature = hmac::sign(&secret, message.as_bytes()).as_ref().to_vec();
        }
        Some(Broken::Payload) => {
            let changed = payload.replacen('{', r#"{"changed":true,"#, 1);
            return format!("{encoded_header}.{}.{}", base64url(changed), base64url(signature));
        }
        Some(Broken::Padding) => return format!("{message}.{}==", base64url(signature)),
        Some(Broken::Truncated) => return message,
        _ => {}
    }
    format!("{message}.{}", base64url(signature))
}

fn payload(mut claims: Map<String, Value>, broken: Option<Broken>) -> String {
    match broken {
        Some(Broken::NotJson) => "not JSON".to_owned(),
        Some(Broken::DuplicateClaim) => {
            let subject = claims.remove("sub").unwrap_or(json!("alice"));
            let rest = Value::Object(claims).to_string();
            rest.replacen('{', &format!(r#"{{"sub":{subject},"sub":"another","#), 1)
        }
        _ => Value::Object(claims).to_string(),
    }
}

/// RFC 7468: a public key as it is usually configured.
fn pem(der: &[u8]) -> String {
    let base64 = BASE64_STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN PUBLIC KEY-----\n");
    for line in base64.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem + "-----END PUBLIC KEY-----\n"
}
