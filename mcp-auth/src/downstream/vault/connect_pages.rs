//! The way of a browser to a grant: to the issuer of the caller, so that whoever goes on is who asked, then to the provider,
//! and back.
//!
//! Each step has a sealed state that opens for this step, this API and this browser alone, and both answers with a code count
//! once. Nothing in a request says where a browser is sent.

use std::sync::Arc;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use zeroize::Zeroizing;

use super::at_once::Place;
use super::browser_request::BrowserRequest;
use super::connect_state::{ConnectState, STEP_SECONDS, Step, digest_text, random_secret};
use super::connection::{Connection, SignIn};
use super::id_token::{ExpectedIdToken, IdTokenFault, check_id_token};
use super::page::Page;
use crate::auth_info::AuthInfo;
use crate::downstream::DownstreamError;
use crate::error::TokenError;
use crate::issuer::{EndpointFault, Issuer, TokenForm};
use crate::jose::{random_id, sha256};
use crate::limits::Room;
use crate::revocation::Seen;
use crate::spawner::background;

/// Behind the path of an API: where browsers come back from signing in, and from the provider.
pub(crate) const SIGNED_IN: &str = "signed-in";
pub(crate) const CALLBACK: &str = "callback";

/// The paths of the pages of an API, below this one.
pub(crate) fn page_paths(below: &str, name: &str) -> [String; 3] {
    let link = format!("{below}/{name}");
    [format!("{link}/{SIGNED_IN}"), format!("{link}/{CALLBACK}"), link]
}

/// The page that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectPage {
    /// The link that the user was given.
    Link,
    SignedIn,
    Callback,
}

