//! TLS: the other scheme is named, an authority of one's own is believed, and no other.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

/// The first byte of a TLS connection: a handshake record.
const HANDSHAKE: u8 = 22;

/// What a server says to a client that sends plain HTTP.
#[derive(Clone, Copy)]
enum ToPlain {
    /// An alert of TLS.
    Alert,
    /// What nginx says at a port for TLS.
    Page,
    /// What it says to everybody: it has no TLS at all.
    Answer,
}

/// A server and issuer on loopback, and the authority that has signed its certificate.
struct Tls {
    address: String,
    authority: PathBuf,
}

impl Tls {
    async fn start(to_plain: ToPlain) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (acceptor, pem) = certificates();
        let file = format!("mcp-auth-{}-{}.pem", std::process::id(), address.replace(':', "-"));
        let authority = std::env::temp_dir().join(file);
        std::fs::write(&authority, pem).unwrap();
        let origin = format!("https://{address}");
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (acceptor, origin) = (acceptor.clone(), origin.clone());
                tokio::spawn(async move {
                    let mut first = [0];
                    stream.peek(&mut first).await?;
                    if let (ToPlain::Alert, _) | (ToPlain::Page, [HANDSHAKE]) = (to_plain, first) {
                        return answer(acceptor.accept(stream).await?, &origin).await;
                    }
                    if let ToPlain::Answer = to_plain {
                        return answer(stream, &origin).await;
                    }
                    let _ = stream.read(&mut [0; 8192]).await?;
                    let page = "<h1>The plain HTTP request was sent to HTTPS port</h1>";
                    send(&mut stream, "400 Bad Request", page).await
                });
            }
        });
        Self { address, authority }
    }

    fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}/mcp", self.address)
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.authority);
    }
}

/// Metadata of an issuer, and no token is good enough for anything else.
async fn answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    origin: &str,
) -> std::io::Result<()> {
    let mut bytes = [0; 8192];
    let length = stream.read(&mut bytes).await?;
    let request = String::from_utf8_lossy(&bytes[..length]).into_owned();
    if !request.contains("/.well-known/") {
        return send(&mut stream, "401 No\r\nwww-authenticate: Bearer", "").await;
    }
    let document = json!({
        "issuer": origin, "jwks_uri": format!("{origin}/.well-known/jwks"), "keys": [],
        "authorization_endpoint": format!("{origin}/authorize"), "token_endpoint": format!("{origin}/token"),
        "response_types_supported": ["code"], "code_challenge_methods_supported": ["S256"],
    });
    send(&mut stream, "200 OK\r\ncontent-type: application/json", &document.to_string()).await
}

async fn send(
    stream: &mut (impl AsyncWrite + Unpin),
    head: &str,
    body: &str,
) -> std::io::Result<()> {
    let length = body.len();
    let text =
        format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await
}

/// A certificate for loopback, and the authority that nobody knows.
fn certificates() -> (TlsAcceptor, String) {
    let mut authority = CertificateParams::new([]).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let names = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let certificate = names.signed_by(&key, &issuer).unwrap();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), pem)
}

/// An authority that shows its own certificate for loopback, and the file with it.
async fn authority_as_server() -> (String, PathBuf) {
    let mut names = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    names.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = names.self_signed(&key).unwrap();
    let private = PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private.into())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("https://{}", listener.local_addr().unwrap());
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("authority-as-server.pem");
    std::fs::write(&file, certificate.pem()).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = acceptor.accept(stream).await;
        }
    });
    (origin, file)
}

#[tokio::test]
async fn an_authority_that_is_used_as_a_server_is_told_as_such() {
    let (origin, file) = authority_as_server().await;
    let (url, authority) = (format!("{origin}/mcp"), file.to_str().unwrap());
    let rows: [&[&str]; 3] = [
        &["check", "server", &url],
        &["check", "issuer", &origin],
        &["explain", "opaque", "--server", &url],
    ];
    for arguments in rows {
        let (code, text, error) = run(&[arguments, &["--ca-file", authority]].concat()).await;
        let said = format!("{text}{error}");
        assert!(said.contains("needs one of its own with CA:FALSE"), "{arguments:?}: {said}");
        assert_eq!(code, Some(2), "{said}");
    }
}

