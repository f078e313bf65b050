//! Who is behind a token: a person or a machine.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::claim_path::{at, texts};

/// Claims that name the client, as providers call it.
const CLIENT_CLAIMS: [&str; 4] = ["client_id", "azp", "cid", "appid"];
/// Claims with the grant by which the client got the token: Auth0, FusionAuth, PingAM, UAA.
const GRANT_CLAIMS: [&str; 3] = ["gty", "grant_type", "gtp"];
/// Claims in which machines show at some provider, each a text.
const SIGNS: [&str; 4] = ["aut", "idtyp", "oid", "preferred_username"];
/// Claims about a person (OpenID Connect Core §5.1). Machines have none unless somebody gave them one, while
/// `name`, `given_name` and `preferred_username` are there for those that authentik or Zitadel model as users.
const PERSONAL_CLAIMS: [&str; 2] = ["email", "family_name"];

/// Who is behind a token.
///
/// Told by what the token says, and never guessed: see `principal_claim` and `default_principal` of
/// [`AuthorizationServer`](crate::AuthorizationServer) for tokens that say nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Principal {
    /// A person, through a client.
    User,
    /// A client on its own behalf (RFC 6749 §4.4).
    Client,
    /// The token does not tell. A policy for users or for clients refuses it.
    #[default]
    Unknown,
}

impl Principal {
    /// As it is written in data.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Client => "client",
            Self::Unknown => "unknown",
        }
    }
}

/// The claim by which an authorization server says who is behind a token.
///
/// In data: `{ claim = "idtyp", user = ["user"], client = ["app"] }`. In a value, `*` stands for any
/// characters: `{ claim = "sub", user = ["user_*"] }`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct PrincipalClaim {
    /// Its name, or a JSON Pointer (RFC 6901).
    pub claim: String,
    /// What it says for a person. Numbers, `true` and `false` are compared as JSON writes them.
    pub user: Vec<String>,
    /// What it says for a machine.
    pub client: Vec<String>,
}

impl PrincipalClaim {
    /// A claim of this name, with what it says for a person and for a machine.
    pub fn new<U: Into<String>, C: Into<String>>(
        claim: impl Into<String>,
        user: impl IntoIterator<Item = U>,
        client: impl IntoIterator<Item = C>,
    ) -> Self {
        Self {
            claim: claim.into(),
            user: user.into_iter().map(Into::into).collect(),
            client: client.into_iter().map(Into::into).collect(),
        }
    }

    /// What cannot work about it.
    pub(crate) fn fault(&self) -> Option<String> {
        if self.claim.is_empty() {
            return Some("names no claim".to_owned());
        }
        if self.user.is_empty() && self.client.is_empty() {
            return Some("has no value for `user` or `client`".to_owned());
        }
        if self.user.iter().chain(&self.client).any(String::is_empty) {
            return Some("an empty text in a list would match nothing".to_owned());
        }
        let both = self.user.iter().find(|value| self.client.contains(value))?;
        Some(format!("{both:?} is a user and a client"))
    }

    /// What the claim says; `None` when it is not there.
    fn said(&self, claims: &Map<String, Value>) -> Option<Principal> {
        let values: Vec<String> = match at(claims, &self.claim)? {
            Value::Null => return None,
            Value::Array(list) => list.iter().map(text_of).collect(),
            one => vec![text_of(one)],
        };
        let is_one_of = |patterns: &[String]| {
            values.iter().any(|value| patterns.iter().any(|pattern| matches(pattern, value)))
        };
        Some(match (is_one_of(&self.user), is_one_of(&self.client)) {
            (true, false) => Principal::User,
            (false, true) => Principal::Client,
            _ => Principal::Unknown,
        })
    }
}

/// What an authorization server's settings say about its callers.
#[derive(Clone, Debug, Default)]
pub(crate) struct PrincipalRule {
    pub(crate) claim: Option<PrincipalClaim>,
    /// For tokens that tell nothing.
    pub(crate) default: Principal,
}

impl PrincipalRule {
    /// Who is behind a token with these claims.
    pub(crate) fn principal(&self, claims: &Map<String, Value>) -> Principal {
        match (self.claim.as_ref().and_then(|claim| claim.said(claims)), told(claims)) {
            (Some(said @ (Principal::User | Principal::Client)), _) => said,
            // A value that is in neither list is none of a user's.
            (Some(_), Some(Principal::Client)) => Principal::Client,
            (Some(_), _) => Principal::Unknown,
            (None, Some(told)) => told,
            (None, None) => self.default,
        }
    }
}

