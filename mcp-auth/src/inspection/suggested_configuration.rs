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
    /// The same in Rust; `None` where the provider has no preset and needs more than its issuer.
    pub rust: Option<String>,
    /// As data.
    pub toml: String,
}

impl SuggestedConfiguration {
    /// For this server, with what the preset of its provider adds.
    pub(crate) fn new(
        server: &AuthorizationServer,
        known: Option<&KnownProvider>,
        resource: &str,
    ) -> Self {
        let mut fields = changed(server);
        let preset = known.and_then(|known| known.server.as_object());
        let own_alone = preset.is_none() && fields.len() == 1;
        for (name, value) in preset.into_iter().flatten() {
            fields.insert(name.clone(), value.clone());
        }
        let rust = match known {
            Some(known) => Some(with_preset(known, resource)),
            None => own_alone.then(|| with_issuer(&server.issuer, resource)),
        };
        Self { rust, toml: toml(&fields, resource) }
    }
}

/// The fields that differ from their defaults.
fn changed(server: &AuthorizationServer) -> Map<String, Value> {
    let fields = |server: &AuthorizationServer| match serde_json::to_value(server) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let defaults = fields(&AuthorizationServer::default());
    fields(server).into_iter().filter(|(name, value)| defaults.get(name) != Some(value)).collect()
}

fn with_preset(known: &KnownProvider, resource: &str) -> String {
    let arguments: Vec<_> = known.arguments.iter().map(|text| format!("{text:?}")).collect();
    format!(
        "let server = Provider::{}({});\n\
         let resource = ProtectedResource::new({resource:?}, [server]);\n\
         let config = Config::default().protect_resource(resource);\n",
        known.preset,
        arguments.join(", "),
    )
}

fn with_issuer(issuer: &str, resource: &str) -> String {
    format!("let config = Config::new({resource:?}, {issuer:?})?;\n")
}

fn toml(fields: &Map<String, Value>, resource: &str) -> String {
    let mut text = format!("[[resources]]\nresource = {}\n\n", Value::from(resource));
    text.push_str("[[resources.authorization_servers]]\n");
    for (name, value) in fields {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name} = {}", inline(value));
    }
    text
}

/// TOML has JSON's strings, numbers, booleans and arrays; tables are written otherwise.
fn inline(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members = members.iter().filter(|(_, value)| !value.is_null());
            let member = |(name, value)| {
                format!("{} = {}", Value::from(String::as_str(name)), inline(value))
            };
            format!("{{ {} }}", members.map(member).collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", "))
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
