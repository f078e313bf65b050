//! The APIs that tools call for their callers, as a user holds them.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use http::Uri;

use super::{DownstreamApi, DownstreamError, DownstreamToken, Downstreams};
use crate::auth_info::AuthInfo;
use crate::scope::Scopes;

/// An API that tools call for their callers: one of [`Config::downstreams`](crate::Config::downstreams), by
/// [`McpAuth::downstream`](crate::McpAuth::downstream). Cheap to clone. It follows the configuration: after
/// [`McpAuth::reload`](crate::McpAuth::reload) it is the new one.
#[derive(Clone)]
pub struct Downstream {
    /// All that there are: they change with the configuration.
    all: Arc<ArcSwap<Downstreams>>,
    name: Arc<str>,
    /// Less than is configured.
    scopes: Option<Scopes>,
}

impl Downstream {
    /// The one of this name.
    pub(crate) fn new(all: Arc<ArcSwap<Downstreams>>, name: &str) -> Self {
        Self { all, name: name.into(), scopes: None }
    }

    /// The same with some of the configured scopes alone. More of them is an error, before anything is asked.
    #[must_use]
    pub fn with_scopes<S: AsRef<str>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes = Some(scopes.into_iter().collect());
        self
    }

    /// A token for this caller: the one that is kept, or a new one.
    ///
    /// Where the caller has to do something first, the response to their request becomes the challenge that asks for it, as
    /// with [`AuthInfo::require`].
    ///
    /// # Errors
    /// Why there is none. Then call the API without the caller, or not at all: never with the token of the request.
    pub async fn token_for(&self, caller: &AuthInfo) -> Result<DownstreamToken, DownstreamError> {
        let answer = match self.api() {
            Ok(api) => api.token_for(caller, self.scopes.as_ref()).await,
            Err(error) => Err(error),
        };
        answer.inspect_err(|error| answer_with(caller, error))
    }

    /// What [`Downstream::token_for`] answers where a token is kept, without waiting; `None`: it has to be asked for.
    ///
    /// # Errors
    /// As [`Downstream::token_for`].
    pub fn token_at_once(
        &self,
        caller: &AuthInfo,
    ) -> Result<Option<DownstreamToken>, DownstreamError> {
        let answer = self.api().and_then(|api| api.token_at_once(caller, self.scopes.as_ref()));
        answer.inspect_err(|error| answer_with(caller, error))
    }

    /// A token for the tool itself, with `client_credentials` alone.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn token(&self) -> Result<DownstreamToken, DownstreamError> {
        self.api()?.token(self.scopes.as_ref()).await
    }

    /// Ends what this caller has granted at the API's provider, here and then there, with `authorization_code` alone.
    ///
    /// # Errors
    /// Why not. Where the provider did not hear of it, the grant is used no more here, and the next call tells the provider.
    pub async fn disconnect(&self, caller: &AuthInfo) -> Result<(), DownstreamError> {
        self.api()?.disconnect(caller).await
    }

    /// Whether a request for this URL goes to the API, so that the token may be put on it.
    pub fn is_at(&self, uri: &Uri) -> bool {
        self.api().is_ok_and(|api| api.is_at(uri))
    }

    /// Forgets a token that the API did not accept, so that the next one is a new one: once in 30 seconds for each caller. Until
    /// then the new one stays, however often the API refuses it.
    pub fn forget(&self, caller: &AuthInfo, token: &DownstreamToken) {
        self.forget_text(Some(caller), token.expose());
    }

    /// [`Downstream::forget`] for who has the text of the token alone, such as the SDKs; without a caller it was one for the tool
    /// itself.
    pub fn forget_text(&self, caller: Option<&AuthInfo>, text: &str) {
        if let Ok(api) = self.api() {
            api.forget(caller, self.scopes.as_ref(), text);
        }
    }

    /// As [`Downstream::forget`], for a token of the tool itself.
    pub fn forget_own(&self, token: &DownstreamToken) {
        self.forget_text(None, token.expose());
    }

    fn api(&self) -> Result<Arc<DownstreamApi>, DownstreamError> {
        let known = self.all.load().get(&*self.name).cloned();
        known.ok_or(DownstreamError::UnknownDownstream)
    }
}

/// What the caller has to do becomes the response to their request.
fn answer_with(caller: &AuthInfo, error: &DownstreamError) {
    if let DownstreamError::Caller(refusal) = error {
        caller.answer_with(refusal.clone());
    }
}

/// Names the API.
impl fmt::Debug for Downstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Downstream").field("name", &self.name).finish_non_exhaustive()
    }
}
