//! A function for each provider, which makes the settings of its authorization server.

use super::preset::fill_in_preset;
use crate::config::AuthorizationServer;

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
        fill_in_preset(include_str!("providers/auth0.json"), &[domain])
    }

    /// Keycloak. `url`: such as `https://sso.example.com`, with the path it is at.
    pub fn keycloak(url: &str, realm: &str) -> AuthorizationServer {
        fill_in_preset(include_str!("providers/keycloak.json"), &[url, realm])
    }

    /// Logto. `endpoint`: such as `https://tenant.logto.app`.
    pub fn logto(endpoint: &str) -> AuthorizationServer {
        fill_in_preset(include_str!("providers/logto.json"), &[endpoint])
    }

    /// Asgardeo. `organization`: its name in the console.
    pub fn asgardeo(organization: &str) -> AuthorizationServer {
        fill_in_preset(include_str!("providers/asgardeo.json"), &[organization])
    }

    /// WSO2 Identity Server. `url`: such as `https://is.example.com:9443`, with `/t/tenant` where there is one.
    pub fn wso2(url: &str) -> AuthorizationServer {
        fill_in_preset(include_str!("providers/wso2.json"), &[url])
    }

    /// Okta. `url`: such as `https://org.okta.com`; `server`: the id of a custom authorization server, such as `default`.
    pub fn okta(url: &str, server: &str) -> AuthorizationServer {
        fill_in_preset(include_str!("providers/okta.json"), &[url, server])
    }

    /// Microsoft Entra ID. `tenant` and `application`: both as UUIDs. For several tenants, one each.
    pub fn entra(tenant: &str, application: &str) -> AuthorizationServer {
        fill_in_preset(include_str!("providers/entra.json"), &[tenant, application])
    }

    /// Amazon Cognito. `region`: such as `eu-central-1`; `pool`: the id of the user pool.
    pub fn cognito(region: &str, pool: &str) -> AuthorizationServer {
        fill_in_preset(include_str!("providers/cognito.json"), &[region, pool])
    }

    /// Descope. `project`, and `server`: the id of the MCP server.
    pub fn descope(project: &str, server: &str) -> AuthorizationServer {
        fill_in_preset(include_str!("providers/descope.json"), &[project, server])
    }

    /// Stytch. `domain`: of the project; `project`: its id.
    pub fn stytch(domain: &str, project: &str) -> AuthorizationServer {
        fill_in_preset(include_str!("providers/stytch.json"), &[domain, project])
    }

    /// Scalekit. `environment`: its host; `resource_id`: such as `res_123`.
    pub fn scalekit(environment: &str, resource_id: &str) -> AuthorizationServer {
        fill_in_preset(include_str!("providers/scalekit.json"), &[environment, resource_id])
    }

    /// WorkOS AuthKit. `domain`: such as `name.authkit.app`.
    pub fn authkit(domain: &str) -> AuthorizationServer {
        fill_in_preset(include_str!("providers/authkit.json"), &[domain])
    }

    /// Clerk. `domain`: such as `name.clerk.accounts.dev`.
    pub fn clerk(domain: &str) -> AuthorizationServer {
        fill_in_preset(include_str!("providers/clerk.json"), &[domain])
    }

    /// Supabase. `project`: its reference; `client`: the OAuth client whose tokens are accepted.
    pub fn supabase(project: &str, client: &str) -> AuthorizationServer {
        fill_in_preset(include_str!("providers/supabase.json"), &[project, client])
    }

    /// PingOne. `tld`: such as `eu`; `environment`: its id.
    pub fn pingone(tld: &str, environment: &str) -> AuthorizationServer {
        fill_in_preset(include_str!("providers/pingone.json"), &[tld, environment])
    }

    /// Zitadel. `domain`: such as `name.zitadel.cloud`; `project`: its id.
    pub fn zitadel(domain: &str, project: &str) -> AuthorizationServer {
        fill_in_preset(include_str!("providers/zitadel.json"), &[domain, project])
    }

    /// authentik. `host`; `application`: its slug; `client`: whose tokens are accepted.
    pub fn authentik(host: &str, application: &str, client: &str) -> AuthorizationServer {
        fill_in_preset(include_str!("providers/authentik.json"), &[host, application, client])
    }

    /// Ory Hydra. `issuer`: as configured.
    pub fn hydra(issuer: &str) -> AuthorizationServer {
        fill_in_preset(include_str!("providers/hydra.json"), &[issuer])
    }

    /// Curity. `issuer`: as configured.
    pub fn curity(issuer: &str) -> AuthorizationServer {
        fill_in_preset(include_str!("providers/curity.json"), &[issuer])
    }

    /// OneLogin. `subdomain`; `client`: whose tokens are accepted.
    pub fn onelogin(subdomain: &str, client: &str) -> AuthorizationServer {
        fill_in_preset(include_str!("providers/onelogin.json"), &[subdomain, client])
    }

    /// Google, whose opaque tokens its `tokeninfo` is asked about. `client`: the OAuth client whose tokens are accepted.
    pub fn google(client: &str) -> AuthorizationServer {
        fill_in_preset(include_str!("providers/google.json"), &[client])
    }

    /// GitHub, which is asked about its opaque tokens. `client`, `secret`: of the app whose tokens are accepted.
    pub fn github(client: &str, secret: &str) -> AuthorizationServer {
        fill_in_preset(include_str!("providers/github.json"), &[client, secret])
    }

    /// FusionAuth. `url`: where it is; `issuer`: as the tenant has it, a URL; `client`: the application's id.
    pub fn fusionauth(url: &str, issuer: &str, client: &str) -> AuthorizationServer {
        fill_in_preset(include_str!("providers/fusionauth.json"), &[url, issuer, client])
    }

    /// Cloudflare Access in front of the server. `team`: such as `acme`; `audience`: the application's AUD tag.
    pub fn cloudflare_access(team: &str, audience: &str) -> AuthorizationServer {
        fill_in_preset(include_str!("providers/cloudflare_access.json"), &[team, audience])
    }
}
