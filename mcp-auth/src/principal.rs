//! Who is behind a token: a person or a machine.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::claim_path::{first_member, texts_of_claim, value_at_path};

/// Claims that name the client, as providers call it.
const CLIENT_CLAIMS: [&str; 4] = ["client_id", "azp", "cid", "appid"];
/// Claims with the grant by which the client got the token: Auth0, FusionAuth, PingAM, UAA.
const GRANT_CLAIMS: [&str; 3] = ["gty", "grant_type", "gtp"];
/// Claims by which some provider marks the tokens of machines. Each is a text.
const MACHINE_CLAIMS: [&str; 4] = ["aut", "idtyp", "oid", "preferred_username"];
/// Claims about a person (OpenID Connect Core §5.1). Machines have none unless somebody gave them one, while
/// `name`, `given_name` and `preferred_username` are there for those that authentik or Zitadel model as users.
const PERSONAL_CLAIMS: [&str; 2] = ["email", "family_name"];

/// What else is looked at.
const OTHER_CLAIMS: [&str; 10] = [
    "sub",
    "jti",
    "clientAddress",
    "clientHost",
    "tid",
    "ver",
    "scp",
    "uid",
    "token_use",
    "username",
];

/// Who is behind a token.
///
/// It follows from what the token says, and is never guessed. Providers differ in how they say it: where a token says
/// nothing that is known here, set `principal_claim` or `default_principal` of
/// [`AuthorizationServer`](crate::AuthorizationServer).
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
    /// Its name in configuration and in logs: `user`, `client` or `unknown`.
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

    /// What is wrong with this configuration; `None` when nothing is.
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

    /// Who the claim says it is; `None` when the claim is not there. A value that is in neither list, or in both, does
    /// not tell.
    fn principal_in(&self, claims: &Map<String, Value>) -> Option<Principal> {
        let values: Vec<String> = match value_at_path(claims, &self.claim)? {
            Value::Null => return None,
            Value::Array(list) => list.iter().map(text_or_json).collect(),
            one => vec![text_or_json(one)],
        };
        let is_user = some_value_matches(&values, &self.user);
        let is_client = some_value_matches(&values, &self.client);
        Some(match (is_user, is_client) {
            (true, false) => Principal::User,
            (false, true) => Principal::Client,
            _ => Principal::Unknown,
        })
    }
}

/// How to tell who is behind the tokens of one authorization server: its settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct PrincipalRule {
    pub(crate) claim: Option<PrincipalClaim>,
    /// Who it is when a token has neither the configured claim nor another that tells.
    pub(crate) default: Principal,
}

impl PrincipalRule {
    /// Whether it looks at the claim of this name: no other is needed to tell who is behind a token.
    pub(crate) fn looks_at(&self, name: &str) -> bool {
        let configured = self.claim.as_ref().map(|claim| first_member(&claim.claim));
        configured.is_some_and(|claim| claim == name)
            || CLIENT_CLAIMS.contains(&name)
            || GRANT_CLAIMS.contains(&name)
            || MACHINE_CLAIMS.contains(&name)
            || PERSONAL_CLAIMS.contains(&name)
            || OTHER_CLAIMS.contains(&name)
    }

    /// Who is behind a token with these claims.
    pub(crate) fn principal(&self, claims: &Map<String, Value>) -> Principal {
        let configured = self.claim.as_ref().and_then(|claim| claim.principal_in(claims));
        match (configured, principal_by_known_claims(claims)) {
            (Some(principal @ (Principal::User | Principal::Client)), _) => principal,
            // A value that is in neither list must not make a user.
            (Some(_), Some(Principal::Client)) => Principal::Client,
            (Some(_), _) => Principal::Unknown,
            (None, Some(principal)) => principal,
            (None, None) => self.default,
        }
    }
}

/// Who is behind a token by the claims that providers document. `None` when it has none of these. Claims that mark a
/// machine are looked at first, so that a machine with some claim of a person does not count as one.
fn principal_by_known_claims(claims: &Map<String, Value>) -> Option<Principal> {
    if has_unreadable_machine_claim(claims) {
        return Some(Principal::Unknown);
    }
    // Entra ID, where this claim is optional.
    match text_claim(claims, "idtyp") {
        Some("app") => return Some(Principal::Client),
        Some("user") => return Some(Principal::User),
        Some(_) => return Some(Principal::Unknown),
        None => {}
    }
    // Asgardeo and WSO2 Identity Server.
    match text_claim(claims, "aut") {
        Some("APPLICATION") => return Some(Principal::Client),
        Some("APPLICATION_USER") => return Some(Principal::User),
        _ => {}
    }
    let clients: Vec<_> =
        CLIENT_CLAIMS.iter().filter_map(|name| text_claim(claims, name)).collect();
    let subject = text_claim(claims, "sub").unwrap_or_default();
    let by_grant = principal_by_grant(claims);
    let is_client_itself = clients.iter().any(|client| is_subject_of_client(subject, client));
    if by_grant == Some(Principal::Client) || is_client_itself {
        return Some(Principal::Client);
    }
    let by_provider =
        keycloak_principal(claims, &clients).or_else(|| entra_principal(claims, subject));
    if let Some(principal) = by_grant.or(by_provider) {
        return Some(principal);
    }
    // RFC 7662 §2.2: nobody is named who could be a person.
    if subject.is_empty() {
        return Some(Principal::Unknown);
    }
    // Okta leaves `uid` out where there is no user, and Cognito `username`.
    let is_okta = has_text_claim(claims, "cid")
        && text_claim(claims, "jti").is_some_and(|id| id.starts_with("AT."));
    let is_cognito =
        text_claim(claims, "token_use") == Some("access") && has_text_claim(claims, "client_id");
    let names_user = (is_okta && has_text_claim(claims, "uid"))
        || (is_cognito && has_text_claim(claims, "username"))
        || PERSONAL_CLAIMS
            .iter()
            .any(|name| text_claim(claims, name).is_some_and(|text| !text.is_empty()));
    names_user.then_some(Principal::User)
}

