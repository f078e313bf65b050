//! A real Redis on a socket of its own, which tests stop, hold and start again.

use std::env;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use redis::Client;

/// Redis, in a folder of its own.
pub(crate) struct Redis {
    process: Option<Child>,
    folder: PathBuf,
    /// Whether what it knows outlives it.
    is_kept: bool,
    password: &'static str,
    /// Where it speaks TLS too.
    tls_port: Option<u16>,
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
        let mut redis = Self { process: None, folder, is_kept, password, tls_port: None };
        redis.begin().await;
        Some(redis)
    }

    /// One that speaks TLS on 127.0.0.1 too, with a certificate that [`Self::authority`] has signed.
    pub(crate) async fn start_with_tls() -> Option<Self> {
        let mut redis = Self::start().await?;
        redis.stop();
        let key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::new([]).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_pem = authority.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(authority, key);
        let server_key = KeyPair::generate().unwrap();
        let server = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let certificate = server.signed_by(&server_key, &issuer).unwrap();
        std::fs::write(redis.authority(), authority_pem).unwrap();
        std::fs::write(redis.folder.join("server.pem"), certificate.pem()).unwrap();
        std::fs::write(redis.folder.join("server.key"), server_key.serialize_pem()).unwrap();
        loop {
            redis.tls_port = Some(free_port());
            if redis.has_begun().await {
                return Some(redis);
            }
            // Something else has taken the port in between.
        }
    }

    /// The file with the authority of its certificate.
    pub(crate) fn authority(&self) -> PathBuf {
        self.file("authority.pem")
    }

    /// A file that goes with it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A port of 127.0.0.1.
    pub(crate) fn tls_port(&self) -> u16 {
        self.tls_port.unwrap()
    }

    /// Starts it where it was stopped, and waits until it answers.
    pub(crate) async fn begin(&mut self) {
        assert!(self.has_begun().await, "redis-server has ended");
    }

    /// Whether it answers after its start; else it has ended.
    async fn has_begun(&mut self) -> bool {
        let socket = self.folder.join("redis.sock");
        let _ = std::fs::remove_file(&socket);
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--unixsocket"]).arg(&socket);
        command.args(["--save", "", "--appendonly", if self.is_kept { "yes" } else { "no" }]);
        command.arg("--dir").arg(&self.folder);
        command.args(["--requirepass", self.password]);
        if let Some(port) = self.tls_port {
            command.args(["--bind", "127.0.0.1", "--tls-port", &port.to_string()]);
            command.args(["--tls-auth-clients", "no", "--tls-ca-cert-file"]).arg(self.authority());
            command.arg("--tls-cert-file").arg(self.file("server.pem"));
            command.arg("--tls-key-file").arg(self.file("server.key"));
        }
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        self.process = Some(process);
        let mut has_ended = false;
        wait_until(async || {
            has_ended = self.process.as_mut().unwrap().try_wait().unwrap().is_some();
            has_ended || self.ask::<String>(&["PING"]).await.is_ok()
        })
        .await;
        !has_ended
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

/// A port of 127.0.0.1 that is free now. Something else may take it before it is used.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
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
