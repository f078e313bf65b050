//! Texts in Redis that several instances replace.

use std::time::Duration;

use redis::{Client, Cmd, TlsCertificates};

use super::StoreFault;
use super::redis_connection::{Question, RedisConnection};

/// Replaces a text, unless another one is there than was expected. `KEYS`: its name. `ARGV`: what is expected, and what comes
/// in its place; empty is nothing.
const REPLACE: &str = r"
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return 0
end
if ARGV[2] == '' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[2])
end
return 1
";

/// Texts by their names.
pub(crate) struct RedisTexts {
    client: Client,
    connection: RedisConnection,
    prefix: String,
    longest_answer: Duration,
}

impl RedisTexts {
    /// Redis at this URL; `None` where it cannot be one. Does not connect. The certificates are trusted in place of the
    /// system's, for TLS.
    pub(crate) fn new(
        url: &str,
        trusted_pem: Option<Vec<u8>>,
        prefix: &str,
        longest_answer: Duration,
    ) -> Option<Self> {
        let client = match trusted_pem.filter(|_| url.starts_with("rediss:")) {
            Some(pem) => {
                let certificates = TlsCertificates { client_tls: None, root_cert: Some(pem) };
                Client::build_with_tls(url, certificates).ok()?
            }
            None => Client::open(url).ok()?,
        };
        let connection = RedisConnection::default();
        Some(Self { client, connection, prefix: prefix.to_owned(), longest_answer })
    }

    /// The text of this name.
    pub(crate) async fn load(&self, name: &str) -> Result<Option<String>, StoreFault> {
        let mut command = redis::cmd("GET");
        command.arg(self.key(name));
        match self.ask(command.clone()).await {
            Ok(text) => Ok(text),
            // The connection was of a Redis that has started again since; asking twice changes nothing.
            Err(_) => self.ask(command).await,
        }
    }

    /// Puts a text in the place of another one, or of none; `false`: something else is there.
    pub(crate) async fn replace(
        &self,
        name: &str,
        expected: Option<&str>,
        new: Option<&str>,
    ) -> Result<bool, StoreFault> {
        let mut command = redis::cmd("EVAL");
        command.arg(REPLACE).arg(1).arg(self.key(name));
        command.arg(expected.unwrap_or("")).arg(new.unwrap_or(""));
        self.ask(command).await
    }

    fn key(&self, name: &str) -> String {
        format!("{{{}:1}}:grants:{name}", self.prefix)
    }

    async fn ask<T: redis::FromRedisValue>(&self, command: Cmd) -> Result<T, StoreFault> {
        let question = Question::Command(command);
        self.connection.ask(&self.client, question, self.longest_answer).await
    }
}
