//! `mcp-auth check issuer`: whether an authorization server is fit for MCP, and what to change there.
//!
//! The library asks and judges, with the code that verifies tokens; here is only what to print.

mod details;
mod reached;
mod rows;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use mcp_auth::errors::ConfigFault;
use mcp_auth::inspection::{FaultKind, IssuerReport, Revision};
use mcp_auth::settings::ServerType;
use mcp_auth::{AuthorizationServer, Config, McpAuth, ProtectedResource};

use super::names::OF_ISSUER;
use super::printing::Printing;
use super::{NEWEST, revision_parser};
use crate::ending::Ending;
use crate::output::{Progress, Report, quoted};
use crate::secrets;
use crate::understand;

/// What the advice is for when no resource is given.
const EXAMPLE_RESOURCE: &str = "https://mcp.example.com/mcp";

/// Fetches its metadata from every well-known place, and its keys.
#[derive(Args, Clone)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Options {
    /// The issuer identifier, exactly as in its tokens, such as https://tenant.eu.auth0.com/
    url: String,
    /// The MCP server that clients connect to: it is filled in where the provider must know it
    #[arg(long, value_name = "URL")]
    resource: Option<String>,
    /// Which well-known documents the server is to look for
    #[arg(long = "type", value_enum, default_value_t = Documents::Any)]
    documents: Documents,
    /// Where the metadata is, when it is not at a well-known place
    #[arg(long, value_name = "URL")]
    metadata_url: Option<String>,
    /// Allow http on hosts that are not loopback
    #[arg(long)]
    allow_http: bool,
    /// A PEM file with certificate authorities to trust besides the system's; may be repeated
    #[arg(long = "ca-file", value_name = "FILE")]
    ca_files: Vec<PathBuf>,
    /// The MCP revision that decides which requirement is a MUST
    #[arg(long, value_parser = revision_parser(), default_value = NEWEST, hide_possible_values = true)]
    revision: Revision,
    #[command(flatten)]
    printing: Printing,
    /// How long to wait for each answer
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Documents {
    /// Both
    Any,
    /// OpenID Connect Discovery only
    Oidc,
    /// RFC 8414 only
    Oauth,
}

const COMMAND: &str = "check issuer";

const EXIT_CODES: &str = "Exit codes: 0 when tokens can be verified and every MUST holds, 1 when not, 2 when nothing \
                          could be judged (an outage, a firewall, a redirect, no answer), or an option cannot be used.";

/// Timeouts that the whole check may take.
const WAITS: u32 = 4;

/// Checks, prints, and says how the process should end.
pub(crate) async fn run(mut options: Options) -> Ending {
    let given = options.url.clone();
    if let Err(reason) = options.understand() {
        return options.printing.could_not_check(COMMAND, &options.url, &reason);
    }
    let progress = Progress::new();
    progress.step(&format!("asking {}", options.url));
    let limit = Duration::from_secs(options.timeout) * WAITS;
    let checked = match tokio::time::timeout(limit, check(&options, &given)).await {
        Ok(checked) => checked,
        Err(_) => {
            drop(progress);
            let why = format!("{} does not answer in {} s.", quoted(&options.url), limit.as_secs());
            let report = Report::unjudged(COMMAND, options.url.clone(), why);
            return report.print(options.printing.format(), false);
        }
    };
    drop(progress);
    match checked {
        Ok((report, issuer)) => details::print(&report, &issuer, options.printing.format()),
        Err(reason) => options.printing.could_not_check(COMMAND, &options.url, &reason),
    }
}

/// # Errors
/// Why nothing can be said.
async fn check(options: &Options, given: &str) -> Result<(Report, IssuerReport), String> {
    let known = options.printing.known(&OF_ISSUER)?;
    let issuer = inspect(options).await?;
    if let Some(why) = reached::why_not_judged(&issuer) {
        let other = if why.may_be_the_scheme { other_scheme(options).await } else { None };
        let hint = match other {
            Some(url) => format!(" But {} answers: try that.", quoted(&url)),
            None => why.hint.to_owned(),
        };
        let verdict = format!("{}{hint}", why.verdict);
        return Ok((Report::unjudged(COMMAND, issuer.issuer.clone(), verdict), issuer));
    }
    let Some(twin) = slash_twin_in(&issuer) else {
        return Ok((rows::report(&issuer, options, known, None), issuer));
    };
    // One slash is one finding: the rest is about the issuer that it is.
    let mut meant = options.clone();
    meant.url = twin;
    let found = inspect(&meant).await?;
    let another = (!understand::is_metadata_url(given)).then_some(&*options.url);
    Ok((rows::report(&found, &meant, known, another), found))
}

