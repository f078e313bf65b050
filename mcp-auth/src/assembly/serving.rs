//! Everything that one configuration was made into. It is replaced as a whole.

use std::sync::Arc;
use std::time::Duration;

use crate::authenticate::TokenCache;
use crate::config::{Limits, SharedStoreConfig};
use crate::downstream::Downstreams;
use crate::handles::KeyRing;
use crate::issuer::{HttpClient, Issuer, TrustAnchors};
use crate::jose::{Digest, KnownHeaders, TokenLimits};
use crate::limits::{AnswerLimit, FailureLimits};
use crate::mcp_auth::ConnectPages;
use crate::mounts::Mounts;
use crate::notices::Notices;
use crate::revocation::SeenOnce;
use crate::shared_store::CurrentStore;

/// What answers requests, and what the next configuration may take over from it.
pub(crate) struct Serving {
    pub(crate) mounts: Mounts,
    pub(crate) issuers: Vec<Arc<Issuer>>,
    pub(crate) notices: Arc<Notices>,
    pub(crate) downstreams: Downstreams,
    pub(crate) connect_pages: ConnectPages,
    /// Which answers of providers came.
    pub(super) connect_seen: Arc<SeenOnce>,
    /// How often they may come; `None`: none were ever waited for.
    pub(super) connect_answers: Option<Arc<AnswerLimit>>,
    pub(crate) handle_keys: Arc<KeyRing>,
    /// The same, where they were made here and not configured.
    pub(super) own_handle_keys: Option<Arc<KeyRing>>,
    pub(super) transport: Transport,
    pub(super) cache: Arc<TokenCache>,
    pub(super) known_headers: Arc<KnownHeaders>,
    pub(super) limits: TokenLimits,
    /// Counts refusals, and what it was made of.
    pub(super) failure_limits: Option<Arc<FailureLimits>>,
    pub(super) limits_of_failures: Limits,
    pub(super) shared_store: Option<SharedStoreConfig>,
    pub(super) store_in_use: Option<StoreInUse>,
}

/// The store that instances share.
#[derive(Clone)]
pub(super) struct StoreInUse {
    pub(super) store: Arc<CurrentStore>,
    /// For one question.
    pub(super) timeout: Duration,
    /// Of what the files say that name it; `None` for a store that code has given.
    pub(super) reached_by: Option<Digest>,
}

/// The HTTP clients.
pub(super) struct Transport {
    /// How long one request may take.
    pub(super) timeout: Duration,
    pub(super) trust_anchors: TrustAnchors,
    /// For metadata and keys.
    pub(super) documents: Arc<dyn HttpClient>,
    /// For questions about tokens, by the file with the certificate that is shown; `None`: none is.
    pub(super) questions: Vec<(Option<Digest>, Arc<dyn HttpClient>)>,
}

impl Transport {
    /// The client that shows the certificate of this file, or none.
    pub(super) fn client_showing(&self, file: Option<Digest>) -> Option<&Arc<dyn HttpClient>> {
        let mut clients = self.questions.iter();
        clients.find(|(shown, _)| *shown == file).map(|(_, client)| client)
    }
}
