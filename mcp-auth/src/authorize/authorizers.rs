//! Every authorizer of a resource as one: all of them must allow.

use std::fmt;
use std::sync::Arc;

use super::guarded::Guarded;
use super::{Authorizer, Explanation, Operation, Verdict};
use crate::auth_info::AuthInfo;
use crate::config::{Access, ScopePolicy};
use crate::error::{AuthError, Forbidden};
use crate::scope::Scopes;

/// The rules of one resource, from its configuration and from code.
#[derive(Clone)]
pub(crate) struct Authorizers {
    /// Every one, and among them one at least that asks for the scopes of the resource.
    all: Vec<Guarded>,
    has_rules: bool,
    /// What they have rules for.
    named: Arc<[Operation<'static>]>,
}

/// What may go on.
pub(crate) struct Admission<'c> {
    /// The strictest access of all of it.
    pub(crate) access: Access,
    /// Who may do it, if a caller is needed or wanted.
    pub(crate) caller: Option<&'c AuthInfo>,
}

impl fmt::Debug for Authorizers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Authorizers").field(&self.all.len()).finish()
    }
}

impl Authorizers {
    /// Those that were given, for a resource that requires these scopes.
    pub(crate) fn new<'a>(
        given: impl IntoIterator<Item = &'a Arc<dyn Authorizer>>,
        required_scopes: &Scopes,
    ) -> Self {
        let mut all = Vec::new();
        let mut named = Vec::new();
        let mut asks_for_required = false;
        for authorizer in given {
            named.extend(authorizer.named());
            match authorizer.compiled(required_scopes) {
                Some(compiled) => {
                    asks_for_required = true;
                    all.push(Guarded::policy(compiled));
                }
                None => all.push(Guarded::own(authorizer.clone())),
            }
        }
        let has_rules = !all.is_empty();
        if !asks_for_required {
            all.extend(ScopePolicy::new().compiled(required_scopes).map(Guarded::policy));
        }
        Self { all, has_rules, named: named.into() }
    }

    /// Whether nothing depends on what is called.
    pub(crate) fn is_empty(&self) -> bool {
        !self.has_rules
    }

    /// Every operation that one of them has a rule for.
    pub(crate) fn named(&self) -> &[Operation<'static>] {
        &self.named
    }

    pub(crate) fn allows_anonymous(&self) -> bool {
        self.all.iter().any(Guarded::allows_anonymous)
    }

    /// The strictest access of all operations; what names none needs a token.
    pub(crate) fn access(&self, operations: &[Operation<'_>]) -> Access {
        operations.iter().map(|operation| self.access_to_one(operation)).max().unwrap_or_default()
    }

    fn access_to_one(&self, operation: &Operation<'_>) -> Access {
        let opinions = self.all.iter().filter_map(|authorizer| authorizer.access(operation));
        opinions.max().unwrap_or_default()
    }

    /// Whether all of this may go on, and as whose.
    pub(crate) fn admit<'c>(
        &self,
        caller: Result<&'c AuthInfo, &AuthError>,
        operations: &[Operation<'_>],
    ) -> Result<Admission<'c>, AuthError> {
        let access = self.access(operations);
        let admitted = match (access, caller) {
            (Access::Public, _) | (Access::Optional, Err(AuthError::MissingToken)) => {
                return Ok(Admission { access, caller: None });
            }
            (Access::Optional | Access::Required, _) => caller.map_err(Clone::clone)?,
        };
        self.authorize(admitted, operations)?;
        Ok(Admission { access, caller: Some(admitted) })
    }

    /// Whether the caller may do all of this; if not, the answer asks for all scopes at once.
    pub(crate) fn authorize(
        &self,
        caller: &AuthInfo,
        operations: &[Operation<'_>],
    ) -> Result<(), AuthError> {
        let mut missing = Vec::new();
        for operation in operations {
            for authorizer in &self.all {
                match authorizer.judge(caller, operation) {
                    Verdict::Allow => {}
                    Verdict::MissingScopes(scopes) => missing.push(scopes),
                    Verdict::Forbidden(reason) => {
                        return Err(AuthError::Forbidden(Forbidden::Policy(reason.into_owned())));
                    }
                }
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        // A client that gave up what it has for what it lacks would come back for the other.
        let granted = caller.scopes().clone();
        let needed = self.needed(operations, &granted);
        let asked = Scopes::union([&needed].into_iter().chain(&missing));
        let required = self.uncovered(&granted, &asked).unwrap_or(asked);
        Err(AuthError::InsufficientScope { required, granted })
    }

    /// Every scope that all of this needs.
    pub(crate) fn needed(&self, operations: &[Operation<'_>], granted: &Scopes) -> Scopes {
        let of_each: Vec<_> = self
            .all
            .iter()
            .map(|authorizer| authorizer.required_scopes(operations, granted))
            .collect();
        Scopes::union(&of_each)
    }

    /// What to ask for, unless the granted scopes cover the required ones.
    pub(crate) fn uncovered(&self, granted: &Scopes, required: &Scopes) -> Option<Scopes> {
        if granted.contains_all(required) {
            return None;
        }
        let mut asked = Some(required.clone());
        for authorizer in &self.all {
            asked = Some(authorizer.uncovered(granted, &asked?)?);
        }
        asked
    }

    /// Whether a list shows what this operation would call.
    ///
    /// Nobody may call what is open without that an authorizer is asked which says nothing about access; so
    /// what it would say of the list does not count either.
    pub(crate) fn lists(&self, caller: Option<&AuthInfo>, operation: &Operation<'_>) -> bool {
        let operations = std::slice::from_ref(operation);
        self.all.iter().all(|authorizer| {
            authorizer.lists(caller, operation)
                || (caller.is_none()
                    && authorizer.access(operation).is_none()
                    && self.access(operations) != Access::Required)
        })
    }

    /// The names of the rules that apply to the operation.
    pub(crate) fn rules(&self, operation: &Operation<'_>) -> impl Iterator<Item = String> {
        self.all.iter().flat_map(|authorizer| authorizer.rules(operation))
    }

    /// The names of the rules that are about the operation, also of those in whose place another one counts.
    pub(crate) fn rules_about(&self, operation: &Operation<'_>) -> impl Iterator<Item = String> {
        self.all.iter().flat_map(|authorizer| authorizer.asked(None, operation)).map(|one| one.rule)
    }

    /// Every reason for allowing or refusing it, as data.
    pub(crate) fn explain(
        &self,
        caller: Result<&AuthInfo, &AuthError>,
        operation: &Operation<'_>,
    ) -> Explanation {
        let operations = std::slice::from_ref(operation);
        let outcome = self.admit(caller, operations).map(drop);
        let known = caller.ok();
        let granted = known.map(AuthInfo::scopes).cloned().unwrap_or_default();
        let required = match &outcome {
            Err(AuthError::InsufficientScope { required, .. }) => required.clone(),
            _ => self.needed(operations, &granted),
        };
        Explanation {
            allowed: outcome.is_ok(),
            code: outcome.as_ref().map_or_else(AuthError::code, |()| "allowed"),
            method: operation.method().to_owned(),
            name: operation.name().map(str::to_owned),
            access: self.access(operations),
            rules: self.rules(operation).collect(),
            asked: self.all.iter().flat_map(|one| one.asked(known, operation)).collect(),
            reason: match &outcome {
                Ok(()) => "nothing is missing".to_owned(),
                Err(AuthError::Forbidden(Forbidden::Policy(reason))) => reason.clone(),
                Err(error) => error.to_string(),
            },
            required,
            granted,
        }
    }
}
