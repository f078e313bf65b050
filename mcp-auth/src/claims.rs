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
    /// Reads a payload; every registered claim that is there must have its type. One that is `null` is not there.
    pub(crate) fn read(payload: &'a [u8], limits: JsonLimits) -> Result<Self, TokenError> {
        read_as(payload, limits).map_err(Self::malformed)
    }

    pub(crate) fn malformed(error: JsonError) -> TokenError {
        TokenError::Malformed { reason: format!("claims: {error}") }
    }

    /// Who it is about. An empty text names nobody: callers without a name must not be taken for each other.
    pub(crate) fn subject(&self) -> Option<&str> {
        self.subject.as_deref().filter(|subject| !subject.is_empty())
    }

    /// The OAuth client, by the first claim that names one: an empty text names none.
    pub(crate) fn client(&self) -> Option<&str> {
        self.clients.iter().flatten().map(AsRef::as_ref).find(|client: &&str| !client.is_empty())
    }

    /// The first claim with scopes that has any: some providers write an empty one beside the one that they use.
    fn granting_claim(&self) -> Option<&StringOrList<'a>> {
        self.scopes.iter().flatten().find(|claim| claim.iter().any(|text| has_scope(&text)))
    }

    /// Compares `exp`, `nbf` and `iat` with the time, where they are there; both in seconds.
    pub(crate) fn check_time(&self, tolerance: u64, now: u64) -> Result<(), TokenError> {
        if let Some(exp) = self.exp.filter(|exp| exp.saturating_add(tolerance) <= now) {
            return Err(TokenError::Expired { exp, now });
        }
        match self.nbf.max(self.iat) {
            Some(valid_from) if valid_from > now.saturating_add(tolerance) => {
                Err(TokenError::NotYetValid { valid_from, now })
            }
            _ => Ok(()),
        }
    }

    /// The scopes, by the first claim that has any.
    pub(crate) fn granted_scopes(&self) -> Scopes {
        match self.granting_claim() {
            Some(StringOrList::One(text)) => Scopes::granted(text),
            Some(many @ StringOrList::Many(_)) => many.iter().collect(),
            None => Scopes::default(),
        }
    }

    /// What handlers ask for most, once the token is accepted.
    pub(crate) fn facts(&self) -> Facts {
        let audience = self.audience.iter().flat_map(StringOrList::iter).map(Cow::into_owned);
        Facts {
            audience: audience.collect(),
            subject: self.subject().map(str::to_owned),
            client_id: self.client().map(str::to_owned),
        }
    }
}

impl<'t> Object<'t> for Claims<'t> {
    fn member(&mut self, name: &str, value: &mut JsonReader<'t>) -> Result<(), JsonError> {
        match name {
            "iss" => self.issuer = value.nullable(JsonReader::string)?,
            "sub" => self.subject = value.nullable(JsonReader::string)?,
            "aud" => self.audience = value.nullable(JsonReader::string_or_list)?,
            "exp" => self.exp = value.nullable(numeric_date)?,
            "nbf" => self.nbf = value.nullable(numeric_date)?,
            "iat" => self.iat = value.nullable(numeric_date)?,
            "azp" => self.clients[1] = value.nullable(JsonReader::string)?,
            "scopes" => self.scopes[2] = value.nullable(JsonReader::string_or_list)?,
            "typ" => self.typ = value.nullable(JsonReader::string)?,
            "token_use" => self.token_use = value.nullable(JsonReader::string)?,
            "token_type" => self.token_type = value.nullable(JsonReader::string)?,
            "events" => self.has_events = value.written()?.is_some(),
            "cnf" => self.has_confirmation = value.written()?.is_some(),
            "nonce" => self.has_nonce = value.written()?.is_some(),
            "at_hash" | "c_hash" => self.has_token_hash |= value.written()?.is_some(),
            "scope" | "scp" | "client_id" | "cid" | "appid" | "permissions" | "roles" => {
                if self.marker(name, value)? {
                    self.has_access_token_marker = true;
                    self.has_grant |= !matches!(name, "client_id" | "cid" | "appid");
                }
            }
            _ => value.skip()?,
        }
        Ok(())
    }
}

