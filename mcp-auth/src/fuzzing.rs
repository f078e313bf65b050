//! What holds for any bytes: one function per fuzz target, which panics when a promise is broken.
//!
//! Each counts what reading costs, which must be in proportion to the input. `cargo xtask fuzz` runs them with
//! libFuzzer; the property tests below run them everywhere.

use std::collections::HashSet;
use std::sync::OnceLock;
use std::time::Duration;

use futures_util::FutureExt as _;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Request, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::algorithm::Algorithm;
use crate::authenticate::{BearerToken, IssuerRules, Rules};
use crate::authorize::{Messages, NormalUri, normal_pattern};
use crate::claims::Claims;
use crate::clock::Clock;
use crate::config::{
    AuthorizationServer, BackChannelLogout, Config, ProtectedResource, Requirement, ScopePolicy,
    SharedSignals,
};
use crate::identifier::{IssuerIdentifier, PlainHttp, ResourceIdentifier};
use crate::issuer::{AllowedAddresses, KeySet, Metadata, UrlRules};
use crate::jose::{Jws, TokenLimits, VerificationKey};
use crate::json::{CheckedObject, JsonLimits};
use crate::limits::{AddressRange, PeerAddress, X_FORWARDED_FOR, client_address};
use crate::mcp_auth::McpAuth;
use crate::notices::NoticeKind;
use crate::serve::{Decision, Forward, Passage};

mod browser;
mod handles;
mod token_endpoint;

pub use browser::browser;
#[cfg(test)]
pub(crate) use browser::{read_browser_cookies, read_browser_query};
pub use handles::handle;
pub use token_endpoint::token_answer;

const RESOURCE: &str = "https://mcp.example.com/mcp";
const ISSUER: &str = "https://issuer.example.com/tenant";
const NOW: u64 = 1_800_000_000;
/// What reading may cost for each byte of the input.
const EACH_BYTE: crate::steps::Cost = crate::steps::Cost { steps: 16, allocated: 256 };

/// Runs what reads this input, and counts that it takes time and memory in proportion.
fn bounded<T>(bytes: &[u8], read: impl FnOnce() -> T) -> T {
    crate::steps::linear(EACH_BYTE, bytes.len(), read).0
}

/// The first line is a query string, the second an `Authorization` header, a third another one.
pub fn bearer(bytes: &[u8]) {
    let mut lines = bytes.splitn(3, |byte| *byte == b'\n');
    let query = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let headers: Vec<_> = lines.collect();
    let mut request = http::Request::get(format!("/mcp?{query}"));
    for header in &headers {
        let Ok(value) = HeaderValue::from_bytes(header) else { return };
        request = request.header(AUTHORIZATION, value);
    }
    let Ok(request) = request.body(()) else { return };
    let (parts, ()) = request.into_parts();
    let read = || BearerToken::from_request(&parts, &[]).and_then(BearerToken::parse);
    let Ok(token) = bounded(bytes, read) else { return };

    assert_eq!(headers.len(), 1, "one header was sent");
    assert!(headers[0][..7].eq_ignore_ascii_case(b"bearer "), "with this scheme");
    assert!(headers[0].ends_with(token.as_bytes()), "and nothing after the token");
    let is_token_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    assert!(!token.is_empty() && token.bytes().all(is_token_byte), "{token:?}");
    let names = query.split('&').filter_map(|pair| pair.split('=').next());
    let mut names = names.map(|name| percent_decode_str(name).collect::<Vec<_>>());
    let uri_has_query = parts.uri.query().is_some_and(|kept| kept == query);
    assert!(!uri_has_query || !names.any(|name| name == b"access_token"), "{query:?}");
}

