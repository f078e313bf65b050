//! The APIs that tools call for their callers, checked.

use super::credentials::{ClientCertificate, Credentials};
use super::key_source::http_hint;
use crate::config::{
    AuthorizationServer, ClientAuthMethod, ClientSettings, Config, DownstreamConfig,
    DownstreamGrant, DownstreamTarget, Faults,
};
use crate::identifier::{PlainHttp, check_fetchable};
use crate::issuer::ClientCredentials;

/// An API that was checked.
pub(super) struct ParsedDownstream<'a> {
    pub(super) name: &'a str,
    pub(super) config: &'a DownstreamConfig,
    pub(super) client: ParsedClient,
    pub(super) target: Option<(&'a DownstreamTarget, ParsedClient)>,
    /// What tokens of its callers have in `iss`.
    pub(super) subject_issuers: Vec<String>,
    /// The servers that gave them, as each resource has them.
    pub(super) subject_servers: Vec<AuthorizationServer>,
}

/// Us as a client of an authorization server.
pub(super) struct ParsedClient {
    pub(super) credentials: ClientCredentials,
    /// The certificate that we show when we connect.
    pub(super) identity: Option<ClientCertificate>,
}

/// All APIs; of those with a fault, none.
pub(super) fn parse_downstreams<'a>(
    config: &'a Config,
    faults: &mut Faults<'_>,
) -> Vec<ParsedDownstream<'a>> {
    if config.downstream_cache_entries == 0 {
        faults.add("downstream_cache_entries", "must be above 0");
    }
    let mut all = faults.below("downstreams");
    let mut parsed = Vec::new();
    for (name, downstream) in &config.downstreams {
        let mut own = all.below(name);
        parsed.extend(ParsedDownstream::parse(name, downstream, config, &mut own));
    }
    parsed
}

impl<'a> ParsedDownstream<'a> {
    fn parse(
        name: &'a str,
        config: &'a DownstreamConfig,
        whole: &Config,
        faults: &mut Faults<'_>,
    ) -> Option<Self> {
        let faults_before = faults.count();
        if name.is_empty() {
            faults.add_here("its name is empty");
        }
        check_place(config, whole, faults);
        check_texts(config, faults);
        check_grant(config, faults);
        let (subject_issuers, subject_servers) = subjects(config, whole, faults);
        let client = parse_client(&config.client_id, &config.client_settings(), faults);
        let target = match &config.target {
            Some(target) => Some((target, parse_target(target, config, faults)?)),
            None => None,
        };
        let client = client?;
        let is_right = faults.count() == faults_before;
        is_right.then_some(Self { name, config, client, target, subject_issuers, subject_servers })
    }
}

/// Where the token endpoint is, and where the API is.
fn check_place(config: &DownstreamConfig, whole: &Config, faults: &mut Faults<'_>) {
    match (&config.issuer, &config.token_endpoint) {
        (None, None) => faults.add("issuer", "must be set, or `token_endpoint`"),
        (Some(_), Some(_)) => {
            faults.add_here("`issuer` and `token_endpoint` contradict each other");
        }
        _ => {}
    }
    if let Some(issuer) = &config.issuer
        && servers(whole).all(|server| server.issuer != *issuer)
    {
        let reason = format!(
            "{issuer:?} is none of the `authorization_servers`; name its `token_endpoint` instead"
        );
        faults.add("issuer", reason);
    }
    let plain_http = PlainHttp::configured(config.dangerous_allow_http);
    let endpoints = [
        ("token_endpoint", &config.token_endpoint),
        ("authorization_endpoint", &config.authorization_endpoint),
        ("revocation_endpoint", &config.revocation_endpoint),
    ];
    let named = endpoints.into_iter().filter_map(|(field, url)| Some((field, url.as_ref()?)));
    let urls = named.chain(config.api.iter().map(|url| ("api", url)));
    for (field, url) in urls {
        if let Err(error) = check_fetchable(url, plain_http) {
            faults.add(field, format!("{url:?} {}", http_hint(error)));
        }
    }
}

fn check_texts(config: &DownstreamConfig, faults: &mut Faults<'_>) {
    let lists = [
        ("audience", &config.audience),
        ("resource", &config.resource),
        ("subject_issuers", &config.subject_issuers),
    ];
    for (field, list) in lists {
        if list.iter().any(String::is_empty) {
            faults.add(field, "an empty text in a list would match nothing");
        }
    }
    for (field, scopes) in [("scopes", &config.scopes), ("consent_scopes", &config.consent_scopes)]
    {
        if scopes.well_formed() != *scopes {
            faults.add(field, "a scope has a character that RFC 6749 does not allow");
        }
    }
    if config.requested_token_type.as_ref().is_some_and(String::is_empty) {
        faults.add("requested_token_type", "must not be empty");
    }
}

