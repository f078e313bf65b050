//! `mcp-auth explain`: why a token is accepted or refused, check by check.
//!
//! The library decides and explains; here is only whom to ask, and what to print.

mod advice;
mod alone;
mod dates;
mod human;
mod shown;
mod source;
mod strangers;

use std::io::{self, Read as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use mcp_auth::clock::{Clock, SystemClock};
use mcp_auth::explanation::{CheckOutcome, TokenExplanation};
use mcp_auth::{Config, McpAuth};
use serde::Serialize;
use serde_json::json;

use self::alone::Nobody;
use self::source::{Answer, AskedServer, Rules};
use crate::ending::Ending;
use crate::output::{Progress, could_not_check, show, show_json};
use crate::secrets;
use crate::understand;

pub(crate) use self::dates::date;
pub(crate) use self::shown::Shown;

/// Shows every check of a token in its order, with expected and actual, and what its scopes unlock.
/// Never prints the signature; claims that say who somebody is only with `--show-claims`. Without
/// `--server`, `--config` or `--issuer`, nobody is asked, and what can be judged of the token alone is.
#[derive(Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Options {
    /// The token, or - to read it from standard input, which keeps it out of the process list
    #[arg(value_name = "TOKEN", env = "MCP_AUTH_TOKEN", hide_env_values = true)]
    token: Option<String>,
    #[command(flatten)]
    source: Source,
    /// A file with the issuer's keys (a JWK Set): nothing is fetched from the issuer then
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
    /// Judge at this time, in seconds since 1970, instead of now
    #[arg(long, value_name = "SECONDS")]
    at: Option<u64>,
    /// Show the values of all claims
    #[arg(long)]
    show_claims: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// How long to wait for each answer
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    /// A PEM file with certificate authorities to trust besides the system's; may be repeated
    #[arg(long = "ca-file", value_name = "FILE")]
    ca_files: Vec<PathBuf>,
}

const EXIT_CODES: &str = "Exit codes: 0 when the token is accepted, 1 when it is refused, or lacks a scope that every \
                          call needs, 2 when that could not be told, or an option cannot be used.";

const NO_TOKEN: &str =
    "no token was given: `-` reads it from standard input, and MCP_AUTH_TOKEN may hold it";

/// Timeouts that all of it may take.
const WAITS: u32 = 4;

/// Whose rules decide.
#[derive(Args)]
struct Source {
    /// An MCP server: its metadata says what it is and whom it trusts, and it is asked what it says of
    /// the token
    #[arg(long, value_name = "URL", conflicts_with_all = ["config", "resource", "issuers"])]
    server: Option<String>,
    /// Whether the URL of metadata at the root was given for it.
    #[arg(skip)]
    server_is_metadata_of_root: bool,
    /// A configuration of mcp-auth, in TOML or JSON
    #[arg(long, value_name = "FILE", conflicts_with_all = ["resource", "issuers"])]
    config: Option<PathBuf>,
    /// The resource identifier, together with --issuer
    #[arg(long, value_name = "URL", requires = "issuers")]
    resource: Option<String>,
    /// An issuer that the resource trusts; may be repeated
    #[arg(long = "issuer", value_name = "URL", requires = "resource")]
    issuers: Vec<String>,
}

/// Everything that is said about one token.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    explanation: TokenExplanation,
    token: Shown,
    /// What the server itself says, when it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<Answer>,
    /// Whether anybody's rules have decided, or the token was looked at alone.
    has_rules: bool,
    /// The scopes that every call needs and the token lacks.
    missing: Vec<String>,
    /// What to do about a refusal, for people.
    advice: Vec<String>,
}

