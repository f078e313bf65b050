//! What the tokens of one issuer need besides what every token needs.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::algorithm::Algorithm;
use crate::auth_info::AuthInfo;
use crate::claim_path::{texts_of_claim, value_at_path};
use crate::claims::Claims;
use crate::error::TokenError;
use crate::json::CheckedObject;
use crate::principal::PrincipalRule;
use crate::scope::Scopes;

/// The settings of an authorization server that are about its tokens.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct IssuerRules {
    /// Accepted algorithms; empty for all supported ones.
    pub(crate) algorithms: Vec<Algorithm>,
    /// RFC 9068 §4: whether `typ` must be `at+jwt`.
    pub(crate) require_at_jwt: bool,
    pub(crate) require_subject: bool,
    /// Its other names in `iss`.
    pub(crate) token_issuers: Vec<String>,
    /// Whether `iss` may be any text: the keys say enough.
    pub(crate) accept_any_issuer: bool,
    /// Audiences accepted besides the resource and its own list.
    pub(crate) audiences: Vec<String>,
    /// Clients whose tokens are accepted whatever their audience.
    pub(crate) accepted_clients: Vec<String>,
    pub(crate) scope_claims: Vec<String>,
    pub(crate) scope_prefix: Option<String>,
    pub(crate) required_claims: BTreeMap<String, Vec<Value>>,
    /// How its tokens tell people from machines.
    pub(crate) principal: Arc<PrincipalRule>,
}

impl IssuerRules {
    /// The caller with all scopes that the token stands for, unless a claim is not what it must be.
    pub(super) fn caller(
        &self,
        issuer: Arc<str>,
        claims: &Claims<'_>,
        payload: CheckedObject<'_>,
        token: &str,
    ) -> Result<AuthInfo, TokenError> {
        if self.require_subject && claims.subject().is_none() {
            return Err(TokenError::MissingClaim { claim: "sub" });
        }
        let mut scopes = claims.granted_scopes();
        if self.asks_for_all_claims() {
            let members = payload.members().map_err(Claims::malformed)?;
            for (path, accepted) in &self.required_claims {
                if !value_at_path(&members, path).is_some_and(|value| accepted.contains(value)) {
                    return Err(TokenError::ClaimNotAccepted { claim: path.clone() });
                }
            }
            scopes = self.all_scopes(&scopes, &members);
        }
        let principal_rule = self.principal.clone();
        Ok(AuthInfo::new(issuer, scopes, claims, payload, principal_rule, token))
    }

    fn asks_for_all_claims(&self) -> bool {
        !(self.required_claims.is_empty()
            && self.scope_claims.is_empty()
            && self.scope_prefix.is_none())
    }

    fn all_scopes(&self, granted: &Scopes, claims: &Map<String, Value>) -> Scopes {
        let values = self.scope_claims.iter().filter_map(|path| value_at_path(claims, path));
        let prefixed = granted.iter().map(|scope| match &self.scope_prefix {
            Some(prefix) if !scope.contains(':') => format!("{prefix}{scope}"),
            _ => scope.to_owned(),
        });
        let more = values.flat_map(|value| {
            texts_of_claim(value)
                .into_iter()
                // One text may hold several scopes; a role's name with a space in it is no scope.
                .filter(move |text| value.is_string() || !text.contains(' '))
                .map(str::to_owned)
        });
        prefixed.chain(more).collect()
    }
}
