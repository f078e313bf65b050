//! Bodies that never come, come late, or come where none should be: over real sockets.

use std::time::Duration;

use axum::Router;
use mcp_auth::policy::Requirement;
use mcp_auth::{Config, ScopePolicy};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::support::policy_server::{PolicyServer, message, tool_call};
use crate::support::request;

/// A server on a port of this machine, until it is dropped.
struct Listening {
    address: std::net::SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(app: Router) -> Listening {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    Listening { address, task }
}

/// Reads one answer: its head and as much of a body as it announces.
async fn answer(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let head_end = loop {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).await.unwrap(), 1, "an answer");
        read.push(byte[0]);
        if read.ends_with(b"\r\n\r\n") {
            break read.len();
        }
    };
    let head = String::from_utf8(read).unwrap().to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await.unwrap();
    assert_eq!(head.len(), head_end);
    head
}

async fn ask(listening: &Listening, request: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(listening.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let head = answer(&mut stream).await;
    (stream, head)
}

fn rules(is_open: bool) -> ScopePolicy {
    let rules = ScopePolicy::new().require_for_tool("secret", ["secret"]);
    if is_open { rules.require_for_tool("about", Requirement::public()) } else { rules }
}

async fn start(is_open: bool, configure: impl FnOnce(Config) -> Config) -> PolicyServer {
    PolicyServer::with(rules(is_open), configure, |builder| builder).await
}

/// The test would wait for ever if the answer waited for the body.
#[tokio::test]
async fn a_refusal_does_not_wait_for_a_body_that_never_comes() {
    let server = start(false, |config| config).await;
    let listening = listen(server.harness.app.clone()).await;
    let bad = server.mint("mcp").expires_in(-600).sign();
    let good = server.mint("mcp").sign();
    let rows = [
        (String::new(), 401),
        (format!("authorization: Bearer {bad}\r\n"), 401),
        ("authorization: Bearer x\r\nauthorization: Bearer y\r\n".to_owned(), 400),
        (format!("authorization: Bearer {good}\r\norigin: https://evil.example\r\n"), 403),
        (format!("authorization: Bearer {good}\r\ncontent-type: text/plain\r\n"), 415),
    ];
    for (headers, status) in &rows {
        for framing in
            ["content-length: 1000", "content-length: 100000000", "transfer-encoding: chunked"]
        {
            let has_type = headers.contains("content-type");
            let media_type = if has_type { "" } else { "content-type: application/json\r\n" };
            let head =
                format!("POST /mcp HTTP/1.1\r\nhost: h\r\n{media_type}{headers}{framing}\r\n\r\n");
            let (_stream, answer) = ask(&listening, &head).await;
            assert!(answer.starts_with(&format!("http/1.1 {status}")), "{head} {answer}");
            let closes = answer.contains("connection: close");
            assert_eq!(closes, framing.ends_with("100000000"), "{head} {answer}");
        }
    }
    let length = "content-length: 100000000\r\ncontent-type: application/json";
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: h\r\nauthorization: Bearer {good}\r\n{length}\r\n\r\n"
    );
    assert!(ask(&listening, &head).await.1.starts_with("http/1.1 413"));
}

#[tokio::test]
async fn a_connection_is_good_for_the_next_request_once_the_refused_body_has_come() {
    let server = start(false, |config| config).await;
    let listening = listen(server.harness.app.clone()).await;
    let body = tool_call("secret").to_string();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let (mut stream, refused) = ask(&listening, &head).await;
    assert!(refused.starts_with("http/1.1 401"), "{refused}");
    stream.write_all(body.as_bytes()).await.unwrap();
    let metadata = "GET /.well-known/oauth-protected-resource/mcp HTTP/1.1\r\nhost: h\r\n\r\n";
    stream.write_all(metadata.as_bytes()).await.unwrap();
    assert!(answer(&mut stream).await.starts_with("http/1.1 200"));
}

