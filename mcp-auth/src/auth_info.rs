//! What a handler may know about the caller.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use zeroize::Zeroize as _;

use crate::claims::Claims;
use crate::downstream_refusal::DownstreamRefusal;
use crate::error::{InsufficientScope, TokenError};
use crate::json::{CheckedObject, JsonLimits};
use crate::last_answer::LastAnswer;
pub(crate) use crate::principal::Principal;
use crate::principal::PrincipalRule;
use crate::scope::Scopes;

/// The authenticated caller of a request: who they are and what their token grants.
///
/// Cheap to clone. Made only by verifying a token, or by [`AuthInfo::from_verified_claims`].
/// Take identity from here, never from a tool's arguments.
#[derive(Clone)]
pub struct AuthInfo(Arc<Inner>, Option<Arc<dyn StepUp>>);

struct Inner {
    issuer: Arc<str>,
    scopes: Scopes,
    expires_at: Option<u64>,
    kept: KeptTexts,
    subject: Place,
    client_id: Place,
    principal_rule: Arc<PrincipalRule>,
    // Each is made when somebody first asks: most requests never do, and nothing but a pointer waits for it.
    facts: OnceLock<Box<Facts>>,
    claims: OnceLock<Box<Map<String, Value>>>,
    json: OnceLock<Box<str>>,
    principal: OnceLock<Principal>,
    issued_at: Option<u64>,
    /// What was revoked when it was last looked whether this caller was: a version of `Cutoffs`.
    revocations_seen: AtomicU64,
    revocation_answer: LastAnswer,
    issuer_answer: LastAnswer,
}

/// In the place of what was revoked: this caller was, and nothing else has to be looked at.
const TAKEN_BACK: u64 = u64::MAX;

/// A token and the JSON text of its claims, one behind the other in one piece of memory, which is wiped when it goes.
struct KeptTexts {
    both: Box<[u8]>,
    token_length: usize,
}

impl KeptTexts {
    fn new(token: &str, payload: CheckedObject<'_>) -> Self {
        let parts = [token.as_bytes(), payload.as_bytes()];
        Self { both: parts.concat().into_boxed_slice(), token_length: token.len() }
    }

    fn token(&self) -> &[u8] {
        &self.both[..self.token_length]
    }

    /// Read to its end when the token was verified: what could not be read was refused.
    fn payload(&self) -> CheckedObject<'_> {
        CheckedObject::new(&self.both[self.token_length..])
    }
}

/// Where a text is in the JSON text of the claims, so that it needs no memory of its own.
#[derive(Clone, Copy)]
enum Place {
    Absent,
    At {
        start: u32,
        length: u32,
    },
    /// It is written with escapes: [`Facts`] have it.
    Escaped,
}

impl Place {
    /// Where a text that was read of this payload is.
    fn of(text: Option<&str>, payload: &[u8]) -> Self {
        let Some(text) = text else { return Self::Absent };
        // One with escapes is somewhere else.
        let start = text.as_ptr().addr().wrapping_sub(payload.as_ptr().addr());
        let is_there = payload.get(start..start.wrapping_add(text.len())) == Some(text.as_bytes());
        match (u32::try_from(start), u32::try_from(text.len())) {
            (Ok(start), Ok(length)) if is_there => Self::At { start, length },
            _ => Self::Escaped,
        }
    }
}

impl Drop for KeptTexts {
    fn drop(&mut self) {
        // The bytes and not the box: the whole at once and not byte by byte.
        <[u8]>::zeroize(&mut self.both);
    }
}

/// What handlers ask for most.
#[derive(Default)]
pub(crate) struct Facts {
    pub(crate) subject: Option<String>,
    pub(crate) client_id: Option<String>,
    pub(crate) audience: Vec<String>,
}

/// What [`AuthInfo::json`] says, but for the claims.
#[derive(Serialize)]
struct Described<'a> {
    issuer: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    scopes: Vec<&'a str>,
    audience: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
    principal: &'static str,
    key: (&'a str, Option<String>),
}

/// By which a caller is known again, as long as their token is kept: for SDKs in other languages, which keep what they have made
/// of [`AuthInfo::json`]. It keeps neither caller nor token.
pub struct CallerMark(Weak<Inner>);

impl CallerMark {
    /// Whether this is the caller, by the same token, which was verified once.
    pub fn is_of(&self, caller: &AuthInfo) -> bool {
        // The place in memory is nobody else's as long as there is a mark of it.
        std::ptr::eq(self.0.as_ptr(), Arc::as_ptr(&caller.0))
    }
}

