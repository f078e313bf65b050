//! Accepts connections, and hands each request to the [`Gate`] and then to the router.
//!
//! hyper is driven directly and not through `axum::serve`, because [`Mode::Offline`](crate::Mode::Offline) closes a connection
//! without an answer, and a router cannot.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tower_service::Service as _;

use super::gate::{Gate, Passage};
use crate::endpoints;
use crate::issuer::Issuer;
use crate::start_error::StartError;

/// The task that accepts connections. Dropping it closes the listener and every connection.
pub(crate) struct Server {
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Server {
    pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
        if !address.ip().is_loopback() {
            return Err(StartError::NotLoopback(address));
        }
        TcpListener::bind(address).await.map_err(|error| match error.kind() {
            ErrorKind::AddrInUse => StartError::PortTaken(address),
            _ => StartError::Bind(address, error),
        })
    }

    pub(crate) fn run(listener: TcpListener, issuer: Arc<Issuer>) -> Self {
        let gate = Gate::new(issuer.clone());
        let task = tokio::spawn(accept(listener, gate, endpoints::router(issuer)));
        Self { task: Mutex::new(Some(task)) }
    }

    pub(crate) async fn shutdown(&self) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            task.abort();
            // The join error says what was asked for: cancelled.
            drop(task.await);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut().unwrap_or_else(PoisonError::into_inner) {
            task.abort();
        }
    }
}

async fn accept(listener: TcpListener, gate: Gate, router: Router) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, gate.clone(), router.clone()));
                }
                Err(error) => {
                    tracing::debug!(%error, "no connection accepted");
                    // Out of file descriptors, most likely: it takes a moment to get better.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, gate: Gate, router: Router) {
    // Nagle's algorithm would hold the end of an answer back. Without this line the connection is slower, and not wrong.
    drop(stream.set_nodelay(true));
    let service = service_fn(|request| answer(request, gate.clone(), router.clone()));
    let serve = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    if let Err(error) = serve.await {
        tracing::debug!(%error, "connection closed");
    }
}

/// The error, which hyper answers by closing the connection, is [`Passage::Closed`].
async fn answer(
    incoming: hyper::Request<hyper::body::Incoming>,
    gate: Gate,
    mut router: Router,
) -> Result<Response, std::io::Error> {
    let request: Request = incoming.map(Body::new);
    let endpoint = gate.endpoint(&request);
    let response = match gate.passage(&request, endpoint) {
        Passage::Open => never_fails(router.call(request).await),
        Passage::Answered(response) => response,
        Passage::Closed => return Err(ErrorKind::ConnectionAborted.into()),
        Passage::Hanging => std::future::pending().await,
    };
    Ok(gate.finish(response, endpoint))
}

fn never_fails(answer: Result<Response, Infallible>) -> Response {
    let Ok(response) = answer;
    response
}
