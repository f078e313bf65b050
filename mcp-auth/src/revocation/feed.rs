//! What other instances revoke: follows the shared store in the background, and tells it what is revoked here.
//!
//! 1. No request asks the store who was revoked: what counts is in [`Cutoffs`], and the store is only where it comes from.
//! 2. While the store is away, what is known counts for `max_stale`, by the clock of the configuration and by one that nobody
//!    sets, whichever is over first. Then nothing is current, and whether a token is good cannot be told.
//! 3. What is revoked here counts here at once. It is told to the store until the store has it.
//! 4. It begins with the first request or the first that is revoked, since constructors start nothing; and begins anew where its
//!    task broke off.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};

use super::Cutoffs;
use super::outbox::Outbox;
use super::pause::Pause;
use crate::clock::Clock;
use crate::error::Unavailable;
use crate::shared_store::{Followed, SharedCutoff, SharedStore, StoreFault};
use crate::spawner::{Running, Spawner, background};
use crate::text::in_one_line;

/// How long the store waits for something new: so often it says that it is there.
const BEAT: Duration = Duration::from_millis(250);
/// How long everything may take to be loaded.
const LONGEST_LOAD: Duration = Duration::from_secs(30);
/// Cutoffs that are told at once.
const AT_ONCE: usize = 500;

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FeedLimits {
    pub(crate) max_stale: Duration,
    /// For one question to the store.
    pub(crate) timeout: Duration,
}

/// Keeps [`Cutoffs`] at what all instances know. It goes on as long as they are there.
pub(crate) struct Feed {
    shared: Arc<Shared>,
    spawner: Spawner,
    running: Mutex<Option<Running>>,
    /// Goes with this.
    alive: watch::Sender<()>,
}

/// What the task needs.
struct Shared {
    store: Arc<dyn SharedStore>,
    /// Whose this is.
    cutoffs: Weak<Cutoffs>,
    clock: Arc<dyn Clock>,
    limits: FeedLimits,
    progress: watch::Sender<Progress>,
    outbox: Mutex<Outbox>,
    /// That there is something in it.
    posted: Notify,
}

/// How the task gets on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Progress {
    state: State,
    /// Another number whenever the store has answered.
    beats: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// There is no task.
    Off,
    /// Nothing has come yet.
    Beginning,
    Following,
    Away,
}

impl Feed {
    /// Makes what is known count for nothing until the store was asked.
    pub(crate) fn new(
        store: Arc<dyn SharedStore>,
        owner: &Arc<Cutoffs>,
        clock: Arc<dyn Clock>,
        spawner: Spawner,
        limits: FeedLimits,
    ) -> Self {
        owner.set_current_until(0);
        let progress = watch::Sender::new(Progress { state: State::Off, beats: 0 });
        let (outbox, posted) = (Mutex::default(), Notify::new());
        let cutoffs = Arc::downgrade(owner);
        let shared = Shared { store, cutoffs, clock, limits, progress, outbox, posted };
        Self {
            shared: Arc::new(shared),
            spawner,
            running: Mutex::default(),
            alive: watch::Sender::new(()),
        }
    }

    /// Waits until what is known is what the store knows, for as long as one answer of the store may take.
    ///
    /// # Errors
    /// The store is away, for longer than what is known counts.
    pub(crate) async fn wait_until_current(&self) -> Result<(), Unavailable> {
        self.begin();
        let mut progress = self.shared.progress.subscribe();
        let beats = progress.borrow().beats;
        loop {
            let now = *progress.borrow_and_update();
            if self.shared.is_current() {
                return Ok(());
            }
            // A beat that made nothing current was before the clock was set forth.
            let has_said_enough = now.beats > beats + 1;
            if matches!(now.state, State::Off | State::Away) || has_said_enough {
                return Err(unavailable("what was revoked elsewhere is not known"));
            }
            if progress.changed().await.is_err() {
                return Err(unavailable("nobody follows it any more"));
            }
        }
    }

    /// Tells the store of this later, until it has it.
    pub(crate) fn post(&self, cutoff: SharedCutoff) {
        self.shared.outbox.lock().unwrap_or_else(PoisonError::into_inner).add(cutoff);
        self.shared.posted.notify_one();
        if self.spawner.can_start() {
            self.begin();
        }
    }

    /// Tells the store of this, and waits until it has it.
    ///
    /// # Errors
    /// The store did not take it. It is told of it until it does.
    pub(crate) async fn tell(&self, cutoff: SharedCutoff) -> Result<(), Unavailable> {
        let outcome = self.confirm(vec![cutoff.clone()]).await;
        if outcome.is_err() {
            self.post(cutoff);
        }
        outcome
    }