/// What providers document about their claims. `None`: nothing tells. Signs of a machine come first.
fn told(claims: &Map<String, Value>) -> Option<Principal> {
    if has_unreadable_sign(claims) {
        return Some(Principal::Unknown);
    }
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    // Entra ID, where this claim is optional.
    match text("idtyp") {
        Some("app") => return Some(Principal::Client),
        Some("user") => return Some(Principal::User),
        Some(_) => return Some(Principal::Unknown),
        None => {}
    }
    // Asgardeo and WSO2 Identity Server.
    match text("aut") {
        Some("APPLICATION") => return Some(Principal::Client),
        Some("APPLICATION_USER") => return Some(Principal::User),
        _ => {}
    }
    let clients: Vec<_> = CLIENT_CLAIMS.iter().filter_map(|name| text(name)).collect();
    let subject = text("sub").unwrap_or_default();
    // RFC 9068 §2.2. Auth0 adds a suffix.
    let is_client =
        |client: &&str| subject == *client || subject.strip_suffix("@clients") == Some(client);
    let grant = grant_of(claims);
    if grant == Some(Principal::Client) || (!subject.is_empty() && clients.iter().any(is_client)) {
        return Some(Principal::Client);
    }
    let others = [grant, keycloak(claims, &clients), entra(claims, subject)];
    if let Some(told) = others.into_iter().flatten().next() {
        return Some(told);
    }
    // RFC 7662 §2.2: nobody is named who could be a person.
    if subject.is_empty() {
        return Some(Principal::Unknown);
    }
    // Okta leaves `uid` out where there is no user, and Cognito `username`.
    let is_okta = text("jti").is_some_and(|id| id.starts_with("AT.")) && text("cid").is_some();
    let is_cognito = text("token_use") == Some("access") && text("client_id").is_some();
    let names_user =
        (is_okta && text("uid").is_some()) || (is_cognito && text("username").is_some());
    let is_personal = |name: &&str| text(name).is_some_and(|value| !value.is_empty());
    (names_user || PERSONAL_CLAIMS.iter().any(is_personal)).then_some(Principal::User)
}

/// Whether a claim that could be the sign of a machine is of a type in which nobody has it.
fn has_unreadable_sign(claims: &Map<String, Value>) -> bool {
    let is_odd_text =
        |name: &&str| claims.get(*name).is_some_and(|claim| !claim.is_null() && !claim.is_string());
    let is_odd_grant = |name: &&str| match claims.get(*name) {
        None | Some(Value::Null | Value::String(_)) => false,
        Some(Value::Array(list)) => !list.iter().all(Value::is_string),
        Some(_) => true,
    };
    SIGNS.iter().any(is_odd_text) || GRANT_CLAIMS.iter().any(is_odd_grant)
}

/// What the grant says. Machines may have passwords and assertions too.
fn grant_of(claims: &Map<String, Value>) -> Option<Principal> {
    let grants = GRANT_CLAIMS.iter().filter_map(|name| claims.get(*name)).flat_map(texts);
    let grants: Vec<_> = grants.map(|grant| grant.replace('-', "_")).collect();
    let is_one_of = |names: &[&str]| grants.iter().any(|grant| names.contains(&&**grant));
    if is_one_of(&["client_credentials"]) {
        return Some(Principal::Client);
    }
    let interactive =
        ["authorization_code", "implicit", "urn:ietf:params:oauth:grant_type:device_code"];
    is_one_of(&interactive).then_some(Principal::User)
}

/// Keycloak gives a client a user of its own, and since 26.2 the beginning of `jti` tells the grant.
fn keycloak(claims: &Map<String, Value>, clients: &[&str]) -> Option<Principal> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    match text("jti").and_then(keycloak_grant) {
        Some("cc") => return Some(Principal::Client),
        // The authorization code, and the device code.
        Some("ac" | "dg") => return Some(Principal::User),
        _ => {}
    }
    let client = text("preferred_username")?.strip_prefix("service-account-")?;
    // People choose their names; only service accounts have these claims there.
    let has_address = ["clientAddress", "clientHost"].iter().any(|name| claims.contains_key(*name));
    if has_address && clients.contains(&client) {
        return Some(Principal::Client);
    }
    Some(Principal::Unknown)
}

