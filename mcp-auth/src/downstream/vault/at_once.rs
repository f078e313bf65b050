//! How many browsers are answered at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::jose::Digest;

/// Of one API.
const MAX_AT_ONCE: usize = 64;
/// Of one user.
const MAX_OF_USER: usize = 2;

/// The users for whom browsers are being answered.
#[derive(Clone, Default)]
pub(super) struct AtOnce(Arc<Mutex<Vec<Digest>>>);

/// One of them, as long as it is held.
pub(super) struct Place {
    all: AtOnce,
    user: Digest,
}

impl AtOnce {
    /// A place for this user; `None`: they have enough, or there is none left.
    pub(super) fn place_for(&self, user: Digest) -> Option<Place> {
        let mut users = self.lock();
        let of_user = users.iter().filter(|one| **one == user).count();
        if users.len() >= MAX_AT_ONCE || of_user >= MAX_OF_USER {
            return None;
        }
        users.push(user);
        Some(Place { all: self.clone(), user })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Digest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut users = self.all.lock();
        if let Some(index) = users.iter().position(|one| *one == self.user) {
            users.swap_remove(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(number: u8) -> Digest {
        [number; 32]
    }

    #[test]
    fn a_user_has_two_places_and_all_have_sixty_four() {
        let all = AtOnce::default();
        let first = all.place_for(user(1));
        let mut held = vec![first, all.place_for(user(1))];
        assert!(held.iter().all(Option::is_some));
        assert!(all.place_for(user(1)).is_none(), "a third one");
        for number in 2..=63 {
            held.push(all.place_for(user(number)));
        }
        assert!(held.iter().all(Option::is_some));
        assert!(all.place_for(user(64)).is_none(), "there is no room");
        held.pop();
        assert!(all.place_for(user(64)).is_some());
        held.clear();
        assert!(all.lock().is_empty());
    }
}
