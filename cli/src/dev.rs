//! `mcp-auth dev`: everything that is needed to try a protected MCP server, on this machine alone.

use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::task::Poll;

use axum::serve::ListenerExt as _;
use clap::Args;
use dev_issuer::{DevIssuer, StartError, User};
use mcp_auth::{McpAuth, ResourceIdentifier};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::banner;
use crate::sample::Sample;
use crate::whoami::Whoami;

/// Where the MCP server listens unless told otherwise; the issuer takes the next port.
const SERVER_PORT: u16 = 3000;

#[derive(Args)]
pub(crate) struct Options {
    /// Port of the MCP server, 3000 unless given; the development issuer takes the next one.
    /// 0 picks free ports.
    #[arg(long)]
    port: Option<u16>,
    /// Start only the development issuer, on `--port`, 3001 unless given.
    #[arg(long)]
    issuer_only: bool,
    /// Users to sign in as, instead of alice, bob and admin. May be repeated; the first is preselected.
    #[arg(long = "user", value_name = "NAME")]
    users: Vec<String>,
    /// Scopes that the sample server requires, space-separated.
    #[arg(long, default_value = "mcp")]
    pub(crate) scopes: String,
    /// Sign in without the consent page, as the first user or the one in `login_hint`.
    #[arg(long)]
    auto_approve: bool,
    /// Settings of the sample server, a JSON file such as `{ "policy": … }`. It is read again at a hangup (SIGHUP).
    #[arg(long, value_name = "FILE", conflicts_with = "issuer_only")]
    pub(crate) config: Option<PathBuf>,
    /// Print one line of JSON instead of the introduction, and stop when standard input closes.
    #[arg(long)]
    pub(crate) json: bool,
}

impl Options {
    /// The user that is preselected.
    pub(crate) fn first_user(&self) -> &str {
        self.users.first().map_or("alice", String::as_str)
    }
}

/// Runs until Ctrl-C, or until standard input closes when a program is asking.
pub(crate) async fn run(options: Options) -> Result<(), Box<dyn Error>> {
    if options.issuer_only {
        let issuer = start_issuer(&options, options.port.unwrap_or(SERVER_PORT + 1)).await?;
        let mut stopped = pin!(stop_requested(options.json));
        if !is_over(stopped.as_mut()).await? {
            banner::issuer_only(&issuer, &options);
            stopped.await?;
        }
        issuer.shutdown().await;
        return Ok(());
    }
    let port = options.port.unwrap_or(SERVER_PORT);
    let listener = listen(port).await?;
    let issuer = start_issuer(&options, next_port(port)?).await?;
    serve(listener, &issuer, &options).await?;
    issuer.shutdown().await;
    Ok(())
}

async fn serve(
    listener: TcpListener,
    issuer: &DevIssuer,
    options: &Options,
) -> Result<(), Box<dyn Error>> {
    let resource = ResourceIdentifier::parse(format!("http://{}/mcp", listener.local_addr()?))?;
    let sample = Sample { resource: &resource, issuer: issuer.issuer(), options };
    let auth = McpAuth::builder(sample.config()?).serve_authorization_server_metadata().build()?;
    let app = auth.protect(auth.streamable_http_service(|| Whoami));
    // Nagle's algorithm would hold the end of an answer back, often for 40 ms.
    let without_delay = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let mut stopped = pin!(stop_requested(options.json));
    if is_over(stopped.as_mut()).await? {
        return Ok(());
    }
    let mut hangups = pin!(sample.follow_hangups(&auth));
    if is_over(hangups.as_mut()).await? {
        return Ok(());
    }
    banner::server(&resource, issuer, options);
    tokio::select! {
        served = axum::serve(without_delay, app).into_future() => served?,
        stopped = stopped => stopped?,
        gone = hangups => gone?,
    }
    Ok(())
}

/// The issuer listens one above the server; 0 stays "any".
fn next_port(port: u16) -> Result<u16, String> {
    match port {
        0 => Ok(0),
        _ => port
            .checked_add(1)
            .ok_or("--port must be below 65535: the issuer takes the next one".to_owned()),
    }
}

async fn start_issuer(options: &Options, port: u16) -> Result<DevIssuer, String> {
    let scopes = ["openid", "profile", "email", "offline_access"].into_iter();
    let mut builder = DevIssuer::builder()
        .bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .auto_approve(options.auto_approve)
        .scopes(scopes.chain(options.scopes.split_whitespace()));
    if !options.users.is_empty() {
        builder = builder.users(options.users.iter().map(User::new));
    }
    builder.start().await.map_err(|error| match error {
        StartError::PortTaken(address) => port_taken(address.port(), "the development issuer"),
        other => other.to_string(),
    })
}

async fn listen(port: u16) -> Result<TcpListener, String> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => port_taken(port, "the MCP server"),
        _ => format!("cannot listen on port {port}: {error}"),
    })
}

fn port_taken(port: u16, whose: &str) -> String {
    format!("port {port}, for {whose}, is taken; choose others with --port (0 picks free ones)")
}

/// Whether the request to stop has come already. It is noticed from now on: before, Ctrl-C (or a hangup) would end
/// the process at once, and whoever reads the introduction may send it.
async fn is_over(mut stopped: Pin<&mut impl Future<Output = io::Result<()>>>) -> io::Result<bool> {
    std::future::poll_fn(|context| match stopped.as_mut().poll(context) {
        Poll::Ready(outcome) => Poll::Ready(outcome.map(|()| true)),
        Poll::Pending => Poll::Ready(Ok(false)),
    })
    .await
}

async fn stop_requested(with_standard_input: bool) -> io::Result<()> {
    if !with_standard_input {
        return tokio::signal::ctrl_c().await;
    }
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        closed = standard_input_closed() => closed,
    }
}

async fn standard_input_closed() -> io::Result<()> {
    let (closed, wait) = oneshot::channel();
    // A thread of its own: a blocking read on the runtime would hold up its end.
    std::thread::spawn(move || closed.send(io::copy(&mut io::stdin().lock(), &mut io::sink())));
    wait.await.unwrap_or(Ok(0)).map(|_| ())
}
