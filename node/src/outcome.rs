//! What JavaScript gets: an answer, or something to ask again.

use http::request::Parts;
use mcp_auth::decision::{Decision, PendingDecision, Reply};
use mcp_auth::downstream::{DownstreamError, DownstreamToken};
use mcp_auth::errors::Unavailable;
use mcp_auth::explanation::TokenExplanation;
use mcp_auth::{AuthError, AuthInfo};
use napi::Error;
use napi::bindgen_prelude::{Buffer, Either5, Env, Result, Uint8Array};
use napi_derive::napi;

use crate::downstream;
use crate::pending::{self, Pending};
use crate::request;
use crate::response::Forward;

/// An answer, or something to ask again. The text is a caller or an explanation, in JSON, or a token for another API.
pub(crate) type Outcome = Either5<String, Forward, ReadBody, Answered, Pending>;

/// How work ends.
pub(crate) enum Answer {
    Decision(Box<(Decision, Parts)>),
    /// Of a caller whose token is known.
    Seen(Box<mcp_auth::decision::Forward>),
    Caller(std::result::Result<AuthInfo, AuthError>),
    Explanation(Option<TokenExplanation>),
    Ready(std::result::Result<(), Unavailable>),
    Downstream(std::result::Result<DownstreamToken, DownstreamError>),
    Disconnected(std::result::Result<(), DownstreamError>),
}

impl Answer {
    pub(crate) fn into_outcome(self) -> Result<Outcome> {
        match self {
            Self::Decision(decided) => of_decision(decided.0, decided.1),
            Self::Seen(forward) => Ok(of_seen(*forward)),
            Self::Caller(Ok(caller)) => Ok(Outcome::A(caller.json().to_owned())),
            Self::Caller(Err(error)) => Ok(Outcome::D(Answered::refused(&error))),
            Self::Explanation(explanation) => Ok(Outcome::A(serde_json::to_string(&explanation)?)),
            Self::Downstream(answer) => Ok(downstream::outcome_of(answer)),
            Self::Ready(Ok(())) | Self::Disconnected(Ok(())) => Ok(Outcome::A(String::new())),
            Self::Disconnected(Err(error)) => Ok(Outcome::D(downstream::refused(&error))),
            Self::Ready(Err(reason)) => {
                Ok(Outcome::D(Answered::refused(&AuthError::Unavailable(reason))))
            }
        }
    }
}

/// A request of a caller whose token is known.
fn of_seen(forward: mcp_auth::decision::Forward) -> Outcome {
    match plain_caller(&forward) {
        Some(caller) => Outcome::A(caller.json().to_owned()),
        None => Outcome::B(Forward::new(forward)),
    }
}

/// The caller of a request that needs no object in JavaScript, which the garbage collector would be long busy with: it names no
/// session, nothing but a session is changed in the response to it, and no issuer is asked again about the token while that is a
/// stream.
pub(crate) fn plain_caller(forward: &mcp_auth::decision::Forward) -> Option<&AuthInfo> {
    let is_plain =
        !forward.changes_responses() && !forward.replaces_headers() && !forward.asks_issuer_again();
    forward.auth_info.as_ref().filter(|_| is_plain)
}

fn of_decision(decision: Decision, parts: Parts) -> Result<Outcome> {
    match decision {
        Decision::Forward(forward) => Ok(Outcome::B(Forward::new(forward))),
        Decision::ReadBody(pending) => Ok(Outcome::C(ReadBody { pending: Some((pending, parts)) })),
        Decision::Reply(reply) => Ok(Outcome::D(reply.into())),
        _ => Err(Error::from_reason("a decision that this package does not know")),
    }
}

/// An answer to be sent, or a refusal where nothing is sent.
#[napi(object, object_from_js = false)]
pub struct Answered {
    /// The HTTP status.
    pub status: u16,
    /// Names and values in turn, one per line.
    pub headers: String,
    /// The body, complete.
    pub body: Buffer,
    /// Why it is a refusal, in JSON.
    pub refusal: Option<String>,
}

impl Answered {
    /// A refusal alone.
    pub(crate) fn refused(error: &AuthError) -> Self {
        Self {
            status: error.status().as_u16(),
            headers: String::new(),
            body: Buffer::from(Vec::new()),
            refusal: Some(error.json().to_string()),
        }
    }

    /// The answer to what is no request by RFC 9112. The library has not seen it, so that it is logged here.
    pub(crate) fn malformed() -> Self {
        tracing::warn!(
            target: "mcp_auth::decision",
            code = "invalid_request",
            status = 400,
            reason = "method, target or headers are not those of a request",
            "request refused"
        );
        Self {
            status: 400,
            headers: "content-type\napplication/json".to_owned(),
            body: Buffer::from(br#"{"error":"invalid_request"}"#.to_vec()),
            refusal: None,
        }
    }
}

impl From<Reply> for Answered {
    fn from(reply: Reply) -> Self {
        Self {
            status: reply.status.as_u16(),
            headers: request::write(&reply.headers),
            body: Buffer::from(reply.body.to_vec()),
            refusal: reply.error.as_ref().map(|error| error.json().to_string()),
        }
    }
}

/// A request whose body says what it asks for.
#[napi]
pub struct ReadBody {
    pending: Option<(PendingDecision, Parts)>,
}

#[napi]
impl ReadBody {
    /// How long the body may be, in bytes.
    #[napi(getter)]
    pub fn max_bytes(&self) -> u32 {
        let max = self.pending.as_ref().map_or(0, |(pending, _)| pending.max_bytes());
        // A longer body fits into no buffer of Node.
        u32::try_from(max).unwrap_or(u32::MAX)
    }

    /// How long the body may take, in milliseconds.
    #[napi(getter)]
    pub fn timeout(&self) -> u32 {
        let timeout = self.pending.as_ref().map_or(0, |(pending, _)| pending.timeout().as_millis());
        // What is longer than a timer of Node is for ever.
        u32::try_from(timeout).unwrap_or(u32::MAX).min(i32::MAX as u32)
    }

    /// Decides by the body.
    #[napi]
    pub fn decide(&mut self, env: Env, body: Uint8Array) -> Result<Outcome> {
        let (pending, parts) = self.take()?;
        let bytes = body.to_vec();
        let work = async move {
            let decision = pending.decide(&parts, &bytes).await;
            Answer::Decision(Box::new((decision, parts)))
        };
        pending::begin(env, Box::pin(work))
    }

    /// The answer to a body that is too long.
    #[napi]
    pub fn too_large(&mut self) -> Result<Answered> {
        Ok(self.take()?.0.too_large().into())
    }

    /// The answer to a body that did not come in time.
    #[napi]
    pub fn timed_out(&mut self) -> Result<Answered> {
        Ok(self.take()?.0.timed_out().into())
    }

    /// The answer where somebody has read the body before.
    #[napi]
    pub fn already_read(&mut self) -> Result<Answered> {
        Ok(self.take()?.0.already_read().into())
    }

    fn take(&mut self) -> Result<(PendingDecision, Parts)> {
        self.pending.take().ok_or_else(|| Error::from_reason("this was decided before"))
    }
}
