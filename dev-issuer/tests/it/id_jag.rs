use dev_issuer::{Algorithm, Broken, DevClient, DevIssuer, Mint};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::*;
use crate::token_exchange::{ACCESS_TOKEN, EXCHANGE};

const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const API: &str = "https://reports.example.com";

/// An enterprise's issuer, and the authorization server of an API that takes its ID-JAGs.
struct Two {
    enterprise: Agent,
    api: Agent,
}

impl Two {
    async fn start(algorithm: Algorithm) -> Self {
        // The issuer of the API's server is not known yet when the enterprise's starts: it has a name of its own there.
        let tools =
            DevClient::new("tools").secret("a secret").may_get(["reports:read", "reports:write"]);
        let enterprise = DevIssuer::builder().clients([tools]).algorithm(algorithm);
        let enterprise = Agent::of(enterprise.start().await.unwrap());
        let tools = DevClient::new("tools").secret("another secret");
        let api = DevIssuer::builder().clients([tools]);
        let api = api.id_jag_issuers([enterprise.issuer.issuer()]).start().await.unwrap();
        Self { enterprise, api: Agent::of(api) }
    }

    async fn ask_for_id_jag(&self, more: &[(&str, &str)]) -> (StatusCode, Value) {
        let token = self.enterprise.issuer.mint().audience(RESOURCE).scope("mcp").sign();
        let mut form = vec![
            ("grant_type", EXCHANGE),
            ("requested_token_type", ID_JAG),
            ("subject_token", &token),
            ("subject_token_type", ACCESS_TOKEN),
            ("audience", self.api.issuer.issuer()),
            ("resource", API),
            ("scope", "reports:read reports:write"),
        ];
        form.retain(|(name, _)| more.iter().all(|(changed, _)| changed != name));
        form.extend(more);
        answer(self.enterprise.post_as("tools", "a secret", "/token", &form).await).await
    }

    async fn redeem(&self, id_jag: &str, more: &[(&str, &str)]) -> (StatusCode, Value) {
        let mut form = vec![("grant_type", JWT_BEARER), ("assertion", id_jag)];
        form.extend(more);
        answer(self.api.post_as("tools", "another secret", "/token", &form).await).await
    }

    /// An ID-JAG that is as it should be, to be changed.
    fn id_jag(&self) -> Mint {
        let mint = self.enterprise.issuer.mint().header("typ", "oauth-id-jag+jwt");
        let mint = mint.audience(self.api.issuer.issuer()).client_id("tools").expires_in(300);
        mint.claim("resource", API).scope("reports:read")
    }
}

#[tokio::test]
async fn an_id_jag_of_one_issuer_gets_an_access_token_of_another() {
    for algorithm in [Algorithm::Es256, Algorithm::Rs256, Algorithm::Ed25519, Algorithm::MlDsa44] {
        let two = Two::start(algorithm).await;
        let (status, body) = two.ask_for_id_jag(&[]).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        assert_eq!(body["issued_token_type"], ID_JAG);
        assert_eq!(body["token_type"], "N_A");
        assert_eq!(body["expires_in"], 300);
        let id_jag = body["access_token"].as_str().unwrap();
        assert_eq!(header(id_jag)["typ"], "oauth-id-jag+jwt");
        let of_id_jag = claims(id_jag);
        assert_eq!(of_id_jag["iss"], two.enterprise.issuer.issuer());
        assert_eq!(of_id_jag["aud"], two.api.issuer.issuer());
        assert_eq!(of_id_jag["client_id"], "tools");
        assert_eq!(of_id_jag["resource"], API);
        assert_eq!(of_id_jag["sub"], "alice");
        assert!(!two.enterprise.is_active(&body["access_token"]).await, "it is no access token");

        let (status, tokens) = two.redeem(id_jag, &[("scope", "reports:read")]).await;
        assert_eq!(status, StatusCode::OK, "{tokens}");
        assert_eq!(tokens["token_type"], "Bearer");
        let access_token = claims(tokens["access_token"].as_str().unwrap());
        assert_eq!(access_token["iss"], two.api.issuer.issuer());
        assert_eq!(access_token["aud"], API);
        assert_eq!(access_token["sub"], "alice");
        assert_eq!(access_token["scope"], "reports:read");
        assert!(access_token.get("email").is_none(), "users of another issuer are strangers");
        assert_eq!(two.enterprise.issuer.requests().id_jag, 1);
        assert_eq!(two.api.issuer.requests().jwt_bearer, 1);
    }
}