impl AuthInfo {
    /// For verifiers of your own: wraps claims that **you have verified**.
    ///
    /// Nothing is checked here. `iss` and `exp` should be present; scopes come from the first of `scope`, `scp`
    /// and `scopes` that is not empty (so leave out all three where nothing is granted), the client from `client_id`, `azp`, `cid` or `appid`. Say with `idtyp`, `user` or
    /// `app`, whether a person or a machine is calling, if your policies ask for that.
    ///
    /// # Errors
    /// [`TokenError::Malformed`](crate::errors::TokenError::Malformed) when a registered claim has a type
    /// that it must not have, or when two readers of the claims could understand them differently: a
    /// number that no 64 bits hold, a name that serde_json gives a meaning, more than 127 levels.
    pub fn from_verified_claims(claims: Map<String, Value>) -> Result<Self, TokenError> {
        Self::from_verified_json(&Value::Object(claims).to_string())
    }

    /// The same from a JSON object, for claims that come from elsewhere: `serde_json` itself gives some
    /// member names a meaning when it makes a [`Value`], and of two members of one name it takes the last.
    ///
    /// # Errors
    /// As [`AuthInfo::from_verified_claims`], and when it is no JSON object with distinct names.
    pub fn from_verified_json(payload: &str) -> Result<Self, TokenError> {
        let claims = Claims::read(payload.as_bytes(), JsonLimits::LARGEST)?;
        // It should be there, but whoever wrote the verifier may have one issuer only.
        let issuer = claims.issuer.as_deref().unwrap_or_default().into();
        Ok(Self::of_claims(issuer, &claims, payload))
    }

    /// The same of an issuer that the claims need not name, and of whom it is known whether they are a person: for adapters that
    /// keep what [`AuthInfo::json`] says of a caller, its `issuer`, `claims` and `principal`.
    ///
    /// # Errors
    /// As [`AuthInfo::from_verified_json`].
    pub fn from_verified_json_of(
        issuer: &str,
        payload: &str,
        principal: Principal,
    ) -> Result<Self, TokenError> {
        let claims = Claims::read(payload.as_bytes(), JsonLimits::LARGEST)?;
        let caller = Self::of_claims(issuer.into(), &claims, payload);
        // By the settings of their issuer, which are not known here. Nobody has asked this new one yet.
        let _ = caller.0.principal.set(principal);
        Ok(caller)
    }

    fn of_claims(issuer: Arc<str>, claims: &Claims<'_>, payload: &str) -> Self {
        let whole = CheckedObject::new(payload.as_bytes());
        let (scopes, principal_rule) = (claims.granted_scopes(), Arc::default());
        Self::new(issuer, scopes, claims, whole, principal_rule, "")
    }

    /// The caller behind a token that was verified, whose payload [`Claims::read`] accepts. The token is empty where a
    /// verifier of the user's has made the claims.
    pub(crate) fn new(
        issuer: Arc<str>,
        scopes: Scopes,
        claims: &Claims<'_>,
        payload: CheckedObject<'_>,
        principal_rule: Arc<PrincipalRule>,
        token: &str,
    ) -> Self {
        let expires_at = claims.exp;
        let subject = Place::of(claims.subject(), payload.as_bytes());
        let client_id = Place::of(claims.client(), payload.as_bytes());
        let kept = KeptTexts::new(token, payload);
        let (facts, all_claims, json) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        let inner = Inner {
            issuer,
            scopes,
            expires_at,
            kept,
            subject,
            client_id,
            principal_rule,
            facts,
            claims: all_claims,
            json,
            principal: OnceLock::new(),
            issued_at: claims.iat,
            revocations_seen: AtomicU64::new(0),
            revocation_answer: LastAnswer::default(),
            issuer_answer: LastAnswer::default(),
        };
        Self(Arc::new(inner), None)
    }

    /// A mark by which this caller is known again.
    pub fn mark(&self) -> CallerMark {
        CallerMark(Arc::downgrade(&self.0))
    }

    /// All claims of the token.
    pub fn claims(&self) -> &Map<String, Value> {
        // They were read before. Without claims a caller has no role, is no known client and no person.
        self.0.claims.get_or_init(|| Box::new(self.0.kept.payload().members().unwrap_or_default()))
    }

    fn facts(&self) -> &Facts {
        self.0.facts.get_or_init(|| {
            let claims = Claims::read(self.0.kept.payload().as_bytes(), JsonLimits::LARGEST);
            // Claims were read of it before, or it would not be here.
            Box::new(claims.map(|read| read.facts()).unwrap_or_default())
        })
    }

