use dev_issuer::Mode;
use reqwest::StatusCode;

use crate::support::*;

#[tokio::test]
async fn offline_closes_the_connection_without_an_answer() {
    let agent = Agent::start().await;
    agent.issuer.set_mode(Mode::Offline);
    let error = agent.http.get(agent.issuer.jwks_uri()).send().await.unwrap_err();
    assert!(error.is_request(), "{error:?}");
    agent.issuer.set_mode(Mode::Online);
    let (status, _) = answer(agent.http.get(agent.issuer.jwks_uri()).send().await.unwrap()).await;
    assert_eq!(status, StatusCode::OK);
    assert!(agent.issuer.requests().jwks >= 2, "offline requests count");
}

#[tokio::test]
async fn hang_never_answers_until_the_server_stops() {
    let agent = Agent::start().await;
    agent.issuer.set_mode(Mode::Hang);
    let request = tokio::spawn(agent.http.get(agent.issuer.jwks_uri()).send());
    while agent.issuer.requests().jwks == 0 {
        tokio::task::yield_now().await;
    }
    assert!(!request.is_finished());
    agent.issuer.shutdown().await;
    assert!(request.await.unwrap().is_err());
}

#[tokio::test]
async fn garbage_is_not_json_and_a_status_is_a_status() {
    let agent = Agent::start().await;
    agent.issuer.set_mode(Mode::Garbage);
    let response = agent.http.get(agent.issuer.jwks_uri()).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert!(response.json::<serde_json::Value>().await.is_err());

    agent.issuer.set_mode(Mode::Status(503));
    let response = agent.http.get(agent.issuer.jwks_uri()).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn control_works_in_every_mode() {
    let agent = Agent::start().await;
    for mode in ["offline", "hang", "garbage", "status:500"] {
        let form = [("mode", mode.to_owned())];
        assert_eq!(agent.post("/dev/mode", &form).await.status(), StatusCode::NO_CONTENT);
        let requests = agent.http.get(agent.url("/dev/requests")).send().await.unwrap();
        assert_eq!(requests.status(), StatusCode::OK, "{mode}");
    }
    let unknown = agent.post("/dev/mode", &[("mode", "status:99".to_owned())]).await;
    assert_eq!(unknown.status(), StatusCode::BAD_REQUEST);
}
