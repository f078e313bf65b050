//! What was found, place by place and key by key, and what to paste.

use mcp_auth::inspection::{IssuerMetadata, IssuerReport, KeyReport, MetadataPlace};
use mcp_auth::presets::KnownProvider;
use serde::Serialize;
use serde_json::Value;

use crate::ending::Ending;
use crate::output::{Format, Inert, Report, quoted, show, show_json};

/// A report as data, with everything behind it.
#[derive(Serialize)]
struct WithDetails<'a> {
    #[serde(flatten)]
    report: &'a Report,
    issuer: &'a IssuerReport,
}

/// Prints the report with its details, and says how the process should end.
pub(super) fn print(report: &Report, issuer: &IssuerReport, format: Format) -> Ending {
    if format == Format::Json {
        let mut json = serde_json::to_value(WithDetails { report, issuer }).unwrap_or_default();
        bound(&mut json);
        show_json(&serde_json::to_string_pretty(&json).unwrap_or_default());
        return report.exit_code();
    }
    let ending = report.print(format, true);
    let text = render(issuer, report.checked);
    match format {
        Format::Human => show(&format!("\n{}", text.trim_end())),
        Format::Markdown => {
            // A stranger's text must not end the block.
            let block = text.replace("```", "\u{2019}\u{2019}\u{2019}");
            show(&format!("\n```text\n{}\n```", block.trim_end()));
        }
        _ => {}
    }
    ending
}

/// Cuts what a stranger has made long: lists after so many items, texts after so many characters.
fn bound(value: &mut Value) {
    const MOST_ITEMS: usize = 100;
    const LONGEST: usize = 2000;
    match value {
        Value::String(text) => {
            if let Some((end, _)) = text.char_indices().nth(LONGEST) {
                text.truncate(end);
                text.push('…');
            }
        }
        Value::Array(items) => {
            let more = items.len().saturating_sub(MOST_ITEMS);
            items.truncate(MOST_ITEMS);
            items.iter_mut().for_each(bound);
            if more > 0 {
                items.push(Value::String(format!("… and {more} more")));
            }
        }
        Value::Object(members) => members.values_mut().for_each(bound),
        _ => {}
    }
}

/// `is_judged`: whether any document has come, so that there is more to tell than where it was looked for.
fn render(issuer: &IssuerReport, is_judged: bool) -> String {
    let mut text = String::from("Metadata\n");
    text.extend(issuer.places.iter().map(place_line));
    if !is_judged {
        return text;
    }
    text.extend(issuer.metadata.iter().map(advertised_section));
    text += &keys_section(issuer);
    text.extend(issuer.provider.iter().map(provider_section));
    // What does not work is not to be pasted; the preset of a provider may differ from it.
    if !issuer.can_verify() && issuer.provider.is_none() {
        return text;
    }
    if let Some(rust) = &issuer.configuration.rust {
        text += &format!("\nHere, in Rust\n{}", indented(rust));
    }
    text + &format!("\nHere, as TOML\n{}", indented(&issuer.configuration.toml))
}

fn place_line(place: &MetadataPlace) -> String {
    let url = quoted(&place.url);
    match &place.fault {
        Some(fault) => format!("  no      {url}\n          {}\n", quoted(&fault.reason)),
        None if place.is_used => format!("  used    {url}\n"),
        None => format!("  usable  {url}\n"),
    }
}

fn advertised_section(metadata: &IssuerMetadata) -> String {
    let rows = [
        ("grant types", comma_separated(&metadata.grant_types_supported)),
        ("response types", comma_separated(&metadata.response_types_supported)),
        (
            "clients authenticate by",
            comma_separated(&metadata.token_endpoint_auth_methods_supported),
        ),
        ("introspection", metadata.introspection_endpoint.clone()),
        (
            "introspection by",
            comma_separated(&metadata.introspection_endpoint_auth_methods_supported),
        ),
        ("scopes", comma_separated(&metadata.scopes_supported)),
    ];
    let mut text = String::from("\nAdvertised\n");
    for (name, value) in rows {
        let shown = value.map_or("not advertised".to_owned(), |text| quoted(&text));
        text += &format!("  {name:<24}{shown}\n");
    }
    text
}

fn comma_separated(list: &Option<Vec<String>>) -> Option<String> {
    list.as_ref().map(|items| items.join(", "))
}

fn keys_section(issuer: &IssuerReport) -> String {
    let set = &issuer.keys;
    let from = set.jwks_uri.as_deref().map_or(String::new(), |url| format!(" at {}", quoted(url)));
    let mut text = format!("\nKeys{from}\n");
    text.extend(set.fault.iter().map(|fault| format!("  none can be used: {}\n", quoted(fault))));
    text.extend(set.keys.iter().map(key_line));
    if set.ignored > 0 {
        text += &format!("  {} more are not looked at\n", set.ignored);
    }
    text
}

fn key_line(key: &KeyReport) -> String {
    let names: Vec<_> = key.algorithms.iter().map(|one| one.name()).collect();
    let parts = [
        key.kid.as_deref().map_or("no kid".to_owned(), |kid| format!("kid {}", quoted(kid))),
        key.kty.as_deref().map(quoted).unwrap_or_default(),
        key.crv.as_deref().map(quoted).unwrap_or_default(),
        key.bits.map(|bits| format!("{bits} bits")).unwrap_or_default(),
        key.alg.as_deref().map(|alg| format!("alg {}", quoted(alg))).unwrap_or_default(),
        key.issuer.as_deref().map(|of| format!("of {}", quoted(of))).unwrap_or_default(),
    ];
    let label: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let (word, why) = match &key.fault {
        None => ("usable", format!("verifies {}", names.join(", "))),
        Some(_) if key.is_for_encryption() => ("other", "for encryption".to_owned()),
        Some(fault) => ("no", Inert::of(fault).whole_line()),
    };
    format!("  {word:<8}{}: {why}\n", label.join(", "))
}

fn provider_section(provider: &KnownProvider) -> String {
    let facts = &provider.facts;
    let name = &provider.name;
    let rows = [
        ("metadata", &facts.metadata),
        ("PKCE with S256", &facts.pkce),
        ("dynamic registration", &facts.registration),
        ("metadata documents", &facts.client_id_metadata_documents),
        ("resource indicators", &facts.resource_indicators),
    ];
    let mut text = format!("\n{name} does, as documented in August 2026\n");
    for (label, fact) in rows {
        if let Some(fact) = fact {
            text += &format!("  {label:<24}{fact}\n");
        }
    }
    text += &format!("\nTo do at {name}\n");
    for (index, step) in provider.advice.iter().enumerate() {
        text += &format!("  {}. {step}\n", index + 1);
    }
    text
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", format!("  {line}").trim_end())).collect()
}
