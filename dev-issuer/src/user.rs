//! The people who sign in: only names and claims, because this issuer asks for no password.

use serde_json::{Map, Value, json};

/// A development user. Signing in as one needs no password.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct User {
    /// The `sub` claim, and the name on the consent page.
    pub subject: String,
    /// The `name` claim.
    pub name: Option<String>,
    /// The `email` claim.
    pub email: Option<String>,
    /// Further claims of the user's access tokens.
    pub claims: Map<String, Value>,
}

impl User {
    /// A user with a subject and no other claim.
    pub fn new(subject: impl Into<String>) -> Self {
        Self { subject: subject.into(), name: None, email: None, claims: Map::new() }
    }

    /// Sets the `name` claim.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the `email` claim.
    #[must_use]
    pub fn email(mut self, email: impl Into<String>) -> Self {
        self.email = Some(email.into());
        self
    }

    /// Adds a claim, or replaces it.
    #[must_use]
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.claims.insert(name.into(), value.into());
        self
    }

    /// `alice`, `bob`, and `admin` with the claim `roles: ["admin"]`.
    pub(crate) fn defaults() -> Vec<Self> {
        vec![
            Self::new("alice").name("Alice Example").email("alice@example.com"),
            Self::new("bob").name("Bob Example").email("bob@example.com"),
            Self::new("admin")
                .name("Admin Example")
                .email("admin@example.com")
                .claim("roles", json!(["admin"])),
        ]
    }

    /// All claims about the user but `sub`.
    pub(crate) fn token_claims(&self) -> Map<String, Value> {
        let mut claims = self.claims.clone();
        for (name, value) in [("name", &self.name), ("email", &self.email)] {
            if let Some(value) = value {
                claims.insert(name.into(), json!(value));
            }
        }
        claims
    }
}
