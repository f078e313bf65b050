//! A server in the shape of GitHub: its OAuth app flow with its forms, and three of its APIs. For tests of what calls GitHub for
//! a user.
//!
//! What GitHub does in its own way is done here too: refusals of the token endpoint come with status 200, scopes have commas
//! between them, answers are forms unless JSON is asked for, and tokens of OAuth apps do not end unless
//! [`DevGitHub::let_tokens_expire`] makes it a GitHub App.

mod account;
mod endpoints;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use self::account::Accounts;
pub use self::account::Issue;
use crate::start_error::StartError;

/// The client that it knows.
pub(crate) const CLIENT_ID: &str = "Iv1.dev";
/// The secret of that client.
pub(crate) const CLIENT_SECRET: &str = "dev-github-secret";

/// A server in the shape of GitHub, on loopback. Dropping it ends it.
pub struct DevGitHub {
    origin: String,
    accounts: Arc<Mutex<Accounts>>,
    task: JoinHandle<()>,
}

impl DevGitHub {
    /// Starts on a free port. Whoever opens its page is signed in as `octocat`, and agrees.
    ///
    /// # Errors
    /// No port can be had.
    pub async fn start() -> Result<Self, StartError> {
        let address = ([127, 0, 0, 1], 0).into();
        let bind = TcpListener::bind(address).await;
        let listener = bind.map_err(|error| StartError::Bind(address, error))?;
        let bound = listener.local_addr().map_err(|error| StartError::Bind(address, error))?;
        let accounts = Arc::new(Mutex::new(Accounts::default()));
        let router = endpoints::router(accounts.clone());
        // Nagle's algorithm would hold the end of an answer back.
        let prompt = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        let task = tokio::spawn(async move { drop(axum::serve(prompt, router).await) });
        Ok(Self { origin: format!("http://{bound}"), accounts, task })
    }

    /// Its URL, without a slash at the end.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// `client_id` of the only client.
    pub fn client_id(&self) -> &'static str {
        CLIENT_ID
    }

    /// Its secret.
    pub fn client_secret(&self) -> &'static str {
        CLIENT_SECRET
    }

    /// The page where users agree.
    pub fn authorization_endpoint(&self) -> String {
        format!("{}/login/oauth/authorize", self.origin)
    }

    /// Where tokens are had.
    pub fn token_endpoint(&self) -> String {
        format!("{}/login/oauth/access_token", self.origin)
    }

    /// Where grants are ended, as RFC 7009 has it. GitHub's own has another form.
    pub fn revocation_endpoint(&self) -> String {
        format!("{}/login/oauth/revoke", self.origin)
    }

    /// From now on, whoever opens the page is signed in as this user.
    pub fn sign_in_as(&self, user: &str) {
        self.lock().user = user.to_owned();
    }

    /// From now on, whoever opens the page refuses; or agrees again.
    pub fn refuse(&self, refuses: bool) {
        self.lock().refuses = refuses;
    }

    /// From now on, tokens end after eight hours and come with a refresh token, which counts once: a GitHub App.
    pub fn let_tokens_expire(&self) {
        self.lock().tokens_expire = true;
    }

    /// Ends everything that users have granted.
    pub fn revoke_all(&self) {
        self.lock().revoke_all();
    }

    /// The next answer of the token endpoint has this status and this body, in JSON.
    pub fn answer_token_with(&self, status: u16, body: &str) {
        self.lock().next_answer = Some((status, body.to_owned()));
    }

    /// From now on, lists of issues are elsewhere: the API redirects to this origin.
    pub fn move_to(&self, origin: &str) {
        self.lock().moved_to = Some(origin.to_owned());
    }

    /// How often the token endpoint was asked.
    pub fn token_requests(&self) -> usize {
        self.lock().token_requests
    }

    /// How many tokens could be used now.
    pub fn live_tokens(&self) -> usize {
        self.lock().live_tokens()
    }

    /// The issues that were opened.
    pub fn issues(&self) -> Vec<Issue> {
        self.lock().issues.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for DevGitHub {
    fn drop(&mut self) {
        self.task.abort();
    }
}
