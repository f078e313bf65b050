//! Warns of every setting that weakens a check.

use std::sync::Arc;

use crate::authorize::Authorizer;
use crate::config::{
    AuthorizationServer, Config, DownstreamConfig, DownstreamGrant, IntrospectionMethod,
    ProtectedResource,
};

/// Where Entra ID and its national clouds are.
const ENTRA_ID: [&str; 5] = [
    "https://login.microsoftonline.com/",
    "https://login.microsoftonline.us/",
    "https://login.partner.microsoftonline.cn/",
    "https://login.chinacloudapi.cn/",
    "https://sts.windows.net/",
];

/// Logs a warning for each such setting. It is called once, when a server is built.
pub(super) fn warn_of_weak_settings(config: &Config) {
    for resource in &config.resources {
        let resource_identifier = &resource.resource;
        for warning in resource.policy.iter().flat_map(Authorizer::warnings) {
            tracing::warn!(resource = resource_identifier, "policy.{warning}");
        }
        if resource.dangerous_advertise_offline_access {
            tracing::warn!(
                resource = resource_identifier,
                "`dangerous_advertise_offline_access` is set: clients ask for long-lived access"
            );
        }
        if resource.dangerous_accept_any_audience {
            tracing::warn!(
                resource = resource_identifier,
                "`dangerous_accept_any_audience` is set: tokens for any other service are accepted, and that service can use its callers' tokens here"
            );
        }
        if resource.dangerous_unbound_sessions {
            tracing::warn!(
                resource = resource_identifier,
                "`dangerous_unbound_sessions` is set: whoever has the identifier of a session may use it, unless the server looks whose it is"
            );
        }
        if accepts_account(resource) {
            tracing::warn!(
                resource = resource_identifier,
                "`audiences` has \"account\", which Keycloak writes into nearly every token of a realm: an Audience mapper with the URL of this server is the better way"
            );
        }
        for member in promises_of_bound_tokens(resource) {
            tracing::warn!(
                resource = resource_identifier,
                "`{member}` is set: clients may come with tokens that are bound to a key, and these are refused"
            );
        }
        if resource.allowed_origins.iter().any(|origin| origin == "*") {
            tracing::warn!(
                resource = resource_identifier,
                "every web page may call: `allowed_origins` has `*`"
            );
        }
        warn_of_servers(&resource.authorization_servers);
    }
    for (downstream, api) in &config.downstreams {
        if asks_entra_for_single_scopes(api) {
            tracing::warn!(
                downstream,
                "`scopes` has single scopes: Entra ID gives all scopes of the API that were consented to, and an answer with more than `scopes` is refused; ask for `api://…/.default`, or list all of them"
            );
        }
    }
}

/// Logs what the code that was added to the builder allows although it may not be meant.
pub(super) fn warn_of_rules(authorizers: &[Arc<dyn Authorizer>]) {
    for warning in authorizers.iter().flat_map(|authorizer| authorizer.warnings()) {
        tracing::warn!("authorizer: {warning}");
    }
}

fn asks_entra_for_single_scopes(api: &DownstreamConfig) -> bool {
    let Some(asked) = api.issuer.as_ref().or(api.token_endpoint.as_ref()) else { return false };
    api.grant == DownstreamGrant::OnBehalfOf
        && ENTRA_ID.iter().any(|place| asked.starts_with(place))
        && !api.scopes.have_default()
}

/// Members of the metadata that speak of tokens which are not accepted: no proof of possession is checked here.
fn promises_of_bound_tokens(resource: &ProtectedResource) -> impl Iterator<Item = &'static str> {
    let promises = [
        (
            "tls_client_certificate_bound_access_tokens",
            resource.tls_client_certificate_bound_access_tokens == Some(true),
        ),
        (
            "dpop_signing_alg_values_supported",
            !resource.dpop_signing_alg_values_supported.is_empty(),
        ),
        (
            "dpop_bound_access_tokens_required",
            resource.dpop_bound_access_tokens_required == Some(true),
        ),
    ];
    promises.into_iter().filter(|(_, is_made)| *is_made).map(|(member, _)| member)
}

/// Whether tokens are accepted that name nothing but Keycloak's own account pages.
fn accepts_account(resource: &ProtectedResource) -> bool {
    let of_servers = resource.authorization_servers.iter().flat_map(|one| &one.audiences);
    let mut all = resource.audiences.iter().chain(of_servers);
    all.any(|one| one == "account")
}

fn warn_of_servers(servers: &[AuthorizationServer]) {
    for server in servers {
        for client in &server.dangerous_accept_clients {
            tracing::warn!(
                issuer = server.issuer,
                client,
                "`dangerous_accept_clients` is set: tokens of this client for other servers are accepted"
            );
        }
        for audience in &server.dangerous_shared_audiences {
            tracing::warn!(
                issuer = server.issuer,
                audience,
                "`dangerous_shared_audiences` is set: tokens for every other server with this audience are accepted, and those servers can use their callers' tokens here"
            );
        }
        if server.dangerous_accept_any_issuer {
            tracing::warn!(
                issuer = server.issuer,
                "`dangerous_accept_any_issuer` is set: whatever issuer a token names, it is accepted if one of these keys signed it"
            );
        }
        if asks_userinfo(server) {
            tracing::warn!(
                issuer = server.issuer,
                "`dangerous_userinfo` is set: tokens that any other service got from this issuer are accepted"
            );
        }
        if server.dangerous_allow_http {
            tracing::warn!(
                issuer = server.issuer,
                "`dangerous_allow_http` is set: whoever can change traffic to this issuer can forge tokens"
            );
        }
    }
}

fn asks_userinfo(server: &AuthorizationServer) -> bool {
    let introspection = server.introspection.as_ref();
    introspection.is_some_and(|one| one.method == IntrospectionMethod::DangerousUserinfo)
}
