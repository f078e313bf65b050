//! The document that describes the server (RFC 9728).

use mcp_auth::inspection::{Level, Levels, Revision};
use reqwest::Url;
use serde_json::Value;

use super::challenge::Challenge;
use super::public_metadata::is_readable_by;
use super::target::{is_https_or_loopback, path_inserted};
use super::{Call, Outcome, Prober, Row, Target};
use crate::output::quoted;
use crate::understand;

static DOCUMENT: Row = Row {
    id: "R2.document",
    requirement: "R2",
    levels: Levels::NONE.since(Revision::V2025_06_18, Level::Must),
    title: "There is Protected Resource Metadata",
    expected: "a JSON object, without a token, at the challenge's URL or a well-known one",
    fix: "Serve RFC 9728 metadata at /.well-known/oauth-protected-resource followed by the path of the server, \
          outside of authentication. With mcp-auth: `protect` does.",
};

static CHALLENGE_DOCUMENT: Row = Row {
    id: "R3.challenge-document",
    requirement: "R3",
    levels: Levels::NONE.since(Revision::V2025_06_18, Level::Must),
    title: "The URL in the challenge leads to the metadata",
    expected: "200 with a JSON object, without a redirect",
    fix: "Make `resource_metadata` the URL at which the document really is, as seen by clients.",
};

static PATH_INSERTED: Row = Row {
    id: "R3.path-inserted",
    requirement: "R3",
    levels: Levels::NONE.since(Revision::V2025_06_18, Level::Should),
    title: "The metadata is at the well-known URL of the path",
    expected: "200 with a JSON object, without a redirect",
    fix: "Serve the document at /.well-known/oauth-protected-resource followed by the path: some clients do not \
          read the challenge. A proxy must hand on /.well-known/ too.",
};

static ROOT: Row = Row {
    id: "R3.root",
    requirement: "R3",
    levels: Levels::NONE.since(Revision::V2025_06_18, Level::May),
    title: "The metadata is at the root's well-known URL as well",
    expected: "200 with a JSON object",
    fix: "Serve the same document at /.well-known/oauth-protected-resource when the origin has one MCP server.",
};

static AGREE: Row = Row {
    id: "R3.agree",
    requirement: "R3",
    levels: Levels::NONE.since(Revision::V2025_06_18, Level::Should),
    title: "Every copy of the metadata says the same",
    expected: "the same `resource` and `authorization_servers` everywhere",
    fix: "Serve one document from one configuration.",
};

static MEDIA_TYPE: Row = Row {
    id: "R2.media-type",
    requirement: "R2",
    levels: Levels::NONE.since(Revision::V2025_06_18, Level::Must),
    title: "The metadata is application/json",
    expected: "Content-Type: application/json",
    fix: "Set the Content-Type to application/json (RFC 9728 §3.2).",
};

static RESOURCE: Row = Row {
    id: "R2.resource",
    requirement: "R2",
    levels: Levels::NONE.since(Revision::V2025_06_18, Level::Must),
    title: "`resource` is the URL that clients connect to",
    expected: "exactly the checked URL",
    fix: "Set `resource` to the URL that users paste into their client; clients refuse any other (RFC 9728 §3.3). \
          With mcp-auth: `resource` in the configuration, or MCP_AUTH_RESOURCE.",
};

static CANONICAL: Row = Row {
    id: "R14.canonical",
    requirement: "R14",
    levels: Levels::NONE.since(Revision::V2025_06_18, Level::Should),
    title: "`resource` is in its canonical form",
    expected: "scheme and host in lower case, no slash at the end of a path, no fragment",
    fix: "Take the slash away: clients and providers ask for the audience without it.",
};

static AUTHORIZATION_SERVERS: Row = Row {
    id: "R2.authorization-servers",
    requirement: "R2",
    levels: Levels::NONE.since(Revision::V2025_06_18, Level::Must),
    title: "The metadata names an authorization server",
    expected: "`authorization_servers` with at least one URL",
    fix: "List the issuer of your provider, as it writes itself. With mcp-auth: \
          `authorization_servers` in the configuration, or MCP_AUTH_ISSUER.",
};

static HTTPS: Row = Row {
    id: "R15.https",
    requirement: "R15",
    levels: Levels::NONE.since(Revision::V2025_03_26, Level::Must),
    title: "Every URL is https, except on loopback",
    expected: "https",
    fix: "Serve over TLS and write https into the configuration. Behind a proxy, do not derive URLs from the \
          connection, which is plain there.",
};