/// The first line is the address of a connection, each other one an `X-Forwarded-For` header.
pub fn client_addresses(bytes: &[u8]) {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let first = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let Some(peer) = PeerAddress::parse(&first) else { return };
    let mut headers = HeaderMap::new();
    for line in lines {
        let Ok(value) = HeaderValue::from_bytes(line) else { return };
        headers.append(X_FORWARDED_FOR, value);
    }
    let trusted = [AddressRange::parse("10.0.0.0/8").expect("a good one")];
    let client = bounded(bytes, || client_address(peer, &headers, &trusted));

    // A stranger's connection says all.
    if !trusted[0].contains(peer.ip()) {
        assert_eq!(client, peer.ip(), "{headers:?}");
    }
    // What a trusted proxy adds at the end counts, whatever stands before it.
    headers.append(X_FORWARDED_FOR, HeaderValue::from_static("192.0.2.9"));
    let proxy = PeerAddress::parse("10.1.2.3").expect("a good one");
    let added = client_address(proxy, &headers, &trusted);
    assert_eq!(added.to_string(), "192.0.2.9", "{headers:?}");
}

/// What a client writes about itself, where a trusted proxy adds nothing to it.
#[cfg(test)]
pub(crate) fn read_client_address(text: &str) {
    let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) else { return };
    let mut headers = HeaderMap::new();
    headers.append(X_FORWARDED_FOR, value);
    let trusted = [AddressRange::parse("10.0.0.0/8").expect("a good one")];
    let proxy = PeerAddress::parse("10.1.2.3").expect("a good one");
    let _ = client_address(proxy, &headers, &trusted);
}

/// A token in compact serialization.
pub fn jws(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let buffer = &mut Vec::new();
    let parsed = bounded(bytes, move || Jws::parse(text, &TokenLimits::LARGEST, buffer));
    let Ok(jws) = parsed else { return };

    let parts: Vec<_> = text.split('.').collect();
    let [header, payload, signature] = parts[..] else { panic!("{} parts", parts.len()) };
    for part in [payload, signature] {
        decoded(part);
    }
    let header: Map<String, Value> =
        serde_json::from_slice(&decoded(header)).expect("what is read strictly can be read whole");
    assert_eq!(header["alg"], jws.algorithm().name());
    assert_eq!(header.get("kid").and_then(Value::as_str), jws.key_id());
    assert!(!header.contains_key("crit"), "no extension is understood");
    assert!(has_distinct_names(&decoded(parts[0])));

    let (signing_input, _) = text.rsplit_once('.').expect("three parts");
    let made_it = known_keys().iter().any(|key| jws.verify(key).is_some());
    assert!(!made_it || known_signing_inputs().contains(&signing_input), "forged: {text}");
}

/// A JWK Set.
pub fn jwk_set(bytes: &[u8]) {
    let Ok(document) = serde_json::from_slice::<Value>(bytes) else { return };
    let set = bounded(bytes, || KeySet::read(&document, ""));
    let keys = document.get("keys").and_then(Value::as_array);
    let mut any = false;
    for jwk in keys.into_iter().flatten().take(256) {
        let Ok(key) = VerificationKey::from_jwk(jwk) else { continue };
        any = true;
        assert!(text_of(jwk, "use").is_none_or(|purpose| purpose == "sig"), "{jwk}");
        assert_eq!(key.key_id(), text_of(jwk, "kid"));
        let supported = Algorithm::ALL.iter().filter(|algorithm| key.supports(**algorithm));
        assert!(supported.clone().count() > 0, "a key without an algorithm is of no use");
        for algorithm in supported {
            let (kty, crv) = key_type(*algorithm);
            assert_eq!(jwk["kty"], kty, "{jwk} supports {algorithm}");
            assert!(crv.is_none_or(|crv| jwk["crv"] == crv), "{jwk} supports {algorithm}");
            let is_declared = text_of(jwk, "alg").is_none_or(|name| name == algorithm.name());
            assert!(is_declared || kty == "OKP", "{jwk} supports {algorithm}");
        }
        if jwk["kty"] == "RSA" {
            let modulus = jwk["n"].as_str().expect("a text");
            let in_url_alphabet = modulus.replace('+', "-").replace('/', "_");
            let bytes = decoded(in_url_alphabet.trim_end_matches('='));
            assert!(bytes.len() >= 2048 / 8, "short key");
        }
    }
    assert_eq!(set.is_ok(), any, "one odd key never spoils the others");
}

/// A member of a key that is set.
fn text_of<'k>(jwk: &'k Value, member: &str) -> Option<&'k str> {
    jwk[member].as_str().filter(|text| !text.is_empty())
}

