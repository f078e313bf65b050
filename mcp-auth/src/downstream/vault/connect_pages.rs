//! The way of a browser to a grant: to the issuer of the caller, so that whoever goes on is who asked, then to the provider,
//! and back.
//!
//! Each step has a sealed state that opens for this step, this API and this browser alone, and both answers with a code count
//! once. Nothing in a request says where a browser is sent.

use std::sync::Arc;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};
use zeroize::Zeroizing;

use super::connect_state::{
    ConnectState, STEP_SECONDS, Step, digest_text, is_random_secret, random_secret,
};
use super::connection::{Connection, SignIn};
use super::id_token::{ExpectedIdToken, IdTokenFault, check_id_token};
use super::page::Page;
use crate::downstream::DownstreamError;
use crate::issuer::{EndpointFault, TokenForm};
use crate::jose::random_id;
use crate::revocation::Seen;
use crate::spawner::background;

/// A longer query is refused unread.
const MAX_QUERY_BYTES: usize = 16 * 1024;
/// Behind the path of an API: where browsers come back from signing in, and from the provider.
pub(crate) const SIGNED_IN: &str = "signed-in";
pub(crate) const CALLBACK: &str = "callback";

/// The page that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectPage {
    /// The link that the user was given.
    Link,
    SignedIn,
    Callback,
}

/// What a browser sent.
#[derive(Default)]
pub(crate) struct BrowserRequest {
    pub(crate) query: String,
    /// What our cookie holds.
    pub(crate) cookie: Option<String>,
}

/// The parameters that are read of a query.
#[derive(Debug, Default, PartialEq, Eq)]
struct Parameters {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

impl Connection {
    /// Answers a browser.
    pub(crate) async fn answer(
        self: &Arc<Self>,
        page: ConnectPage,
        request: BrowserRequest,
    ) -> Page {
        let connection = self.clone();
        // Where background work runs is a runtime, which what waits for this need not be.
        let (work, answer, _) = background(async move {
            let Some(parameters) = read_query(&request.query) else { return Page::unknown_link() };
            let answered = match page {
                ConnectPage::Link => connection.begin(&parameters, request.cookie).await,
                ConnectPage::SignedIn => connection.signed_in(&parameters, request.cookie).await,
                ConnectPage::Callback => connection.granted(&parameters, request.cookie).await,
            };
            answered.unwrap_or_else(|refused| refused)
        });
        self.parts.spawner.start(work);
        match answer.await {
            Some(seen) => seen,
            None => Page::unavailable(),
        }
    }

    /// Sends a browser to where its user signs in.
    async fn begin(&self, asked: &Parameters, cookie: Option<String>) -> Result<Page, Page> {
        let link = self.open(Step::Link, asked)?;
        let sign_in = self.sign_in_of(&link.issuer).ok_or_else(Page::unknown_link)?;
        let known = cookie.filter(|secret| is_random_secret(secret));
        let browser = match known {
            Some(secret) => secret,
            None => random_secret().ok_or_else(Page::unavailable)?.to_string(),
        };
        let state = self.next_state(link, digest_text(&browser))?;
        let place = sign_in.issuer.page("authorization_endpoint").await;
        let place = place.map_err(|fault| self.cannot_go_on(&fault.reason))?;
        let challenge = digest_text(&state.verifier);
        let sealed = self.seal(&state, Step::SignIn)?;
        let redirect_uri = self.page_url(SIGNED_IN);
        let location = with_query(
            &place,
            &[
                ("response_type", "code"),
                ("client_id", &sign_in.client_id),
                ("redirect_uri", &redirect_uri),
                ("scope", "openid"),
                ("state", &sealed),
                ("nonce", &state.id),
                ("code_challenge", &challenge),
                ("code_challenge_method", "S256"),
            ],
        );
        Ok(Page::redirect(location, Some(browser)))
    }

