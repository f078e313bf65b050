//! Where an issuer's metadata may be, in the order the MCP specification gives.

use bytes::Bytes;
use http::{Request, StatusCode, header};
use serde_json::Value;

use super::{FetchContext, Metadata};
use crate::config::ServerType;
use crate::identifier::IssuerIdentifier;

/// Fetches the first usable metadata document; the error lists every URL and what was wrong there.
pub(super) async fn discover(
    issuer: &IssuerIdentifier,
    candidates: &[String],
    context: &FetchContext,
) -> Result<Metadata, String> {
    let mut faults = Vec::new();
    for url in candidates {
        let outcome = fetch_json(url, context)
            .await
            .map(|mut document| {
                context.patch.iter().for_each(|patch| patch(issuer.as_str(), &mut document));
                document
            })
            .and_then(|document| Metadata::read(issuer, &document, context.plain_http));
        match outcome {
            Ok(metadata) => return Ok(metadata),
            Err(fault) => faults.push(format!("{url}: {fault}")),
        }
    }
    Err(faults.join("; "))
}

/// Fetches one JSON document.
pub(super) async fn fetch_json(url: &str, context: &FetchContext) -> Result<Value, String> {
    let request = Request::get(url)
        .header(header::ACCEPT, "application/json")
        .body(Bytes::new())
        .map_err(|_| "not a valid URL".to_owned())?;
    let response = context.http.send(request).await.map_err(|error| error.to_string())?;
    if response.status() != StatusCode::OK {
        return Err(format!("status {}", response.status().as_u16()));
    }
    serde_json::from_slice(response.body()).map_err(|error| format!("not JSON: {error}"))
}

/// The well-known URLs of an issuer, most specific rule first.
pub(super) fn well_known_urls(issuer: &IssuerIdentifier, server_type: ServerType) -> Vec<String> {
    // RFC 8414 §3.1: a slash at the end is removed before anything is inserted or appended.
    let issuer = issuer.as_str().trim_end_matches('/');
    let host = issuer.find("://").map_or(0, |scheme| scheme + 3);
    let (origin, path) =
        issuer.split_at(issuer[host..].find('/').map_or(issuer.len(), |at| host + at));
    let oauth = format!("{origin}/.well-known/oauth-authorization-server{path}");
    let oidc = format!("{origin}/.well-known/openid-configuration{path}");
    let mut urls = vec![(ServerType::Oauth, oauth), (ServerType::Oidc, oidc)];
    if !path.is_empty() {
        urls.push((ServerType::Oidc, format!("{issuer}/.well-known/openid-configuration")));
        // Not in any specification, but where Logto and Supabase serve it.
        urls.push((ServerType::Oauth, format!("{issuer}/.well-known/oauth-authorization-server")));
    }
    urls.into_iter()
        .filter(|(kind, _)| server_type == ServerType::Any || server_type == *kind)
        .map(|(_, url)| url)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(issuer: &str, server_type: ServerType) -> Vec<String> {
        well_known_urls(&IssuerIdentifier::parse(issuer).unwrap(), server_type)
    }

    #[test]
    fn without_a_path_there_are_two() {
        let expected = [
            "https://a.example/.well-known/oauth-authorization-server",
            "https://a.example/.well-known/openid-configuration",
        ];
        assert_eq!(urls("https://a.example", ServerType::Any), expected);
        assert_eq!(urls("https://a.example/", ServerType::Any), expected);
    }

    #[test]
    fn with_a_path_the_order_is_inserted_inserted_appended_appended() {
        let all = [
            "https://a.example/.well-known/oauth-authorization-server/t/1",
            "https://a.example/.well-known/openid-configuration/t/1",
            "https://a.example/t/1/.well-known/openid-configuration",
            "https://a.example/t/1/.well-known/oauth-authorization-server",
        ];
        assert_eq!(urls("https://a.example/t/1", ServerType::Any), all);
        assert_eq!(urls("https://a.example/t/1", ServerType::Oidc), all[1..3]);
        assert_eq!(urls("https://a.example/t/1", ServerType::Oauth), [all[0], all[3]]);
    }
}