    fn text_at(&self, place: Place, fact: fn(&Facts) -> Option<&str>) -> Option<&str> {
        match place {
            Place::Absent => None,
            Place::At { start, length } => {
                let written = self.0.kept.payload().as_bytes().get(start as usize..)?;
                std::str::from_utf8(written.get(..length as usize)?).ok()
            }
            Place::Escaped => fact(self.facts()),
        }
    }

    /// All that it says, as a JSON object: for SDKs in other languages. The token is not in it.
    ///
    /// Its members are named as the methods here: `issuer`, `subject`, `client_id`, `scopes`, `audience`,
    /// `expires_at`, `principal`, `key` and `claims`; what the token does not say is not there. Made once.
    pub fn json(&self) -> &str {
        self.0.json.get_or_init(|| self.describe().into())
    }

    fn describe(&self) -> String {
        let described = Described {
            issuer: self.issuer(),
            subject: self.subject(),
            client_id: self.client_id(),
            scopes: self.scopes().iter().collect(),
            audience: self.audience(),
            expires_at: self.expires_at(),
            principal: self.principal().name(),
            key: self.key(),
        };
        let mut text = serde_json::to_string(&described).unwrap_or_default();
        // The claims as they were written: our reader has accepted them, which leaves one way to read them.
        text.pop();
        text.push_str(",\"claims\":");
        text.push_str(&String::from_utf8_lossy(self.0.kept.payload().as_bytes()));
        text.push('}');
        text
    }

