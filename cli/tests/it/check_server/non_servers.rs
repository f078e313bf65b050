//! What is no MCP server, or none that can be judged: the first line says what it is, and what to do.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{command, silent_socket};

/// Something that listens, and what is said of it. `{origin}` stands for where it is.
struct NonServer {
    name: &'static str,
    /// How its answer to a request begins, up to the blank line; the body behind it.
    head: &'static str,
    body: &'static str,
    /// The answer at its well-known URLs, when it has metadata.
    metadata: &'static str,
    first_line: &'static str,
    code: i32,
}

const PLAIN: NonServer =
    NonServer { name: "", head: "", body: "", metadata: "", first_line: "", code: 2 };

const NON_SERVERS: &[NonServer] = &[
    NonServer {
        name: "no HTTP",
        head: "SSH-2.0-OpenSSH_9.9",
        first_line: "{origin}/mcp does not speak HTTP: what came is not HTTP. Is the port right?",
        ..PLAIN
    },
    NonServer {
        name: "moved for good",
        head: "HTTP/1.1 301 Moved\r\nlocation: /v2/mcp",
        first_line: "{origin}/mcp has moved: it redirects (301), and is there now: {origin}/v2/mcp.",
        ..PLAIN
    },
    NonServer {
        name: "a slash",
        head: "HTTP/1.1 307 Temporary\r\nlocation: /mcp/",
        first_line: "{origin}/mcp has moved: it redirects (307), and is there now: {origin}/mcp/.",
        ..PLAIN
    },
    NonServer {
        name: "a found redirect to https",
        head: "HTTP/1.1 302 Found\r\nlocation: https://127.0.0.1/mcp",
        first_line: "{origin}/mcp has moved: it redirects (302), and is there now: https://127.0.0.1/mcp.",
        ..PLAIN
    },
    NonServer {
        name: "a web page",
        head: "HTTP/1.1 200 OK\r\ncontent-type: text/html",
        body: "<!DOCTYPE html><h1>Welcome to nginx!</h1>",
        first_line: "{origin}/mcp is no MCP server but a web page (200).",
        ..PLAIN
    },
    NonServer {
        name: "another API",
        head: "HTTP/1.1 200 OK\r\ncontent-type: application/json",
        body: "{\"hello\": \"world\"}",
        first_line: "{origin}/mcp is no MCP server: `initialize` is answered with 200 and no JSON-RPC message",
        ..PLAIN
    },
    NonServer {
        name: "nothing at this path",
        head: "HTTP/1.1 404 Not Found",
        first_line: "{origin}/mcp is not there: 404. Is the path right, such as /mcp?",
        ..PLAIN
    },
    NonServer {
        name: "another path, which the metadata names",
        head: "HTTP/1.1 404 Not Found",
        metadata: "{origin}/api/mcp",
        first_line: "{origin}/mcp is not the MCP server: the metadata there names {origin}/api/mcp.",
        ..PLAIN
    },
    NonServer {
        name: "no POST",
        head: "HTTP/1.1 405 Not Allowed",
        first_line: "{origin}/mcp is no MCP server: it takes no POST (405).",
        ..PLAIN
    },
    NonServer {
        name: "no POST at all",
        head: "HTTP/1.1 501 Unsupported method ('POST')",
        body: "<!DOCTYPE HTML><p>Error code: 501</p>",
        first_line: "{origin}/mcp is no MCP server: it takes no POST (501).",
        ..PLAIN
    },
    NonServer {
        name: "a redirect to itself",
        head: "HTTP/1.1 301 Moved\r\nlocation: {origin}/mcp",
        first_line: "{origin}/mcp redirects to itself (301): nobody gets further.",
        ..PLAIN
    },
    NonServer {
        name: "a relative redirect to itself",
        head: "HTTP/1.1 302 Found\r\nlocation: mcp#top",
        first_line: "{origin}/mcp redirects to itself (302): nobody gets further.",
        ..PLAIN
    },
    NonServer {
        name: "protected, at another path than the metadata names",
        head: "HTTP/1.1 401 No\r\nwww-authenticate: Bearer",
        metadata: "{origin}/api/mcp",
        first_line: "{origin}/mcp is not the MCP server: the metadata there names {origin}/api/mcp.",
        ..PLAIN
    },
    NonServer {
        name: "protected, at another path than the metadata names for another name of this machine",
        head: "HTTP/1.1 401 No\r\nwww-authenticate: Bearer",
        metadata: "{localhost}/api/mcp/",
        first_line: "{origin}/mcp is not the MCP server: the metadata there names {localhost}/api/mcp/.",
        ..PLAIN
    },
    NonServer {
        name: "protected, with a slash in the metadata",
        head: "HTTP/1.1 401 No\r\nwww-authenticate: Bearer",
        metadata: "{origin}/mcp/",
        first_line: "{origin}/mcp is protected: without a token it answers 401.",
        code: 1,
        ..PLAIN
    },
    NonServer {
        name: "protected, as another name of this machine",
        head: "HTTP/1.1 401 No\r\nwww-authenticate: Bearer",
        metadata: "{localhost}/mcp",
        first_line: "{origin}/mcp is protected: without a token it answers 401.",
        code: 1,
        ..PLAIN
    },
    NonServer {
        name: "protected, with what is above it in the metadata",
        head: "HTTP/1.1 401 No\r\nwww-authenticate: Bearer",
        metadata: "{origin}",
        first_line: "{origin}/mcp is protected: without a token it answers 401.",
        code: 1,
        ..PLAIN
    },
    NonServer {
        name: "asked too often",
        head: "HTTP/1.1 429 Too Many\r\nretry-after: 30",
        first_line: "{origin}/mcp is not healthy: it answers 429 (Retry-After: 30), it is asked too often.",
        ..PLAIN
    },
    NonServer {
        name: "a gateway without its server",
        head: "HTTP/1.1 502 Bad Gateway",
        first_line: "{origin}/mcp is not healthy: it answers 502, a proxy does not reach it.",
        ..PLAIN
    },
    NonServer {
        name: "in trouble",
        head: "HTTP/1.1 500 Oops",
        first_line: "{origin}/mcp is not healthy: it answers 500, the server is in trouble.",
        ..PLAIN
    },
    NonServer {
        name: "a firewall's page",
        head: "HTTP/1.1 403 Forbidden\r\ncontent-type: text/html",
        body: "<html><title>Attention Required!</title></html>",
        first_line: "{origin}/mcp is behind a firewall or proxy that refuses the request",
        ..PLAIN
    },
    NonServer {
        name: "unprotected",
        head: "HTTP/1.1 200 OK\r\ncontent-type: application/json",
        body: "{\"jsonrpc\": \"2.0\", \"id\": 1, \"result\": {\"protocolVersion\": \"2025-11-25\"}}",
        first_line: "{origin}/mcp is an MCP server without protection: it answers `initialize` without a token.",
        code: 1,
        ..PLAIN
    },
    NonServer {
        name: "protected, without metadata",
        head: "HTTP/1.1 401 No\r\nwww-authenticate: Bearer",
        first_line: "{origin}/mcp is protected: without a token it answers 401.",
        code: 1,
        ..PLAIN
    },
];

