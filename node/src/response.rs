//! A request that goes on, and the response to it.

use http::{HeaderMap, HeaderValue, StatusCode};
use mcp_auth::decision::{Passage, ResponseFilter};
use napi::bindgen_prelude::{Buffer, Either3, Env, Result, Uint8Array};
use napi::{Either, Error};
use napi_derive::napi;

use crate::outcome::Answered;
use crate::stream::StreamEnd;
use crate::{functions, request};

/// A request that may go on.
#[napi]
pub struct Forward {
    forward: Option<mcp_auth::decision::Forward>,
    caller: Option<mcp_auth::AuthInfo>,
    /// What ends the response in time, once that has begun.
    end: Option<mcp_auth::decision::StreamEnd>,
}

impl Forward {
    pub(crate) fn new(forward: mcp_auth::decision::Forward) -> Self {
        Self { caller: forward.auth_info.clone(), forward: Some(forward), end: None }
    }

    /// A caller whose request somebody else has decided about.
    pub(crate) fn of_verified(caller: mcp_auth::AuthInfo) -> Self {
        Self { forward: None, caller: Some(caller), end: None }
    }

    /// Who is calling.
    pub(crate) fn known_caller(&self) -> Option<&mcp_auth::AuthInfo> {
        self.caller.as_ref()
    }
}

#[napi]
impl Forward {
    /// Whether somebody is calling; only without a token that a policy does not ask for is nobody.
    #[napi(getter)]
    pub fn has_caller(&self) -> bool {
        self.caller.is_some()
    }

    /// Whether an ordinary response is changed: one that is no event stream, of a handler that asked
    /// for no more scopes.
    #[napi(getter)]
    pub fn changes_responses(&self) -> bool {
        self.forward.as_ref().is_some_and(mcp_auth::decision::Forward::changes_responses)
    }

    /// Whether lists in the response are read, so that it must not be encoded.
    #[napi(getter)]
    pub fn reads_lists(&self) -> bool {
        self.forward.as_ref().is_some_and(|forward| forward.withholds("accept-encoding"))
    }

    /// Whether the request goes on with its body.
    #[napi(getter)]
    pub fn takes_body(&self) -> bool {
        self.forward.as_ref().is_none_or(mcp_auth::decision::Forward::takes_body)
    }

    /// What takes the place of headers of the request that are there: names and values in turn, one per line; nothing:
    /// they stay.
    #[napi(getter)]
    pub fn replaced_headers(&self) -> Option<String> {
        let forward = self.forward.as_ref().filter(|forward| forward.replaces_headers())?;
        Some(request::write(&forward.replaced_headers().collect::<HeaderMap>()))
    }

    /// The body that goes on in place of the one that came; nothing: it goes on as it came.
    #[napi(getter)]
    pub fn body(&self) -> Option<Buffer> {
        let body = self.forward.as_ref()?.body()?;
        Some(body.to_vec().into())
    }

    /// A session identifier of the server's as the client gets it; nothing where it must not be sent. Not after
    /// [`Self::respond`].
    #[napi]
    pub fn seal_session(&self, given: String) -> Option<String> {
        let value = HeaderValue::from_str(&given).ok()?;
        let sealed = self.forward.as_ref()?.seal_session(&value)?;
        sealed.to_str().ok().map(str::to_owned)
    }

    /// Who is calling, in JSON.
    #[napi]
    pub fn caller(&self) -> Option<String> {
        self.caller.as_ref().map(|caller| caller.json().to_owned())
    }

    /// The token, for exchanging it at its issuer.
    #[napi]
    pub fn token(&self) -> String {
        self.caller.as_ref().map_or("", |caller| caller.dangerous_raw_token()).to_owned()
    }

    /// Whether the caller has these scopes.
    #[napi]
    pub fn has(&self, scopes: Vec<String>) -> bool {
        self.caller.as_ref().is_some_and(|caller| caller.has(scopes))
    }

    /// Asks for more scopes: nothing when the caller has them, or what is refused, in JSON.
    #[napi]
    pub fn require(&self, scopes: Vec<String>) -> Option<String> {
        let caller = self.caller.as_ref()?;
        let refused = caller.require(scopes).err()?;
        Some(refused.json().to_string())
    }

    /// Takes back what was asked for: the handler answers itself.
    #[napi]
    pub fn withdraw(&self) {
        if let Some(caller) = &self.caller {
            caller.withdraw_refusal();
        }
    }

    /// What ends the response with these headers in time; nothing where it is no stream of events, or nobody calls.
    /// After [`Self::respond`] it is the response that was given there.
    #[napi]
    pub fn stream_end(&mut self, headers: String) -> Result<Option<StreamEnd>> {
        let end = match &self.forward {
            Some(forward) => forward.stream_end(&mut request::headers(headers)?),
            None => self.end.take(),
        };
        Ok(end.map(StreamEnd::new))
    }

    /// Looks at the start of the response: its headers as they are to be sent, or a filter that holds
    /// them until its body is there. Can be called once.
    #[napi]
    pub fn respond(&mut self, status: u16, headers: String) -> Result<Either<String, Filter>> {
        let forward = self.forward.take();
        let forward = forward.ok_or_else(|| Error::from_reason("this was answered before"))?;
        let mut map = request::headers(headers)?;
        let status_code =
            StatusCode::from_u16(status).map_err(|error| Error::from_reason(error.to_string()))?;
        self.end = forward.stream_end(&mut map);
        let mut filter = forward.respond(status_code, &mut map);
        let headers_to_send = request::write(&map);
        if filter.is_transparent() {
            return Ok(Either::A(headers_to_send));
        }
        let has_begun = filter.begin_at_once();
        Ok(Either::B(Filter { filter, headers: headers_to_send, has_begun }))
    }
}

/// Changes one response as the policy asks.
#[napi]
pub struct Filter {
    filter: ResponseFilter,
    headers: String,
    has_begun: bool,
}

/// What to do with a piece of a response: send it, send something else instead, hold everything
/// (`true`), or break off (`false`).
type Piece = Either3<Buffer, Answered, bool>;

#[napi]
impl Filter {
    /// The headers of the response, once something is sent.
    #[napi(getter)]
    pub fn headers(&self) -> String {
        self.headers.clone()
    }

    /// Whether status and headers are to be sent without waiting for the body.
    #[napi(getter)]
    pub fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Takes a piece of the body.
    #[napi]
    pub fn push(&mut self, env: Env, chunk: Uint8Array) -> Piece {
        functions::within(env, || piece(self.filter.push(&chunk)))
    }

    /// Takes the end of the body.
    #[napi]
    pub fn end(&mut self, env: Env) -> Piece {
        functions::within(env, || piece(self.filter.end()))
    }
}

fn piece(passage: Passage) -> Piece {
    match passage {
        Passage::Hold => Piece::C(true),
        Passage::Send(bytes) => Piece::A(bytes.to_vec().into()),
        Passage::Replace(reply) => Piece::B((*reply).into()),
        _ => Piece::C(false),
    }
}
