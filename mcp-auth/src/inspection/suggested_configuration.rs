//! A configuration to paste.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Map, Value};

use super::known_provider::KnownProvider;
use crate::config::AuthorizationServer;

/// What to configure here, to be pasted. `<name>` stands for what is to be filled in.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct SuggestedConfiguration {
    /// The configuration in Rust; `None` where the provider has no preset and needs more than its issuer.
    pub rust: Option<String>,
    /// The configuration as TOML.
    pub toml: String,
}

impl SuggestedConfiguration {
    /// For this server, with what the preset of its provider adds.
    pub(crate) fn new(
        server: &AuthorizationServer,
        known: Option<&KnownProvider>,
        resource: &str,
    ) -> Self {
        let mut fields = changed_fields(server);
        let preset = known.and_then(|provider| provider.server.as_object());
        let has_issuer_alone = preset.is_none() && fields.len() == 1;
        for (name, value) in preset.into_iter().flatten() {
            fields.insert(name.clone(), value.clone());
        }
        let rust = match known {
            Some(known) => Some(rust_with_preset(known, resource)),
            None => has_issuer_alone.then(|| rust_with_issuer(&server.issuer, resource)),
        };
        Self { rust, toml: as_toml(&fields, resource) }
    }
}

/// The fields that differ from their defaults.
fn changed_fields(server: &AuthorizationServer) -> Map<String, Value> {
    let defaults = fields_of(&AuthorizationServer::default());
    let mut fields = fields_of(server);
    fields.retain(|name, value| defaults.get(name) != Some(value));
    fields
}

fn fields_of(server: &AuthorizationServer) -> Map<String, Value> {
    match serde_json::to_value(server) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

fn rust_with_preset(known: &KnownProvider, resource: &str) -> String {
    let arguments: Vec<_> = known.arguments.iter().map(|text| format!("{text:?}")).collect();
    format!(
        "let server = Provider::{}({});\n\
         let resource = ProtectedResource::new({resource:?}, [server]);\n\
         let config = Config::default().protect_resource(resource);\n",
        known.preset,
        arguments.join(", "),
    )
}

fn rust_with_issuer(issuer: &str, resource: &str) -> String {
    format!("let config = Config::new({resource:?}, {issuer:?})?;\n")
}

fn as_toml(fields: &Map<String, Value>, resource: &str) -> String {
    let mut text = format!("[[resources]]\nresource = {}\n\n", Value::from(resource));
    text.push_str("[[resources.authorization_servers]]\n");
    for (name, value) in fields {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name} = {}", inline_toml(value));
    }
    text
}

/// A value on one line of TOML, which has JSON's strings, numbers, booleans and arrays, but not its objects.
fn inline_toml(data: &Value) -> String {
    match data {
        Value::Object(members) => {
            let mut pairs = Vec::new();
            for (name, value) in members {
                if !value.is_null() {
                    let key = Value::from(name.as_str());
                    pairs.push(format!("{key} = {}", inline_toml(value)));
                }
            }
            format!("{{ {} }}", pairs.join(", "))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(inline_toml).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn what_is_pasted_is_a_configuration() {
        let rows = [
            "https://t.eu.auth0.com/",
            "https://login.microsoftonline.com/8c6f1e2a-3b4d-4c5e-9f60-7a8b9c0d1e2f/v2.0",
            "https://ref.supabase.co/auth/v1",
            "https://as.example/tenant",
        ];
        for issuer in rows {
            let resource = "https://mcp.example.com/mcp";
            let known = KnownProvider::recognise(issuer, resource);
            let server = AuthorizationServer::new(issuer);
            let suggested = SuggestedConfiguration::new(&server, known.as_ref(), resource);
            let config: Config = toml::from_str(&suggested.toml).unwrap();
            assert_eq!(config.check(), Ok(()), "{}", suggested.toml);
            assert_eq!(config.resources[0].authorization_servers[0].issuer, issuer);
            assert!(suggested.rust.unwrap().contains(resource));
        }
    }

    #[test]
    fn settings_of_the_user_are_kept() {
        let mut server = AuthorizationServer::new("https://as.example");
        server.metadata_url = Some("https://as.example/m".to_owned());
        let suggested = SuggestedConfiguration::new(&server, None, "https://h.example/mcp");
        assert_eq!(suggested.rust, None);
        assert!(suggested.toml.contains("metadata_url = \"https://as.example/m\""));
    }
}
