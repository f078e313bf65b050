//! Where users connect their accounts at other providers, as plain data.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{ClientAuthMethod, RedisConfig, Secret};

/// Where users connect their accounts at other providers, for APIs with the grant `authorization_code`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ConnectConfig {
    /// The public URL of our pages, such as `https://mcp.example.com/connect`: each API has its own below it. Providers are
    /// told `URL/NAME/callback`, issuers in `sign_in` `URL/NAME/signed-in`.
    pub url: String,
    /// The folder where grants are kept, sealed with `handle_keys`. Absent, without `redis`: a vault is given to the builder.
    pub folder: Option<PathBuf>,
    /// The Redis where all instances keep grants, sealed in the same way, in place of a folder. Have it write down what it
    /// keeps (`appendonly`): users are asked again for what it forgets.
    pub redis: Option<RedisConfig>,
    /// Where users sign in before they go to a provider, so that nobody connects an account for somebody else. Where there
    /// are several, each must name itself in its answers (`iss`, RFC 9207).
    pub sign_in: Vec<SignInConfig>,
}

/// Us as an OpenID Connect client of an issuer of our callers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct SignInConfig {
    /// The issuer; one of `authorization_servers`.
    pub issuer: String,
    /// Our identifier as a client there.
    pub client_id: String,
    /// How we prove that we are this client.
    pub auth_method: ClientAuthMethod,
    /// The secret, for `client_secret_basic` and `client_secret_post`. It is read, and never written.
    #[serde(skip_serializing)]
    pub client_secret: Option<Secret>,
    /// A file that holds the secret; white space around it is cut.
    pub client_secret_file: Option<PathBuf>,
    /// A PEM file with a private key in PKCS #8, for `private_key_jwt`.
    pub private_key_file: Option<PathBuf>,
    /// The `kid` by which the server knows that key.
    pub private_key_id: Option<String>,
    /// A PEM file with a certificate chain and its private key, for `tls_client_auth`.
    pub certificate_file: Option<PathBuf>,
}
