//! The development issuer, for tests. Nothing of it runs unless it is started.

use std::collections::BTreeMap;
use std::time::Duration;

use dev_issuer::{Broken, DevClient, Mode};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use serde_json::{Map, Value};

use crate::logging;
use crate::runtime::LazyRuntime;

/// An authorization server on loopback, which lets anyone be anyone. It stops when it is closed or
/// collected.
#[pyclass(frozen)]
pub(crate) struct DevIssuer {
    issuer: dev_issuer::DevIssuer,
    runtime: LazyRuntime,
}

#[pymethods]
impl DevIssuer {
    /// Starts on a free port.
    #[new]
    #[pyo3(signature = (
        *, scopes = None, algorithm = None, auto_approve = false, default_audience = None,
        access_token_lifetime = None, clients = "[]", exchanges_own_tokens_only = false, id_jag_issuers = Vec::new()
    ))]
    #[allow(clippy::too_many_arguments, reason = "they are named where it is called")]
    fn new(
        py: Python<'_>,
        scopes: Option<Vec<String>>,
        algorithm: Option<&str>,
        auto_approve: bool,
        default_audience: Option<String>,
        access_token_lifetime: Option<u64>,
        clients: &str,
        exchanges_own_tokens_only: bool,
        id_jag_issuers: Vec<String>,
    ) -> PyResult<Self> {
        logging::start();
        let mut builder = dev_issuer::DevIssuer::builder()
            .auto_approve(auto_approve)
            .clients(read_clients(clients)?)
            .exchanges_own_tokens_only(exchanges_own_tokens_only)
            .id_jag_issuers(id_jag_issuers);
        if let Some(audience) = default_audience {
            builder = builder.default_audience(audience);
        }
        if let Some(seconds) = access_token_lifetime {
            builder = builder.access_token_lifetime(Duration::from_secs(seconds));
        }
        if let Some(scopes) = scopes {
            builder = builder.scopes(scopes);
        }
        if let Some(name) = algorithm {
            builder = builder.algorithm(parse(name)?);
        }
        py.detach(|| {
            let runtime = LazyRuntime::default();
            let started = runtime.block_on(builder.start());
            let started = started.ok_or_else(|| PyOSError::new_err("no thread can be started"))?;
            let issuer = started.map_err(|error| PyOSError::new_err(error.to_string()))?;
            Ok(Self { issuer, runtime })
        })
    }

    /// The issuer identifier.
    #[getter]
    fn issuer(&self) -> &str {
        self.issuer.issuer()
    }

    /// The URL of the JWK Set.
    #[getter]
    fn jwks_uri(&self) -> String {
        self.issuer.jwks_uri()
    }

    /// A token of any content; `claims` and `header` are JSON objects.
    #[pyo3(signature = (
        audience, scope, subject, client_id, issuer, expires_in, claims, without, header, algorithm, broken, opaque
    ))]
    #[allow(clippy::too_many_arguments, reason = "they are named where it is called")]
    fn mint(
        &self,
        audience: Vec<String>,
        scope: Option<String>,
        subject: Option<String>,
        client_id: Option<String>,
        issuer: Option<String>,
        expires_in: Option<i64>,
        claims: &str,
        without: Vec<String>,
        header: &str,
        algorithm: Option<&str>,
        broken: Option<&str>,
        opaque: bool,
    ) -> PyResult<String> {
        let mut mint = self.issuer.mint().audiences(audience);
        if let Some(scope) = scope {
            mint = mint.scope(scope);
        }
        if let Some(subject) = subject {
            mint = mint.subject(subject);
        }
        if let Some(client_id) = client_id {
            mint = mint.client_id(client_id);
        }
        if let Some(issuer) = issuer {
            mint = mint.issuer(issuer);
        }
        if let Some(seconds) = expires_in {
            mint = mint.expires_in(seconds);
        }
        for (name, value) in members(claims)? {
            mint = mint.claim(name, value);
        }
        for claim in without {
            mint = mint.without(claim);
        }
        for (name, value) in members(header)? {
            mint = mint.header(name, value);
        }
        if let Some(name) = algorithm {
            mint = mint.algorithm(parse(name)?);
        }
        if let Some(name) = broken {
            mint = mint.broken(parse::<Broken>(name)?);
        }
        Ok(if opaque { mint.opaque() } else { mint.sign() })
    }

    /// Signs with a new key from now on.
    fn rotate_keys(&self, drop_old: bool) {
        if drop_old {
            self.issuer.rotate_keys_and_drop_old();
        } else {
            self.issuer.rotate_keys();
        }
    }

    /// `online`, `offline`, `hang`, `garbage`, `status:NNN` or `token:NAME`.
    fn set_mode(&self, mode: &str) -> PyResult<()> {
        self.issuer.set_mode(parse::<Mode>(mode)?);
        Ok(())
    }

    /// Introspection says from now on that this token is not active.
    fn revoke(&self, token: &str) {
        self.issuer.revoke(token);
    }

    /// How often its keys were asked for.
    #[getter]
    fn jwks_requests(&self) -> u64 {
        self.issuer.requests().jwks
    }

    /// How often its token endpoint was asked: `token`, and by grant.
    #[getter]
    fn token_requests(&self) -> BTreeMap<&'static str, u64> {
        self.issuer.requests().of_tokens().into()
    }

    /// Stops, and frees the port.
    fn close(&self, py: Python<'_>) {
        py.detach(|| self.runtime.block_on(self.issuer.shutdown()));
    }
}

fn parse<T: std::str::FromStr<Err = dev_issuer::UnknownName>>(name: &str) -> PyResult<T> {
    name.parse().map_err(|error: dev_issuer::UnknownName| PyValueError::new_err(error.to_string()))
}

fn read_clients(list: &str) -> PyResult<Vec<DevClient>> {
    serde_json::from_str(list).map_err(|error| PyValueError::new_err(format!("clients: {error}")))
}

fn members(object: &str) -> PyResult<Map<String, Value>> {
    serde_json::from_str(object).map_err(|error| PyValueError::new_err(error.to_string()))
}
