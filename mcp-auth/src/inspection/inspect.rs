//! Asks an issuer for its metadata and keys, at the places where verification looks, and at those where clients may.

use serde_json::Value;

use super::known_provider::KnownProvider;
use super::revision_report::judge_revisions;
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
    let places = possible_places(server);
    let mut inspection = Inspection { server, context, places, document: None };
    // As for a token, all requests together must not take longer than this.
    let limit = context.timeout.saturating_mul(2);
    let keys = match tokio::time::timeout(limit, inspection.look_as_for_a_token()).await {
        Ok(report) => report,
        Err(_) => {
            let reason = format!("no answer within {} s", limit.as_secs_f32());
            KeySetReport::unavailable(None, reason)
        }
    };
    inspection.look_at_the_rest().await;
    inspection.into_report(resource, keys)
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

/// All places where metadata may be. Those that verification looks at come in its order.
fn possible_places(server: &InspectedIssuer<'_>) -> Vec<Place> {
    let configured_url = match server.source {
        KeySource::MetadataUrl(url) => Some(url),
        _ => None,
    };
    let mut places = Vec::new();
    if let Some(url) = configured_url {
        places.push(Place::new(url.clone(), Standard::None, true));
    }
    for WellKnown { url, standard } in well_known_places(server.identifier) {
        if configured_url == Some(&url) {
            continue;
        }
        let is_candidate = match server.source {
            KeySource::Discover(server_type) => standard.is_for(*server_type),
            _ => false,
        };
        places.push(Place::new(url, standard, is_candidate));
    }
    places
}

impl Inspection<'_> {
    /// Does what the verification of a first token does: it takes the first usable metadata, and fetches its keys.
    async fn look_as_for_a_token(&mut self) -> KeySetReport {
        let jwks_uri = match self.server.source {
            KeySource::Keys(keys, given) => {
                self.document = given.as_deref().map(|metadata| metadata.content.clone());
                if keys.len() == 0 {
                    return KeySetReport::not_needed();
                }
                return self.report_keys(None, keys.document());
            }
            KeySource::Metadata(given) => {
                self.document = Some(given.content.clone());
                given.jwks_uri().cloned()
            }
            _ => {
                let Some(fetched) = self.fetch_first_usable_metadata().await else {
                    let reason = "no usable metadata says where they are";
                    return KeySetReport::unavailable(None, reason);
                };
                let jwks_uri = fetched.jwks_uri().cloned();
                self.document = Some(fetched.content);
                jwks_uri
            }
        };
        match jwks_uri {
            Ok(jwks_uri) => self.fetch_keys(jwks_uri).await,
            Err(_) if !self.context.needs_keys => KeySetReport::not_needed(),
            Err(fault) => KeySetReport::unavailable(None, fault),
        }
    }

    async fn fetch_first_usable_metadata(&mut self) -> Option<Metadata> {
        for place in self.places.iter_mut().filter(|place| place.is_candidate) {
            if let Some(metadata) = place.visit(self.server, self.context).await {
                place.report.is_used = true;
                return Some(metadata);
            }
        }
        None
    }

    async fn fetch_keys(&self, jwks_uri: Destination) -> KeySetReport {
        match fetch_json(&jwks_uri, &*self.context.http).await {
            Ok(fetched) => self.report_keys(Some(jwks_uri.url), &fetched.document),
            Err(fault) => KeySetReport::unavailable(Some(jwks_uri.url), fault.reason),
        }
    }

    fn report_keys(&self, jwks_uri: Option<String>, document: &Value) -> KeySetReport {
        let issuer = self.server.identifier.as_str();
        KeySetReport::read(jwks_uri, document, issuer, &self.server.config.algorithms)
    }

    /// Visits the places where verification did not look: clients may look there.
    async fn look_at_the_rest(&mut self) {
        for place in self.places.iter_mut().filter(|place| !place.is_visited) {
            let found = place.visit(self.server, self.context).await;
            if self.document.is_none() {
                self.document = found.map(|metadata| metadata.content);
            }
        }
    }

    fn into_report(self, resource: &str, keys: KeySetReport) -> IssuerReport {
        let places: Vec<_> = self.places.into_iter().map(|place| place.report).collect();
        let metadata = self.document.as_ref().map(IssuerMetadata::read);
        let issuer = self.server.identifier.as_str();
        let provider = KnownProvider::recognise(issuer, resource);
        let facts = provider.as_ref().map(|known| &known.facts);
        let configuration =
            SuggestedConfiguration::new(self.server.config, provider.as_ref(), resource);
        IssuerReport {
            issuer: issuer.to_owned(),
            resource: resource.to_owned(),
            revisions: judge_revisions(&places, metadata.as_ref(), facts),
            places,
            metadata,
            keys,
            provider,
            configuration,
        }
    }
}

impl Place {
    fn new(url: String, standard: Standard, is_candidate: bool) -> Self {
        Self {
            report: MetadataPlace { url, standard, is_used: false, fault: None },
            is_candidate,
            is_visited: false,
        }
    }

    /// Fetches the document at this place; `None` when it cannot be used, and then the report says why.
    async fn visit(
        &mut self,
        server: &InspectedIssuer<'_>,
        context: &FetchContext,
    ) -> Option<Metadata> {
        let destination = Destination::configured(self.report.url.clone());
        let fetched = fetch_metadata(server.identifier, &destination, context).await;
        self.is_visited = true;
        match fetched {
            Ok(metadata) => Some(metadata),
            Err(FetchFault { kind, reason, .. }) => {
                self.report.fault = Some(MetadataPlaceFault { kind, reason });
                None
            }
        }
    }
}