#[tokio::test]
async fn a_body_that_does_not_come_in_time_is_given_up() {
    let short = |mut config: Config| {
        config.body_timeout = Duration::from_millis(20);
        config
    };
    let server = start(true, short).await;
    let listening = listen(server.harness.app.clone()).await;
    let good = server.mint("mcp").sign();
    for authorization in [String::new(), format!("authorization: Bearer {good}\r\n")] {
        let head = format!(
            "POST /mcp HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\n{authorization}content-length: 1000\r\n\r\n{{"
        );
        let (mut stream, answer) = ask(&listening, &head).await;
        assert!(answer.starts_with("http/1.1 408"), "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "closed");
    }
}

#[tokio::test]
async fn strangers_have_short_bodies() {
    let limited = |mut config: Config| {
        config.max_anonymous_body_bytes = 400;
        config
    };
    let server = start(true, limited).await;
    let call = |name: &str, filler: usize| {
        message("tools/call", json!({ "name": name, "arguments": { "x": "x".repeat(filler) } }))
            .to_string()
    };
    let bad = server.mint("mcp").expires_in(-600).sign();
    let good = server.mint("secret").sign();
    let rows = [
        (None, call("about", 0), 200),
        (None, call("about", 1000), 401),
        (Some(&*bad), call("about", 1000), 401),
        (Some(&*good), call("about", 1000), 200),
        (Some(&*good), call("secret", 1000), 200),
    ];
    for (token, body, status) in rows {
        let (answer, ran) = server.post(token, &[], body).await;
        assert_eq!((answer.status.as_u16(), ran.len()), (status, usize::from(status == 200)));
    }
}

/// What is behind us may take a GET for a POST, and read its body.
#[tokio::test]
async fn only_a_post_has_a_body_under_a_policy() {
    let server = start(true, |config| config).await;
    let bearer = format!("Bearer {}", server.mint("mcp").sign());
    let rows: [(&[(&str, &str)], u16); 8] = [
        (&[], 200),
        (&[("content-length", "")], 400),
        (&[("content-length", "0")], 200),
        (&[("content-length", "5")], 400),
        (&[("content-length", "00")], 400),
        (&[("content-length", "five")], 400),
        (&[("content-length", "0"), ("content-length", "5")], 400),
        (&[("transfer-encoding", "chunked")], 400),
    ];
    for method in ["GET", "DELETE", "HEAD"] {
        for (headers, status) in rows {
            let mut all = vec![("authorization", &*bearer)];
            all.extend(headers);
            let answer = server.harness.send(request(method, "/mcp", &all)).await;
            assert_eq!(answer.status.as_u16(), status, "{method} {headers:?}");
            if status == 400 {
                assert_eq!(answer.code(), "unexpected_body");
            }
        }
    }
}

/// Over HTTP/2, and in a service that is called without a wire, no header need tell of a body.
#[tokio::test]
async fn a_body_that_no_header_announces_goes_on_with_a_post_alone() {
    let server = start(true, |config| config).await;
    let bearer = format!("Bearer {}", server.mint("mcp").sign());
    for method in ["GET", "DELETE", "HEAD"] {
        let mut sent = request(method, "/mcp", &[("authorization", &*bearer)]);
        *sent.body_mut() = axum::body::Body::from(tool_call("secret").to_string());
        assert_eq!(server.harness.send(sent).await.status.as_u16(), 200, "{method}");
        assert_eq!(server.ran(), ["no body  for alice"], "{method}");
    }
    let (answer, ran) = server.post(Some(&bearer[7..]), &[], tool_call("any").to_string()).await;
    assert_eq!((answer.status.as_u16(), ran.len()), (200, 1));
}

/// RFC 9110 §10.1.1: a client that waits for our word is told so, or refused, before it sends anything.
#[tokio::test]
async fn who_waits_for_permission_to_send_the_body_gets_an_answer() {
    let server = start(false, |config| config).await;
    let listening = listen(server.harness.app.clone()).await;
    let good = format!("authorization: Bearer {}\r\n", server.mint("mcp").sign());
    let body = tool_call("any").to_string();
    for (token, first) in [("", "http/1.1 401"), (&*good, "http/1.1 100")] {
        let head = format!(
            "POST /mcp HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\n{token}expect: 100-continue\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let (mut stream, answered) = ask(&listening, &head).await;
        assert!(answered.starts_with(first), "{answered}");
        if first.ends_with("100") {
            stream.write_all(body.as_bytes()).await.unwrap();
            assert!(answer(&mut stream).await.starts_with("http/1.1 200"));
        } else {
            assert!(answered.contains("connection: close"), "{answered}");
        }
    }
}