async fn inspect(options: &Options) -> Result<IssuerReport, String> {
    let inspected = McpAuth::builder(options.config()).inspect_issuers().await;
    let reports = inspected.map_err(|error| by_option(error.faults()))?;
    reports.into_iter().next().ok_or_else(|| "no issuer was asked".to_owned())
}

/// The issuer with the other scheme, when something answers there that may be it.
async fn other_scheme(options: &Options) -> Option<String> {
    let (scheme, rest) = options.url.split_once("://")?;
    let other = if scheme.eq_ignore_ascii_case("http") { "https" } else { "http" };
    let mut meant = options.clone();
    meant.url = format!("{other}://{rest}");
    meant.allow_http = true;
    let found = inspect(&meant).await.ok()?;
    let is_there = found.places.iter().any(|place| match &place.fault {
        None => true,
        Some(fault) => {
            fault.kind != FaultKind::Unreachable || reached::is_about_certificate(&fault.reason)
        }
    });
    is_there.then_some(meant.url)
}

/// What the metadata calls the issuer, when that differs by the slash at its end alone and there is no other metadata.
fn slash_twin_in(issuer: &IssuerReport) -> Option<String> {
    if issuer.places.iter().any(|place| place.fault.is_none()) {
        return None;
    }
    let twin = match issuer.issuer.strip_suffix('/') {
        Some(shorter) => shorter.to_owned(),
        None => format!("{}/", issuer.issuer),
    };
    let mut faults = issuer.places.iter().filter_map(|place| place.fault.as_ref());
    let names_twin = faults.any(|fault| {
        fault.kind == FaultKind::OtherIssuer && fault.reason.contains(&format!("but is {twin:?}"))
    });
    names_twin.then_some(twin)
}

impl Options {
    /// Takes what people paste for what they mean, and keeps what may be a token out of what is printed.
    ///
    /// # Errors
    /// A sentence for the user, where a URL has credentials in it.
    fn understand(&mut self) -> Result<(), String> {
        self.ca_files.iter().for_each(|file| secrets::suspect(&file.to_string_lossy()));
        secrets::refuse_credentials("the issuer", &self.url)?;
        self.url = understand::issuer(&self.url);
        if let Some(resource) = &mut self.resource {
            secrets::refuse_credentials("--resource", resource)?;
            *resource = understand::server(resource);
        }
        if let Some(url) = &mut self.metadata_url {
            secrets::refuse_credentials("--metadata-url", url)?;
            *url = understand::with_scheme(url);
        }
        Ok(())
    }

    fn config(&self) -> Config {
        let mut server = AuthorizationServer::new(&*self.url);
        server.metadata_url.clone_from(&self.metadata_url);
        server.dangerous_allow_http = self.allow_http;
        server.server_type = match self.documents {
            Documents::Any => ServerType::Any,
            Documents::Oidc => ServerType::Oidc,
            Documents::Oauth => ServerType::Oauth,
        };
        let resource = self.resource.as_deref().unwrap_or(EXAMPLE_RESOURCE);
        let resource = ProtectedResource::new(resource, [server]);
        let mut config = Config::default().protect_resource(resource);
        config.ca_files.clone_from(&self.ca_files);
        config.fetch_timeout = Duration::from_secs(self.timeout);
        config
    }
}

/// Faults by the option that they are about, and not by the field of the configuration.
fn by_option(faults: &[ConfigFault]) -> String {
    let mut lines = Vec::new();
    for fault in faults {
        let reason = fault.reason.replace("`dangerous_allow_http`", "--allow-http");
        let field = fault.path.rsplit('.').next().unwrap_or_default();
        // An item of a list, such as `ca_files[0]`, is an option that may be given several times.
        let is_item = field.ends_with(']');
        lines.push(if is_item { reason } else { format!("{field}: {reason}") });
    }
    lines.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_named_as_the_user_wrote_them() {
        let faults = [
            ConfigFault::new(
                "resources[0].authorization_servers[0].issuer",
                "\"x\" is bad (or set `dangerous_allow_http`)",
            ),
            ConfigFault::new("resources[0].resource", "\"y\" is bad"),
            ConfigFault::new("ca_files[0]", "\"z\" cannot be read"),
        ];
        let expected = "issuer: \"x\" is bad (or set --allow-http); resource: \"y\" is bad; \
                        \"z\" cannot be read";
        assert_eq!(by_option(&faults), expected);
    }
}
