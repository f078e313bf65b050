//! GitHub's REST API, called as the user.

use std::error::Error;

use mcp_auth::AuthInfo;
use mcp_auth::downstream::{Downstream, DownstreamError};
use reqwest::header::{ACCEPT, AUTHORIZATION};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response, StatusCode};
use rmcp::ErrorData;
use rmcp::schemars::{self, JsonSchema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Serialize, JsonSchema)]
pub(crate) struct Issue {
    number: u64,
    title: String,
    author: String,
}

/// Its API, for all callers.
#[derive(Clone)]
pub(crate) struct GitHub {
    api: String,
    downstream: Downstream,
    http: Client,
}

impl GitHub {
    pub(crate) fn new(api: String, downstream: Downstream) -> Result<Self, Box<dyn Error>> {
        // A redirect would take the token to wherever it leads.
        let http =
            Client::builder().redirect(Policy::none()).user_agent("github-issues").build()?;
        Ok(Self { api, downstream, http })
    }

    /// The open ones: the first page.
    pub(crate) async fn list(
        &self,
        caller: &AuthInfo,
        repository: &Repository,
    ) -> Result<Vec<Issue>, ErrorData> {
        let found = self.call(caller, Method::GET, repository, None).await?;
        let listed: Vec<GitHubIssue> = read(found).await?;
        // To GitHub, a pull request is an issue.
        let issues = listed.into_iter().filter(|issue| issue.pull_request.is_none());
        Ok(issues.map(Issue::from).collect())
    }

    pub(crate) async fn create(
        &self,
        caller: &AuthInfo,
        repository: &Repository,
        title: &str,
    ) -> Result<Issue, ErrorData> {
        let body = json!({ "title": title });
        let created = self.call(caller, Method::POST, repository, Some(&body)).await?;
        read::<GitHubIssue>(created).await.map(Issue::from)
    }

    pub(crate) async fn disconnect(&self, caller: &AuthInfo) -> Result<(), ErrorData> {
        self.downstream.disconnect(caller).await.map_err(told)
    }

    /// Asks with the token of the caller; after a 401 once more, with another one.
    async fn call(
        &self,
        caller: &AuthInfo,
        method: Method,
        repository: &Repository,
        body: Option<&Value>,
    ) -> Result<Response, ErrorData> {
        let url = format!("{}/repos/{}/issues", self.api, repository.0);
        for _ in 0..2 {
            let token = self.downstream.token_for(caller).await.map_err(told)?;
            let mut request = self.http.request(method.clone(), &url);
            request = request.header(AUTHORIZATION, token.header_value());
            request = request.header(ACCEPT, "application/vnd.github+json");
            if let Some(json) = body {
                request = request.json(json);
            }
            let response = request.send().await.map_err(|_| failed("GitHub does not answer"))?;
            if response.status() != StatusCode::UNAUTHORIZED {
                return Ok(response);
            }
            // The user has taken it back: the next one is renewed, or they are asked again.
            self.downstream.forget(caller, &token);
        }
        Err(failed("GitHub does not accept the token"))
    }
}

/// `owner/name`. A model writes it, and it becomes part of a URL.
pub(crate) struct Repository(String);

impl Repository {
    /// # Errors
    ///
    /// It is anything but two names.
    pub(crate) fn parse(text: &str) -> Result<Self, ErrorData> {
        let is_repository = match text.split_once('/') {
            Some((owner, name)) => is_name(owner) && is_name(name),
            None => false,
        };
        if !is_repository {
            return Err(ErrorData::invalid_params("a repository is written owner/name", None));
        }
        Ok(Self(text.to_owned()))
    }
}

fn is_name(text: &str) -> bool {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    is_plain && !["", ".", ".."].contains(&text)
}

/// What the caller's client gets. Where they have to connect their account first, it is the URL to open.
fn told(error: DownstreamError) -> ErrorData {
    if let DownstreamError::AuthorizationRequired(elicitation) = &error
        && let Ok(asks_user) = serde_json::from_value(elicitation.json_rpc_error())
    {
        return asks_user;
    }
    failed(error.to_string())
}

async fn read<T: for<'de> Deserialize<'de>>(response: Response) -> Result<T, ErrorData> {
    let status = response.status();
    if !status.is_success() {
        return Err(failed(format!("GitHub answers with {}", status.as_u16())));
    }
    response.json().await.map_err(|_| failed("what GitHub answers cannot be read"))
}

fn failed(text: impl Into<String>) -> ErrorData {
    ErrorData::internal_error(text.into(), None)
}

/// An issue, as GitHub writes it.
#[derive(Deserialize)]
struct GitHubIssue {
    number: u64,
    title: String,
    user: GitHubUser,
    pull_request: Option<Value>,
}

#[derive(Deserialize)]
struct GitHubUser {
    login: String,
}

impl From<GitHubIssue> for Issue {
    fn from(issue: GitHubIssue) -> Self {
        Self { number: issue.number, title: issue.title, author: issue.user.login }
    }
}