impl Connection {
    /// Answers a browser.
    pub(crate) async fn answer(self: &Arc<Self>, page: ConnectPage, asked: BrowserRequest) -> Page {
        let connection = self.clone();
        // Where background work runs is a runtime, which what waits for this need not be.
        let (work, answer, _) = background(async move {
            let answered = match page {
                ConnectPage::Link => connection.begin(&asked).await,
                ConnectPage::SignedIn => connection.signed_in(&asked).await,
                ConnectPage::Callback => connection.granted(&asked).await,
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
    async fn begin(&self, asked: &BrowserRequest) -> Result<Page, Page> {
        let link = self.open(Step::Link, asked)?;
        let sign_in = self.sign_in_for(&link)?;
        let _place = self.place_for(&link)?;
        let browser = match &asked.cookie {
            Some(secret) => secret.clone(),
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
    async fn signed_in(&self, asked: &BrowserRequest) -> Result<Page, Page> {
        let (state, _place) = self.open_of_browser(Step::SignIn, asked).await?;
        let sign_in = self.sign_in_for(&state)?;
        // They all send browsers back to the same page.
        let is_one_of_many = self.parts.sign_in.len() > 1;
        self.check_answering_issuer(&sign_in.issuer, is_one_of_many, asked).await?;
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
            algorithms: &sign_in.algorithms,
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
    async fn granted(&self, asked: &BrowserRequest) -> Result<Page, Page> {
        let (state, _place) = self.open_of_browser(Step::Provider, asked).await?;
        if let Some(issuer) = &self.parts.issuer {
            self.check_answering_issuer(issuer, false, asked).await?;
        }
        let code = self.code(asked)?;
        let form = code_form(code, self.page_url(CALLBACK), &state.verifier);
        let answer = self.parts.endpoint.ask(form).await.map_err(|fault| self.page_of(fault))?;
        // It may have been taken back while the provider was asked.
        self.check_standing(&state)?;
        let kept = self.keep(&state.issuer, &state.subject, answer).await;
        kept.map_err(|error| match error {
            DownstreamError::Unavailable(_) => Page::unavailable(),
            _ => Page::unusable(),
        })?;
        tracing::info!(downstream = %self.parts.name, "a user has connected their account");
        Ok(Page::connected())
    }

    fn open(&self, step: Step, asked: &BrowserRequest) -> Result<ConnectState, Page> {
        let sealed = asked.state.as_deref().ok_or_else(Page::unknown_link)?;
        let scopes = self.parts.config.scopes.to_string();
        let (keys, bound_to) = (&self.parts.store.keys, self.bound_to(&scopes));
        let opened = ConnectState::open(keys, step, &bound_to, sealed, self.now());
        let state = opened.ok_or_else(Page::unknown_link)?;
        self.check_standing(&state)?;
        Ok(state)
    }

    /// Whether nothing was taken back from the user since they got this state.
    fn check_standing(&self, state: &ConnectState) -> Result<(), Page> {
        let got_at = state.ends.saturating_sub(STEP_SECONDS);
        let claims = json!({ "iss": state.issuer, "sub": state.subject, "iat": got_at });
        let user = AuthInfo::from_verified_json(&claims.to_string());
        let known = user.map_err(|_| Page::unknown_link())?;
        match self.parts.cutoffs.check(&known) {
            Ok(()) => Ok(()),
            Err(TokenError::Revoked) => {
                self.log("a user came back whose access was taken back");
                Err(Page::unknown_link())
            }
            Err(error) => Err(self.cannot_go_on(&error.to_string())),
        }
    }

    /// A state as a text that opens as long as nothing that it is bound to is configured in another way.
    pub(super) fn seal_state(&self, state: &ConnectState, step: Step) -> Option<String> {
        let scopes = self.parts.config.scopes.to_string();
        state.seal(&self.parts.store.keys, step, &self.bound_to(&scopes))
    }

    /// What a state is for besides its user: where a code is asked for and taken to, as whom, and for what.
    fn bound_to<'c>(&'c self, scopes: &'c str) -> [&'c str; 6] {
        let parts = &self.parts;
        [
            &parts.name,
            &parts.url,
            parts.authorization.name(),
            parts.endpoint.name(),
            &parts.config.client_id,
            scopes,
        ]
    }

    /// Where the user of a state signs in, as the client that the state was made for.
    fn sign_in_for(&self, state: &ConnectState) -> Result<&Arc<SignIn>, Page> {
        let known = self.sign_in_of(&state.issuer);
        let same = known.filter(|sign_in| sign_in.client_id == state.sign_in_client);
        same.ok_or_else(Page::unknown_link)
    }

    /// Room for one more browser of the user of this state, as long as it is held.
    fn place_for(&self, state: &ConnectState) -> Result<Place, Page> {
        let user = sha256(self.grant_of(&state.issuer, &state.subject).name().as_bytes());
        self.at_once.place_for(user).ok_or_else(|| self.cannot_go_on("too many browsers at once"))
    }

    /// Counts an answer for the user of this state.
    fn count(&self, state: &ConnectState) -> Result<(), Page> {
        match self.parts.answers.count(&state.issuer, &state.subject) {
            Room::Within => Ok(()),
            Room::Beyond { is_news } => {
                if is_news {
                    self.log("too many answers for one user");
                }
                Err(Page::too_often())
            }
        }
    }

    /// A state that comes back in the browser that it went out with, for the first time.
    async fn open_of_browser(
        &self,
        step: Step,
        asked: &BrowserRequest,
    ) -> Result<(ConnectState, Place), Page> {
        let state = self.open(step, asked)?;
        // They may be no users of ours any more.
        self.sign_in_for(&state)?;
        let cookie = asked.cookie.as_deref();
        if cookie.is_none_or(|secret| digest_text(secret) != state.browser) {
            self.log("an answer came back in another browser");
            return Err(Page::unknown_link());
        }
        self.count(&state)?;
        let place = self.place_for(&state)?;
        let (parts, now) = (&self.parts, self.now());
        match parts.seen.see(&parts.url, &state.id, state.ends, now) {
            Seen::First => {}
            Seen::Before => return Err(Page::unknown_link()),
            Seen::NoRoom => return Err(Page::unavailable()),
        }
        let keep = Duration::from_secs(state.ends.saturating_sub(now));
        // Another instance may have got it before.
        match parts.cutoffs.first_time(&format!("connect:{}", state.id), keep).await {
            Some(Ok(true)) | None => Ok((state, place)),
            Some(Ok(false)) => Err(Page::unknown_link()),
            Some(Err(fault)) => Err(self.cannot_go_on(&fault.reason)),
        }
    }

    /// RFC 9207 §2.4: an answer of another authorization server is not taken to this one.
    async fn check_answering_issuer(
        &self,
        issuer: &Arc<Issuer>,
        is_one_of_many: bool,
        asked: &BrowserRequest,
    ) -> Result<(), Page> {
        if let Some(iss) = &asked.iss {
            if iss == issuer.identifier().as_str() {
                return Ok(());
            }
            self.log("an answer names another issuer than the one where the user was sent");
            return Err(Page::unknown_link());
        }
        // RFC 9700 §4.4.2.1: where another one's answers come to the same page, nothing else tells them apart.
        if is_one_of_many {
            self.log("an answer has no `iss` (RFC 9207): with several issuers in `sign_in`, each must send it");
            return Err(Page::unknown_link());
        }
        let known = issuer.metadata().await;
        let metadata = known.map_err(|fault| self.cannot_go_on(&fault.reason))?;
        if metadata.content["authorization_response_iss_parameter_supported"] == true {
            self.log("an answer has no `iss`, which the metadata of its issuer promises");
            return Err(Page::unknown_link());
        }
        Ok(())
    }

    fn code<'a>(&self, asked: &'a BrowserRequest) -> Result<&'a str, Page> {
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
        self.seal_state(state, step).ok_or_else(Page::unavailable)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_on_stays_in_its_parameter() {
        let url = with_query("https://g.example/a?b=c", &[("state", "a&b=c#d\r\n"), ("x", "é")]);
        assert_eq!(url, "https://g.example/a?b=c&state=a%26b%3Dc%23d%0D%0A&x=%C3%A9");
        assert_eq!(with_query("https://g.example/a", &[("x", "1")]), "https://g.example/a?x=1");
    }
}
