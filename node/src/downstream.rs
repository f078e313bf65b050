//! Tokens for other APIs, which tools call for their callers.

use mcp_auth::AuthInfo;
use mcp_auth::downstream::{Downstream, DownstreamError, DownstreamToken};
use napi::bindgen_prelude::{Buffer, Env, Result};
use napi_derive::napi;

use crate::outcome::{Answer, Answered, Outcome};
use crate::response::Forward;
use crate::{owner, pending, request};

/// An API of the configuration, perhaps with some of its scopes alone.
#[napi]
pub struct NativeDownstream(Downstream);

impl NativeDownstream {
    pub(crate) fn new(downstream: Downstream, scopes: Option<Vec<String>>) -> Self {
        Self(match scopes {
            Some(some) => downstream.with_scopes(some),
            None => downstream,
        })
    }

    fn have(&self, env: Env, caller: AuthInfo) -> Result<Outcome> {
        // Nearly always one is kept.
        if let Some(known) = self.0.token_at_once(&caller).transpose() {
            return Ok(outcome_of(known));
        }
        let downstream = self.0.clone();
        let work = async move { Answer::Downstream(downstream.token_for(&caller).await) };
        pending::begin(env, Box::pin(work))
    }
}

#[napi]
impl NativeDownstream {
    /// A token for the caller of a request that went on. A text is the token, as [`text_of`] has it.
    #[napi]
    pub fn token_for(&self, env: Env, forward: &Forward) -> Result<Outcome> {
        match forward.known_caller() {
            Some(caller) => self.have(env, caller.clone()),
            None => Ok(outcome_of(Err(DownstreamError::NoUser))),
        }
    }

    /// The same for a caller, in JSON, whose token is not known any more: why there is none.
    #[napi]
    pub fn token_for_described(&self, env: Env, caller: String) -> Result<Outcome> {
        self.have(env, owner::caller_of(&caller)?)
    }

    /// A token for the tool itself.
    #[napi]
    pub fn token(&self, env: Env) -> Result<Outcome> {
        let downstream = self.0.clone();
        let work = async move { Answer::Downstream(downstream.token().await) };
        pending::begin(env, Box::pin(work))
    }

    /// Removes what the caller of a request has granted at the API's provider, and ends it there.
    #[napi]
    pub fn disconnect(&self, env: Env, forward: &Forward) -> Result<Outcome> {
        let Some(caller) = forward.known_caller().cloned() else {
            return Ok(outcome_of(Err(DownstreamError::NoUser)));
        };
        let downstream = self.0.clone();
        let work = async move { Answer::Disconnected(downstream.disconnect(&caller).await) };
        pending::begin(env, Box::pin(work))
    }

    /// Whether a request for this URL goes to the API.
    #[napi]
    pub fn is_at(&self, url: String) -> bool {
        request::uri_of(url).is_some_and(|uri| self.0.is_at(&uri))
    }

    /// Forgets a token that the API did not accept, by its text; without a request, one for the tool itself.
    #[napi]
    pub fn forget(&self, forward: Option<&Forward>, token: String) {
        self.0.forget_text(forward.and_then(Forward::known_caller), &token);
    }
}

/// A token, or why there is none.
pub(crate) fn outcome_of(answer: std::result::Result<DownstreamToken, DownstreamError>) -> Outcome {
    match answer {
        Ok(token) => Outcome::A(text_of(&token)),
        Err(error) => Outcome::D(refused(&error)),
    }
}

/// Why there is no token, or why a grant is not ended.
pub(crate) fn refused(error: &DownstreamError) -> Answered {
    Answered {
        status: error.status().as_u16(),
        headers: String::new(),
        body: Buffer::from(Vec::new()),
        refusal: Some(error.json().to_string()),
    }
}

/// When it ends, or nothing; its scopes; itself: a line each. None of them has an end of a line in it.
fn text_of(token: &DownstreamToken) -> String {
    let ends = token.expires_at().map(|seconds| seconds.to_string()).unwrap_or_default();
    format!("{ends}\n{}\n{}", token.scopes(), token.expose())
}
