//! A tower layer that carries out what [`McpAuth`] decides.
//!
//! 1. A caller goes on at once, without a task of its own, where nobody has to be asked about the token.
//! 2. Everybody else waits for the decision: for keys of an issuer, or for the body where a policy has to read it.
//! 3. A body is read up to the limits that the decision gives, and the same bytes are handed on, or those that the decision
//!    puts in their place.
//! 4. A refusal does not wait for the body. What still comes of it is read and thrown away meanwhile, within limits.
//! 5. The service's response goes through [`Forward::filter`]. Where something in it may have to change, its start waits
//!    until that is certain.

use std::fmt;
#[cfg(feature = "axum")]
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures_util::future::BoxFuture;
use http::header::{CONNECTION, EXPECT};
use http::request::Parts;
use http::{HeaderValue, Request, Response, Version};
use http_body::Body;
use http_body_util::BodyExt;
use pin_project_lite::pin_project;
use tokio::runtime::Handle;
use tower_layer::Layer;
use tower_service::Service;

#[cfg(feature = "axum")]
use crate::limits::PeerAddress;
use crate::mcp_auth::McpAuth;
use crate::mounts::Place;
use crate::serve::{
    Decision, Forward, HeldBytes, PendingDecision, ProtectedBody, Reply, announced_length,
    poll_start,
};

impl McpAuth {
    /// A layer that protects any tower service that speaks HTTP; with a policy, put it around the MCP
    /// endpoint alone, because then every POST must be a message.
    ///
    /// The inner service sees only requests that are allowed, with [`AuthInfo`](crate::AuthInfo)
    /// in their extensions and without `Authorization`. Metadata documents are answered by the
    /// layer where it sees their paths; else add `metadata_router`, or [`McpAuth::metadata`]: clients that do
    /// not find the document never learn where to sign in.
    ///
    /// A policy reads the body of a request and hands on what it has read, so the service's
    /// request body must be one that can be made of bytes, such as axum's.
    ///
    /// # Examples
    ///
    /// ```
    /// use http::{Request, Response, StatusCode};
    /// use http_body_util::Full;
    /// use mcp_auth::{Config, McpAuth};
    /// use tower::{Layer as _, ServiceExt as _, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let issuer = dev_issuer::DevIssuer::start().await?;
    /// let auth = McpAuth::new(Config::new("https://mcp.example.com/mcp", issuer.issuer())?)?;
    /// let service = auth.layer().layer(service_fn(|_: Request<Full<bytes::Bytes>>| async {
    ///     Ok::<_, std::convert::Infallible>(Response::new(Full::<bytes::Bytes>::default()))
    /// }));
    ///
    /// let token = issuer.mint().audience("https://mcp.example.com/mcp").sign();
    /// let request = Request::get("/mcp").header("authorization", format!("Bearer {token}"));
    /// let response = service.clone().oneshot(request.body(Full::default())?).await?;
    /// assert_eq!(response.status(), StatusCode::OK);
    ///
    /// let response = service.oneshot(Request::get("/mcp").body(Full::default())?).await?;
    /// assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    /// # Ok(())
    /// # }
    /// ```
    pub fn layer(&self) -> AuthLayer {
        self.tell_every_path();
        self.layer_around_all()
    }

    /// [`McpAuth::layer`], for a place to which not every request comes.
    pub(super) fn layer_around_all(&self) -> AuthLayer {
        AuthLayer { auth: self.clone(), place: None }
    }

    /// A layer for the resource in one place, whatever the path that it is mounted at.
    #[cfg(feature = "axum")]
    pub(super) fn layer_for(&self, place: &Place) -> AuthLayer {
        AuthLayer { auth: self.clone(), place: Some(place.clone()) }
    }
}

/// Protects a service; made by [`McpAuth::layer`], where an example is.
///
/// Cheap to clone: services that it makes share keys, kept tokens and budgets.
#[derive(Clone, Debug)]
pub struct AuthLayer {
    auth: McpAuth,
    place: Option<Place>,
}

impl<S> Layer<S> for AuthLayer {
    type Service = AuthService<S>;

    fn layer(&self, inner: S) -> AuthService<S> {
        AuthService { inner, layer: self.clone() }
    }
}

impl AuthLayer {
    /// How long a body may take.
    fn timeout(&self) -> Duration {
        self.auth.body_timeout()
    }

    /// What needs neither the network nor the body.
    fn decide_at_once(&self, request: &Parts) -> Option<Decision> {
        match &self.place {
            Some(place) => self.auth.decide_at_once_in(place, request),
            None => self.auth.decide_at_once_at(requested_path(request), request),
        }
    }

    /// What was not decided at once.
    async fn decide_in_time(&self, request: &Parts) -> Decision {
        match &self.place {
            Some(place) => self.auth.decide_in_time_in(place, request).await,
            None => self.auth.decide_in_time_at(requested_path(request), request).await,
        }
    }