/// An authorization server's metadata document.
pub fn metadata(bytes: &[u8]) {
    let Ok(document) = serde_json::from_slice::<Value>(bytes) else { return };
    let issuer = IssuerIdentifier::parse(ISSUER).expect("a good one");
    let fetched = UrlRules::of_metadata(&AuthorizationServer::new(ISSUER), &issuer);
    let by_hand = UrlRules::configured(PlainHttp::Loopback);
    for (rules, is_fetched) in [(fetched, true), (by_hand, false)] {
        let read = || Metadata::read(&issuer, &document, &rules);
        let Ok(metadata) = bounded(bytes, read) else { continue };
        assert_eq!(document["issuer"], ISSUER);
        let Ok(keys) = metadata.jwks_uri() else { continue };
        assert_eq!(document["jwks_uri"], keys.url);
        let without_query = keys.url.split('?').next().unwrap_or_default();
        let url: http::Uri = without_query.parse().expect("a URL that can be fetched");
        let host = url.host().unwrap_or_default().to_ascii_lowercase();
        assert!(!host.is_empty(), "{url}");
        let is_loopback =
            host.ends_with("localhost") || host.starts_with("127.") || host.starts_with('[');
        let is_secure = url.scheme_str().is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
        assert!(is_secure || (is_loopback && !is_fetched), "{url}");
        let may_be_private = keys.addresses == AllowedAddresses::Any;
        assert_eq!(may_be_private, !is_fetched || host == "issuer.example.com", "{url}");
    }
}

/// The payload of a token whose signature was verified.
pub fn claims(bytes: &[u8]) {
    let read = || Claims::read(bytes, JsonLimits::LARGEST);
    let Ok(claims) = bounded(bytes, read) else { return };
    let whole: Map<String, Value> =
        serde_json::from_slice(bytes).expect("what is read strictly can be read whole");
    assert!(has_distinct_names(bytes));

    let rules = Rules {
        resource: ResourceIdentifier::parse(RESOURCE).expect("a good one"),
        audiences: Vec::new(),
        accept_any_audience: false,
        clock_tolerance: Duration::from_secs(60),
    };
    if claims.validate(&rules, &IssuerRules::default(), NOW).is_err() {
        return;
    }
    let seconds = |name: &str| whole.get(name).map(|value| value.as_f64().expect("a number"));
    assert!(seconds("exp").expect("required") + 60.0 > NOW as f64 - 1.0, "expired");
    assert!(seconds("nbf").is_none_or(|nbf| nbf < (NOW + 61) as f64), "not yet valid");
    let audience = match &whole["aud"] {
        Value::Array(many) => many.clone(),
        one => vec![one.clone()],
    };
    let is_ours = |one: &Value| one.as_str().is_some_and(|one| one.eq_ignore_ascii_case(RESOURCE));
    assert!(audience.iter().all(Value::is_string) && audience.iter().any(is_ours), "{audience:?}");
    for marker in ["cnf", "events"] {
        assert!(!whole.contains_key(marker), "not a bearer access token");
    }
    let subject = whole.get("sub").and_then(Value::as_str).filter(|subject| !subject.is_empty());
    assert_eq!(claims.facts().subject.as_deref(), subject);
    assert_eq!(CheckedObject::new(bytes).members(), Ok(whole), "read whole, it is the same");
}

