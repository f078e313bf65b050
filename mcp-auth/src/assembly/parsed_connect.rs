//! Where users connect their accounts, checked.

use std::sync::Arc;
#[cfg(feature = "redis")]
use std::time::Duration;

use super::key_source::http_hint;
use super::parsed_config::{is_at, is_plain_path};
use super::parsed_downstream::{ParsedClient, parse_client};
use crate::config::{Config, ConnectConfig, DownstreamGrant, Faults, RedisConfig, SignInConfig};
use crate::downstream::{FileVault, GrantVault, page_paths};
use crate::identifier::{PlainHttp, check_fetchable, loosely};

/// Where users connect their accounts.
pub(super) struct ParsedConnect<'a> {
    /// Without a slash at its end.
    pub(super) url: &'a str,
    pub(super) vault: Arc<dyn GrantVault>,
    pub(super) sign_in: Vec<(&'a SignInConfig, ParsedClient)>,
}

/// What is configured, with the vault that was given or the configured one; `None` where nothing is, or a fault was found.
pub(super) fn parse_connect<'a>(
    config: &'a Config,
    given: Option<&Arc<dyn GrantVault>>,
    faults: &mut Faults<'_>,
) -> Option<ParsedConnect<'a>> {
    let connected = connected_apis(config);
    let Some(connect) = &config.connect else {
        if !connected.is_empty() {
            faults.add("connect", "must be set for the grant `authorization_code`");
        }
        return None;
    };
    for name in &connected {
        if name.contains('/') || !is_plain_path(&format!("/{name}")) {
            let reason = "it is part of a URL: letters, digits and - . _ ~ alone";
            faults.below("downstreams").below(name).add_here(reason);
        }
    }
    if config.handle_keys.is_empty() && config.handle_keys_file.is_none() {
        faults.add("handle_keys", "must be set for `connect`: nobody could open the grants later");
    }
    let mut own = faults.below("connect");
    let faults_before = own.count();
    let url = connect.url.trim_end_matches('/');
    if is_url_of_pages(url, &mut own) {
        check_pages(path_of(url), &connected, config, &mut own);
    }
    let mut sign_in = Vec::new();
    let mut all_servers = config.resources.iter().flat_map(|all| &all.authorization_servers);
    if all_servers.any(|server| server.dangerous_accept_any_issuer) {
        let reason = "cannot be there beside `dangerous_accept_any_issuer`: a token could name whoever has a grant";
        own.add_here(reason);
    }
    if connect.sign_in.is_empty() {
        own.add("sign_in", "must be set: whoever opens a link must be who asked for it");
    }
    for (index, one) in connect.sign_in.iter().enumerate() {
        let mut of_one = own.below_item("sign_in", index);
        let mut servers = config.resources.iter().flat_map(|all| &all.authorization_servers);
        if !servers.any(|server| server.issuer == one.issuer) {
            let reason = format!("{:?} is none of the `authorization_servers`", one.issuer);
            of_one.add("issuer", reason);
        }
        let client = parse_client(&one.client_id, &one.client_settings(), &mut of_one);
        sign_in.extend(client.map(|checked| (one, checked)));
    }
    let vault = vault(connect, config, given, &mut own);
    let is_right = own.count() == faults_before;
    Some(ParsedConnect { url, vault: vault?, sign_in }).filter(|_| is_right)
}

/// The one place where grants are kept.
fn vault(
    connect: &ConnectConfig,
    config: &Config,
    given: Option<&Arc<dyn GrantVault>>,
    faults: &mut Faults<'_>,
) -> Option<Arc<dyn GrantVault>> {
    match (&connect.folder, &connect.redis, given) {
        (None, None, Some(given)) => Some(given.clone()),
        (Some(folder), None, None) => match FileVault::open(folder) {
            Ok(vault) => Some(Arc::new(vault)),
            Err(fault) => {
                faults.add("folder", fault.to_string());
                None
            }
        },
        (None, Some(redis), None) => redis_vault(redis, config, &mut faults.below("redis")),
        (None, None, None) => {
            faults.add("folder", "must be set, or `redis`, unless a vault is given to the builder");
            None
        }
        _ => {
            faults.add("folder", "contradicts `redis`, or the vault that was given to the builder");
            None
        }
    }
}

