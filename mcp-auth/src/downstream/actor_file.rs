//! The token of who acts for a caller, in a file that somebody else renews.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::spawner::WaitingThreads;

/// As long as tokens of answers may be.
const MAX_BYTES: usize = 64 * 1024;
const LONGEST_READ: Duration = Duration::from_secs(5);
/// For the files of all APIs.
static THREADS: LazyLock<WaitingThreads> = LazyLock::new(|| WaitingThreads::new(4));

/// The token in this file.
///
/// # Errors
/// What is wrong with it, for operators.
pub(super) async fn read_actor_token(file: PathBuf) -> Result<Zeroizing<String>, String> {
    let reading = THREADS.run(move || read_now(&file));
    match tokio::time::timeout(LONGEST_READ, reading).await {
        Ok(Some(read)) => read,
        Ok(None) => Err("the actor's token: reading broke off".to_owned()),
        Err(_) => Err("the actor's token: the file cannot be read in time".to_owned()),
    }
}

fn read_now(file: &Path) -> Result<Zeroizing<String>, String> {
    let bytes = read_bytes(file).map_err(|error| format!("the actor's token: {error}"))?;
    if bytes.len() > MAX_BYTES {
        return Err(format!("the actor's token: the file has more than {MAX_BYTES} bytes"));
    }
    match std::str::from_utf8(bytes.trim_ascii()) {
        Ok(token) if !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Ok(Zeroizing::new(token.to_owned()))
        }
        _ => Err("the actor's token: the file must hold one token and nothing else".to_owned()),
    }
}

/// What is there, and one byte more than may be.
fn read_bytes(file: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    // A pipe could be waited for without end.
    if !fs::metadata(file)?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    // With room for all of it: what grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BYTES + 64));
    File::open(file)?.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_holds_one_token_and_nothing_else() {
        let file = std::env::temp_dir().join(format!("mcp-auth-actor-file-{}", std::process::id()));
        let longest = "x".repeat(MAX_BYTES);
        let rows = [
            ("a.b.c", Some("a.b.c")),
            (" \na.b.c\r\n", Some("a.b.c")),
            (longest.as_str(), Some(longest.as_str())),
            ("", None),
            (" \n", None),
            ("a.b.c d.e.f", None),
            ("a.b.c\nd.e.f\n", None),
            ("a\0b", None),
            ("ä", None),
        ];
        for (written, expected) in rows {
            fs::write(&file, written).unwrap();
            let read = read_actor_token(file.clone()).await;
            assert_eq!(read.ok().as_ref().map(|token| token.as_str()), expected, "{written:.20}");
        }
        fs::write(&file, format!("{longest}x")).unwrap();
        let reason = read_actor_token(file.clone()).await.unwrap_err();
        assert!(reason.contains("more than 65536 bytes"), "{reason}");
        fs::write(&file, [0xff]).unwrap();
        assert!(read_actor_token(file.clone()).await.is_err());
        fs::remove_file(&file).unwrap();
        assert!(read_actor_token(file).await.is_err());
        assert!(read_actor_token(std::env::temp_dir()).await.is_err(), "a folder");
    }
}