static BEARER_METHODS: Row = Row {
    id: "R12.bearer-methods",
    requirement: "R12",
    levels: Levels::NONE.since(Revision::V2025_06_18, Level::Must),
    title: "The metadata offers tokens in the header only",
    expected: "`bearer_methods_supported` absent or [\"header\"]",
    fix: "Write [\"header\"]: MCP takes tokens from the Authorization header and nowhere else.",
};

static NO_OFFLINE_ACCESS: Row = Row {
    id: "R11.metadata",
    requirement: "R11",
    levels: Levels::NONE.since(Revision::V2026_07_28, Level::Should),
    title: "`scopes_supported` does not list offline_access",
    expected: "no offline_access",
    fix: "Leave offline_access out of scopes_supported.",
};

static CORS: Row = Row {
    id: "CORS.metadata",
    requirement: "CORS",
    levels: Levels::NONE.since(Revision::V2025_06_18, Level::May),
    title: "Pages of an allowed origin can read the metadata",
    expected: "Access-Control-Allow-Origin",
    fix: "Answer with Access-Control-Allow-Origin; the document is public. Only clients in browsers need it.",
};

/// What is judged of a document, when there is one.
static CONTENT: [&Row; 9] = [
    &AGREE,
    &MEDIA_TYPE,
    &RESOURCE,
    &CANONICAL,
    &AUTHORIZATION_SERVERS,
    &HTTPS,
    &BEARER_METHODS,
    &NO_OFFLINE_ACCESS,
    &CORS,
];

/// The copies of the metadata that were found.
pub(super) struct Documents {
    found: Vec<Document>,
}

struct Document {
    place: &'static str,
    url: String,
    json: Value,
    media_type: String,
    is_readable_by_pages: bool,
}

impl Documents {
    /// The issuers that clients are sent to.
    pub(super) fn issuers(&self) -> Vec<String> {
        self.strings_of_first("authorization_servers")
    }

    pub(super) fn scopes(&self) -> Vec<String> {
        self.strings_of_first("scopes_supported")
    }

    /// What the server may be called: as it was asked, and as its metadata has it.
    pub(super) fn resources_beside(&self, asked: &str) -> Vec<String> {
        let mut resources = vec![asked.to_owned()];
        for document in &self.found {
            resources.extend(document.json["resource"].as_str().map(str::to_owned));
        }
        resources
    }

    /// Where the copy is that was found first.
    pub(super) fn url_of_first(&self) -> Option<&str> {
        self.found.first().map(|document| document.url.as_str())
    }

    /// A list in the copy that was found first.
    fn strings_of_first(&self, member: &str) -> Vec<String> {
        match self.found.first() {
            Some(document) => strings(&document.json[member]),
            None => Vec::new(),
        }
    }

    /// What each copy is blamed for, with its place when there are several.
    fn complaints(&self, blame: impl Fn(&Document) -> Option<String>) -> Vec<String> {
        let mut complaints: Vec<String> = Vec::new();
        for document in &self.found {
            if let Some(complaint) = blame(document) {
                complaints.push(format!("{}: {complaint}", document.place));
            }
        }
        complaints
    }
}

impl Prober {
    /// Reads the metadata wherever clients look for it.
    pub(super) async fn probe_metadata(&mut self, challenge: Option<&Challenge>) -> Documents {
        let inserted = path_inserted(&self.target.url, SUFFIX);
        let root = self.target.with_path(&format!("/.well-known/{SUFFIX}"));
        let named = match challenge {
            Some(challenge) => challenge.parameter("resource_metadata"),
            None => None,
        };
        let mut documents = Documents { found: Vec::new() };
        let followable = match named {
            Some(url) => Some(self.followable(url).await),
            None => None,
        };
        match followable {
            Some(Ok(url)) => {
                self.read_copy(&CHALLENGE_DOCUMENT, "challenge", url, &mut documents).await
            }
            Some(Err(reason)) => self.record(&CHALLENGE_DOCUMENT, Outcome::skipped(reason)),
            None => {
                self.record(&CHALLENGE_DOCUMENT, Outcome::skipped("the challenge names no URL"))
            }
        }
        if inserted == root {
            self.record(
                &ROOT,
                Outcome::skipped("the same as R3.path-inserted for a server at the root"),
            );
        }
        self.read_copy(&PATH_INSERTED, "path", inserted.clone(), &mut documents).await;
        if inserted != root {
            self.read_copy(&ROOT, "root", root, &mut documents).await;
        }
        let places: Vec<_> = documents.found.iter().map(|document| document.place).collect();
        let seen = if places.is_empty() { "nowhere".to_owned() } else { places.join(", ") };
        self.record(&DOCUMENT, Outcome::when(!places.is_empty(), seen));
        self.judge_documents(&documents, named);
        documents
    }