    /// The answer to a request that goes no further, with as much of its body as nobody has read.
    fn refuse<Q, R>(&self, mut reply: Reply, request: &Parts, unread: Option<Q>) -> Response<R>
    where
        Q: Body + Send + 'static,
        Q::Data: Send,
        R: From<Bytes>,
    {
        let is_kept = unread.is_some_and(|rest| discard(request, rest, self.timeout()));
        if !is_kept && request.version <= Version::HTTP_11 {
            reply.headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        reply.into_response()
    }
}

/// Notes the address of the connection where axum knows it, unless something in front has noted it.
#[cfg(feature = "axum")]
fn note_peer(request: &mut Parts) {
    use axum::extract::ConnectInfo;

    let extensions = &mut request.extensions;
    if extensions.get::<PeerAddress>().is_some() {
        return;
    }
    if let Some(ConnectInfo(address)) = extensions.get::<ConnectInfo<SocketAddr>>() {
        let peer = PeerAddress::new(address.ip());
        extensions.insert(peer);
    }
}

/// Without axum, whoever made the request has noted it, or nobody knows it.
#[cfg(not(feature = "axum"))]
fn note_peer(_: &mut Parts) {}

/// The path that the client asked for: a nested axum router cuts its own off.
fn requested_path(request: &Parts) -> &str {
    #[cfg(feature = "axum")]
    if let Some(original) = request.extensions.get::<axum::extract::OriginalUri>() {
        return original.path();
    }
    request.uri.path()
}

/// A protected service; made by [`AuthLayer`].
///
/// It is ready when the service inside is: a request that is refused waits for that too, so that a service that
/// is overloaded is not asked for tokens either.
#[derive(Clone, Debug)]
pub struct AuthService<S> {
    inner: S,
    layer: AuthLayer,
}

impl<S, RequestBody, ResponseBody> Service<Request<RequestBody>> for AuthService<S>
where
    S: Service<Request<RequestBody>, Response = Response<ResponseBody>> + Clone + Send + 'static,
    S::Future: Send,
    RequestBody: Body + From<Bytes> + Send + 'static,
    RequestBody::Data: Send,
    RequestBody::Error: Send,
    ResponseBody: Body<Data = Bytes> + Send + 'static,
    ResponseBody::Error: Send,
{
    type Response = Response<ProtectedBody<ResponseBody>>;
    type Error = S::Error;
    type Future = AuthFuture<S::Future, ResponseBody>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        if self.layer.auth.counts_addresses() {
            note_peer(&mut parts);
        }
        let state = match self.layer.decide_at_once(&parts) {
            // Nearly every request: handed on without memory for a task of its own.
            Some(Decision::Forward(mut forward)) => {
                let future = self.inner.call(admitted(parts, body, &mut forward));
                State::Forwarded { future, forward: Some(forward) }
            }
            Some(Decision::Reply(reply)) => {
                State::Starting { response: self.layer.refuse(reply, &parts, Some(body)) }
            }
            Some(Decision::ReadBody(pending)) => {
                State::Deciding { decided: self.decide_later(Some(pending), parts, body) }
            }
            None => State::Deciding { decided: self.decide_later(None, parts, body) },
        };
        AuthFuture { state }
    }
}

/// What becomes of a request that waited: the service at work, or the answer where it goes no further.
type Decided<F, B> = Result<(F, Forward), Response<ProtectedBody<B>>>;

impl<S> AuthService<S> {
    /// Decides about a request that has to wait: for its body, or for whoever is asked about its token.
    fn decide_later<Q, B>(
        &mut self,
        pending: Option<PendingDecision>,
        parts: Parts,
        body: Q,
    ) -> BoxFuture<'static, Decided<S::Future, B>>
    where
        S: Service<Request<Q>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send,
        Q: Body + From<Bytes> + Send + 'static,
        Q::Data: Send,
        Q::Error: Send,
        B: Body<Data = Bytes>,
    {
        // The service that is ready is used; its clone may not be.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let layer = self.layer.clone();
        Box::pin(async move {
            let by_head = match pending {
                Some(waiting) => Decision::ReadBody(waiting),
                // In a box of its own: where a body is waited for, it would be memory for nothing.
                None => Box::pin(layer.decide_in_time(&parts)).await,
            };
            let (decision, unread) = match by_head {
                Decision::ReadBody(waiting) => decide_by_body(waiting, &parts, body).await,
                decision => (decision, Some(body)),
            };
            match (decision, unread) {
                (Decision::Forward(mut forward), Some(given)) => {
                    Ok((inner.call(admitted(parts, given, &mut forward)), forward))
                }
                (decision, unread) => Err(layer.refuse(decision.into_reply(), &parts, unread)),
            }
        })
    }
}

