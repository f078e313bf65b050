//! Where an issuer's metadata may be, in the order the MCP specification gives.

use serde::Serialize;

use super::fetch::{FaultKind, FetchFault, fetch_json};
use super::metadata::MetadataFault;
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
        let fault_there = match fetch_metadata(issuer, &place, context).await {
            Ok(metadata) => return Ok(metadata),
            Err(fault) => fault.at(&place.url),
        };
        faults = Some(match faults {
            Some(earlier) => earlier.joined_with(fault_there),
            None => fault_there,
        });
    }
    match faults {
        Some(faults) => Err(faults),
        None => Err(FetchFault::new(FaultKind::NoDocument, "there is no place to look at")),
    }
}

/// The document at one place, if it is this issuer's and says where its keys are.
pub(crate) async fn fetch_metadata(
    issuer: &IssuerIdentifier,
    place: &Destination,
    context: &FetchContext,
) -> Result<Metadata, FetchFault> {
    let mut document = fetch_json(place, &*context.http).await?.document;
    context.patch.iter().for_each(|patch| patch(issuer.as_str(), &mut document));
    let metadata = Metadata::read(issuer, &document, &context.url_rules).map_err(fetch_fault_of)?;
    if context.needs_keys {
        metadata.jwks_uri()?;
    }
    Ok(metadata)
}

fn fetch_fault_of(fault: MetadataFault) -> FetchFault {
    match fault {
        MetadataFault::OtherIssuer(reason) => FetchFault::new(FaultKind::OtherIssuer, reason),
        MetadataFault::Unusable(reason) => FetchFault::new(FaultKind::Unusable, reason),
    }
}

/// A well-known URL of an issuer.
pub(crate) struct WellKnown {
    pub(crate) url: String,
    pub(crate) standard: Standard,
}

/// The specification that names a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub enum Standard {
    /// RFC 8414: authorization server metadata.
    #[serde(rename = "RFC 8414")]
    Oauth,
    /// OpenID Connect Discovery 1.0, also where RFC 8414 §5 inserts it.
    #[serde(rename = "OpenID Connect Discovery")]
    Oidc,
    /// No specification; some providers serve metadata there.
    #[serde(rename = "none")]
    None,
}

impl Standard {
    /// Whether a server of this type is looked for there.
    pub(crate) fn is_for(self, server_type: ServerType) -> bool {
        match server_type {
            ServerType::Any => true,
            ServerType::Oidc => self == Self::Oidc,
            ServerType::Oauth => self != Self::Oidc,
        }
    }
}

/// The well-known URLs of an issuer that are looked at, most specific rule first.
pub(super) fn well_known_urls(issuer: &IssuerIdentifier, server_type: ServerType) -> Vec<String> {
    well_known_places(issuer)
        .into_iter()
        .filter(|place| place.standard.is_for(server_type))
        .map(|place| place.url)
        .collect()
}

/// All well-known URLs of an issuer, most specific rule first.
pub(crate) fn well_known_places(issuer: &IssuerIdentifier) -> Vec<WellKnown> {
    let (origin, path) = issuer.origin_and_path();
    let oidc_inserted = format!("{origin}/.well-known/openid-configuration{path}");
    let mut places = vec![
        WellKnown { url: issuer.oauth_metadata_url(), standard: Standard::Oauth },
        WellKnown { url: oidc_inserted, standard: Standard::Oidc },
    ];
    if !path.is_empty() {
        places.push(WellKnown { url: issuer.oidc_metadata_url(), standard: Standard::Oidc });
        // Not in any specification, but where Logto and Supabase serve it.
        let oauth_appended = format!("{origin}{path}/.well-known/oauth-authorization-server");
        places.push(WellKnown { url: oauth_appended, standard: Standard::None });
    }
    places
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
