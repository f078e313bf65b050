//! A revocation check of the user's, asked so that a token that was seen before waits for no answer, a failure is a 503,
//! and nothing that it does wrong ends a request.
//!
//! Every caller remembers when it was last known that their token was not taken back:
//!
//! | the last answer is | what happens |
//! |---|---|
//! | younger than the interval | the request goes on |
//! | younger than twice the interval | it goes on, and one of them asks in the background |
//! | older, or there is none | the request waits for an answer |
//!
//! An open stream asks in the same way, and ends where a request would wait: its client connects again.
//!
//! Tested in `authenticate::revocation_check`.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;

use crate::auth_info::AuthInfo;
use crate::clock::Clock;
use crate::error::{AuthError, TokenError, Unavailable};
use crate::last_answer::Worth;
use crate::revocation::{Cutoffs, RevocationCheck};
use crate::spawner::Spawner;
use crate::text::in_one_line;

/// A revocation check, and what it takes to ask it.
#[derive(Clone)]
pub(crate) struct AskedRevocations {
    check: Arc<dyn RevocationCheck>,
    /// In seconds.
    interval: u64,
    cutoffs: Arc<Cutoffs>,
    clock: Arc<dyn Clock>,
    spawner: Spawner,
}

/// Whether the token was taken back, or why nobody can tell.
type Answer = Result<bool, String>;

impl AskedRevocations {
    pub(crate) fn new(
        check: Arc<dyn RevocationCheck>,
        cutoffs: Arc<Cutoffs>,
        clock: Arc<dyn Clock>,
        spawner: Spawner,
    ) -> Self {
        // At 0, every request would ask and none could be answered by the last answer.
        let interval = check.interval().as_secs().max(1);
        Self { check, interval, cutoffs, clock, spawner }
    }

    /// Whether the last answer is enough for a request or a stream to go on.
    pub(crate) fn is_known_to_be_good(&self, caller: &AuthInfo, now: u64) -> bool {
        let answer = caller.revocation_answer();
        match answer.worth(self.interval, now) {
            Worth::Young => true,
            Worth::Ageing => {
                if answer.begin_to_ask(now) {
                    self.ask_in_background(caller.clone());
                }
                true
            }
            Worth::TooOld => false,
        }
    }

    /// After how many seconds a stream has to look whether that still holds.
    pub(crate) fn seconds_left(&self, caller: &AuthInfo, now: u64) -> u64 {
        caller.revocation_answer().seconds_left(self.interval, now)
    }

    /// Takes note of a caller of whom nothing is known but that their request has just gone on.
    pub(crate) fn has_gone_on(&self, caller: &AuthInfo) {
        caller.revocation_answer().is_good(self.clock.unix_seconds());
    }

    /// Asks, and waits for the answer.
    pub(super) async fn ask(&self, caller: &AuthInfo) -> Result<(), AuthError> {
        let answer = in_time(self.check.timeout(), self.answer(caller.clone())).await;
        match self.take(caller, answer) {
            Ok(false) => Ok(()),
            Ok(true) => Err(TokenError::Revoked.into()),
            Err(reason) => {
                let seconds = 5;
                let fault = Unavailable::new("a revocation check", in_one_line(&reason), seconds);
                Err(AuthError::Unavailable(fault))
            }
        }
    }

    /// Begins to ask here, where the request is, and goes on in the background if there is no answer at once.
    fn ask_in_background(&self, caller: AuthInfo) {
        let mut answer = self.answer(caller.clone());
        if let Some(at_once) = (&mut answer).now_or_never() {
            drop(self.take(&caller, at_once));
            return;
        }
        if !self.spawner.can_start() {
            // Where nothing runs in the background, a request that has to wait asks.
            return;
        }
        let asked = self.clone();
        let work = async move {
            let later = in_time(asked.check.timeout(), answer).await;
            drop(asked.take(&caller, later));
        };
        self.spawner.start(work.boxed());
    }

    /// What the user's code says; it is its own, so that it may outlive the request.
    fn answer(&self, caller: AuthInfo) -> BoxFuture<'static, Answer> {
        let check = self.check.clone();
        let asked = AssertUnwindSafe(async move { check.is_revoked(&caller).await });
        async move {
            match asked.catch_unwind().await {
                Ok(told) => told.map_err(|error| error.to_string()),
                Err(_) => Err("it panicked".to_owned()),
            }
        }
        .boxed()
    }

    /// Keeps an answer, and tells the log of a failure.
    fn take(&self, caller: &AuthInfo, answer: Answer) -> Answer {
        match &answer {
            Ok(false) => caller.revocation_answer().is_good(self.clock.unix_seconds()),
            Ok(true) => self.cutoffs.take_back(caller),
            Err(reason) => {
                tracing::error!(
                    reason = %in_one_line(reason),
                    "a revocation check failed, so that nothing new is known of a token"
                );
            }
        }
        answer
    }
}

async fn in_time(longest: Duration, answer: BoxFuture<'static, Answer>) -> Answer {
    match Handle::try_current() {
        Ok(_) => tokio::time::timeout(longest, answer)
            .await
            .unwrap_or_else(|_| Err("it gave no answer in time".to_owned())),
        // Without tokio, time is the business of whoever runs the service.
        Err(_) => answer.await,
    }
}
