//! What the library found, as findings like those of every check.

use mcp_auth::{
    FaultKind, IssuerReport, ProviderCheck, ProviderCheckOutcome, RevisionReport, Suitability,
};

use super::Options;
use crate::output::{Finding, Level, Report, RevisionVerdict, Verdict, quoted};

/// Judged by the revision that was asked for.
pub(super) fn report(issuer: &IssuerReport, options: &Options) -> Report {
    let judge = options.revision.name();
    let judging = issuer.revisions.iter().find(|revision| revision.revision == judge);
    let suits = judging.is_some_and(|revision| revision.suitability != Suitability::DoesNotSuit);
    let checks = judging.into_iter().flat_map(|revision| &revision.checks);
    let findings = [keys_finding(issuer)].into_iter().chain(checks.map(finding_of_check));
    let provider = issuer.provider.as_ref().map_or("No known provider", |known| &known.name);
    let resource = match &options.resource {
        Some(_) => String::new(),
        None => format!("; the advice takes {} as the MCP server: see --resource", issuer.resource),
    };
    Report {
        command: "check issuer",
        subject: issuer.issuer.clone(),
        note: format!("{provider}, judged by MCP {judge}{resource}"),
        conforms: issuer.can_verify() && suits,
        findings: findings.collect(),
        revisions: issuer.revisions.iter().map(revision_verdict).collect(),
    }
}

/// Whether this library can verify tokens of the issuer. No revision of MCP changes that.
fn keys_finding(issuer: &IssuerReport) -> Finding {
    let (verdict, actual, fix) = match (&issuer.keys.fault, other_issuer(issuer)) {
        (None, _) => (Verdict::Pass, algorithms(issuer), ""),
        (Some(_), Some(reason)) => (
            Verdict::Fail,
            quoted(reason),
            "Check and configure the issuer that its metadata names, to the letter.",
        ),
        (Some(fault), None) => {
            (Verdict::Fail, quoted(fault), "Correct the metadata or the keys; see below.")
        }
    };
    Finding {
        id: "keys",
        requirement: "RFC 7517 §5",
        level: Level::Must,
        verdict,
        title: "keys that verify tokens",
        expected: "metadata of exactly this issuer, and a key in its set that can be used",
        actual,
        fix,
    }
}

fn algorithms(issuer: &IssuerReport) -> String {
    let names: Vec<_> = issuer.keys.algorithms.iter().map(|algorithm| algorithm.name()).collect();
    format!("tokens signed with {}", names.join(", "))
}

/// What is said of metadata that names another issuer, when there is no other metadata.
fn other_issuer(issuer: &IssuerReport) -> Option<&str> {
    if issuer.metadata.is_some() {
        return None;
    }
    let mut faults = issuer.places.iter().filter_map(|place| place.fault.as_ref());
    let fault = faults.find(|fault| fault.kind == FaultKind::OtherIssuer)?;
    Some(&fault.reason)
}

fn finding_of_check(check: &ProviderCheck) -> Finding {
    let level = level_of(check.level);
    let verdict = match check.outcome {
        ProviderCheckOutcome::Met => Verdict::Pass,
        ProviderCheckOutcome::NotMet => level.broken(),
        _ => Verdict::Skip,
    };
    let note = check.note.as_ref().map_or(String::new(), |note| format!(" (known: {note})"));
    Finding {
        id: check.code,
        requirement: check.reference,
        level,
        verdict,
        title: check.requirement,
        expected: check.requirement,
        actual: quoted(&check.found) + &note,
        fix: if verdict == Verdict::Pass { "" } else { check.fix },
    }
}

fn revision_verdict(revision: &RevisionReport) -> RevisionVerdict {
    let (verdict, level) = match revision.suitability {
        Suitability::Suits => (Verdict::Pass, None),
        Suitability::SuitsWithGaps => (Verdict::Warn, Some(mcp_auth::Level::Should)),
        _ => (Verdict::Fail, Some(mcp_auth::Level::Must)),
    };
    let mut because = Vec::new();
    for check in &revision.checks {
        let is_not_met = check.outcome == ProviderCheckOutcome::NotMet;
        if is_not_met && Some(check.level) == level {
            because.push(check.code);
        }
    }
    RevisionVerdict { revision: revision.revision, verdict, because }
}

fn level_of(level: mcp_auth::Level) -> Level {
    match level {
        mcp_auth::Level::Must => Level::Must,
        mcp_auth::Level::Should => Level::Should,
        _ => Level::May,
    }
}
