//! A real Redis on a socket of its own, which tests stop, hold and start again.

use std::env;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use redis::Client;

/// Redis, in a folder of its own.
pub(crate) struct Redis {
    process: Option<Child>,
    folder: PathBuf,
    /// Whether what it knows outlives it.
    is_kept: bool,
    password: &'static str,
}

impl Redis {
    /// A new one; `None` where there is no `redis-server`, which is a failure where everything must be there.
    pub(crate) async fn start() -> Option<Self> {
        Self::start_with(true, "").await
    }

    /// One that forgets everything when it ends.
    pub(crate) async fn start_forgetful() -> Option<Self> {
        Self::start_with(false, "").await
    }

    /// One with this password, if it is not empty.
    pub(crate) async fn start_with(is_kept: bool, password: &'static str) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        if !is_there("redis-server") {
            return None;
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder =
            env::temp_dir().join(format!("mcp-auth-redis-{}-{number}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let mut redis = Self { process: None, folder, is_kept, password };
        redis.begin().await;
        Some(redis)
    }

    /// Starts it where it was stopped, and waits until it answers.
    pub(crate) async fn begin(&mut self) {
        let socket = self.folder.join("redis.sock");
        let _ = std::fs::remove_file(&socket);
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--unixsocket"]).arg(&socket);
        command.args(["--save", "", "--appendonly", if self.is_kept { "yes" } else { "no" }]);
        command.arg("--dir").arg(&self.folder);
        command.args(["--requirepass", self.password]);
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        self.process = Some(process);
        wait_until(async || self.ask::<String>(&["PING"]).await.is_ok()).await;
    }

    pub(crate) fn url(&self) -> String {
        let password = match self.password {
            "" => String::new(),
            some => format!("?pass={some}"),
        };
        format!("unix://{}{password}", self.folder.join("redis.sock").display())
    }

    /// What it answers to this command.
    pub(crate) async fn ask<T: redis::FromRedisValue>(
        &self,
        command: &[&str],
    ) -> Result<T, redis::RedisError> {
        let client = Client::open(self.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await?;
        redis::cmd(command[0]).arg(&command[1..]).query_async(&mut connection).await
    }

    /// Ends it in order.
    pub(crate) fn stop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        signal(&process, "TERM");
        process.wait().unwrap();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.process.is_none()
    }

    /// Has it answer nothing.
    pub(crate) fn hold(&self) {
        signal(self.process.as_ref().unwrap(), "STOP");
    }

    pub(crate) fn go_on(&self) {
        signal(self.process.as_ref().unwrap(), "CONT");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn signal(process: &Child, name: &str) {
    let id = process.id().to_string();
    assert!(Command::new("kill").arg(format!("-{name}")).arg(id).status().unwrap().success());
}

/// Asks until it is so; a test that waits for a minute fails.
pub(crate) async fn wait_until(mut is_so: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !is_so().await {
        assert!(started.elapsed() < Duration::from_secs(60), "it is not so");
        tokio::task::yield_now().await;
    }
}

/// Whether there is such a program. Where everything must be there, it is a failure if not.
pub(crate) fn is_there(program: &str) -> bool {
    let is_there = Command::new(program).arg("-v").output().is_ok();
    let is_required =
        env::var_os("MCP_AUTH_REQUIRE_PROVIDERS").is_some_and(|value| !value.is_empty());
    assert!(is_there || !is_required, "no {program}; MCP_AUTH_REQUIRE_PROVIDERS is set");
    if !is_there {
        eprintln!("skipped: no {program}");
    }
    is_there
}
