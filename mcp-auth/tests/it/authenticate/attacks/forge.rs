//! Two issuers whose keys the attacker may use, and tokens made of any bytes.

use std::sync::{Arc, Mutex, OnceLock};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
    RSA_PKCS1_SHA256, RsaKeyPair,
};
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderValue, Request, Response, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::{BoxFuture, ready};
use mcp_auth::clock::Clock;
use mcp_auth::http_client::{HttpClient, HttpError};
use mcp_auth::{AuthorizationServer, Config, McpAuth};
use serde_json::{Map, Value, json};

use crate::support::{Answer, RESOURCE, echo, request, send};

pub(crate) const NOW: u64 = 1_800_000_000;
pub(crate) const A: &str = "https://a.example";
pub(crate) const B: &str = "https://b.example";

pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A key that an issuer publishes, with its private half.
pub(crate) enum Key {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair, Vec<u8>),
}

impl Key {
    /// One for all tests: making one takes long.
    pub(crate) fn rsa() -> &'static Self {
        static RSA: OnceLock<Key> = OnceLock::new();
        RSA.get_or_init(|| Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()))
    }

    pub(crate) fn ec() -> Self {
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let private = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
        let private = private.as_ref().to_vec();
        Self::Ec(EcdsaKeyPair::from_pkcs8(algorithm, &private).unwrap(), private)
    }

    pub(crate) fn jwk(&self, kid: &str) -> Value {
        match self {
            Self::Rsa(pair) => json!({ "kty": "RSA", "kid": kid,
                "n": base64url(pair.public_key().modulus().big_endian_without_leading_zero()),
                "e": base64url(pair.public_key().exponent().big_endian_without_leading_zero()) }),
            Self::Ec(pair, _) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({ "kty": "EC", "kid": kid, "crv": "P-256", "x": base64url(x), "y": base64url(y) })
            }
        }
    }

    /// RS256 or ES256.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
            Self::Ec(pair, _) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
        }
    }

    /// The same with ECDSA's ASN.1 encoding.
    pub(crate) fn sign_in_der(&self, message: &[u8]) -> Vec<u8> {
        let Self::Ec(_, private) = self else { panic!("RSA has no such encoding") };
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, private).unwrap();
        pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    }

    /// A token of exactly these bytes.
    pub(crate) fn token(&self, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
        let message = format!("{}.{}", base64url(header), base64url(payload));
        let signature = self.sign(message.as_bytes());
        format!("{message}.{}", base64url(signature))
    }
}

/// `base` with some members replaced; those that become the text "absent" are left out.
pub(crate) fn with(mut base: Value, changes: Value) -> Value {
    let members = base.as_object_mut().unwrap();
    members.extend(changes.as_object().unwrap().clone());
    members.retain(|_, value| value != "absent");
    base
}

/// Good claims of an issuer.
pub(crate) fn claims(issuer: &str) -> Value {
    json!({ "iss": issuer, "aud": RESOURCE, "sub": "alice", "exp": NOW + 300, "iat": NOW })
}

/// A resource that trusts [`A`] and [`B`].
pub(crate) struct World {
    /// Published by A as `rsa`.
    pub(crate) rsa: &'static Key,
    /// Published by A as `ec`.
    pub(crate) ec: Key,
    /// Published by A as `enc` and `ops`, for encryption.
    pub(crate) encryption: Key,
    /// Published by B as `ec-b`.
    pub(crate) ec_b: Key,
    /// Both issuers have a key of this name: `shared`.
    pub(crate) shared: [Key; 2],
    app: Router,
    documents: Arc<Documents>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(&[], |config| config)
    }

    /// The same with more keys at A and a changed configuration.
    pub(crate) fn with(more: &[Value], change: impl FnOnce(Config) -> Config) -> Self {
        let (rsa, ec, encryption, ec_b) = (Key::rsa(), Key::ec(), Key::ec(), Key::ec());
        let shared = [Key::ec(), Key::ec()];
        let mut keys = vec![
            rsa.jwk("rsa"),
            ec.jwk("ec"),
            with(encryption.jwk("enc"), json!({ "use": "enc" })),
            with(encryption.jwk("ops"), json!({ "key_ops": ["encrypt"] })),
            shared[0].jwk("shared"),
        ];
        keys.extend(more.iter().cloned());
        let keys_of_b = [ec_b.jwk("ec-b"), shared[1].jwk("shared")];
        let documents = Arc::new(Documents {
            documents: Map::from_iter([
                (format!("{A}/jwks"), json!({ "keys": keys })),
                (format!("{B}/jwks"), json!({ "keys": keys_of_b })),
            ]),
            fetched: Mutex::default(),
        });
        let mut config = Config::new(RESOURCE, A).unwrap();
        config.resources[0].authorization_servers = [A, B].map(server).into();
        let auth = McpAuth::builder(change(config))
            .clock(FixedClock)
            .http_client(Shared(documents.clone()))
            .build()
            .unwrap();
        Self { rsa, ec, encryption, ec_b, shared, app: auth.protect(echo()), documents }
    }

    /// What becomes of this token.
    pub(crate) async fn call(&self, token: &str) -> Answer {
        self.send(format!("Bearer {token}").as_bytes()).await
    }

    /// What becomes of this `Authorization` header.
    pub(crate) async fn send(&self, authorization: &[u8]) -> Answer {
        let mut request = request("POST", "/mcp", &[]);
        let value = HeaderValue::from_bytes(authorization).unwrap();
        request.headers_mut().insert("authorization", value);
        send(self.app.clone(), request).await
    }

    /// What was fetched, without repetitions.
    pub(crate) fn fetched(&self) -> Vec<String> {
        let mut fetched = self.documents.fetched.lock().unwrap().clone();
        fetched.sort();
        fetched.dedup();
        fetched
    }
}

fn server(issuer: &str) -> AuthorizationServer {
    let mut server = AuthorizationServer::new(issuer);
    let metadata = json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/jwks") });
    server.metadata = metadata.as_object().cloned();
    server
}

struct FixedClock;

impl Clock for FixedClock {
    fn unix_seconds(&self) -> u64 {
        NOW
    }
}

struct Documents {
    documents: Map<String, Value>,
    fetched: Mutex<Vec<String>>,
}

struct Shared(Arc<Documents>);

impl HttpClient for Shared {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        let url = request.uri().to_string();
        let document = self.0.documents.get(&url).map(Value::to_string);
        self.0.fetched.lock().unwrap().push(url);
        let status = if document.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
        let mut response = Response::new(Bytes::from(document.unwrap_or_default()));
        *response.status_mut() = status;
        Box::pin(ready(Ok(response)))
    }
}
