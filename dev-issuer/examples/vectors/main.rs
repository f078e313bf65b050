//! Writes `vectors/decisions.json`, `handles.json`, `introspection.json`, `notices.json`, `operations.json` and `rules.json`:
//! requests, and what must be decided about them.
//!
//! `cargo run -p mcp-auth-dev-issuer --example vectors`, at the project's root, for all of them; or with the names of some,
//! such as `handles notices`
//!
//! Every run makes new keys; the expectations are written here by hand, not recorded.

mod decisions;
mod events;
mod expect;
mod handles;
mod introspection;
mod notice_requests;
mod notices;
mod operations;
mod rules;

use dev_issuer::{DevIssuer, Mint};
use serde_json::{Value, json};

const NOW: u64 = 1_800_000_000;
const ISSUER: &str = "https://as.example.com";
const RESOURCE: &str = "https://mcp.example.com/mcp";

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let issuer = DevIssuer::start().await.expect("a loopback port");
    let files = [
        ("decisions", decisions::config(), decisions::cases(&issuer)),
        ("handles", handles::config(), [handles::cases(&issuer), events::cases(&issuer)].concat()),
        ("introspection", introspection::config(), introspection::cases()),
        ("notices", notices::configurations(), notices::cases(&issuer)),
        ("operations", operations::config(), operations::cases(&issuer)),
        ("rules", rules::config(), rules::cases(&issuer)),
    ];
    let access_tokens = notices::access_tokens(&issuer);
    // After the cases: a key is published when it first signs.
    let response = reqwest::get(issuer.jwks_uri()).await.expect("the key set");
    let body = response.bytes().await.expect("the key set");
    let jwks: Value = serde_json::from_slice(&body).expect("JSON");
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    for (name, config, cases) in files {
        if !wanted.is_empty() && !wanted.iter().any(|one| one == name) {
            continue;
        }
        let mut documents = json!({
            format!("{ISSUER}/.well-known/oauth-authorization-server"):
                { "issuer": ISSUER, "jwks_uri": format!("{ISSUER}/jwks") },
            format!("{ISSUER}/jwks"): jwks,
        });
        if name == "introspection" {
            documents = introspection::documents().into();
        }
        let mut file = json!({
            "about": "requests, and what must be decided about them; see vectors/README.md",
            "documents": documents,
            "cases": cases,
        });
        if name == "notices" {
            // Each case has a time, and names its configuration.
            file["configurations"] = config;
            file["access_tokens"] = access_tokens.clone();
        } else {
            file["now"] = NOW.into();
            file["config"] = config;
        }
        let text = serde_json::to_string_pretty(&file).expect("JSON") + "\n";
        std::fs::write(format!("vectors/{name}.json"), text).expect("a file that can be written");
    }
}

/// A token that is good unless it is changed.
fn good(issuer: &DevIssuer) -> Mint {
    let mint = issuer.mint().issued_at(NOW).issuer(ISSUER).audience(RESOURCE);
    mint.subject("alice").client_id("client").scope("mcp notes:read")
}
