//! One authorizer, asked so that a failure of it neither lets anybody in nor ends a request: it is code of the
//! user's.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::{AccessRequest, Asked, Authorizer, Operation, Verdict};
use crate::auth_info::AuthInfo;
use crate::config::Access;
use crate::scope::Scopes;
use crate::text::{Quoted, shown};

/// An authorizer whose errors and panics are caught, each with one event. This is the only place that asks it
/// while requests are served.
#[derive(Clone)]
pub(super) struct Guarded {
    authorizer: Arc<dyn Authorizer>,
    /// Whether it is code of the user's and no policy that is data, so that what it gives is bounded.
    is_own: bool,
}

impl Guarded {
    pub(super) fn policy(authorizer: Arc<dyn Authorizer>) -> Self {
        Self { authorizer, is_own: false }
    }

    pub(super) fn own(authorizer: Arc<dyn Authorizer>) -> Self {
        Self { authorizer, is_own: true }
    }

    /// The verdict; a failure to reach one denies, and so do arguments that nobody can read.
    pub(super) fn judge(&self, caller: &AuthInfo, operation: &Operation<'_>) -> Verdict {
        let request = AccessRequest::new(caller, operation);
        let verdict = self.ask(operation, |authorizer| {
            // An error tells its text by code of the user's, too.
            let verdict = authorizer.authorize(&request).map_err(|error| error.to_string())?;
            match verdict {
                Verdict::MissingScopes(scopes) => Ok(Verdict::MissingScopes(scopes.bounded()?)),
                other => Ok(other),
            }
        });
        if operation.has_unreadable_arguments() {
            return Verdict::forbidden("its arguments cannot be read");
        }
        verdict.unwrap_or_else(|| Verdict::forbidden("an authorizer failed"))
    }

    /// Whether a token is needed; where it fails to tell, one is.
    pub(super) fn access(&self, operation: &Operation<'_>) -> Option<Access> {
        let told = self.ask(operation, |authorizer| Ok(authorizer.access(operation)));
        told.unwrap_or(Some(Access::Required))
    }

    /// Whether [`Self::access`] ever says that no token is needed.
    pub(super) fn allows_anonymous(&self) -> bool {
        let told = self.ask("nothing yet", |authorizer| Ok(authorizer.allows_anonymous()));
        told.unwrap_or(false)
    }

    /// Every scope that all of this needs, for a challenge. Nobody is let in by it: where it fails to tell,
    /// none is named.
    pub(super) fn required_scopes(&self, operations: &[Operation<'_>], granted: &Scopes) -> Scopes {
        let told = self.ask(operations.first(), |authorizer| {
            self.check(authorizer.required_scopes(operations, granted))
        });
        told.unwrap_or_default()
    }

    /// What to ask for, unless the granted scopes cover the required ones; where it fails to tell, they do not.
    pub(super) fn uncovered(&self, granted: &Scopes, required: &Scopes) -> Option<Scopes> {
        let told = self.ask("scopes", |authorizer| {
            authorizer.uncovered(granted, required).map(|asked| self.check(asked)).transpose()
        });
        told.unwrap_or_else(|| Some(required.clone()))
    }

    /// Whether a list shows what this operation would call; where it fails to tell, it does not.
    pub(super) fn lists(&self, caller: Option<&AuthInfo>, operation: &Operation<'_>) -> bool {
        let told = self.ask(operation, |authorizer| Ok(authorizer.lists(caller, operation)));
        told.unwrap_or(false)
    }

    /// The names of the rules that apply, for people; of those that code gives, a few and each cut.
    pub(super) fn rules(&self, operation: &Operation<'_>) -> Vec<String> {
        /// Names that are shown of one authorizer.
        const MOST: usize = 8;
        let told = self.ask(operation, |authorizer| Ok(authorizer.rules(operation)));
        let rules = told.unwrap_or_default();
        match self.is_own {
            true => rules.iter().take(MOST).map(|name| shown(name)).collect(),
            false => rules,
        }
    }

    /// What each rule asks for, for people.
    pub(super) fn asked(&self, caller: Option<&AuthInfo>, operation: &Operation<'_>) -> Vec<Asked> {
        let told = self.ask(operation, |authorizer| Ok(authorizer.asked(caller, operation)));
        told.unwrap_or_default()
    }

    /// Scopes that code gives, unless they are too many for a header.
    fn check(&self, scopes: Scopes) -> Result<Scopes, String> {
        match self.is_own {
            true => Ok(scopes.bounded()?),
            false => Ok(scopes),
        }
    }

    /// Its answer; `None`, and one event, where it fails.
    fn ask<T>(
        &self,
        called: impl fmt::Debug,
        ask: impl FnOnce(&dyn Authorizer) -> Result<T, String>,
    ) -> Option<T> {
        let answer = catch_unwind(AssertUnwindSafe(|| ask(&*self.authorizer)));
        let error = match answer {
            Ok(Ok(answer)) => return Some(answer),
            Ok(Err(error)) => error,
            Err(_) => "it panicked".to_owned(),
        };
        tracing::error!(error = %Quoted(&error), ?called, "an authorizer failed, which denies");
        None
    }
}
