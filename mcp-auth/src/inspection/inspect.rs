//! Asks an issuer for its metadata and keys, at the places where verification looks, and at those where clients may.

use serde_json::Value;

use super::known_provider::KnownProvider;
use super::revision_report::judge;
use super::suggested_configuration::SuggestedConfiguration;
use super::{IssuerMetadata, IssuerReport, KeySetReport, MetadataPlace, MetadataPlaceFault};
use crate::config::AuthorizationServer;
use crate::identifier::IssuerIdentifier;
use crate::issuer::{
    Destination, FetchContext, FetchFault, KeySource, Metadata, Standard, WellKnown, fetch_json,
    fetch_metadata, well_known_places,
};

/// The issuer to look at, as a checked configuration has it.
pub(crate) struct InspectedIssuer<'a> {
    pub(crate) config: &'a AuthorizationServer,
    pub(crate) identifier: &'a IssuerIdentifier,
    /// Where its keys come from.
    pub(crate) source: &'a KeySource,
}

/// Asks an issuer for all it serves, and judges it.
pub(crate) async fn inspect(
    server: &InspectedIssuer<'_>,
    resource: &str,
    context: &FetchContext,
) -> IssuerReport {
    let mut inspection = Inspection { server, context, places: candidates(server), document: None };
    // As for a token, all requests together must not take longer than this.
    let limit = context.timeout.saturating_mul(2);
    let verification = tokio::time::timeout(limit, inspection.as_for_a_token()).await;
    let too_slow = || format!("no answer within {} s", limit.as_secs_f32());
    let keys = verification.unwrap_or_else(|_| KeySetReport::unavailable(None, too_slow()));
    inspection.look_at_the_rest().await;
    inspection.report(resource, keys)
}

struct Inspection<'a> {
    server: &'a InspectedIssuer<'a>,
    context: &'a FetchContext,
    places: Vec<Place>,
    /// The metadata that verification uses, or else what a client may find.
    document: Option<Value>,
}

/// A place where metadata may be.
struct Place {
    report: MetadataPlace,
    /// Whether verification looks there.
    is_candidate: bool,
    is_visited: bool,
}

/// All places in the order in which verification looks at its own.
fn candidates(server: &InspectedIssuer<'_>) -> Vec<Place> {
    let place = |url, standard, is_candidate| Place {
        report: MetadataPlace { url, standard, is_used: false, fault: None },
        is_candidate,
        is_visited: false,
    };
    let given = match server.source {
        KeySource::MetadataUrl(url) => Some(url.clone()),
        _ => None,
    };
    let is_candidate = |standard: Standard| match server.source {
        KeySource::Discover(server_type) => standard.is_for(*server_type),
        _ => false,
    };
    let well_known = well_known_places(server.identifier)
        .into_iter()
        .filter(|known| Some(&known.url) != given.as_ref())
        .map(|WellKnown { url, standard }| place(url, standard, is_candidate(standard)));
    let given = given.clone().map(|url| place(url, Standard::None, true));
    given.into_iter().chain(well_known).collect()
}

impl Inspection<'_> {
    /// What the verification of a first token does: the first usable metadata, and its keys.
    async fn as_for_a_token(&mut self) -> KeySetReport {
        let (issuer, accepted) = (self.server.identifier.as_str(), &self.server.config.algorithms);
        let metadata = match self.server.source {
            KeySource::Keys(keys, metadata) => {
                self.document = metadata.as_deref().map(|metadata| metadata.content.clone());
                if keys.len() == 0 {
                    return KeySetReport::not_needed();
                }
                return KeySetReport::read(None, keys.document(), issuer, accepted);
            }
            KeySource::Metadata(metadata) => {
                self.document = Some(metadata.content.clone());
                Ok(metadata.jwks_uri().map(clone_of))
            }
            _ => self.first_usable().await.map(|metadata| {
                let jwks_uri = metadata.jwks_uri().map(clone_of);
                self.document = Some(metadata.content);
                jwks_uri
            }),
        };
        match metadata {
            Err(()) => KeySetReport::unavailable(None, "no usable metadata says where they are"),
            Ok(Err(_)) if !self.context.needs_keys => KeySetReport::not_needed(),
            Ok(Err(fault)) => KeySetReport::unavailable(None, fault),
            Ok(Ok(jwks_uri)) => match fetch_json(&jwks_uri, &*self.context.http).await {
                Ok(fetched) => {
                    KeySetReport::read(Some(jwks_uri.url), &fetched.document, issuer, accepted)
                }
                Err(fault) => KeySetReport::unavailable(Some(jwks_uri.url), fault.reason),
            },
        }
    }

    async fn first_usable(&mut self) -> Result<Metadata, ()> {
        for place in self.places.iter_mut().filter(|place| place.is_candidate) {
            if let Some(metadata) = place.visit(self.server, self.context).await {
                place.report.is_used = true;
                return Ok(metadata);
            }
        }
        Err(())
    }

    /// Where verification does not look, or no longer: clients may.
    async fn look_at_the_rest(&mut self) {
        for place in self.places.iter_mut().filter(|place| !place.is_visited) {
            let found = place.visit(self.server, self.context).await;
            if self.document.is_none() {
                self.document = found.map(|metadata| metadata.content);
            }
        }
    }

    fn report(self, resource: &str, keys: KeySetReport) -> IssuerReport {
        let places: Vec<_> = self.places.into_iter().map(|place| place.report).collect();
        let metadata = self.document.as_ref().map(IssuerMetadata::read);
        let issuer = self.server.identifier.as_str();
        let provider = KnownProvider::recognise(issuer, resource);
        let facts = provider.as_ref().map(|provider| &provider.facts);
        let configuration =
            SuggestedConfiguration::new(self.server.config, provider.as_ref(), resource);
        IssuerReport {
            issuer: issuer.to_owned(),
            resource: resource.to_owned(),
            revisions: judge(&places, metadata.as_ref(), facts),
            places,
            metadata,
            keys,
            provider,
            configuration,
        }
    }
}

impl Place {
    async fn visit(
        &mut self,
        server: &InspectedIssuer<'_>,
        context: &FetchContext,
    ) -> Option<Metadata> {
        let place = Destination::configured(self.report.url.clone());
        let found = fetch_metadata(server.identifier, &place, context).await;
        self.is_visited = true;
        let fault = |FetchFault { kind, reason, .. }| MetadataPlaceFault { kind, reason };
        found.map_err(|found| self.report.fault = Some(fault(found))).ok()
    }
}

fn clone_of(destination: &Destination) -> Destination {
    Destination { url: destination.url.clone(), addresses: destination.addresses }
}