    /// Has looked who signed in, and sends the browser to the provider.
    async fn signed_in(&self, asked: &Parameters, cookie: Option<String>) -> Result<Page, Page> {
        let state = self.open_of_browser(Step::SignIn, asked, cookie.as_deref()).await?;
        let sign_in = self.sign_in_of(&state.issuer).ok_or_else(Page::unknown_link)?;
        self.check_answering_issuer(sign_in, asked).await?;
        let code = self.code(asked)?;
        let form = code_form(code, self.page_url(SIGNED_IN), &state.verifier);
        let answer = sign_in.endpoint.ask(form).await.map_err(|fault| self.page_of(fault))?;
        let id_token = answer.id_token.ok_or_else(|| {
            self.log("the issuer gave no ID token");
            Page::unusable()
        })?;
        let expected = ExpectedIdToken {
            issuer: &state.issuer,
            subject: &state.subject,
            client_id: &sign_in.client_id,
            nonce: &state.id,
            tolerance: self.parts.tolerance,
        };
        let checked = check_id_token(&sign_in.issuer, &self.parts.limits, &id_token, &expected);
        checked.await.map_err(|fault| match fault {
            IdTokenFault::OtherUser => {
                self.log("a link was opened by another user than the one who asked for it");
                Page::other_user()
            }
            IdTokenFault::Unusable(reason) => {
                self.log(&reason);
                Page::unusable()
            }
            IdTokenFault::Unavailable(reason) => self.cannot_go_on(&reason),
        })?;
        let browser = state.browser.clone();
        let next = self.next_state(state, browser)?;
        let place = self.parts.authorization.page("authorization_endpoint").await;
        let place = place.map_err(|reason| self.cannot_go_on(&reason))?;
        let challenge = digest_text(&next.verifier);
        let sealed = self.seal(&next, Step::Provider)?;
        let redirect_uri = self.page_url(CALLBACK);
        let scope = self.parts.config.scopes.to_string();
        let mut query = vec![
            ("response_type", "code"),
            ("client_id", &self.parts.config.client_id),
            ("redirect_uri", &redirect_uri),
            ("state", &sealed),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        if !scope.is_empty() {
            query.push(("scope", &scope));
        }
        Ok(Page::redirect(with_query(&place, &query), None))
    }

    /// Takes what the provider gave for the user.
    async fn granted(&self, asked: &Parameters, cookie: Option<String>) -> Result<Page, Page> {
        let state = self.open_of_browser(Step::Provider, asked, cookie.as_deref()).await?;
        // RFC 9207 §2.4: where we know the provider's name, an answer with another one is of another server.
        let known = self.parts.config.issuer.as_deref();
        if known.is_some() && asked.iss.is_some() && known != asked.iss.as_deref() {
            self.log("an answer names another issuer than the provider");
            return Err(Page::unknown_link());
        }
        let code = self.code(asked)?;
        let form = code_form(code, self.page_url(CALLBACK), &state.verifier);
        let answer = self.parts.endpoint.ask(form).await.map_err(|fault| self.page_of(fault))?;
        let kept = self.keep(&state.issuer, &state.subject, answer).await;
        kept.map_err(|error| match error {
            DownstreamError::Unavailable(_) => Page::unavailable(),
            _ => Page::unusable(),
        })?;
        tracing::info!(downstream = %self.parts.name, "a user has connected their account");
        Ok(Page::connected())
    }

    fn open(&self, step: Step, asked: &Parameters) -> Result<ConnectState, Page> {
        let sealed = asked.state.as_deref().ok_or_else(Page::unknown_link)?;
        let keys = &self.parts.store.keys;
        let opened = ConnectState::open(keys, step, &self.parts.name, sealed, self.now());
        opened.ok_or_else(Page::unknown_link)
    }

    /// A state that comes back in the browser that it went out with, for the first time.
    async fn open_of_browser(
        &self,
        step: Step,
        asked: &Parameters,
        cookie: Option<&str>,
    ) -> Result<ConnectState, Page> {
        let state = self.open(step, asked)?;
        if cookie.is_none_or(|secret| digest_text(secret) != state.browser) {
            self.log("an answer came back in another browser");
            return Err(Page::unknown_link());
        }
        let (parts, now) = (&self.parts, self.now());
        match parts.seen.see(&parts.url, &state.id, state.ends, now) {
            Seen::First => {}
            Seen::Before => return Err(Page::unknown_link()),
            Seen::NoRoom => return Err(Page::unavailable()),
        }
        let keep = Duration::from_secs(state.ends.saturating_sub(now));
        // Another instance may have got it before.
        match parts.cutoffs.first_time(&format!("connect:{}", state.id), keep).await {
            Some(Ok(true)) | None => Ok(state),
            Some(Ok(false)) => Err(Page::unknown_link()),
            Some(Err(fault)) => Err(self.cannot_go_on(&fault.reason)),
        }
    }

    /// RFC 9207 §2.4: an answer of another authorization server is not taken to this one.
    async fn check_answering_issuer(
        &self,
        sign_in: &SignIn,
        asked: &Parameters,
    ) -> Result<(), Page> {
        let metadata = sign_in.issuer.metadata().await;
        let metadata = metadata.map_err(|fault| self.cannot_go_on(&fault.reason))?;
        let names_itself =
            metadata.content["authorization_response_iss_parameter_supported"] == true;
        let is_right = match &asked.iss {
            Some(iss) => iss == sign_in.issuer.identifier().as_str(),
            None => !names_itself,
        };
        if is_right {
            return Ok(());
        }
        self.log("an answer names another issuer than the one where the user was sent");
        Err(Page::unknown_link())
    }

    fn code<'a>(&self, asked: &'a Parameters) -> Result<&'a str, Page> {
        if let Some(error) = &asked.error {
            self.log(error);
            return Err(Page::denied());
        }
        asked.code.as_deref().ok_or_else(Page::unknown_link)
    }

