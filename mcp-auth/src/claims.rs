//! What the claims of a token say, read once; whether that is accepted is for `authenticate` to say.

use std::borrow::Cow;

use crate::auth_info::Facts;
use crate::error::TokenError;
use crate::json::{JsonError, JsonLimits, JsonReader, Object, StringOrList, read_as};
use crate::scope::Scopes;

/// The claims that matter to a decision, read once and borrowed from the payload.
#[derive(Default)]
pub(crate) struct Claims<'a> {
    pub(crate) issuer: Option<Cow<'a, str>>,
    pub(crate) subject: Option<Cow<'a, str>>,
    pub(crate) audience: Option<StringOrList<'a>>,
    pub(crate) exp: Option<u64>,
    pub(crate) nbf: Option<u64>,
    pub(crate) iat: Option<u64>,
    /// `client_id`, `azp`, `cid`, `appid`, in this order of preference.
    pub(crate) clients: [Option<Cow<'a, str>>; 4],
    /// `scope`, `scp`, `scopes`, in this order of preference.
    pub(crate) scopes: [Option<StringOrList<'a>>; 3],
    pub(crate) typ: Option<Cow<'a, str>>,
    pub(crate) token_use: Option<Cow<'a, str>>,
    pub(crate) token_type: Option<Cow<'a, str>>,
    pub(crate) has_events: bool,
    pub(crate) has_confirmation: bool,
    /// `nonce`, which some providers put into access tokens too.
    pub(crate) has_nonce: bool,
    /// `at_hash` or `c_hash`, which belong to ID tokens alone.
    pub(crate) has_token_hash: bool,
    /// Any claim that an ID token seldom has.
    pub(crate) has_access_token_marker: bool,
    /// One of them that says what is granted.
    pub(crate) has_grant: bool,
}

impl<'a> Claims<'a> {
    /// Reads a payload; every registered claim that is there must have its type.
    pub(crate) fn read(payload: &'a [u8], limits: JsonLimits) -> Result<Self, TokenError> {
        read_as(payload, limits).map_err(Self::malformed)
    }

    pub(crate) fn malformed(error: JsonError) -> TokenError {
        TokenError::Malformed { reason: format!("claims: {error}") }
    }

    /// The OAuth client, by the first claim that names one.
    pub(crate) fn client(&self) -> Option<&str> {
        self.clients.iter().flatten().next().map(AsRef::as_ref)
    }

    /// The scopes, by the first claim that has any.
    pub(crate) fn granted_scopes(&self) -> Scopes {
        match self.scopes.iter().flatten().next() {
            Some(StringOrList::One(text)) => Scopes::granted(text),
            Some(StringOrList::Many(list)) => list.iter().collect(),
            None => Scopes::default(),
        }
    }

    /// What handlers ask for most, once the token is accepted.
    pub(crate) fn facts(&self) -> Facts {
        let audience = self.audience.iter().flat_map(StringOrList::iter).map(str::to_owned);
        // An empty text names nobody: callers without a name must not be taken for each other.
        let subject = self.subject.as_deref().filter(|subject| !subject.is_empty());
        Facts {
            audience: audience.collect(),
            subject: subject.map(str::to_owned),
            client_id: self.client().map(str::to_owned),
        }
    }
}

impl<'t> Object<'t> for Claims<'t> {
    fn member(&mut self, name: &str, value: &mut JsonReader<'t>) -> Result<(), JsonError> {
        match name {
            "iss" => self.issuer = Some(value.string()?),
            "sub" => self.subject = value.nullable(JsonReader::string)?,
            "aud" => self.audience = Some(value.string_or_list()?),
            "exp" => self.exp = Some(numeric_date(value)?),
            "nbf" => self.nbf = Some(numeric_date(value)?),
            "iat" => self.iat = Some(numeric_date(value)?),
            "azp" => self.clients[1] = value.nullable(JsonReader::string)?,
            "scopes" => self.scopes[2] = value.nullable(JsonReader::string_or_list)?,
            "typ" => self.typ = value.nullable(JsonReader::string)?,
            "token_use" => self.token_use = value.nullable(JsonReader::string)?,
            "token_type" => self.token_type = value.nullable(JsonReader::string)?,
            "events" => {
                self.has_events = true;
                value.skip()?;
            }
            "cnf" => {
                self.has_confirmation = true;
                value.skip()?;
            }
            "nonce" => {
                self.has_nonce = true;
                value.skip()?;
            }
            "at_hash" | "c_hash" => {
                self.has_token_hash = true;
                value.skip()?;
            }
            "scope" | "scp" | "client_id" | "cid" | "appid" | "permissions" | "roles" => {
                self.has_access_token_marker = true;
                self.has_grant |= !matches!(name, "client_id" | "cid" | "appid");
                self.marker(name, value)?;
            }
            _ => value.skip()?,
        }
        Ok(())
    }
}

impl<'t> Claims<'t> {
    /// A claim that only access tokens have.
    fn marker(&mut self, name: &str, value: &mut JsonReader<'t>) -> Result<(), JsonError> {
        match name {
            "scope" => self.scopes[0] = value.nullable(JsonReader::string_or_list)?,
            "scp" => self.scopes[1] = value.nullable(JsonReader::string_or_list)?,
            "client_id" => self.clients[0] = value.nullable(JsonReader::string)?,
            "cid" => self.clients[2] = value.nullable(JsonReader::string)?,
            "appid" => self.clients[3] = value.nullable(JsonReader::string)?,
            _ => value.skip()?,
        }
        Ok(())
    }
}

/// NumericDate (RFC 7519 §2): seconds since 1970, possibly with a fraction, which is cut off.
fn numeric_date(value: &mut JsonReader<'_>) -> Result<u64, JsonError> {
    /// The year 9999: what is beyond it is a mistake or an attack.
    const LIMIT: f64 = 253_402_300_800.0;
    let seconds = value.number()?;
    if !(0.0..LIMIT).contains(&seconds) {
        return Err(JsonError::WrongNumber);
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
    Ok(seconds as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registered_claims_are_preferred() {
        let payload = br#"{"iss":"i","azp":"a","client_id":"c","scp":["x"],"scope":"y z","exp":7}"#;
        let claims = Claims::read(payload, JsonLimits::LARGEST).unwrap();
        assert_eq!(claims.granted_scopes().to_string(), "y z");
        assert_eq!(claims.facts().client_id.as_deref(), Some("c"));
    }

    #[test]
    fn duplicate_claims_are_refused() {
        let read = Claims::read(br#"{"x":1,"x":2}"#, JsonLimits::LARGEST).map(|_| ());
        assert_eq!(read.unwrap_err().code(), "malformed");
    }
}
