//! The embedded vault: a folder with a folder for each grant, in which each version is a file.
//!
//! The version with the highest number counts; an empty one says that nothing is kept. A version is written whole under
//! another name, and gets its own by a hard link, which only one of several writers can make: so processes that share the
//! folder need no lock that a crash would leave behind.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use futures_util::FutureExt as _;

use super::{GrantVault, VaultFault, VaultFuture};
use crate::jose::random_id;
use crate::spawner::WaitingThreads;

/// A longer file is none of ours.
const MAX_BYTES: u64 = 1024 * 1024;

/// So many may wait for the folder.
const MAX_THREADS: usize = 16;

/// A folder with grants.
pub(crate) struct FileVault {
    folder: Folder,
    threads: WaitingThreads,
}

/// What a thread works with that may wait for files.
#[derive(Clone)]
struct Folder(PathBuf);

/// What is kept now.
#[derive(Debug, Default, PartialEq, Eq)]
struct Version {
    number: u64,
    /// Nothing, where it was removed.
    text: Option<String>,
}

impl FileVault {
    /// The vault in this folder, which is made where it is not there.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(crate) fn open(folder: &Path) -> Result<Self, VaultFault> {
        make_folder(folder)?;
        // Whether it can be written is better found out now than by the first user.
        let probe = folder.join(format!("probe-{}", random_name()?));
        write_new(&probe, "")?;
        remove(&probe)?;
        let threads = WaitingThreads::new(MAX_THREADS);
        Ok(Self { folder: Folder(folder.to_owned()), threads })
    }

    /// Works with the folder on a thread that may wait.
    async fn with_folder<T: Send + 'static>(
        &self,
        work: impl FnOnce(Folder) -> Result<T, VaultFault> + Send + 'static,
    ) -> Result<T, VaultFault> {
        let folder = self.folder.clone();
        let done = self.threads.run(move || work(folder)).await;
        done.ok_or_else(|| fault("the work with its files broke off"))?
    }
}

impl Folder {
    fn replace_now(
        &self,
        name: &str,
        expected: Option<&str>,
        new: Option<&str>,
    ) -> Result<bool, VaultFault> {
        let folder = self.folder_of(name)?;
        let current = current_version(&folder)?;
        if current.text.as_deref() != expected {
            return Ok(false);
        }
        if current.number == 0 {
            make_folder(&folder)?;
            sync_folder(&self.0)?;
        }
        let number = current.number.checked_add(1).ok_or_else(|| fault("too many versions"))?;
        let written = folder.join(format!("new-{}", random_name()?));
        write_new(&written, new.unwrap_or(""))?;
        let place = folder.join(number.to_string());
        let linked = fs::hard_link(&written, &place);
        remove(&written)?;
        match linked {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
            Err(error) => return Err(fault_of("link", &error)),
            Ok(()) => {}
        }
        sync_folder(&folder)?;
        // Whoever was two versions ahead has removed the file that would have been in our way.
        if highest_number(&folder)? != Some(number) {
            remove(&place)?;
            return Ok(false);
        }
        if current.number > 0 {
            remove(&folder.join(current.number.to_string()))?;
        }
        Ok(true)
    }

    /// Where the versions of this name are. It is part of a path: only what cannot lead elsewhere.
    fn folder_of(&self, name: &str) -> Result<PathBuf, VaultFault> {
        let is_plain = name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !is_plain || name.is_empty() || name.len() > 64 {
            return Err(fault("a name that is none"));
        }
        Ok(self.0.join(name))
    }
}

impl GrantVault for FileVault {
    fn load<'v>(&'v self, name: &'v str) -> VaultFuture<'v, Option<String>> {
        let own_name = name.to_owned();
        let found = self.with_folder(move |folder| current_version(&folder.folder_of(&own_name)?));
        async move { Ok(found.await?.text) }.boxed()
    }

    fn replace<'v>(
        &'v self,
        name: &'v str,
        expected: Option<&'v str>,
        new: Option<&'v str>,
    ) -> VaultFuture<'v, bool> {
        let own_name = name.to_owned();
        let [before, after] = [expected, new].map(|text| text.map(str::to_owned));
        self.with_folder(move |folder| {
            folder.replace_now(&own_name, before.as_deref(), after.as_deref())
        })
        .boxed()
    }
}

/// What is kept in the folder of one grant. It is looked for again where another process has replaced it meanwhile.
fn current_version(folder: &Path) -> Result<Version, VaultFault> {
    const LOOKS: usize = 16;
    for _ in 0..LOOKS {
        let Some(number) = highest_number(folder)? else { return Ok(Version::default()) };
        if let Some(text) = read_version(&folder.join(number.to_string()))? {
            return Ok(Version { number, text: (!text.is_empty()).then_some(text) });
        }
    }
    Err(fault("a grant is replaced too often"))
}

fn highest_number(folder: &Path) -> Result<Option<u64>, VaultFault> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fault_of("read", &error)),
    };
    let mut highest = None;
    for entry in entries {
        let name = entry.map_err(|error| fault_of("read", &error))?.file_name();
        // Others are files that are being written.
        let number = name.to_str().and_then(|text| text.parse::<u64>().ok());
        highest = highest.max(number);
    }
    Ok(highest)
}

