//! The object that JavaScript's `McpAuth` holds.

use std::time::Duration;

use http::HeaderValue;
use mcp_auth::decision::{Decision, MetadataDocument, PeerAddress};
use mcp_auth::sealed_state::StateError;
use mcp_auth::{AuthError, Config, McpAuth};
use napi::bindgen_prelude::{Buffer, Env, FnArgs, Function, Result, Uint8Array};
use napi::{Either, Error};
use napi_derive::napi;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::config::config_error;
use crate::downstream::NativeDownstream;
use crate::functions::{self, Policy, Verifier};
use crate::known_callers::{Decided, KnownCallers};
use crate::outcome::{self, Answer, Answered, Outcome};
use crate::owner::{self, Revoked};
use crate::response::Forward;
use crate::revocation_check::Checker;
use crate::stream::StreamEnd;
use crate::testing::{Documents, FixedClock};
use crate::{log, pending, request, runtime};

/// Where clients look that do not take the path of the resource into account (RFC 9728 §3.1).
const ROOT_DOCUMENT: &str = "/.well-known/oauth-protected-resource";

/// What is not in the configuration.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct Extras {
    serve_authorization_server_metadata: bool,
    hide_resource_metadata: bool,
    token_prefixes: Vec<String>,
    /// In seconds.
    revocation_check_interval: f64,
    /// For tests: the time, and what authorization servers answer.
    now: Option<u64>,
    documents: Option<Documents>,
}

/// A protected resource.
#[napi(object, object_from_js = false)]
pub struct Resource {
    /// The URL that clients connect to.
    pub identifier: String,
    /// Where its metadata is.
    pub metadata_url: String,
}

/// Protects a server.
#[napi]
pub struct NativeAuth {
    auth: McpAuth,
    known: KnownCallers,
}

#[napi]
impl NativeAuth {
    /// Checks the configuration, with the fields of `Config`, and touches no network.
    #[napi(constructor)]
    pub fn new(
        config: String,
        extras: String,
        policy: Option<Function<'_, FnArgs<(String, String)>, String>>,
        begin_verification: Option<Function<'_, FnArgs<(String, u32)>, ()>>,
        begin_revocation_check: Option<Function<'_, FnArgs<(String, u32)>, ()>>,
    ) -> Result<Self> {
        log::start();
        let config = Config::from_json(&config).map_err(|error| config_error(&error))?;
        // In two steps, so that a fault does not say where it is in a text that nobody has seen.
        let extras = Extras::deserialize(serde_json::from_str::<Value>(&extras)?)?;
        let mut builder = McpAuth::builder(config).spawn_with(runtime::spawn).spawn_slow_checks();
        if let Some(policy) = policy {
            builder = builder.authorizer(Policy(policy.create_ref()?));
        }
        if let Some(begin) = begin_verification {
            let begin = begin.create_ref()?;
            builder = builder.token_verifier(Verifier { begin, prefixes: extras.token_prefixes });
        }
        if let Some(begin) = begin_revocation_check {
            // Seconds that are no number were refused in JavaScript.
            let interval = Duration::try_from_secs_f64(extras.revocation_check_interval);
            let interval = interval.map_err(|error| Error::from_reason(error.to_string()))?;
            builder = builder.revocation_check(Checker { begin: begin.create_ref()?, interval });
        }
        if extras.serve_authorization_server_metadata {
            builder = builder.serve_authorization_server_metadata();
        }
        if extras.hide_resource_metadata {
            builder = builder.hide_resource_metadata();
        }
        if let Some(now) = extras.now {
            builder = builder.clock(FixedClock(now));
        }
        if let Some(documents) = extras.documents {
            builder = builder.http_client(documents);
        }
        let auth = builder.build().map_err(|error| config_error(&error))?;
        Ok(Self { auth, known: KnownCallers::new() })
    }

