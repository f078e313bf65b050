//! Whom a security event is about: subject identifiers (RFC 9493), as far as tokens tell the same.

use serde_json::{Map, Value};

use super::NoticeFault;
use super::notices::NoticeIssuer;
use super::signed_notice::text_of;
use crate::revocation::Revocation;
use crate::text::Quoted;

/// Names of one subject: each is looked for.
const MAX_ALIASES: usize = 16;

/// What Keycloak 26.7 writes in place of a session, when an administrator has ended all of them.
const ALL_SESSIONS: &str = "ALL";

/// What a subject identifier names that tokens name as well. At least one of it is there: what names nothing is a fault,
/// and never everybody.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    subject: Option<String>,
    session: Option<String>,
    token: Option<String>,
    /// It may be the name of a subject or of a session: the format does not tell.
    opaque: Option<String>,
}

impl Names {
    /// What ends because of it: the narrowest that is named.
    pub(super) fn revocations(
        self,
        issuer: &NoticeIssuer,
        issued_until: u64,
        now: u64,
    ) -> Vec<Revocation> {
        let Self { subject, session, token, opaque } = self;
        if let Some(jti) = token {
            return issuer.end(&jti, issued_until, Revocation::of_token);
        }
        if let Some(id) = opaque {
            let mut both =
                issuer.end_session_or_subject(Some(id.as_str()), None, issued_until, now);
            both.extend(issuer.end(&id, issued_until, Revocation::of_subject));
            return both;
        }
        issuer.end_session_or_subject(session.as_deref(), subject.as_deref(), issued_until, now)
    }

    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// What a subject identifier names: at least one name, or it is a fault.
pub(crate) fn names_in(
    identifier: &Map<String, Value>,
    issuer: &NoticeIssuer,
) -> Result<Vec<Names>, NoticeFault> {
    let format = text_of(identifier, "format")?;
    let mut all = match format {
        // A complex subject did not say so in drafts of Shared Signals 1.0.
        Some("complex") => vec![names_in_complex(identifier, issuer)?],
        None if identifier.contains_key("user") || identifier.contains_key("session") => {
            vec![names_in_complex(identifier, issuer)?]
        }
        Some("aliases") => names_in_aliases(identifier, issuer)?,
        _ => Vec::from_iter(names_in_simple(identifier, format, issuer)?),
    };
    all.retain(|names| !names.is_nothing());
    if all.is_empty() {
        let shown = Quoted(format.unwrap_or("none")).to_string();
        let reason = format!("a subject of the format {shown} names nothing that is in tokens");
        return Err(NoticeFault::UnknownSubject(reason));
    }
    Ok(all)
}

/// A subject of one format; `None` for a format that names nothing that is in tokens, such as an e-mail address: which
/// account has it is for the issuer to know.
fn names_in_simple(
    identifier: &Map<String, Value>,
    format: Option<&str>,
    issuer: &NoticeIssuer,
) -> Result<Option<Names>, NoticeFault> {
    let mut names = Names::default();
    match format {
        Some("iss_sub") => {
            check_issuer(identifier, issuer)?;
            names.subject = Some(needed(identifier, "sub")?);
        }
        Some("jwt_id") => {
            check_issuer(identifier, issuer)?;
            names.token = Some(needed(identifier, "jti")?);
        }
        Some("opaque") => names.opaque = Some(needed(identifier, "id")?),
        _ => return Ok(None),
    }
    Ok(Some(names))
}

/// A subject of several parts, all of which are meant together (Shared Signals §3.2): a session of a user. Parts that
/// tokens do not have, such as the device, are left out, which is more than was meant and never less; where nothing else
/// is there, it names nothing.
fn names_in_complex(
    identifier: &Map<String, Value>,
    issuer: &NoticeIssuer,
) -> Result<Names, NoticeFault> {
    let mut names = Names::default();
    if let Some(user) = part(identifier, "user", issuer)? {
        names.subject = user.subject.or(user.opaque);
    }
    if let Some(session) = part(identifier, "session", issuer)? {
        names.session = session.opaque;
        names.token = session.token;
        names.subject = names.subject.or(session.subject);
    }
    let is_of_all_sessions = names.session.as_deref() == Some(ALL_SESSIONS);
    if is_of_all_sessions && names.subject.is_some() {
        // A session that is really called so is one of the subject's, and ends with them.
        names.session = None;
    }
    Ok(names)
}

fn part(
    identifier: &Map<String, Value>,
    name: &str,
    issuer: &NoticeIssuer,
) -> Result<Option<Names>, NoticeFault> {
    match identifier.get(name) {
        None => Ok(None),
        Some(Value::Object(inner)) => names_in_simple(inner, text_of(inner, "format")?, issuer),
        Some(_) => Err(NoticeFault::malformed(format!("`{name}` of the subject is no object"))),
    }
}

/// One subject by several names, of which any may be the one that is in tokens.
fn names_in_aliases(
    identifier: &Map<String, Value>,
    issuer: &NoticeIssuer,
) -> Result<Vec<Names>, NoticeFault> {
    let Some(Value::Array(list)) = identifier.get("identifiers") else {
        return Err(NoticeFault::malformed("`identifiers` of the subject is no list"));
    };
    if list.len() > MAX_ALIASES {
        return Err(NoticeFault::malformed("the subject has too many aliases"));
    }
    let mut all = Vec::new();
    for alias in list {
        let Value::Object(inner) = alias else {
            return Err(NoticeFault::malformed("an alias of the subject is no object"));
        };
        all.extend(names_in_simple(inner, text_of(inner, "format")?, issuer)?);
    }
    Ok(all)
}

/// No issuer may speak of the subjects of another.
fn check_issuer(identifier: &Map<String, Value>, issuer: &NoticeIssuer) -> Result<(), NoticeFault> {
    let named = needed(identifier, "iss")?;
    if issuer.is_named(&named) {
        return Ok(());
    }
    let reason = format!("its subject is one of {}", Quoted(&named));
    Err(NoticeFault::UnknownSubject(reason))
}

fn needed(identifier: &Map<String, Value>, name: &str) -> Result<String, NoticeFault> {
    match text_of(identifier, name)? {
        Some(text) => Ok(text.to_owned()),
        None => Err(NoticeFault::malformed(format!("the subject has no `{name}`"))),
    }
}
