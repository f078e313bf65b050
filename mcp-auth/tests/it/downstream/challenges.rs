//! What the caller has to do first becomes the answer to their request.

use dev_issuer::TokenMode;
use serde_json::json;

use super::{Calling, over_http};

#[tokio::test]
async fn the_response_becomes_the_challenge_that_asks_the_user() {
    for (mode, status, expected) in [
        (TokenMode::Error("invalid_grant"), 401, r#"error="invalid_token""#),
        (TokenMode::Error("login_required"), 401, r#"error="invalid_token""#),
        (TokenMode::InteractionRequired, 401, r#"error="insufficient_claims""#),
        (TokenMode::ConsentRequired, 403, r#"scope="mcp.consent""#),
    ] {
        let calling = Calling::with(|api| api["consent_scopes"] = json!(["mcp.consent"])).await;
        calling.answer_wrongly(mode);
        let answer = over_http(&calling, &calling.mint("alice").sign()).await;
        let challenge = answer.challenge().unwrap_or_default().to_owned();
        assert_eq!(answer.status.as_u16(), status, "{mode:?} {challenge}");
        assert!(challenge.contains(expected), "{mode:?} {challenge}");
        assert!(challenge.contains("resource_metadata="), "{mode:?} {challenge}");
        let has_claims = challenge.contains(" claims=\"ey");
        assert_eq!(has_claims, mode == TokenMode::InteractionRequired, "{challenge}");
    }
}

#[tokio::test]
async fn an_outage_is_a_503_and_a_mistake_of_ours_a_500() {
    for (mode, status, retry) in [
        (TokenMode::Status(500), 503, true),
        (TokenMode::Html, 502, false),
        (TokenMode::Error("invalid_client"), 500, false),
    ] {
        let calling = Calling::start().await;
        calling.answer_wrongly(mode);
        let answer = over_http(&calling, &calling.mint("alice").sign()).await;
        assert_eq!(answer.status.as_u16(), status, "{mode:?}");
        assert_eq!(answer.header("retry-after").is_some(), retry, "{mode:?}");
        assert_eq!(answer.challenge(), None);
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(!text.contains("invalid_client") && !text.contains("html"), "{text}");
    }
}

#[tokio::test]
async fn where_there_is_a_token_the_handler_answers() {
    let calling = Calling::start().await;
    for user in ["alice", "bob"] {
        let answer = over_http(&calling, &calling.mint(user).sign()).await;
        assert_eq!((answer.status.as_u16(), &*answer.body), (200, user.as_bytes()));
    }
}
