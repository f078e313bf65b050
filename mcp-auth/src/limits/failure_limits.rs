//! The limits of a server: which refusals count, and for whom.
//!
//! | a request is refused because | it counts for | where that has too many |
//! |---|---|---|
//! | nobody who is trusted here has issued its token, or says so; or it carries the token in a wrong way | the address | 429 |
//! | its token was issued by somebody trusted, and is not good here (any more) | that token | 429 |
//! | its caller may not do that, by a rule or by a handler | the caller: issuer, subject and client | 429 |
//! | it has no token; its origin, body or session is wrong; nobody can tell right now | nobody | never 429 |
//!
//! The second row is not the address's: a client that has to renew its token must be told so, whoever else is behind
//! the same address. Tokens of that row cannot be made up. The last row is how clients begin, and what no token would mend.
//!
//! Tested in `serve::failure_limits`.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_lc_rs::digest::{Context, SHA256};
use http::request::Parts;
use tracing::field::display;

use super::address_range::AddressRange;
use super::client_address::{PeerAddress, client_address, counted_as};
use super::failure_limiter::{Counted, FailureLimiter};
use super::shared_failures::{CommonCount, SharedFailures};
use super::steady_time::SteadyTime;
use crate::auth_info::AuthInfo;
use crate::clock::Clock;
use crate::config::Limits;
use crate::error::{AuthError, Forbidden, TokenError, TooManyFailures};
use crate::text::Quoted;

/// The limits, with what was counted so far. All resources of a server share them.
pub(crate) struct FailureLimits {
    by_address: Option<SharedFailures<IpAddr>>,
    by_principal: Option<SharedFailures<PrincipalKey>>,
    trusted_proxies: Vec<AddressRange>,
    has_missed_address: AtomicBool,
}

/// A caller, or a token that is not good any more: a hash of what it is known by (SHA-256), the same on all instances.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct PrincipalKey([u8; 32]);

/// Who sent a request, as far as that counts.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sender {
    /// `None`: it is not known, or no limit asks for it.
    address: Option<IpAddr>,
    token: Option<PrincipalKey>,
}

/// For whom a refusal counts.
enum Blame {
    Nobody,
    Address,
    Token,
    Caller,
}

impl FailureLimits {
    /// `None` where nothing is limited.
    pub(crate) fn new(
        config: &Limits,
        trusted_proxies: Vec<AddressRange>,
        clock: Arc<dyn Clock>,
        common: Option<&CommonCount>,
    ) -> Option<Self> {
        if config.failures_per_address.is_none() && config.failures_per_principal.is_none() {
            return None;
        }
        let time = SteadyTime::new(clock);
        Some(Self {
            by_address: config
                .failures_per_address
                .map(|limit| SharedFailures::new(FailureLimiter::new(limit, &time), common)),
            by_principal: config
                .failures_per_principal
                .map(|limit| SharedFailures::new(FailureLimiter::new(limit, &time), common)),
            trusted_proxies,
            has_missed_address: AtomicBool::new(false),
        })
    }

    /// Whether the addresses of clients count.
    pub(crate) fn count_addresses(&self) -> bool {
        self.by_address.is_some()
    }

    /// Who sent a request with this token, if it has one.
    pub(crate) fn sender(&self, request: &Parts, token: Option<&[u8]>) -> Sender {
        let key = token.map(|bytes| PrincipalKey(hash_of(&[b"token", bytes])));
        Sender { address: self.address_of(request), token: key }
    }

    /// Whether the sender has been refused so often that its unknown tokens are asked about at a slower rate.
    pub(crate) fn is_beyond(&self, sender: &Sender) -> bool {
        let Some(limiter) = &self.by_address else { return false };
        sender.address.is_some_and(|address| limiter.is_beyond(&address))
    }

    /// Counts a refusal: the same refusal, or what takes its place beyond the limit.
    pub(crate) fn count(
        &self,
        error: AuthError,
        sender: &Sender,
        caller: Option<&AuthInfo>,
    ) -> AuthError {
        match blame(&error) {
            Blame::Nobody => error,
            Blame::Address => self.count_address(error, sender.address),
            Blame::Token => self.count_principal(error, sender.token, None),
            Blame::Caller => {
                let key = caller.and_then(key_of).or(sender.token);
                self.count_principal(error, key, caller)
            }
        }
    }

