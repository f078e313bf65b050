//! Redis as the store of several instances.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use redis::{Client, Cmd, Pipeline, TlsCertificates};

use super::cutoff_text::{read, text_of};
use super::redis_connection::{Question, RedisConnection};
use super::redis_scripts::{COUNT_FAILURES, PUT};
use super::{
    CountedFailures, Followed, Loaded, SharedCutoff, SharedStore, StoreFault, StoreFuture,
};

/// Cutoffs that are kept at once: as many as an instance has room for.
const MAX_CUTOFFS: usize = 100_000;
/// Changes that are kept, for those who follow. Whoever is further behind loads everything.
const MAX_CHANGES: usize = 10_000;
/// Cutoffs that one script keeps, so that nobody else waits for long.
const AT_ONCE: usize = 500;
/// The largest number that Redis compares exactly.
const LARGEST_SCORE: u64 = 1 << 53;

/// How Redis is reached, and what is kept there.
pub(crate) struct RedisSettings {
    /// With its password.
    pub(crate) url: String,
    /// In place of the system's, for TLS.
    pub(crate) trusted_pem: Option<Vec<u8>>,
    /// How all our keys begin.
    pub(crate) prefix: String,
    /// How long connecting may take, and an answer.
    pub(crate) longest_answer: Duration,
    /// How long tokens live.
    pub(crate) keep: Duration,
}

/// Redis.
pub(crate) struct RedisStore {
    client: Client,
    keys: Keys,
    longest_answer: Duration,
    keep: Duration,
    /// For what must not wait behind those who follow.
    commands: RedisConnection,
    following: RedisConnection,
    /// The number of the last change that is known here.
    last_known: AtomicU64,
}

/// The names of our keys. The number says how what is in them is written.
struct Keys {
    cutoffs: String,
    issuers: String,
    changes: String,
    number: String,
    memory: String,
    once: String,
    failures: String,
}

impl Keys {
    fn with_prefix(prefix: &str) -> Self {
        // In braces, so that a cluster keeps them together.
        let beginning = format!("{{{prefix}:1}}");
        Self {
            cutoffs: format!("{beginning}:cutoffs"),
            issuers: format!("{beginning}:issuers"),
            changes: format!("{beginning}:changes"),
            number: format!("{beginning}:number"),
            memory: format!("{beginning}:memory"),
            once: format!("{beginning}:once"),
            failures: format!("{beginning}:failures"),
        }
    }
}

/// A page of a scan: where the next one is, and members with their scores.
type Page = (u64, Vec<(String, f64)>);
/// The new entries of a stream.
type Entries = Option<Vec<(String, Vec<(String, Vec<(String, u64)>)>)>>;

impl RedisStore {
    /// Redis at this URL; `None` where it cannot be one. Does not connect.
    pub(crate) fn new(settings: RedisSettings) -> Option<Self> {
        let RedisSettings { url, trusted_pem, prefix, longest_answer, keep } = settings;
        let client = match trusted_pem.filter(|_| url.starts_with("rediss:")) {
            Some(pem) => {
                let certificates = TlsCertificates { client_tls: None, root_cert: Some(pem) };
                Client::build_with_tls(url, certificates).ok()?
            }
            None => Client::open(url).ok()?,
        };
        Some(Self {
            client,
            keys: Keys::with_prefix(&prefix),
            longest_answer,
            keep,
            commands: RedisConnection::default(),
            following: RedisConnection::default(),
            last_known: AtomicU64::new(0),
        })
    }

    async fn put_some(&self, cutoffs: &[SharedCutoff]) -> Result<(), StoreFault> {
        let keys = &self.keys;
        let mut command = redis::cmd("EVAL");
        command.arg(PUT).arg(5);
        command.arg(&keys.cutoffs).arg(&keys.issuers).arg(&keys.changes);
        command.arg(&keys.number).arg(&keys.memory);
        command.arg(self.keep.as_secs()).arg(MAX_CUTOFFS).arg(MAX_CHANGES).arg(random_name()?);
        for cutoff in cutoffs {
            let Some(line) = text_of(cutoff) else { continue };
            command.arg(line).arg(cutoff.issued_until.min(LARGEST_SCORE));
        }
        self.command::<u64>(command).await.map(drop)
    }

    /// Everything that is kept.
    async fn load_all(&self) -> Result<Loaded, StoreFault> {
        let keys = &self.keys;
        let longest = self.longest_answer;
        // Before the rest: what changes meanwhile is followed afterwards.
        let (named, number) = self.memory_and_number(false).await?;
        let has_lost_changes = number < self.last_known.load(Ordering::Relaxed);
        // A replica that took over may lack the last changes, and a Redis that broke down too. Another name has all instances
        // tell it again what they know.
        let memory = if has_lost_changes { self.memory_and_number(true).await?.0 } else { named };
        self.last_known.store(number, Ordering::Relaxed);
        let mut cutoffs = Vec::new();
        for set in [&keys.cutoffs, &keys.issuers] {
            let mut next = 0;
            loop {
                let mut command = redis::cmd("ZSCAN");
                command.arg(set).arg(next).arg("COUNT").arg(1000);
                let (cursor, page): Page =
                    self.following.ask(&self.client, Question::Command(command), longest).await?;
                for (line, score) in page {
                    cutoffs.push(read(&line, seconds(score)?)?);
                }
                next = cursor;
                if next == 0 {
                    break;
                }
            }
        }
        Ok(Loaded::new(cutoffs, format!("{number} {memory}"), memory))
    }

