//! OpenID Connect Back-Channel Logout 1.0: what a logout token ends.

use super::NoticeFault;
use super::notices::NoticeIssuer;
use super::signed_notice::{NoticeClaims, TimeRules, Times};
use crate::revocation::Revocation;

/// The member of `events` that makes a JWT a logout token (§2.4).
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// Seconds for which one is accepted after it was made. §4 recommends that it lives two minutes at most.
const MAX_AGE: u64 = 600;

/// Whether the header says that it may be one. §2.6: `logout+jwt` is recommended, and what has no `typ`, or `JWT`, may be
/// accepted for the sake of issuers that are older than that. `events` tells it from ID tokens and access tokens, which
/// are refused here for want of it, as this one is in their place for having it.
pub(super) fn check_typ(typ: Option<&str>) -> Result<(), NoticeFault> {
    let Some(written) = typ else { return Ok(()) };
    match without_application(written).to_ascii_lowercase().as_str() {
        "logout+jwt" | "jwt" => Ok(()),
        _ => Err(NoticeFault::malformed("`typ` is not `logout+jwt`")),
    }
}

/// RFC 7515 §4.1.9: `application/` may be left out.
pub(super) fn without_application(typ: &str) -> &str {
    match typ.split_at_checked("application/".len()) {
        Some((before, kind)) if before.eq_ignore_ascii_case("application/") => kind,
        _ => typ,
    }
}

pub(super) fn time_rules(tolerance: u64) -> TimeRules {
    TimeRules { max_age: MAX_AGE, needs_exp: true, tolerance }
}

/// What it ends (§2.6, steps 5 to 7).
pub(super) fn revocations(
    claims: &NoticeClaims,
    issuer: &NoticeIssuer,
    times: Times,
    now: u64,
) -> Result<Vec<Revocation>, NoticeFault> {
    let events = claims.events()?;
    if !events.get(EVENT).is_some_and(serde_json::Value::is_object) {
        return Err(NoticeFault::malformed(
            "`events` has no `backchannel-logout` that is an object",
        ));
    }
    // Also `null`: so nobody can pass off an ID token.
    if claims.has("nonce") {
        return Err(NoticeFault::malformed("it has a `nonce`"));
    }
    let (subject, session) = (claims.text("sub")?, claims.text("sid")?);
    if subject.is_none() && session.is_none() {
        return Err(NoticeFault::malformed("it has neither `sub` nor `sid`"));
    }
    Ok(issuer.end_session_or_subject(session, subject, times.issued_at, now))
}