/// The text of a version; `None`: it is gone.
fn read_version(file: &Path) -> Result<Option<String>, VaultFault> {
    let opened = match File::open(file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fault_of("read", &error)),
    };
    let mut text = String::new();
    let read = opened.take(MAX_BYTES + 1).read_to_string(&mut text);
    let length = read.map_err(|error| fault_of("read", &error))?;
    if length as u64 > MAX_BYTES {
        return Err(fault("a file that is too long"));
    }
    Ok(Some(text))
}

/// A new file for us alone, which outlives a crash.
fn write_new(file: &Path, text: &str) -> Result<(), VaultFault> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(file).and_then(|mut opened| {
        opened.write_all(text.as_bytes())?;
        opened.sync_all()
    });
    written.map_err(|error| fault_of("write", &error))
}

/// A folder for us alone.
fn make_folder(folder: &Path) -> Result<(), VaultFault> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| fault_of("make a folder", &error))
}

/// Has the names in a folder outlive a crash; where the system opens no folders, it does that itself.
fn sync_folder(folder: &Path) -> Result<(), VaultFault> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    let synced = File::open(folder).and_then(|opened| opened.sync_all());
    synced.map_err(|error| fault_of("write", &error))
}

fn remove(file: &Path) -> Result<(), VaultFault> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(fault_of("remove", &error)),
        _ => Ok(()),
    }
}

fn random_name() -> Result<String, VaultFault> {
    random_id().ok_or_else(|| fault("no randomness"))
}

fn fault(reason: &str) -> VaultFault {
    VaultFault::new(format!("the folder with the grants: {reason}"))
}

fn fault_of(what: &str, error: &std::io::Error) -> VaultFault {
    fault(&format!("cannot {what}: {error}"))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn empty_folder() -> PathBuf {
        std::env::temp_dir().join(format!("mcp-auth-vault-{}", random_id().unwrap()))
    }

    fn load(vault: &FileVault, name: &str) -> Option<String> {
        current_version(&vault.folder.folder_of(name).unwrap()).unwrap().text
    }

    #[test]
    fn what_is_kept_is_there_for_the_next_process_until_it_is_removed() {
        let folder = empty_folder();
        let vault = FileVault::open(&folder).unwrap();
        assert_eq!(load(&vault, "a1"), None);
        assert_eq!(vault.folder.replace_now("a1", None, Some("one")), Ok(true));
        assert_eq!(
            vault.folder.replace_now("a1", None, Some("two")),
            Ok(false),
            "not what is there"
        );
        assert_eq!(vault.folder.replace_now("a1", Some("one"), Some("two")), Ok(true));
        let next = FileVault::open(&folder).unwrap();
        assert_eq!(load(&next, "a1").as_deref(), Some("two"));
        assert_eq!(next.folder.replace_now("a1", Some("one"), None), Ok(false));
        assert_eq!(next.folder.replace_now("a1", Some("two"), None), Ok(true));
        assert_eq!(load(&vault, "a1"), None);
        assert_eq!(vault.folder.replace_now("a1", None, Some("three")), Ok(true));
        assert_eq!(load(&next, "a1").as_deref(), Some("three"));
        assert_eq!(fs::read_dir(folder.join("a1")).unwrap().count(), 1, "nothing else stays");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn of_several_writers_one_wins_each_time() {
        let folder = empty_folder();
        let wins = AtomicUsize::new(0);
        let count = |vault: &FileVault| load(vault, "a").map_or(0, |text| text.parse().unwrap());
        FileVault::open(&folder).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let vault = FileVault::open(&folder).unwrap();
                    for _ in 0..25 {
                        let seen: usize = count(&vault);
                        let expected = (seen > 0).then(|| seen.to_string());
                        let next = (seen + 1).to_string();
                        let won = vault.folder.replace_now("a", expected.as_deref(), Some(&next));
                        wins.fetch_add(usize::from(won.unwrap()), Ordering::Relaxed);
                    }
                });
            }
        });
        let vault = FileVault::open(&folder).unwrap();
        let reached: usize = count(&vault);
        // A writer that was overtaken at once counts as one that lost.
        assert!(reached >= wins.load(Ordering::Relaxed) && reached > 0);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn no_name_leads_out_of_the_folder() {
        let folder = empty_folder();
        let vault = FileVault::open(&folder).unwrap();
        for name in ["", "..", "../a", "a/b", "A", "a b", "\0", &"a".repeat(65)] {
            assert!(vault.folder.replace_now(name, None, Some("x")).is_err(), "{name}");
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_on_the_machine_reads_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = empty_folder();
        let vault = FileVault::open(&folder).unwrap();
        vault.folder.replace_now("a1", None, Some("one")).unwrap();
        let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(folder.join("a1").join("1")), 0o600);
        assert_eq!((mode(folder.join("a1")), mode(folder.clone())), (0o700, 0o700));
        fs::remove_dir_all(folder).unwrap();
    }
}
