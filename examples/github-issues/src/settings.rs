//! The settings, of the environment.
//!
//! | variable | meaning |
//! |---|---|
//! | `CONNECT_URL` | where the pages are on which users connect their accounts, such as `http://127.0.0.1:3000/connect` |
//! | `CONNECT_FOLDER` | where the grants of users are kept, `grants` unless set |
//! | `CONNECT_CLIENT_ID`, `CONNECT_CLIENT_SECRET_FILE` | this server as a client of the issuer, where users sign in |
//! | `HANDLE_KEYS_FILE` | the key that seals the grants |
//! | `GITHUB_CLIENT_ID`, `GITHUB_CLIENT_SECRET_FILE` | this server as an OAuth app of GitHub |
//! | `GITHUB_URL`, `GITHUB_API` | another GitHub than `https://github.com`, and its API |

use std::env;
use std::error::Error;

use mcp_auth::settings::{ConnectConfig, DownstreamConfig, DownstreamGrant, SignInConfig};
use mcp_auth::{Config, ScopePolicy};

/// The REST API of GitHub, without a slash at the end.
pub(crate) fn api() -> String {
    env::var("GITHUB_API").unwrap_or("https://api.github.com".into())
}

pub(crate) fn configure() -> Result<Config, Box<dyn Error>> {
    let mut config = Config::from_env()?;
    let resource = &mut config.resources[0];
    let issue_scopes = ["issues:read", "issues:write"];
    resource.scopes_supported = resource.required_scopes.iter().chain(issue_scopes).collect();
    resource.policy = Some(
        ScopePolicy::new()
            .require_for_tool("list_issues", ["issues:read"])
            .require_for_tool("create_issue", ["issues:write"])
            .require_for_tool("disconnect", ["issues:read"])
            .deny_undeclared(),
    );

    let mut sign_in = SignInConfig::default();
    sign_in.issuer = resource.authorization_servers[0].issuer.clone();
    sign_in.client_id = required("CONNECT_CLIENT_ID")?;
    sign_in.client_secret_file = Some(required("CONNECT_CLIENT_SECRET_FILE")?.into());
    let mut connect = ConnectConfig::default();
    connect.url = required("CONNECT_URL")?;
    connect.folder = Some(env::var("CONNECT_FOLDER").unwrap_or("grants".into()).into());
    connect.sign_in = vec![sign_in];
    config.connect = Some(connect);
    config.handle_keys_file = Some(required("HANDLE_KEYS_FILE")?.into());
    config.downstreams.insert("github".into(), github()?);
    Ok(config)
}

fn github() -> Result<DownstreamConfig, Box<dyn Error>> {
    let url = env::var("GITHUB_URL").unwrap_or("https://github.com".into());
    let mut github = DownstreamConfig::default();
    github.grant = DownstreamGrant::AuthorizationCode;
    github.authorization_endpoint = Some(format!("{url}/login/oauth/authorize"));
    github.token_endpoint = Some(format!("{url}/login/oauth/access_token"));
    github.client_id = required("GITHUB_CLIENT_ID")?;
    github.client_secret_file = Some(required("GITHUB_CLIENT_SECRET_FILE")?.into());
    github.scopes = ["repo"].into_iter().collect();
    github.api = vec![format!("{}/", api())];
    Ok(github)
}

fn required(name: &str) -> Result<String, Box<dyn Error>> {
    Ok(env::var(name).map_err(|error| format!("{name}: {error}"))?)
}
