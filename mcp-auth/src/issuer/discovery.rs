//! Where an issuer's metadata may be, in the order the MCP specification gives.

use super::fetch::{FetchFault, fetch_json};
use super::{Destination, FetchContext, Metadata};
use crate::config::ServerType;
use crate::identifier::IssuerIdentifier;

/// Fetches the first usable metadata document; the fault lists every URL and what was wrong there.
pub(super) async fn discover(
    issuer: &IssuerIdentifier,
    candidates: Vec<String>,
    context: &FetchContext,
) -> Result<Metadata, FetchFault> {
    let mut faults: Option<FetchFault> = None;
    for url in candidates {
        let place = Destination::configured(url);
        match fetch_metadata(issuer, &place, context).await {
            Ok(metadata) => return Ok(metadata),
            Err(fault) => {
                let fault = fault.at(&place.url);
                faults = Some(match faults {
                    Some(earlier) => earlier.and(fault),
                    None => fault,
                });
            }
        }
    }
    Err(faults.unwrap_or_default())
}

async fn fetch_metadata(
    issuer: &IssuerIdentifier,
    place: &Destination,
    context: &FetchContext,
) -> Result<Metadata, FetchFault> {
    let mut document = fetch_json(place, &*context.http).await?.document;
    context.patch.iter().for_each(|patch| patch(issuer.as_str(), &mut document));
    let metadata = Metadata::read(issuer, &document, &context.url_rules)?;
    if context.needs_keys {
        metadata.jwks_uri()?;
    }
    Ok(metadata)
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
