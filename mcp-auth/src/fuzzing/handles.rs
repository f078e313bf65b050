//! Handles that are sealed in bodies.

use std::sync::{Arc, OnceLock};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Request, StatusCode};

use super::{ISSUER, RESOURCE, bounded, sent_of};
use crate::auth_info::AuthInfo;
use crate::authenticate::TokenVerifier;
use crate::authorize::{Messages, WrittenHandle};
use crate::config::Config;
use crate::error::AuthError;
use crate::handles::{HandleKind, HandleSealer, KeyRing, StateOf};
use crate::json::read_value;
use crate::mcp_auth::McpAuth;
use crate::serve::{Decision, Forward};

/// After a byte that tells which: the body of a request, or the answer to one, where handles are sealed.
pub fn handle(bytes: &[u8]) {
    let Some((&[kind, size], body)) = bytes.split_first_chunk::<2>() else { return };
    // What is made once is made now.
    drop(forward_of("alice", NAMES_TASK.as_bytes()));
    match kind % 2 {
        0 => handles_of_request(body),
        _ => handles_of_answer(body, 1 + usize::from(size) % 32),
    }
}

/// A request about a task, with the tag that Alice has for it.
const NAMES_TASK: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":"t1.PWoxBYODNFaXYPJpWsdiDQ"}}"#;

/// Whatever goes on for Alice has the handles that were given to Alice, and goes on for nobody else.
fn handles_of_request(body: &[u8]) {
    let Some(forward) = bounded(body, || forward_of("alice", body)) else { return };
    let sent = Messages::parse(body).expect("it was read");
    if sent.handles.is_empty() {
        assert!(forward.body().is_none(), "nothing is changed where no handle is");
        return;
    }
    let seen_body = forward.body().expect("the server sees its own handles");
    let seen = Messages::parse(seen_body).expect("it was read");
    assert_eq!(sent.handles.len(), seen.handles.len());
    let alice = person("alice");
    for (given, opened) in sent.handles.iter().zip(&seen.handles) {
        match (given, opened) {
            (WrittenHandle::Task(sealed), WrittenHandle::Task(plain)) => {
                let expected = sealer().seal(HandleKind::Task, Some(&alice), &text(plain));
                assert_eq!(expected, Some(text(sealed)));
            }
            (
                WrittenHandle::State { written, .. },
                WrittenHandle::State { written: plain, of: place },
            ) => {
                let call = &seen.operations[*place];
                let of = StateOf { method: call.method(), name: call.name() };
                let sealed = text(written);
                let state = sealer().open_state(Some(&alice), of, 0, &sealed);
                assert_eq!(state, Some(&*text(plain)));
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(forward_of("bob", body).is_none(), "it was given to Alice");
}

/// Only the task that the request names is sealed in the answer to it.
fn handles_of_answer(body: &[u8], size: usize) {
    let whole = bounded(body, || sent_of(question(), StatusCode::OK, "", [body]));
    let pieces = bounded(body, || sent_of(question(), StatusCode::OK, "", body.chunks(size)));
    assert_eq!(pieces, whole, "pieces make no difference");
    let Some(sent) = whole else { return };
    let told = String::from_utf8_lossy(&sent);
    let alice = person("alice");
    for other in ["t2", "of-bob", ""] {
        let sealed = sealer().seal(HandleKind::Task, Some(&alice), other).expect("there is a key");
        let came = String::from_utf8_lossy(body).contains(&sealed);
        assert!(came || !told.contains(&sealed), "{other} is not Alice's: {told}");
    }
}

/// Alice's request about her task.
fn question() -> Forward {
    forward_of("alice", NAMES_TASK.as_bytes()).expect("it is Alice's")
}

/// The request of this person, as far as it goes on.
fn forward_of(person: &str, body: &[u8]) -> Option<Forward> {
    static AUTH: OnceLock<McpAuth> = OnceLock::new();
    let auth = AUTH.get_or_init(|| {
        let mut config = Config::new(RESOURCE, ISSUER).expect("good ones");
        config.handle_keys = vec![HANDLE_KEY.into()];
        config.resources[0].seal_task_ids = true;
        config.resources[0].seal_request_state = true;
        config.resources[0].seal_event_ids = true;
        let builder = McpAuth::builder(config).token_verifier(Anybody);
        builder.build().expect("nothing is wrong with it")
    });
    let request = Request::post("/mcp").header(CONTENT_TYPE, "application/json");
    let request = request.header(AUTHORIZATION, format!("Bearer {person}"));
    let (request, ()) = request.body(()).expect("a request").into_parts();
    let Some(Decision::ReadBody(pending)) = auth.decide(&request).now_or_never() else {
        panic!("the body says what it asks for");
    };
    match pending.decide(&request, body).now_or_never() {
        Some(Decision::Forward(forward)) => Some(forward),
        Some(_) => None,
        None => panic!("who calls is known"),
    }
}

const HANDLE_KEY: &str = "a-key-that-is-known-to-everybody";

fn sealer() -> HandleSealer {
    HandleSealer::new(Arc::new(KeyRing::new([HANDLE_KEY.as_bytes()])), RESOURCE)
}

/// The string that a handle is.
fn text(written: &str) -> String {
    read_value(written).expect("JSON").as_str().expect("a string").to_owned()
}

/// Takes every token for the name of somebody.
struct Anybody;

impl TokenVerifier for Anybody {
    fn is_for(&self, _: &str) -> bool {
        true
    }

    fn verify<'t>(&'t self, token: &'t str) -> BoxFuture<'t, Result<AuthInfo, AuthError>> {
        Box::pin(std::future::ready(Ok(person(token))))
    }
}

fn person(name: &str) -> AuthInfo {
    let claims = serde_json::json!({ "iss": ISSUER, "sub": name });
    AuthInfo::from_verified_json(&claims.to_string()).expect("good claims")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// What Alice was given goes on for her, so that changes of it are tried, and not only what nobody was given.
    #[test]
    fn the_corpus_of_handles_goes_on_for_whoever_got_them() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/handle");
        let names =
            ["task", "escaped", "related", "batch", "listen", "state", "both", "other-method"];
        for name in names {
            let input = fs::read(folder.join(name)).unwrap();
            assert!(
                forward_of("alice", &input[2..]).is_some_and(|one| one.body().is_some()),
                "{name}"
            );
            assert!(forward_of("bob", &input[2..]).is_none(), "{name}");
        }
        let of_bob = fs::read(folder.join("of-bob")).unwrap();
        assert!(forward_of("alice", &of_bob[2..]).is_none());
    }
}
