//! The data behind each preset: a file for each provider.

use serde::Deserialize;
use serde_json::Value;

use super::provider_facts::ProviderFacts;
use crate::config::AuthorizationServer;

/// Every preset: the function above that reads it, and its data.
pub(super) const PRESETS: &[(&str, &str)] = &[
    ("auth0", include_str!("providers/auth0.json")),
    ("keycloak", include_str!("providers/keycloak.json")),
    ("logto", include_str!("providers/logto.json")),
    ("asgardeo", include_str!("providers/asgardeo.json")),
    ("wso2", include_str!("providers/wso2.json")),
    ("okta", include_str!("providers/okta.json")),
    ("entra", include_str!("providers/entra.json")),
    ("cognito", include_str!("providers/cognito.json")),
    ("descope", include_str!("providers/descope.json")),
    ("stytch", include_str!("providers/stytch.json")),
    ("scalekit", include_str!("providers/scalekit.json")),
    ("authkit", include_str!("providers/authkit.json")),
    ("clerk", include_str!("providers/clerk.json")),
    ("supabase", include_str!("providers/supabase.json")),
    ("pingone", include_str!("providers/pingone.json")),
    ("zitadel", include_str!("providers/zitadel.json")),
    ("authentik", include_str!("providers/authentik.json")),
    ("hydra", include_str!("providers/hydra.json")),
    ("curity", include_str!("providers/curity.json")),
    ("onelogin", include_str!("providers/onelogin.json")),
    ("google", include_str!("providers/google.json")),
    ("github", include_str!("providers/github.json")),
    ("fusionauth", include_str!("providers/fusionauth.json")),
    ("cloudflare_access", include_str!("providers/cloudflare_access.json")),
];

/// The data of one provider.
#[derive(Deserialize)]
pub(super) struct Preset {
    #[serde(default)]
    pub(super) name: String,
    /// The forms of its issuers, as `issuer_pattern` reads them; none where nothing tells.
    #[serde(default)]
    pub(super) recognise: Vec<String>,
    /// What is filled in for `{name}`, in the order of the constructor.
    pub(super) parameters: Vec<String>,
    pub(super) server: Value,
    /// What to set up there, step by step; `{resource}` is filled in as well.
    #[serde(default)]
    pub(super) advice: Vec<String>,
    #[serde(default)]
    pub(super) facts: ProviderFacts,
}

/// The server that a preset describes, with the arguments of its function filled in.
pub(super) fn fill_in_preset(data: &str, values: &[&str]) -> AuthorizationServer {
    // The data is ours, and a test reads all of it.
    let filled = serde_json::from_str(data).ok().and_then(|preset: Preset| {
        let mut server = preset.server;
        fill_in(&mut server, &preset.parameters, values);
        serde_json::from_value(server).ok()
    });
    filled.unwrap_or_default()
}

/// Replaces `{name}` by its value in all texts of the data.
pub(super) fn fill_in(data: &mut Value, names: &[String], values: &[&str]) {
    match data {
        Value::String(text) => fill_in_text(text, names, values),
        Value::Array(items) => items.iter_mut().for_each(|item| fill_in(item, names, values)),
        Value::Object(members) => {
            members.values_mut().for_each(|member| fill_in(member, names, values));
        }
        _ => {}
    }
}

/// Replaces `{name}` by its value, without slashes at the end.
pub(super) fn fill_in_text(text: &mut String, names: &[String], values: &[&str]) {
    for (name, value) in names.iter().zip(values) {
        *text = text.replace(&format!("{{{name}}}"), value.trim_end_matches('/'));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_complete() {
        for (name, data) in PRESETS {
            let preset: Preset = serde_json::from_str(data).unwrap();
            let values: Vec<_> = preset.parameters.iter().map(|_| "x.example").collect();
            let server = fill_in_preset(data, &values);
            assert!(!server.issuer.is_empty(), "{name}");
            let text = serde_json::to_string(&server).unwrap();
            for parameter in &preset.parameters {
                assert!(!text.contains(&format!("{{{parameter}}}")), "{name}: {text}");
            }
        }
    }
}
