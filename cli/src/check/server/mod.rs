//! `mcp-auth check server`: whether an MCP server does what an OAuth 2.1 resource server must.
//!
//! Everything is seen from outside, so the server may be written in any language.

mod answer;
mod browser;
mod caller;
mod challenge;
mod discovery;
mod every_request;
mod forged;
mod http;
mod issuers;
mod mcp;
mod messages;
mod metadata;
mod public_metadata;
mod reach;
mod routing;
mod target;
mod unseen;

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use mcp_auth::inspection::Revision;

use self::answer::Answer;
pub(crate) use self::challenge::Challenge;
use self::http::{Call, Http, is_sendable};
use self::mcp::Dialect;
use self::metadata::Documents;
pub(crate) use self::reach::Reach;
pub(crate) use self::target::Target;
use super::findings::Findings;
use super::outcome::Outcome;
use super::row::Row;
use super::{NEWEST, revision_parser};
use crate::output::{Format, Progress, Report, could_not_check};
use crate::secrets;

/// Sends about 70 requests, one after another, and calls no tool. Exit codes: 0 when every MUST
/// holds, 1 when one does not, 2 when the server could not be checked.
#[derive(Args)]
pub(crate) struct Options {
    /// The URL that clients connect to, such as https://mcp.example.com/mcp
    url: String,
    /// A token that the server accepts, so that more can be checked; `-` reads it from standard input
    #[arg(long, env = "MCP_AUTH_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// A genuine token that lacks a scope which `tools/list` needs
    #[arg(long, env = "MCP_AUTH_WEAK_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    weak_token: Option<String>,
    /// A genuine token that must be refused: expired, or for another audience
    #[arg(long, env = "MCP_AUTH_REFUSED_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    refused_token: Option<String>,
    /// A web origin whose pages may call, instead of the server's own
    #[arg(long, value_name = "ORIGIN")]
    origin: Option<String>,
    /// The MCP revision that decides which requirement is a MUST
    #[arg(long, value_parser = revision_parser(), default_value = NEWEST, hide_possible_values = true)]
    revision: Revision,
    /// How to print the findings
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// The same as `--format json`
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// List what passed too; the other formats always do
    #[arg(long, short)]
    verbose: bool,
    /// How long to wait for each answer
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
}

/// Checks, prints, and says how the process should end.
pub(crate) async fn run(options: Options) -> ExitCode {
    let format = if options.json { Format::Json } else { options.format };
    let verbose = options.verbose;
    let prober = match Prober::new(options) {
        Ok(prober) => prober,
        Err(reason) => return could_not_check(reason),
    };
    match prober.probe().await {
        Ok(report) => report.print(format, verbose),
        Err(reason) => could_not_check(reason),
    }
}

/// Asks the server, and keeps what was found.
struct Prober {
    http: Http,
    target: Target,
    /// The web origin that should be let in, and whether the user named it.
    origin: String,
    origin_is_given: bool,
    token: Option<String>,
    weak_token: Option<String>,
    refused_token: Option<String>,
    findings: Findings,
    /// Redirects that lead where no token should go.
    strays: Vec<String>,
    progress: Progress,
}

impl Prober {
    fn new(options: Options) -> Result<Self, String> {
        secrets::suspect(&options.url);
        if let Some(origin) = &options.origin {
            secrets::suspect(origin);
        }
        let target = Target::parse(&options.url)?;
        if options.origin.as_deref().is_some_and(|origin| !is_origin(origin)) {
            return Err(
                "--origin: an origin is such as https://app.example.com, without a path".to_owned()
            );
        }
        let token = match options.token.as_deref() {
            Some("-") => Some(read_line()?),
            _ => options.token,
        };
        let given = [
            ("--token", &token),
            ("--weak-token", &options.weak_token),
            ("--refused-token", &options.refused_token),
        ];
        for (_, value) in given {
            value.iter().for_each(|text| secrets::remember(text));
        }
        for (option, value) in given {
            if value.as_deref().is_some_and(|text| !is_sendable(text)) {
                return Err(format!("{option}: a token is printable ASCII without spaces"));
            }
        }
        let http = Http::new(&target, Duration::from_secs(options.timeout))
            .map_err(|error| format!("no HTTP client can be made: {error}"))?;
        Ok(Self {
            http,
            origin_is_given: options.origin.is_some(),
            origin: options.origin.unwrap_or_else(|| target.origin()),
            target,
            token,
            weak_token: options.weak_token,
            refused_token: options.refused_token,
            findings: Findings::new(options.revision),
            strays: Vec::new(),
            progress: Progress::new(),
        })
    }

    /// Every probe, from what a client meets first on.
    async fn probe(mut self) -> Result<Report, String> {
        let (is_open, challenge) = self.probe_challenge().await?;
        let documents = self.probe_metadata(challenge.as_ref()).await;
        self.probe_issuers(&documents).await;
        let dialect = self.probe_token().await;
        if !is_open {
            self.probe_forged_tokens(&documents, challenge.as_ref()).await;
            self.probe_token_places(dialect.as_ref()).await;
            self.probe_every_request(dialect.as_ref()).await;
        }
        self.probe_origins(dialect.as_ref()).await;
        self.probe_cors().await;
        self.probe_public_metadata(&documents).await;
        self.probe_routing(dialect.as_ref()).await;
        self.probe_scopes_and_genuine_tokens().await;
        self.probe_messages(dialect.as_ref()).await;
        self.end_session(dialect.as_ref()).await;
        self.record_leaks();
        self.record_unseen(is_open);
        Ok(self.report())
    }

    /// Sends a call, and keeps an eye on where redirects lead.
    async fn send(&mut self, call: Call) -> Answer {
        let (name, url) = (call.name, call.url().to_owned());
        let answer = self.look_up(call).await;
        self.strays.extend(self.target.stray(name, &url, &answer));
        answer
    }

    /// Sends a call that no client sends a token with, so that a redirect is no fault.
    async fn look_up(&mut self, call: Call) -> Answer {
        self.progress.step(call.name);
        self.http.send(call, &self.target).await
    }

    /// The call with the token that should be accepted; without one, just the call.
    fn signed(&self, call: Call) -> Call {
        match &self.token {
            Some(token) => call.bearer(token),
            None => call,
        }
    }

    async fn send_signed(&mut self, call: Call) -> Answer {
        let signed = self.signed(call);
        self.send(signed).await
    }

    /// Whether a URL that a document names may be asked.
    async fn may_follow(&self, url: &reqwest::Url) -> bool {
        self.http.may_follow(url, &self.target).await
    }

    fn record(&mut self, row: &'static Row, outcome: Outcome) {
        self.findings.record(row, outcome);
    }

    fn report(self) -> Report {
        let with_token = if self.token.is_some() { "with a token" } else { "without a token" };
        Report {
            command: "check server",
            subject: self.target.text.clone(),
            note: with_token.to_owned(),
            conforms: self.findings.conform(),
            findings: self.findings.list(),
            revisions: self.findings.revisions(),
        }
    }
}

/// As browsers write it.
fn is_origin(text: &str) -> bool {
    let host = text.split_once("://").map_or("", |(_, host)| host);
    is_sendable(text) && !host.is_empty() && !host.contains(['/', '?', '#', '@'])
}

fn read_line() -> Result<String, String> {
    let mut line = String::new();
    io::stdin().read_line(&mut line).map_err(|error| format!("--token -: {error}"))?;
    Ok(line.trim().to_owned())
}
