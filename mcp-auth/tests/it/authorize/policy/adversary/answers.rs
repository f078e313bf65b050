//! Answers that are changed where they must be, and pass where they may.

use axum::http::HeaderMap;
use http_body::Frame;

use super::*;

/// A server with this response to everything.
async fn responding<F>(policy: ScopePolicy, respond: F) -> Harness
where
    F: Fn(&Request<Body>) -> Response<Body> + Clone + Send + Sync + 'static,
{
    let issuer = DevIssuer::start().await.unwrap();
    let mut config = Config::new(RESOURCE, issuer.issuer()).unwrap();
    config.resources[0].policy = Some(policy);
    let auth = McpAuth::new(config).unwrap();
    let app = auth.protect(any_service(service_fn(move |request: Request<Body>| {
        let response = respond(&request);
        async move { Ok::<_, Infallible>(response) }
    })));
    Harness { issuer, clock: TestClock::new(), app }
}

fn some_policy() -> ScopePolicy {
    ScopePolicy::new().require_for_tool("hidden", Requirement::default().roles(["admin"]))
}

#[tokio::test]
async fn ordinary_answers_to_other_methods_pass() {
    let harness = responding(some_policy(), |request| {
        let body = match request.method().as_str() {
            "GET" => "<h1>hello</h1>",
            _ => "",
        };
        Response::builder().header("content-type", "text/html").body(Body::from(body)).unwrap()
    })
    .await;
    let bearer = format!("Bearer {}", harness.mint().sign());
    let mut wrong = Vec::new();
    for method in ["DELETE", "HEAD", "GET"] {
        let answer = harness
            .send(crate::support::request(method, "/mcp", &[("authorization", &bearer)]))
            .await;
        if answer.status.as_u16() != 200 {
            wrong.push((method, answer.status.as_u16()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[tokio::test]
async fn a_stream_that_ends_without_data_ends() {
    let harness = responding(some_policy(), |_| {
        let stream = futures_util::stream::unfold(0, |n| async move {
            (n < 1)
                .then(|| (Ok::<_, Infallible>(Bytes::from_static(b"id: 0\nretry: 1\n\n")), n + 1))
        });
        Response::builder()
            .header("content-type", "text/event-stream")
            .body(Body::from_stream(stream))
            .unwrap()
    })
    .await;
    let mut request = crate::support::request(
        "POST",
        "/mcp",
        &[("authorization", &format!("Bearer {}", harness.mint().sign()))],
    );
    *request.body_mut() = tool_call("open").to_string().into();
    let answer = harness.send(request).await;
    assert_eq!(answer.status.as_u16(), 200);
}

#[tokio::test]
async fn a_filtered_stream_with_a_rest_ends() {
    let harness = responding(some_policy(), |_| {
        let stream = futures_util::stream::unfold(0, |n| async move {
            (n < 1).then(|| (Ok::<_, Infallible>(Bytes::from_static(b"id: 0\nretry: 1\n")), n + 1))
        });
        Response::builder()
            .header("content-type", "text/event-stream")
            .body(Body::from_stream(stream))
            .unwrap()
    })
    .await;
    let answer = harness
        .send(crate::support::request(
            "GET",
            "/mcp",
            &[("authorization", &format!("Bearer {}", harness.mint().sign()))],
        ))
        .await;
    assert_eq!(answer.status.as_u16(), 200);
}

#[tokio::test]
async fn resources_of_other_schemes_pass() {
    let server = PolicyServer::start(
        ScopePolicy::new().require_for_resource("notes://private/*", ["notes:private"]),
    )
    .await;
    let mut refused = Vec::new();
    for uri in
        ["screen://Main Display", "https://h.example/a%2Fb", "file:///C:\\x", "https://h/%7Euser/x"]
    {
        if runs(&server, message("resources/read", json!({ "uri": uri }))).await.1.is_empty() {
            refused.push(uri);
        }
    }
    assert!(refused.is_empty(), "{refused:?}");
}

#[tokio::test]
async fn a_name_in_the_header_may_repeat_any_name() {
    let server = PolicyServer::start(some_policy()).await;
    let token = server.mint("mcp").sign();
    let mut wrong = Vec::new();
    for (method, params, name) in [
        ("resources/directory/read", json!({ "uri": "notes://a" }), "notes://a"),
        ("skills/get", json!({ "uri": "skill://a" }), "skill://a"),
        ("tasks/get", json!({ "taskId": "t" }), "t"),
        ("resources/subscribe", json!({ "uri": "notes://a" }), "notes://a"),
        ("completion/complete", json!({ "ref": { "type": "ref/prompt", "name": "p" } }), "p"),
    ] {
        let headers =
            [("mcp-protocol-version", "2026-07-28"), ("mcp-method", method), ("mcp-name", name)];
        let body = message(method, params);
        let (answer, _) = server.post(Some(&token), &headers, body.to_string()).await;
        if answer.status.as_u16() != 200 {
            wrong.push((method, answer.status.as_u16()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[tokio::test]
async fn depth_overflows_nothing() {
    let server = PolicyServer::start(when_policy()).await;
    for depth in [100, 127, 200, 1_000_000] {
        let deep = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        for body in [
            deep.clone(),
            format!(r#"{{"jsonrpc":"2.0","id":{deep},"method":"ping"}}"#),
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","x":{deep}}}"#),
            format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":{deep}}}}}"#
            ),
            format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"a","arguments":{{"a":{deep}}}}}}}"#
            ),
        ] {
            runs(&server, body).await;
        }
    }
}

#[tokio::test]
async fn a_user_named_like_a_service_account_is_a_user() {
    let policy = ScopePolicy::new()
        .require_for_tool("machine", Requirement::default().caller(Principal::Client));
    let server = PolicyServer::start(policy).await;
    let token =
        server.mint("mcp").claim("preferred_username", "service-account-test-client").sign();
    let (_, ran) = server.post(Some(&token), &[], tool_call("machine").to_string()).await;
    assert!(ran.is_empty(), "{ran:?}");
}

#[tokio::test]
async fn tied_patterns_are_not_decided_by_chance() {
    let mut outcomes = std::collections::BTreeMap::new();
    for _ in 0..24 {
        let policy = ScopePolicy::new()
            .require(["mcp"])
            .require_for_resource("notes://aa/{id}", Requirement::public())
            .require_for_resource("notes://{t}/bb", Requirement::default().roles(["admin"]));
        let server = PolicyServer::start(policy).await;
        let body = message("resources/read", json!({ "uri": "notes://aa/bb" }));
        let (answer, _) = server.post(None, &[], body.to_string()).await;
        *outcomes.entry(answer.status.as_u16()).or_insert(0) += 1;
    }
    assert_eq!(outcomes.len(), 1, "{outcomes:?}");
}

#[tokio::test]
async fn an_id_that_cannot_be_repeated_is_refused() {
    let server = PolicyServer::start(some_policy()).await;
    let token = server.mint("mcp").sign();
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let mut bad = Vec::new();
    for id in ["1e999", r#""\ud800""#, &deep] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
        let server = std::panic::AssertUnwindSafe(server.post(
            Some(&token),
            &[("mcp-method", "tools/list")],
            body,
        ));
        let outcome = futures_util::FutureExt::catch_unwind(server).await;
        bad.push((&id[..id.len().min(10)], outcome.map(|one| one.0.status.as_u16()).map_err(drop)));
    }
    assert!(bad.iter().all(|one| one.1 == Ok(400)), "{bad:?}");
}

#[tokio::test]
async fn a_clone_has_its_own_rules() {
    let first = ScopePolicy::new().require_for_tool("open", ["mcp"]);
    let claims = json!({ "iss": "x", "exp": 1, "scope": "mcp" }).as_object().unwrap().clone();
    let caller = AuthInfo::from_verified_claims(claims).unwrap();
    use mcp_auth::Authorizer as _;
    use mcp_auth::policy::AccessRequest;
    first.authorize(&AccessRequest::new(&caller, &mcp_auth::Operation::tool("open"))).unwrap();
    let second = first.clone().require_for_tool("wipe", ["admin"]);
    let server = PolicyServer::with(ScopePolicy::new(), |c| c, |b| b.authorizer(second)).await;
    let (status, ran) = runs(&server, tool_call("wipe")).await;
    assert!(ran.is_empty(), "{status} {ran:?}");
}

#[tokio::test]
async fn require_knows_the_hierarchy_in_every_method() {
    let policy = || ScopePolicy::new().implies("notes:write", ["notes:read"]);
    let harness = responding(policy(), |request| {
        let caller = request.extensions().get::<AuthInfo>().unwrap();
        let status = if caller.require(["notes:read"]).is_ok() { 200 } else { 418 };
        Response::builder().status(status).body(Body::empty()).unwrap()
    })
    .await;
    let bearer = format!("Bearer {}", harness.mint().scope("notes:write").sign());
    let mut seen = Vec::new();
    for (method, body) in [
        ("POST", tool_call("any")),
        ("POST", message("vendor/x", json!({}))),
        ("POST", message("tasks/get", json!({ "taskId": "1" }))),
        ("GET", Value::Null),
    ] {
        let mut request = crate::support::request(method, "/mcp", &[("authorization", &bearer)]);
        *request.body_mut() = body.to_string().into();
        seen.push((
            method,
            body["method"].to_string(),
            harness.send(request).await.status.as_u16(),
        ));
    }
    assert!(seen.iter().all(|one| one.2 == 200), "{seen:?}");
}

#[tokio::test]
async fn every_success_is_filtered() {
    let harness = responding(some_policy(), |_| {
        Response::builder()
            .status(201)
            .header("content-type", "application/json")
            .body(Body::from(r#"{"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"hidden"}]}}"#))
            .unwrap()
    })
    .await;
    let bearer = format!("Bearer {}", harness.mint().sign());
    let mut request = crate::support::request("POST", "/mcp", &[("authorization", &bearer)]);
    *request.body_mut() = message("tools/list", json!({})).to_string().into();
    let answer = harness.send(request).await;
    assert!(!String::from_utf8_lossy(&answer.body).contains("hidden"));
}

#[tokio::test]
async fn dropping_the_token_shows_no_more() {
    let listing = |_: &Value| json!({ "tools": [{ "name": "a" }, { "name": "hidden" }] });
    let policy = some_policy().require_for_tool("a", Requirement::public());
    let server = PolicyServer::answering(policy, |c| c, |b| b, listing).await;
    let token = server.mint("mcp").sign();
    let body = message("tools/list", json!({})).to_string();
    let (with, _) = server.post(Some(&token), &[], body.clone()).await;
    let (without, _) = server.post(None, &[], body).await;
    let shows =
        |answer: &crate::support::Answer| String::from_utf8_lossy(&answer.body).contains("hidden");
    assert_eq!((shows(&with), shows(&without)), (false, false));
}

#[tokio::test]
async fn the_case_of_an_escape_makes_no_difference() {
    let policy =
        ScopePolicy::new().require_for_resource("notes://x/caf%C3%A9/*", ["notes:private"]);
    let server = PolicyServer::start(policy).await;
    let (status, ran) =
        runs(&server, message("resources/read", json!({ "uri": "notes://x/caf%c3%a9/1" }))).await;
    assert!(ran.is_empty(), "{status} {ran:?}");
}

#[tokio::test]
async fn a_role_that_is_false_is_none() {
    let server = PolicyServer::start(some_policy()).await;
    let token = server.mint("mcp").claim("roles", json!({ "admin": false })).sign();
    let (_, ran) = server.post(Some(&token), &[], tool_call("hidden").to_string()).await;
    assert!(ran.is_empty(), "{ran:?}");
}

#[tokio::test]
async fn a_token_gets_no_less_than_none() {
    let policy =
        ScopePolicy::new().require(["mcp"]).require_for_tool("open", Requirement::public());
    let server = PolicyServer::start(policy).await;
    let token = server.mint("other").sign();
    let body = message("initialize", json!({})).to_string();
    let (without, _) = server.post(None, &[], body.clone()).await;
    let (with, _) = server.post(Some(&token), &[], body).await;
    assert_eq!((without.status.as_u16(), with.status.as_u16()), (200, 200));
}

#[tokio::test]
async fn identity_is_no_encoding() {
    let harness = responding(some_policy(), |_| {
        Response::builder()
            .header("content-type", "application/json")
            .header("content-encoding", "identity")
            .body(Body::from(r#"{"jsonrpc":"2.0","id":7,"result":{"tools":[]}}"#))
            .unwrap()
    })
    .await;
    let bearer = format!("Bearer {}", harness.mint().sign());
    let mut request = crate::support::request("POST", "/mcp", &[("authorization", &bearer)]);
    *request.body_mut() = message("tools/list", json!({})).to_string().into();
    assert_eq!(harness.send(request).await.status.as_u16(), 200);
}

#[tokio::test]
async fn two_slashes_lead_around_no_rule() {
    let policy = ScopePolicy::new()
        .require_for_resource("file:///data/*", ["mcp"])
        .require_for_resource("file:///data/private/*", Requirement::default().roles(["admin"]))
        .deny_undeclared();
    let server = PolicyServer::start(policy).await;
    let uri = json!({ "uri": "file:///data//private/x" });
    let (status, ran) = runs(&server, message("resources/read", uri)).await;
    assert!(ran.is_empty(), "{status} {ran:?}");
}

#[tokio::test]
async fn two_scopes_that_imply_are_a_fault() {
    let mut config = Config::new(RESOURCE, "https://issuer.example.com").unwrap();
    config.resources[0].policy = Some(ScopePolicy::new().implies("a b", ["c"]));
    assert!(McpAuth::new(config).is_err());
}

#[tokio::test]
async fn a_fragment_leads_around_no_rule() {
    let policy = ScopePolicy::new()
        .require_for_resource("notes://secret/1", Requirement::default().roles(["admin"]));
    let server = PolicyServer::start(policy).await;
    let mut through = Vec::new();
    for uri in ["notes://secret/1", "notes://secret/1#", "notes://secret/1?"] {
        if !runs(&server, message("resources/read", json!({ "uri": uri }))).await.1.is_empty() {
            through.push(uri);
        }
    }
    assert!(through.is_empty(), "{through:?}");
}

#[tokio::test]
async fn a_tool_result_repeats_the_id() {
    let server = PolicyServer::with(
        ScopePolicy::new().require_for_tool("t", ["admin"]),
        |mut config| {
            config.resources[0].challenge_style = mcp_auth::settings::ChallengeStyle::ToolResult;
            config
        },
        |b| b,
    )
    .await;
    let token = server.mint("mcp").sign();
    let body = tool_call("t").to_string().replace("\"id\":7", "\"id\":1e999");
    let post = std::panic::AssertUnwindSafe(server.post(Some(&token), &[], body));
    assert!(futures_util::FutureExt::catch_unwind(post).await.is_ok());
}

/// A body in pieces of this size, without a length.
fn in_pieces(text: &str, size: usize) -> Body {
    let pieces: Vec<_> = text.as_bytes().chunks(size).map(Bytes::copy_from_slice).collect();
    Body::from_stream(futures_util::stream::iter(pieces.into_iter().map(Ok::<_, Infallible>)))
}

const LIST: &str =
    r#"{"jsonrpc":"2.0","id":9,"result":{"tools":[{"name":"hidden"},{"name":"open"}]}}"#;

#[tokio::test]
async fn a_list_is_filtered_whatever_its_label_its_status_and_its_pieces() {
    let harness = responding(some_policy(), |request| {
        let header = |name: &str| request.headers().get(name).cloned();
        let mut response = Response::builder();
        for name in ["content-type", "content-encoding"] {
            let wanted = header(&format!("x-{name}"));
            response = response.header(name, wanted.unwrap_or_else(|| "identity".parse().unwrap()));
        }
        let number = |name: &str| header(name).unwrap().to_str().unwrap().parse::<u16>().unwrap();
        let body = match header("x-form").unwrap().to_str().unwrap() {
            "stream" => format!("id: 1\n\ndata: {LIST}\n\n"),
            _ => LIST.to_owned(),
        };
        let body = in_pieces(&body, number("x-size").into());
        response.status(number("x-status")).body(body).unwrap()
    })
    .await;
    let bearer = format!("Bearer {}", harness.mint().sign());
    let calls = [message("tools/list", json!({})), tool_call("open"), message("ping", json!({}))];
    for label in ["application/json", "text/plain", "text/event-stream", "a/b", ";charset=utf-8"] {
        for (status, size) in [("200", "1"), ("202", "9999"), ("404", "7"), ("500", "9999")] {
            for (form, call) in ["json", "stream"].iter().flat_map(|form| {
                calls.iter().map(move |call| (form, Some(call))).chain([(form, None)])
            }) {
                let headers = [
                    ("authorization", &*bearer),
                    ("content-type", "application/json"),
                    ("x-content-type", label),
                    ("x-status", status),
                    ("x-size", size),
                    ("x-form", form),
                ];
                let method = if call.is_some() { "POST" } else { "GET" };
                let mut request = crate::support::request(method, "/mcp", &headers);
                *request.body_mut() = call.map(Value::to_string).unwrap_or_default().into();
                let answer = harness.send(request).await;
                let text = String::from_utf8_lossy(&answer.body);
                assert_eq!(answer.status.as_str(), status, "{label} {form} {text}");
                assert!(text.contains("open"), "{label} {status} {form} {text}");
                assert!(!text.contains("hidden"), "{label} {status} {form} {text}");
            }
        }
    }
    for encoding in ["gzip", "identity, zstd"] {
        let headers = [
            ("authorization", &*bearer),
            ("content-type", "application/json"),
            ("x-content-encoding", encoding),
            ("x-status", "200"),
            ("x-size", "99"),
            ("x-form", "json"),
        ];
        let mut request = crate::support::request("POST", "/mcp", &headers);
        *request.body_mut() = tool_call("open").to_string().into();
        let answer = harness.send(request).await;
        assert_eq!(answer.status.as_u16(), 500, "what cannot be read is withheld");
    }
}

#[tokio::test]
async fn a_response_that_is_not_changed_keeps_its_headers() {
    let harness = responding(some_policy(), |request| {
        let (status, body) = match request.headers()["x-form"].to_str().unwrap() {
            "empty" => (202, ""),
            "nothing" => (204, ""),
            "head" => (200, ""),
            "list" => (200, r#"{"result":{"tools":[{"name":"hidden"}]}}"#),
            _ => (200, r#"{"result":{"content":[]}}"#),
        };
        let length = if request.method() == "HEAD" { 1234 } else { body.len() };
        let response = Response::builder().status(status).header("x-own", "kept");
        response.header("content-length", length).body(Body::from(body)).unwrap()
    })
    .await;
    let bearer = format!("Bearer {}", harness.mint().sign());
    for (method, form, status, length) in [
        ("POST", "empty", 202, "0"),
        ("POST", "nothing", 204, "0"),
        ("DELETE", "nothing", 204, "0"),
        ("HEAD", "head", 200, "1234"),
        ("POST", "result", 200, "25"),
        ("POST", "list", 200, "23"),
    ] {
        let headers =
            [("authorization", &*bearer), ("content-type", "application/json"), ("x-form", form)];
        let mut request = crate::support::request(method, "/mcp", &headers);
        if method == "POST" {
            *request.body_mut() = message("ping", json!({})).to_string().into();
        }
        let answer = harness.send(request).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {form}");
        assert_eq!(answer.headers["content-length"], length, "{method} {form}");
        assert_eq!(answer.headers["x-own"], "kept");
    }
}

/// A server that keeps sessions may answer one request on the stream of another.
#[tokio::test]
async fn the_answer_to_another_request_is_filtered_for_whoever_reads_it() {
    let open = some_policy().require_for_tool("open", Requirement::public());
    for (policy, has_token) in [(some_policy(), true), (open.clone(), true), (open, false)] {
        let harness = responding(policy, |_| {
            let other = r#"{"method":"notifications/message","params":{}}"#;
            let prompts =
                r#"{"id":3,"result":{"prompts":[{"name":"shown"}],"cacheScope":"private"}}"#;
            let stream = format!("data: {other}\n\ndata: {LIST}\n\ndata: [{LIST},{prompts}]\n\n");
            Response::builder()
                .header("content-type", "text/event-stream")
                .body(in_pieces(&stream, 5))
                .unwrap()
        })
        .await;
        let bearer = format!("Bearer {}", harness.mint().sign());
        for call in [tool_call("open"), message("initialize", json!({}))] {
            let mut headers = vec![("content-type", "application/json")];
            if has_token {
                headers.push(("authorization", &bearer));
            }
            let mut request = crate::support::request("POST", "/mcp", &headers);
            *request.body_mut() = call.to_string().into();
            let answer = harness.send(request).await;
            let text = String::from_utf8_lossy(&answer.body);
            assert_eq!(text.matches("open").count(), 2, "{text}");
            assert!(text.contains("shown") && !text.contains("hidden"), "{text}");
        }
    }
}

#[tokio::test]
async fn a_list_that_breaks_off_shows_nothing() {
    for label in ["application/json", "text/event-stream", "text/plain"] {
        let harness = responding(some_policy(), move |_| {
            let start = format!("{}{LIST}", if label == "text/plain" { "" } else { "data: " });
            let pieces = [Ok(Bytes::from(start)), Err(std::io::Error::other("broken"))];
            let body = Body::from_stream(futures_util::stream::iter(pieces));
            Response::builder().header("content-type", label).body(body).unwrap()
        })
        .await;
        let bearer = format!("Bearer {}", harness.mint().sign());
        for call in [message("tools/list", json!({})), tool_call("open")] {
            let headers = [("authorization", &*bearer), ("content-type", "application/json")];
            let mut request = crate::support::request("POST", "/mcp", &headers);
            *request.body_mut() = call.to_string().into();
            let response = tower::ServiceExt::oneshot(harness.app.clone(), request).await.unwrap();
            let mut body = response.into_body();
            let mut shown = Vec::new();
            let mut is_broken = false;
            while let Some(frame) = http_body_util::BodyExt::frame(&mut body).await {
                is_broken |= frame.is_err();
                shown.extend(
                    frame.ok().and_then(|frame| frame.into_data().ok()).unwrap_or_default(),
                );
            }
            assert!(is_broken && !String::from_utf8_lossy(&shown).contains("hidden"), "{label}");
        }
    }
}

#[tokio::test]
async fn trailers_come_after_what_was_held() {
    let harness = responding(some_policy(), |_| {
        let trailers = HeaderMap::from_iter([("x-end".parse().unwrap(), "1".parse().unwrap())]);
        let frames = [Frame::data(Bytes::from(LIST)), Frame::trailers(trailers)];
        let frames = futures_util::stream::iter(frames.map(Ok::<_, Infallible>));
        Response::new(Body::new(http_body_util::StreamBody::new(frames)))
    })
    .await;
    let bearer = format!("Bearer {}", harness.mint().sign());
    let headers = [("authorization", &*bearer), ("content-type", "application/json")];
    let mut request = crate::support::request("POST", "/mcp", &headers);
    *request.body_mut() = message("tools/list", json!({})).to_string().into();
    let response = tower::ServiceExt::oneshot(harness.app.clone(), request).await.unwrap();
    let whole = http_body_util::BodyExt::collect(response.into_body()).await.unwrap();
    assert_eq!(whole.trailers().unwrap()["x-end"], "1");
    let text = String::from_utf8(whole.to_bytes().to_vec()).unwrap();
    assert!(text.contains("open") && !text.contains("hidden"), "{text}");
}
