use dev_issuer::{DevIssuer, StartError};
use reqwest::StatusCode;

use crate::support::*;

#[tokio::test]
async fn other_addresses_are_not_bound() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let address: std::net::SocketAddr = address.parse().unwrap();
        let error = DevIssuer::builder().bind(address).start().await.unwrap_err();
        assert!(matches!(error, StartError::NotLoopback(refused) if refused == address));
    }
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let issuer = DevIssuer::start().await.unwrap();
    let error = DevIssuer::builder().bind(issuer.address()).start().await.unwrap_err();
    assert!(matches!(error, StartError::PortTaken(taken) if taken == issuer.address()));
}

#[tokio::test]
async fn other_hosts_are_refused() {
    let agent = Agent::start().await;
    let port = agent.issuer.address().port();
    for (host, status) in [
        (format!("localhost:{port}"), StatusCode::OK),
        (format!("[::1]:{port}"), StatusCode::OK),
        ("rebound.example".to_owned(), StatusCode::FORBIDDEN),
        (format!("127.0.0.1.nip.example:{port}"), StatusCode::FORBIDDEN),
        (format!("user@localhost.example:{port}"), StatusCode::FORBIDDEN),
    ] {
        let response = agent.http.get(agent.url("/jwks")).header("host", &host).send().await;
        assert_eq!(response.unwrap().status(), status, "{host}");
    }
}

#[tokio::test]
async fn the_server_stops_with_its_last_handle() {
    let issuer = DevIssuer::start().await.unwrap();
    let address = issuer.address();
    let clone = issuer.clone();
    drop(issuer);
    assert!(http().get(clone.jwks_uri()).send().await.is_ok());

    clone.shutdown().await;
    assert!(http().get(clone.jwks_uri()).send().await.is_err());
    assert!(!clone.mint().sign().is_empty(), "minting needs no server");
    let again = DevIssuer::builder().bind(address).start().await.unwrap();
    assert_eq!(again.address(), address);
}
