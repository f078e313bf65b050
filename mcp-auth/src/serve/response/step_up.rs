//! A request that is being carried out, and can still turn out to need more scopes.
//!
//! A handler asks with [`AuthInfo::require`](crate::AuthInfo::require), which fails. The refusal is left in a slot that the
//! way back looks into: as long as nothing was sent, the client gets the 403 with the challenge, and whatever the handler made
//! of its error is dropped; unless it withdraws the refusal. Once something was sent, the error of the handler is all that the client sees.
//!
//! Tested in `adapters::rmcp::step_up`.

use std::sync::{MutexGuard, PoisonError};

use crate::auth_info::{AuthInfo, StepUp};
use crate::downstream_refusal::DownstreamRefusal;
use crate::error::{AuthError, InsufficientScope};
use crate::scope::Scopes;
use crate::serve::challenge::{challenge, refuse};
use crate::serve::exchange::{AskedInVain, Exchange};
use crate::serve::{Reply, Resource};

impl Exchange {
    /// Whether the handler has asked for more.
    pub(in crate::serve) fn is_refused(&self) -> bool {
        self.refused().is_some()
    }

    /// The 403 that the handler asked for, if it did.
    pub(super) fn refusal(&self) -> Option<Reply> {
        let refused = self.refused().clone()?;
        let resource = &self.admitted.resource;
        let mut needed = resource.required_scopes.clone();
        let error = match refused {
            AskedInVain::Scopes(error) => error.into(),
            AskedInVain::Downstream(refusal) => {
                // With what the request needs already, so that nobody has to ask twice.
                let granted = self.admitted.sender.as_ref().map(AuthInfo::scopes);
                let sent = self.called.needed(resource, granted.unwrap_or(&Scopes::default()));
                needed = match &refusal {
                    DownstreamRefusal::ConsentRequired { scopes } => Scopes::union([&sent, scopes]),
                    _ => sent,
                };
                AuthError::Downstream(refusal)
            }
        };
        let limited = resource.limited_by_handler(error, self.admitted.sender.as_ref());
        resource.log_refused(&limited, self.called.sent());
        Some(refuse(resource, limited, &needed))
    }

    /// Where a handler's [`AuthInfo::require`](crate::AuthInfo::require) leaves its refusal, for the layer around it to find.
    fn refused(&self) -> MutexGuard<'_, Option<AskedInVain>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StepUp for Exchange {
    fn grants(&self, granted: &Scopes, wanted: &Scopes) -> bool {
        self.admitted.resource.grants(granted, wanted)
    }

    fn require(&self, granted: &Scopes, required: &Scopes) -> Result<(), InsufficientScope> {
        let resource = &self.admitted.resource;
        require(resource, || self.called.needed(resource, granted), granted, required).map_err(
            |error| match self.refused().get_or_insert(AskedInVain::Scopes(error.clone())) {
                AskedInVain::Scopes(first) => first.clone(),
                AskedInVain::Downstream(_) => error,
            },
        )
    }

    fn withdraw(&self) {
        *self.refused() = None;
    }

    fn answer_with(&self, refusal: DownstreamRefusal) {
        self.refused().get_or_insert(AskedInVain::Downstream(refusal));
    }
}

/// For a request that calls nothing: its handler's error is all that the client sees.
impl StepUp for Resource {
    fn grants(&self, granted: &Scopes, wanted: &Scopes) -> bool {
        self.authorizers.uncovered(granted, wanted).is_none()
    }

    fn require(&self, granted: &Scopes, required: &Scopes) -> Result<(), InsufficientScope> {
        require(self, || self.required_scopes.clone(), granted, required)
    }

    fn withdraw(&self) {}

    fn answer_with(&self, _: DownstreamRefusal) {}
}

/// Nothing, or what to ask for: `needed` by the request and `required` by its handler.
fn require(
    resource: &Resource,
    needed: impl FnOnce() -> Scopes,
    granted: &Scopes,
    required: &Scopes,
) -> Result<(), InsufficientScope> {
    if resource.grants(granted, required) {
        return Ok(());
    }
    let all = Scopes::union([&needed(), required]);
    // Whatever seems to be covered is asked for as well: something is missing.
    let asked = resource.authorizers.uncovered(granted, &all).unwrap_or(all);
    let refused =
        AuthError::InsufficientScope { required: asked.clone(), granted: granted.clone() };
    let header = challenge(resource, &refused, &asked);
    // We wrote it in ASCII; without it, the error still says what is missing.
    let challenge = header.and_then(|value| value.to_str().ok().map(str::to_owned));
    Err(InsufficientScope::new(asked, granted.clone(), challenge))
}