/// The exit code, standard output and standard error of the command.
async fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-auth"));
    let output = command.args(arguments).args(["--timeout", "10"]).output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn the_other_scheme_is_named_where_it_answers() {
    let rows = [
        (ToPlain::Alert, "http", "does not answer, but https://"),
        (ToPlain::Page, "http", "wants TLS: https://"),
        (ToPlain::Answer, "https", "does not answer, but http://"),
    ];
    for (to_plain, scheme, expected) in rows {
        let server = Tls::start(to_plain).await;
        let (code, text, _) = run(&["check", "server", &server.url(scheme)]).await;
        let first = text.lines().next().unwrap_or_default();
        assert!(first.contains(expected) && first.contains(&server.address), "{first}");
        assert!(first.to_lowercase().contains("try that"), "{first}");
        assert_eq!(code, Some(2), "{first}");
    }
}

#[tokio::test]
async fn an_authority_is_believed_only_when_it_is_named() {
    let server = Tls::start(ToPlain::Alert).await;
    let other = Tls::start(ToPlain::Alert).await;
    let url = server.url("https");
    let (named, another) = (server.authority.to_str().unwrap(), other.authority.to_str().unwrap());
    for authorities in [&[][..], &["--ca-file", another]] {
        let (code, text, _) = run(&[&["check", "server", &url][..], authorities].concat()).await;
        let first = text.lines().next().unwrap_or_default();
        assert!(first.contains("its certificate is not trusted"), "{first}");
        assert!(first.contains("there is --ca-file") && code == Some(2), "{code:?} {first}");
    }
    for authorities in [&["--ca-file", named][..], &["--ca-file", another, "--ca-file", named]] {
        let (code, text, _) = run(&[&["check", "server", &url][..], authorities].concat()).await;
        assert!(text.contains("is protected: without a token it answers 401."), "{text}");
        assert_eq!(code, Some(1), "{text}");
    }
}

#[tokio::test]
async fn issuers_are_reached_through_the_named_authority_alone() {
    let server = Tls::start(ToPlain::Alert).await;
    let issuer = format!("https://{}", server.address);
    let authority = server.authority.to_str().unwrap();
    let places = |authorities: &[&str]| {
        let arguments = [&["check", "issuer", &issuer, "--json"][..], authorities].concat();
        arguments.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    for (arguments, is_reached) in [(places(&[]), false), (places(&["--ca-file", authority]), true)]
    {
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (_, text, _) = run(&words).await;
        let report: Value = serde_json::from_str(&text).unwrap();
        let findings = report["findings"].as_array().unwrap();
        let metadata = findings.iter().find(|one| one["id"] == "metadata");
        assert_eq!(metadata.is_some_and(|one| one["verdict"] == "pass"), is_reached, "{text}");
        assert_eq!(text.contains("certificate"), !is_reached, "{text}");
    }
}

#[tokio::test]
async fn an_issuer_that_is_not_reached_is_told_with_the_other_scheme_or_the_option() {
    let rows = [
        (ToPlain::Alert, "http", "answers: try that"),
        (ToPlain::Answer, "https", "answers: try that"),
        (ToPlain::Alert, "https", "--ca-file"),
    ];
    for (to_plain, scheme, expected) in rows {
        let server = Tls::start(to_plain).await;
        let issuer = format!("{scheme}://{}", server.address);
        let (code, text, _) = run(&["check", "issuer", &issuer]).await;
        let first = text.lines().next().unwrap_or_default();
        assert!(first.starts_with(&format!("{issuer} cannot be reached: ")), "{first}");
        assert!(first.contains(expected) && code == Some(2), "{code:?} {first}");
        let other = if scheme == "http" { "https" } else { "http" };
        let names_other = first.contains(&format!("{other}://{}", server.address));
        assert_eq!(names_other, expected != "--ca-file", "{first}");
    }
}

#[tokio::test]
async fn a_file_without_an_authority_is_named() {
    let folder = std::env::temp_dir();
    let file = folder.join(format!("mcp-auth-{}-no-authority.pem", std::process::id()));
    for content in ["", "no PEM", "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n"] {
        std::fs::write(&file, content).unwrap();
        let path = file.to_str().unwrap();
        let (code, _, error) =
            run(&["check", "server", "https://127.0.0.1:1/mcp", "--ca-file", path]).await;
        assert!(error.contains("--ca-file") && code == Some(2), "{content:?}: {error}");
    }
    std::fs::remove_file(&file).unwrap();
}
