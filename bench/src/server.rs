//! A server on one thread, which tells how much of its processor it has used.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt as _;
use cpu_time::ThreadTime;
use dev_issuer::Algorithm;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::{mpsc as requests, oneshot};

use crate::contenders::{Entry, ReadSubject, the_only_subject};
use crate::world::World;
use crate::{Failure, allocations};

/// The name of the thread whose time is measured.
pub(crate) const MEASURED: &str = "measured";

/// Does what is measured, in a function by whose name callgrind knows what to count.
#[inline(never)]
pub(crate) fn measured<T>(work: impl FnOnce() -> T) -> T {
    work()
}

/// What a server has used so far.
#[derive(Clone, Copy)]
pub(crate) struct Reading {
    pub(crate) processor: Duration,
    pub(crate) allocations: u64,
}

/// An application on a thread of its own, behind a contender's layer or behind none.
pub(crate) struct Server<'scope> {
    pub(crate) address: SocketAddr,
    readings: requests::UnboundedSender<oneshot::Sender<Reading>>,
    thread: ScopedJoinHandle<'scope, Result<(), Failure>>,
}

impl<'scope> Server<'scope> {
    /// Serves when it returns, with keys fetched and no token of the caller's seen.
    pub(crate) fn start<'env>(
        scope: &'scope Scope<'scope, 'env>,
        world: &'env World,
        guard: Option<Entry>,
        app: fn(ReadSubject) -> Router,
    ) -> Result<Self, Failure> {
        let (readings, asked) = requests::unbounded_channel();
        let (bound, address) = mpsc::channel();
        // By its name, a profile tells it from the client.
        let named = thread::Builder::new().name(MEASURED.to_owned());
        let thread = named.spawn_scoped(scope, move || {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let contender = match guard {
                Some(entry) => Some(runtime.block_on(entry.make_warm(world, Algorithm::Rs256))?),
                None => None,
            };
            let served = match &contender {
                Some(one) => one.protect(app(one.read_subject())),
                None => app(the_only_subject),
            };
            measured(|| runtime.block_on(serve(served, bound, asked)))
        })?;
        match address.recv() {
            Ok(address) => Ok(Self { address, readings, thread }),
            // The sender is gone: the thread has failed and says why.
            Err(_) => match thread.join() {
                Ok(Err(reason)) => Err(reason),
                _ => Err("the server stopped".into()),
            },
        }
    }

    pub(crate) fn reading(&self) -> Result<Reading, Failure> {
        let (reply, reading) = oneshot::channel();
        self.readings.send(reply).map_err(|_| "the server stopped")?;
        Ok(reading.blocking_recv()?)
    }

    pub(crate) fn stop(self) -> Result<(), Failure> {
        drop(self.readings);
        self.thread.join().map_err(|_| "the server panicked")?
    }
}

async fn serve(
    served: Router,
    bound: mpsc::Sender<SocketAddr>,
    mut asked: requests::UnboundedReceiver<oneshot::Sender<Reading>>,
) -> Result<(), Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    bound.send(listener.local_addr()?)?;
    // An answer in several writes must not wait for the client's acknowledgement of the first.
    let without_delay = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let readings = async {
        while let Some(reply) = asked.recv().await {
            let processor = ThreadTime::now().as_duration();
            // Whoever asked may have given up.
            let _ = reply.send(Reading { processor, allocations: allocations::count() });
        }
    };
    tokio::select! {
        ended = axum::serve(without_delay, served).into_future() => ended?,
        () = readings => {}
    }
    Ok(())
}
