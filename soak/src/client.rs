//! A client with two users, and what every answer to it may be.
//!
//! Nobody else sends tokens of its users or revokes them, so that it knows what it may expect:
//!
//! 1. What must be refused is never accepted, whatever happens to the issuer.
//! 2. What must be accepted is accepted where the instance has the key, and everywhere in calm times.
//! 3. An answer is about the user who asked.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dev_issuer::Broken;
use fastrand::Rng;
use http::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::server::SESSION;
use crate::stream::follow;
use crate::world::{RESOURCE, TOLERANCE, World, unix_seconds};
use mcp_auth::revocation::Revocation;

/// How long most tokens live, in seconds.
const LIFETIME: u64 = 20;

pub(crate) struct Client {
    world: Arc<World>,
    chance: Rng,
    http: reqwest::Client,
    users: [User; 2],
    streams: JoinSet<Result<(), String>>,
}

/// One of its users.
struct User {
    subject: String,
    tokens: Vec<Token>,
    sessions: Vec<String>,
}

/// A token that is good until it expires or its user is revoked.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) text: String,
    key: u64,
    pub(crate) expires_at: u64,
}

/// What is asked.
struct Question<'a> {
    method: Method,
    token: &'a str,
    session: Option<&'a str>,
    body: Option<Value>,
}

/// The answer: its status, its body, and a session that it names.
struct Answer {
    status: u16,
    body: String,
    session: Option<String>,
}

