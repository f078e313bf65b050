//! With a file of SQLite.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::cases;
use crate::server::Server;

/// A file in a folder of its own, which goes when this is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("mcp-auth-notes-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    async fn server(&self) -> Server {
        let file = self.0.join("notes.db").to_str().unwrap().to_owned();
        Server::start(vec![("NOTES_FILE", file)]).await
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A test for each case, in a file of its own.
macro_rules! tests {
    ($($case:ident),* $(,)?) => { $(
        #[tokio::test]
        async fn $case() {
            let folder = Folder::new();
            cases::$case(&folder.server().await).await;
        }
    )* };
}

tests!(
    two_users_of_one_issuer_have_their_own_notes,
    the_same_subject_of_another_issuer_is_somebody_else,
    subjects_that_look_alike_are_different_people,
    a_subject_does_not_end_at_a_nul,
    a_note_of_another_is_deleted_like_one_that_is_not_there,
    an_owner_is_never_an_argument,
    sql_in_an_argument_is_a_text,
    a_token_that_names_nobody_has_no_notes,
    a_machine_is_its_client_and_no_subject_is_taken_for_it,
    a_scope_for_reading_does_not_write,
    an_error_leaves_nothing_to_the_next_caller,
    a_client_that_goes_away_leaves_nothing_to_the_next,
);

#[tokio::test]
async fn a_thousand_calls_of_many_users_meet_only_their_own_notes() {
    let folder = Folder::new();
    let server = Arc::new(folder.server().await);
    cases::a_thousand_calls_of_many_users_meet_only_their_own_notes(&server).await;
}

#[tokio::test]
async fn a_server_that_was_killed_comes_back_to_the_same_notes() {
    let folder = Folder::new();
    let server = folder.server().await;
    cases::a_server_that_was_killed_comes_back_to_the_same_notes(server).await;
}
