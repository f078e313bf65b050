//! WHOSE KEYS? Finding an authorization server's metadata and keys: the only network code.

mod address;
mod budget;
mod cache_control;
mod client_credentials;
mod destination;
mod discovery;
mod fetch;
mod freshness;
mod http_client;
mod http_date;
mod introspection;
mod key_set;
mod known_metadata;
mod metadata;
mod pauses;
mod refresh;
mod reqwest_client;
mod resolver;
mod snapshot;
mod token_endpoint;
mod trust_anchors;

pub(crate) use client_credentials::ClientCredentials;
pub use destination::AllowedAddresses;
pub(crate) use destination::{Destination, UrlRules};
pub use discovery::Standard;
pub(crate) use discovery::{WellKnown, ask_places, fetch_metadata, well_known_places};
pub use fetch::FaultKind;
pub(crate) use fetch::{DocumentKind, FetchFault, fetch_json};
pub use http_client::{HttpClient, HttpError};
#[cfg(test)]
pub(crate) use introspection::read_answer;
pub(crate) use introspection::{Introspector, SignedAnswerRules};
pub(crate) use key_set::KeySet;
pub(crate) use metadata::{Metadata, MetadataPatch};
pub(crate) use refresh::{Issuer, Verified, VerifyError};
pub(crate) use reqwest_client::ReqwestClient;
pub(crate) use snapshot::{FetchContext, KeySource};
#[cfg(any(test, fuzzing))]
pub(crate) use token_endpoint::read_token_answer;
pub(crate) use token_endpoint::{
    EndpointClient, EndpointFault, EndpointPlace, OAuthRefusal, TokenAnswer, TokenEndpoint,
    TokenForm,
};
pub(crate) use trust_anchors::TrustAnchors;
