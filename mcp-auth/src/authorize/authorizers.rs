//! Every authorizer of a resource as one: all of them must allow.

use std::fmt;
use std::sync::Arc;

use super::{Access, Authorizer, Explanation, Operation, Scopes, Verdict};
use crate::auth_info::AuthInfo;
use crate::error::{AuthError, Forbidden};

/// The rules of one resource, from its configuration and from code.
#[derive(Clone, Default)]
pub(crate) struct Authorizers(Vec<Arc<dyn Authorizer>>);

impl FromIterator<Arc<dyn Authorizer>> for Authorizers {
    fn from_iter<I: IntoIterator<Item = Arc<dyn Authorizer>>>(authorizers: I) -> Self {
        Self(authorizers.into_iter().collect())
    }
}

impl fmt::Debug for Authorizers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Authorizers").field(&self.0.len()).finish()
    }
}

impl Authorizers {
    /// Whether nothing depends on what is called.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn allows_anonymous(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|one| one.allows_anonymous())
    }

    /// The strictest access of all operations; what names none needs a token.
    pub(crate) fn access(&self, operations: &[Operation<'_>]) -> Access {
        let all = operations.iter().flat_map(|operation| {
            self.0.iter().map(move |authorizer| authorizer.access(operation))
        });
        all.max().unwrap_or_default()
    }

    /// The caller, if one is needed or wanted, who may do all of this.
    pub(crate) fn admit<'c>(
        &self,
        caller: Result<&'c AuthInfo, &AuthError>,
        operations: &[Operation<'_>],
        baseline: &Scopes,
    ) -> Result<Option<&'c AuthInfo>, AuthError> {
        let caller = match (self.access(operations), caller) {
            (Access::Public, _) | (Access::Optional, Err(AuthError::MissingToken)) => {
                return Ok(None);
            }
            (Access::Optional | Access::Required, caller) => caller.map_err(Clone::clone)?,
        };
        self.authorize(caller, operations, baseline).map(|()| Some(caller))
    }

    /// Whether the caller may do all of this; if not, the answer asks for all scopes at once.
    pub(crate) fn authorize(
        &self,
        caller: &AuthInfo,
        operations: &[Operation<'_>],
        baseline: &Scopes,
    ) -> Result<(), AuthError> {
        let needs_baseline = self.access(operations) == Access::Required;
        let mut is_missing = needs_baseline && self.uncovered(caller.scopes(), baseline).is_some();
        let mut missing = Vec::new();
        for operation in operations {
            for authorizer in &self.0 {
                match judge(&**authorizer, caller, operation) {
                    Verdict::Allow => {}
                    Verdict::MissingScopes(scopes) => {
                        is_missing = true;
                        missing.push(scopes);
                    }
                    Verdict::Forbidden(reason) => {
                        let reason = reason.into_owned();
                        return Err(AuthError::Forbidden(Forbidden::Policy(reason)));
                    }
                }
            }
        }
        if !is_missing {
            return Ok(());
        }
        // A client that gave up what it has for what it lacks would come back for the other.
        let granted = caller.scopes().clone();
        let needed = self.needed(operations, baseline, &granted);
        let needed = Scopes::union([&needed].into_iter().chain(&missing));
        let required = self.uncovered(&granted, &needed).unwrap_or(needed);
        Err(AuthError::InsufficientScope { required, granted })
    }

    /// Every scope that all of this needs.
    pub(crate) fn needed(
        &self,
        operations: &[Operation<'_>],
        baseline: &Scopes,
        granted: &Scopes,
    ) -> Scopes {
        let each = operations.iter().flat_map(|operation| {
            self.0.iter().map(move |authorizer| authorizer.required_scopes(operation, granted))
        });
        let each: Vec<_> = each.collect();
        Scopes::union([baseline].into_iter().chain(&each))
    }

    /// What to ask for, unless the granted scopes cover the required ones.
    pub(crate) fn uncovered(&self, granted: &Scopes, required: &Scopes) -> Option<Scopes> {
        if granted.contains_all(required) {
            return None;
        }
        let mut asked = Some(required.clone());
        for authorizer in &self.0 {
            asked = Some(authorizer.uncovered(granted, &asked?)?);
        }
        asked
    }

    /// Whether a list shows what this operation would call.
    pub(crate) fn lists(&self, caller: Option<&AuthInfo>, operation: &Operation<'_>) -> bool {
        self.0.iter().all(|authorizer| authorizer.lists(caller, operation))
    }

    /// The names of the rules that apply to the operation.
    pub(crate) fn rules(&self, operation: &Operation<'_>) -> impl Iterator<Item = String> {
        self.0.iter().flat_map(|authorizer| authorizer.rules(operation))
    }

    /// Every reason for allowing or refusing it, as data.
    pub(crate) fn explain(
        &self,
        caller: Result<&AuthInfo, &AuthError>,
        operation: &Operation<'_>,
        baseline: &Scopes,
    ) -> Explanation {
        let operations = std::slice::from_ref(operation);
        let access = self.access(operations);
        let outcome = self.admit(caller, operations, baseline).map(drop);
        let granted = caller.map(|caller| caller.scopes().clone()).unwrap_or_default();
        let required = self.needed(operations, baseline, &granted);
        Explanation {
            allowed: outcome.is_ok(),
            code: outcome.as_ref().map_or_else(AuthError::code, |()| "allowed"),
            method: operation.method().to_owned(),
            name: operation.name().map(str::to_owned),
            access,
            rules: self.rules(operation).collect(),
            reason: match &outcome {
                Ok(()) => "nothing is missing".to_owned(),
                Err(AuthError::Forbidden(Forbidden::Policy(reason))) => reason.clone(),
                Err(error) => error.to_string(),
            },
            required: match &outcome {
                Err(AuthError::InsufficientScope { required, .. }) => required.clone(),
                _ => required,
            },
            granted,
        }
    }
}

/// The verdict; a failure to reach one denies.
fn judge(authorizer: &dyn Authorizer, caller: &AuthInfo, operation: &Operation<'_>) -> Verdict {
    authorizer.authorize(caller, operation).unwrap_or_else(|error| {
        tracing::error!(%error, called = ?operation, "an authorizer failed, which denies");
        Verdict::forbidden("an authorizer failed")
    })
}