#[tokio::test]
async fn an_id_jag_that_does_not_fit_is_refused() {
    let two = Two::start(Algorithm::Es256).await;
    let stranger = DevIssuer::start().await.unwrap();
    let pretended = stranger.mint().header("typ", "oauth-id-jag+jwt").client_id("tools");
    let pretended = pretended.audience(two.api.issuer.issuer());
    let issuer = two.api.issuer.issuer().to_owned();
    for (name, id_jag) in [
        ("another audience", two.id_jag().audience("https://else.example")),
        ("several audiences", two.id_jag().audiences([issuer.as_str(), "https://else.example"])),
        ("no audience", two.id_jag().without("aud")),
        ("another client", two.id_jag().client_id("dev")),
        ("no client", two.id_jag().without("client_id")),
        ("expired", two.id_jag().expires_in(-1)),
        ("no expiry", two.id_jag().without("exp")),
        ("no time", two.id_jag().without("iat")),
        ("no subject", two.id_jag().without("sub")),
        ("an access token", two.id_jag().header("typ", "at+jwt")),
        ("no typ", two.id_jag().without_header("typ")),
        ("a foreign key", two.id_jag().broken(Broken::ForeignKey)),
        ("another payload", two.id_jag().broken(Broken::Payload)),
        ("no algorithm", two.id_jag().broken(Broken::AlgorithmNone)),
        ("an issuer that is not taken", pretended.clone()),
        ("the name of one that is", pretended.issuer(two.enterprise.issuer.issuer())),
        ("this issuer's own", two.api.issuer.mint().header("typ", "oauth-id-jag+jwt")),
    ] {
        let (status, body) = two.redeem(&id_jag.sign(), &[]).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{name}: {body}");
        assert_eq!(body["error"], "invalid_grant", "{name}: {body}");
    }
    let (status, _) = two.redeem("no JWT", &[]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);

    let good = two.id_jag().sign();
    for (more, expected) in [
        (("scope", "reports:write"), "invalid_scope"),
        (("resource", "https://else.example"), "invalid_target"),
        (("requested_token_use", "x"), "invalid_request"),
    ] {
        let (_, body) = two.redeem(&good, &[more]).await;
        assert_eq!(body["error"], expected, "{body}");
    }
    let (status, _) = two.redeem(&good, &[]).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn an_id_jag_is_refused_to_whom_it_is_not_for() {
    let two = Two::start(Algorithm::Es256).await;
    for (more, expected) in [
        (("audience", ""), "invalid_target"),
        (("scope", "admin"), "invalid_scope"),
        (("subject_token", "x"), "invalid_request"),
    ] {
        let (status, body) = two.ask_for_id_jag(&[more]).await;
        assert_eq!((status, &body["error"]), (StatusCode::BAD_REQUEST, &json!(expected)), "{body}");
    }
    let machine = two.enterprise.issuer.mint().subject("tools").client_id("tools").sign();
    let (_, body) = two.ask_for_id_jag(&[("subject_token", &machine)]).await;
    assert_eq!(body["error"], "invalid_request", "{body}");
}

#[tokio::test]
async fn the_client_may_have_another_name_at_the_other_server() {
    let tools = DevClient::new("tools").secret("a secret").id_at("https://api.example", "theirs");
    let enterprise = DevIssuer::builder().clients([tools]).start().await.unwrap();
    let agent = Agent::of(enterprise);
    let token = agent.issuer.mint().sign();
    let form = [
        ("grant_type", EXCHANGE),
        ("requested_token_type", ID_JAG),
        ("subject_token", &token),
        ("subject_token_type", ACCESS_TOKEN),
        ("audience", "https://api.example"),
    ];
    let (_, body) = answer(agent.post_as("tools", "a secret", "/token", &form).await).await;
    assert_eq!(claims(body["access_token"].as_str().unwrap())["client_id"], "theirs");
}
