//! Receives what issuers tell: verifies it, and carries it out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use http::HeaderValue;
use http::header::AUTHORIZATION;
use http::request::Parts;

use super::NoticeFault;
use super::rate::Rate;
use super::signed_notice::{NoticeClaims, TimeRules, Times, UnverifiedNotice};
use super::{logout_token, security_event};
use crate::algorithm::Algorithm;
use crate::clock::Clock;
use crate::config::Secret;
use crate::issuer::{Issuer, VerifyError};
use crate::jose::{Jws, TokenLimits};
use crate::revocation::{Cutoffs, Revocation, Seen, SeenOnce};

/// What a notice is, which the path says that it is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoticeKind {
    /// OpenID Connect Back-Channel Logout 1.0.
    Logout,
    /// RFC 8935.
    SecurityEvent,
}

impl NoticeKind {
    /// For the log.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Logout => "logout_token",
            Self::SecurityEvent => "security_event_token",
        }
    }

    /// The setting of an issuer with which they are received.
    pub(crate) fn setting(self) -> &'static str {
        match self {
            Self::Logout => "back_channel_logout",
            Self::SecurityEvent => "shared_signals",
        }
    }
}

/// What a notice brought about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) issuer: String,
    /// How many entries it made in what is refused.
    pub(crate) revocations: usize,
}

/// Receives notices, at a path for each kind.
pub(crate) struct Notices {
    logout_path: Option<Box<str>>,
    shared_signals_path: Option<Box<str>>,
    /// Where nothing is received, because no issuer has the setting for it.
    closed: Vec<ClosedPath>,
    issuers: Vec<NoticeIssuer>,
    limits: TokenLimits,
    tolerance: u64,
    cutoffs: Arc<Cutoffs>,
    seen: Arc<SeenOnce>,
    clock: Arc<dyn Clock>,
}

/// A path where notices would be received.
struct ClosedPath {
    kind: NoticeKind,
    path: Box<str>,
    /// Whether the operator was told that one came.
    is_told: AtomicBool,
}

/// An issuer that may send notices.
pub(crate) struct NoticeIssuer {
    pub(crate) issuer: Arc<Issuer>,
    /// How its tokens name it in `iss`, its own name first.
    pub(crate) names: Vec<String>,
    /// Accepted algorithms; empty for all supported ones.
    pub(crate) algorithms: Vec<Algorithm>,
    /// The audiences of logout tokens; empty where none are accepted.
    pub(crate) logout_audience: Vec<String>,
    /// The audiences of security event tokens; empty where none are accepted.
    pub(crate) event_audience: Vec<String>,
    /// What must be in `Authorization` with security event tokens: one of these, where there are any.
    pub(crate) authorizations: Vec<Secret>,
    rate: Arc<Rate>,
}

impl NoticeIssuer {
    pub(crate) fn new(issuer: Arc<Issuer>) -> Self {
        let names = vec![issuer.identifier().as_str().to_owned()];
        Self {
            issuer,
            names,
            algorithms: Vec::new(),
            logout_audience: Vec::new(),
            event_audience: Vec::new(),
            authorizations: Vec::new(),
            rate: Arc::default(),
        }
    }

    /// Its own name.
    pub(super) fn name(&self) -> &str {
        self.issuer.identifier().as_str()
    }

    pub(super) fn is_named(&self, iss: &str) -> bool {
        self.names.iter().any(|name| name == iss)
    }

    fn audience(&self, kind: NoticeKind) -> &[String] {
        match kind {
            NoticeKind::Logout => &self.logout_audience,
            NoticeKind::SecurityEvent => &self.event_audience,
        }
    }

    /// Whether this header is what was agreed, in constant time.
    fn is_authorized(&self, given: Option<&HeaderValue>) -> bool {
        if self.authorizations.is_empty() {
            return true;
        }
        let Some(value) = given else { return false };
        self.authorizations.iter().any(|secret| {
            verify_slices_are_equal(secret.expose().as_bytes(), value.as_bytes()).is_ok()
        })
    }

    /// Ends what has this name, under each of the names that tokens have for the issuer.
    pub(super) fn end(
        &self,
        name: &str,
        issued_until: u64,
        revocation: impl Fn(String, String) -> Revocation,
    ) -> Vec<Revocation> {
        let mut ended = Vec::new();
        for issuer in &self.names {
            ended.push(revocation(issuer.clone(), name.to_owned()).issued_until(issued_until));
        }
        ended
    }

    /// Ends a session; or a subject, where no session is named.
    ///
    /// A session is narrower than its subject, whose other sessions go on. It never comes back, so the later of both clocks
    /// counts: a token that was made of it while it ended is refused too. Tokens of the subject that name no session may
    /// be of this one, and end as well.
    pub(super) fn end_session_or_subject(
        &self,
        session: Option<&str>,
        subject: Option<&str>,
        issued_until: u64,
        now: u64,
    ) -> Vec<Revocation> {
        let Some(sid) = session else {
            let subjects = subject.map(|name| self.end(name, issued_until, Revocation::of_subject));
            return subjects.unwrap_or_default();
        };
        let mut ended = self.end(sid, issued_until.max(now), Revocation::of_session);
        if let Some(name) = subject {
            ended.extend(self.end(name, issued_until, Revocation::of_subject_without_session));
        }
        ended
    }
}

