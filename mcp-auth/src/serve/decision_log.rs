//! One event for each decision, for the operator: the client gets fixed text.
//!
//! All have the target `mcp_auth::decision` and the field `code`, so that an operator can filter and count by them:
//!
//! | what happened | level | fields beside `code` and `resource` |
//! |---|---|---|
//! | a request was refused | WARN | `status`, `methods`, `rules`, `expected`, `actual`, `hint` |
//! | a request was refused by a sender that is refused often, with limits; the first of a period is a WARN of `limits/` | DEBUG | `status`, `actual` |
//! | a request was allowed | INFO | `issuer`, `methods` |
//! | a preflight was answered | DEBUG | |
//!
//! What a stranger chose is cut and made inert by the types that format it, so that nobody can fill a disk or write a
//! line that looks like ours. The token is in none of them. Of a batch, the first few messages are named.
//!
//! Tested in `serve::logging`.

use tracing::Value;
use tracing::field::display;

use super::Resource;
use crate::auth_info::AuthInfo;
use crate::authorize::Operation;
use crate::error::{AuthError, Compared, TokenError};

impl Resource {
    pub(super) fn log_preflight(&self) {
        tracing::debug!(target: "mcp_auth::decision", code = "preflight", resource = %self.identifier, "preflight answered");
    }

    /// A request goes on. Its caller is named by the issuer alone: a subject is personal data, which a log should hold only
    /// where the operator writes it there.
    pub(super) fn log_allowed(&self, caller: Option<&AuthInfo>, operations: &[Operation<'_>]) {
        tracing::info!(
            target: "mcp_auth::decision",
            code = "allowed",
            resource = %self.identifier,
            issuer = caller.map(AuthInfo::issuer),
            methods = ?first_few(operations),
            "request allowed"
        );
    }

    /// A request does not go on. What was compared is here and not in the answer: it tells an operator what to mend, and
    /// would tell an attacker what to try next.
    pub(super) fn log_refused(&self, error: &AuthError, operations: &[Operation<'_>]) {
        if let AuthError::TooManyFailures(reason) = error {
            tracing::debug!(
                target: "mcp_auth::decision",
                code = error.code(),
                status = error.status().as_u16(),
                resource = %self.identifier,
                actual = reason.refused_for,
                "request refused"
            );
            return;
        }
        let Compared { expected, actual } = error.compared();
        let logged = first_few(operations);
        let rules = logged.iter().flat_map(|operation| self.authorizers.rules(operation));
        tracing::warn!(
            target: "mcp_auth::decision",
            code = error.code(),
            status = error.status().as_u16(),
            resource = %self.identifier,
            methods = ?logged,
            rules = ?rules.collect::<Vec<_>>(),
            expected = once_escaped(error, &expected),
            actual = once_escaped(error, &actual),
            hint = audience_hint(error),
            "request refused"
        );
    }
}

/// A compared text in which the values of strangers stand in quotes, with escapes of their own: a formatter that writes texts
/// in quotes would escape these again. In scopes nothing is in quotes.
fn once_escaped<'a>(error: &AuthError, text: &'a str) -> Box<dyn Value + 'a> {
    let is_escaped = !matches!(error, AuthError::InsufficientScope { .. });
    if is_escaped && text.contains(['"', '\\']) {
        return Box::new(display(text));
    }
    Box::new(text)
}

/// What to do where the provider binds its tokens to no resource, or spells it in another way.
fn audience_hint(error: &AuthError) -> Option<&'static str> {
    match error {
        AuthError::InvalidToken(TokenError::MissingClaim { claim: "aud" }) => Some(
            "make this server a resource (an API) at the provider; or set `dangerous_accept_clients` (in Node `dangerousAcceptClients`) of its entry in the authorization servers to the token's `client_id`, as the presets of such providers do, which accepts what that client got for other servers too",
        ),
        AuthError::InvalidToken(TokenError::WrongAudience { actual, .. })
            if actual.iter().any(|one| one == "account") =>
        {
            Some(
                "add an Audience mapper with the URL of this server at Keycloak; or set `dangerous_accept_clients` (in Node `dangerousAcceptClients`) of its entry in the authorization servers to the token's `azp`, which accepts what that client got for other servers too",
            )
        }
        AuthError::InvalidToken(TokenError::WrongAudience { actual, expected })
            if actual.iter().any(|one| is_like_one_of(one, expected)) =>
        {
            Some(
                "the audience differs only by a slash at the end: let the provider issue tokens for the resource to the letter, or name its spelling in `audiences` of the resource",
            )
        }
        _ => None,
    }
}

/// Whether they are one but for slashes at the end.
fn is_like_one_of(audience: &str, expected: &[String]) -> bool {
    let without_slash = audience.trim_end_matches('/');
    expected.iter().any(|one| one.trim_end_matches('/') == without_slash)
}

/// As many operations as are logged of a batch.
fn first_few<'o, 'm>(operations: &'o [Operation<'m>]) -> &'o [Operation<'m>] {
    const MOST: usize = 8;
    &operations[..operations.len().min(MOST)]
}