    async fn followable(&self, text: &str) -> Result<String, String> {
        match Url::parse(text) {
            Ok(url) if self.may_follow(&url).await => Ok(text.to_owned()),
            Ok(_) => {
                Err("the URL is not followed: plain http, or an address within a network"
                    .to_owned())
            }
            Err(_) => Err("the challenge names no URL".to_owned()),
        }
    }

    async fn read_copy(
        &mut self,
        row: &'static Row,
        place: &'static str,
        url: String,
        documents: &mut Documents,
    ) {
        let call =
            Call::get("a request for the metadata", &*url).header("accept", "application/json");
        // Without Origin, as most clients do: what becomes of pages is another matter.
        let answer = self.send(call.clone()).await;
        let json = answer.json().filter(|value| answer.status() == 200 && value.is_object());
        let seen = if answer.status() == 200 && json.is_none() {
            "200, but no JSON object".to_owned()
        } else {
            answer.words()
        };
        self.record(row, Outcome::when(json.is_some(), seen));
        if let Some(json) = json {
            let origin = self.origin.clone();
            let by_page = self.send(call.header("origin", &*origin)).await;
            documents.found.push(Document {
                place,
                url,
                json,
                media_type: answer.header("content-type").unwrap_or_default().to_owned(),
                is_readable_by_pages: is_readable_by(&by_page, &origin),
            });
        }
    }

    fn judge_documents(&mut self, documents: &Documents, named: Option<&str>) {
        let insecure = insecure_urls(&self.target, documents, named);
        let Some(first) = documents.found.first() else {
            let elsewhere = named.and_then(|url| named_elsewhere(&self.target, url));
            for row in CONTENT.into_iter().filter(|row| row.id != HTTPS.id) {
                let outcome = match &elsewhere {
                    Some(resource) if row.id == RESOURCE.id => Outcome::Broken(format!(
                        "the challenge leads to the metadata of {}: is that the URL to check?",
                        quoted(resource)
                    )),
                    _ => Outcome::skipped("there is no metadata"),
                };
                self.record(row, outcome);
            }
            self.record(&HTTPS, Outcome::unless(insecure, "https or loopback"));
            return;
        };
        let target = self.target.text.clone();
        let another = documents.complaints(|document| differs(document, first));
        self.record(&AGREE, Outcome::unless(another, "they agree"));
        let media_types = documents.complaints(wrong_media_type);
        self.record(&MEDIA_TYPE, Outcome::unless(media_types, "application/json"));
        let resources = documents.complaints(|one| wrong_resource(&one.json, &target));
        self.record(&RESOURCE, Outcome::unless(resources, quoted(&target)));
        let forms = documents.complaints(|one| not_canonical(&one.json, &target));
        self.record(&CANONICAL, Outcome::unless(forms, quoted(&target)));
        let servers = documents.complaints(|one| no_servers(&one.json));
        let issuers = documents.issuers().join(", ");
        self.record(&AUTHORIZATION_SERVERS, Outcome::unless(servers, quoted(&issuers)));
        self.record(&HTTPS, Outcome::unless(insecure, "https or loopback"));
        let methods = documents.complaints(|one| wrong_methods(&one.json));
        self.record(&BEARER_METHODS, Outcome::unless(methods, "header"));
        let offline = documents.complaints(|one| offline_access(&one.json));
        self.record(&NO_OFFLINE_ACCESS, Outcome::unless(offline, "not listed"));
        let hidden = documents.complaints(unreadable);
        self.record(&CORS, Outcome::unless(hidden, "Access-Control-Allow-Origin"));
    }
}

/// The resource whose metadata the challenge names, when it is another one.
fn named_elsewhere(target: &Target, named: &str) -> Option<String> {
    let resource = understand::server(named);
    let is_other = Url::parse(&resource).is_ok_and(|url| url != target.url) && resource != named;
    is_other.then_some(resource)
}

