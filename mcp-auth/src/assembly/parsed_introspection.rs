//! The introspection of one authorization server, checked: how its opaque tokens are looked up.

use super::credentials::{ClientCertificate, Credentials};
use super::key_source::http_hint;
use crate::config::{
    AuthorizationServer, ClientAuthMethod, Faults, Introspection, IntrospectionMethod,
};
use crate::identifier::{PlainHttp, check_fetchable};
use crate::issuer::ClientCredentials;

/// An introspection that was checked.
pub(super) struct ParsedIntrospection<'a> {
    pub(super) config: &'a Introspection,
    pub(super) client: ClientCredentials,
    /// The certificate that we show when we connect.
    pub(super) identity: Option<ClientCertificate>,
}

impl<'a> ParsedIntrospection<'a> {
    /// The introspection with its credentials read; `None` when a fault was found.
    pub(super) fn parse(
        config: &'a Introspection,
        server: &AuthorizationServer,
        faults: &mut Faults<'_>,
    ) -> Option<Self> {
        let faults_before = faults.count();
        check_settings(config, server, faults);
        let credentials = match config.method.needs_client() {
            true => Credentials::read(&config.client_settings(), faults),
            false => Some(Credentials { client: ClientCredentials::None, identity: None }),
        };
        let Credentials { client, identity } = credentials?;
        (faults.count() == faults_before).then_some(Self { config, client, identity })
    }
}

/// Checks every setting but the credentials.
fn check_settings(config: &Introspection, server: &AuthorizationServer, faults: &mut Faults<'_>) {
    if config.method.needs_client() && config.client_id.is_empty() {
        faults.add("client_id", "must be set");
    }
    if let Some(url) = &config.endpoint {
        let plain_http = PlainHttp::configured(server.dangerous_allow_http);
        if let Err(error) = check_fetchable(url, plain_http) {
            faults.add("endpoint", format!("{url:?} {}", http_hint(error)));
        }
    } else if config.method.is_in_metadata() && server.has_keys() && server.metadata.is_none() {
        faults.add("endpoint", "must be set, since no metadata is fetched");
    }
    if config.token_prefixes.iter().any(String::is_empty) {
        faults.add("token_prefixes", "an empty prefix would match everything");
    }
    if config.signed_response && config.method != IntrospectionMethod::Rfc7662 {
        faults.add("signed_response", "only RFC 7662 has signed answers (RFC 9701)");
    }
    let has_secret = matches!(
        config.auth_method,
        ClientAuthMethod::ClientSecretBasic | ClientAuthMethod::ClientSecretPost
    );
    if config.method == IntrospectionMethod::GithubCheckToken && !has_secret {
        faults.add("auth_method", "GitHub asks for a client secret");
    }
}