/// Reads the body, within limits, and decides; the same bytes go on. `None`: there is no use in reading on.
async fn decide_by_body<B>(
    pending: PendingDecision,
    request: &Parts,
    body: B,
) -> (Decision, Option<B>)
where
    B: Body + From<Bytes>,
{
    let reading = read(body, pending.max_bytes());
    let read = match Handle::try_current() {
        Ok(_) => tokio::time::timeout(pending.timeout(), reading).await,
        // Without tokio, time is the business of whoever runs the service.
        Err(_) => Ok(reading.await),
    };
    match read {
        Ok(Some(whole)) => (pending.decide(request, &whole).await, Some(B::from(whole))),
        Ok(None) => (Decision::Reply(pending.too_large()), None),
        Err(_) => (Decision::Reply(pending.timed_out()), None),
    }
}

/// The whole body; `None` when it is longer, or when it breaks off, and nobody reads the answer.
///
/// Nothing beyond the limit is kept: a stranger's body costs no more memory than `max_anonymous_body_bytes`.
async fn read<B: Body>(body: B, max_bytes: usize) -> Option<Bytes> {
    let mut frames = std::pin::pin!(body);
    let mut held = HeldBytes::default();
    while let Some(frame) = frames.frame().await {
        let Ok(mut data) = frame.ok()?.into_data() else { continue };
        let length = data.remaining();
        if held.len() + length > max_bytes {
            return None;
        }
        held.push(data.copy_to_bytes(length));
    }
    Some(held.into_bytes())
}

/// Reads what a refused request still sends, within limits, while its answer is on its way; whether the
/// connection can be used again then.
///
/// A server that closes the connection of a refused request loses more than that: a client that has just put
/// it back for its next request, the sign-in, loses that one. So what is short is read and thrown away. The
/// answer does not wait for it: a body that never comes would keep it for ever.
fn discard<B>(parts: &Parts, body: B, timeout: Duration) -> bool
where
    B: Body + Send + 'static,
    B::Data: Send,
{
    if body.is_end_stream() {
        return true;
    }
    // RFC 9110 §10.1.1: this client waits for our word before it sends anything.
    let waits = parts.headers.contains_key(EXPECT);
    let is_long = announced_length(&parts.headers).is_some_and(|length| length > MAX_DISCARDED);
    let Ok(runtime) = Handle::try_current() else { return false };
    if waits || is_long {
        return false;
    }
    runtime.spawn(async move { tokio::time::timeout(timeout, throw_away(body)).await });
    true
}

async fn throw_away<B: Body>(body: B) {
    let mut frames = std::pin::pin!(body);
    let mut left = MAX_DISCARDED;
    while let Some(Ok(frame)) = frames.frame().await {
        let length = frame.data_ref().map_or(0, Buf::remaining);
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

/// Bytes of a refused request that are read and thrown away; one with more loses its connection.
const MAX_DISCARDED: usize = 256 * 1024;

/// The request as the service sees it: without tokens, with its caller, and without a body that nobody has
/// looked at although somebody should have.
fn admitted<B: From<Bytes>>(mut parts: Parts, body: B, forward: &mut Forward) -> Request<B> {
    forward.prepare_request(&mut parts.headers);
    let shown = match forward.body() {
        Some(replaced) => B::from(replaced.clone()),
        None if forward.takes_body() => body,
        None => B::from(Bytes::new()),
    };
    if let Some(caller) = forward.auth_info.take() {
        parts.extensions.insert(caller);
    }
    Request::from_parts(parts, shown)
}

pin_project! {
    /// The response of an [`AuthService`].
    pub struct AuthFuture<F, B>
    where
        B: Body,
    {
        #[pin]
        state: State<F, B>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, B>
    where
        B: Body,
    {
        // It is not known yet whether the request goes on.
        Deciding { decided: BoxFuture<'static, Decided<F, B>> },
        // The service is at work.
        Forwarded { #[pin] future: F, forward: Option<Forward> },
        // A response is there, and it may not be certain yet what is sent first.
        Starting { response: Response<ProtectedBody<B>> },
    }
}

impl<F, B, E> Future for AuthFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body<Data = Bytes>,
{
    type Output = Result<Response<ProtectedBody<B>>, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let mut state = self.as_mut().project().state;
            let next = match state.as_mut().project() {
                StateProjection::Deciding { decided } => {
                    match ready!(decided.as_mut().poll(context)) {
                        Ok((future, forward)) => {
                            State::Forwarded { future, forward: Some(forward) }
                        }
                        Err(refused) => return Poll::Ready(Ok(refused)),
                    }
                }
                StateProjection::Forwarded { future, forward } => {
                    let given = ready!(future.poll(context))?;
                    let mut response = match forward.take() {
                        Some(forward) => forward.filter(given),
                        None => given.map(ProtectedBody::passed),
                    };
                    if poll_start(&mut response, context).is_ready() {
                        return Poll::Ready(Ok(response));
                    }
                    State::Starting { response }
                }
                StateProjection::Starting { response } => {
                    ready!(poll_start(response, context));
                    let given_out = Response::new(ProtectedBody::from(Bytes::new()));
                    return Poll::Ready(Ok(std::mem::replace(response, given_out)));
                }
            };
            state.set(next);
        }
    }
}

/// Says nothing of the request in it.
impl<F, B: Body> fmt::Debug for AuthFuture<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthFuture").finish_non_exhaustive()
    }
}