/// The body of a request, which a server behind reads with a reader of its own.
pub fn message(bytes: &[u8]) {
    let Ok(messages) = bounded(bytes, || Messages::parse(bytes)) else { return };
    // Of two members of one name, this one takes the last. What it cannot read, no server carries out.
    let Ok(whole) = serde_json::from_slice::<Value>(bytes) else { return };
    let all =
        if messages.is_batch { whole.as_array().expect("a batch").clone() } else { vec![whole] };
    let mut operations = messages.operations.iter();
    for message in &all {
        assert_eq!(message["jsonrpc"], "2.0");
        let method = message.get("method").map_or("", |method| method.as_str().expect("a text"));
        let params = &message["params"];
        let names: Vec<Option<&str>> = match method {
            "tools/call" | "prompts/get" => vec![params["name"].as_str()],
            "resources/read"
            | "resources/subscribe"
            | "resources/unsubscribe"
            | "resources/directory/read" => vec![params["uri"].as_str()],
            "completion/complete" => {
                let reference = &params["ref"];
                let is_prompt = reference["type"] == "ref/prompt";
                // A prompt with the argument that is begun comes before it without.
                let begun = params["argument"]["value"].as_str().unwrap_or_default();
                if is_prompt && !begun.is_empty() {
                    let with_begun = operations.next().and_then(|next| next.arguments());
                    let name = params["argument"]["name"].as_str().expect("a text");
                    assert_eq!(with_begun.expect("arguments")[name], begun, "{message}");
                }
                // A template with what is begun, and with what was chosen already, may come before it as it stands.
                let written = reference["uri"].as_str();
                for _ in 0..3 {
                    let next = operations.clone().next();
                    if !is_prompt && next.and_then(|next| next.name()) != written {
                        operations.next();
                    }
                }
                vec![reference[if is_prompt { "name" } else { "uri" }].as_str()]
            }
            "subscriptions/listen" => {
                let uris = params["notifications"]["resourceSubscriptions"].as_array();
                [None].into_iter().chain(uris.into_iter().flatten().map(Value::as_str)).collect()
            }
            "" => vec![None],
            _ => {
                let own = params["taskId"].as_str().filter(|_| method.starts_with("tasks/"));
                let beside = params["uri"].as_str().map(Some);
                beside.into_iter().chain([own]).collect()
            }
        };
        let arguments = match method {
            "tools/call" | "prompts/get" => params.get("arguments"),
            "completion/complete" if params["ref"]["type"] == "ref/prompt" => {
                params.get("context").and_then(|context| context.get("arguments"))
            }
            _ => None,
        };
        let arguments = arguments.and_then(Value::as_object);
        for name in names {
            let operation = operations.next().expect("one for each name");
            assert_eq!((method, name), (operation.method(), operation.name()), "{message}");
            assert_eq!(arguments, operation.arguments(), "{message}");
        }
    }
    assert!(operations.next().is_none(), "nothing that was not asked for");
}

/// A resource URI, and a rule's URI.
pub fn uri(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let longest = text.len() * 3;
    if let Ok(pattern) = bounded(bytes, || normal_pattern(text)) {
        assert!(pattern.len() <= longest && pattern.is_ascii(), "{text:?}: {pattern:?}");
        assert_eq!(normal_pattern(&pattern).as_ref(), Ok(&pattern), "{text:?}");
    }
    let Ok(normal) = bounded(bytes, || NormalUri::read(text)) else { return };
    if !normal.has_known_host() {
        return;
    }
    let uri = normal.as_str();
    assert_eq!(NormalUri::read(uri).as_ref(), Ok(&normal), "{text:?}");
    let is_byte = |byte: u8| byte.is_ascii_graphic() && !b"\\#\"<>^`{|}[]*".contains(&byte);
    assert!(uri.len() <= longest && uri.bytes().all(is_byte), "{text:?}: {uri:?}");
    assert!(uri.starts_with(normal.scheme()) && uri.starts_with(normal.without_query()));
    assert_eq!(uri.split('?').next(), Some(normal.without_query()), "{text:?}");
    // Nothing is left that a reader of dots or escapes could take for a delimiter.
    let decoded = percent_decode_str(normal.without_query()).decode_utf8().expect("in UTF-8");
    assert!(!decoded.contains(['\\', '?', '#']) && !decoded.contains(char::is_control));
    assert_eq!(percent_decode_str(&decoded).decode_utf8().expect("in UTF-8"), decoded, "{text:?}");
    assert!(!decoded.split('/').any(|segment| matches!(segment, "." | "..")), "{text:?}");
    // A rule without variables means what it says.
    let is_exact = !text.ends_with('*') && !text.contains(['{', '}', '*']);
    assert!(!is_exact || normal_pattern(text).as_deref() == Ok(uri), "{text:?}");
}

