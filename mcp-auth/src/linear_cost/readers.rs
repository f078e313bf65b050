//! Everything that reads what strangers, issuers and servers write, each as a function of a text.

use std::sync::OnceLock;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, ready};
use http::header::{
    ACCESS_CONTROL_REQUEST_HEADERS, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, ORIGIN,
};
use http::request::Parts;
use http::{HeaderMap, Method, Request, StatusCode};
use serde::Deserialize as _;
use serde_json::json;

use super::handle_readers::with_sealed_handles;
use super::inputs::Place;
use crate::authenticate::{BearerToken, IssuerRules, Rules, TokenVerifier};
use crate::authorize::{Messages, Operation};
use crate::claims::Claims;
use crate::config::{AuthorizationServer, Config, ProtectedResource};
use crate::identifier::{IssuerIdentifier, PlainHttp, ResourceIdentifier};
use crate::issuer::{KeySet, Metadata, UrlRules, read_answer};
use crate::jose::{Jws, TokenLimits};
use crate::json::{JsonLimits, read_object, read_value};
use crate::scope::Scopes;
use crate::serve::{
    Decision, MirroredArguments, Passage, check_argument_headers, check_mcp_headers,
};
use crate::steps::Cost;
use crate::{AuthError, AuthInfo, McpAuth, ScopePolicy};

pub(super) const ISSUER: &str = "https://issuer.example.com";
pub(super) const RESOURCE: &str = "https://mcp.example.com/mcp";

/// One of them, and the places of its input.
pub(super) struct Reader {
    pub(super) name: &'static str,
    pub(super) places: &'static [Place],
    /// What each byte of an input may cost.
    pub(super) most: Cost,
    pub(super) read: fn(&str),
}

/// The body of a request.
pub(super) const MESSAGES: Reader = Reader {
    name: "messages",
    places: BODIES,
    most: Cost { steps: 16, allocated: 128 },
    read: |text| {
        let _ = parsed(text);
    },
};

/// The same with its authorization, and the headers that repeat it. Each of the policy's rules for URIs is compared with
/// each form of a URI, several times to explain the outcome, and a URI may be three times as long as its text.
pub(super) const CALLS: Reader = Reader {
    name: "calls",
    places: BODIES,
    most: Cost { steps: 2048, allocated: 4096 },
    read: read_calls,
};

/// The body of a request on its whole way, where rules have alternatives: which scopes to ask for is found out for
/// all of it at once.
pub(super) const DECISIONS: Reader = Reader {
    name: "decisions",
    places: BODIES,
    most: Cost { steps: 512, allocated: 1024 },
    read: read_decision,
};

