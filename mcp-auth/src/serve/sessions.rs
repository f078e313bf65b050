//! Sessions: each belongs to the caller who got its identifier.
//!
//! 1. Each `Mcp-Session-Id` of the server's goes to the client with a tag, which binds it to this caller and resource.
//! 2. A request that names a session must name it with the tag, and come from the same caller: issuer, subject and client.
//!    The server gets the identifier as it gave it.
//! 3. Anything else is answered as an unknown session: 404, on which clients begin a new one. That depends on nothing that
//!    the server knows, so it tells nobody which sessions there are.
//! 4. A caller without a token is a caller of their own: a session that began without one ends when one is used. So a
//!    token that comes with a public call is looked at where the call begins a session or names one.
//!
//! Tested in `serve::sessions`.

use std::fmt;
use std::sync::Arc;

use http::header::HeaderName;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};

use super::Resource;
use crate::auth_info::AuthInfo;
use crate::authorize::Messages;
use crate::error::MessageFault;
use crate::handles::HandleKind;

/// Names the session, in requests and responses (MCP, Streamable HTTP).
pub(super) static MCP_SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");

/// Whose the sessions are that the response of one request names, and the one that the request names.
pub(super) struct OwnSession {
    resource: Arc<Resource>,
    /// `None`: a caller without a token.
    owner: Option<AuthInfo>,
    /// As the server knows it; `None`: the request names none.
    named: Option<HeaderValue>,
}

impl Resource {
    /// The session of this caller that the request names; `None` where sessions are not bound.
    ///
    /// # Errors
    /// It names one that is not the caller's.
    pub(super) fn own_session(
        self: &Arc<Self>,
        owner: Option<&AuthInfo>,
        request: &HeaderMap,
    ) -> Result<Option<OwnSession>, MessageFault> {
        if self.session_sealer.is_none() {
            return Ok(None);
        }
        let mut session = OwnSession { resource: self.clone(), owner: owner.cloned(), named: None };
        let mut values = request.get_all(&MCP_SESSION_ID).iter();
        if let Some(sealed) = values.next() {
            // Of several, somebody else might read another one.
            let opened = session.open(sealed).filter(|_| values.next().is_none());
            session.named = Some(opened.ok_or(MessageFault::UnknownSession)?);
        }
        Ok(Some(session))
    }
}

impl Resource {
    /// An identifier of the server's as this caller gets it; `None`: it cannot be sealed.
    pub(crate) fn seal_session(
        &self,
        caller: &AuthInfo,
        given: &HeaderValue,
    ) -> Option<HeaderValue> {
        let Some(sealer) = &self.session_sealer else { return Some(given.clone()) };
        let sealed = sealer.seal(HandleKind::Session, Some(caller), given.to_str().ok()?)?;
        HeaderValue::try_from(sealed).ok()
    }

    /// Whether it matters to a session who sends these messages, although anybody may: one begins, or one is named.
    pub(super) fn needs_session_owner(&self, request: &Parts, messages: &Messages<'_>) -> bool {
        let names_one = request.headers.contains_key(&MCP_SESSION_ID);
        let begins_one = messages.sent().iter().any(|sent| sent.method() == "initialize");
        self.session_sealer.is_some() && (names_one || begins_one)
    }
}

impl OwnSession {
    fn open(&self, sealed: &HeaderValue) -> Option<HeaderValue> {
        let sealer = self.resource.session_sealer.as_ref()?;
        let opened =
            sealer.open(HandleKind::Session, self.owner.as_ref(), sealed.to_str().ok()?)?;
        HeaderValue::from_str(opened).ok()
    }

    /// An identifier of the server's with its tag; `None`: it cannot be sealed.
    pub(super) fn seal(&self, given: &HeaderValue) -> Option<HeaderValue> {
        let sealer = self.resource.session_sealer.as_ref()?;
        let sealed = sealer.seal(HandleKind::Session, self.owner.as_ref(), given.to_str().ok()?)?;
        HeaderValue::try_from(sealed).ok()
    }

    /// The session that the request names, as the server knows it.
    pub(super) fn named(&self) -> Option<&HeaderValue> {
        self.named.as_ref()
    }

    /// Lets the server read the identifier that it gave.
    pub(super) fn prepare_request(&self, headers: &mut HeaderMap) {
        if let Some(named) = &self.named {
            headers.insert(&MCP_SESSION_ID, named.clone());
        }
    }

    /// Seals the identifiers that the server gives. One that cannot be sealed, because it is no visible ASCII as the
    /// specification asks for, is left out.
    pub(super) fn prepare_response(&self, headers: &mut HeaderMap) {
        if !headers.contains_key(&MCP_SESSION_ID) {
            return;
        }
        let given: Vec<HeaderValue> = headers.get_all(&MCP_SESSION_ID).iter().cloned().collect();
        headers.remove(&MCP_SESSION_ID);
        for value in given {
            match self.seal(&value) {
                Some(sealed) => {
                    headers.append(&MCP_SESSION_ID, sealed);
                }
                None => tracing::error!(
                    "the identifier of a session is withheld: it is no visible ASCII"
                ),
            }
        }
    }
}

/// Says nothing of the caller, and no identifier.
impl fmt::Debug for OwnSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnSession").finish_non_exhaustive()
    }
}
