//! Futures that JavaScript polls: each decision is made on the thread that asked for it.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::future::BoxFuture;
use napi::bindgen_prelude::{Env, Object, Result};
use napi::{Error, JsDeferred};
use napi_derive::napi;

use crate::functions;
use crate::outcome::{Answer, Outcome};

/// Work that ends in an answer.
pub(crate) type Work = BoxFuture<'static, Answer>;

/// Polls once: nearly every request needs no more.
pub(crate) fn begin(env: Env, mut work: Work) -> Result<Outcome> {
    functions::within(env, || {
        let mut context = Context::from_waker(Waker::noop());
        if let Poll::Ready(answer) = work.as_mut().poll(&mut context) {
            return answer.into_outcome();
        }
        Pending { work: Some(work), bell: Arc::default() }.advance()
    })
}

/// A decision that waits for an authorization server, or for a function of the user's.
#[napi]
pub struct Pending {
    work: Option<Work>,
    bell: Arc<Bell>,
}

#[napi]
impl Pending {
    /// A promise that is kept when asking again is worth while.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn wait<'e>(&self, env: &'e Env) -> Result<Object<'e>> {
        let (deferred, promise) = env.create_deferred::<(), Resolver>()?;
        self.bell.listen(deferred);
        // The promise lives in the caller's scope, as `env` does.
        Ok(promise)
    }

    /// Asks again.
    #[napi]
    pub fn poll(&mut self, env: Env) -> Result<Outcome> {
        let again = Self { work: self.work.take(), bell: self.bell.clone() };
        functions::within(env, || again.advance())
    }
}

impl Pending {
    fn advance(mut self) -> Result<Outcome> {
        self.bell.reset();
        let waker = Waker::from(self.bell.clone());
        let Some(mut work) = self.work.take() else {
            return Err(Error::from_reason("this was answered before"));
        };
        match work.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(answer) => answer.into_outcome(),
            Poll::Pending => {
                self.work = Some(work);
                Ok(Outcome::E(self))
            }
        }
    }
}

type Resolver = fn(Env) -> Result<()>;
type Deferred = JsDeferred<(), Resolver>;

/// Rings once, whether somebody listens already or not yet.
#[derive(Default)]
struct Bell(Mutex<BellState>);

#[derive(Default)]
enum BellState {
    #[default]
    Silent,
    Listening(Deferred),
    Rung,
}

impl Bell {
    fn replace(&self, state: BellState) -> BellState {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), state)
    }

    fn reset(&self) {
        self.replace(BellState::Silent);
    }

    fn listen(&self, deferred: Deferred) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *state {
            BellState::Rung => deferred.resolve(|_| Ok(())),
            _ => *state = BellState::Listening(deferred),
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        if let BellState::Listening(deferred) = self.replace(BellState::Rung) {
            deferred.resolve(|_| Ok(()));
        }
    }
}