    /// Decides about a request: all that is known of it before its body. A text is its caller, in
    /// JSON: it goes on, and so does its response, unless it is [opened again](Self::reopen) or names a session. Of a caller who
    /// comes again it is their number. `peer` is the address of the connection, for limits.
    #[napi]
    pub fn decide(
        &self,
        env: Env,
        method: String,
        target: String,
        headers: String,
        peer: Option<String>,
    ) -> Result<Decided> {
        let Some(mut parts) = request::parse(&method, target, headers) else {
            return Ok(Decided::A(Outcome::D(Answered::malformed())));
        };
        // A revocation check may be asked, whose answer nobody waits for.
        if let Some(forward) = functions::within(env, || self.auth.decide_seen(&parts)) {
            return Ok(match outcome::plain_caller(&forward) {
                Some(caller) => self.known.number(caller),
                None => Decided::A(Outcome::B(Forward::new(forward))),
            });
        }
        if let Some(peer) = peer.as_deref().and_then(PeerAddress::parse) {
            parts.extensions.insert(peer);
        }
        let auth = self.auth.clone();
        let work = async move {
            let decision = auth.decide(&parts).await;
            match &decision {
                // It is known by now.
                Decision::Forward(_) => match auth.decide_seen(&parts) {
                    Some(forward) => Answer::Seen(Box::new(forward)),
                    None => Answer::Decision(Box::new((decision, parts))),
                },
                _ => Answer::Decision(Box::new((decision, parts))),
            }
        };
        Ok(Decided::A(pending::begin(env, Box::pin(work))?))
    }

    /// The request again whose decision was a text: for a handler that asks for more scopes, or answers
    /// with a stream.
    #[napi]
    pub fn reopen(&self, method: String, target: String, headers: String) -> Option<Forward> {
        let parts = request::parse(&method, target, headers)?;
        Some(Forward::new(self.auth.decide_seen(&parts)?))
    }

    /// Whether refusals are counted by address: then `decide` needs that of the connection.
    #[napi]
    pub fn counts_addresses(&self) -> bool {
        self.auth.counts_addresses()
    }

    /// A session identifier of the server's as this caller, in JSON, gets it, where the decision was a text.
    #[napi]
    pub fn seal_session(&self, target: String, caller: String, given: String) -> Option<String> {
        let path = request::path_of(&target)?;
        let owner = owner::owner_of(&caller)?;
        let value = HeaderValue::from_str(&given).ok()?;
        let sealed = self.auth.seal_session(&path, &owner, &value)?;
        sealed.to_str().ok().map(str::to_owned)
    }

    /// Puts this configuration in the place of the one that is in force; or only checks it.
    #[napi]
    pub fn reload(&self, config: String, only_check: bool) -> Result<()> {
        let config = Config::from_json(&config).map_err(|error| config_error(&error))?;
        let outcome = if only_check { config.check() } else { self.auth.reload(config) };
        outcome.map_err(|error| config_error(&error))
    }

    /// Reports that a configuration was refused, with its faults in one line.
    #[napi]
    pub fn log_refused_configuration(&self, faults: String) {
        tracing::error!(target: "mcp_auth", %faults, "the configuration is not replaced");
    }

    /// What ends the response with these headers to this caller, in JSON, in time, where the decision was a text.
    #[napi]
    pub fn stream_end(
        &self,
        target: String,
        caller: String,
        headers: String,
    ) -> Result<Option<StreamEnd>> {
        let mut map = request::headers(headers)?;
        let path = request::path_of(&target).ok_or_else(|| Error::from_reason("no path"))?;
        let whom = owner::caller_of(&caller)?;
        Ok(self.auth.stream_end(&path, &whom, &mut map).map(StreamEnd::new))
    }

    /// Refuses tokens from now on: what is revoked, in JSON.
    #[napi]
    pub fn revoke(&self, revoked: String) -> Result<()> {
        self.auth.revoke(Revoked::read(&revoked)?);
        Ok(())
    }

    /// State as a text for this caller, in JSON; `null` where the system has no randomness.
    #[napi]
    pub fn seal_state(
        &self,
        caller: String,
        purpose: String,
        lifetime: i64,
        state: Uint8Array,
    ) -> Result<Option<String>> {
        let owner = owner::owner_of(&caller).ok_or_else(|| Error::from_reason("no caller"))?;
        let seconds =
            u64::try_from(lifetime).map_err(|error| Error::from_reason(error.to_string()))?;
        let lasting = Duration::from_secs(seconds);
        Ok(self.auth.state_sealer().seal(&owner, &purpose, lasting, &state).ok())
    }