impl Notices {
    pub(crate) fn new(
        issuers: Vec<NoticeIssuer>,
        paths: (&str, &str),
        limits: TokenLimits,
        tolerance: u64,
        cutoffs: Arc<Cutoffs>,
        seen: Arc<SeenOnce>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let mut closed = Vec::new();
        for (kind, path) in [(NoticeKind::Logout, paths.0), (NoticeKind::SecurityEvent, paths.1)] {
            if !any_sends(&issuers, kind) {
                closed.push(ClosedPath {
                    kind,
                    path: path.into(),
                    is_told: AtomicBool::new(false),
                });
            }
        }
        let logout_path = any_sends(&issuers, NoticeKind::Logout).then(|| paths.0.into());
        let shared_signals_path =
            any_sends(&issuers, NoticeKind::SecurityEvent).then(|| paths.1.into());
        Self {
            logout_path,
            shared_signals_path,
            closed,
            issuers,
            limits,
            tolerance,
            cutoffs,
            seen,
            clock,
        }
    }

    /// What it has seen, for what takes its place.
    pub(crate) fn seen(&self) -> &Arc<SeenOnce> {
        &self.seen
    }

    /// Goes on where the one before left off, which another configuration had: what strangers have sent still counts, and of
    /// issuers that are not there any more nothing is remembered.
    pub(crate) fn follow(&mut self, before: &Self) {
        for issuer in &mut self.issuers {
            let known = before.issuers.iter().find(|one| one.name() == issuer.name());
            if let Some(same) = known {
                issuer.rate = same.rate.clone();
            }
        }
        self.seen.keep_issuers(|name| self.issuers.iter().any(|one| one.name() == name));
    }

    /// What is received at this path.
    #[inline]
    pub(crate) fn kind_at(&self, path: &str) -> Option<NoticeKind> {
        if self.logout_path.as_deref() == Some(path) {
            return Some(NoticeKind::Logout);
        }
        (self.shared_signals_path.as_deref() == Some(path)).then_some(NoticeKind::SecurityEvent)
    }

    /// What would be received at this path, if an issuer had the setting for it.
    pub(crate) fn kind_closed_at(&self, path: &str) -> Option<NoticeKind> {
        self.closed.iter().find(|closed| *closed.path == *path).map(|closed| closed.kind)
    }

    /// Whether the operator has yet to be told that one came that is not received: once for each kind.
    pub(crate) fn is_first_closed(&self, kind: NoticeKind) -> bool {
        let closed = self.closed.iter().find(|closed| closed.kind == kind);
        closed.is_some_and(|of_kind| !of_kind.is_told.swap(true, Ordering::Relaxed))
    }