    /// Has the store take these now, also where it is told of them anyway: to tell it twice changes nothing.
    ///
    /// # Errors
    /// The store did not take them.
    pub(crate) async fn confirm(&self, cutoffs: Vec<SharedCutoff>) -> Result<(), Unavailable> {
        // So that it is seen when the store forgets them.
        self.begin();
        let shared = self.shared.clone();
        let telling = async move {
            for some in cutoffs.chunks(AT_ONCE) {
                shared.put(some).await?;
            }
            Ok(())
        };
        self.in_background(telling.boxed()).await
    }

    /// Whether no instance has seen this key before.
    ///
    /// # Errors
    /// The store is away: nobody can tell.
    pub(crate) async fn first_time(
        &self,
        key: String,
        keep: Duration,
    ) -> Result<bool, Unavailable> {
        let shared = self.shared.clone();
        let longest = shared.limits.timeout * 2;
        let asking = async move {
            let asked = timeout(longest, shared.store.first_time(&key, keep)).await;
            asked.unwrap_or_else(|_| Err(too_slow()))
        };
        self.in_background(asking.boxed()).await
    }

    /// Runs work that needs time and IO where there are both.
    async fn in_background<T: Send + 'static>(
        &self,
        asking: BoxFuture<'static, Result<T, StoreFault>>,
    ) -> Result<T, Unavailable> {
        let (work, result, _) = background(asking);
        self.spawner.start(work);
        match result.await {
            Some(outcome) => outcome.map_err(|fault| unavailable(&fault.to_string())),
            None => Err(unavailable("the question broke off")),
        }
    }

    /// Starts the task, unless it is there.
    fn begin(&self) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.as_ref().is_some_and(|task| !task.is_over()) {
            return;
        }
        let task = run(self.shared.clone(), self.alive.subscribe());
        let (work, _, is_running) = background(task);
        *running = Some(is_running);
        self.shared.set_state(State::Beginning);
        drop(running);
        self.spawner.start(work);
    }
}

/// Follows the store until nobody needs it any more.
async fn run(shared: Arc<Shared>, mut alive: watch::Receiver<()>) {
    let _end = End(shared.clone());
    tokio::select! {
        _ = alive.changed() => {}
        () = shared.follow_forever() => {}
        () = shared.deliver_forever() => {}
    }
    // What nobody else knows of, a last time.
    if let Err(fault) = shared.deliver().await {
        tracing::error!(reason = %in_one_line(&fault.to_string()), "the shared store is not told of what was revoked here last");
    }
}

/// When the task ends, whatever the reason, nobody hears of others any more.
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.set_current_until(0);
        self.0.set_state(State::Off);
        // Streams that are open have to end.
        if let Some(known) = self.0.cutoffs.upgrade() {
            known.wake();
        }
    }
}

impl Shared {
    fn is_current(&self) -> bool {
        let cutoffs = self.cutoffs.upgrade();
        cutoffs.is_some_and(|known| known.is_current(self.clock.unix_seconds()))
    }

    /// Whether anything was current before.
    fn set_current_until(&self, seconds: u64) -> bool {
        let cutoffs = self.cutoffs.upgrade();
        cutoffs.is_some_and(|known| known.set_current_until(seconds))
    }

    fn add_shared(&self, cutoffs: &[SharedCutoff]) {
        if let Some(known) = self.cutoffs.upgrade() {
            known.add_shared(cutoffs);
        }
    }

    /// Everything that is refused here.
    fn to_shared(&self) -> Vec<SharedCutoff> {
        self.cutoffs.upgrade().map_or_else(Vec::new, |known| known.to_shared())
    }

    fn set_state(&self, state: State) {
        self.progress.send_modify(|progress| progress.state = state);
    }

    async fn follow_forever(&self) {
        let mut pause = Pause::default();
        let mut memory = None;
        let mut contact: Option<Instant> = None;
        loop {
            let fault = self.keep_up(&mut memory, &mut contact, &mut pause).await;
            self.tell_of_absence(&fault, contact);
            sleep(pause.next()).await;
        }
    }

    /// Loads everything and follows, until the store is away.
    async fn keep_up(
        &self,
        memory: &mut Option<String>,
        contact: &mut Option<Instant>,
        pause: &mut Pause,
    ) -> StoreFault {
        loop {
            let mut position = match self.load(memory).await {
                Ok(position) => position,
                Err(fault) => return fault,
            };
            loop {
                // From when the question was sent: what came later is not in the answer.
                self.note_contact(contact, pause);
                let following = self.store.follow(&position, BEAT);
                let longest = BEAT + self.limits.timeout * 2;
                match timeout(longest, following).await {
                    Ok(Ok(Followed::New { cutoffs, position: next })) => {
                        self.add_shared(&cutoffs);
                        position = next;
                    }
                    Ok(Ok(Followed::Lost)) => break,
                    Ok(Err(fault)) => return fault,
                    Err(_) => return too_slow(),
                }
            }
        }
    }

