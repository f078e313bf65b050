use std::collections::HashMap;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use dev_issuer::DevIssuer;
use reqwest::{Response, StatusCode};
use serde_json::Value;
use url::{Url, form_urlencoded};

pub(crate) const RESOURCE: &str = "https://mcp.example.com/mcp";
pub(crate) const REDIRECT_URI: &str = "http://127.0.0.1:9/callback";
pub(crate) const VERIFIER: &str = "a-code-verifier-of-at-least-43-characters-in-length";

/// A browser and a client of one issuer, in one.
pub(crate) struct Agent {
    pub(crate) issuer: DevIssuer,
    pub(crate) http: reqwest::Client,
    pub(crate) client_id: String,
}

impl Agent {
    pub(crate) async fn start() -> Self {
        Self::of(DevIssuer::start().await.unwrap())
    }

    pub(crate) fn of(issuer: DevIssuer) -> Self {
        Self { issuer, http: http(), client_id: "dev-public".into() }
    }

    pub(crate) fn url(&self, endpoint: &str) -> String {
        format!("{}{endpoint}", self.issuer.issuer())
    }

    /// The parameters of a sound authorization request.
    pub(crate) fn request(&self) -> Vec<(&'static str, String)> {
        vec![
            ("response_type", "code".into()),
            ("client_id", self.client_id.clone()),
            ("redirect_uri", REDIRECT_URI.into()),
            ("state", "a state".into()),
            ("code_challenge", challenge(VERIFIER)),
            ("code_challenge_method", "S256".into()),
            ("resource", RESOURCE.into()),
            ("scope", "mcp notes:read".into()),
        ]
    }

    /// The same with some parameters replaced; an empty value leaves one out.
    pub(crate) fn request_with(
        &self,
        changes: &[(&'static str, &str)],
    ) -> Vec<(&'static str, String)> {
        let mut request = self.request();
        request.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
        request.extend(changes.iter().map(|(name, value)| (*name, value.to_string())));
        request
    }

    pub(crate) async fn authorize(&self, request: &[(&'static str, String)]) -> Response {
        let url = format!("{}?{}", self.url("/authorize"), encode(request));
        self.http.get(url).send().await.unwrap()
    }

    /// Goes through the consent page as alice and gives the parameters of the redirect.
    pub(crate) async fn approve(
        &self,
        request: &[(&'static str, String)],
    ) -> HashMap<String, String> {
        let page = self.authorize(request).await;
        assert_eq!(page.status(), StatusCode::OK);
        let html = page.text().await.unwrap();
        let mut form = vec![("request", hidden_request(&html)), ("user", "alice".into())];
        form.extend(ticked_scopes(&html).into_iter().map(|scope| ("scope", scope)));
        form.push(("decision", "approve".into()));
        redirect_params(&self.post("/authorize", &form).await)
    }

    pub(crate) async fn code(&self) -> String {
        self.approve(&self.request()).await["code"].clone()
    }

    pub(crate) async fn post(&self, endpoint: &str, form: &[(&str, String)]) -> Response {
        self.http
            .post(self.url(endpoint))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(encode(form))
            .send()
            .await
            .unwrap()
    }

    /// Posts as the confidential client `dev`.
    pub(crate) async fn post_as_dev(&self, endpoint: &str, form: &[(&str, &str)]) -> Response {
        self.post_as("dev", "dev", endpoint, form).await
    }

    /// Posts as a confidential client.
    pub(crate) async fn post_as(
        &self,
        client_id: &str,
        secret: &str,
        endpoint: &str,
        form: &[(&str, &str)],
    ) -> Response {
        self.http
            .post(self.url(endpoint))
            .basic_auth(client_id, Some(secret))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(encode(form))
            .send()
            .await
            .unwrap()
    }

    pub(crate) async fn exchange(&self, code: &str, verifier: &str) -> (StatusCode, Value) {
        let form = [
            ("grant_type", "authorization_code".to_owned()),
            ("code", code.to_owned()),
            ("redirect_uri", REDIRECT_URI.to_owned()),
            ("client_id", self.client_id.clone()),
            ("code_verifier", verifier.to_owned()),
        ];
        answer(self.post("/token", &form).await).await
    }

    /// The whole flow; the token response.
    pub(crate) async fn sign_in(&self) -> Value {
        let (status, tokens) = self.exchange(&self.code().await, VERIFIER).await;
        assert_eq!(status, StatusCode::OK, "{tokens}");
        tokens
    }

    pub(crate) async fn refresh(
        &self,
        token: &Value,
        more: &[(&str, &str)],
    ) -> (StatusCode, Value) {
        let mut form = vec![
            ("grant_type", "refresh_token".to_owned()),
            ("refresh_token", token.as_str().unwrap().to_owned()),
            ("client_id", self.client_id.clone()),
        ];
        form.extend(more.iter().map(|(name, value)| (*name, value.to_string())));
        answer(self.post("/token", &form).await).await
    }

    pub(crate) async fn is_active(&self, token: &Value) -> bool {
        let form = [("token", token.as_str().unwrap())];
        let (status, answer) = answer(self.post_as_dev("/introspect", &form).await).await;
        assert_eq!(status, StatusCode::OK);
        answer["active"].as_bool().unwrap()
    }
}

/// A client that follows no redirects.
pub(crate) fn http() -> reqwest::Client {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .unwrap()
}

pub(crate) fn challenge(verifier: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
}

pub(crate) fn encode<V: AsRef<str>>(pairs: &[(&str, V)]) -> String {
    let pairs = pairs.iter().filter(|(_, value)| !value.as_ref().is_empty());
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs.map(|(name, value)| (name, value.as_ref())))
        .finish()
}

pub(crate) async fn answer(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    (status, response.json().await.unwrap_or_default())
}

pub(crate) fn hidden_request(html: &str) -> String {
    let (_, rest) = html.split_once(r#"name="request" value=""#).unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

pub(crate) fn ticked_scopes(html: &str) -> Vec<String> {
    let values = html.split(r#"name="scope" value=""#).skip(1);
    values.map(|rest| rest.split_once(r#"" checked"#).unwrap().0.to_owned()).collect()
}

pub(crate) fn location(response: &Response) -> Url {
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    response.headers()["location"].to_str().unwrap().parse().unwrap()
}

/// The query of a redirect to the client, each parameter once.
pub(crate) fn redirect_params(response: &Response) -> HashMap<String, String> {
    let location = location(response);
    assert!(location.as_str().starts_with(REDIRECT_URI), "{location}");
    let params: HashMap<_, _> = location.query_pairs().into_owned().collect();
    assert_eq!(params.len(), location.query_pairs().count(), "{location}");
    params
}

pub(crate) fn header(token: &str) -> Value {
    part(token, 0)
}

pub(crate) fn claims(token: &str) -> Value {
    part(token, 1)
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}