impl<'t> Claims<'t> {
    /// A claim that only access tokens have; whether it is there. `null` is not, and an empty text is: no ID token
    /// has that either.
    fn marker(&mut self, name: &str, value: &mut JsonReader<'t>) -> Result<bool, JsonError> {
        // Of all values, only `null` begins with this letter.
        let is_there = value.next_byte() != Some(b'n');
        match name {
            "scope" => self.scopes[0] = value.nullable(JsonReader::string_or_list)?,
            "scp" => self.scopes[1] = value.nullable(JsonReader::string_or_list)?,
            "client_id" => self.clients[0] = value.nullable(JsonReader::string)?,
            "cid" => self.clients[2] = value.nullable(JsonReader::string)?,
            "appid" => self.clients[3] = value.nullable(JsonReader::string)?,
            _ => value.skip()?,
        }
        Ok(is_there)
    }
}

/// Whether a text with spaces between scopes has a scope.
fn has_scope(text: &str) -> bool {
    let from_first_scope = text.trim_start_matches(' ');
    crate::steps::take(text.len() - from_first_scope.len() + 1);
    !from_first_scope.is_empty()
}

/// NumericDate (RFC 7519 §2): seconds since 1970, possibly with a fraction, which is cut off.
fn numeric_date(value: &mut JsonReader<'_>) -> Result<u64, JsonError> {
    /// The year 9999: what is beyond it is a mistake or an attack.
    const LIMIT: f64 = 253_402_300_800.0;
    let seconds = value.number()?;
    if !(0.0..LIMIT).contains(&seconds) {
        return Err(JsonError::wrong_type("a number out of range", "a time in seconds since 1970"));
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
    fn an_empty_claim_is_no_claim() {
        let rows = [
            (r#"{"scope":"","scp":["mcp"]}"#, "mcp"),
            (r#"{"scope":[],"scp":"mcp a"}"#, "mcp a"),
            (r#"{"scope":"  ","scp":[],"scopes":["mcp"]}"#, "mcp"),
            (r#"{"scope":["",""],"scopes":"mcp"}"#, "mcp"),
            (r#"{"scope":null,"scp":["mcp"]}"#, "mcp"),
            (r#"{"scope":"a","scp":["mcp"]}"#, "a"),
            (r#"{"scope":["","a"],"scp":["mcp"]}"#, "a"),
            (r#"{"scope":"","scp":[],"scopes":null}"#, ""),
        ];
        for (payload, scopes) in rows {
            let claims = Claims::read(payload.as_bytes(), JsonLimits::LARGEST).unwrap();
            assert_eq!(claims.granted_scopes().to_string(), scopes, "{payload}");
        }
        let rows = [
            (r#"{"client_id":"","azp":"a"}"#, Some("a")),
            (r#"{"client_id":null,"azp":"","cid":"c"}"#, Some("c")),
            (r#"{"client_id":"","appid":""}"#, None),
        ];
        for (payload, client) in rows {
            let facts = Claims::read(payload.as_bytes(), JsonLimits::LARGEST).unwrap().facts();
            assert_eq!(facts.client_id.as_deref(), client, "{payload}");
        }
    }

    #[test]
    fn a_claim_of_a_wrong_type_is_named_with_what_it_is_and_must_be() {
        let rows = [
            (r#"{"sub":7}"#, "`sub` is a number, a string is needed"),
            (r#"{"iss":["i"]}"#, "`iss` is an array, a string is needed"),
            (r#"{"aud":true}"#, "`aud` is a boolean, a string or an array of strings is needed"),
            (r#"{"aud":["a",7]}"#, "an item of `aud` is a number, a string is needed"),
            (r#"{"scp":[null]}"#, "an item of `scp` is null, a string is needed"),
            (r#"{"exp":"7"}"#, "`exp` is a string, a number is needed"),
            (r#"{"nbf":{"a":[]}}"#, "`nbf` is an object, a number is needed"),
            (
                r#"{"iat":-1}"#,
                "`iat` is a number out of range, a time in seconds since 1970 is needed",
            ),
            (r#"{"client_id":{}}"#, "`client_id` is an object, a string is needed"),
            (r#"[]"#, "it is an array, an object is needed"),
            (r#"{"sub":-}"#, "not JSON at byte 8"),
            (r#"{"sub":seven}"#, "not JSON at byte 7"),
            (r#"{7:"sub"}"#, "not JSON at byte 1"),
        ];
        for (payload, reason) in rows {
            let error =
                Claims::read(payload.as_bytes(), JsonLimits::LARGEST).map(|_| ()).unwrap_err();
            assert_eq!(error, TokenError::Malformed { reason: format!("claims: {reason}") });
        }
    }

    #[test]
    fn duplicate_claims_are_refused() {
        let read = Claims::read(br#"{"x":1,"x":2}"#, JsonLimits::LARGEST).map(|_| ());
        assert_eq!(read.unwrap_err().code(), "malformed");
    }
}
