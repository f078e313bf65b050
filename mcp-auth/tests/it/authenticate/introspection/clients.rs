//! How we prove who we are.

use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use dev_issuer::DevIssuer;
use mcp_auth::settings::ClientAuthMethod;
use mcp_auth::{AuthorizationServer, Config, Introspection, McpAuth, ProtectedResource};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PKCS_ED25519};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::support::scripted::{Asked, Scripted};
use crate::support::{Harness, RESOURCE, echo, request, send};

fn file(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// What an endpoint sees of a client with these settings.
async fn asked(change: impl FnOnce(&mut Introspection)) -> (Asked, String) {
    let answer = json!({ "active": true, "client_id": "c", "aud": RESOURCE });
    let endpoint = Scripted::start(answer).await;
    let mut introspection = Introspection::new("our id", "p&s:ß");
    introspection.endpoint = Some(endpoint.url.clone());
    change(&mut introspection);
    let issuer = DevIssuer::start().await.unwrap();
    let server = Harness::around(issuer, |config| super::with(config, introspection));
    assert_eq!(server.call("opaque~1").await.code(), "ok");
    let asked = endpoint.last();
    assert_eq!(asked.parts.method, "POST");
    assert_eq!(asked.header("content-type"), "application/x-www-form-urlencoded");
    assert_eq!(asked.form("token").unwrap(), "opaque~1");
    assert_eq!(asked.form("token_type_hint").unwrap(), "access_token");
    (asked, server.issuer.issuer().to_owned())
}

#[tokio::test]
async fn a_secret_is_sent_in_the_header_or_in_the_form() {
    let (basic, _) = asked(|_| {}).await;
    let expected = STANDARD.encode("our%20id:p%26s%3A%C3%9F");
    assert_eq!(basic.header("authorization"), format!("Basic {expected}"));
    assert_eq!((basic.form("client_id"), basic.form("client_secret")), (None, None));

    let (post, _) = asked(|one| one.auth_method = ClientAuthMethod::ClientSecretPost).await;
    assert_eq!(post.header("authorization"), "");
    assert_eq!(post.form("client_id").unwrap(), "our id");
    assert_eq!(post.form("client_secret").unwrap(), "p&s:ß");

    // Some editors put a byte order mark in front.
    for text in ["from-a-file\n", "\u{feff}from-a-file\r\n"] {
        let (read, _) = asked(|one| {
            one.client_secret = None;
            one.client_secret_file = Some(file("client-secret", text));
        })
        .await;
        let expected = STANDARD.encode("our%20id:from-a-file");
        assert_eq!(read.header("authorization"), format!("Basic {expected}"));
    }

    let (none, _) = asked(|one| one.auth_method = ClientAuthMethod::None).await;
    assert_eq!(none.header("authorization"), "");
    assert_eq!((none.form("client_id"), none.form("client_secret")), (Some("our id".into()), None));
}

#[tokio::test]
async fn a_private_key_signs_an_assertion_for_this_issuer_alone() {
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let path = file("client-key.pem", &format!("\u{feff}{}", key.serialize_pem()));
    let (asked, issuer) = asked(|one| {
        one.auth_method = ClientAuthMethod::PrivateKeyJwt;
        one.private_key_file = Some(path);
        one.private_key_id = Some("key-1".to_owned());
    })
    .await;
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    assert_eq!(asked.form("client_assertion_type").unwrap(), kind);
    assert_eq!(asked.form("client_secret"), None);
    let assertion = asked.form("client_assertion").unwrap();
    let part = |index: usize| -> Value {
        let part = assertion.split('.').nth(index).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    assert_eq!(part(0), json!({ "alg": "EdDSA", "typ": "JWT", "kid": "key-1" }));
    let claims = part(1);
    assert_eq!(claims["iss"], "our id");
    assert_eq!(claims["sub"], "our id");
    assert_eq!(claims["aud"], issuer);
    assert!(claims["jti"].as_str().unwrap().len() >= 20);
    assert_eq!(claims["exp"].as_u64().unwrap(), claims["iat"].as_u64().unwrap() + 60);
}

/// A TLS server that answers only who shows a certificate of its authority.
struct MutualTls {
    origin: String,
    authority: PathBuf,
    certificate: PathBuf,
}

impl MutualTls {
    async fn start() -> Self {
        let mut authority = CertificateParams::new([]).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate().unwrap();
        let root = authority.self_signed(&authority_key).unwrap();
        let issuer = Issuer::new(authority, authority_key);
        let signed = |names: Vec<String>| {
            let key = KeyPair::generate().unwrap();
            (CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap(), key)
        };
        let (server, server_key) = signed(vec!["127.0.0.1".to_owned()]);
        let (client, client_key) = signed(vec!["mcp-server".to_owned()]);

        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(root.der().clone()).unwrap();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(
                vec![server.der().clone()],
                PrivatePkcs8KeyDer::from(server_key.serialize_der()).into(),
            )
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("https://{}", listener.local_addr().unwrap());
        tokio::spawn(serve(listener, TlsAcceptor::from(Arc::new(config))));
        let pem = client.pem() + &client_key.serialize_pem();
        Self {
            origin,
            authority: file("mtls-authority.pem", &root.pem()),
            certificate: file("mtls-client.pem", &format!("\u{feff}{pem}")),
        }
    }
}

async fn serve(listener: TcpListener, tls: TlsAcceptor) {
    while let Ok((stream, _)) = listener.accept().await {
        let tls = tls.clone();
        tokio::spawn(async move {
            let Ok(mut stream) = tls.accept(stream).await else { return };
            let mut seen = Vec::new();
            while !String::from_utf8_lossy(&seen).contains("client_id=mcp-server") {
                match stream.read_u8().await {
                    Ok(byte) => seen.push(byte),
                    Err(_) => return,
                }
            }
            let body = json!({ "active": true, "client_id": "c", "aud": RESOURCE }).to_string();
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
            let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        });
    }
}

#[tokio::test]
async fn a_certificate_is_shown_to_whom_the_metadata_says() {
    let tls = MutualTls::start().await;
    let config = |change: &dyn Fn(&mut Introspection)| -> Config {
        let mut introspection = Introspection::default();
        introspection.client_id = "mcp-server".to_owned();
        introspection.auth_method = ClientAuthMethod::TlsClientAuth;
        introspection.certificate_file = Some(tls.certificate.clone());
        change(&mut introspection);
        let mut server = AuthorizationServer::new("https://as.example");
        let metadata = json!({
            "issuer": "https://as.example",
            "introspection_endpoint": "https://as.example/without-certificate",
            "mtls_endpoint_aliases": { "introspection_endpoint": format!("{}/ask", tls.origin) },
        });
        server.metadata = metadata.as_object().cloned();
        server.introspection = Some(introspection);
        let mut config =
            Config::default().protect_resource(ProtectedResource::new(RESOURCE, [server]));
        config.ca_files = vec![tls.authority.clone()];
        config
    };
    let call = async |config: Config| {
        let app = McpAuth::new(config).unwrap().protect(echo());
        send(app, request("POST", "/mcp", &[("authorization", "Bearer opaque")])).await
    };
    assert_eq!(call(config(&|_| {})).await.code(), "ok");
    let without = config(&|one| {
        one.auth_method = ClientAuthMethod::None;
        one.endpoint = Some(format!("{}/ask", tls.origin));
    });
    assert_eq!(call(without).await.code(), "unavailable");
}
