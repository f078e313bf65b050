//! The `requestState` of rmcp's server, which compares nothing: each is of the caller to whom it was given.

use rmcp::model::{CallToolResponse, CallToolResult, ContentBlock, ErrorCode, InputRequiredResult};

use super::*;

/// Asks for input twice, and keeps its step in the state.
#[derive(Clone, Default)]
struct Order {
    states: Arc<std::sync::Mutex<Vec<Option<String>>>>,
}

impl ServerHandler for Order {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let state = request.request_state;
        self.states.lock().unwrap().push(state.clone());
        match state.as_deref() {
            None => Ok(InputRequiredResult::from_request_state("step 1").into()),
            Some("step 1") => Ok(InputRequiredResult::from_request_state("step 2").into()),
            Some(_) => Ok(CallToolResult::success(vec![ContentBlock::text("done")]).into()),
        }
    }
}

async fn connect(resource: &str, issuer: &DevIssuer, user: &str, client: &str) -> Client {
    let token = issuer.mint().subject(user).client_id(client).audience(resource).sign();
    let config = StreamableHttpClientTransportConfig::with_uri(resource).auth_header(token);
    let [_, discover] = lifecycles();
    ().serve_with_lifecycle(StreamableHttpClientTransport::from_config(config), discover)
        .await
        .unwrap()
}

async fn call(
    client: &Client,
    tool: &'static str,
    state: Option<&str>,
) -> Result<CallToolResponse, ServiceError> {
    let mut params = CallToolRequestParams::new(tool);
    if let Some(text) = state {
        params = params.with_request_state(text);
    }
    client.call_tool_once(params).await
}

async fn next_state(client: &Client, state: Option<&str>) -> String {
    match call(client, "order", state).await.unwrap() {
        CallToolResponse::InputRequired(asked) => asked.request_state.unwrap(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_state_comes_back_from_the_caller_to_whom_it_was_given_alone() {
    let issuer = DevIssuer::start().await.unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let resource = format!("http://{}/mcp", listener.local_addr().unwrap());
    let mut config = Config::new(&resource, issuer.issuer()).unwrap();
    config.resources[0].seal_request_state = true;
    let auth = McpAuth::new(config).unwrap();
    let order = Order::default();
    let states = order.states.clone();
    serve(listener, auth.protect(auth.streamable_http_service(move || order.clone())));

    let alice = connect(&resource, &issuer, "alice", "app").await;
    let renewed = connect(&resource, &issuer, "alice", "app").await;
    let bob = connect(&resource, &issuer, "bob", "app").await;
    let by_other_client = connect(&resource, &issuer, "alice", "other").await;
    let first = next_state(&alice, None).await;
    assert!(first.starts_with("step 1."), "{first}");
    let second = next_state(&alice, Some(&first)).await;
    assert!(second.starts_with("step 2."), "{second}");
    let cut = &second[..second.len() - 1];
    for (client, tool, state) in [
        (&bob, "order", &*second),
        (&by_other_client, "order", &*second),
        (&alice, "refund", &*second),
        (&alice, "order", "step 2"),
        (&alice, "order", cut),
    ] {
        let refused = call(client, tool, Some(state)).await;
        let Err(ServiceError::McpError(error)) = refused else { panic!("{refused:?}") };
        assert_eq!(error.code, ErrorCode::INVALID_PARAMS);
    }
    let done = call(&renewed, "order", Some(&second)).await.unwrap();
    assert!(matches!(done, CallToolResponse::Complete(_)), "{done:?}");
    let seen = [None, Some("step 1".to_owned()), Some("step 2".to_owned())];
    assert_eq!(*states.lock().unwrap(), seen, "what was refused was not handed on");
}
