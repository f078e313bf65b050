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
mod nature;
mod own_token;
mod patience;
mod public_metadata;
mod reach;
mod routing;
mod target;
mod unseen;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use mcp_auth::inspection::Revision;

use self::answer::Answer;
pub(crate) use self::challenge::Challenge;
use self::http::{Call, Http, is_sendable};
use self::mcp::Dialect;
use self::metadata::Documents;
use self::nature::Nature;
use self::patience::Patience;
pub(crate) use self::reach::Reach;
pub(crate) use self::target::Target;
use super::authorities;
use super::findings::Findings;
use super::names::OF_SERVER;
use super::outcome::Outcome;
use super::printing::Printing;
use super::row::Row;
use super::{NEWEST, revision_parser};
use crate::ending::Ending;
use crate::output::{Progress, Report};
use crate::secrets;
use crate::understand;

/// Sends about 70 requests, one after another, and calls no tool.
#[derive(Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Options {
    /// The URL that clients connect to, such as https://mcp.example.com/mcp
    url: String,
    /// A token that the server accepts, so that more can be checked; `-` reads it from standard input, as for the
    /// other two: a line for each
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
    #[command(flatten)]
    printing: Printing,
    /// List what passed too; the other formats always do
    #[arg(long, short)]
    verbose: bool,
    /// How long to wait for each answer
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    /// How long the whole check may take; ten times --timeout unless given
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=6000))]
    deadline: Option<u64>,
    /// A PEM file with certificate authorities to trust besides the system's; may be repeated
    #[arg(long = "ca-file", value_name = "FILE")]
    ca_files: Vec<PathBuf>,
}

const COMMAND: &str = "check server";

const EXIT_CODES: &str = "Exit codes: 0 when every MUST holds that could be checked, 1 when one does not, 2 when \
                          nothing could be judged, or not all in time, or the token or an option cannot be used.";

/// Checks, prints, and says how the process should end.
pub(crate) async fn run(options: Options) -> Ending {
    let (printing, verbose) = (options.printing.clone(), options.verbose);
    let subject = understand::server(&options.url);
    let prober = match Prober::new(options) {
        Ok(prober) => prober,
        Err(reason) => return printing.could_not_check(COMMAND, &subject, &reason),
    };
    prober.probe().await.print(printing.format(), verbose)
}

/// Asks the server, and keeps what was found.
struct Prober {
    http: Http,
    target: Target,
    /// The URL of metadata at the root that was given in place of the server, whose path it does not tell.
    pasted_metadata: Option<String>,
    /// The web origin that should be let in, and whether the user named it.
    origin: String,
    origin_is_given: bool,
    token: Option<String>,
    weak_token: Option<String>,
    refused_token: Option<String>,
    /// Why the token that should be accepted cannot be, as it shows itself.
    token_fault: Option<String>,
    findings: Findings,
    patience: Patience,
    /// Redirects that lead where no token should go.
    strays: Vec<String>,
    progress: Progress,
}

impl Prober {
    fn new(options: Options) -> Result<Self, String> {
        secrets::refuse_credentials("the URL", &options.url)?;
        let url = understand::server(&options.url);
        options.ca_files.iter().for_each(|file| secrets::suspect(&file.to_string_lossy()));
        if let Some(origin) = &options.origin {
            secrets::suspect(origin);
        }
        let target = Target::parse(&url)?;
        if options.origin.as_deref().is_some_and(|origin| !is_origin(origin)) {
            return Err(
                "--origin: an origin is such as https://app.example.com, without a path".to_owned()
            );
        }
        let token = given_token("--token", options.token)?;
        let weak_token = given_token("--weak-token", options.weak_token)?;
        let refused_token = given_token("--refused-token", options.refused_token)?;
        let given = [
            ("--token", &token),
            ("--weak-token", &weak_token),
            ("--refused-token", &refused_token),
        ];
        for (_, value) in given {
            value.iter().for_each(|text| secrets::remember(text));
        }
        for (option, value) in given {
            if value.as_deref().is_some_and(|text| !is_sendable(text)) {
                return Err(format!("{option}: a token is printable ASCII without spaces"));
            }
        }
        let authorities = authorities::read(&options.ca_files)?;
        let http = Http::new(&target, Duration::from_secs(options.timeout), &authorities)
            .map_err(|error| format!("no HTTP client can be made: {error}"))?;
        Ok(Self {
            http,
            origin_is_given: options.origin.is_some(),
            origin: options.origin.unwrap_or_else(|| target.origin()),
            pasted_metadata: understand::metadata_of_root(&options.url),
            target,
            token,
            weak_token,
            refused_token,
            token_fault: None,
            findings: Findings::new(options.revision, options.printing.known(&OF_SERVER)?),
            patience: Patience::new(options.timeout, options.deadline),
            strays: Vec::new(),
            progress: Progress::new(),
        })
    }

    /// Every probe, from what a client meets first on.
    async fn probe(mut self) -> Report {
        self.follow_pasted_metadata().await;
        let first = self.ask_first().await;
        let verdict = match self.tell_nature(&first).await {
            Nature::Judged(verdict) => verdict,
            Nature::Unjudged(verdict) => {
                return Report::unjudged(COMMAND, self.target.text.clone(), verdict);
            }
        };
        self.patience.begin_row();
        let (is_open, challenge) = self.probe_challenge(&first);
        let documents = self.probe_metadata(challenge.as_ref()).await;
        self.probe_issuers(&documents).await;
        let dialect = self.probe_token(&documents).await;
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
        self.report(verdict)
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
        if let Some(fault) = self.patience.is_over() {
            let answer = Answer::from_failure(fault);
            self.patience.note(&answer);
            return answer;
        }
        self.progress.step(call.name);
        let asking = tokio::time::timeout(self.patience.left(), self.http.send(call, &self.target));
        let answer = match asking.await {
            Ok(answer) => answer,
            Err(_) => Answer::from_failure(self.patience.end()),
        };
        self.patience.note(&answer);
        answer
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
        let looking = self.http.may_follow(url, &self.target);
        tokio::time::timeout(self.patience.left(), looking).await.unwrap_or_default()
    }

    fn record(&mut self, row: &'static Row, outcome: Outcome) {
        let judged = self.patience.judge(outcome);
        self.findings.record(row, judged);
    }

    fn report(self, verdict: String) -> Report {
        let with_token = if self.token.is_some() { "with a token" } else { "without a token" };
        let is_over = self.patience.is_over();
        let judge = format!("judged by MCP {}", self.findings.judge().name());
        let note = match (&is_over, &self.token_fault) {
            (Some(fault), _) => format!("{with_token}, {judge}, not to the end: {}", fault.words),
            (None, Some(fault)) => format!("{judge}, not to the end: {fault}"),
            (None, None) => format!("{with_token}, {judge}"),
        };
        Report {
            command: COMMAND,
            subject: self.target.text.clone(),
            verdict,
            note,
            checked: is_over.is_none() && self.token_fault.is_none(),
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

/// A token as it was given, or the next line of standard input for `-`. A variable of the environment that is empty is
/// as good as none.
fn given_token(option: &str, given: Option<String>) -> Result<Option<String>, String> {
    let Some(mut text) = given.filter(|text| !text.is_empty()) else { return Ok(None) };
    if text == "-" {
        text.clear();
        let read = io::stdin().read_line(&mut text);
        read.map_err(|error| format!("{option} -: {error}"))?;
    }
    let token = understand::token(&text);
    if token.is_empty() { Err(format!("{option}: the token is empty")) } else { Ok(Some(token)) }
}