/// Whether there is everything that the grant needs, and nothing that it would not look at.
fn check_grant(config: &DownstreamConfig, faults: &mut Faults<'_>) {
    use DownstreamGrant::{AuthorizationCode, ClientCredentials, IdJag, OnBehalfOf, TokenExchange};
    let grant = config.grant;
    let only_for = [
        ("requested_token_type", config.requested_token_type.is_some(), &[TokenExchange][..]),
        ("allow_machines", config.allow_machines, &[TokenExchange]),
        ("actor_token", config.actor_token.is_some(), &[TokenExchange]),
        ("target", config.target.is_some(), &[IdJag]),
        ("authorization_endpoint", config.authorization_endpoint.is_some(), &[AuthorizationCode]),
        ("revocation_endpoint", config.revocation_endpoint.is_some(), &[AuthorizationCode]),
        (
            "audience",
            !config.audience.is_empty(),
            &[TokenExchange, OnBehalfOf, IdJag, ClientCredentials],
        ),
        (
            "resource",
            !config.resource.is_empty(),
            &[TokenExchange, OnBehalfOf, IdJag, ClientCredentials],
        ),
        (
            "subject_issuers",
            !config.subject_issuers.is_empty(),
            &[TokenExchange, OnBehalfOf, IdJag],
        ),
        ("consent_scopes", !config.consent_scopes.is_empty(), &[TokenExchange, OnBehalfOf, IdJag]),
    ];
    for (field, is_set, grants) in only_for {
        if is_set && !grants.contains(&grant) {
            faults.add(field, format!("`{}` does not use it", grant.name()));
        }
    }
    match grant {
        OnBehalfOf | ClientCredentials | TokenExchange => {}
        AuthorizationCode => {
            if config.authorization_endpoint.is_none() && config.issuer.is_none() {
                faults.add("authorization_endpoint", "must be set, or `issuer`");
            }
        }
        IdJag => {
            if config.audience.len() != 1 {
                faults.add("audience", "must be the issuer of the API's authorization server");
            }
            if config.target.is_none() {
                faults.add("target", "must be set for `id_jag`");
            }
        }
    }
    if grant == OnBehalfOf && config.scopes.is_empty() {
        faults.add("scopes", "must be set for `on_behalf_of`");
    }
    if grant == TokenExchange
        && config.audience.is_empty()
        && config.resource.is_empty()
        && config.scopes.is_empty()
    {
        faults.add(
            "audience",
            "must be set, or `resource`, or `scopes`: the token would be for everything",
        );
    }
    if config.auth_method == ClientAuthMethod::None && grant != TokenExchange {
        faults
            .add("auth_method", format!("`{}` needs a client that proves who it is", grant.name()));
    }
}

pub(super) fn parse_client(
    client_id: &str,
    settings: &ClientSettings<'_>,
    faults: &mut Faults<'_>,
) -> Option<ParsedClient> {
    if client_id.is_empty() {
        faults.add("client_id", "must be set");
    }
    let Credentials { client, identity } = Credentials::read(settings, faults)?;
    Some(ParsedClient { credentials: client, identity })
}

fn parse_target(
    target: &DownstreamTarget,
    config: &DownstreamConfig,
    faults: &mut Faults<'_>,
) -> Option<ParsedClient> {
    let mut own = faults.below("target");
    let plain_http = PlainHttp::configured(config.dangerous_allow_http);
    if let Err(error) = check_fetchable(&target.token_endpoint, plain_http) {
        own.add("token_endpoint", format!("{:?} {}", target.token_endpoint, http_hint(error)));
    }
    parse_client(&target.client_id, &target.client_settings(), &mut own)
}

/// Whose callers it is for: what their tokens have in `iss`, and the servers that gave them.
fn subjects(
    config: &DownstreamConfig,
    whole: &Config,
    faults: &mut Faults<'_>,
) -> (Vec<String>, Vec<AuthorizationServer>) {
    let needs_no_subject = [DownstreamGrant::ClientCredentials, DownstreamGrant::AuthorizationCode];
    if needs_no_subject.contains(&config.grant) {
        return (Vec::new(), Vec::new());
    }
    let named: Vec<&String> = match config.subject_issuers.is_empty() {
        true => config.issuer.iter().collect(),
        false => config.subject_issuers.iter().collect(),
    };
    if named.is_empty() {
        let reason = "must be set where no `issuer` is: whose tokens may be sent to the endpoint";
        faults.add("subject_issuers", reason);
    }
    let (mut names, mut found) = (Vec::new(), Vec::new());
    for issuer in named {
        let of_issuer: Vec<_> = servers(whole).filter(|server| server.issuer == *issuer).collect();
        if of_issuer.is_empty() && config.issuer.as_ref() != Some(issuer) {
            let reason = format!("{issuer:?} is none of the `authorization_servers`");
            faults.add("subject_issuers", reason);
        }
        names.push(issuer.clone());
        for server in of_issuer {
            names.extend(server.token_issuers.iter().cloned());
            found.push(server.clone());
        }
    }
    (names, found)
}

fn servers(config: &Config) -> impl Iterator<Item = &AuthorizationServer> {
    config.resources.iter().flat_map(|resource| &resource.authorization_servers)
}
