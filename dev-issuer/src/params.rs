//! Request parameters, read as OAuth wants them: none twice, and an empty one counts as left out.

use axum::http::{HeaderMap, header};
use url::form_urlencoded;

use crate::oauth_error::OAuthError;

/// The parameters of a query or a form, in order. Empty values count as omitted (RFC 6749 §3.1).
#[derive(Clone, Debug)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    pub(crate) fn parse(encoded: &[u8]) -> Self {
        Self(
            form_urlencoded::parse(encoded)
                .filter(|(_, value)| !value.is_empty())
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect(),
        )
    }

    /// The body of a POST, which must say that it is a form.
    pub(crate) fn form(headers: &HeaderMap, body: &[u8]) -> Result<Self, OAuthError> {
        let is_form = headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .is_some_and(|media_type| {
                media_type.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
            });
        if !is_form {
            let description = "the body must be application/x-www-form-urlencoded";
            return Err(OAuthError::invalid_request(description));
        }
        Ok(Self::parse(body))
    }

    /// The value of a parameter that may be given once.
    pub(crate) fn optional(&self, name: &str) -> Result<Option<&str>, OAuthError> {
        let mut values = self.repeated(name);
        let first = values.next();
        match values.next() {
            None => Ok(first),
            Some(_) => Err(OAuthError::invalid_request(format!("{name} is given twice"))),
        }
    }

    /// The value of a parameter that must be given once.
    pub(crate) fn required(&self, name: &str) -> Result<&str, OAuthError> {
        self.optional(name)?
            .ok_or_else(|| OAuthError::invalid_request(format!("{name} is missing")))
    }

    /// The values of a parameter that may be repeated.
    pub(crate) fn repeated<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.iter().filter(move |(key, _)| *key == name).map(|(_, value)| value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}
