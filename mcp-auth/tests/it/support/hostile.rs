//! A server that answers as no server should, for tests of what is fetched.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use dev_issuer::{Algorithm, DevIssuer};
use mcp_auth::{Config, ProtectedResource};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::{ServerConfig, crypto::aws_lc_rs};

use crate::support::{Harness, RESOURCE};

/// What a request gets.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Exactly these bytes, and the end of the connection.
    Bytes(Vec<u8>),
    /// A head, and then a byte now and then.
    Drip,
    /// 100 MiB.
    Endless,
    /// Nothing, and the connection stays.
    Hang,
    /// The connection is reset.
    Reset,
}

impl Reply {
    /// An answer with this status line, these header lines and this body.
    pub(crate) fn new(status: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Self {
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        let length = body.as_ref().len();
        let head = format!(
            "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
        );
        Self::Bytes([head.as_bytes(), body.as_ref()].concat())
    }

    pub(crate) fn json(document: &Value) -> Self {
        Self::new("200 OK", &["content-type: application/json"], document.to_string())
    }

    pub(crate) fn redirect(to: &str) -> Self {
        Self::new("302 Found", &[&format!("location: {to}")], "")
    }
}

/// A server on loopback. It stops when this is dropped.
pub(crate) struct Hostile {
    /// Such as `http://127.0.0.1:4711`: its issuer identifier as well.
    pub(crate) origin: String,
    /// Who signs its tokens.
    pub(crate) signer: DevIssuer,
    state: Arc<State>,
    task: AbortHandle,
}

#[derive(Default)]
struct State {
    replies: Mutex<HashMap<String, Reply>>,
    everywhere: Mutex<Option<Reply>>,
    seen: Mutex<Vec<String>>,
}

impl Hostile {
    /// Serves metadata and keys, as it should.
    pub(crate) async fn start() -> Self {
        Self::serve(None, &signer().await).await
    }

    /// The same, with the keys of a signer that is already there.
    pub(crate) async fn with(signer: &DevIssuer) -> Self {
        Self::serve(None, signer).await
    }

    /// The same over TLS, with the PEM of the authority that vouches for it.
    pub(crate) async fn with_tls() -> (Self, String) {
        let (acceptor, authority) = certificates();
        (Self::serve(Some(acceptor), &signer().await).await, authority)
    }

    async fn serve(tls: Option<TlsAcceptor>, signer: &DevIssuer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let origin = format!("{scheme}://{}", listener.local_addr().unwrap());
        let state = Arc::new(State::default());
        let task = tokio::spawn(accept(listener, tls, state.clone())).abort_handle();
        let this = Self { origin, signer: signer.clone(), state, task };
        this.behave().await;
        this
    }

    /// From now on answers as it should.
    pub(crate) async fn behave(&self) {
        *self.state.everywhere.lock().unwrap() = None;
        let metadata =
            json!({ "issuer": self.origin, "jwks_uri": format!("{}/jwks", self.origin) });
        self.reply("/.well-known/oauth-authorization-server", Reply::json(&metadata));
        self.reply("/jwks", Reply::json(&self.keys().await));
    }

    /// From now on answers requests for this path so.
    pub(crate) fn reply(&self, path: &str, reply: Reply) {
        self.state.replies.lock().unwrap().insert(path.to_owned(), reply);
    }

    /// From now on answers every request so.
    pub(crate) fn reply_everywhere(&self, reply: Reply) {
        *self.state.everywhere.lock().unwrap() = Some(reply);
    }

    /// How often a path was asked for.
    pub(crate) fn count(&self, path: &str) -> usize {
        self.state.seen.lock().unwrap().iter().filter(|seen| *seen == path).count()
    }

    /// How many requests or failed handshakes there were.
    pub(crate) fn total(&self) -> usize {
        self.state.seen.lock().unwrap().len()
    }

    /// The key set of the signer.
    pub(crate) async fn keys(&self) -> Value {
        // One client for all, without connections that end with the runtime of a test.
        static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
        let builder = || reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0);
        let client = CLIENT.get_or_init(|| builder().build().unwrap());
        let answer = client.get(self.signer.jwks_uri()).send().await.unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }

    /// A protected server that trusts it.
    pub(crate) fn harness(&self, change: impl FnOnce(Config) -> Config) -> Harness {
        Self::harness_of([self], change)
    }

    /// One that trusts all of them; making one takes longer than what most tests do with it.
    pub(crate) fn harness_of<'a>(
        all: impl IntoIterator<Item = &'a Self>,
        change: impl FnOnce(Config) -> Config,
    ) -> Harness {
        let all: Vec<_> = all.into_iter().collect();
        let origins = all.iter().map(|hostile| &hostile.origin);
        let resource = ProtectedResource::new(RESOURCE, origins);
        let config = change(Config::default().protect_resource(resource));
        Harness::around(all[0].signer.clone(), |_| config)
    }

    /// A good token of it.
    pub(crate) fn token(&self, server: &Harness) -> String {
        server.mint().issuer(&self.origin).expires_in(48 * 3600).sign()
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Cheap keys: nothing here depends on the algorithm.
pub(crate) async fn signer() -> DevIssuer {
    DevIssuer::builder().algorithm(Algorithm::Es256).start().await.unwrap()
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, state) = (tls.clone(), state.clone());
        tokio::spawn(async move {
            let Some(tls) = tls else { return plain(stream, &state).await };
            match tls.accept(stream).await {
                Ok(stream) => answer(stream, &state).await.map(drop),
                Err(error) => {
                    state.seen.lock().unwrap().push("handshake failed".to_owned());
                    Err(error)
                }
            }
        });
    }
}

async fn plain(mut stream: TcpStream, state: &State) -> io::Result<()> {
    if let Reply::Reset = answer(&mut stream, state).await? {
        stream.set_zero_linger()?;
    }
    Ok(())
}

async fn answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    state: &State,
) -> io::Result<Reply> {
    let reply = state.reply_to(&path_of(&mut stream).await?);
    match &reply {
        Reply::Bytes(bytes) => stream.write_all(bytes).await?,
        Reply::Drip => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n").await?;
            let mut often = tokio::time::interval(Duration::from_millis(20));
            loop {
                often.tick().await;
                stream.write_all(b" ").await?;
                stream.flush().await?;
            }
        }
        Reply::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 104857600\r\n\r\n").await?;
            for _ in 0..1600 {
                stream.write_all(&[b' '; 65536]).await?;
            }
        }
        Reply::Hang => std::future::pending().await,
        Reply::Reset => return Ok(reply),
    }
    stream.shutdown().await?;
    Ok(reply)
}

/// Reads a request up to its end.
async fn path_of(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head);
    Ok(head.split(' ').nth(1).unwrap_or_default().to_owned())
}

impl State {
    fn reply_to(&self, path: &str) -> Reply {
        self.seen.lock().unwrap().push(path.to_owned());
        if let Some(reply) = &*self.everywhere.lock().unwrap() {
            return reply.clone();
        }
        let reply = self.replies.lock().unwrap().get(path).cloned();
        reply.unwrap_or_else(|| Reply::new("404 Not Found", &[], ""))
    }
}

/// A certificate for loopback, and the authority that nobody knows.
fn certificates() -> (TlsAcceptor, String) {
    let mut authority = CertificateParams::new([]).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);

    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), pem)
}
