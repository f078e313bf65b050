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

use http::header::HeaderName;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};

use super::Resource;
use super::exchange::Exchange;
use crate::auth_info::AuthInfo;
use crate::authorize::Messages;
use crate::error::MessageFault;
use crate::handles::HandleKind;

/// Names the session, in requests and responses (MCP, Streamable HTTP).
pub(super) static MCP_SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");

impl Resource {
    /// The session that the request of this sender names, as the server knows it; `None`: none, or sessions are not bound.
    ///
    /// # Errors
    /// It names one that is not the sender's.
    pub(super) fn open_session(
        &self,
        sender: Option<&AuthInfo>,
        request: &HeaderMap,
    ) -> Result<Option<HeaderValue>, MessageFault> {
        let Some(sealer) = &self.session_sealer else { return Ok(None) };
        let mut values = request.get_all(&MCP_SESSION_ID).iter();
        let Some(sealed) = values.next() else { return Ok(None) };
        // Of several, somebody else might read another one.
        let is_only = values.next().is_none();
        let written = sealed.to_str().ok().filter(|_| is_only);
        let opened = written.and_then(|text| sealer.open(HandleKind::Session, sender, text));
        let named = opened.and_then(|text| HeaderValue::from_str(text).ok());
        named.map(Some).ok_or(MessageFault::UnknownSession)
    }

    /// An identifier of the server's with the tag for this sender, where sessions are bound; `None`: it cannot be sealed.
    pub(crate) fn seal_session(
        &self,
        sender: Option<&AuthInfo>,
        given: &HeaderValue,
    ) -> Option<HeaderValue> {
        let Some(sealer) = &self.session_sealer else { return Some(given.clone()) };
        let sealed = sealer.seal(HandleKind::Session, sender, given.to_str().ok()?)?;
        HeaderValue::try_from(sealed).ok()
    }

    /// Whether it matters to a session who sends these messages, although anybody may: one begins, or one is named.
    pub(super) fn needs_session_owner(&self, request: &Parts, messages: &Messages<'_>) -> bool {
        let names_one = request.headers.contains_key(&MCP_SESSION_ID);
        let begins_one = messages.sent().iter().any(|sent| sent.method() == "initialize");
        self.session_sealer.is_some() && (names_one || begins_one)
    }
}

impl Exchange {
    /// Whether sessions are bound to their callers.
    pub(super) fn binds_sessions(&self) -> bool {
        self.resource.session_sealer.is_some()
    }

    /// An identifier of the server's with its tag, where sessions are bound; `None`: it cannot be sealed.
    pub(super) fn seal(&self, given: &HeaderValue) -> Option<HeaderValue> {
        let sender = self.sender.as_ref();
        if self.resource.is_in_force() {
            return self.resource.seal_session(sender, given);
        }
        // With the keys that will open it.
        self.resource.in_force()?.seal_session(sender, given)
    }

    /// Seals the identifiers that the server gives. One that cannot be sealed, because it is no visible ASCII as the
    /// specification asks for, is left out.
    pub(super) fn prepare_response(&self, headers: &mut HeaderMap) {
        if !self.binds_sessions() || !headers.contains_key(&MCP_SESSION_ID) {
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
