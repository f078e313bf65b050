//! What happens to a caller while a token is asked for.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};

use super::*;
use crate::claims::Claims;
use crate::clock::SystemClock;
use crate::issuer::{ClientCredentials, EndpointClient, EndpointPlace, HttpClient, HttpError};
use crate::json::{CheckedObject, JsonLimits};
use crate::revocation::Revocation;

const ISSUER: &str = "https://sso.example";
const ANSWER: &str = r#"{"access_token":"of-the-api","token_type":"Bearer","expires_in":300,
    "issued_token_type":"urn:ietf:params:oauth:token-type:access_token"}"#;

/// A token endpoint that gives a token, and meanwhile somebody is revoked.
struct RevokesMeanwhile {
    cutoffs: Arc<Cutoffs>,
    revoked: Option<Revocation>,
}

impl HttpClient for RevokesMeanwhile {
    fn send(&self, _: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        if let Some(revocation) = &self.revoked {
            self.cutoffs.revoke(revocation.clone(), SystemClock.unix_seconds());
        }
        Box::pin(async { Ok(Response::new(Bytes::from_static(ANSWER.as_bytes()))) })
    }
}

fn api(revoked: Option<Revocation>) -> Arc<DownstreamApi> {
    let cutoffs = Arc::new(Cutoffs::default());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let client = EndpointClient {
        client_id: "tools".to_owned(),
        credentials: ClientCredentials::None,
        http: Arc::new(RevokesMeanwhile { cutoffs: cutoffs.clone(), revoked }),
    };
    let place = EndpointPlace::At(format!("{ISSUER}/token"));
    let endpoint = TokenEndpoint::new(place, client, clock.clone(), Duration::from_secs(5));
    Arc::new(DownstreamApi::new(DownstreamParts {
        name: "reports".to_owned(),
        config: DownstreamConfig { audience: vec!["reports".to_owned()], ..Default::default() },
        endpoint: Arc::new(endpoint),
        connection: None,
        target: None,
        subject_issuers: vec![ISSUER.to_owned()],
        subject_servers: Vec::new(),
        cutoffs,
        clock,
        spawner: Spawner::default(),
        cache_entries: 10,
        tolerance: 60,
    }))
}

fn caller(subject: &str, token: &str) -> AuthInfo {
    caller_until(SystemClock.unix_seconds() + 300, subject, token)
}

fn caller_until(ends: u64, subject: &str, token: &str) -> AuthInfo {
    let payload =
        format!(r#"{{"iss":"{ISSUER}","sub":"{subject}","sid":"s","iat":10,"exp":{ends}}}"#);
    let claims = Claims::read(payload.as_bytes(), JsonLimits::LARGEST).unwrap();
    let whole = CheckedObject::new(payload.as_bytes());
    AuthInfo::new(ISSUER.into(), Scopes::default(), &claims, whole, Arc::default(), token)
}

#[tokio::test]
async fn a_caller_who_is_revoked_while_a_token_is_asked_for_gets_none() {
    let revocations = [
        (None, true),
        (Some(Revocation::of_subject(ISSUER, "bob")), true),
        (Some(Revocation::of_subject(ISSUER, "alice")), false),
        (Some(Revocation::of_session(ISSUER, "s")), false),
    ];
    for (revoked, is_given) in revocations {
        let about = format!("{revoked:?}");
        let api = api(revoked);
        let alice = caller("alice", "a.b.c");
        let given = api.token_for(&alice, None).await;
        assert_eq!(given.is_ok(), is_given, "{about}");
        let kept = api.token_at_once(&alice, None).ok().flatten();
        assert_eq!(kept.is_some(), is_given, "{about}");
        if let Err(error) = given {
            assert_eq!(error.code(), "downstream_sign_in_again", "{about}");
        }
    }
}

#[tokio::test]
async fn a_caller_gets_a_token_as_long_as_they_are_let_in() {
    // They are for sixty seconds after the end of their token.
    for (seconds_ago, is_given) in [(0, true), (30, true), (60, false), (90, false)] {
        let alice = caller_until(SystemClock.unix_seconds() - seconds_ago, "alice", "a.b.c");
        let api = api(None);
        let given = api.token_for(&alice, None).await;
        assert_eq!(given.is_ok(), is_given, "{seconds_ago}");
        let kept = api.token_at_once(&alice, None).ok().flatten();
        assert_eq!(kept.is_some(), is_given, "{seconds_ago}");
    }
}

#[tokio::test]
async fn a_caller_without_a_token_has_nothing_to_exchange() {
    let error = api(None).token_for(&caller("alice", ""), None).await.unwrap_err();
    assert_eq!(error, DownstreamError::NoToken);
}

#[tokio::test]
async fn whoever_begins_to_ask_finds_what_was_kept_since_they_looked() {
    let api = api(None);
    let alice = caller("alice", "a.b.c");
    let scopes = Scopes::default();
    let key = token_key(Some(&alice), &scopes);
    let kept = DownstreamToken::new(Zeroizing::new("kept".to_owned()), scopes.clone(), None);
    api.cache.keep(key, kept, None, u64::MAX, 1, &api.parts.cutoffs);
    let question = Question::new(key, None, &scopes);
    assert_eq!(api.have(question).await.unwrap().expose(), "kept");
}