    /// Takes over everything that the store knows. Where to follow from.
    async fn load(&self, memory: &mut Option<String>) -> Result<String, StoreFault> {
        let mut loading = self.store.load();
        let loaded = match timeout(self.limits.timeout * 2, &mut loading).await {
            Ok(loaded) => loaded?,
            Err(_) => {
                // Whoever waits is told that it takes longer.
                self.set_state(State::Away);
                timeout(LONGEST_LOAD, loading).await.unwrap_or_else(|_| Err(too_slow()))?
            }
        };
        if memory.is_none() {
            self.post_what_is_known();
        }
        let mut cutoffs = loaded.cutoffs;
        // As if they had come one after the other: where there is no room, the first ones go.
        cutoffs.sort_by_key(|cutoff| cutoff.issued_until);
        for some in cutoffs.chunks(AT_ONCE) {
            self.add_shared(some);
            tokio::task::yield_now().await;
        }
        if memory.as_ref().is_some_and(|known| *known != loaded.memory) {
            tracing::warn!("the shared store has forgotten what it was told: it is told again");
            self.outbox.lock().unwrap_or_else(PoisonError::into_inner).add_everything();
            self.posted.notify_one();
        }
        *memory = Some(loaded.memory);
        Ok(loaded.position)
    }

    /// Has the store told of what was revoked here before it first answered: the one that took it may be gone.
    fn post_what_is_known(&self) {
        let mut outbox = self.outbox.lock().unwrap_or_else(PoisonError::into_inner);
        for cutoff in self.to_shared() {
            outbox.add(cutoff);
        }
        drop(outbox);
        self.posted.notify_one();
    }

    /// Takes note that what is known is what the store knows.
    fn note_contact(&self, contact: &mut Option<Instant>, pause: &mut Pause) {
        *contact = Some(Instant::now());
        pause.reset();
        let until = self.clock.unix_seconds().saturating_add(self.limits.max_stale.as_secs());
        self.set_current_until(until);
        let before = self.progress.borrow().state;
        self.progress.send_modify(|progress| {
            *progress = Progress { state: State::Following, beats: progress.beats + 1 };
        });
        if before == State::Away {
            tracing::info!("the shared store is there again: what was revoked elsewhere is known");
        }
    }

    /// Takes note that the store is away.
    fn tell_of_absence(&self, fault: &StoreFault, contact: Option<Instant>) {
        let reason = in_one_line(&fault.to_string());
        let max_stale = self.limits.max_stale;
        let before = self.progress.borrow().state;
        if contact.is_none_or(|last| last.elapsed() >= max_stale) {
            let was_current = self.set_current_until(0);
            if was_current || before == State::Beginning {
                tracing::error!(%reason, "the shared store is away: tokens are refused, because nobody can tell what was revoked elsewhere");
                // Streams that are open have to end.
                if let Some(known) = self.cutoffs.upgrade() {
                    known.wake();
                }
            }
        } else if before != State::Away {
            let seconds = max_stale.as_secs();
            tracing::warn!(%reason, "the shared store is away: what was revoked elsewhere since is not known, and tokens are refused in {seconds} s");
        }
        self.set_state(State::Away);
    }

    /// Tells the store of whatever is revoked here.
    async fn deliver_forever(&self) {
        let mut pause = Pause::default();
        let mut was_told = true;
        loop {
            let outcome = self.deliver().await;
            match &outcome {
                Ok(()) => {
                    pause.reset();
                    self.posted.notified().await;
                }
                Err(fault) => {
                    if was_told {
                        tracing::warn!(reason = %in_one_line(&fault.to_string()), "the shared store is not yet told of what was revoked here");
                    }
                    sleep(pause.next()).await;
                }
            }
            was_told = outcome.is_ok();
        }
    }

    /// Tells the store of everything that it is to know.
    async fn deliver(&self) -> Result<(), StoreFault> {
        loop {
            let some = {
                let mut outbox = self.outbox.lock().unwrap_or_else(PoisonError::into_inner);
                outbox.take(AT_ONCE, || self.to_shared())
            };
            if some.is_empty() {
                return Ok(());
            }
            let mut taken = Taken { outbox: &self.outbox, cutoffs: some };
            self.put(&taken.cutoffs).await?;
            taken.cutoffs.clear();
        }
    }

    async fn put(&self, cutoffs: &[SharedCutoff]) -> Result<(), StoreFault> {
        let put = timeout(self.limits.timeout * 2, self.store.put(cutoffs)).await;
        put.unwrap_or_else(|_| Err(too_slow()))
    }
}

/// What is being told. It goes back if that comes to nothing, also where nobody waits for it any more.
struct Taken<'s> {
    outbox: &'s Mutex<Outbox>,
    cutoffs: Vec<SharedCutoff>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let cutoffs = std::mem::take(&mut self.cutoffs);
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner).put_back(cutoffs);
    }
}

fn too_slow() -> StoreFault {
    StoreFault::new("it does not answer in time")
}

fn unavailable(reason: &str) -> Unavailable {
    Unavailable::new("the shared store", in_one_line(reason), 1)
}

/// Says nothing of what it is told.
impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Feed")
    }
}
