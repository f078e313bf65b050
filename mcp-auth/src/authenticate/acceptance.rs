//! Which rules a token was accepted by: what one set of rules accepted does not count under another.
//!
//! When a configuration is replaced, an issuer keeps its number at a resource only where nothing changed that could decide
//! about one of its tokens otherwise. So tokens of that issuer stay seen, and all others are verified anew.
//!
//! Tested in `serve::reload`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::FutureExt as _;
use http::HeaderName;

use super::{Authenticator, BearerToken, TokenSource, TrustedIssuer};
use crate::auth_info::AuthInfo;

/// The rules by which one resource accepts tokens of one issuer, as a number that no others have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Acceptance(u64);

impl Acceptance {
    /// Of rules that were never there before.
    pub(crate) fn of_new_rules() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed))
    }
}

impl Authenticator {
    /// Takes over from the authenticator before it what still holds: the rules that did not change, with the tokens that
    /// they accepted, and the questions about opaque tokens.
    pub(crate) fn take_over(&mut self, earlier: &Self) {
        let has_same_rules = self.rules == earlier.rules && self.limits == earlier.limits;
        if !has_same_rules || !Arc::ptr_eq(&self.cache, &earlier.cache) {
            return;
        }
        let asks_alike = self.asked_in_order() == earlier.asked_in_order();
        let mut kept = Vec::new();
        for trusted in &self.issuers.list {
            let same = earlier.issuers.named(&trusted.name).filter(|before| {
                let is_opaque = trusted.opaque.is_some() || before.opaque.is_some();
                self.header_of(trusted.source) == earlier.header_of(before.source)
                    && trusted.accepts_like(before)
                    && (asks_alike || !is_opaque)
            });
            kept.push(same.map(|before| (before.acceptance, before.opaque.clone())));
        }
        for (trusted, same) in self.issuers.list.iter_mut().zip(kept) {
            if let Some((acceptance, opaque)) = same {
                trusted.acceptance = acceptance;
                trusted.opaque = opaque;
            }
        }
    }

    /// The caller, whom the authenticator before this one has accepted, as this one accepts them; `None` where it does not,
    /// or cannot tell without waiting.
    pub(crate) fn accepted_by(&self, earlier: &Self, caller: &AuthInfo) -> Option<AuthInfo> {
        let Ok(token) = str::from_utf8(caller.token()) else { return None };
        // Of a verifier of the user's, which no configuration changes.
        if token.is_empty() {
            return Some(caller.clone());
        }
        let before = earlier.issuers.of_caller(caller)?;
        let now = self.issuers.of_caller(caller)?;
        if now.acceptance == before.acceptance {
            return Some(caller.clone());
        }
        let source = self.source_with(earlier.header_of(before.source))?;
        // Ready at once, unless the issuer has to be asked.
        self.authenticate(BearerToken::new(token, source)).now_or_never()?.ok()
    }

    /// The header where tokens of this source are, besides `Authorization`.
    fn header_of(&self, source: TokenSource) -> Option<&HeaderName> {
        match source {
            TokenSource::Authorization => None,
            TokenSource::Header(index) => self.token_headers.get(index),
        }
    }

    /// Where tokens in this header are looked for; `None`: nowhere.
    fn source_with(&self, header: Option<&HeaderName>) -> Option<TokenSource> {
        let Some(name) = header else { return Some(TokenSource::Authorization) };
        self.token_headers.iter().position(|one| one == name).map(TokenSource::Header)
    }

    /// Who is asked about which opaque tokens: the first whose token it could be.
    fn asked_in_order(&self) -> Vec<(&str, Option<&HeaderName>, &[String])> {
        let mut asked = Vec::new();
        for trusted in &self.issuers.list {
            if let Some(opaque) = &trusted.opaque {
                asked.push((&*trusted.name, self.header_of(trusted.source), opaque.prefixes()));
            }
        }
        asked
    }
}

impl TrustedIssuer {
    /// Whether a token that this one accepts was accepted before as the same caller's, but for where it is and whom else it
    /// could be for.
    fn accepts_like(&self, before: &Self) -> bool {
        let asks_like = match (&self.opaque, &before.opaque) {
            (None, None) => true,
            (Some(opaque), Some(opaque_before)) => opaque.asks_like(opaque_before),
            (None, Some(_)) | (Some(_), None) => false,
        };
        Arc::ptr_eq(&self.issuer, &before.issuer) && self.rules == before.rules && asks_like
    }
}
