//! What holds now for a request that was decided before: the configuration may have been replaced since.
//!
//! 1. Where nothing was replaced, it is what was decided by.
//! 2. Where something was, it is looked once whether the request would be admitted now: by its token, and for what it calls. If
//!    so, its stream goes on, under the rules that are in force.
//! 3. Otherwise the stream ends, and its client finds out why when it connects again. It also ends where the caller can only be
//!    told by asking their issuer, and where there are rules or sealed handles now that nobody looks for in that stream.
//!
//! Tested in `serve::reload`.

use std::sync::{Arc, PoisonError};

use super::Resource;
use super::exchange::{Called, Exchange};
use crate::auth_info::AuthInfo;
use crate::error::AuthError;

/// What is in force for a request.
#[derive(Clone)]
pub(super) struct Standing {
    pub(super) resource: Arc<Resource>,
    /// Who sent it, as the resource sees them now; `None`: somebody without a token.
    pub(super) sender: Option<AuthInfo>,
}

impl Resource {
    /// Whether whoever reads a stream for this resource looks for what the later one has changed.
    fn looks_for_all_that(&self, later: &Self) -> bool {
        let before = self.sealed_handles.as_deref();
        let after = later.sealed_handles.as_deref();
        let has_handles = before.is_some() || after.is_none();
        let seals_events = before.is_some_and(|sealed| sealed.events)
            || !after.is_some_and(|sealed| sealed.events);
        let has_rules = self.has_rules() || !later.has_rules();
        has_rules && has_handles && seals_events
    }
}

impl Exchange {
    /// What is in force for it; `None`: it would not be admitted any more.
    pub(super) fn standing(&self) -> Option<Standing> {
        if self.admitted.resource.is_in_force() {
            return Some(Standing {
                resource: self.admitted.resource.clone(),
                sender: self.admitted.sender.clone(),
            });
        }
        let mut renewed = self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(standing) = renewed.as_ref().filter(|known| known.resource.is_in_force()) {
            return Some(standing.clone());
        }
        *renewed = self.admitted_now();
        renewed.clone()
    }

    fn admitted_now(&self) -> Option<Standing> {
        let resource = self.admitted.resource.in_force()?;
        let sender = match &self.admitted.sender {
            Some(sender) => Some(
                resource
                    .authenticator
                    .accepted_by(&self.admitted.resource.authenticator, sender)?,
            ),
            None => None,
        };
        let goes_on = self.admitted.resource.looks_for_all_that(&resource);
        (goes_on && self.is_allowed_by(&resource, sender.as_ref()))
            .then_some(Standing { resource, sender })
    }

    /// Whether these rules would let it go on.
    fn is_allowed_by(&self, resource: &Resource, sender: Option<&AuthInfo>) -> bool {
        match (&self.called, sender) {
            (Called::Unread, Some(caller)) => resource.authorize_head(caller).is_ok(),
            (Called::Unread, None) => false,
            (Called::One(_) | Called::Several { .. }, _) => {
                let caller = sender.ok_or(&AuthError::MissingToken);
                resource.authorizers.admit(caller, self.called.judged()).is_ok()
            }
        }
    }
}
