//! A client that is there from the start, as a test describes it.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A client that the issuer knows from the start, beside `dev` and `dev-public`. It may use every grant that its kind can: without a
/// secret it is a public one, which signs users in and does nothing else.
///
/// It can be read from JSON, with the names of the fields, also in camel case.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct DevClient {
    /// `client_id`.
    pub id: String,
    /// The secret of a confidential client.
    #[serde(default)]
    pub secret: Option<String>,
    /// Scopes that it may get in exchange for a token that does not have them.
    #[serde(default, alias = "mayGet")]
    pub may_get: Vec<String>,
    /// For which audiences and resources it may exchange tokens. Default none: for any.
    #[serde(default)]
    pub targets: Option<Vec<String>>,
    /// Resource servers whose tokens it may exchange, when
    /// [`exchanges_own_tokens_only`](crate::Builder::exchanges_own_tokens_only) is set.
    #[serde(default, alias = "actsFor")]
    pub acts_for: Vec<String>,
    /// What it is called at other authorization servers, by their issuer; for the `client_id` of ID-JAGs. Default: as here.
    #[serde(default, alias = "idsElsewhere")]
    pub ids_elsewhere: BTreeMap<String, String>,
}

impl DevClient {
    /// A public client.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            secret: None,
            may_get: Vec::new(),
            targets: None,
            acts_for: Vec::new(),
            ids_elsewhere: BTreeMap::new(),
        }
    }

    /// Makes it a confidential client.
    #[must_use]
    pub fn secret(mut self, secret: impl Into<String>) -> Self {
        self.secret = Some(secret.into());
        self
    }

    /// Scopes that it may get in exchange for a token that does not have them.
    #[must_use]
    pub fn may_get<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.may_get.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// For which audiences and resources it may exchange tokens, and for no other.
    #[must_use]
    pub fn targets<S: Into<String>>(mut self, targets: impl IntoIterator<Item = S>) -> Self {
        self.targets = Some(targets.into_iter().map(Into::into).collect());
        self
    }

    /// A resource server whose tokens it may exchange.
    #[must_use]
    pub fn acts_for(mut self, resource: impl Into<String>) -> Self {
        self.acts_for.push(resource.into());
        self
    }

    /// What it is called at another authorization server.
    #[must_use]
    pub fn id_at(mut self, issuer: impl Into<String>, client_id: impl Into<String>) -> Self {
        self.ids_elsewhere.insert(issuer.into(), client_id.into());
        self
    }
}
