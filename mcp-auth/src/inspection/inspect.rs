//! Asks an issuer for its metadata and keys, at the places where verification looks, and at those where clients may.

use futures_util::future::join_all;
use serde_json::Value;

use super::known_provider::KnownProvider;
use super::revision_report::judge_revisions;
use super::suggested_configuration::SuggestedConfiguration;
use super::{
    FaultKind, IssuerMetadata, IssuerReport, KeySetReport, MetadataPlace, MetadataPlaceFault,
};
use crate::config::AuthorizationServer;
use crate::identifier::IssuerIdentifier;
use crate::issuer::{
    Destination, DocumentKind, FetchContext, FetchFault, KeySource, Metadata, Standard, WellKnown,
    ask_places, fetch_json, fetch_metadata, well_known_places,
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
    let keys = inspection.look_as_for_a_token().await;
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
                    return KeySetReport::unavailable(None, self.why_no_metadata(), reason);
                };
                let jwks_uri = fetched.jwks_uri().cloned();
                self.document = Some(fetched.content);
                jwks_uri
            }
        };
        match jwks_uri {
            Ok(jwks_uri) => self.fetch_keys(jwks_uri).await,
            Err(_) if !self.context.needs_keys => KeySetReport::not_needed(),
            Err(fault) => KeySetReport::unavailable(None, FaultKind::Unusable, fault),
        }
    }

    async fn fetch_first_usable_metadata(&mut self) -> Option<Metadata> {
        let mut candidates: Vec<_> =
            self.places.iter_mut().filter(|place| place.is_candidate).collect();
        let urls: Vec<_> = candidates.iter().map(|place| place.report.url.clone()).collect();
        let answers = ask_places(self.server.identifier, &urls, self.context).await;
        let mut first_usable = None;
        for (place, answer) in candidates.iter_mut().zip(answers) {
            let Some(answer) = answer else { continue };
            let found = place.take_answer(answer);
            if first_usable.is_none() {
                place.report.is_used = found.is_some();
                first_usable = found;
            }
        }
        first_usable
    }

    /// What is the matter with the places where verification looks: that of the first that did not just lack a document.
    fn why_no_metadata(&self) -> FaultKind {
        let candidates = self.places.iter().filter(|place| place.is_candidate);
        let mut kinds = candidates.filter_map(|place| Some(place.report.fault.as_ref()?.kind));
        kinds.find(|kind| *kind != FaultKind::NoDocument).unwrap_or(FaultKind::NoDocument)
    }

    async fn fetch_keys(&self, jwks_uri: Destination) -> KeySetReport {
        match fetch_json(DocumentKind::Keys, &jwks_uri, self.context).await {
            Ok(fetched) => self.report_keys(Some(jwks_uri.url), &fetched.document),
            Err(fault) => KeySetReport::unavailable(Some(jwks_uri.url), fault.kind, fault.reason),
        }
    }

    fn report_keys(&self, jwks_uri: Option<String>, document: &Value) -> KeySetReport {
        let issuer = self.server.identifier.as_str();
        KeySetReport::read(jwks_uri, document, issuer, &self.server.config.algorithms)
    }

    /// Visits the places where verification did not look, side by side: clients may look there.
    async fn look_at_the_rest(&mut self) {
        let (server, context) = (self.server, self.context);
        let rest = self.places.iter_mut().filter(|place| !place.is_visited);
        let found = join_all(rest.map(|place| place.visit(server, context))).await;
        if self.document.is_none() {
            self.document = found.into_iter().flatten().next().map(|metadata| metadata.content);
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
        self.take_answer(fetch_metadata(server.identifier, &destination, context).await)
    }

    /// Notes what came of asking for the document at this place.
    fn take_answer(&mut self, answer: Result<Metadata, FetchFault>) -> Option<Metadata> {
        self.is_visited = true;
        match answer {
            Ok(metadata) => Some(metadata),
            Err(FetchFault { kind, reason, .. }) => {
                self.report.fault = Some(MetadataPlaceFault { kind, reason });
                None
            }
        }
    }
}
