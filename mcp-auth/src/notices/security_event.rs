//! Security event tokens (RFC 8417): the events of OpenID Shared Signals that make tokens worthless.

use serde_json::{Map, Value};

use super::NoticeFault;
use super::logout_token::without_application;
use super::notices::NoticeIssuer;
use super::signed_notice::{NoticeClaims, TimeRules, Times, time_of};
use super::subject::names_in;
use crate::revocation::Revocation;
use crate::text::Quoted;

/// Seconds for which one is accepted after it was made: a transmitter sends again what could not be delivered.
const MAX_AGE: u64 = 24 * 3600;

/// After each of these, what a token says may not be true any more.
const REVOKING: [&str; 8] = [
    // OpenID Continuous Access Evaluation Profile 1.0.
    "https://schemas.openid.net/secevent/caep/event-type/session-revoked",
    "https://schemas.openid.net/secevent/caep/event-type/token-claims-change",
    "https://schemas.openid.net/secevent/caep/event-type/credential-change",
    "https://schemas.openid.net/secevent/caep/event-type/assurance-level-change",
    // OpenID RISC Profile 1.0: what ends an account, or all of its sessions.
    "https://schemas.openid.net/secevent/risc/event-type/account-disabled",
    "https://schemas.openid.net/secevent/risc/event-type/account-purged",
    "https://schemas.openid.net/secevent/risc/event-type/credential-compromise",
    "https://schemas.openid.net/secevent/risc/event-type/sessions-revoked",
];

/// Asks whether events arrive (OpenID Shared Signals Framework 1.0 §8.1.4); it ends nothing.
const VERIFICATION: &str = "https://schemas.openid.net/secevent/ssf/event-type/verification";

/// Whether the header says that it is one (RFC 8417 §2.3, and Shared Signals §4.1.1 makes it a must).
pub(super) fn check_typ(typ: Option<&str>) -> Result<(), NoticeFault> {
    let is_one = typ
        .is_some_and(|written| without_application(written).eq_ignore_ascii_case("secevent+jwt"));
    if is_one { Ok(()) } else { Err(NoticeFault::malformed("`typ` is not `secevent+jwt`")) }
}

pub(super) fn time_rules(tolerance: u64) -> TimeRules {
    // Shared Signals §4.1.7: it should have no `exp`.
    TimeRules { max_age: MAX_AGE, needs_exp: false, tolerance }
}

/// What its events end. An event of another type ends nothing, and the log says so.
pub(super) fn revocations(
    claims: &NoticeClaims,
    issuer: &NoticeIssuer,
    times: Times,
    tolerance: u64,
    now: u64,
) -> Result<Vec<Revocation>, NoticeFault> {
    let events = claims.events()?;
    if events.is_empty() {
        return Err(NoticeFault::malformed("`events` is empty"));
    }
    let sub_id = claims.object("sub_id")?;
    let mut revocations = Vec::new();
    for (event_type, event) in events {
        let Value::Object(members) = event else {
            return Err(NoticeFault::malformed("an event is no object"));
        };
        if REVOKING.contains(&event_type.as_str()) {
            let until = issued_until(members, times, tolerance, now)?;
            // Drafts of Shared Signals had the subject in the event.
            let subject = match (sub_id, members.get("subject")) {
                (Some(given), _) | (None, Some(Value::Object(given))) => given,
                _ => return Err(NoticeFault::malformed("it has no `sub_id`")),
            };
            for names in names_in(subject, issuer)? {
                revocations.extend(names.revocations(issuer, until, now));
            }
        } else if event_type == VERIFICATION {
            let state = members.get("state").and_then(Value::as_str);
            tracing::info!(target: "mcp_auth::decision", code = "stream_verified", issuer = issuer.name(), state = state.map(|text| Quoted(text).to_string()), "a stream of security events was verified");
        } else {
            tracing::warn!(target: "mcp_auth::decision", code = "event_ignored", issuer = issuer.name(), event_type = %Quoted(event_type), "a security event of this type ends no tokens");
        }
    }
    Ok(revocations)
}

/// Until when tokens were issued that an event is about: until it happened, or was told, whichever is later. Both are by the
/// issuer's clock, as the tokens are.
fn issued_until(
    event: &Map<String, Value>,
    times: Times,
    tolerance: u64,
    now: u64,
) -> Result<u64, NoticeFault> {
    let happened_at = time_of(event, "event_timestamp")?.unwrap_or(times.issued_at);
    // In milliseconds, for one, where it must be seconds: it would refuse every token for ever.
    if happened_at > now.saturating_add(tolerance) {
        return Err(NoticeFault::malformed("`event_timestamp` is of the future"));
    }
    Ok(happened_at.max(times.issued_at))
}
