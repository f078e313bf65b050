use std::sync::Arc;

use url::{Url, form_urlencoded};

use crate::client::{Client, GrantType, is_loopback};
use crate::core::Core;
use crate::http::{OAuthError, Params};
use crate::scope;

/// Who asked, and where the answer goes. Errors after this point are redirected.
pub(super) struct Recipient {
    pub(super) client: Arc<Client>,
    pub(super) redirect_uri: String,
    pub(super) state: Option<String>,
}

impl Recipient {
    /// Anything wrong here is for the user to see, never to redirect (RFC 6749 §4.1.2.1).
    pub(super) async fn find(core: &Core, params: &Params) -> Result<Self, OAuthError> {
        let client = core.clients.introduce(params.required("client_id")?).await?;
        let redirect_uri = client
            .redirect_uris
            .choose(params.one("redirect_uri")?)
            .ok_or_else(|| OAuthError::invalid_request("redirect_uri is not registered"))?;
        let state = params.one("state").ok().flatten().map(str::to_owned);
        Ok(Self { client, redirect_uri, state })
    }

    /// Whether a user has to decide: always but under `auto_approve`, and there too unless the client
    /// is at a loopback address. See [`is_loopback`].
    pub(super) fn needs_page(&self, core: &Core) -> bool {
        !(core.settings.auto_approve && is_loopback(&self.redirect_uri))
    }

    /// The redirect URI with the response parameters, `state` and `iss` (RFC 9207).
    pub(super) fn response_uri(&self, core: &Core, params: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(params);
        if let Some(state) = &self.state {
            query.append_pair("state", state);
        }
        query.append_pair("iss", &core.issuer);
        let separator = if self.redirect_uri.contains('?') { '&' } else { '?' };
        format!("{}{separator}{}", self.redirect_uri, query.finish())
    }

    pub(super) fn error_uri(&self, core: &Core, error: &OAuthError) -> String {
        let params = [("error", error.error), ("error_description", &error.description)];
        self.response_uri(core, &params)
    }
}

/// A valid authorization request, waiting for the user.
#[derive(Clone, Debug)]
pub(crate) struct AuthorizationRequest {
    pub(crate) client: Arc<Client>,
    pub(crate) redirect_uri: String,
    pub(crate) state: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) resources: Vec<String>,
    pub(crate) code_challenge: String,
    pub(crate) nonce: Option<String>,
    pub(crate) login_hint: Option<String>,
}

impl AuthorizationRequest {
    pub(super) fn parse(
        core: &Core,
        params: &Params,
        recipient: &Recipient,
    ) -> Result<Self, OAuthError> {
        params.one("state")?;
        if params.one("request")?.is_some() {
            return Err(OAuthError::new("request_not_supported", "request is not supported"));
        }
        if params.one("request_uri")?.is_some() {
            let description = "request_uri is not supported";
            return Err(OAuthError::new("request_uri_not_supported", description));
        }
        match params.required("response_type")? {
            "code" => {}
            _ => {
                let description = "the only response_type is code";
                return Err(OAuthError::new("unsupported_response_type", description));
            }
        }
        if params.one("response_mode")?.is_some_and(|mode| mode != "query") {
            return Err(OAuthError::invalid_request("the only response_mode is query"));
        }
        recipient.client.may_use(GrantType::AuthorizationCode)?;
        if params.one("prompt")? == Some("none") && recipient.needs_page(core) {
            return Err(OAuthError::new("interaction_required", "a user has to decide"));
        }
        Ok(Self {
            client: recipient.client.clone(),
            redirect_uri: recipient.redirect_uri.clone(),
            state: recipient.state.clone(),
            scopes: scope::requested(&core.settings, params.one("scope")?)
                .map_err(|scope| OAuthError::invalid_scope(&scope))?,
            resources: resources(core, params)?,
            code_challenge: code_challenge(params)?,
            nonce: params.one("nonce")?.map(str::to_owned),
            login_hint: params.one("login_hint")?.map(str::to_owned),
        })
    }

    pub(super) fn recipient(&self) -> Recipient {
        Recipient {
            client: self.client.clone(),
            redirect_uri: self.redirect_uri.clone(),
            state: self.state.clone(),
        }
    }
}

/// RFC 8707 §2: the distinct resources asked for, or the default audience.
pub(crate) fn resources(core: &Core, params: &Params) -> Result<Vec<String>, OAuthError> {
    let mut resources: Vec<String> = Vec::new();
    for resource in params.all("resource") {
        let is_valid = Url::parse(resource).is_ok() && !resource.contains('#');
        if !is_valid {
            let description =
                format!("resource {resource} is not an absolute URI without fragment");
            return Err(OAuthError::invalid_target(description));
        }
        if !resources.iter().any(|seen| seen == resource) {
            resources.push(resource.to_owned());
        }
    }
    if resources.is_empty() {
        resources.extend(core.settings.default_audience.clone());
    }
    if resources.is_empty() {
        return Err(OAuthError::invalid_target("resource is missing"));
    }
    Ok(resources)
}

/// RFC 7636, S256 only: base64url of a SHA-256 digest is 43 characters.
fn code_challenge(params: &Params) -> Result<String, OAuthError> {
    let challenge = params.required("code_challenge")?;
    if params.one("code_challenge_method")? != Some("S256") {
        return Err(OAuthError::invalid_request("code_challenge_method must be S256"));
    }
    let is_base64url = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if challenge.len() != 43 || !challenge.bytes().all(is_base64url) {
        return Err(OAuthError::invalid_request("code_challenge is not of S256"));
    }
    Ok(challenge.to_owned())
}