const BODIES: &[Place] = &[
    Place::Text("a body", str::to_owned),
    Place::Json("a body", str::to_owned),
    Place::Json("a method", |value| format!(r#"{{"jsonrpc":"2.0","id":1,"method":{value}}}"#)),
    Place::Json("an id", |value| format!(r#"{{"jsonrpc":"2.0","id":{value},"method":"ping"}}"#)),
    Place::Json("an answer", |value| format!(r#"{{"jsonrpc":"2.0","id":1,"result":{value}}}"#)),
    Place::Json("params", |value| message("ping", value)),
    Place::Json("another member", |value| message("ping", &format!(r#"{{"x":{value}}}"#))),
    Place::Json("_meta", |value| message("ping", &format!(r#"{{"_meta":{value}}}"#))),
    Place::Json("a tool", |value| message("tools/call", &format!(r#"{{"name":{value}}}"#))),
    Place::Json("arguments", |value| {
        message("tools/call", &format!(r#"{{"name":"write","arguments":{value}}}"#))
    }),
    Place::Json("an argument", |value| {
        message("tools/call", &format!(r#"{{"name":"write","arguments":{{"mode":{value}}}}}"#))
    }),
    Place::Json("a uri", |value| message("resources/read", &format!(r#"{{"uri":{value}}}"#))),
    Place::Json("a task", |value| message("tasks/get", &format!(r#"{{"taskId":{value}}}"#))),
    Place::Json("a template", |value| {
        let reference = format!(r#"{{"ref":{{"type":"ref/resource","uri":{value}}}}}"#);
        message("completion/complete", &reference)
    }),
    Place::Json("a prompt", |value| {
        let reference = format!(r#"{{"ref":{{"type":"ref/prompt","name":{value}}}}}"#);
        message("completion/complete", &reference)
    }),
    Place::Json("a template with an argument", |value| {
        let reference = format!(r#""ref":{{"type":"ref/resource","uri":{value}}}"#);
        let context = r#""context":{"arguments":{"a":"1"}}"#;
        message("completion/complete", &format!("{{{reference},{context}}}"))
    }),
    Place::Json("an argument of a template", |value| {
        let reference = r#""ref":{"type":"ref/resource","uri":"notes://{a}/{a}"}"#;
        let context = format!(r#""context":{{"arguments":{{"a":{value}}}}}"#);
        message("completion/complete", &format!("{{{reference},{context}}}"))
    }),
    Place::Json("subscriptions", |value| {
        let uris = format!(r#"{{"notifications":{{"resourceSubscriptions":{value}}}}}"#);
        message("subscriptions/listen", &uris)
    }),
    Place::Json("a batch", |value| {
        let call = message("tools/call", r#"{"name":"write","arguments":{"mode":"x"}}"#);
        let last = message("resources/read", &format!(r#"{{"uri":{value}}}"#));
        format!("[{}{last}]", format!("{call},").repeat(last.len().min(9900) / call.len()))
    }),
];

/// The path of a request, where there are two resources.
pub(super) const PATHS: Reader = Reader {
    name: "paths",
    places: &[
        Place::Text("a path", |text| format!("/{text}")),
        Place::Text("a path below a resource", |text| format!("/mcp/{text}")),
        Place::Text("a metadata path", |text| {
            format!("/.well-known/oauth-protected-resource/{text}")
        }),
    ],
    most: Cost { steps: 16, allocated: 32 },
    read: read_path,
};

/// Query and headers of a request: the first character says which.
pub(super) const REQUESTS: Reader = Reader {
    name: "requests",
    places: &[
        Place::Text("a query", |text| format!("q{text}")),
        Place::Text("an authorization", |text| format!("a{text}")),
        Place::Text("a token", |text| format!("t{text}")),
        Place::Text("a token of three parts", |text| format!("t{text}.{text}.{text}")),
        Place::Text("an origin", |text| format!("o{text}")),
        Place::Text("a preflight", |text| format!("p{text}")),
        Place::Text("a content type", |text| format!("c{text}")),
        Place::Text("a charset", |text| format!("capplication/json;charset={text}")),
        Place::Text("a name", |text| format!("n{text}")),
        Place::Text("a revision", |text| format!("r{text}")),
        Place::Text("a cookie", |text| format!("k{text}")),
    ],
    most: Cost { steps: 16, allocated: 32 },
    read: read_request,
};

/// The scopes of a token or an answer, in their two forms, and whether they cover a rule's.
pub(super) const SCOPES: Reader = Reader {
    name: "scopes",
    places: &[Place::Text("scopes", str::to_owned), Place::Json("scopes", str::to_owned)],
    // A dozen sets are made of them, and each scope is compared with eight others at most.
    most: Cost { steps: 64, allocated: 256 },
    read: read_scopes,
};

/// The payload of a verified token.
pub(super) const CLAIMS: Reader = Reader {
    name: "claims",
    places: &[
        Place::Json("claims", str::to_owned),
        Place::Json("another claim", |value| claim("x", value)),
        Place::Json("an audience", |value| claim("aud", value)),
        Place::Json("a subject", |value| claim("sub", value)),
        Place::Json("an expiry", |value| claim("exp", value)),
        Place::Json("roles", |value| claim("roles", value)),
    ],
    most: Cost { steps: 16, allocated: 256 },
    read: read_claims,
};

/// The same with scopes.
pub(super) const CLAIMS_WITH_SCOPES: Reader = Reader {
    name: "claims with scopes",
    places: &[
        Place::Json("a scope", |value| claim("scope", value)),
        Place::Json("an scp", |value| claim("scp", value)),
    ],
    most: Cost { steps: 32, allocated: 256 },
    read: read_claims,
};

/// A token that nobody has looked at.
pub(super) const TOKENS: Reader = Reader {
    name: "tokens",
    places: &[
        Place::Text("a token", str::to_owned),
        Place::Json("a header", |value| token(value, "{}")),
        Place::Json("a member of the header", |value| {
            token(&format!(r#"{{"alg":"ES256","x":{value}}}"#), "{}")
        }),
        Place::Json("a kid", |value| token(&format!(r#"{{"alg":"ES256","kid":{value}}}"#), "{}")),
        Place::Json("an alg", |value| token(&format!(r#"{{"alg":{value}}}"#), "{}")),
        Place::Json("a payload", |value| token(r#"{"alg":"ES256"}"#, value)),
        Place::Json("an iss", |value| {
            token(r#"{"alg":"ES256"}"#, &format!(r#"{{"iss":{value}}}"#))
        }),
    ],
    most: Cost { steps: 8, allocated: 32 },
    read: read_token,
};

/// An authorization server's metadata.
pub(super) const METADATA: Reader = Reader {
    name: "metadata",
    places: &[
        Place::Json("a document", str::to_owned),
        Place::Json("an issuer", |value| format!(r#"{{"issuer":{value}}}"#)),
        Place::Json("a jwks_uri", |value| format!(r#"{{"issuer":"{ISSUER}","jwks_uri":{value}}}"#)),
        Place::Json("another member", |value| format!(r#"{{"issuer":"{ISSUER}","x":{value}}}"#)),
        Place::Text("a URL of keys", |text| {
            let url = serde_json::to_string(&format!("{ISSUER}{text}")).expect("a text");
            format!(r#"{{"issuer":"{ISSUER}","jwks_uri":{url}}}"#)
        }),
    ],
    most: Cost { steps: 8, allocated: 128 },
    read: read_metadata,
};

/// An authorization server's keys.
pub(super) const KEY_SETS: Reader = Reader {
    name: "key sets",
    places: &[
        Place::Json("a document", str::to_owned),
        Place::Json("keys", |value| format!(r#"{{"keys":{value}}}"#)),
        Place::Json("a kid", |value| format!(r#"{{"keys":[{{"kty":"EC","kid":{value}}}]}}"#)),
        Place::Json("a modulus", |value| {
            format!(r#"{{"keys":[{{"kty":"RSA","e":"AQAB","n":{value}}}]}}"#)
        }),
        Place::Json("an exponent", |value| {
            format!(r#"{{"keys":[{{"kty":"RSA","e":{value},"n":"AQAB"}}]}}"#)
        }),
        Place::Json("operations", |value| {
            format!(r#"{{"keys":[{{"kty":"EC","crv":"P-256","key_ops":{value}}}]}}"#)
        }),
    ],
    most: Cost { steps: 8, allocated: 128 },
    read: read_key_set,
};

/// What an authorization server says of a token.
pub(super) const INTROSPECTION_ANSWERS: Reader = Reader {
    name: "introspection answers",
    places: &[
        Place::Text("an answer", str::to_owned),
        Place::Json("an answer", str::to_owned),
        Place::Json("a member", |value| format!(r#"{{"active":true,"sub":"a","x":{value}}}"#)),
        Place::Json("a subject", |value| format!(r#"{{"active":true,"sub":{value}}}"#)),
        Place::Json("an expiry", |value| format!(r#"{{"active":true,"exp":{value}}}"#)),
    ],
    most: Cost { steps: 8, allocated: 128 },
    read: |text| read_answer(text.as_bytes()),
};

/// The `inputSchema` of a tool, in which arguments are named that headers repeat.
pub(super) const SCHEMAS: Reader = Reader {
    name: "schemas",
    places: &[
        Place::Json("a schema", str::to_owned),
        Place::Json("properties", |value| format!(r#"{{"properties":{value}}}"#)),
        Place::Json("a property", |value| format!(r#"{{"properties":{{"a":{value}}}}}"#)),
        Place::Text("the name of a property", |text| {
            let name = serde_json::to_string(text).expect("a text");
            let schema = r#"{"type":"string","x-mcp-header":"A"}"#;
            format!(r#"{{"properties":{{{name}:{{"properties":{{"b":{schema}}}}}}}}}"#)
        }),
        Place::Json("an annotation", |value| {
            format!(r#"{{"properties":{{"a":{{"type":"string","x-mcp-header":{value}}}}}}}"#)
        }),
    ],
    most: Cost { steps: 8, allocated: 256 },
    read: |text| {
        if let Ok(schema) = read_object(text) {
            MirroredArguments::default().learn("tool", &schema);
        }
    },
};

/// A server's answer whose lists are filtered; each of the policy's rules for URIs is compared with each resource.
pub(super) const LISTS: Reader = Reader {
    name: "lists",
    places: &[
        Place::Text("an answer", str::to_owned),
        Place::Json("an answer", str::to_owned),
        Place::Json("a result", answer),
        Place::Json("tools", |value| answer(&format!(r#"{{"tools":{value}}}"#))),
        Place::Json("resources", |value| answer(&format!(r#"{{"resources":{value}}}"#))),
        Place::Json("a tool", |value| answer(&format!(r#"{{"tools":[{{"name":{value}}}]}}"#))),
        Place::Json("a resource", |value| {
            answer(&format!(r#"{{"resources":[{{"uri":{value}}}]}}"#))
        }),
        Place::Json("a batch", |value| format!("[{},{}]", answer(value), answer(value))),
    ],
    most: Cost { steps: 512, allocated: 512 },
    read: |text| read_response("application/json", text, usize::MAX),
};

/// A server's events, which come in pieces of one byte.
pub(super) const STREAMS: Reader = Reader {
    name: "streams",
    places: &[
        Place::Text("a stream", str::to_owned),
        Place::Text("data", |text| format!("data: {text}\n\n")),
        Place::Text("events after the first", |text| format!("data: {{}}\n\n{text}\n\n")),
        Place::Json("tools", |value| {
            format!("data: {}\n\n", answer(&format!(r#"{{"tools":{value}}}"#)))
        }),
    ],
    most: Cost { steps: 512, allocated: 512 },
    read: |text| read_response("text/event-stream", text, 1),
};

pub(super) fn message(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#)
}

pub(super) fn answer(result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#)
}

fn claim(name: &str, value: &str) -> String {
    format!(r#"{{"iss":"{ISSUER}","aud":"{RESOURCE}","{name}":{value}}}"#)
}

fn token(header: &str, payload: &str) -> String {
    use base64::Engine as _;
    let part = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.AAAA", part(header), part(payload))
}

fn policy() -> ScopePolicy {
    let rules = json!({
        "require": ["mcp"],
        "methods": { "ping": [], "tasks/get": ["tasks"] },
        "tools": {
            "write": { "all_of": ["write"], "when": [{ "argument": "mode", "equals": "write", "scopes": ["secret"] }] },
            "about": { "access": "public" },
        },
        "prompts": { "greet": ["greet"] },
        "resources": {
            "notes://{id}": ["notes"],
            "notes://{a}-{b}/{+c}": ["notes"],
            "notes://a/*": { "roles": ["admin", "owner"] },
            "notes://a": ["a"],
        },
    });
    ScopePolicy::deserialize(rules).expect("a good policy")
}

/// Sixteen alternatives for a method, and as many for what it names.
fn policy_of_alternatives() -> ScopePolicy {
    let sets = |name: &str| (0..16).map(|number| format!("{name}{number}")).collect::<Vec<_>>();
    let rules = json!({
        "methods": { "subscriptions/listen": { "any_of": sets("m") } },
        "resources": { "n://{a}": { "any_of": sets("r") }, "x://a": { "access": "public" } },
    });
    ScopePolicy::deserialize(rules).expect("a good policy")
}

/// Accepts every token that begins with `good`.
struct Accepting;

impl TokenVerifier for Accepting {
    fn is_for(&self, token: &str) -> bool {
        token.starts_with("good")
    }

    fn verify<'t>(&'t self, _: &'t str) -> BoxFuture<'t, Result<AuthInfo, AuthError>> {
        let claims =
            json!({ "iss": ISSUER, "sub": "alice", "scope": "mcp read", "roles": ["user"] });
        let claims = claims.as_object().expect("an object").clone();
        Box::pin(ready(AuthInfo::from_verified_claims(claims).map_err(AuthError::InvalidToken)))
    }
}

pub(super) fn build(config: Config) -> McpAuth {
    McpAuth::builder(config).token_verifier(Accepting).build().expect("a good configuration")
}

fn config() -> Config {
    let mut config = Config::new(RESOURCE, ISSUER).expect("a good one");
    config.resources[0].policy = Some(policy());
    config.with_allowed_origins(["https://app.example.com"])
}

fn one_resource() -> &'static McpAuth {
    static ONE: OnceLock<McpAuth> = OnceLock::new();
    ONE.get_or_init(|| build(config()))
}

fn two_resources() -> &'static McpAuth {
    static TWO: OnceLock<McpAuth> = OnceLock::new();
    let other = || ProtectedResource::new("https://mcp.example.com/mcp/other", [ISSUER]);
    TWO.get_or_init(|| build(config().protect_resource(other())))
}

fn with_alternatives() -> &'static McpAuth {
    static WITH: OnceLock<McpAuth> = OnceLock::new();
    WITH.get_or_init(|| {
        let mut config = Config::new(RESOURCE, ISSUER).expect("a good one");
        config.resources[0].policy = Some(policy_of_alternatives());
        build(config)
    })
}

fn caller() -> &'static AuthInfo {
    static CALLER: OnceLock<AuthInfo> = OnceLock::new();
    CALLER.get_or_init(|| {
        let caller = Accepting.verify("good").now_or_never().expect("ready");
        caller.expect("a good token")
    })
}

/// Makes at once what is made once.
pub(super) fn prepare() {
    let _ = (one_resource(), two_resources(), with_alternatives(), with_sealed_handles(), caller());
}

pub(super) fn request(
    method: Method,
    target: &str,
    headers: &[(HeaderName, &str)],
) -> Option<Parts> {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(name, HeaderValue::from_bytes(value.as_bytes()).ok()?);
    }
    Some(request.body(()).ok()?.into_parts().0)
}

/// The messages of a body, with the arguments that rules ask for.
fn parsed(text: &str) -> Option<Messages<'_>> {
    let messages = Messages::parse(text.as_bytes()).ok()?;
    for operation in &messages.operations {
        let _ = operation.arguments();
        assert!(format!("{operation:?}").len() < 1024, "cut");
    }
    Some(messages)
}

fn read_calls(text: &str) {
    let Some(messages) = parsed(text) else { return };
    let called = messages.operations.last().and_then(Operation::name).unwrap_or("x");
    let headers = [(HeaderName::from_static("mcp-name"), called)];
    if let Some(parts) = request(Method::POST, "/mcp", &headers) {
        let _ = check_mcp_headers(&parts.headers, &messages);
        let mirrored = MirroredArguments::default();
        let schema = json!({ "properties": { "x": { "type": "string", "x-mcp-header": "X" } } });
        mirrored.learn(called, schema.as_object().expect("an object"));
        let _ = check_argument_headers(&parts.headers, &messages, &mirrored);
    }
    for operation in &messages.operations {
        let explanation = one_resource().explain("/mcp", Some(caller()), operation);
        assert!(explanation.is_some(), "there is such a resource");
    }
}

fn read_decision(text: &str) {
    let json = (CONTENT_TYPE, "application/json");
    for headers in [vec![json.clone()], vec![json, (AUTHORIZATION, "Bearer good")]] {
        let Some(parts) = request(Method::POST, "/mcp", &headers) else { return };
        let decided = with_alternatives().decide(&parts).now_or_never().expect("at once");
        let Decision::ReadBody(pending) = decided else { panic!("{decided:?}") };
        let _ = pending.decide(&parts, text.as_bytes()).now_or_never().expect("at once");
    }
}

fn read_path(text: &str) {
    let Some(parts) = request(Method::GET, text, &[]) else { return };
    let _ = two_resources().decide(&parts).now_or_never().expect("nothing to wait for");
    let _ = two_resources().metadata(&parts).now_or_never().expect("nothing to wait for");
}

fn read_request(text: &str) {
    let (kind, value) = text.split_at(1);
    let name = HeaderName::from_static;
    let with_token = format!("Bearer {value}");
    let good = (AUTHORIZATION, "Bearer good");
    let read = match kind {
        "q" => request(Method::POST, &format!("/mcp?{value}"), &[]),
        "a" => request(Method::POST, "/mcp", &[(AUTHORIZATION, value)]),
        "t" => request(Method::POST, "/mcp", &[(AUTHORIZATION, &with_token)]),
        "o" => request(Method::POST, "/mcp", &[(ORIGIN, value), good]),
        "p" => {
            let origin = (ORIGIN, "https://app.example.com");
            request(Method::OPTIONS, "/mcp", &[origin, (ACCESS_CONTROL_REQUEST_HEADERS, value)])
        }
        "c" => request(Method::POST, "/mcp", &[(CONTENT_TYPE, value), good]),
        "n" => request(Method::POST, "/mcp", &[(name("mcp-name"), value), good]),
        "r" => request(Method::POST, "/mcp", &[(name("mcp-protocol-version"), value), good]),
        _ => request(Method::POST, "/mcp", &[(http::header::COOKIE, value), good]),
    };
    let Some(parts) = read else { return };
    if let Ok(messages) = Messages::parse(message("tools/call", r#"{"name":"x"}"#).as_bytes()) {
        let _ = check_mcp_headers(&parts.headers, &messages);
    }
    // A token that may be good would wait for its issuer's keys.
    let _ = BearerToken::from_request(&parts, &[]).and_then(BearerToken::parse);
    let _ = one_resource().decide(&parts).now_or_never();
}

fn read_scopes(text: &str) {
    let required: Scopes = ["mcp", "notes:read"].iter().collect();
    let written = read_value(text).ok().and_then(|value| Scopes::deserialize(value).ok());
    let read = [Some(Scopes::parse(text)), Some(Scopes::granted(text)), written];
    for scopes in read.into_iter().flatten() {
        let _ = scopes.contains_all(&required);
        let _ = Scopes::union([&required, &scopes]);
        let _ = (scopes.without("offline_access"), scopes.well_formed());
    }
}

fn read_token(text: &str) {
    let mut buffer = Vec::new();
    let Ok(jws) = Jws::parse(text, &TokenLimits::LARGEST, &mut buffer) else { return };
    let _ = jws.copy();
    let _ = jws.read_claims::<Claims<'_>>();
}

fn read_claims(text: &str) {
    let Ok(claims) = Claims::read(text.as_bytes(), JsonLimits::LARGEST) else { return };
    let rules = Rules {
        resource: ResourceIdentifier::parse(RESOURCE).expect("a good one"),
        audiences: vec!["api://other".to_owned()],
        accept_any_audience: false,
        clock_tolerance: std::time::Duration::from_secs(60),
    };
    let _ = claims.validate(&rules, &IssuerRules::default(), 1_800_000_000);
    drop(claims);
    let Ok(members) = read_object(text) else { return };
    let Ok(caller) = AuthInfo::from_verified_claims(members) else { return };
    let _ = (caller.json(), caller.claims(), caller.subject(), caller.audience());
    let operation = Operation::resource("notes://a/1");
    assert!(one_resource().explain("/mcp", Some(&caller), &operation).is_some());
}

fn read_metadata(text: &str) {
    let Ok(document) = read_value(text) else { return };
    let issuer = IssuerIdentifier::parse(ISSUER).expect("a good one");
    let fetched = UrlRules::of_metadata(&AuthorizationServer::new(ISSUER), &issuer);
    for rules in [fetched, UrlRules::configured(PlainHttp::Loopback)] {
        let _ = Metadata::read(&issuer, &document, &rules);
    }
}

fn read_key_set(text: &str) {
    let Ok(document) = read_value(text) else { return };
    let _ = KeySet::read(&document, ISSUER);
}

/// Sends a response of this type through the filter, in pieces of this size.
fn read_response(media_type: &'static str, text: &str, piece: usize) {
    read_answer_of(one_resource(), media_type, text, piece);
}

/// The same with the rules of this server.
pub(super) fn read_answer_of(auth: &McpAuth, media_type: &'static str, text: &str, piece: usize) {
    let Some(parts) = request(Method::GET, "/mcp", &[(AUTHORIZATION, "Bearer good")]) else {
        return;
    };
    let decision = auth.decide(&parts).now_or_never().expect("nothing to wait for");
    let Decision::Forward(forward) = decision else { panic!("{decision:?}") };
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    let mut filter = forward.respond(StatusCode::OK, &mut headers);
    for chunk in text.as_bytes().chunks(piece) {
        if let Passage::CutOff | Passage::Replace(_) = filter.push(chunk) {
            return;
        }
    }
    let _ = filter.end();
}
