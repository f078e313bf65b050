//! Which resources and scopes a request asks for, in the one way that all endpoints read them.

use url::Url;

use crate::issuer::Issuer;
use crate::oauth_error::OAuthError;
use crate::params::Params;

/// The distinct scopes asked for, or the default ones.
pub(super) fn requested_scopes(
    issuer: &Issuer,
    params: &Params,
) -> Result<Vec<String>, OAuthError> {
    let scopes = issuer.settings.requested_scopes(params.optional("scope")?);
    scopes.map_err(|scope| OAuthError::invalid_scope(&scope))
}

/// RFC 8707 §2: the distinct resources asked for, or the default audience.
pub(super) fn requested_resources(
    issuer: &Issuer,
    params: &Params,
) -> Result<Vec<String>, OAuthError> {
    let mut resources: Vec<String> = Vec::new();
    for resource in params.repeated("resource") {
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
        resources.extend(issuer.settings.default_audience.clone());
    }
    if resources.is_empty() {
        return Err(OAuthError::invalid_target("resource is missing"));
    }
    Ok(resources)
}

/// RFC 8707 §2.2: the resources asked for, all of which must have been granted; or all granted.
pub(super) fn narrowed_resources(
    granted: &[String],
    params: &Params,
) -> Result<Vec<String>, OAuthError> {
    let wanted: Vec<String> = params.repeated("resource").map(str::to_owned).collect();
    if wanted.iter().any(|resource| !granted.contains(resource)) {
        return Err(OAuthError::invalid_target("resource was not granted"));
    }
    Ok(if wanted.is_empty() { granted.to_vec() } else { wanted })
}
