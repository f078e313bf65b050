//! Places of metadata that do not answer: which document is taken then, how soon, and what is told. Time is paused, and
//! goes on at once to when the next thing happens.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Request, Response, StatusCode};
use futures_util::future::BoxFuture;
use mcp_auth::http_client::{HttpClient, HttpError};
use mcp_auth::inspection::FaultKind;
use mcp_auth::settings::ServerType;
use mcp_auth::{AuthorizationServer, Config, McpAuth, ProtectedResource};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{RESOURCE, TestClock};

const ISSUER: &str = "https://as.example/t";
/// Where its metadata may be, in the order of preference.
const PLACES: [&str; 4] = [
    "https://as.example/.well-known/oauth-authorization-server/t",
    "https://as.example/.well-known/openid-configuration/t",
    "https://as.example/t/.well-known/openid-configuration",
    "https://as.example/t/.well-known/oauth-authorization-server",
];
const KEYS: &str = "https://as.example/keys";

/// What a place says, after how many milliseconds. What is not listed hangs.
#[derive(Clone, Copy)]
enum Says {
    NotFound(u64),
    Document(u64),
}
use Says::{Document, NotFound};

#[derive(Clone, Default)]
struct Places {
    says: Arc<Mutex<HashMap<&'static str, Says>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Places {
    fn new(says: &[(usize, Says)]) -> Self {
        let places = Self::default();
        places.change(says);
        places.says.lock().unwrap().insert(KEYS, Document(0));
        places
    }

    fn change(&self, says: &[(usize, Says)]) {
        let mut all = self.says.lock().unwrap();
        all.retain(|url, _| *url == KEYS);
        all.extend(says.iter().map(|(index, says)| (PLACES[*index], *says)));
    }

    /// Which places were asked since the last time.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    fn auth(&self, clock: &TestClock, change: impl FnOnce(&mut AuthorizationServer)) -> McpAuth {
        let mut server = AuthorizationServer::new(ISSUER);
        change(&mut server);
        let config = Config::default().protect_resource(ProtectedResource::new(RESOURCE, [server]));
        McpAuth::builder(config).http_client(self.clone()).clock(clock.clone()).build().unwrap()
    }

    /// Which of the places the metadata in use was found at, and after how many milliseconds; or why there is none.
    async fn first_answer(&self) -> (Result<(), String>, u128) {
        let auth = self.auth(&TestClock::new(), |_| {});
        let begun = Instant::now();
        let ready = auth.ready().await.map_err(|unavailable| unavailable.reason);
        (ready, begun.elapsed().as_millis())
    }
}

impl HttpClient for Places {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        let url = request.uri().to_string();
        // The keys tell which document named them.
        let place = url.split('?').next().unwrap().to_owned();
        let says = self.says.lock().unwrap().get(&*place).copied();
        self.asked.lock().unwrap().push(url.clone());
        Box::pin(async move {
            let Some(says) = says else { return std::future::pending().await };
            let (Document(after) | NotFound(after)) = says;
            tokio::time::sleep(Duration::from_millis(after)).await;
            let mut response = Response::new(Bytes::from(document_at(&url).to_string()));
            if let NotFound(_) = says {
                *response.status_mut() = StatusCode::NOT_FOUND;
            }
            Ok(response)
        })
    }
}

/// The key set, or metadata that says in `jwks_uri` where it was found.
fn document_at(url: &str) -> Value {
    match PLACES.iter().position(|place| *place == url) {
        Some(index) => json!({ "issuer": ISSUER, "jwks_uri": format!("{KEYS}?{index}") }),
        None => json!({ "keys": [{ "kty": "EC", "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" }] }),
    }
}

