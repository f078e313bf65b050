//! The seam: what a store has to do.

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;

/// Remembers for all instances of a server, for [`McpAuthBuilder::shared_store`](crate::McpAuthBuilder::shared_store).
///
/// Its futures run in a tokio runtime with time and IO. Each must end in a bounded time, also while the store hangs; one
/// that takes longer than the `timeout` of the configuration counts as a fault. After a fault the same is asked again
/// later: connecting again is the store's business, waiting in between is not.
pub trait SharedStore: Send + Sync {
    /// Keeps these cutoffs, for as long as tokens live that they are about. Of two about the same tokens the later one counts.
    ///
    /// When this has succeeded, everybody who loads or follows gets them.
    fn put<'s>(&'s self, cutoffs: &'s [SharedCutoff]) -> StoreFuture<'s, ()>;

    /// Everything that is kept, and from where to follow.
    fn load(&self) -> StoreFuture<'_, Loaded>;

    /// What came after this position. Where there is nothing, it waits for something, this long at most: that it answers
    /// says that it is there.
    fn follow<'s>(&'s self, position: &'s str, wait: Duration) -> StoreFuture<'s, Followed>;

    /// Whether nobody has asked about this key before. It is remembered for this long at least.
    fn first_time<'s>(&'s self, key: &'s str, keep: Duration) -> StoreFuture<'s, bool>;

    /// Counts refusals, for [`Limits`](crate::settings::Limits). For each of them in turn: after how long its sender has
    /// nothing left that counts, whichever instances have counted it.
    ///
    /// By default a fault: then each instance counts for itself.
    fn count_failures<'s>(&'s self, _: &'s [CountedFailures]) -> StoreFuture<'s, Vec<Duration>> {
        Box::pin(async { Err(StoreFault::new("it counts no refusals")) })
    }
}

/// What a store promises.
pub type StoreFuture<'s, T> = BoxFuture<'s, Result<T, StoreFault>>;

/// Tokens that are refused, as a store keeps them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SharedCutoff {
    /// The issuer of the tokens (`iss`).
    pub issuer: String,
    /// By what they are known.
    pub kind: CutoffKind,
    /// The value of it; empty for [`CutoffKind::Everything`].
    pub name: String,
    /// Until when they were issued, in seconds since 1970. For [`CutoffKind::Token`], when it was revoked.
    pub issued_until: u64,
}

impl SharedCutoff {
    /// A cutoff.
    pub fn new(
        issuer: impl Into<String>,
        kind: CutoffKind,
        name: impl Into<String>,
        issued_until: u64,
    ) -> Self {
        Self { issuer: issuer.into(), kind, name: name.into(), issued_until }
    }
}

/// By what the tokens of a [`SharedCutoff`] are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CutoffKind {
    /// All of the issuer: what becomes of the oldest, where there is no room for more.
    Everything,
    /// `sub`.
    Subject,
    /// `sub`, of tokens without `sid`.
    SubjectWithoutSession,
    /// The client.
    Client,
    /// `sid`.
    Session,
    /// `jti`.
    Token,
}

/// Refusals of one sender, which an instance tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CountedFailures {
    /// A hash of who it is, the same on all instances.
    pub key: String,
    /// How many there were.
    pub count: u32,
    /// How long each of them counts, one after the other.
    pub each: Duration,
    /// How long all of them count together, at most.
    pub most: Duration,
}

impl CountedFailures {
    /// Refusals of a sender.
    pub fn new(key: impl Into<String>, count: u32, each: Duration, most: Duration) -> Self {
        Self { key: key.into(), count, each, most }
    }
}

/// Everything that a store keeps.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// In any order.
    pub cutoffs: Vec<SharedCutoff>,
    /// From where to follow.
    pub position: String,
    /// The same as long as the store forgets nothing. After another one, instances tell it again what they know.
    pub memory: String,
}

impl Loaded {
    /// What a store keeps, from where to follow, and the name of its memory.
    pub fn new(
        cutoffs: Vec<SharedCutoff>,
        position: impl Into<String>,
        memory: impl Into<String>,
    ) -> Self {
        Self { cutoffs, position: position.into(), memory: memory.into() }
    }
}

/// What came after a position.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Followed {
    /// These, or none.
    New {
        /// In the order in which they came.
        cutoffs: Vec<SharedCutoff>,
        /// From where to follow.
        position: String,
    },
    /// That is not known any more: everything is to be loaded anew.
    Lost,
}

/// Why a store could not do something. For operators: it must not hold a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreFault {
    reason: String,
}

impl StoreFault {
    /// A fault, with its reason for the log.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

impl fmt::Display for StoreFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for StoreFault {}