#[cfg(not(feature = "redis"))]
fn redis_vault(
    _: &RedisConfig,
    _: &Config,
    faults: &mut Faults<'_>,
) -> Option<Arc<dyn GrantVault>> {
    faults.add_here("this program was built without the feature `redis` of `mcp-auth`");
    None
}

#[cfg(feature = "redis")]
fn redis_vault(
    redis: &RedisConfig,
    config: &Config,
    faults: &mut Faults<'_>,
) -> Option<Arc<dyn GrantVault>> {
    use super::parsed_shared_store::{read_url, trusted_pem};
    use crate::downstream::RedisVault;
    use crate::shared_store::RedisTexts;

    /// No user waits longer for Redis.
    const LONGEST_ANSWER: Duration = Duration::from_secs(2);
    let faults_before = faults.count();
    if redis.prefix.is_empty() || redis.prefix.contains(['{', '}']) {
        faults.add("prefix", "must be set, without braces");
    }
    let url = read_url(redis, faults)?;
    let schemes = ["redis:", "rediss:", "unix:", "redis+unix:"];
    let is_known = schemes.iter().any(|scheme| url.expose().starts_with(scheme));
    if url.expose().contains("#insecure") {
        faults.add("url", "`#insecure` is refused: anybody could be Redis then");
    }
    let texts = RedisTexts::new(url.expose(), trusted_pem(config), &redis.prefix, LONGEST_ANSWER);
    if !is_known || texts.is_none() {
        // Not shown: it may hold a password.
        faults.add("url", "is not like redis://host:6379, rediss://host:6380 or unix:///path");
    }
    let is_right = faults.count() == faults_before;
    Some(Arc::new(RedisVault(texts?)) as Arc<dyn GrantVault>).filter(|_| is_right)
}

/// Whether pages can be below this URL.
fn is_url_of_pages(url: &str, faults: &mut Faults<'_>) -> bool {
    let faults_before = faults.count();
    if let Err(error) = check_fetchable(url, PlainHttp::configured(false)) {
        faults.add("url", format!("{url:?} {}", http_hint(error)));
    } else if !is_plain_path(path_of(url)) {
        faults.add("url", format!("{url:?} has no path such as /connect"));
    }
    faults.count() == faults_before
}

/// Where a page is there is nothing else, for any router.
fn check_pages(path: &str, names: &[&String], config: &Config, faults: &mut Faults<'_>) {
    let mut pages = vec![path.to_owned()];
    for name in names {
        pages.extend(page_paths(path, name));
    }
    for page in pages {
        if let Some(other) = taken_by(&page, config) {
            faults.add("url", format!("the path {page:?} is {other}"));
        }
    }
}

/// What else is at the path of a page, if there is anything.
fn taken_by(page: &str, config: &Config) -> Option<&'static str> {
    let loose = loosely(page);
    if config.resources.iter().any(|resource| is_at(resource, page)) {
        return Some("taken by a resource");
    }
    if loose.as_ref().is_some_and(|text| text.split('/').nth(1) == Some(".well-known")) {
        return Some("for metadata");
    }
    let notice_paths = [&config.logout_path, &config.shared_signals_path];
    let is_taken = notice_paths.iter().any(|notices| loosely(notices) == loose);
    is_taken.then_some("`logout_path` or `shared_signals_path`")
}

/// The APIs whose tokens users grant.
fn connected_apis(config: &Config) -> Vec<&String> {
    let all = config.downstreams.iter();
    let connected = all.filter(|(_, one)| one.grant == DownstreamGrant::AuthorizationCode);
    connected.map(|(name, _)| name).collect()
}

/// The path of an absolute URL.
pub(super) fn path_of(url: &str) -> &str {
    let after_scheme = url.split_once("://").map_or("", |(_, rest)| rest);
    after_scheme.find('/').map_or("", |at| &after_scheme[at..])
}
