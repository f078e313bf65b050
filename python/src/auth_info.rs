//! The caller of a request.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyTuple};

use crate::{errors, json};

/// The authenticated caller of a request: who they are and what their token grants.
#[pyclass(frozen, module = "mcp_auth")]
pub(crate) struct AuthInfo {
    inner: mcp_auth::AuthInfo,
    claims: PyOnceLock<Py<PyDict>>,
    scopes: PyOnceLock<Py<PyList>>,
}

impl AuthInfo {
    pub(crate) fn new(inner: mcp_auth::AuthInfo) -> Self {
        Self { inner, claims: PyOnceLock::new(), scopes: PyOnceLock::new() }
    }

    /// As the core has it.
    pub(crate) fn inner(&self) -> &mcp_auth::AuthInfo {
        &self.inner
    }
}

#[pymethods]
impl AuthInfo {
    /// All claims of the token.
    #[getter]
    fn claims<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyDict>> {
        let claims = self
            .claims
            .get_or_try_init(py, || json::object(py, self.inner.claims()).map(Bound::unbind))?;
        Ok(claims.bind(py))
    }

    /// `sub`: the caller, unique within the issuer; machine clients may have none.
    #[getter]
    fn subject(&self) -> Option<&str> {
        self.inner.subject()
    }

    /// `iss`: the authorization server that issued the token.
    #[getter]
    fn issuer(&self) -> &str {
        self.inner.issuer()
    }

    /// The OAuth client: the first of `client_id`, `azp`, `cid` and `appid`.
    #[getter]
    fn client_id(&self) -> Option<&str> {
        self.inner.client_id()
    }

    /// The granted scopes.
    #[getter]
    fn scopes<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyList>> {
        let scopes = self.scopes.get_or_try_init(py, || {
            PyList::new(py, self.inner.scopes().iter()).map(Bound::unbind)
        })?;
        Ok(scopes.bind(py))
    }

    /// `aud`: for whom the token was issued.
    #[getter]
    fn audience(&self) -> Vec<String> {
        self.inner.audience().to_vec()
    }

    /// `exp`, in seconds since 1970.
    #[getter]
    fn expires_at(&self) -> Option<u64> {
        self.inner.expires_at()
    }

    /// `user`, `client` for a machine on its own behalf, or `unknown` when the token does not tell.
    #[getter]
    fn principal(&self) -> &'static str {
        self.inner.principal().name()
    }

    /// (`iss`, `sub`): the key under which to store what belongs to this caller. A machine without `sub` is known by
    /// its client; `None` is nobody to store anything for.
    #[getter]
    fn key(&self) -> (&str, Option<String>) {
        self.inner.key()
    }

    /// The token itself, for exchanging it at its issuer. Never send it to another service.
    #[getter]
    fn dangerous_raw_token(&self) -> &str {
        self.inner.dangerous_raw_token()
    }

    /// Whether the token grants all of these scopes.
    #[pyo3(signature = (*scopes))]
    fn has(&self, scopes: &Bound<'_, PyTuple>) -> PyResult<bool> {
        Ok(self.inner.has(scopes.extract::<Vec<String>>()?))
    }

    /// Asks for more scopes than the request was checked for: raises `InsufficientScope`, which
    /// becomes a 403 that makes clients ask the user, as long as nothing was sent.
    #[pyo3(signature = (*scopes))]
    fn require(&self, py: Python<'_>, scopes: &Bound<'_, PyTuple>) -> PyResult<()> {
        let required = self.inner.require(scopes.extract::<Vec<String>>()?);
        required.map_err(|error| errors::insufficient_scope(py, &error))
    }

    /// Withdraws what `require` has asked for in this request: the handler answers itself.
    fn withdraw_refusal(&self) {
        self.inner.withdraw_refusal();
    }

    fn __repr__(&self) -> String {
        format!(
            "AuthInfo(issuer={:?}, scopes={:?})",
            self.inner.issuer(),
            self.inner.scopes().to_string()
        )
    }
}
