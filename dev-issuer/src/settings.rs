//! What a [`Builder`](crate::Builder) was told, as plain data.
//!
//! Every part of the issuer reads it and none changes it. [`Settings::check`] runs before anything is bound: what gets
//! past it would be a metadata document with an issuer or a scope that no client accepts.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::algorithm::Algorithm;
use crate::dev_client::DevClient;
use crate::metadata_location::MetadataLocation;
use crate::scope::{self, is_scope_token};
use crate::start_error::StartError;
use crate::user::User;

/// Everything that a [`Builder`](crate::Builder) sets, apart from the address.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) path: String,
    pub(crate) users: Vec<User>,
    pub(crate) scopes: Vec<String>,
    pub(crate) any_scope: bool,
    pub(crate) auto_approve: bool,
    pub(crate) algorithm: Algorithm,
    pub(crate) access_token_lifetime: Duration,
    pub(crate) default_audience: Option<String>,
    pub(crate) metadata_at: Vec<MetadataLocation>,
    pub(crate) metadata_override: Map<String, Value>,
    pub(crate) clients: Vec<DevClient>,
    pub(crate) exchanges_own_tokens_only: bool,
    pub(crate) id_jag_issuers: Vec<String>,
}

impl Settings {
    /// The user that signs in under this name.
    pub(crate) fn user(&self, subject: &str) -> Option<&User> {
        self.users.iter().find(|user| user.subject == subject)
    }

    /// The distinct scopes of a `scope` parameter in order, or the first one that cannot be granted. A request without
    /// the parameter gets every supported scope but those of OpenID Connect.
    pub(crate) fn requested_scopes(&self, parameter: Option<&str>) -> Result<Vec<String>, String> {
        let Some(parameter) = parameter else {
            let mut scopes = self.scopes.clone();
            scopes.retain(|scope| !scope::OF_OPENID_CONNECT.contains(&scope.as_str()));
            return Ok(scopes);
        };
        let mut scopes: Vec<String> = Vec::new();
        for name in parameter.split(' ').filter(|name| !name.is_empty()) {
            let is_known = self.any_scope || self.scopes.iter().any(|scope| scope == name);
            if !is_scope_token(name) || !is_known {
                return Err(name.to_owned());
            }
            if !scopes.iter().any(|scope| scope == name) {
                scopes.push(name.to_owned());
            }
        }
        Ok(scopes)
    }

    /// Whether an issuer with these settings can work at all.
    pub(crate) fn check(&self) -> Result<(), StartError> {
        if !is_issuer_path(&self.path) {
            return Err(StartError::InvalidPath(self.path.clone()));
        }
        if let Some(bad) = self.scopes.iter().find(|scope| !is_scope_token(scope)) {
            return Err(StartError::InvalidScope(bad.clone()));
        }
        if self.users.is_empty() {
            return Err(StartError::NoUsers);
        }
        Ok(())
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            path: String::new(),
            users: User::defaults(),
            scopes: scope::DEFAULT.map(str::to_owned).to_vec(),
            any_scope: true,
            auto_approve: false,
            algorithm: Algorithm::default(),
            access_token_lifetime: Duration::from_secs(3600),
            default_audience: None,
            metadata_at: MetadataLocation::ALL.to_vec(),
            metadata_override: Map::new(),
            clients: Vec::new(),
            exchanges_own_tokens_only: false,
            id_jag_issuers: Vec::new(),
        }
    }
}

/// Whether the path is empty, `/`, or segments of unreserved characters (RFC 3986 §2.3), such as `/tenant1`.
fn is_issuer_path(path: &str) -> bool {
    let without_last_slash = path.strip_suffix('/').unwrap_or(path);
    if without_last_slash.is_empty() {
        return true;
    }
    match without_last_slash.strip_prefix('/') {
        Some(segments) => segments.split('/').all(is_path_segment),
        None => false,
    }
}

/// Whether it names a segment that no URL parser resolves or escapes.
fn is_path_segment(segment: &str) -> bool {
    let is_unreserved = segment.chars().all(|c| c.is_ascii_alphanumeric() || "-._~".contains(c));
    is_unreserved && !matches!(segment, "" | "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_distinct_and_in_order() {
        let scopes = Settings::default().requested_scopes(Some("b a  b"));
        assert_eq!(scopes, Ok(vec!["b".to_owned(), "a".to_owned()]));
    }

    #[test]
    fn unknown_scopes_are_refused_when_configured_so() {
        let settings = Settings { any_scope: false, ..Settings::default() };
        assert_eq!(settings.requested_scopes(Some("mcp other")), Err("other".to_owned()));
        assert_eq!(settings.requested_scopes(Some("a\"b")), Err("a\"b".to_owned()));
    }

    #[test]
    fn absent_scope_means_the_supported_ones_without_openid() {
        assert_eq!(Settings::default().requested_scopes(None), Ok(vec!["mcp".to_owned()]));
    }
}
