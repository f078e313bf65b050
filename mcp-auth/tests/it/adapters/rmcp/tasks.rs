//! Tasks of rmcp's server, which looks for nobody: each belongs to whoever made it.

use rmcp::model::{
    CallToolResponse, CallToolResult, CancelTaskParams, ClientCapabilities, ClientConfig,
    ContentBlock, CreateTaskResult, ErrorCode, GetTaskParams, GetTaskResult, Implementation,
    UpdateTaskParams,
};
use rmcp::task_manager::{TaskManager, TaskOptions};

use super::*;

/// Makes a task of each call, and keeps the tasks of all callers together.
#[derive(Clone)]
struct Slow {
    tasks: TaskManager,
}

impl ServerHandler for Slow {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().enable_tasks().build())
    }

    async fn call_tool(
        &self,
        _: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let task = self.tasks.spawn(TaskOptions::new(), |context| {
            Box::pin(async move {
                context.cancelled().await;
                Ok(CallToolResult::success(vec![ContentBlock::text("done")]))
            })
        });
        Ok(CallToolResponse::Task(CreateTaskResult::new(task)))
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        Ok(GetTaskResult::new(self.tasks.get_task(&request.task_id)?))
    }

    async fn update_task(
        &self,
        request: UpdateTaskParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.tasks.update_task(&request.task_id, request.input_responses)
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.tasks.cancel_task(&request.task_id)
    }
}

async fn connect(
    resource: &str,
    issuer: &DevIssuer,
    user: &str,
    lifecycle: ClientLifecycleMode,
) -> RunningService<RoleClient, ClientConfig> {
    let token = issuer.mint().subject(user).client_id("app").audience(resource).sign();
    let config = StreamableHttpClientTransportConfig::with_uri(resource).auth_header(token);
    let capabilities = ClientCapabilities::builder().enable_tasks().build();
    ClientConfig::new(capabilities, Implementation::from_build_env())
        .serve_with_lifecycle(StreamableHttpClientTransport::from_config(config), lifecycle)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_task_is_of_whoever_made_it() {
    for lifecycle in lifecycles() {
        let issuer = DevIssuer::start().await.unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let resource = format!("http://{}/mcp", listener.local_addr().unwrap());
        let mut config = Config::new(&resource, issuer.issuer()).unwrap();
        config.resources[0].seal_task_ids = true;
        config.resources[0].seal_event_ids = true;
        let auth = McpAuth::new(config).unwrap();
        let slow = Slow { tasks: TaskManager::new() };
        serve(listener, auth.protect(auth.streamable_http_service(move || slow.clone())));

        let alice = connect(&resource, &issuer, "alice", lifecycle.clone()).await;
        let bob = connect(&resource, &issuer, "bob", lifecycle).await;
        let made = alice.call_tool_once(CallToolRequestParams::new("slow")).await.unwrap();
        let CallToolResponse::Task(made) = made else { panic!("{made:?}") };
        let task = made.task.task_id;
        let (raw, tag) = task.rsplit_once('.').unwrap();
        assert_eq!(tag.len(), 22);
        let known = alice.peer().get_task(GetTaskParams::new(task.clone())).await.unwrap();
        assert_eq!(known.task.task.task_id, task);
        for (client, other) in [(&bob, &*task), (&bob, raw), (&alice, raw), (&alice, "x")] {
            let get = client.peer().get_task(GetTaskParams::new(other)).await.map(drop);
            let cancel = client.peer().cancel_task(CancelTaskParams::new(other)).await.map(drop);
            for refused in [get, cancel] {
                let Err(ServiceError::McpError(error)) = refused else { panic!("{refused:?}") };
                assert_eq!(error.code, ErrorCode::INVALID_PARAMS);
            }
        }
        alice.peer().cancel_task(CancelTaskParams::new(task)).await.unwrap();
    }
}
