//! The request that asks about a token.

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request};
use serde_json::json;

use super::Introspector;
use crate::config::IntrospectionMethod;
use crate::issuer::Destination;
use crate::issuer::client_credentials::{ClientCredentials, basic_header, write_form};

/// The media type of a signed answer (RFC 9701 §3).
pub(super) const SIGNED: &str = "application/token-introspection+jwt";

impl Introspector {
    /// The request that asks about a token, in the way of the configured method.
    pub(super) fn question(
        &self,
        place: &Destination,
        token: &str,
    ) -> Result<Request<Bytes>, String> {
        let mut headers = HeaderMap::new();
        let accept = if self.signed_answers.is_some() { SIGNED } else { "application/json" };
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        let (method, body) = match self.method {
            IntrospectionMethod::Rfc7662 => {
                (Method::POST, self.rfc_7662_form(token, &mut headers)?)
            }
            IntrospectionMethod::GoogleTokeninfo => {
                // In the form and not in the URL, where logs would keep it.
                (Method::POST, form_body(&mut headers, &[("access_token", token.to_owned())]))
            }
            IntrospectionMethod::GithubCheckToken => {
                headers.insert(AUTHORIZATION, self.github_client()?);
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                (Method::POST, json!({ "access_token": token }).to_string())
            }
            IntrospectionMethod::DangerousUserinfo => {
                headers.insert(AUTHORIZATION, bearer_header(token)?);
                (Method::GET, String::new())
            }
        };
        let mut request = Request::new(Bytes::from(body));
        *request.method_mut() = method;
        *request.uri_mut() = place.url.parse().map_err(|_| "not a valid URL".to_owned())?;
        *request.headers_mut() = headers;
        request.extensions_mut().insert(place.addresses);
        Ok(request)
    }

    /// The form of RFC 7662 §2.1, with what proves who we are.
    fn rfc_7662_form(&self, token: &str, headers: &mut HeaderMap) -> Result<String, String> {
        let hint = ("token_type_hint", "access_token".to_owned());
        let mut members = vec![("token", token.to_owned()), hint];
        let issuer = self.issuer.identifier().as_str();
        let now = self.issuer.now();
        self.credentials.prove(&self.client_id, issuer, now, headers, &mut members)?;
        Ok(form_body(headers, &members))
    }

    /// Our identifier and secret as GitHub reads them: it does not form-decode them, against RFC 6749 §2.3.1.
    fn github_client(&self) -> Result<HeaderValue, String> {
        let (ClientCredentials::Basic(secret) | ClientCredentials::Post(secret)) =
            &self.credentials
        else {
            return Err("a client secret is needed".to_owned());
        };
        basic_header(&format!("{}:{}", self.client_id, secret.expose()))
    }
}

/// The form as the body of a request, whose headers get its media type.
fn form_body(headers: &mut HeaderMap, members: &[(&'static str, String)]) -> String {
    let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
    headers.insert(CONTENT_TYPE, form_type);
    write_form(members)
}

/// An `Authorization` header that logs do not show.
fn bearer_header(token: &str) -> Result<HeaderValue, String> {
    let text = format!("Bearer {token}");
    let mut value = HeaderValue::from_str(&text).map_err(|error| error.to_string())?;
    value.set_sensitive(true);
    Ok(value)
}