    /// The state of the next step, for the same user.
    fn next_state(&self, before: ConnectState, browser: String) -> Result<ConnectState, Page> {
        Ok(ConnectState {
            id: random_id().ok_or_else(Page::unavailable)?,
            browser,
            verifier: random_secret().ok_or_else(Page::unavailable)?,
            ends: self.now().saturating_add(STEP_SECONDS),
            ..before
        })
    }

    fn seal(&self, state: &ConnectState, step: Step) -> Result<String, Page> {
        let sealed = state.seal(&self.parts.store.keys, step, &self.parts.name);
        sealed.ok_or_else(Page::unavailable)
    }

    fn page_url(&self, page: &str) -> String {
        format!("{}/{}/{page}", self.parts.url, self.parts.name)
    }

    fn page_of(&self, fault: EndpointFault) -> Page {
        match self.error_of(fault) {
            DownstreamError::Unavailable(_) => Page::unavailable(),
            _ => Page::unusable(),
        }
    }

    fn cannot_go_on(&self, reason: &str) -> Page {
        self.log(reason);
        Page::unavailable()
    }
}

fn code_form(code: &str, redirect_uri: String, verifier: &Zeroizing<String>) -> TokenForm {
    vec![
        ("grant_type", "authorization_code".to_owned()),
        ("code", code.to_owned()),
        ("redirect_uri", redirect_uri),
        ("code_verifier", verifier.to_string()),
    ]
}

/// A URL with these parameters behind those that it has.
fn with_query(url: &str, parameters: &[(&str, &str)]) -> String {
    let mut whole = url.to_owned();
    let mut separator = if url.contains('?') { '&' } else { '?' };
    for (name, value) in parameters {
        whole.push(separator);
        whole.push_str(name);
        whole.push('=');
        whole.extend(utf8_percent_encode(value, NON_ALPHANUMERIC));
        separator = '&';
    }
    whole
}

/// The parameters of a query; `None`: one is there twice, or is no text.
fn read_query(query: &str) -> Option<Parameters> {
    if query.len() > MAX_QUERY_BYTES {
        return None;
    }
    crate::steps::take(query.len());
    let mut read = Parameters::default();
    for part in query.split('&') {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let place = match name {
            "state" => &mut read.state,
            "code" => &mut read.code,
            "error" => &mut read.error,
            "iss" => &mut read.iss,
            _ => continue,
        };
        let spaced = value.replace('+', " ");
        let decoded = percent_decode(spaced.as_bytes()).decode_utf8().ok()?;
        if place.replace(decoded.into_owned()).is_some() {
            return None;
        }
    }
    Some(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_that_is_there_twice_is_none() {
        let read = read_query("state=a%20b+c&x=1&x=2&iss=https%3A%2F%2Fi.example").unwrap();
        assert_eq!(read.state.as_deref(), Some("a b c"));
        assert_eq!(read.iss.as_deref(), Some("https://i.example"));
        for query in ["state=1&state=1", "code=1&code=2", "error=&error=", "iss=%ff"] {
            assert_eq!(read_query(query), None, "{query}");
        }
        assert_eq!(read_query(&"a".repeat(MAX_QUERY_BYTES + 1)), None);
    }

    #[test]
    fn what_is_sent_on_stays_in_its_parameter() {
        let url = with_query("https://g.example/a?b=c", &[("state", "a&b=c#d\r\n"), ("x", "é")]);
        assert_eq!(url, "https://g.example/a?b=c&state=a%26b%3Dc%23d%0D%0A&x=%C3%A9");
        assert_eq!(with_query("https://g.example/a", &[("x", "1")]), "https://g.example/a?x=1");
    }
}
