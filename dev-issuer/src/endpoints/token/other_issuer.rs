//! Reads the keys of an issuer whose ID-JAGs are taken.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::issuer::Issuer;
use crate::jose::{ID_JAG_TYP, from_base64url, verify_with_jwk_set};

const MAX_DOCUMENT_BYTES: usize = 256 * 1024;
const TIMEOUT: Duration = Duration::from_secs(10);

/// The claims of an ID-JAG that one of the configured issuers has signed. Its keys are fetched each time.
///
/// # Errors
/// Why not, as a text for the answer.
pub(super) async fn verified_id_jag(
    issuer: &Issuer,
    assertion: &str,
) -> Result<Map<String, Value>, &'static str> {
    let claimed = claimed_issuer(assertion).ok_or("the assertion is no JWT")?;
    let Some(other) = issuer.settings.id_jag_issuers.iter().find(|known| **known == claimed) else {
        return Err("the assertion is of an issuer that is not taken");
    };
    let unreachable = "the keys of the assertion's issuer cannot be read";
    let keys = jwk_set(other).await.ok_or(unreachable)?;
    let verified = verify_with_jwk_set(assertion, &keys)
        .ok_or("the signature of the assertion does not fit its issuer's keys")?;
    if !verified.has_typ(ID_JAG_TYP) {
        return Err("the assertion is no ID-JAG");
    }
    if verified.claims.get("iss").and_then(Value::as_str) != Some(other) {
        return Err("the assertion is of an issuer that is not taken");
    }
    Ok(verified.claims)
}

/// `iss`, before anything was verified: it only chooses among the issuers that are configured.
fn claimed_issuer(assertion: &str) -> Option<String> {
    let payload = from_base64url(assertion.split('.').nth(1)?)?;
    let claims: Map<String, Value> = serde_json::from_slice(&payload).ok()?;
    claims.get("iss")?.as_str().map(str::to_owned)
}

/// OpenID Connect Discovery §4, and RFC 8414 §3.3: the document must be of the issuer that was asked.
async fn jwk_set(issuer: &str) -> Option<Value> {
    let http = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(TIMEOUT)
        .build()
        .ok()?;
    let base = issuer.trim_end_matches('/');
    let metadata = document(&http, &format!("{base}/.well-known/openid-configuration")).await?;
    if metadata["issuer"] != issuer {
        return None;
    }
    document(&http, metadata["jwks_uri"].as_str()?).await
}

async fn document(http: &reqwest::Client, url: &str) -> Option<Value> {
    let mut response = http.get(url).send().await.ok()?;
    if response.status() != 200 {
        return None;
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_DOCUMENT_BYTES {
            return None;
        }
    }
    serde_json::from_slice(&body).ok()
}
