//! What the library found, as rows like those of every check.

use mcp_auth::inspection::{
    FaultKind, IssuerReport, Level, Levels, ProviderCheck, ProviderCheckOutcome,
};
use mcp_auth::inspection::{MetadataPlaceFault, Revision};

use super::{COMMAND, Options};
use crate::check::findings::Findings;
use crate::check::known::Known;
use crate::check::outcome::Outcome;
use crate::check::row::Row;
use crate::output::{Report, quoted};

/// Judged by the revision that was asked for.
///
/// `another`: how the user wrote the issuer, when only the slash at its end is another one.
pub(super) fn report(
    issuer: &IssuerReport,
    options: &Options,
    known: Known,
    another: Option<&str>,
) -> Report {
    let mut findings = Findings::new(options.revision, known);
    let written = match another {
        None => Outcome::Holds(quoted(&issuer.issuer)),
        Some(text) => {
            Outcome::Broken(format!("{}, which differs by the slash at its end", quoted(text)))
        }
    };
    // Without metadata nobody knows how it writes itself.
    if issuer.metadata.is_some() || another.is_some() {
        findings.record(&WRITTEN, written);
    }
    let (row, outcome) = keys(issuer);
    findings.record(&row, outcome);
    for report in &issuer.revisions {
        let Some(revision) = Revision::from_name(report.revision) else { continue };
        for check in &report.checks {
            findings.record_for(revision, &row_of(revision, check), outcome_of(check));
        }
    }
    let provider = issuer.provider.as_ref().map_or("No known provider", |known| &known.name);
    let resource = match &options.resource {
        Some(_) => String::new(),
        None => format!("; the advice takes {} as the MCP server: see --resource", issuer.resource),
    };
    let can_verify = match issuer.can_verify() {
        true => "its tokens can be verified",
        false => "its tokens cannot be verified",
    };
    let fit = if findings.conform() { "is fit" } else { "is not fit" };
    let shown = quoted(&issuer.issuer);
    let verdict = match another {
        Some(text) => {
            format!(
                "{} is no issuer, {shown} is: they differ by the slash at the end.",
                quoted(text)
            )
        }
        None => format!("{shown} {fit} for MCP: {can_verify}."),
    };
    Report {
        command: COMMAND,
        subject: issuer.issuer.clone(),
        verdict,
        checked: true,
        note: format!("{provider}, judged by MCP {}{resource}", options.revision.name()),
        conforms: findings.conform(),
        findings: findings.list(),
        revisions: findings.revisions(),
    }
}

static WRITTEN: Row = Row {
    id: "issuer",
    requirement: "RFC 8414 §3.3",
    levels: Levels::always(Level::Must),
    title: "the issuer is written as it writes itself",
    expected: "the same text as in its metadata",
    fix: "Configure the issuer to the letter as its metadata and its tokens have it: the slash at the end counts. Below is \
          what holds for it.",
};

/// Whether tokens can be verified, whatever the revision.
fn keys(issuer: &IssuerReport) -> (Row, Outcome) {
    let mut row = Row {
        id: "keys",
        requirement: "RFC 7517 §5",
        levels: Levels::always(Level::Must),
        title: "keys that verify tokens",
        expected: "metadata of exactly this issuer, and a key in its set that can be used",
        fix: "",
    };
    let Some(fault) = &issuer.keys.fault else {
        let names: Vec<_> = issuer.keys.algorithms.iter().map(|one| one.name()).collect();
        return (row, Outcome::Holds(format!("tokens signed with {}", names.join(", "))));
    };
    if let Some(other) = metadata_of_another_issuer(issuer) {
        row.fix = "Check and configure the issuer that its metadata names, to the letter.";
        return (row, Outcome::Broken(quoted(&other.reason)));
    }
    row.fix = advice_for(issuer.keys.fault_kind, issuer.keys.jwks_uri.is_some());
    (row, Outcome::Broken(quoted(fault)))
}

/// What to do where keys cannot be had or used. Keys that nobody has seen are not said to be wrong.
fn advice_for(kind: Option<FaultKind>, is_about_keys: bool) -> &'static str {
    match kind {
        Some(FaultKind::RequestRefused) => {
            "Let a GET without credentials through: the server, or a firewall or proxy before it, refuses the \
             request. Nothing is known about the document."
        }
        Some(FaultKind::ServerTrouble) => {
            "Wait and ask again: the server is in trouble, or asked too often. Nothing is known about the document."
        }
        Some(FaultKind::Redirected) => {
            "Name the place where the document is now: redirects to another origin are not followed, as who answers \
             there need not be the issuer."
        }
        Some(FaultKind::Unreachable) if is_about_keys => {
            "Make the place of the keys answer, or correct `jwks_uri` in the metadata."
        }
        Some(FaultKind::Unreachable) => {
            "Say where the metadata is (--metadata-url, `metadata_url`) or of which type the server is (--type, \
             `server_type`); or make the places answer."
        }
        Some(FaultKind::NoDocument | FaultKind::NotJson) if is_about_keys => {
            "Correct `jwks_uri` in the metadata, or serve the keys there as JSON."
        }
        Some(FaultKind::NoDocument | FaultKind::NotJson) => {
            "Serve metadata at one of the places below, or say where it is (--metadata-url, `metadata_url`)."
        }
        _ => "Correct the metadata or the keys; see below.",
    }
}

/// Why there is no metadata, when all that was found is another issuer's.
fn metadata_of_another_issuer(issuer: &IssuerReport) -> Option<&MetadataPlaceFault> {
    if issuer.metadata.is_some() {
        return None;
    }
    let mut faults = issuer.places.iter().filter_map(|place| place.fault.as_ref());
    faults.find(|fault| fault.kind == FaultKind::OtherIssuer)
}

fn row_of(revision: Revision, check: &ProviderCheck) -> Row {
    Row {
        id: check.code,
        requirement: check.reference,
        levels: Levels::NONE.with(revision, check.level),
        title: check.requirement,
        expected: check.requirement,
        fix: check.fix,
    }
}

fn outcome_of(check: &ProviderCheck) -> Outcome {
    let note = check.note.as_ref().map_or(String::new(), |note| format!(" (known: {note})"));
    let actual = quoted(&check.found) + &note;
    match check.outcome {
        ProviderCheckOutcome::Met => Outcome::Holds(actual),
        ProviderCheckOutcome::NotMet => Outcome::Broken(actual),
        _ => Outcome::Unknown(actual),
    }
}
