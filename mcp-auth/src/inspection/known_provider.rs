//! Providers that are known by their issuer, and what to do there.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::issuer_pattern::{NamedPart, named_parts};
use super::preset::{PRESETS, Preset, fill_in, fill_in_text};
use super::provider_facts::ProviderFacts;
use crate::config::AuthorizationServer;
use crate::principal::{Principal, PrincipalRule};

/// A provider that was recognised by its issuer.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct KnownProvider {
    /// Its name, such as `Auth0`.
    pub name: String,
    /// The preset for it, a function of [`Provider`](crate::presets::Provider).
    pub preset: &'static str,
    /// The arguments of the preset. `<name>` stands for what the issuer does not tell.
    pub arguments: Vec<String>,
    /// What is known of it.
    pub facts: ProviderFacts,
    /// What to set up there, step by step, with the strings to paste.
    pub advice: Vec<String>,
    /// The fields that the preset sets.
    #[serde(skip)]
    pub(super) server: Value,
}

impl KnownProvider {
    /// The provider that the form of an issuer shows, if it is one of those that have a preset. Its advice names
    /// `resource`.
    pub fn recognise(issuer: &str, resource: &str) -> Option<Self> {
        PRESETS.iter().find_map(|(preset, data)| {
            let data: Preset = serde_json::from_str(data).ok()?;
            let named = data.recognise.iter().find_map(|pattern| named_parts(pattern, issuer))?;
            Some(Self::new(preset, data, &named, resource))
        })
    }

    /// Whether the preset sets `dangerous_accept_clients`, to the argument that is `<client>` in `arguments`.
    pub fn accepts_clients(&self) -> bool {
        self.server.get("dangerous_accept_clients").is_some()
            && self.arguments.iter().any(|one| one == "<client>")
    }

    fn new(preset: &'static str, data: Preset, named: &[NamedPart], resource: &str) -> Self {
        let Preset { name, parameters, mut server, mut advice, facts, .. } = data;
        let mut arguments = Vec::new();
        for parameter in &parameters {
            arguments.push(argument_for(parameter, named));
        }
        let mut names = parameters;
        names.push("resource".to_owned());
        let values: Vec<_> = arguments.iter().map(String::as_str).chain([resource]).collect();
        fill_in(&mut server, &names, &values);
        for step in &mut advice {
            fill_in_text(step, &names, &values);
        }
        Self { name, preset, arguments, facts, advice, server }
    }
}

/// The part of the issuer with the name of this parameter, or `<name>` where the issuer does not tell.
fn argument_for(parameter: &str, named: &[NamedPart]) -> String {
    match named.iter().find(|part| part.name == parameter) {
        Some(part) => part.value.clone(),
        None => format!("<{parameter}>"),
    }
}

/// How a server's tokens tell people from machines: as set, or as the provider that its issuer shows does.
pub(crate) fn principal_rule(server: &AuthorizationServer) -> PrincipalRule {
    let is_set = server.principal_claim.is_some() || server.default_principal != Principal::Unknown;
    let known = if is_set { None } else { known_principal_rule(&server.issuer) };
    known.unwrap_or_else(|| PrincipalRule {
        claim: server.principal_claim.clone(),
        default: server.default_principal,
    })
}

/// How a provider's tokens tell people from machines, if its issuer shows which one it is.
fn known_principal_rule(issuer: &str) -> Option<PrincipalRule> {
    let server = KnownProvider::recognise(issuer, "")?.server;
    // The data is ours, and a test reads all of it.
    let server = AuthorizationServer::deserialize(server).ok()?;
    Some(PrincipalRule { claim: server.principal_claim, default: server.default_principal })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_recognised_by_the_issuer_that_it_makes() {
        for (preset, data) in PRESETS {
            let data: Preset = serde_json::from_str(data).unwrap();
            for pattern in &data.recognise {
                // An issuer that fits: a word for each `*`.
                let issuer: String =
                    pattern.replace("**", "https://h.example").replace('*', "word");
                let issuer = issuer.split('{').map(|part| match part.split_once('=') {
                    Some((_, rest)) => rest.replace('}', ""),
                    None => part.to_owned(),
                });
                let issuer: String = issuer.collect();
                let known = KnownProvider::recognise(&issuer, "https://mcp.example.com/mcp");
                let known = known.unwrap_or_else(|| panic!("{pattern}: {issuer}"));
                assert_eq!(known.preset, *preset, "{issuer}");
                for step in &known.advice {
                    assert!(!step.contains("{resource}"), "{step}");
                }
            }
        }
    }

    #[test]
    fn an_issuer_that_shows_its_provider_has_its_rule_for_people_and_machines() {
        let principal = |issuer: &str, change: fn(&mut AuthorizationServer), subject: &str| {
            let mut server = AuthorizationServer::new(issuer);
            change(&mut server);
            let claims = serde_json::json!({ "sub": subject, "azp": "app" });
            principal_rule(&server).principal(claims.as_object().unwrap()).name()
        };
        let plain: fn(&mut AuthorizationServer) = |_| ();
        let set: fn(&mut AuthorizationServer) = |server| {
            server.principal_claim =
                Some(crate::principal::PrincipalClaim::new("kind", ["person"], [""; 0]));
        };
        let rows = [
            ("https://t.eu.auth0.com/", plain, "auth0|1", "user"),
            ("https://t.eu.auth0.com/", plain, "app@clients", "client"),
            ("https://t.eu.auth0.com/", plain, "agt_1", "unknown"),
            ("https://t.eu.auth0.com/", set, "auth0|1", "unknown"),
            ("https://t.logto.app/oidc", plain, "q7x2", "user"),
            ("https://t.logto.app/oidc", plain, "app", "client"),
            ("https://t.authkit.app", plain, "user_1", "user"),
            ("https://t.zitadel.cloud", plain, "293", "unknown"),
            ("https://sso.example.com/realms/r", plain, "293", "unknown"),
            ("https://as.example.com", plain, "auth0|1", "unknown"),
        ];
        for (issuer, change, subject, expected) in rows {
            assert_eq!(principal(issuer, change, subject), expected, "{issuer} {subject}");
        }
    }

    #[test]
    fn the_documentation_says_the_same() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/providers.md");
        let documentation = std::fs::read_to_string(path).unwrap();
        for (preset, data) in PRESETS {
            let data: Preset = serde_json::from_str(data).unwrap();
            let facts = [
                data.facts.metadata,
                data.facts.pkce,
                data.facts.registration,
                data.facts.client_id_metadata_documents,
                data.facts.resource_indicators,
            ];
            let facts = facts.map(|fact| fact.unwrap_or("not known".to_owned())).join(" | ");
            let call = format!("`{preset}({})`", data.parameters.join(", "));
            let row = format!("\n| {} | {call} | {facts} |\n", data.name);
            assert!(documentation.contains(&row), "{row}");
            let steps = data.advice.iter().enumerate();
            let steps: String =
                steps.map(|(index, step)| format!("{}. {step}\n", index + 1)).collect();
            let section = format!("\n### {}\n\n{steps}\n", data.name);
            assert!(documentation.contains(&section), "{section}");
        }
    }
}