    fn count_address(&self, error: AuthError, sender: Option<IpAddr>) -> AuthError {
        let (Some(limiter), Some(address)) = (&self.by_address, sender) else { return error };
        let counted =
            limiter.count(&address, || hex(hash_of(&[b"address", address.to_string().as_bytes()])));
        let Counted::Beyond { retry_after, is_news } = counted else { return error };
        let refused_for = error.code();
        if is_news {
            tracing::warn!(target: "mcp_auth::decision", code = "too_many_failures", status = 429, %address, refused_for, retry_after, "too many requests of one address were refused: for now its refusals are 429, and logged at DEBUG");
        }
        TooManyFailures::new(retry_after, refused_for).into()
    }

    fn count_principal(
        &self,
        error: AuthError,
        sender: Option<PrincipalKey>,
        caller: Option<&AuthInfo>,
    ) -> AuthError {
        let (Some(limiter), Some(key)) = (&self.by_principal, sender) else { return error };
        let counted = limiter.count(&key, || hex(key.0));
        let Counted::Beyond { retry_after, is_news } = counted else { return error };
        let refused_for = error.code();
        if is_news {
            // A subject is personal data, and the log of decisions names none.
            let issuer = caller.map(AuthInfo::issuer);
            let client = caller.and_then(AuthInfo::client_id).map(Quoted).map(display);
            tracing::warn!(target: "mcp_auth::decision", code = "too_many_failures", status = 429, issuer, client, refused_for, retry_after, "too many requests of one caller were refused: for now its refusals are 429, and logged at DEBUG");
        }
        TooManyFailures::new(retry_after, refused_for).into()
    }

    /// Where the client is. An adapter that does not say it is told of once.
    fn address_of(&self, request: &Parts) -> Option<IpAddr> {
        self.by_address.as_ref()?;
        let Some(peer) = request.extensions.get::<PeerAddress>() else {
            if !self.has_missed_address.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    "`limits.failures_per_address` is set, and a request came without the address of its connection: it counts for no address. With axum, serve with `into_make_service_with_connect_info::<SocketAddr>()`; elsewhere put a `PeerAddress` into the extensions of the request"
                );
            }
            return None;
        };
        let address = client_address(*peer, &request.headers, &self.trusted_proxies);
        Some(counted_as(address))
    }
}

/// By what a caller is known: as its sessions are. `None`: its token names nobody.
fn key_of(caller: &AuthInfo) -> Option<PrincipalKey> {
    let (subject, client) = (caller.subject(), caller.client_id());
    if subject.is_none() && client.is_none() {
        return None;
    }
    let (has_subject, has_client) = (subject.is_some(), client.is_some());
    Some(PrincipalKey(hash_of(&[
        b"caller",
        caller.issuer().as_bytes(),
        &[u8::from(has_subject), u8::from(has_client)],
        subject.unwrap_or_default().as_bytes(),
        client.unwrap_or_default().as_bytes(),
    ])))
}

/// A hash of these parts, each with its length, so that no two lists of parts are one text.
pub(super) fn hash_of(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

pub(super) fn hex(bytes: [u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn blame(error: &AuthError) -> Blame {
    match error {
        AuthError::InvalidRequest(_) => Blame::Address,
        AuthError::InvalidToken(reason) => blame_for_token(reason),
        AuthError::InsufficientScope { .. } | AuthError::Forbidden(Forbidden::Policy(_)) => {
            Blame::Caller
        }
        AuthError::Downstream(_)
        | AuthError::Forbidden(Forbidden::Origin(_))
        | AuthError::InvalidMessage(_)
        | AuthError::MissingToken
        | AuthError::TooManyFailures(_)
        | AuthError::Unavailable(_) => Blame::Nobody,
    }
}

fn blame_for_token(reason: &TokenError) -> Blame {
    match reason {
        // Anybody can make up tokens that are refused for these.
        TokenError::AlgorithmNotAllowed { .. }
        | TokenError::BadSignature { .. }
        | TokenError::Inactive
        | TokenError::Malformed { .. }
        | TokenError::MissingClaim { claim: "iss" }
        | TokenError::UnknownIssuer { .. }
        | TokenError::UnknownKey { .. }
        | TokenError::WrongType { .. } => Blame::Address,
        // These show only when the issuer has said that the token is its own.
        TokenError::ClaimNotAccepted { .. }
        | TokenError::Expired { .. }
        | TokenError::MissingClaim { .. }
        | TokenError::NotYetValid { .. }
        | TokenError::Revoked
        | TokenError::SenderConstrained
        | TokenError::WrongAudience { .. } => Blame::Token,
    }
}