#[tokio::test]
async fn the_first_line_says_what_it_is_in_each_format() {
    let mut wrong = Vec::new();
    for non_server in NON_SERVERS {
        let origin = serve(non_server).await;
        let expected = filled(non_server.first_line, &origin);
        let url = format!("{origin}/mcp");
        let output = command(&[&url, "--timeout", "5"]).output().await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let first = text.lines().next().unwrap_or_default();
        if !first.starts_with(&expected) || output.status.code() != Some(non_server.code) {
            wrong.push(format!("{}: {:?} {first}", non_server.name, output.status.code()));
        }
        let output = command(&[&url, "--timeout", "5", "--json"]).output().await.unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let is_same = report["verdict"].as_str().unwrap().starts_with(&expected);
        if !is_same || report["checked"] != (non_server.code == 1) {
            wrong.push(format!("{} as JSON: {report}", non_server.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn programs_are_told_too_that_nothing_could_be_judged() {
    let nobody = silent_socket();
    let url = format!("http://{}/mcp", nobody.local_addr().unwrap());
    let rows: [(&[&str], &str); 3] = [
        (&[&url], "does not answer: the connection was refused: nothing listens there"),
        (&["ftp://h.example/mcp"], "is not a URL"),
        (&[&url, "--token", "two words"], "--token"),
    ];
    for (arguments, expected) in rows {
        for format in ["json", "sarif"] {
            let all = [arguments, &["--format", format]].concat();
            let output = command(&all).output().await.unwrap();
            assert_eq!(output.status.code(), Some(2), "{all:?}");
            let report: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert!(report.to_string().contains(expected), "{report}");
            assert!(!expected.contains(&*url), "the URL is named once");
        }
    }
}

#[tokio::test]
async fn a_server_that_drips_ends_the_check_at_its_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let mut is_first = true;
        while let Ok((mut stream, _)) = listener.accept().await {
            let head = if is_first { "HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n" } else { "H" };
            is_first = false;
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(head.as_bytes()).await;
                let _ = stream.read_to_end(&mut Vec::new()).await;
            });
        }
    });
    let check = command(&[&url, "--timeout", "1", "--json"]).output();
    let output = tokio::time::timeout(Duration::from_secs(60), check).await.unwrap().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["checked"], json!(false));
    assert!(report["note"].as_str().unwrap().contains("had no answer in time"), "{report}");
    let findings = report["findings"].as_array().unwrap();
    let garbage = findings.iter().find(|one| one["id"] == "R7.garbage-token").unwrap();
    assert_eq!(garbage["verdict"], "skip", "what was not asked is no fault");
    serving.abort();
}