    /// The name of its memory, which gets another one, or one at all; and the number of its last change.
    async fn memory_and_number(&self, rename: bool) -> Result<(String, u64), StoreFault> {
        let keys = &self.keys;
        let mut question = Pipeline::new();
        question.cmd("SET").arg(&keys.memory).arg(random_name()?);
        if !rename {
            question.arg("NX");
        }
        question.ignore().cmd("GET").arg(&keys.memory).cmd("GET").arg(&keys.number);
        let asked = Question::Pipeline(question);
        let (memory, number): (String, Option<u64>) =
            self.following.ask(&self.client, asked, self.longest_answer).await?;
        // No number yet: nothing was ever kept.
        Ok((memory, number.unwrap_or(0)))
    }

    async fn follow_from(&self, position: &str, wait: Duration) -> Result<Followed, StoreFault> {
        let read_position = position.split_once(' ');
        let known = read_position.and_then(|(last, memory)| Some((last.parse().ok()?, memory)));
        let Some((mut last, memory)): Option<(u64, &str)> = known else {
            return Ok(Followed::Lost);
        };
        let mut command = redis::cmd("XREAD");
        command.arg("COUNT").arg(1000).arg("BLOCK").arg(wait.as_millis().max(1));
        command.arg("STREAMS").arg(&self.keys.changes).arg(format!("{last}-0"));
        let longest = wait + self.longest_answer;
        let answer: Entries =
            self.following.ask(&self.client, Question::Command(command), longest).await?;
        let Some(streams) = answer else {
            // Nothing, or nothing any more: a Redis that has forgotten begins to count anew.
            let mut question = redis::cmd("GET");
            question.arg(&self.keys.memory);
            let asked = Question::Command(question);
            let now: Option<String> =
                self.following.ask(&self.client, asked, self.longest_answer).await?;
            if now.as_deref() != Some(memory) {
                return Ok(Followed::Lost);
            }
            return Ok(Followed::New { cutoffs: Vec::new(), position: position.to_owned() });
        };
        let mut cutoffs = Vec::new();
        for (id, entries) in streams.into_iter().flat_map(|(_, entries)| entries) {
            // Each change has the next number: where one is missing, it was thrown away before it was read.
            if id != format!("{}-0", last + 1) {
                return Ok(Followed::Lost);
            }
            last += 1;
            for (line, issued_until) in entries {
                cutoffs.push(read(&line, issued_until)?);
            }
        }
        self.last_known.store(last, Ordering::Relaxed);
        Ok(Followed::New { cutoffs, position: format!("{last} {memory}") })
    }

    async fn command<T: redis::FromRedisValue>(&self, command: Cmd) -> Result<T, StoreFault> {
        self.commands.ask(&self.client, Question::Command(command), self.longest_answer).await
    }
}

impl SharedStore for RedisStore {
    fn put<'s>(&'s self, cutoffs: &'s [SharedCutoff]) -> StoreFuture<'s, ()> {
        async {
            for some in cutoffs.chunks(AT_ONCE) {
                self.put_some(some).await?;
            }
            Ok(())
        }
        .boxed()
    }

    fn load(&self) -> StoreFuture<'_, Loaded> {
        self.load_all().boxed()
    }

    fn follow<'s>(&'s self, position: &'s str, wait: Duration) -> StoreFuture<'s, Followed> {
        self.follow_from(position, wait).boxed()
    }

    fn first_time<'s>(&'s self, key: &'s str, keep: Duration) -> StoreFuture<'s, bool> {
        async move {
            let mut command = redis::cmd("SET");
            command.arg(format!("{}:{key}", self.keys.once)).arg(1).arg("NX");
            // A whole second more, because less than one would be none.
            command.arg("EX").arg(keep.as_secs().saturating_add(1));
            let answer: Option<String> = self.command(command).await?;
            Ok(answer.is_some())
        }
        .boxed()
    }

    fn count_failures<'s>(
        &'s self,
        counted: &'s [CountedFailures],
    ) -> StoreFuture<'s, Vec<Duration>> {
        async move {
            let mut command = redis::cmd("EVAL");
            command.arg(COUNT_FAILURES).arg(counted.len());
            for one in counted {
                command.arg(format!("{}:{}", self.keys.failures, one.key));
            }
            for one in counted {
                command.arg(one.count).arg(microseconds(one.each)).arg(microseconds(one.most));
            }
            let answers: Vec<u64> = self.command(command).await?;
            Ok(answers.into_iter().map(Duration::from_micros).collect())
        }
        .boxed()
    }
}

/// In a script, which has no fractions of it.
fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).map_or(LARGEST_SCORE, |all| all.clamp(1, LARGEST_SCORE))
}

/// Says nothing of where it is, which holds a password.
impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisStore(…)")
    }
}

/// A score as the time that was made one.
fn seconds(score: f64) -> Result<u64, StoreFault> {
    let text = format!("{score:.0}");
    text.parse().map_err(|_| StoreFault::new("it holds a time that cannot be read"))
}

/// A name for the memory of a Redis that has none: another one each time, so that one that has forgotten is noticed.
fn random_name() -> Result<String, StoreFault> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| StoreFault::new("no randomness"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
