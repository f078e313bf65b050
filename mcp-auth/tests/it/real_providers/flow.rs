//! OAuth over HTTP, as a client and the person in front of it do it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use reqwest::header::{
    AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderMap, HeaderValue, LOCATION, SET_COOKIE,
};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, StatusCode, Url};
use serde_json::{Value, json};

/// Where clients are sent back to. Nobody listens there.
pub(super) const REDIRECT_URI: &str = "http://127.0.0.1/callback";
const VERIFIER: &str = "a-code-verifier-of-a-test-0123456789-0123456789";
/// Pages between the first one and the way back.
const MOST_PAGES: usize = 12;

/// RFC 8693 §3.
pub(super) const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// Names and values, of a form or a query.
pub(super) type Fields<'a> = &'a [(&'a str, &'a str)];

/// An authorization server, seen by a client.
pub(super) struct Issuer {
    pub(super) issuer: String,
    metadata: Value,
    http: Http,
}

impl Issuer {
    pub(super) async fn discover(issuer: String) -> Self {
        let http = Http::new();
        let url = format!("{issuer}/.well-known/openid-configuration");
        let metadata = http.get(&url).await.json();
        assert_eq!(metadata["issuer"], issuer);
        Self { issuer, metadata, http }
    }

    pub(super) fn endpoint(&self, name: &str) -> &str {
        self.metadata[name].as_str().unwrap_or_else(|| panic!("no {name} in the metadata"))
    }

    /// The answer of the token endpoint.
    pub(super) async fn token(&self, fields: Fields<'_>) -> Value {
        self.http.post_form(self.endpoint("token_endpoint"), fields).await.json()
    }

    /// An access token for a client with the secret `{client}-secret`.
    pub(super) async fn client_credentials(&self, client: &str, more: Fields<'_>) -> String {
        let secret = format!("{client}-secret");
        let own = [("client_id", client), ("client_secret", &secret)];
        let fields = [&[("grant_type", "client_credentials")], &own[..], more].concat();
        text(&self.token(&fields).await["access_token"])
    }

    /// Asks for a token in exchange for an access token (RFC 8693), as a client with the secret `{client}-secret`.
    pub(super) async fn exchange(&self, client: &str, token: &str, more: Fields<'_>) -> Page {
        let own = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", token),
            ("subject_token_type", ACCESS_TOKEN),
        ];
        self.confidential(client, &[&own, more].concat()).await
    }

    /// What the token endpoint answers to a client with the secret `{client}-secret`.
    pub(super) async fn confidential(&self, client: &str, fields: Fields<'_>) -> Page {
        let credentials = BASE64_STANDARD.encode(format!("{client}:{client}-secret"));
        let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, form_type)]);
        headers.insert(AUTHORIZATION, format!("Basic {credentials}").parse().unwrap());
        self.http.send(Method::POST, self.endpoint("token_endpoint"), headers, form(fields)).await
    }

    /// Registers a public client that uses the authorization code (RFC 7591); returns its id.
    pub(super) async fn register(&self, token: Option<&str>, scope: &str) -> String {
        let client = json!({
            "client_name": "a test",
            "application_type": "native",
            "redirect_uris": [REDIRECT_URI],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
            "scope": scope,
        });
        let url = self.endpoint("registration_endpoint");
        let answer = self.http.send_json(Method::POST, url, token, &client).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        text(&answer.json()["client_id"])
    }

    /// Authorization code with PKCE (RFC 7636): opens the URL, fills in every form with what this
    /// person knows, and redeems the code.
    pub(super) async fn sign_in(
        &self,
        client: &str,
        request: Fields<'_>,
        token_request: Fields<'_>,
        person: Fields<'_>,
    ) -> Value {
        let challenge =
            BASE64_URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, VERIFIER.as_bytes()));
        let own = [
            ("client_id", client),
            ("redirect_uri", REDIRECT_URI),
            ("response_type", "code"),
            ("state", "a-state"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let query = form(&[&own, request].concat());
        let url = format!("{}?{query}", self.endpoint("authorization_endpoint"));
        let back = browse(&url, person).await;
        assert_eq!(query_value(&back, "state").as_deref(), Some("a-state"), "{back}");
        // RFC 9207: where it is sent, it is the issuer.
        assert!(query_value(&back, "iss").is_none_or(|iss| iss == self.issuer), "{back}");
        let code = query_value(&back, "code").unwrap_or_else(|| panic!("no code in {back}"));
        let own = [
            ("grant_type", "authorization_code"),
            ("client_id", client),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", VERIFIER),
            ("code", &code),
        ];
        self.token(&[&own, token_request].concat()).await
    }
}