/// The claim of this name, if it is a text.
fn text_claim<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c str> {
    claims.get(name).and_then(Value::as_str)
}

fn has_text_claim(claims: &Map<String, Value>, name: &str) -> bool {
    text_claim(claims, name).is_some()
}

/// RFC 9068 §2.2: where no person takes part, the subject is the client. Auth0 adds a suffix.
fn is_subject_of_client(subject: &str, client: &str) -> bool {
    !subject.is_empty() && (subject == client || subject.strip_suffix("@clients") == Some(client))
}

/// Whether a claim that could mark a machine has another type than providers give it, so that nobody can tell what
/// it says.
fn has_unreadable_machine_claim(claims: &Map<String, Value>) -> bool {
    for name in MACHINE_CLAIMS {
        match claims.get(name) {
            None | Some(Value::Null | Value::String(_)) => {}
            Some(_) => return true,
        }
    }
    for name in GRANT_CLAIMS {
        match claims.get(name) {
            None | Some(Value::Null | Value::String(_)) => {}
            Some(Value::Array(list)) if list.iter().all(Value::is_string) => {}
            Some(_) => return true,
        }
    }
    false
}

/// Who is behind a token by the grant with which it was issued. Only grants that belong to one kind tell: machines
/// use passwords and assertions as people do.
fn principal_by_grant(claims: &Map<String, Value>) -> Option<Principal> {
    let mut is_interactive = false;
    for claim in GRANT_CLAIMS.iter().filter_map(|name| claims.get(*name)) {
        for grant in texts_of_claim(claim) {
            match grant.replace('-', "_").as_str() {
                "client_credentials" => return Some(Principal::Client),
                "authorization_code"
                | "implicit"
                | "urn:ietf:params:oauth:grant_type:device_code" => is_interactive = true,
                _ => {}
            }
        }
    }
    is_interactive.then_some(Principal::User)
}

/// Keycloak gives a client a user of its own, and since 26.2 the beginning of `jti` tells the grant.
fn keycloak_principal(claims: &Map<String, Value>, clients: &[&str]) -> Option<Principal> {
    match text_claim(claims, "jti").and_then(keycloak_grant) {
        Some("cc") => return Some(Principal::Client),
        // The authorization code, and the device code.
        Some("ac" | "dg") => return Some(Principal::User),
        _ => {}
    }
    let client = text_claim(claims, "preferred_username")?.strip_prefix("service-account-")?;
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
fn entra_principal(claims: &Map<String, Value>, subject: &str) -> Option<Principal> {
    let object = text_claim(claims, "oid")?;
    text_claim(claims, "tid")?;
    if !matches!(text_claim(claims, "ver"), Some("1.0" | "2.0")) {
        return None;
    }
    Some(match text_claim(claims, "scp") {
        _ if object == subject => Principal::Client,
        Some(scopes) if !scopes.is_empty() => Principal::User,
        _ => Principal::Unknown,
    })
}

/// The value of a claim as it is compared with the configured ones: a text as it is, and everything else as JSON
/// writes it.
fn text_or_json(value: &Value) -> String {
    match value.as_str() {
        Some(text) => text.to_owned(),
        None => value.to_string(),
    }
}

fn some_value_matches(values: &[String], patterns: &[String]) -> bool {
    values.iter().any(|value| patterns.iter().any(|pattern| matches_pattern(pattern, value)))
}

/// Whether the whole text is like the pattern, in which each `*` stands for any characters, also for none.
fn matches_pattern(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(start) else { return false };
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

    /// Which is the same with the claims alone that are looked at.
    fn principal(rule: &PrincipalRule, claims: &Value) -> Principal {
        let mut claims = claims.as_object().unwrap().clone();
        let by_all = rule.principal(&claims);
        claims.retain(|name, _| rule.looks_at(name));
        assert_eq!(rule.principal(&claims), by_all, "{claims:?}");
        by_all
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
            assert_eq!(matches_pattern(pattern, text), expected, "{pattern} {text}");
        }
    }
}