/// The grant in a token's identifier: two letters each for session, token and grant, and a colon.
fn keycloak_grant(jti: &str) -> Option<&str> {
    let (beginning, _) = jti.split_once(':')?;
    let sessions = ["on", "of", "tr", "nt", "ft"];
    let rest = sessions.iter().find_map(|session| beginning.strip_prefix(session))?;
    rest.strip_prefix("rt").or_else(|| rest.strip_prefix("lt"))
}

/// Entra ID: tokens of an application are about its object alone, and only those of users have `scp`.
fn entra(claims: &Map<String, Value>, subject: &str) -> Option<Principal> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let object = text("oid")?;
    text("tid")?;
    if !matches!(text("ver"), Some("1.0" | "2.0")) {
        return None;
    }
    Some(match text("scp") {
        _ if object == subject => Principal::Client,
        Some(scopes) if !scopes.is_empty() => Principal::User,
        _ => Principal::Unknown,
    })
}

/// What is compared: a text as it is, and everything else as JSON writes it.
fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Whether `*` in the pattern can stand for something that makes it the text.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut pieces: Vec<_> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        let Some(found) = text.find(piece) else { return false };
        text = &text[found + piece.len()..];
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn principal(rule: &PrincipalRule, claims: &Value) -> Principal {
        rule.principal(claims.as_object().unwrap())
    }

    #[test]
    fn a_configured_claim_says_it_outright() {
        let claim = PrincipalClaim::new("/x/kind", ["human", "true"], ["robot", "bot-*", "7"]);
        let rule = PrincipalRule { claim: Some(claim), default: Principal::User };
        let rows = [
            (json!({ "sub": "a", "x": { "kind": "human" } }), Principal::User),
            (json!({ "sub": "a", "x": { "kind": true } }), Principal::User),
            (json!({ "sub": "a", "x": { "kind": "robot" } }), Principal::Client),
            (json!({ "sub": "a", "x": { "kind": "bot-7" } }), Principal::Client),
            (json!({ "sub": "a", "x": { "kind": 7 } }), Principal::Client),
            (json!({ "sub": "a", "x": { "kind": ["other", "robot"] } }), Principal::Client),
            // It wins over every other sign.
            (json!({ "sub": "a", "client_id": "a", "x": { "kind": "human" } }), Principal::User),
            (json!({ "email": "a@b.example", "x": { "kind": "robot" } }), Principal::Client),
            // What it says is not understood, or contradicts itself: never a user.
            (json!({ "sub": "a", "x": { "kind": "Human" } }), Principal::Unknown),
            (json!({ "sub": "a", "x": { "kind": { "human": true } } }), Principal::Unknown),
            (json!({ "sub": "a", "x": { "kind": [] } }), Principal::Unknown),
            (json!({ "sub": "a", "x": { "kind": ["human", "robot"] } }), Principal::Unknown),
            (
                json!({ "sub": "a", "email": "a@b.example", "x": { "kind": "" } }),
                Principal::Unknown,
            ),
            (json!({ "sub": "a", "azp": "a", "x": { "kind": "new" } }), Principal::Client),
            // It is not there: the other signs count, and then the default.
            (json!({ "sub": "a", "client_id": "a" }), Principal::Client),
            (json!({ "sub": "a", "x": { "kind": null } }), Principal::User),
            (json!({ "sub": "a", "client_id": "b" }), Principal::User),
            // A sign that is not clear is no reason for the default.
            (json!({ "sub": "" }), Principal::Unknown),
            (json!({ "sub": "a", "preferred_username": "service-account-b" }), Principal::Unknown),
        ];
        for (claims, expected) in rows {
            assert_eq!(principal(&rule, &claims), expected, "{claims}");
        }
    }

    #[test]
    fn a_star_stands_for_any_characters() {
        let rows = [
            ("user_*", "user_1", true),
            ("user_*", "user_", true),
            ("user_*", "my_user_1", false),
            ("*@clients", "a@clients", true),
            ("*@clients", "a@clients.example", false),
            ("*|*", "auth0|1", true),
            ("*|*", "auth0", false),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "abbc", true),
            ("a*b*c", "ac", false),
            ("ab*ba", "aba", false),
            ("*", "", true),
            ("", "", true),
            ("a", "A", false),
        ];
        for (pattern, text, expected) in rows {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