/// With the place of the server, by its address and by its name.
fn filled(text: &str, origin: &str) -> String {
    let by_name = origin.replace("127.0.0.1", "localhost");
    text.replace("{origin}", origin).replace("{localhost}", &by_name)
}

#[tokio::test]
async fn an_answer_that_does_not_end_is_told_from_none() {
    let begun = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{";
    let streaming = "HTTP/1.1 401 No\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n";
    let rows = [
        (begun, "it began an answer and did not end it within 1 s"),
        (streaming, "it began an answer and did not end it within 1 s"),
        ("HTTP/1.1 200 OK\r\n", "no answer within 1 s"),
        ("", "no answer within 1 s"),
    ];
    for (sent, expected) in rows {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let _ = stream.read(&mut [0; 4096]).await;
                    let _ = stream.write_all(sent.as_bytes()).await;
                    let _ = stream.read_to_end(&mut Vec::new()).await;
                });
            }
        });
        let output = command(&[&url, "--timeout", "1"]).output().await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let first = text.lines().next().unwrap_or_default();
        assert!(first.starts_with(&format!("{url} does not answer: {expected}.")), "{first}");
        assert_eq!(output.status.code(), Some(2));
        serving.abort();
    }
}

/// Answers every request in the same way, but for those of the metadata, until the test ends.
async fn serve(non_server: &'static NonServer) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let document = json!({ "resource": filled(non_server.metadata, &origin) });
    let plain_head = filled(non_server.head, &origin);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = vec![0; 8192];
            let length = stream.read(&mut bytes).await.unwrap_or_default();
            let request = String::from_utf8_lossy(&bytes[..length]);
            let has_document = !non_server.metadata.is_empty() && request.contains("/.well-known/");
            let (head, body) = match has_document {
                true => ("HTTP/1.1 200 OK", document.to_string()),
                false => (&*plain_head, non_server.body.to_owned()),
            };
            let length = body.len();
            let answer =
                format!("{head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    origin
}
