//! The layer for HTTP clients.

use std::convert::Infallible;

use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use bytes::Bytes;
use http_body_util::Full;
use serde_json::json;
use tower::{Layer as _, ServiceExt as _, service_fn};

use super::{Api, Calling};

impl Api {
    /// Calls this URL for a caller; the client has a token of its own in the request.
    async fn call(&self, calling: &Calling, user: &str, url: &str) -> Result<StatusCode, String> {
        let caller = calling.caller(user).await;
        let seen = self.clone();
        let client = service_fn(move |request: Request<Full<Bytes>>| {
            let header = request.headers().get("authorization");
            let token = header.map(|value| value.to_str().unwrap().to_owned());
            seen.tokens.lock().unwrap().push(token);
            let status = seen.statuses.lock().unwrap().pop().unwrap_or(StatusCode::OK);
            async move {
                let response = Response::builder().status(status).body(Body::empty()).unwrap();
                Ok::<_, Infallible>(response)
            }
        });
        let request = Request::post(url).header("authorization", "Bearer of-the-program");
        let request = request.body(Full::from("once more")).unwrap();
        let api = calling.auth.downstream("reports");
        let answer = api.layer_for(&caller).layer(client).oneshot(request).await;
        answer.map(|response| response.status()).map_err(|error| error.to_string())
    }

    fn take(&self) -> Vec<Option<String>> {
        std::mem::take(&mut self.tokens.lock().unwrap())
    }
}

async fn calling() -> Calling {
    Calling::with(|api| api["api"] = json!(["https://reports.example.com/v1"])).await
}

#[tokio::test]
async fn the_token_is_put_on_requests_to_the_api_alone() {
    let (calling, api) = (calling().await, Api::default());
    let status = api.call(&calling, "alice", "https://reports.example.com/v1/all").await;
    assert_eq!(status, Ok(StatusCode::OK));
    let [Some(token)] = &api.take()[..] else { panic!() };
    assert!(token.starts_with("Bearer ey"));
    for elsewhere in [
        "https://evil.example/v1/all",
        "http://reports.example.com/v1/all",
        "https://reports.example.com/v2",
        "https://reports.example.com/v1/../admin",
    ] {
        api.call(&calling, "alice", elsewhere).await.unwrap();
        assert_eq!(api.take(), [None], "{elsewhere}");
    }
}

#[tokio::test]
async fn after_a_401_it_is_tried_once_more_with_a_new_token() {
    let (calling, api) = (calling().await, Api::default());
    let url = "https://reports.example.com/v1/all";
    *api.statuses.lock().unwrap() = vec![StatusCode::UNAUTHORIZED];
    assert_eq!(api.call(&calling, "alice", url).await, Ok(StatusCode::OK));
    let tokens = api.take();
    assert!(tokens.len() == 2 && tokens[0] != tokens[1], "{tokens:?}");
    // One that refuses everything does not cause a question for each request.
    for (seconds, sent, asked) in [(0, 1, 2), (29, 1, 2), (1, 2, 3), (0, 1, 3)] {
        calling.clock.advance(seconds);
        *api.statuses.lock().unwrap() = vec![StatusCode::UNAUTHORIZED; 3];
        assert_eq!(api.call(&calling, "alice", url).await, Ok(StatusCode::UNAUTHORIZED));
        assert_eq!((api.take().len(), calling.asked()), (sent, asked), "{seconds}");
    }
    api.statuses.lock().unwrap().clear();
    // Any other answer is one.
    *api.statuses.lock().unwrap() = vec![StatusCode::FORBIDDEN];
    assert_eq!(api.call(&calling, "bob", url).await, Ok(StatusCode::FORBIDDEN));
    assert_eq!(api.take().len(), 1);
}

#[tokio::test]
async fn without_a_token_nothing_is_sent_to_the_api() {
    let (calling, api) = (calling().await, Api::default());
    calling.answer_wrongly(dev_issuer::TokenMode::Status(503));
    let answer = api.call(&calling, "alice", "https://reports.example.com/v1/all").await;
    assert_eq!(answer, Err("a token for another API cannot be had right now".to_owned()));
    assert!(api.take().is_empty());
}
