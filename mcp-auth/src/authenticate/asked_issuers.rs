//! The issuer of a token that it was asked about is asked again while a stream of its caller is open. Requests ask anew when
//! the answer that is kept is too old; a stream has no request that would.
//!
//! 1. It asks when the last answer is older than `cache_max_age`, in the background, but every five seconds at most.
//! 2. It goes on by the last answer for twice that time, and ends when there is no new one.
//! 3. It ends when the issuer says that the token is not active, or says less of it than before. Its client connects again,
//!    and is who the issuer says then.
//!
//! Tested in `authenticate::introspection::streams`.

use super::authenticator::parts_of_jwt;
use super::opaque::OpaqueTokens;
use super::{Authenticator, TrustedIssuer};
use crate::auth_info::AuthInfo;
use crate::error::AuthError;
use crate::last_answer::Worth;
use crate::spawner::Spawner;

/// How long the shortest interval is, in seconds: `cache_max_age` may be 0.
const SHORTEST_INTERVAL: u64 = 5;

/// What a stream may do by the last answer of the issuer about its caller.
pub(crate) enum IssuerSays<'a> {
    /// It goes on.
    GoOn,
    /// It goes on, and this is where [`Authenticator::ask_issuer_again`] is to run.
    GoOnAndAsk(&'a Spawner),
    /// It ends.
    End,
}

impl Authenticator {
    /// What a stream to this caller may do; whoever is told to ask asks.
    pub(crate) fn issuer_says(&self, caller: &AuthInfo, now: u64) -> IssuerSays<'_> {
        let answer = caller.issuer_answer();
        if !answer.is_known() {
            return IssuerSays::GoOn;
        }
        let Some((_, opaque)) = self.asked_about(caller) else { return IssuerSays::End };
        match answer.worth(interval(opaque), now) {
            Worth::Young => IssuerSays::GoOn,
            // Where nothing runs in the background, nobody can ask.
            Worth::Ageing if opaque.spawner().can_start() && answer.begin_to_ask(now) => {
                IssuerSays::GoOnAndAsk(opaque.spawner())
            }
            Worth::Ageing => IssuerSays::GoOn,
            Worth::TooOld => IssuerSays::End,
        }
    }

    /// After how many seconds a stream has to look again; `None`: its issuer is not asked.
    pub(crate) fn seconds_until_issuer_is_asked(&self, caller: &AuthInfo) -> Option<u64> {
        let answer = caller.issuer_answer();
        if !answer.is_known() {
            return None;
        }
        let (_, opaque) = self.asked_about(caller)?;
        Some(answer.seconds_left(interval(opaque), self.clock.unix_seconds()))
    }

    /// Asks the issuer about a caller whom it has told of before; they are taken back unless it still says so.
    pub(crate) async fn ask_issuer_again(&self, caller: &AuthInfo) {
        let Some((issuer, opaque)) = self.asked_about(caller) else { return };
        let now = self.clock.unix_seconds();
        match self.answer_again(caller, issuer, opaque, now).await {
            Ok(true) => caller.issuer_answer().is_good(now),
            Ok(false) => self.cutoffs.take_back(caller),
            Err(AuthError::InvalidToken(error)) => {
                tracing::debug!(%error, "a token with an open stream is good no more");
                self.cutoffs.take_back(caller);
            }
            Err(error) => tracing::warn!(
                %error,
                "nothing new is known of a token with an open stream"
            ),
        }
    }

    /// Whether the issuer says as much as before.
    async fn answer_again(
        &self,
        caller: &AuthInfo,
        issuer: &TrustedIssuer,
        opaque: &OpaqueTokens,
        now: u64,
    ) -> Result<bool, AuthError> {
        let token = caller.dangerous_raw_token();
        if parts_of_jwt(token) == Some(3) {
            return opaque.confirm(token, now).await.map(|()| true);
        }
        let told = opaque.describe_again(token, issuer, &self.rules, now).await?;
        Ok(says_as_much(&told, caller, self.rules.clock_tolerance.as_secs()))
    }

    /// Who is asked about this caller.
    fn asked_about(&self, caller: &AuthInfo) -> Option<(&TrustedIssuer, &OpaqueTokens)> {
        let issuer = self.issuers.of_caller(caller)?;
        Some((issuer, issuer.opaque.as_deref()?))
    }
}

/// How often is asked, in seconds.
fn interval(opaque: &OpaqueTokens) -> u64 {
    opaque.max_age.as_secs().max(SHORTEST_INTERVAL)
}

/// Whether a caller is still who they were and may do as much. Numbers are times, which may differ each time; of them, only
/// the end of the token counts.
fn says_as_much(told: &AuthInfo, before: &AuthInfo, clock_tolerance: u64) -> bool {
    let ends_sooner = match (told.expires_at(), before.expires_at()) {
        (Some(end), Some(end_before)) => end.saturating_add(clock_tolerance) < end_before,
        (Some(_), None) => true,
        (None, _) => false,
    };
    let members = told.claims().iter().filter(|(_, value)| !value.is_number());
    let members_before = before.claims().iter().filter(|(_, value)| !value.is_number());
    told.issuer() == before.issuer()
        && told.scopes() == before.scopes()
        && members.eq(members_before)
        && !ends_sooner
}