/// Follows redirects and sends forms until the way back to the client; returns that URL.
async fn browse(url: &str, person: Fields<'_>) -> String {
    let http = Http::new();
    let mut url = url.to_owned();
    let mut page = http.get(&url).await;
    for _ in 0..MOST_PAGES {
        let next = page.location.take();
        if let Some(next) = next {
            url = join(&url, &next);
            if url.starts_with(REDIRECT_URI) {
                return url;
            }
            page = http.get(&url).await;
        } else {
            let (action, hidden) = page.form();
            let hidden: Vec<_> = hidden.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            url = join(&url, &action);
            page = http.post_form(&url, &[&hidden, person].concat()).await;
        }
    }
    panic!("too many pages, the last one at {url}: {}", page.body)
}

/// A browser or another client: it keeps cookies, and leaves redirects to its user.
pub(super) struct Http {
    client: Client,
    cookies: Mutex<BTreeMap<String, String>>,
}

impl Http {
    pub(super) fn new() -> Self {
        let client = Client::builder().redirect(Policy::none()).no_proxy().build().unwrap();
        Self { client, cookies: Mutex::default() }
    }

    pub(super) async fn get(&self, url: &str) -> Page {
        self.send(Method::GET, url, HeaderMap::new(), String::new()).await
    }

    pub(super) async fn post_form(&self, url: &str, fields: Fields<'_>) -> Page {
        let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, form_type)]);
        self.send(Method::POST, url, headers, form(fields)).await
    }

    pub(super) async fn post_text(&self, url: &str, text: String) -> Page {
        self.send(Method::POST, url, HeaderMap::new(), text).await
    }

    /// JSON, with a bearer token.
    pub(super) async fn send_json(
        &self,
        method: Method,
        url: &str,
        token: Option<&str>,
        body: &Value,
    ) -> Page {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(token) = token {
            headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        }
        self.send(method, url, headers, body.to_string()).await
    }

    async fn send(&self, method: Method, url: &str, headers: HeaderMap, body: String) -> Page {
        let request = self.client.request(method, url).headers(headers).body(body);
        let request = request.header(COOKIE, self.cookie_header()).build().unwrap();
        let response = self.client.execute(request).await.unwrap();
        self.keep_cookies(response.headers());
        let header = |name| Some(response.headers().get(name)?.to_str().unwrap().to_owned());
        let (status, location) = (response.status(), header(LOCATION));
        Page { status, location, body: response.text().await.unwrap() }
    }

    /// All of them: each test has one issuer at one origin.
    fn cookie_header(&self) -> String {
        let cookies = self.cookies.lock().unwrap();
        let pairs: Vec<_> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    fn keep_cookies(&self, headers: &HeaderMap) {
        for cookie in headers.get_all(SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.lock().unwrap().insert(name.to_owned(), value.to_owned());
        }
    }
}

/// What came back.
pub(super) struct Page {
    pub(super) status: StatusCode,
    pub(super) location: Option<String>,
    pub(super) body: String,
}

impl Page {
    /// The body of a success.
    pub(super) fn json(&self) -> Value {
        assert!(self.status.is_success(), "{}: {}", self.status, self.body);
        serde_json::from_str(&self.body).unwrap()
    }

    /// The code of an error of OAuth, and its description, empty if there is none.
    pub(super) fn oauth_error(&self) -> (String, String) {
        assert!(self.status.is_client_error(), "{}: {}", self.status, self.body);
        let body: Value = serde_json::from_str(&self.body).unwrap();
        let description = body["error_description"].as_str().unwrap_or_default();
        (text(&body["error"]), description.to_owned())
    }

    /// Where the form is sent, and what is hidden in it.
    fn form(&self) -> (String, Vec<(String, String)>) {
        let form = self.body.split("<form").nth(1);
        let form = form.unwrap_or_else(|| panic!("{}, no form: {}", self.status, self.body));
        let form = form.split("</form>").next().unwrap_or_default();
        let action = attribute(form, "action").unwrap_or_default();
        let inputs = form.split("<input").skip(1).filter_map(|input| {
            let input = input.split('>').next()?;
            let is_hidden = attribute(input, "type").is_some_and(|kind| kind == "hidden");
            let value = attribute(input, "value").unwrap_or_default();
            is_hidden.then(|| Some((attribute(input, "name")?, value)))?
        });
        (action, inputs.collect())
    }
}

/// The first attribute of this name in a piece of HTML.
fn attribute(html: &str, name: &str) -> Option<String> {
    let value = html.split(&format!(" {name}=\"")).nth(1)?.split('"').next()?;
    Some(value.replace("&amp;", "&"))
}

/// `application/x-www-form-urlencoded`.
fn form(fields: Fields<'_>) -> String {
    let encode = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
    let pairs: Vec<_> =
        fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.join("&")
}

fn query_value(url: &str, name: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(key, _)| *key == name)?;
    Some(percent_decode_str(value).decode_utf8().unwrap().into_owned())
}

fn join(base: &str, reference: &str) -> String {
    Url::parse(base).unwrap().join(reference).unwrap().into()
}

/// A string in a document.
pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a string")).to_owned()
}

/// The header of a JWT, unverified.
pub(super) fn header(token: &str) -> Value {
    part(token, 0)
}

/// The claims of a JWT, unverified.
pub(super) fn claims(token: &str) -> Value {
    part(token, 1)
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}