    /// Where notices are received.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.logout_path.iter().chain(&self.shared_signals_path).map(|path| &**path)
    }

    /// Whether the head of a request could be that of one of the transmitters: nobody else's body is read.
    ///
    /// # Errors
    /// [`NoticeFault::NotAuthenticated`].
    pub(crate) fn check_sender(
        &self,
        kind: NoticeKind,
        request: &Parts,
    ) -> Result<(), NoticeFault> {
        let given = authorization(request);
        let mut issuers = self.issuers.iter().filter(|one| !one.audience(kind).is_empty());
        if kind == NoticeKind::Logout || issuers.any(|one| one.is_authorized(given)) {
            return Ok(());
        }
        Err(NoticeFault::NotAuthenticated)
    }

    /// Verifies a notice, and carries it out.
    pub(crate) async fn receive(
        &self,
        kind: NoticeKind,
        notice: &str,
        request: &Parts,
    ) -> Result<Received, NoticeFault> {
        let mut buffer = Vec::new();
        let parsed = Jws::parse(notice, &self.limits, &mut buffer)
            .map_err(|error| NoticeFault::Malformed(error.to_string()))?;
        let jws = parsed
            .read_claims::<UnverifiedNotice<'_>>()
            .map_err(|error| NoticeFault::Malformed(format!("claims: {error}")))?;
        let issuer = self.issuer_of(kind, &jws)?;
        if kind == NoticeKind::SecurityEvent && !issuer.is_authorized(authorization(request)) {
            return Err(NoticeFault::NotAuthenticated);
        }
        match kind {
            NoticeKind::Logout => logout_token::check_typ(jws.typ())?,
            NoticeKind::SecurityEvent => security_event::check_typ(jws.typ())?,
        }
        if !jws.is_signed_as(&issuer.algorithms) {
            return Err(NoticeFault::malformed("its algorithm is not accepted"));
        }
        let started_at = self.clock.unix_seconds();
        if !issuer.rate.take(started_at) {
            return Err(NoticeFault::TooMany);
        }
        let verified = issuer.issuer.verify(&jws, started_at).await.map_err(fault_of)?;
        issuer.rate.give_back();
        let members = verified
            .jws
            .all_claims()
            .map_err(|error| NoticeFault::Malformed(format!("claims: {error}")))?;
        self.carry_out(kind, issuer, &NoticeClaims::new(members), verified.now).await
    }

    fn issuer_of(
        &self,
        kind: NoticeKind,
        jws: &Jws<'_, UnverifiedNotice<'_>>,
    ) -> Result<&NoticeIssuer, NoticeFault> {
        let iss = jws.issuer().ok_or_else(|| NoticeFault::malformed("it has no `iss`"))?;
        let mut issuers = self.issuers.iter().filter(|one| !one.audience(kind).is_empty());
        let found = issuers.find(|one| one.is_named(iss));
        found.ok_or_else(|| NoticeFault::UnknownIssuer(iss.to_owned()))
    }

    async fn carry_out(
        &self,
        kind: NoticeKind,
        issuer: &NoticeIssuer,
        claims: &NoticeClaims,
        now: u64,
    ) -> Result<Received, NoticeFault> {
        let (revocations, times) = self.revocations(kind, issuer, claims, now)?;
        let id = claims.text("jti")?.ok_or_else(|| NoticeFault::malformed("it has no `jti`"))?;
        let seen = self.seen.see(issuer.name(), id, times.end, now);
        if seen == Seen::Before {
            return Err(NoticeFault::SeenBefore);
        }
        let count = revocations.len();
        // Before anything is waited for, and before anybody else is told that it came: whoever sent it may hang up, and would
        // hear the next time that it came before. To carry it out twice refuses nothing more.
        for revocation in &revocations {
            self.cutoffs.revoke(revocation.clone(), now);
        }
        if seen == Seen::NoRoom {
            return Err(NoticeFault::TooMany);
        }
        // Whoever is told that it came does not send it again, and this instance may end before it has told the others.
        if let Err(fault) = self.cutoffs.confirm(revocations, now).await {
            self.seen.forget(issuer.name(), id);
            return Err(NoticeFault::Unavailable(fault));
        }
        // Another instance may have got it before.
        let keep = Duration::from_secs(times.end.saturating_sub(now));
        match self.cutoffs.first_time(&key_of(issuer.name(), id), keep).await {
            Some(Ok(false)) => return Err(NoticeFault::SeenBefore),
            Some(Err(fault)) => {
                // It is sent again.
                self.seen.forget(issuer.name(), id);
                return Err(NoticeFault::Unavailable(fault));
            }
            Some(Ok(true)) | None => {}
        }
        Ok(Received { issuer: issuer.name().to_owned(), revocations: count })
    }

    /// What a verified notice takes back, and when it was made.
    fn revocations(
        &self,
        kind: NoticeKind,
        issuer: &NoticeIssuer,
        claims: &NoticeClaims,
        now: u64,
    ) -> Result<(Vec<Revocation>, Times), NoticeFault> {
        claims.check_audience(issuer.audience(kind))?;
        let times = claims.check_times(&self.time_rules(kind), now)?;
        let revocations = match kind {
            NoticeKind::Logout => logout_token::revocations(claims, issuer, times, now)?,
            NoticeKind::SecurityEvent => {
                security_event::revocations(claims, issuer, times, self.tolerance, now)?
            }
        };
        Ok((revocations, times))
    }

    /// What a notice of the first issuer would take back, if it had signed these claims.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn revocations_of_unverified(
        &self,
        kind: NoticeKind,
        claims: serde_json::Map<String, serde_json::Value>,
    ) -> Vec<Revocation> {
        let now = self.clock.unix_seconds();
        let told = self.revocations(kind, &self.issuers[0], &NoticeClaims::new(claims), now);
        told.map_or_else(|_| Vec::new(), |(revocations, _)| revocations)
    }

    fn time_rules(&self, kind: NoticeKind) -> TimeRules {
        match kind {
            NoticeKind::Logout => logout_token::time_rules(self.tolerance),
            NoticeKind::SecurityEvent => security_event::time_rules(self.tolerance),
        }
    }

    /// Remembers what the earlier one has seen.
    pub(crate) fn take_over(&self, earlier: &Self) {
        self.seen.take_over(&earlier.seen);
    }
}

fn any_sends(issuers: &[NoticeIssuer], kind: NoticeKind) -> bool {
    issuers.iter().any(|one| !one.audience(kind).is_empty())
}

/// The only `Authorization` header of a request.
fn authorization(request: &Parts) -> Option<&HeaderValue> {
    let mut values = request.headers.get_all(AUTHORIZATION).iter();
    let only = values.next()?;
    values.next().is_none().then_some(only)
}

fn fault_of(error: VerifyError) -> NoticeFault {
    match error {
        VerifyError::BadSignature { .. } | VerifyError::UnknownKey => NoticeFault::BadSignature,
        VerifyError::Unavailable(reason) => NoticeFault::Unavailable(reason),
    }
}

/// By what instances tell each other of a notice: identifiers may be long.
fn key_of(issuer: &str, id: &str) -> String {
    let hashed = digest(&SHA256, format!("{} {issuer} {id}", issuer.len()).as_bytes());
    hashed.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
