//! Authorization servers as providers need them: data, a file for each.

use serde::Deserialize;
use serde_json::Value;

use super::{AuthorizationServer, ProviderFacts};

/// Presets for identity providers. Each only fills in the fields of an [`AuthorizationServer`], which
/// you may change afterwards, or write yourself.
///
/// What to set up at the provider, and how each was tested, is in `docs/providers.md`.
#[derive(Debug)]
#[non_exhaustive]
pub struct Provider;

impl Provider {
    /// Auth0. `domain`: such as `tenant.eu.auth0.com`, or a custom domain.
    pub fn auth0(domain: &str) -> AuthorizationServer {
        preset(include_str!("providers/auth0.json"), &[domain])
    }

    /// Keycloak. `url`: such as `https://sso.example.com`, with the path it is at.
    pub fn keycloak(url: &str, realm: &str) -> AuthorizationServer {
        preset(include_str!("providers/keycloak.json"), &[url, realm])
    }

    /// Logto. `endpoint`: such as `https://tenant.logto.app`.
    pub fn logto(endpoint: &str) -> AuthorizationServer {
        preset(include_str!("providers/logto.json"), &[endpoint])
    }

    /// Asgardeo. `organization`: its name in the console.
    pub fn asgardeo(organization: &str) -> AuthorizationServer {
        preset(include_str!("providers/asgardeo.json"), &[organization])
    }

    /// WSO2 Identity Server. `url`: such as `https://is.example.com:9443`, with `/t/tenant` where there is one.
    pub fn wso2(url: &str) -> AuthorizationServer {
        preset(include_str!("providers/wso2.json"), &[url])
    }

    /// Okta. `url`: such as `https://org.okta.com`; `server`: the id of a custom authorization server, such as `default`.
    pub fn okta(url: &str, server: &str) -> AuthorizationServer {
        preset(include_str!("providers/okta.json"), &[url, server])
    }

    /// Microsoft Entra ID. `tenant` and `application`: both as UUIDs. For several tenants, one each.
    pub fn entra(tenant: &str, application: &str) -> AuthorizationServer {
        preset(include_str!("providers/entra.json"), &[tenant, application])
    }

    /// Amazon Cognito. `region`: such as `eu-central-1`; `pool`: the id of the user pool.
    pub fn cognito(region: &str, pool: &str) -> AuthorizationServer {
        preset(include_str!("providers/cognito.json"), &[region, pool])
    }

    /// Descope. `project`, and `server`: the id of the MCP server.
    pub fn descope(project: &str, server: &str) -> AuthorizationServer {
        preset(include_str!("providers/descope.json"), &[project, server])
    }

    /// Stytch. `domain`: of the project; `project`: its id.
    pub fn stytch(domain: &str, project: &str) -> AuthorizationServer {
        preset(include_str!("providers/stytch.json"), &[domain, project])
    }

    /// Scalekit. `environment`: its host; `resource_id`: such as `res_123`.
    pub fn scalekit(environment: &str, resource_id: &str) -> AuthorizationServer {
        preset(include_str!("providers/scalekit.json"), &[environment, resource_id])
    }

    /// WorkOS AuthKit. `domain`: such as `name.authkit.app`.
    pub fn authkit(domain: &str) -> AuthorizationServer {
        preset(include_str!("providers/authkit.json"), &[domain])
    }

    /// Clerk. `domain`: such as `name.clerk.accounts.dev`.
    pub fn clerk(domain: &str) -> AuthorizationServer {
        preset(include_str!("providers/clerk.json"), &[domain])
    }

    /// Supabase. `project`: its reference; `client`: the OAuth client whose tokens are accepted.
    pub fn supabase(project: &str, client: &str) -> AuthorizationServer {
        preset(include_str!("providers/supabase.json"), &[project, client])
    }

    /// PingOne. `tld`: such as `eu`; `environment`: its id.
    pub fn pingone(tld: &str, environment: &str) -> AuthorizationServer {
        preset(include_str!("providers/pingone.json"), &[tld, environment])
    }

    /// Zitadel. `domain`: such as `name.zitadel.cloud`; `project`: its id.
    pub fn zitadel(domain: &str, project: &str) -> AuthorizationServer {
        preset(include_str!("providers/zitadel.json"), &[domain, project])
    }

    /// authentik. `host`; `application`: its slug; `client`: whose tokens are accepted.
    pub fn authentik(host: &str, application: &str, client: &str) -> AuthorizationServer {
        preset(include_str!("providers/authentik.json"), &[host, application, client])
    }

    /// Ory Hydra. `issuer`: as configured.
    pub fn hydra(issuer: &str) -> AuthorizationServer {
        preset(include_str!("providers/hydra.json"), &[issuer])
    }

    /// Curity. `issuer`: as configured.
    pub fn curity(issuer: &str) -> AuthorizationServer {
        preset(include_str!("providers/curity.json"), &[issuer])
    }

    /// OneLogin. `subdomain`; `client`: whose tokens are accepted.
    pub fn onelogin(subdomain: &str, client: &str) -> AuthorizationServer {
        preset(include_str!("providers/onelogin.json"), &[subdomain, client])
    }

    /// Google, whose opaque tokens its `tokeninfo` is asked about. `client`: the OAuth client whose tokens are accepted.
    pub fn google(client: &str) -> AuthorizationServer {
        preset(include_str!("providers/google.json"), &[client])
    }

    /// GitHub, which is asked about its opaque tokens. `client`, `secret`: of the app whose tokens are accepted.
    pub fn github(client: &str, secret: &str) -> AuthorizationServer {
        preset(include_str!("providers/github.json"), &[client, secret])
    }

    /// FusionAuth. `url`: where it is; `issuer`: as the tenant has it, a URL; `client`: the application's id.
    pub fn fusionauth(url: &str, issuer: &str, client: &str) -> AuthorizationServer {
        preset(include_str!("providers/fusionauth.json"), &[url, issuer, client])
    }

    /// Cloudflare Access in front of the server. `team`: such as `acme`; `audience`: the application's AUD tag.
    pub fn cloudflare_access(team: &str, audience: &str) -> AuthorizationServer {
        preset(include_str!("providers/cloudflare_access.json"), &[team, audience])
    }
}

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

fn preset(data: &str, values: &[&str]) -> AuthorizationServer {
    // The data is ours, and a test reads all of it.
    let filled = serde_json::from_str(data).ok().and_then(|preset: Preset| {
        let mut server = preset.server;
        fill_in(&mut server, &preset.parameters, values);
        serde_json::from_value(server).ok()
    });
    filled.unwrap_or_default()
}

pub(super) fn fill_in(data: &mut Value, names: &[String], values: &[&str]) {
    match data {
        Value::String(text) => {
            for (name, value) in names.iter().zip(values) {
                *text = text.replace(&format!("{{{name}}}"), value.trim_end_matches('/'));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| fill_in(item, names, values)),
        Value::Object(members) => {
            members.values_mut().for_each(|member| fill_in(member, names, values));
        }
        _ => {}
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
            let server = super::preset(data, &values);
            assert!(!server.issuer.is_empty(), "{name}");
            let text = serde_json::to_string(&server).unwrap();
            for parameter in &preset.parameters {
                assert!(!text.contains(&format!("{{{parameter}}}")), "{name}: {text}");
            }
        }
    }
}
