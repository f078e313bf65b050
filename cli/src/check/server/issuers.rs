//! The authorization servers that clients are sent to, as far as the server answers for them.

use mcp_auth::inspection::{Level, Levels, Revision, Standard};
use reqwest::Url;
use serde_json::Value;

use super::target::path_inserted;
use super::{Call, Documents, Outcome, Prober, Row};
use crate::output::quoted;

static FOUND: Row = Row {
    id: "R22.metadata",
    requirement: "R22",
    levels: Levels::NONE.since(Revision::V2025_06_18, Level::Must),
    title: "The metadata of every authorization server can be found",
    expected: "a JSON object at a well-known URL of RFC 8414 or OpenID Connect",
    fix: "Copy the issuer exactly from your provider: its path matters, and so does the slash at its end.",
};

static OAUTH_FORM: Row = Row {
    id: "R22.rfc8414",
    requirement: "R22",
    levels: Levels::NONE.with(Revision::V2025_06_18, Level::Must),
    title: "It is found where clients of 2025-06-18 look",
    expected: "a JSON object at /.well-known/oauth-authorization-server",
    fix: "Only clients of 2025-06-18 need it: they do not try OpenID Connect. Ask the provider, or leave it.",
};

static ISSUER: Row = Row {
    id: "R21.issuer",
    requirement: "R21",
    levels: Levels::NONE.since(Revision::V2025_06_18, Level::Must),
    title: "Its `issuer` is the one in `authorization_servers`",
    expected: "exactly the same text",
    fix: "Write into authorization_servers what the document calls its issuer (RFC 8414 §3.3); a slash is enough to differ.",
};

static OLD_CLIENTS: Row = Row {
    id: "2025-03-26.endpoints",
    requirement: "2025-03-26",
    levels: Levels::NONE.with(Revision::V2025_03_26, Level::Must),
    title: "Clients of 2025-03-26 find the provider's endpoints",
    expected: "/.well-known/oauth-authorization-server on the server's own origin, or /authorize and /token",
    fix: "Only clients of 2025-03-26 need it. With mcp-auth: `serve_authorization_server_metadata` (Node: `serveAuthorizationServerMetadata`).",
};

/// A server that lists more is not followed further.
const MOST_ISSUERS: usize = 3;

impl Prober {
    /// Looks up what a client would look up next.
    pub(super) async fn probe_issuers(&mut self, documents: &Documents) {
        let (mut missing, mut wrong, mut oauth_missing) = (Vec::new(), Vec::new(), Vec::new());
        let mut found = Vec::new();
        let mut unfollowed = None;
        for issuer in documents.issuers().into_iter().take(MOST_ISSUERS) {
            let url = match Url::parse(&issuer) {
                Ok(url) if self.may_follow(&url).await => url,
                _ => {
                    unfollowed = Some(format!(
                        "{} is not followed: plain http, or an address within a network",
                        quoted(&issuer)
                    ));
                    continue;
                }
            };
            match self.authorization_server(&url).await {
                Ok(found_metadata) => {
                    let named = found_metadata.document["issuer"].as_str().unwrap_or_default();
                    if named != issuer {
                        wrong.push(format!("{} calls itself {}", quoted(&issuer), quoted(named)));
                    }
                    if found_metadata.standard == Standard::Oidc {
                        oauth_missing
                            .push(format!("{} has OpenID Connect discovery only", quoted(&issuer)));
                    }
                    found.push(quoted(&issuer));
                }
                Err(seen) => missing.push(format!("{}: {seen}", quoted(&issuer))),
            }
        }
        let nothing =
            unfollowed.unwrap_or_else(|| "there is no authorization server to look at".to_owned());
        let names = found.join(", ");
        for (row, complaints) in [(&FOUND, missing), (&ISSUER, wrong), (&OAUTH_FORM, oauth_missing)]
        {
            let outcome = match names.is_empty() && complaints.is_empty() {
                true => Outcome::skipped(&*nothing),
                false => Outcome::unless(complaints, &*names),
            };
            self.record(row, outcome);
        }
        self.probe_old_clients().await;
    }

    /// The first document in the order of MCP's discovery.
    async fn authorization_server(&mut self, issuer: &Url) -> Result<FoundMetadata, String> {
        let mut seen = Vec::new();
        for WellKnown { url, standard } in well_known_places(issuer) {
            let call = Call::get("a request for the authorization server's metadata", url)
                .header("accept", "application/json");
            let answer = self.look_up(call).await;
            match answer.json().filter(|json| answer.status() == 200 && json.is_object()) {
                Some(document) => return Ok(FoundMetadata { standard, document }),
                None => seen.push(answer.words()),
            }
        }
        seen.dedup();
        Err(seen.join(", then "))
    }

    async fn probe_old_clients(&mut self) {
        let url = self.target.with_path("/.well-known/oauth-authorization-server");
        let call = Call::get("a request of a client of 2025-03-26", url)
            .header("accept", "application/json");
        let answer = self.look_up(call).await;
        let is_there = answer.json().filter(|_| answer.status() == 200).is_some_and(|document| {
            ["authorization_endpoint", "token_endpoint"]
                .iter()
                .all(|name| document[name].is_string())
        });
        if is_there {
            return self.record(&OLD_CLIENTS, Outcome::Holds(answer.words()));
        }
        let default = self.target.with_path("/authorize");
        let fallback = self.look_up(Call::get("a request for the default endpoint", default)).await;
        let has_default = !matches!(fallback.status(), 0 | 401 | 404 | 405);
        let seen = format!("{}; /authorize: {}", answer.words(), fallback.words());
        self.record(&OLD_CLIENTS, Outcome::when(has_default, seen));
    }
}

/// Metadata of an authorization server.
struct FoundMetadata {
    /// The specification that names the place where it was.
    standard: Standard,
    document: Value,
}

/// A place where clients look for it.
struct WellKnown {
    url: String,
    standard: Standard,
}

impl WellKnown {
    fn new(url: String, standard: Standard) -> Self {
        Self { url, standard }
    }
}

/// MCP authorization, "Authorization Server Metadata Discovery": RFC 8414 first.
fn well_known_places(issuer: &Url) -> Vec<WellKnown> {
    let mut places = vec![
        WellKnown::new(path_inserted(issuer, "oauth-authorization-server"), Standard::Oauth),
        WellKnown::new(path_inserted(issuer, "openid-configuration"), Standard::Oidc),
    ];
    let path = issuer.path().trim_end_matches('/');
    if !path.is_empty() {
        let origin = issuer.origin().ascii_serialization();
        let url = format!("{origin}{path}/.well-known/openid-configuration");
        places.push(WellKnown::new(url, Standard::Oidc));
    }
    places
}