/// An answer, after four bytes that choose what was asked for, its status, its label, and how it is cut.
pub fn list(bytes: &[u8]) {
    let Some((&[call, status, label, size], body)) = bytes.split_first_chunk::<4>() else { return };
    let call = CALLS[usize::from(call) % CALLS.len()];
    let status = [200, 202, 404, 500][usize::from(status) % 4];
    let status = StatusCode::from_u16(status).expect("a status");
    let labels = ["", "application/json", "text/event-stream", "text/plain"];
    let label = labels[usize::from(label) % labels.len()];
    let size = 1 + usize::from(size) % 32;

    // What is made once is made now.
    drop(forward(call));
    let whole = bounded(bytes, || filtered(call, status, label, [body]));
    assert_eq!(
        bounded(bytes, || filtered(call, status, label, body.chunks(size))),
        whole,
        "pieces make no difference"
    );
    let Some(sent) = whole else { return };
    assert!(!shows_forbidden(&sent, call == CALLS[0]), "{:?}", String::from_utf8_lossy(&sent));
    let again = filtered(call, status, label, [&*sent]);
    assert_eq!(again, Some(sent), "what is filtered needs no filter");
}

const CALLS: [&str; 2] = [
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"open"}}"#,
];

/// What a client without a token gets of such an answer; `None`: another one, or an end.
fn filtered<'b>(
    call: &str,
    status: StatusCode,
    label: &'static str,
    pieces: impl IntoIterator<Item = &'b [u8]>,
) -> Option<Vec<u8>> {
    sent_of(forward(call), status, label, pieces)
}

/// What the client gets of such an answer to this request.
fn sent_of<'b>(
    forward: Forward,
    status: StatusCode,
    label: &'static str,
    pieces: impl IntoIterator<Item = &'b [u8]>,
) -> Option<Vec<u8>> {
    let mut headers = HeaderMap::new();
    if !label.is_empty() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(label));
    }
    let mut filter = forward.respond(status, &mut headers);
    let mut sent = Vec::new();
    let mut take = |passage: Passage| match passage {
        Passage::Hold => Some(()),
        Passage::Send(data) => {
            sent.extend_from_slice(&data);
            Some(())
        }
        Passage::Replace(_) | Passage::CutOff => None,
    };
    for piece in pieces {
        take(filter.push(piece))?;
    }
    take(filter.end())?;
    Some(sent)
}

/// What an issuer tells: the bytes as the bodies of POSTs that nobody has signed, and as the claims of notices that it
/// has signed.
pub fn notice(bytes: &[u8]) {
    static AUTH: OnceLock<McpAuth> = OnceLock::new();
    let auth = AUTH.get_or_init(|| {
        let mut trusted = AuthorizationServer::new(ISSUER);
        trusted.back_channel_logout = Some(BackChannelLogout::new(["client"]));
        trusted.shared_signals = Some(SharedSignals::new(["client"]));
        let resource = ProtectedResource::new(RESOURCE, [trusted]);
        let builder = McpAuth::builder(Config::default().protect_resource(resource));
        // Nothing is fetched.
        builder.clock(Fixed).spawn_with(drop).build().expect("nothing is wrong with it")
    });
    let kinds = [
        (NoticeKind::Logout, "/backchannel-logout", "application/x-www-form-urlencoded"),
        (NoticeKind::SecurityEvent, "/shared-signals", "application/secevent+jwt"),
    ];
    for (kind, path, content_type) in kinds {
        let request = Request::post(path).header(CONTENT_TYPE, content_type);
        let (request, ()) = request.body(()).expect("a request").into_parts();
        let decided = auth.decide(&request).now_or_never().expect("nothing is waited for");
        let Decision::ReadBody(pending) = decided else { panic!("{decided:?}") };
        // What names the issuer waits for its keys.
        if let Some(Decision::Reply(reply)) = pending.decide(&request, bytes).now_or_never() {
            assert!(reply.status.is_client_error(), "{}", reply.status);
        }
        let Ok(claims) = CheckedObject::new(bytes).members() else { continue };
        for revocation in auth.notices().revocations_of_unverified(kind, claims) {
            let (issuer, name) = revocation.names();
            assert!(issuer == ISSUER && !name.is_empty(), "{revocation:?}");
        }
    }
}

struct Fixed;

impl Clock for Fixed {
    fn unix_seconds(&self) -> u64 {
        NOW
    }
}

