//! What was found, place by place and key by key, and what to paste.

use std::process::ExitCode;

use mcp_auth::inspection::{IssuerMetadata, IssuerReport, KeyReport, MetadataPlace};
use mcp_auth::presets::KnownProvider;
use serde::Serialize;

use crate::output::{Format, Inert, Report, quoted, show, show_json};

/// A report as data, with everything behind it.
#[derive(Serialize)]
struct WithDetails<'a> {
    #[serde(flatten)]
    report: &'a Report,
    issuer: &'a IssuerReport,
}

/// Prints the report with its details, and says how the process should end.
pub(super) fn print(report: &Report, issuer: &IssuerReport, format: Format) -> ExitCode {
    if format == Format::Json {
        let json = serde_json::to_string_pretty(&WithDetails { report, issuer });
        show_json(&json.unwrap_or_default());
        return if report.conforms { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let ending = report.print(format, true);
    let text = render(issuer);
    match format {
        Format::Human => show(&format!("\n{}", text.trim_end())),
        Format::Markdown => {
            // A stranger's text must not end the block.
            let text = text.replace("```", "\u{2019}\u{2019}\u{2019}");
            show(&format!("\n```text\n{}\n```", text.trim_end()));
        }
        _ => {}
    }
    ending
}

fn render(issuer: &IssuerReport) -> String {
    let mut text = String::from("Metadata\n");
    text.extend(issuer.places.iter().map(place));
    text.extend(issuer.metadata.iter().map(advertised));
    text += &keys(issuer);
    text.extend(issuer.provider.iter().map(provider));
    // What does not work is not to be pasted; the preset of a provider may differ from it.
    if !issuer.can_verify() && issuer.provider.is_none() {
        return text;
    }
    if let Some(rust) = &issuer.configuration.rust {
        text += &format!("\nHere, in Rust\n{}", indented(rust));
    }
    text + &format!("\nHere, as TOML\n{}", indented(&issuer.configuration.toml))
}

fn place(place: &MetadataPlace) -> String {
    let url = quoted(&place.url);
    match &place.fault {
        Some(fault) => format!("  no      {url}\n          {}\n", quoted(&fault.reason)),
        None if place.is_used => format!("  used    {url}\n"),
        None => format!("  usable  {url}\n"),
    }
}

fn advertised(metadata: &IssuerMetadata) -> String {
    let list = |list: &Option<Vec<String>>| list.as_ref().map(|list| list.join(", "));
    let rows = [
        ("grant types", list(&metadata.grant_types_supported)),
        ("response types", list(&metadata.response_types_supported)),
        ("clients authenticate by", list(&metadata.token_endpoint_auth_methods_supported)),
        ("introspection", metadata.introspection_endpoint.clone()),
        ("introspection by", list(&metadata.introspection_endpoint_auth_methods_supported)),
        ("scopes", list(&metadata.scopes_supported)),
    ];
    let row = |(name, value): (&str, Option<String>)| {
        let value = value.map_or("not advertised".to_owned(), |value| quoted(&value));
        format!("  {name:<24}{value}\n")
    };
    format!("\nAdvertised\n{}", rows.into_iter().map(row).collect::<String>())
}

fn keys(issuer: &IssuerReport) -> String {
    let set = &issuer.keys;
    let from = set.jwks_uri.as_deref().map_or(String::new(), |url| format!(" at {}", quoted(url)));
    let mut text = format!("\nKeys{from}\n");
    text.extend(set.fault.iter().map(|fault| format!("  none can be used: {}\n", quoted(fault))));
    text.extend(set.keys.iter().map(key));
    if set.ignored > 0 {
        text += &format!("  {} more are not looked at\n", set.ignored);
    }
    text
}

fn key(key: &KeyReport) -> String {
    let names: Vec<_> = key.algorithms.iter().map(|one| one.name()).collect();
    let label = [
        key.kid.as_deref().map_or("no kid".to_owned(), |kid| format!("kid {}", quoted(kid))),
        key.kty.as_deref().map(quoted).unwrap_or_default(),
        key.crv.as_deref().map(quoted).unwrap_or_default(),
        key.bits.map(|bits| format!("{bits} bits")).unwrap_or_default(),
        key.alg.as_deref().map(|alg| format!("alg {}", quoted(alg))).unwrap_or_default(),
        key.issuer.as_deref().map(|of| format!("of {}", quoted(of))).unwrap_or_default(),
    ];
    let label: Vec<_> = label.into_iter().filter(|part| !part.is_empty()).collect();
    let (word, why) = match &key.fault {
        None => ("usable", format!("verifies {}", names.join(", "))),
        Some(_) if key.is_for_encryption() => ("other", "for encryption".to_owned()),
        Some(fault) => ("no", Inert::of(fault).whole_line()),
    };
    format!("  {word:<8}{}: {why}\n", label.join(", "))
}

fn provider(provider: &KnownProvider) -> String {
    let facts = &provider.facts;
    let rows = [
        ("metadata", &facts.metadata),
        ("PKCE with S256", &facts.pkce),
        ("dynamic registration", &facts.registration),
        ("metadata documents", &facts.client_id_metadata_documents),
        ("resource indicators", &facts.resource_indicators),
    ];
    let fact =
        |(name, fact): (&str, &Option<String>)| Some(format!("  {name:<24}{}\n", fact.as_ref()?));
    let facts: String = rows.into_iter().filter_map(fact).collect();
    let steps = provider.advice.iter().enumerate();
    let steps: String = steps.map(|(at, step)| format!("  {}. {step}\n", at + 1)).collect();
    let name = &provider.name;
    format!("\n{name} does, as documented in August 2026\n{facts}\nTo do at {name}\n{steps}")
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", format!("  {line}").trim_end())).collect()
}