    /// One claim as a type of yours; `None` when it is absent or of another type.
    pub fn claim<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        // Which of both it is, `claims` tells.
        T::deserialize(self.claims().get(name)?).ok()
    }

    /// `iss`: the authorization server that issued the token.
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// `sub`: the caller, unique within the issuer; machine clients may have none, or an empty one,
    /// which is none.
    pub fn subject(&self) -> Option<&str> {
        self.text_at(self.0.subject, |facts| facts.subject.as_deref())
    }

    /// The OAuth client: the first of `client_id`, `azp`, `cid` and `appid` that is not empty.
    pub fn client_id(&self) -> Option<&str> {
        self.text_at(self.0.client_id, |facts| facts.client_id.as_deref())
    }

    /// `aud`: for whom the token was issued.
    pub fn audience(&self) -> &[String] {
        &self.facts().audience
    }

    /// The granted scopes: the first of `scope`, `scp` and `scopes` that has any.
    pub fn scopes(&self) -> &Scopes {
        &self.0.scopes
    }

    /// `exp`, in seconds since 1970; always there for a JWT, while issuers of opaque tokens need not
    /// say.
    pub fn expires_at(&self) -> Option<u64> {
        self.0.expires_at
    }

    /// `iat`, in seconds since 1970. A part of a second is left out.
    pub(crate) fn issued_at(&self) -> Option<u64> {
        self.0.issued_at
    }

    /// A claim that is a text.
    pub(crate) fn text_claim(&self, name: &str) -> Option<&str> {
        self.claims().get(name)?.as_str()
    }

    /// Whether nothing was revoked since it was last looked whether this caller was.
    #[inline]
    pub(crate) fn has_seen_revocations(&self, version: u64) -> bool {
        self.0.revocations_seen.load(Ordering::Relaxed) == version
    }

    /// Remembers what was revoked when it was looked whether this caller was. One that was taken back meanwhile stays so.
    pub(crate) fn see_revocations(&self, version: u64) {
        let seen = &self.0.revocations_seen;
        let last = seen.load(Ordering::Relaxed);
        if last != TAKEN_BACK {
            // Where another thread was first, it is looked at again.
            let _ = seen.compare_exchange(last, version, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// Refuses the token of this caller from now on.
    pub(crate) fn take_back(&self) {
        self.0.revocations_seen.store(TAKEN_BACK, Ordering::Relaxed);
    }

    /// Whether the token of this caller was taken back.
    pub(crate) fn was_taken_back(&self) -> bool {
        self.0.revocations_seen.load(Ordering::Relaxed) == TAKEN_BACK
    }

    /// What a revocation check said of this caller.
    pub(crate) fn revocation_answer(&self) -> &LastAnswer {
        &self.0.revocation_answer
    }

    /// What the issuer said of this caller, where it was asked.
    pub(crate) fn issuer_answer(&self) -> &LastAnswer {
        &self.0.issuer_answer
    }

    /// The key under which to store what belongs to this caller: (`iss`, `sub`).
    ///
    /// A subject alone is not unique, and an e-mail address is not an identity. A machine whose token has no `sub` is
    /// known by its client: `urn:mcp-auth:client:` and the client's identifier stand for the subject. No `sub` is ever
    /// taken for that: one that begins with `urn:mcp-auth:` has `urn:mcp-auth:subject:` before it. `None` when the token
    /// names neither, or says that a person is behind it without saying who: store nothing then, because all of
    /// them would share it.
    pub fn key(&self) -> (&str, Option<String>) {
        (self.issuer(), self.name_in_key())
    }

    fn name_in_key(&self) -> Option<String> {
        /// How the names begin that are made here.
        const OURS: &str = "urn:mcp-auth:";
        match (self.subject(), self.client_id()) {
            (Some(subject), _) if subject.starts_with(OURS) => {
                Some(format!("{OURS}subject:{subject}"))
            }
            (Some(subject), _) => Some(subject.to_owned()),
            // Many persons share a client.
            (None, Some(client)) if self.principal() != Principal::User => {
                Some(format!("{OURS}client:{client}"))
            }
            (None, _) => None,
        }
    }

    /// Whether a person or a machine is calling, or that the token does not tell.
    ///
    /// Told by [`principal_claim`](crate::AuthorizationServer::principal_claim), or else by the claims
    /// that providers document for it; docs/guide.md lists them.
    pub fn principal(&self) -> Principal {
        *self.0.principal.get_or_init(|| {
            let rule = &self.0.principal_rule;
            // Few claims are needed for that. They were read before; without claims a caller is no person.
            let claims = self.0.kept.payload().wanted_members(|name| rule.looks_at(name));
            rule.principal(&claims.unwrap_or_default())
        })
    }

    /// Whether the token grants these scopes; scopes that include others count as the resource's
    /// policy says. For handlers that do more for some callers, and refuse nobody.
    pub fn has<S: AsRef<str>>(&self, scopes: impl IntoIterator<Item = S>) -> bool {
        let wanted: Scopes = scopes.into_iter().collect();
        match &self.1 {
            Some(request) => request.grants(self.scopes(), &wanted),
            None => self.scopes().contains_all(&wanted),
        }
    }

    /// Asks for more scopes than the operation was checked for, from inside a handler.
    ///
    /// Over HTTP the refusal becomes the 403 that makes clients ask the user for these scopes, as
    /// long as the handler has sent nothing yet, whatever the handler returns: so return the error at
    /// once, and use [`AuthInfo::has`] to look without asking. Scopes that include others count as
    /// the resource's policy says.
    ///
    /// # Errors
    /// [`InsufficientScope`] when the token lacks one of them.
    pub fn require<S: AsRef<str>>(
        &self,
        scopes: impl IntoIterator<Item = S>,
    ) -> Result<(), InsufficientScope> {
        let required: Scopes = scopes.into_iter().collect();
        match &self.1 {
            Some(request) => request.require(self.scopes(), &required),
            None if self.scopes().contains_all(&required) => Ok(()),
            None => Err(InsufficientScope::new(required, self.scopes().clone(), None)),
        }
    }

    /// Withdraws what [`AuthInfo::require`] has asked for in this request, or a token for another API: the handler found another way, and answers
    /// itself.
    pub fn withdraw_refusal(&self) {
        if let Some(request) = &self.1 {
            request.withdraw();
        }
    }

    /// Has the request answered with what the caller has to do.
    pub(crate) fn answer_with(&self, refusal: DownstreamRefusal) {
        if let Some(request) = &self.1 {
            request.answer_with(refusal);
        }
    }

    /// The same caller, in a request that can still be answered with a challenge.
    pub(crate) fn with_step_up(mut self, request: Arc<dyn StepUp>) -> Self {
        self.1 = Some(request);
        self
    }

    /// The token itself, for exchanging it at its issuer.
    ///
    /// Never send it to another service: the MCP specification forbids passing a client's token on.
    /// Empty for callers made with [`AuthInfo::from_verified_claims`].
    pub fn dangerous_raw_token(&self) -> &str {
        // It was a text when it was kept.
        std::str::from_utf8(self.token()).unwrap_or_default()
    }

    /// The bytes of the token, which is ASCII.
    pub(crate) fn token(&self) -> &[u8] {
        self.0.kept.token()
    }

    /// About how much memory it takes, in bytes.
    pub(crate) fn weight(&self) -> usize {
        // When they were asked for, claims take about three times the payload, and the JSON for other
        // languages is about as long as it.
        size_of::<Inner>() + self.token().len() + self.0.kept.payload().as_bytes().len() * 5
    }
}

/// A request in which a handler may find that it needs more scopes.
pub(crate) trait StepUp: Send + Sync {
    fn grants(&self, granted: &Scopes, wanted: &Scopes) -> bool;

    fn require(&self, granted: &Scopes, required: &Scopes) -> Result<(), InsufficientScope>;

    fn withdraw(&self);

    /// Has the request answered with this, as long as nothing was sent.
    fn answer_with(&self, refusal: DownstreamRefusal);
}

/// Names the caller's issuer and scopes; claims and token stay out of logs.
impl fmt::Debug for AuthInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthInfo")
            .field("issuer", &self.issuer())
            .field("scopes", &self.scopes().to_string())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn claims_that_could_not_be_read_again_make_nobody_a_person() {
        for (payload, principal) in [(r#"{"sub":"a"}"#, Principal::User), ("{", Principal::Unknown)]
        {
            let rule = PrincipalRule { default: Principal::User, ..PrincipalRule::default() };
            let payload = CheckedObject::new(payload.as_bytes());
            let (issuer, scopes) = ("https://as.example".into(), Scopes::default());
            let claims = Claims::default();
            let caller = AuthInfo::new(issuer, scopes, &claims, payload, rule.into(), "");
            assert_eq!(caller.principal(), principal);
        }
    }

    #[test]
    fn a_mark_is_of_one_caller_and_of_nobody_who_says_the_same() {
        let payload = r#"{"iss":"https://as.example","sub":"a"}"#;
        let caller = AuthInfo::from_verified_json(payload).unwrap();
        let mark = caller.mark();
        assert!(mark.is_of(&caller) && mark.is_of(&caller.clone()));
        assert!(!mark.is_of(&AuthInfo::from_verified_json(payload).unwrap()));
        drop(caller);
        // Memory that was given back would soon be somebody else's.
        let others = [(); 100].map(|()| AuthInfo::from_verified_json(payload).unwrap());
        assert!(!others.iter().any(|other| mark.is_of(other)));
    }

    #[test]
    fn what_was_told_of_a_caller_counts_more_than_what_the_claims_say() {
        let payload = r#"{"iss":"https://as.example","sub":"a","client_id":"a"}"#;
        for principal in [Principal::User, Principal::Client, Principal::Unknown] {
            let issuer = "https://as.example";
            let caller = AuthInfo::from_verified_json_of(issuer, payload, principal).unwrap();
            assert_eq!(caller.principal(), principal);
        }
    }

    #[test]
    fn other_languages_are_told_the_claims_that_our_reader_reads() {
        let payloads = [
            r#"{"iss":"https://as.example","sub":"a"}"#,
            "{}",
            " { \"sub\" : \"a\" , \n \"x\" : [ { } , [ ] , null ] } \n",
            r#"{"sub":"\u0061\"}é\ud83d\ude00","a}":"}","claims":{"claims":"{"}}"#,
            r#"{"big":9007199254740993,"small":-9223372036854775808,"real":1e2,"zero":-0}"#,
            r#"{"__proto__":{"issuer":"other"},"issuer":"other","subject":"other","key":["other",null]}"#,
        ];
        for payload in payloads {
            let caller = AuthInfo::from_verified_json(payload).unwrap();
            let told = crate::json::read_object(caller.json()).unwrap();
            assert_eq!(told["claims"], Value::Object(caller.claims().clone()), "{payload}");
            assert_eq!(told["issuer"], caller.issuer(), "{payload}");
            assert_eq!(told.get("subject").and_then(Value::as_str), caller.subject(), "{payload}");
            assert_eq!(told["key"], json!(caller.key()), "{payload}");
        }
    }

    #[test]
    fn subject_and_client_are_what_was_written_also_with_escapes() {
        let rows: [(&str, Option<&str>, Option<&str>); 7] = [
            (r#"{"sub":"alice","client_id":"app"}"#, Some("alice"), Some("app")),
            (r#"{"azp":"app","sub":"alic\u00e9","client_id":""}"#, Some("alicé"), Some("app")),
            (r#"{"sub":"\u0061lice"}"#, Some("alice"), None),
            ("{\"sub\":\"\\u0061lice\",\"cid\":\"a\\/b\"}", Some("alice"), Some("a/b")),
            (r#"{"sub":"","azp":null}"#, None, None),
            (r#"{"sub":"é日本","appid":"é"}"#, Some("é日本"), Some("é")),
            ("{}", None, None),
        ];
        for (payload, subject, client) in rows {
            let caller = AuthInfo::from_verified_json(payload).unwrap();
            assert_eq!((caller.subject(), caller.client_id()), (subject, client), "{payload}");
            let facts = caller.facts();
            assert_eq!((facts.subject.as_deref(), facts.client_id.as_deref()), (subject, client));
        }
    }
}