/// A call that needs no token, under a policy that hides a tool.
fn forward(call: &str) -> Forward {
    static AUTH: OnceLock<McpAuth> = OnceLock::new();
    let auth = AUTH.get_or_init(|| {
        let policy = ScopePolicy::new()
            .require_for_tool("open", Requirement::public())
            .require_for_tool("hidden", Requirement::default().roles(["admin"]));
        let mut config = Config::new(RESOURCE, ISSUER).expect("good ones");
        config.resources[0].policy = Some(policy);
        McpAuth::new(config).expect("nothing is wrong with it")
    });
    let request = Request::post("/mcp").header(CONTENT_TYPE, "application/json");
    let (request, ()) = request.body(()).expect("a request").into_parts();
    let decided = async {
        match auth.decide(&request).await {
            Decision::ReadBody(pending) => {
                let decision = pending.decide(&request, call.as_bytes());
                decision.now_or_never().expect("who calls is known")
            }
            decision => decision,
        }
    };
    match decided.now_or_never() {
        Some(Decision::Forward(forward)) => forward,
        other => panic!("{other:?}"),
    }
}

/// Whether a reader of JSON or of events finds the hidden tool in a list; who asked for one takes it also
/// without an answer around it.
fn shows_forbidden(body: &[u8], is_asked: bool) -> bool {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n").replace('\r', "\n");
    let data = |event: &str| {
        let lines = event.lines().filter_map(|line| line.trim_start().strip_prefix("data:"));
        lines.collect::<Vec<_>>().join("\n")
    };
    let events = text.split("\n\n").map(data);
    let documents = events.chain([text.clone()]);
    let mut values = documents.filter_map(|text| serde_json::from_str::<Value>(&text).ok());
    values.any(|value| {
        let messages = value.as_array().cloned().unwrap_or_else(|| vec![value]);
        messages.iter().any(|message| {
            let bare = is_asked.then_some(message);
            let places = [&message["result"], &message["error"]["data"]];
            let lists =
                places.into_iter().chain(bare).filter_map(|place| place["tools"].as_array());
            lists.flatten().any(|tool| tool["name"] == "hidden" || tool == "hidden")
        })
    })
}

/// The table of RFC 7518 §3.1, RFC 8037 and RFC 9864, once more.
fn key_type(algorithm: Algorithm) -> (&'static str, Option<&'static str>) {
    match algorithm {
        Algorithm::Es256 => ("EC", Some("P-256")),
        Algorithm::Es384 => ("EC", Some("P-384")),
        Algorithm::Es512 => ("EC", Some("P-521")),
        Algorithm::EdDsa | Algorithm::Ed25519 => ("OKP", Some("Ed25519")),
        Algorithm::MlDsa44 | Algorithm::MlDsa65 | Algorithm::MlDsa87 => ("AKP", None),
        _ => ("RSA", None),
    }
}

/// The examples of the RFCs, whose keys have signed nothing else.
fn examples() -> &'static [Value] {
    static EXAMPLES: OnceLock<Vec<Value>> = OnceLock::new();
    EXAMPLES.get_or_init(|| {
        serde_json::from_str(include_str!("jose/rfc_examples.json")).expect("good JSON")
    })
}

fn known_keys() -> &'static [VerificationKey] {
    static KEYS: OnceLock<Vec<VerificationKey>> = OnceLock::new();
    KEYS.get_or_init(|| {
        let keys = examples().iter().filter_map(|example| example.get("key"));
        keys.filter_map(|jwk| VerificationKey::from_jwk(jwk).ok()).collect()
    })
}

fn known_signing_inputs() -> HashSet<&'static str> {
    let tokens = examples().iter().filter_map(|example| example["token"].as_str());
    tokens.filter_map(|token| Some(token.rsplit_once('.')?.0)).collect()
}