#[tokio::test(start_paused = true)]
async fn the_order_decides_and_a_place_that_hangs_costs_a_second() {
    // (what the places say; which document is taken; when, in milliseconds)
    type Row = (&'static [(usize, Says)], usize, u128);
    let rows: [Row; 10] = [
        (&[(0, Document(0))], 0, 0),
        (&[(0, Document(900)), (1, Document(0))], 0, 900),
        (&[(0, NotFound(0)), (1, Document(0))], 1, 0),
        (&[(0, NotFound(0)), (1, Document(700)), (2, Document(0))], 1, 700),
        (&[(0, NotFound(0)), (1, NotFound(0)), (2, NotFound(0)), (3, Document(0))], 3, 0),
        // One hangs, two, three.
        (&[(1, Document(0)), (2, Document(0))], 1, 1_000),
        (&[(2, Document(0))], 2, 2_000),
        (&[(3, Document(0))], 3, 2_000),
        // Nothing better than the slow one.
        (&[(0, Document(3_500)), (1, NotFound(0))], 0, 3_500),
        // The first answers while the others are asked: it still goes before them.
        (&[(0, Document(1_500)), (2, Document(0))], 0, 1_500),
    ];
    for (index, (says, taken, after)) in rows.into_iter().enumerate() {
        let places = Places::new(says);
        let (ready, elapsed) = places.first_answer().await;
        assert_eq!((ready, elapsed), (Ok(()), after), "row {index}");
        assert!(places.asked().contains(&format!("{KEYS}?{taken}")), "row {index}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_healthy_first_place_is_asked_alone() {
    let places = Places::new(&[(0, Document(300)), (1, Document(0))]);
    places.first_answer().await.0.unwrap();
    assert_eq!(places.asked(), [PLACES[0].to_owned(), format!("{KEYS}?0")]);
}

#[tokio::test(start_paused = true)]
async fn where_all_places_hang_the_first_503_comes_within_five_seconds() {
    for says in [&[][..], &[(1, NotFound(0))], &[(0, NotFound(0)), (2, NotFound(10))]] {
        let places = Places::new(says);
        let (ready, elapsed) = places.first_answer().await;
        assert_eq!(elapsed, 4_000);
        let reason = ready.unwrap_err();
        for (index, place) in PLACES.iter().enumerate() {
            let is_absent = says.iter().any(|(listed, _)| *listed == index);
            let said = if is_absent { "status 404" } else { "no answer within 4 s" };
            assert!(reason.contains(&format!("{place}: {said}")), "{place}: {said} in {reason}");
        }
        assert!(reason.contains("`metadata_url`") && reason.contains("`server_type`"), "{reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn metadata_at_a_url_or_keys_that_hang_are_told_within_five_seconds() {
    let places = Places::new(&[]);
    let by_url = places.auth(&TestClock::new(), |server| {
        server.metadata_url = Some("https://as.example/meta".to_owned());
    });
    let begun = Instant::now();
    let reason = by_url.ready().await.unwrap_err().reason;
    assert_eq!(reason, "https://as.example/meta: no answer within 4 s");
    assert_eq!(begun.elapsed().as_millis(), 4_000);

    let without_keys = Places::new(&[(0, Document(0))]);
    without_keys.says.lock().unwrap().remove(KEYS);
    let (ready, elapsed) = without_keys.first_answer().await;
    assert_eq!(ready.unwrap_err(), format!("{KEYS}?0: no answer within 4 s"));
    assert_eq!(elapsed, 4_000);
}

#[tokio::test(start_paused = true)]
async fn the_place_that_had_the_document_is_asked_first_the_next_time() {
    let places = Places::new(&[(2, Document(0))]);
    let clock = TestClock::new();
    let auth = places.auth(&clock, |server| server.server_type = ServerType::Any);
    auth.ready().await.unwrap();
    places.asked();
    // Too old to be believed: the next refresh is waited for.
    clock.advance(365 * 24 * 3600);
    let begun = Instant::now();
    auth.ready().await.unwrap();
    assert_eq!(begun.elapsed().as_millis(), 0);
    assert_eq!(places.asked(), [PLACES[2].to_owned(), format!("{KEYS}?2")]);

    // It is gone: the others are asked, in their order.
    places.change(&[(2, NotFound(0)), (0, Document(0)), (1, Document(0))]);
    clock.advance(365 * 24 * 3600);
    auth.ready().await.unwrap();
    assert_eq!(places.asked().last(), Some(&format!("{KEYS}?0")));
}

#[tokio::test(start_paused = true)]
async fn an_inspection_is_told_the_same_and_names_the_kind() {
    let places = Places::new(&[(0, NotFound(0)), (2, Document(0))]);
    let config = Config::default().protect_resource(ProtectedResource::new(RESOURCE, [ISSUER]));
    let builder = McpAuth::builder(config.clone()).http_client(places.clone());
    let report = builder.inspect_issuers().await.unwrap().remove(0);
    assert!(report.can_verify());
    assert_eq!(report.keys.jwks_uri, Some(format!("{KEYS}?2")));
    let used: Vec<_> = report.places.iter().map(|place| place.is_used).collect();
    assert_eq!(used, [false, false, true, false]);
    let second = report.places[1].fault.as_ref().unwrap();
    assert_eq!((second.kind, &*second.reason), (FaultKind::Unreachable, "no answer within 4 s"));

    let builder = McpAuth::builder(config).http_client(Places::new(&[(0, NotFound(0))]));
    let report = builder.inspect_issuers().await.unwrap().remove(0);
    assert_eq!(report.keys.fault_kind, Some(FaultKind::Unreachable));
}
