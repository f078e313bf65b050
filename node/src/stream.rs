//! Streams of events that end with the token of their caller, for JavaScript to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

use bytes::Bytes;
use napi::Status;
use napi::bindgen_prelude::{Buffer, Env, Function, Result, Uint8Array};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi_derive::napi;

use crate::functions::within;
use crate::outcome::Answered;

/// A function that JavaScript calls for us when it has time; it does not keep the process alive.
type Tell = ThreadsafeFunction<(), (), (), Status, false, true>;

/// Tells one thread of JavaScript that something was revoked, whatever thread revokes it.
#[napi]
pub struct RevocationBell(Arc<Bell>);

struct Bell {
    /// Whether it was told, and has not looked yet: one call is enough for all of its streams.
    has_rung: AtomicBool,
    tell: Tell,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        if !self.has_rung.swap(true, Ordering::AcqRel) {
            // Whoever has ended has no streams.
            self.tell.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }
}

#[napi]
impl RevocationBell {
    /// Calls the function some time after something was revoked, as long as a stream listens.
    #[napi(constructor)]
    pub fn new(tell: Function<'_, (), ()>) -> Result<Self> {
        let later = tell.build_threadsafe_function().callee_handled::<false>();
        let tell_later = later.weak::<true>().build()?;
        Ok(Self(Arc::new(Bell { has_rung: AtomicBool::new(false), tell: tell_later })))
    }

    /// Rings again from now on. Streams are looked at after this.
    #[napi]
    pub fn reset(&self) {
        self.0.has_rung.store(false, Ordering::Release);
    }
}

/// What ends a stream of events in time. A revocation check of JavaScript's may be asked meanwhile.
#[napi]
pub struct StreamEnd(mcp_auth::decision::StreamEnd);

impl StreamEnd {
    pub(crate) fn new(end: mcp_auth::decision::StreamEnd) -> Self {
        Self(end)
    }
}

#[napi]
impl StreamEnd {
    /// Asked before something is sent, and by whoever is woken. Nothing: the stream goes on; bytes: it ends here, and they
    /// are the last of it.
    #[napi]
    pub fn step(&mut self, env: Env) -> Option<Buffer> {
        last_piece(within(env, || self.0.step()))
    }

    /// How much of the next piece may be sent, after a step that let the stream go on; nothing: the whole piece.
    #[napi]
    pub fn cut(&self, piece: Uint8Array) -> Option<u32> {
        u32::try_from(self.0.cut(&piece)?).ok()
    }

    /// Takes note of what was sent, and takes the next step.
    #[napi]
    pub fn see(&mut self, env: Env, sent: Uint8Array) -> Option<Buffer> {
        self.0.see(&sent);
        last_piece(within(env, || self.0.step()))
    }

    /// The answer in place of the whole response, after a step that ended the stream before its head was sent.
    #[napi]
    pub fn refusal(&mut self) -> Answered {
        self.0.refusal().into()
    }

    /// After how many milliseconds to take a step at the latest; nothing: that is not known, or the next piece ends it.
    #[napi(getter)]
    pub fn milliseconds_left(&self) -> Option<f64> {
        self.0.time_left().map(|left| left.as_secs_f64() * 1000.0)
    }

    /// Lets the bell ring when something is revoked. Whether something was since this was last asked: then it is time for a
    /// step.
    #[napi]
    pub fn listen(&mut self, env: Env, bell: &RevocationBell) -> bool {
        let waker = Waker::from(bell.0.clone());
        within(env, || self.0.poll_revoked(&mut Context::from_waker(&waker)).is_ready())
    }

    /// The bell does not ring for it any more.
    #[napi]
    pub fn close(&mut self) {
        self.0.stop_waking();
    }
}

fn last_piece(last: Option<Bytes>) -> Option<Buffer> {
    Some(last?.to_vec().into())
}