/// Explains, prints, and says how the process should end.
pub(crate) async fn run(mut options: Options) -> Ending {
    let progress = Progress::new();
    let limit = Duration::from_secs(options.timeout) * WAITS;
    let explained = match options.understand() {
        Err(reason) => Err(reason),
        Ok(()) => match tokio::time::timeout(limit, explain(&options, &progress)).await {
            Ok(explained) => explained,
            Err(_) => Err(format!("there is no answer in {} s (--timeout)", limit.as_secs())),
        },
    };
    drop(progress);
    let report = match explained {
        Ok(report) => report,
        Err(reason) => {
            if options.json {
                show_json(&json!({ "code": "unavailable", "reason": reason }).to_string());
            }
            return could_not_check(reason);
        }
    };
    match options.json {
        true => show_json(&serde_json::to_string_pretty(&report).unwrap_or_default()),
        false => show(&human::render(&report)),
    }
    match report.explanation.code {
        "ok" if !report.missing.is_empty() => Ending::Failure,
        "ok" => Ending::Success,
        "unavailable" => Ending::NotJudged,
        _ => Ending::Failure,
    }
}

async fn explain(options: &Options, progress: &Progress) -> Result<Report, String> {
    let token = match options.token.as_deref() {
        None | Some("") => return Err(NO_TOKEN.to_owned()),
        Some(argument) => read_token(argument)?,
    };
    secrets::remember(&token);
    let shown = Shown::of(&token, options.show_claims);
    progress.step("reading the configuration");
    let rules = source::read_rules(options, &token, &shown, progress).await?;
    let Rules { mut config, server, has_rules } = rules;
    config.fetch_timeout = Duration::from_secs(options.timeout);
    if let Some(file) = &options.jwks {
        use_keys(&mut config, file, shown.issuer());
    }
    let path = config.resources.first().map(|one| path_of(&one.resource)).unwrap_or_default();
    let twin = with_slash_of(&config, shown.issuer());
    let mut builder = McpAuth::builder(config).clock(FixedClock { at: options.at });
    let mut answer = None;
    let mut strangers = None;
    if let Some(AskedServer { answer: said, issuers }) = server {
        builder = builder.http_client(issuers.clone());
        strangers = Some(issuers);
        answer = Some(said);
    } else if !has_rules && options.jwks.is_none() {
        builder = builder.http_client(Nobody);
    }
    let auth = builder.build().map_err(|error| error.to_string())?;
    progress.step("checking the token");
    let explanation = auth.explain_token(&path, &token).await;
    let mut explanation = explanation.ok_or("the configuration has no resource")?;
    if let Some(meant) = twin {
        let mut behind = McpAuth::builder(meant).clock(FixedClock { at: options.at });
        if let Some(issuers) = strangers {
            behind = behind.http_client(issuers);
        }
        let built = behind.build().map_err(|error| error.to_string())?;
        if let Some(rest) = built.explain_token(&path, &token).await {
            go_on_behind_slash(&mut explanation, rest);
        }
    }
    if !has_rules {
        alone::leave_open(&mut explanation.checks, &shown);
        let failed = explanation.checks.iter().any(|one| one.outcome == CheckOutcome::Failed);
        explanation.accepted = false;
        if !failed {
            explanation.code = "unavailable";
        } else if explanation.code == "unavailable" {
            explanation.code = "invalid_token";
            let mut checks = explanation.checks.iter();
            if checks.any(|one| one.outcome == CheckOutcome::Failed && one.name == "aud") {
                explanation.code = "missing_claim";
            }
        }
    }
    shown.correct_form(&token, &mut explanation.checks);
    let required = explanation.required.iter().filter(|_| explanation.accepted);
    let missing = required.filter(|scope| !explanation.granted.contains(scope));
    Ok(Report {
        missing: missing.map(str::to_owned).collect(),
        advice: advice::for_refusal(explanation.code, &shown),
        explanation,
        token: shown,
        server: answer,
        has_rules,
    })
}

