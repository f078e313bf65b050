//! The thinnest layer that can refuse a request, for checks that come without one.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::{Either, Ready, ready};
use http::{HeaderMap, Request, Response, StatusCode};
use tower::{Layer, Service};

use crate::contenders::Claims;

/// What a check says about a request.
pub(crate) enum Verdict {
    Refused,
    Accepted,
    /// The handler finds these in the request's extensions.
    AcceptedWith(Claims),
}

/// Lets requests through whose headers pass a check; the others are 401.
pub(crate) struct Gate<C>(Arc<C>);

impl<C: Fn(&HeaderMap) -> Verdict> Gate<C> {
    pub(crate) fn new(check: C) -> Self {
        Self(Arc::new(check))
    }
}

impl<C> Clone for Gate<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<C, S> Layer<S> for Gate<C> {
    type Service = Gated<C, S>;

    fn layer(&self, inner: S) -> Gated<C, S> {
        Gated { check: self.0.clone(), inner }
    }
}

pub(crate) struct Gated<C, S> {
    check: Arc<C>,
    inner: S,
}

impl<C, S: Clone> Clone for Gated<C, S> {
    fn clone(&self) -> Self {
        Self { check: self.check.clone(), inner: self.inner.clone() }
    }
}

impl<C, S, B, R> Service<Request<B>> for Gated<C, S>
where
    C: Fn(&HeaderMap) -> Verdict,
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Either<S::Future, Ready<Result<Response<R>, S::Error>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match (self.check)(request.headers()) {
            Verdict::Accepted => {}
            Verdict::AcceptedWith(claims) => drop(request.extensions_mut().insert(claims)),
            Verdict::Refused => {
                let mut refusal = Response::new(R::default());
                *refusal.status_mut() = StatusCode::UNAUTHORIZED;
                return Either::Right(ready(Ok(refusal)));
            }
        }
        Either::Left(self.inner.call(request))
    }
}