    /// The state in such a text, or why it is refused: `invalid` or `expired`.
    #[napi]
    pub fn open_state(
        &self,
        caller: String,
        purpose: String,
        sealed: String,
    ) -> Result<Either<Buffer, &'static str>> {
        let owner = owner::owner_of(&caller).ok_or_else(|| Error::from_reason("no caller"))?;
        Ok(match self.auth.state_sealer().open(&owner, &purpose, &sealed) {
            Ok(state) => Either::A(state.into()),
            Err(StateError::Expired) => Either::B("expired"),
            Err(_) => Either::B("invalid"),
        })
    }

    /// The token of a request, which nobody has verified.
    #[napi]
    pub fn dangerous_bearer_token(
        &self,
        method: String,
        target: String,
        headers: String,
    ) -> Option<String> {
        let parts = request::parse(&method, target, headers)?;
        self.auth.dangerous_bearer_token(&parts).map(str::to_owned)
    }

    /// Verifies a token for the resource at this path, or for the first one.
    #[napi]
    pub fn verify(&self, env: Env, token: String, path: Option<String>) -> Result<Outcome> {
        let seen = if path.is_none() { self.auth.authenticate_seen(&token) } else { None };
        if let Some(caller) = seen {
            return Ok(Outcome::A(caller.json().to_owned()));
        }
        let auth = self.auth.clone();
        let work = async move {
            let Some(path) = path else { return Answer::Caller(auth.authenticate(&token).await) };
            let verified = auth.authenticate_for(&path, &token).await;
            // No resource is at this path, so that no token is for it.
            Answer::Caller(verified.unwrap_or(Err(AuthError::MissingToken)))
        };
        pending::begin(env, Box::pin(work))
    }

    /// The caller of a token again that was verified for the first resource, to ask for tokens for other APIs.
    #[napi]
    pub fn verified_again(&self, token: String) -> Option<Forward> {
        Some(Forward::of_verified(self.auth.authenticate_seen(&token)?))
    }

    /// What a token says of its key, in JSON, as the header has it: `alg` and `kid`. Nobody has verified it.
    #[napi]
    pub fn unverified_key_hint(&self, token: String) -> Outcome {
        match self.auth.unverified_key_hint(&token) {
            Ok(hint) => {
                let (alg, kid) = (hint.algorithm.to_string(), hint.key_id);
                let header = match kid {
                    Some(kid) => json!({ "alg": alg, "kid": kid }),
                    None => json!({ "alg": alg }),
                };
                Outcome::A(header.to_string())
            }
            Err(error) => Outcome::D(Answered::refused(&error)),
        }
    }

    /// Why a token is accepted or refused, in JSON.
    #[napi]
    pub fn explain_token(&self, env: Env, path: String, token: String) -> Result<Outcome> {
        let auth = self.auth.clone();
        let work = async move { Answer::Explanation(auth.explain_token(&path, &token).await) };
        pending::begin(env, Box::pin(work))
    }

    /// Fetches the keys of every authorization server.
    #[napi]
    pub fn ready(&self, env: Env) -> Result<Outcome> {
        let auth = self.auth.clone();
        pending::begin(env, Box::pin(async move { Answer::Ready(auth.ready().await) }))
    }

    /// An API that tools call for their callers, with some of its scopes alone where these are given.
    #[napi]
    pub fn downstream(&self, name: String, scopes: Option<Vec<String>>) -> NativeDownstream {
        NativeDownstream::new(self.auth.downstream(&name), scopes)
    }

    /// The resource that a request for this target, a path or a URL, is for; without one, the first.
    #[napi]
    pub fn resource_at(&self, target: Option<String>) -> Option<Resource> {
        let identifier = match target {
            Some(target) => self.auth.resource_for(&request::path_of(&target)?)?,
            None => self.auth.resource_identifiers().into_iter().next()?,
        };
        Some(Resource {
            identifier: identifier.to_string(),
            metadata_url: identifier.metadata_url(),
        })
    }

    /// The headers where tokens may be.
    #[napi]
    pub fn token_headers(&self) -> Vec<String> {
        self.auth.token_headers().iter().map(ToString::to_string).collect()
    }

    /// The host names that requests may be addressed to.
    #[napi]
    pub fn allowed_hosts(&self) -> Vec<String> {
        self.auth.allowed_hosts()
    }

    /// The paths of the metadata documents: those that challenges name, and the one at the root.
    #[napi]
    pub fn document_paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        for (document, path) in self.auth.metadata_routes() {
            if document == MetadataDocument::ProtectedResource {
                paths.push(ROOT_DOCUMENT.to_owned());
            }
            paths.push(path);
        }
        paths.sort();
        paths.dedup();
        paths
    }

    /// The paths where issuers tell something.
    #[napi]
    pub fn notice_paths(&self) -> Vec<String> {
        self.auth.notice_paths()
    }

    /// The paths of the pages where users connect their accounts at other providers.
    #[napi]
    pub fn connect_paths(&self) -> Vec<String> {
        self.auth.connect_paths()
    }

    /// Takes what a verifier of the user's found out, in JSON.
    #[napi]
    pub fn verified(&self, number: u32, answer: String) {
        functions::verified(number, answer);
    }
}
