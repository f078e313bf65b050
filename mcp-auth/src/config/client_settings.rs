//! What proves who we are to an authorization server, wherever it is configured.

use std::path::Path;

use super::{
    ClientAuthMethod, DownstreamConfig, DownstreamTarget, Introspection, Secret, SignInConfig,
};

/// The settings of us as a client: of introspection, and of tokens for downstream APIs.
pub(crate) struct ClientSettings<'c> {
    pub(crate) auth_method: ClientAuthMethod,
    pub(crate) client_secret: Option<&'c Secret>,
    pub(crate) client_secret_file: Option<&'c Path>,
    pub(crate) private_key_file: Option<&'c Path>,
    pub(crate) private_key_id: Option<&'c str>,
    pub(crate) certificate_file: Option<&'c Path>,
}

impl Introspection {
    /// Its settings of us as a client.
    pub(crate) fn client_settings(&self) -> ClientSettings<'_> {
        ClientSettings {
            auth_method: self.auth_method,
            client_secret: self.client_secret.as_ref(),
            client_secret_file: self.client_secret_file.as_deref(),
            private_key_file: self.private_key_file.as_deref(),
            private_key_id: self.private_key_id.as_deref(),
            certificate_file: self.certificate_file.as_deref(),
        }
    }
}

impl DownstreamConfig {
    /// Its settings of us as a client.
    pub(crate) fn client_settings(&self) -> ClientSettings<'_> {
        ClientSettings {
            auth_method: self.auth_method,
            client_secret: self.client_secret.as_ref(),
            client_secret_file: self.client_secret_file.as_deref(),
            private_key_file: self.private_key_file.as_deref(),
            private_key_id: self.private_key_id.as_deref(),
            certificate_file: self.certificate_file.as_deref(),
        }
    }
}

impl DownstreamTarget {
    /// Its settings of us as a client.
    pub(crate) fn client_settings(&self) -> ClientSettings<'_> {
        ClientSettings {
            auth_method: self.auth_method,
            client_secret: self.client_secret.as_ref(),
            client_secret_file: self.client_secret_file.as_deref(),
            private_key_file: self.private_key_file.as_deref(),
            private_key_id: self.private_key_id.as_deref(),
            certificate_file: self.certificate_file.as_deref(),
        }
    }
}

impl SignInConfig {
    /// Its settings of us as a client.
    pub(crate) fn client_settings(&self) -> ClientSettings<'_> {
        ClientSettings {
            auth_method: self.auth_method,
            client_secret: self.client_secret.as_ref(),
            client_secret_file: self.client_secret_file.as_deref(),
            private_key_file: self.private_key_file.as_deref(),
            private_key_id: self.private_key_id.as_deref(),
            certificate_file: self.certificate_file.as_deref(),
        }
    }
}
