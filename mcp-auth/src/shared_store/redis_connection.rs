//! A connection to Redis that is made when it is needed, and made anew after a fault.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, FromRedisValue, RedisError};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::StoreFault;

/// One connection.
#[derive(Default)]
pub(super) struct RedisConnection {
    made: Mutex<Option<MultiplexedConnection>>,
}

/// A command, or several at once.
pub(super) enum Question {
    Command(redis::Cmd),
    /// All of it is answered together.
    Pipeline(redis::Pipeline),
}

impl RedisConnection {
    /// The answer to a question; connecting may take this long, and so may the answer.
    pub(super) async fn ask<T: FromRedisValue>(
        &self,
        client: &Client,
        question: Question,
        longest: Duration,
    ) -> Result<T, StoreFault> {
        let connected = timeout(longest, self.connect(client)).await;
        let mut connection =
            connected.map_err(|_| too_slow("does not let us connect", longest))??;
        let asked = async {
            match question {
                Question::Command(command) => command.query_async(&mut connection).await,
                Question::Pipeline(pipeline) => pipeline.query_async(&mut connection).await,
            }
        };
        let answer = match timeout(longest, asked).await {
            Ok(answer) => answer.map_err(|error| fault_of(&error)),
            Err(_) => Err(too_slow("does not answer", longest)),
        };
        if answer.is_err() {
            // An answer that comes too late would be taken for that of the next question.
            *self.made.lock().await = None;
        }
        answer
    }

    async fn connect(&self, client: &Client) -> Result<MultiplexedConnection, StoreFault> {
        let mut made = self.made.lock().await;
        if let Some(connection) = &*made {
            return Ok(connection.clone());
        }
        // Whoever asks says how long it may take.
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let connecting = client.get_multiplexed_async_connection_with_config(&config);
        // `rustls` panics where several providers of cryptography are in one program, and none of them is the default.
        let connected = AssertUnwindSafe(connecting).catch_unwind().await;
        let connection = connected
            .map_err(|_| StoreFault::new("no TLS: install a default `CryptoProvider` of rustls"))?
            .map_err(|error| fault_of(&error))?;
        *made = Some(connection.clone());
        Ok(connection)
    }
}

/// What went wrong. What Redis says of it holds no password.
fn fault_of(error: &RedisError) -> StoreFault {
    StoreFault::new(error.to_string())
}

fn too_slow(what: &str, longest: Duration) -> StoreFault {
    StoreFault::new(format!("it {what} within {} ms", longest.as_millis()))
}
