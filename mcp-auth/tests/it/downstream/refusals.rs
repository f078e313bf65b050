//! Who gets no token, before anything is asked.

use mcp_auth::AuthInfo;
use serde_json::json;

use super::{Calling, config, reports};
use crate::support::log::Log;

#[tokio::test]
async fn a_machine_is_told_apart_before_anything_is_asked() {
    for grant in ["token_exchange", "on_behalf_of"] {
        let calling = Calling::with(|api| api["grant"] = json!(grant)).await;
        let machines = [
            calling.mint("a-client"),
            calling.mint("alice").claim("gty", "client-credentials"),
            calling.mint("alice").claim("idtyp", "app"),
            calling.mint("alice").without("sub"),
        ];
        for mint in machines {
            let machine = calling.caller_by(mint).await;
            let error = calling.token_for(&machine).await.unwrap_err();
            assert_eq!((error.code(), calling.asked()), ("downstream_no_user", 0), "{grant}");
        }
    }
    let calling = Calling::with(|api| api["allow_machines"] = json!(true)).await;
    let machine = calling.caller_by(calling.mint("a-client")).await;
    assert!(calling.token_for(&machine).await.is_ok());
    // Persons without a name would share one token.
    for mint in
        [calling.mint("x").without("sub"), calling.mint("x").without("sub").claim("idtyp", "user")]
    {
        let nobody = calling.caller_by(mint).await;
        let error = calling.token_for(&nobody).await.unwrap_err();
        assert_eq!((error.code(), calling.asked()), ("downstream_no_user", 1));
    }
}

#[tokio::test]
async fn a_token_is_sent_to_the_endpoint_of_its_own_issuer_alone() {
    let calling = Calling::start().await;
    let other = dev_issuer::DevIssuer::start().await.unwrap();
    let mut whole = config(calling.issuer.issuer(), reports(calling.issuer.issuer()));
    whole.resources[0].authorization_servers.push(other.issuer().into());
    calling.auth.reload(whole.clone()).unwrap();
    let mint = other.mint().audience(crate::support::RESOURCE).client_id("c").subject("alice");
    let stranger = calling.auth.authenticate(&mint.sign()).await.unwrap();
    let error = calling.token_for(&stranger).await.unwrap_err();
    assert_eq!((error.code(), calling.asked()), ("downstream_issuer_not_served", 0));
    assert_eq!(error.status().as_u16(), 403);
    // It is sent there where that is configured, and refused by an issuer that does not know it.
    let known = vec![other.issuer().to_owned()];
    whole.downstreams.get_mut("reports").unwrap().subject_issuers = known;
    calling.auth.reload(whole).unwrap();
    assert!(calling.token_for(&stranger).await.is_err());
    assert_eq!(calling.asked(), 1);
}

#[tokio::test]
async fn a_caller_whose_token_is_not_known_gets_none() {
    let calling = Calling::start().await;
    let claims =
        json!({ "iss": calling.issuer.issuer(), "sub": "alice", "exp": 4_000_000_000_u64 });
    let made = AuthInfo::from_verified_json(&claims.to_string()).unwrap();
    let error = calling.token_for(&made).await.unwrap_err();
    assert_eq!((error.code(), calling.asked()), ("downstream_no_token", 0));
    let unknown = calling.auth.downstream("other").token_for(&made).await.unwrap_err();
    assert_eq!(unknown.code(), "unknown_downstream");
}

#[tokio::test]
async fn no_token_is_logged_and_what_the_server_said_is() {
    Log::start();
    let calling = Calling::with(|api| api["actor_token"] = json!("client_credentials")).await;
    let alice = calling.caller("alice").await;
    let token = calling.token_for(&alice).await.unwrap();
    calling.clock.advance(4_000);
    let bob = calling.caller_by(calling.mint("bob").expires_in(9_000)).await;
    calling.answer_wrongly(dev_issuer::TokenMode::Error("invalid_target"));
    let error = calling.token_for(&bob).await.unwrap_err();
    let log = Log::take();
    assert!(log.contains("downstream_refused") && log.contains("invalid_target"), "{log}");
    for secret in [
        token.expose(),
        alice.dangerous_raw_token(),
        bob.dangerous_raw_token(),
        "a secret",
        "a%20secret",
    ] {
        assert!(!log.contains(secret), "{secret} is in {log}");
    }
    assert!(!format!("{error}{}", error.json()).contains("invalid_target"));
}