impl Client {
    pub(crate) fn new(world: Arc<World>, number: u64, chance: Rng) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let users = ["a", "b"].map(|name| User {
            subject: format!("user-{number}-{name}"),
            tokens: Vec::new(),
            sessions: Vec::new(),
        });
        Self { world, chance, http, users, streams: JoinSet::new() }
    }

    /// Does one thing after the other until the run ends.
    pub(crate) async fn run(mut self) {
        while !self.world.stop.load(Ordering::SeqCst) {
            if let Err(fault) = self.step().await {
                self.world.fault(fault);
            }
            while let Some(ended) = self.streams.try_join_next() {
                if let Ok(Err(fault)) = ended {
                    self.world.fault(fault);
                }
            }
        }
        // What is still open is let go, as by a client that ends.
        self.streams.shutdown().await;
    }

    async fn step(&mut self) -> Result<(), String> {
        match self.chance.u32(..1000) {
            0..550 => self.call_with_kept_token().await,
            550..700 => self.call_with_new_token().await,
            700..850 => self.call_with_bad_token().await,
            850..900 => self.call_with_too_few_scopes().await,
            900..940 => self.begin_session().await,
            940..985 => self.use_session().await,
            985..998 => self.listen().await,
            _ => self.revoke().await,
        }
    }

    /// A new token of one of the users, signed with the key that it names.
    fn mint(&self, user: usize, scope: &str, lifetime: u64) -> Token {
        loop {
            let key = self.world.key.load(Ordering::SeqCst);
            let now = unix_seconds();
            let mint =
                self.world.issuer.mint().subject(&self.users[user].subject).audience(RESOURCE);
            let text = mint.scope(scope).issued_at(now).expires_in(lifetime as i64).sign();
            if self.world.key.load(Ordering::SeqCst) == key {
                return Token { text, key, expires_at: now + lifetime };
            }
        }
    }

    async fn call_with_new_token(&mut self) -> Result<(), String> {
        let user = self.chance.usize(..2);
        let token = self.mint(user, "mcp", LIFETIME);
        self.expect_accepted(user, &token).await?;
        let kept = &mut self.users[user].tokens;
        kept.push(token);
        if kept.len() > 8 {
            kept.remove(0);
        }
        Ok(())
    }

    async fn call_with_kept_token(&mut self) -> Result<(), String> {
        let user = self.chance.usize(..2);
        let place = self.chance.usize(..self.users[user].tokens.len().max(1));
        let Some(token) = self.users[user].tokens.get(place).cloned() else {
            return self.call_with_new_token().await;
        };
        let now = unix_seconds();
        if now + 2 < token.expires_at {
            return self.expect_accepted(user, &token).await;
        }
        if now > token.expires_at + TOLERANCE.as_secs() + 1 {
            self.users[user].tokens.retain(|other| other.text != token.text);
            return self.expect(&call("read", &token.text), &[401], "an expired token").await;
        }
        Ok(())
    }

    /// A token that must be accepted. Where the instance may lack its key, it may say so for a while.
    async fn expect_accepted(&mut self, user: usize, token: &Token) -> Result<(), String> {
        let instance = self.chance.usize(..2);
        let must = self.world.has(instance, token.key) || self.world.is_calm();
        let answer = self.ask(instance, &call("read", &token.text)).await?;
        match answer.status {
            200 => {
                self.world.count("accepted");
                self.world.knows(instance, token.key);
                self.check_subject(user, &answer.body)
            }
            401 | 503 if !must || !self.world.has_published(token.key) => {
                self.world.count("not accepted for lack of a key");
                Ok(())
            }
            status => {
                Err(format!("{status} for a good token of key {}: {}", token.key, answer.body))
            }
        }
    }

    fn check_subject(&self, user: usize, body: &str) -> Result<(), String> {
        let expected = json!({ "sub": self.users[user].subject });
        let answer: Value = serde_json::from_str(body).map_err(|error| error.to_string())?;
        match answer["result"] == expected {
            true => Ok(()),
            false => Err(format!("the answer is about somebody else: {body}")),
        }
    }

    async fn call_with_bad_token(&mut self) -> Result<(), String> {
        let mint = self.world.issuer.mint().subject(&self.users[0].subject).scope("mcp");
        let (token, what) = match self.chance.u32(..6) {
            0 => (mint.audience(RESOURCE).expires_in(-60).sign(), "an expired token"),
            1 => (mint.audience("https://other.example.com").sign(), "another audience"),
            2 => (
                mint.audience(RESOURCE).issuer("https://evil.example.com").sign(),
                "another issuer",
            ),
            3 => {
                let broken = Broken::ALL[self.chance.usize(..Broken::ALL.len())];
                (mint.audience(RESOURCE).broken(broken).sign(), "a broken token")
            }
            4 => {
                let good = mint.audience(RESOURCE).sign();
                (self.spoil(&good), "a changed token")
            }
            _ => ("x.y.z".to_owned(), "garbage"),
        };
        // Some are of keys that nobody has, and may be looked for.
        self.expect(&call("read", &token), &[400, 401, 503], what).await
    }

    /// The same text with another character somewhere.
    fn spoil(&mut self, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        // The last character of a signature has bits that say nothing.
        let place = self.chance.usize(..bytes.len() - 1);
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    }

    async fn call_with_too_few_scopes(&mut self) -> Result<(), String> {
        let user = self.chance.usize(..2);
        let token = self.mint(user, "mcp", LIFETIME);
        self.expect(&call("write", &token.text), &[403, 401, 503], "too few scopes").await?;
        let other = self.mint(user, "other", LIFETIME);
        self.expect(&call("read", &other.text), &[403, 401, 503], "another scope").await
    }

    async fn begin_session(&mut self) -> Result<(), String> {
        let user = self.chance.usize(..2);
        let token = self.mint(user, "mcp", LIFETIME);
        let instance = self.chance.usize(..2);
        let question =
            Question { body: Some(message("initialize", json!({}))), ..call("", &token.text) };
        let answer = self.ask(instance, &question).await?;
        if answer.status != 200 {
            return self.excuse(instance, &token, &answer);
        }
        let session = answer.session.ok_or("no session was given")?;
        self.world.count("sessions");
        self.users[user].sessions.push(session);
        if self.users[user].sessions.len() > 3 {
            let oldest = self.users[user].sessions.remove(0);
            let end = Question {
                method: Method::DELETE,
                body: None,
                session: Some(&oldest),
                ..call("", &token.text)
            };
            let ended = self.ask(instance, &end).await?;
            if ended.status != 200 {
                return self.excuse(instance, &token, &ended);
            }
            let question = Question { session: Some(&oldest), ..call("read", &token.text) };
            self.expect(&question, &[404, 401, 503], "a session that is over").await?;
        }
        Ok(())
    }

    async fn use_session(&mut self) -> Result<(), String> {
        let user = self.chance.usize(..2);
        let Some(session) = self.users[user].sessions.last().cloned() else { return Ok(()) };
        let own = self.mint(user, "mcp", LIFETIME);
        let instance = self.chance.usize(..2);
        let question = Question { session: Some(&session), ..call("read", &own.text) };
        let answer = self.ask(instance, &question).await?;
        match answer.status {
            200 => self.check_subject(user, &answer.body)?,
            _ => self.excuse(instance, &own, &answer)?,
        }
        let others = self.mint(1 - user, "mcp", LIFETIME);
        let question = Question { session: Some(&session), ..call("read", &others.text) };
        self.expect(&question, &[404, 401, 503], "another one's session").await?;
        let forged = self.spoil_session(&session);
        let question = Question { session: Some(&forged), ..call("read", &own.text) };
        self.expect(&question, &[404, 401, 503], "a forged session").await
    }

    /// A session that differs in one character of the identifier or the tag.
    fn spoil_session(&mut self, session: &str) -> String {
        let mut bytes = session.as_bytes().to_vec();
        let place = self.chance.usize(..bytes.len() - 1);
        bytes[place] = if bytes[place] == b'1' { b'2' } else { b'1' };
        String::from_utf8(bytes).unwrap()
    }

    /// Opens a stream that ends with its token; it is followed beside what comes next.
    async fn listen(&mut self) -> Result<(), String> {
        if self.streams.len() >= 3 {
            return Ok(());
        }
        let user = self.chance.usize(..2);
        let lifetime = self.chance.u64(2..5);
        let token = self.mint(user, "mcp", lifetime);
        let instance = self.chance.usize(..2);
        let url = self.world.instances[instance].url.clone();
        let subject = self.users[user].subject.clone();
        self.streams.spawn(follow(self.http.clone(), url, token, subject));
        Ok(())
    }

    /// Revokes a user at both instances: old tokens are refused at once, and new ones accepted.
    async fn revoke(&mut self) -> Result<(), String> {
        let user = self.chance.usize(..2);
        let old = self.mint(user, "mcp", LIFETIME);
        self.expect_accepted(user, &old).await?;
        for instance in &self.world.instances {
            let issuer = self.world.issuer.issuer();
            instance.auth.revoke(Revocation::of_subject(issuer, &self.users[user].subject));
        }
        self.world.count("revocations");
        let mut kept = std::mem::take(&mut self.users[user].tokens);
        kept.push(old);
        for token in &kept {
            self.expect(&call("read", &token.text), &[401, 503], "a revoked token").await?;
        }
        // A token of the same second counts as one of before.
        tokio::time::sleep(Duration::from_millis(1100)).await;
        self.call_with_new_token().await
    }

    /// Asks one of the instances, which must refuse it in one of these ways.
    async fn expect(
        &mut self,
        question: &Question<'_>,
        statuses: &[u16],
        what: &str,
    ) -> Result<(), String> {
        let instance = self.chance.usize(..2);
        let answer = self.ask(instance, question).await?;
        self.world.count("refused");
        match statuses.contains(&answer.status) {
            true => Ok(()),
            false => Err(format!("{} for {what}: {}", answer.status, answer.body)),
        }
    }

    /// Whether this answer to a good token may be, because the instance may lack the key.
    fn excuse(&self, instance: usize, token: &Token, answer: &Answer) -> Result<(), String> {
        let has_key = self.world.has(instance, token.key) || self.world.is_calm();
        match answer.status {
            401 | 503 if !has_key || !self.world.has_published(token.key) => Ok(()),
            status => {
                Err(format!("{status} for a good token of key {}: {}", token.key, answer.body))
            }
        }
    }

    async fn ask(&self, instance: usize, question: &Question<'_>) -> Result<Answer, String> {
        let url = &self.world.instances[instance].url;
        let mut request =
            self.http.request(question.method.clone(), url).bearer_auth(question.token);
        if let Some(session) = question.session {
            request = request.header(SESSION, session);
        }
        if let Some(body) = &question.body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await.map_err(|error| format!("no answer: {error:?}"))?;
        let named = response.headers().get(SESSION).and_then(|value| value.to_str().ok());
        let session = named.map(str::to_owned);
        let status = response.status().as_u16();
        let body = response.text().await.map_err(|error| format!("half an answer: {error:?}"))?;
        Ok(Answer { status, body, session })
    }
}

/// A call of a tool.
fn call<'a>(tool: &str, token: &'a str) -> Question<'a> {
    let body = message("tools/call", json!({ "name": tool, "arguments": {} }));
    Question { method: Method::POST, token, session: None, body: Some(body) }
}

fn message(method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
}