/// The configuration with the issuer as the token writes it, when that differs by the slash at its end alone.
fn with_slash_of(config: &Config, issuer: Option<&str>) -> Option<Config> {
    let named = issuer?;
    let mut meant = config.clone();
    let mut is_changed = false;
    for server in meant.resources.iter_mut().flat_map(|one| &mut one.authorization_servers) {
        if server.issuer == named || server.token_issuers.iter().any(|one| one == named) {
            return None;
        }
        if server.issuer.trim_end_matches('/') == named.trim_end_matches('/') {
            named.clone_into(&mut server.issuer);
            is_changed = true;
        }
    }
    is_changed.then_some(meant)
}

/// Shows the checks behind an issuer that differs by a slash. The decision stays: the token is refused.
fn go_on_behind_slash(explanation: &mut TokenExplanation, behind: TokenExplanation) {
    explanation.checks.retain(|one| one.outcome != CheckOutcome::NotReached);
    let names: Vec<_> = explanation.checks.iter().map(|one| one.name).collect();
    let rest = behind.checks.into_iter().filter(|one| !names.contains(&one.name));
    explanation.checks.extend(rest);
}

impl Options {
    /// Whether the token is judged alone, so that nobody is asked.
    pub(crate) fn asks_nobody(&self) -> bool {
        let source = &self.source;
        source.server.is_none() && source.config.is_none() && source.resource.is_none()
    }

    /// Takes what people paste for what they mean, and hides what is neither a URL nor a path: it may be a token in
    /// the wrong place.
    ///
    /// # Errors
    /// A sentence for the user, where a URL has credentials in it.
    fn understand(&mut self) -> Result<(), String> {
        let source = &mut self.source;
        let files = source.config.iter().chain(&self.jwks).chain(&self.ca_files);
        files.for_each(|file| secrets::suspect(&file.to_string_lossy()));
        if let Some(server) = &mut source.server {
            secrets::refuse_credentials("--server", server)?;
            source.server_is_metadata_of_root = understand::metadata_of_root(server).is_some();
            *server = understand::server(server);
        }
        if let Some(resource) = &mut source.resource {
            secrets::refuse_credentials("--resource", resource)?;
            *resource = understand::server(resource);
        }
        for issuer in &mut source.issuers {
            secrets::refuse_credentials("--issuer", issuer)?;
            *issuer = understand::issuer(issuer);
        }
        Ok(())
    }
}

/// The token itself, without what people copy along.
fn read_token(argument: &str) -> Result<String, String> {
    let mut text = argument.to_owned();
    if argument == "-" {
        text.clear();
        let read = io::stdin().read_to_string(&mut text);
        read.map_err(|error| format!("standard input: {error}"))?;
    }
    let token = understand::token(&text);
    if token.is_empty() { Err("the token is empty".to_owned()) } else { Ok(token) }
}

/// Gives the token's issuer these keys; the others are not asked anyway.
fn use_keys(config: &mut Config, file: &std::path::Path, issuer: Option<&str>) {
    let servers = config.resources.iter_mut().flat_map(|one| &mut one.authorization_servers);
    for server in servers {
        let is_named = Some(&*server.issuer) == issuer
            || server.token_issuers.iter().any(|one| Some(&**one) == issuer);
        if is_named {
            server.jwks = None;
            server.jwks_file = Some(file.to_owned());
            server.metadata_url = None;
            server.server_type = mcp_auth::settings::ServerType::Any;
            server.allowed_key_hosts.clear();
        }
    }
}

fn path_of(resource: &str) -> String {
    let rest = resource.split_once("://").map_or("", |(_, rest)| rest);
    rest.find('/').map_or("/", |slash| &rest[slash..]).to_owned()
}

/// Stands at the time that `--at` names, or runs when there is none.
struct FixedClock {
    at: Option<u64>,
}

impl Clock for FixedClock {
    fn unix_seconds(&self) -> u64 {
        self.at.unwrap_or_else(|| SystemClock::default().unix_seconds())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_copy_along_is_cut() {
        for text in ["a.b.c", " a.b.c\n", "Bearer a.b.c", "authorization: bearer a.b.c"] {
            assert_eq!(read_token(text).unwrap(), "a.b.c");
        }
        assert!(read_token(" ").is_err());
    }
}