/// Whether the members of an object have distinct names, and those of all objects in it.
fn has_distinct_names(bytes: &[u8]) -> bool {
    struct Names;
    struct Distinct(bool);
    impl<'de> serde::Deserialize<'de> for Distinct {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_any(Names).map(Self)
        }
    }
    impl<'de> serde::de::Visitor<'de> for Names {
        type Value = bool;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
            let mut seen = HashSet::new();
            let mut distinct = true;
            while let Some((name, Distinct(inside))) = map.next_entry::<String, Distinct>()? {
                distinct &= seen.insert(name) && inside;
            }
            Ok(distinct)
        }
        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<bool, A::Error> {
            let mut distinct = true;
            while let Some(Distinct(inside)) = list.next_element()? {
                distinct &= inside;
            }
            Ok(distinct)
        }
        fn visit_unit<E>(self) -> Result<bool, E> {
            Ok(true)
        }
        fn visit_bool<E>(self, _: bool) -> Result<bool, E> {
            Ok(true)
        }
        fn visit_i64<E>(self, _: i64) -> Result<bool, E> {
            Ok(true)
        }
        fn visit_u64<E>(self, _: u64) -> Result<bool, E> {
            Ok(true)
        }
        fn visit_f64<E>(self, _: f64) -> Result<bool, E> {
            Ok(true)
        }
        fn visit_str<E>(self, _: &str) -> Result<bool, E> {
            Ok(true)
        }
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    serde::Deserializer::deserialize_map(&mut deserializer, Names).unwrap_or(false)
}

/// RFC 4648 §5, slowly and with nothing of the code under test: one text for the same bytes.
fn decoded(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digits = text.bytes().map(|byte| ALPHABET.iter().position(|one| *one == byte));
    let digits: Vec<_> = digits.map(|digit| digit.expect("a character of base64url")).collect();
    let mut bytes = Vec::with_capacity(text.len());
    for group in digits.chunks(4) {
        let bits = (0..4).fold(0, |bits, at| bits << 6 | group.get(at).copied().unwrap_or(0));
        let whole = group.len() * 6 / 8;
        assert!(whole > 0 && bits.trailing_zeros() >= 24 - whole as u32 * 8, "stray bits: {text}");
        bytes.extend_from_slice(&bits.to_be_bytes()[size_of::<usize>() - 3..][..whole]);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    type Target = (&'static str, fn(&[u8]));

    const TARGETS: [Target; 13] = [
        ("bearer", bearer),
        ("jws", jws),
        ("jwk_set", jwk_set),
        ("metadata", metadata),
        ("claims", claims),
        ("message", message),
        ("uri", uri),
        ("list", list),
        ("handle", handle),
        ("notice", notice),
        ("client_address", client_addresses),
        ("token_answer", token_answer),
        ("browser", browser),
    ];

    fn corpus(target: &str) -> Vec<Vec<u8>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
        let mut files: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files.iter().map(|file| fs::read(file).unwrap()).collect()
    }

    /// One change of an input: (where, as a fraction; what; with which byte).
    type Change = (f64, u8, u8);

    fn apply(input: &mut Vec<u8>, (place, kind, byte): Change) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
        let at = (place * input.len() as f64) as usize;
        match kind % 6 {
            0 => input.insert(at, byte),
            1 if at < input.len() => drop(input.remove(at)),
            2 if at < input.len() => input[at] = byte,
            3 if at < input.len() => input[at] ^= 1 << (byte % 8),
            4 => input.truncate(at),
            // A piece once more, as in a duplicate member.
            _ => {
                let end = input.len().min(at + usize::from(byte));
                let piece = input[at..end].to_vec();
                input.splice(at..at, piece);
            }
        }
    }

    #[test]
    fn the_corpus_holds() {
        for (name, target) in TARGETS {
            let corpus = corpus(name);
            assert!(corpus.len() >= 3, "{name}");
            corpus.iter().for_each(|input| target(input));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

        #[test]
        fn any_bytes_hold(bytes in vec(any::<u8>(), 0..512)) {
            TARGETS.iter().for_each(|(_, target)| target(&bytes));
        }

        #[test]
        fn changed_inputs_hold(
            target in 0..TARGETS.len(),
            seed in any::<prop::sample::Index>(),
            changes in vec((0.0..1.0, any::<u8>(), any::<u8>()), 1..8),
        ) {
            let (name, run) = TARGETS[target];
            let corpus = corpus(name);
            let mut input = corpus[seed.index(corpus.len())].clone();
            changes.into_iter().for_each(|change| apply(&mut input, change));
            run(&input);
        }
    }
}