/// In what a copy of the metadata is not like the first one.
fn differs(document: &Document, first: &Document) -> Option<String> {
    let members = ["resource", "authorization_servers"];
    let name = members.into_iter().find(|name| document.json[name] != first.json[name])?;
    Some(format!("another `{name}` than {}", first.place))
}

const SUFFIX: &str = "oauth-protected-resource";

fn wrong_media_type(document: &Document) -> Option<String> {
    let essence = document.media_type.split(';').next().unwrap_or_default().trim();
    (!essence.eq_ignore_ascii_case("application/json")).then(|| quoted(&document.media_type))
}

/// Identifiers are compared as text; only the root may have its slash or not.
fn wrong_resource(document: &Value, target: &str) -> Option<String> {
    let Some(resource) = document["resource"].as_str() else {
        return Some("no `resource`".to_owned());
    };
    let differs_by_slash = resource.trim_end_matches('/') == target.trim_end_matches('/');
    let is_root = Url::parse(target).is_ok_and(|url| url.path() == "/");
    if resource == target || (is_root && differs_by_slash) {
        return None;
    }
    let seen = quoted(resource);
    if differs_by_slash {
        return Some(format!("{seen}, which differs by the slash at its end"));
    }
    if Url::parse(resource).ok() == Url::parse(target).ok() {
        return Some(format!("{seen}, which is the same URL written differently"));
    }
    Some(seen)
}

fn not_canonical(document: &Value, target: &str) -> Option<String> {
    let resource = document["resource"].as_str()?;
    let url = Url::parse(resource).ok()?;
    let has_slash = url.path() != "/" && url.path().ends_with('/') && target.ends_with('/');
    let in_upper_case =
        resource.split('/').take(3).any(|part| part.chars().any(|one| one.is_ascii_uppercase()));
    (has_slash || url.fragment().is_some() || in_upper_case).then(|| quoted(resource))
}

fn no_servers(document: &Value) -> Option<String> {
    let servers = strings(&document["authorization_servers"]);
    match servers.iter().find(|server| !Url::parse(server).is_ok_and(|url| url.has_host())) {
        Some(server) => Some(format!("{} is not a URL", quoted(server))),
        None if servers.is_empty() => Some("none".to_owned()),
        None => None,
    }
}

fn wrong_methods(document: &Value) -> Option<String> {
    let methods = &document["bearer_methods_supported"];
    let is_right = methods.is_null() || strings(methods) == ["header"];
    (!is_right).then(|| quoted(&methods.to_string()))
}

fn offline_access(document: &Value) -> Option<String> {
    let listed = strings(&document["scopes_supported"]).iter().any(|one| one == "offline_access");
    listed.then(|| "offline_access is listed".to_owned())
}

fn unreadable(document: &Document) -> Option<String> {
    (!document.is_readable_by_pages).then(|| "no Access-Control-Allow-Origin".to_owned())
}

fn insecure_urls(target: &Target, documents: &Documents, named: Option<&str>) -> Vec<String> {
    let mut urls = vec![target.text.clone()];
    urls.extend(named.map(str::to_owned));
    for document in &documents.found {
        urls.extend(document.json["resource"].as_str().map(str::to_owned));
        urls.extend(strings(&document.json["authorization_servers"]));
    }
    urls.retain(|text| Url::parse(text).is_ok_and(|url| !is_https_or_loopback(&url)));
    urls.sort();
    urls.dedup();
    urls.iter().map(|url| quoted(url)).collect()
}

fn strings(list: &Value) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_resource_is_compared_as_text_and_the_difference_named() {
        let rows = [
            ("https://h.example/mcp", "https://h.example/mcp", None),
            ("https://h.example", "https://h.example/", None),
            ("https://h.example/mcp/", "https://h.example/mcp", Some("slash")),
            ("https://H.example/mcp", "https://h.example/mcp", Some("written differently")),
            ("https://other.example/mcp", "https://h.example/mcp", Some("other.example")),
        ];
        for (resource, target, expected) in rows {
            let complaint = wrong_resource(&json!({ "resource": resource }), target);
            match expected {
                None => assert_eq!(complaint, None),
                Some(part) => assert!(complaint.unwrap().contains(part), "{resource}"),
            }
        }
        assert!(wrong_resource(&json!({}), "https://h.example").is_some());
    }
}
