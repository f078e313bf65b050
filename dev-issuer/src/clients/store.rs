//! The clients that are known, bounded: any web page may register some.

use std::collections::HashMap;
use std::sync::Arc;

use super::Client;

/// Clients beside those that are there from the start. Each takes at most what
/// [`MAX_METADATA_BYTES`](super::MAX_METADATA_BYTES) allows.
const MOST_CLIENTS: usize = 256;

/// Clients by identifier. When there are too many, the oldest that no user has approved goes, and
/// the oldest of all when every one is approved.
pub(super) struct Store {
    preregistered: Vec<Arc<Client>>,
    others: HashMap<String, Entry>,
    /// Grows with every client that comes.
    next: u64,
}

struct Entry {
    client: Arc<Client>,
    is_approved: bool,
    since: u64,
}

impl Store {
    pub(super) fn of(clients: impl IntoIterator<Item = Client>) -> Self {
        let preregistered = clients.into_iter().map(Arc::new).collect();
        Self { preregistered, others: HashMap::new(), next: 0 }
    }

    pub(super) fn find(&self, id: &str) -> Option<Arc<Client>> {
        match self.preregistered.iter().find(|client| client.id == id) {
            Some(client) => Some(client.clone()),
            None => self.others.get(id).map(|entry| entry.client.clone()),
        }
    }

    /// Adds a client, or what a known one says of itself now.
    pub(super) fn add(&mut self, new: Client) -> Arc<Client> {
        let client = Arc::new(new);
        let is_approved = self.others.get(&client.id).is_some_and(|known| known.is_approved);
        self.put(&client, is_approved);
        client
    }

    /// Marks a client as approved; one that had to go meanwhile is back.
    pub(super) fn keep_approved(&mut self, client: &Arc<Client>) {
        if !self.preregistered.iter().any(|known| known.id == client.id) {
            self.put(client, true);
        }
    }

    fn put(&mut self, client: &Arc<Client>, is_approved: bool) {
        let entry = Entry { client: client.clone(), is_approved, since: self.next };
        self.next += 1;
        self.others.insert(client.id.clone(), entry);
        if self.others.len() > MOST_CLIENTS {
            self.remove_oldest();
        }
    }

    /// Removes the oldest client that no user has approved, or the oldest of all.
    fn remove_oldest(&mut self) {
        let entries = self.others.iter();
        let oldest = entries.min_by_key(|(_, entry)| (entry.is_approved, entry.since));
        if let Some(id) = oldest.map(|(id, _)| id.clone()) {
            self.others.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::{ExchangePolicy, GrantType, RedirectUris};

    fn client(id: impl ToString) -> Client {
        Client {
            id: id.to_string(),
            name: None,
            secret: None,
            redirect_uris: RedirectUris::AnyLoopback,
            grant_types: vec![GrantType::AuthorizationCode],
            exchange: ExchangePolicy::default(),
        }
    }

    #[test]
    fn approved_clients_stay_and_the_others_are_bounded() {
        let mut store = Store::of([client("dev")]);
        let approved = store.add(client("approved"));
        store.keep_approved(&approved);
        store.add(client("old"));
        for id in 0..10 * MOST_CLIENTS {
            store.add(client(id));
        }
        assert_eq!(store.others.len(), MOST_CLIENTS);
        let is_known = |id: &str| store.find(id).is_some();
        assert!(is_known("dev") && is_known("approved") && is_known("2559"));
        assert!(!is_known("old") && !is_known("0"));
    }

    #[test]
    fn all_approved_are_bounded_too_and_one_that_went_can_come_back() {
        let mut store = Store::of([]);
        let first = store.add(client("first"));
        for id in 0..MOST_CLIENTS + 9 {
            let client = store.add(client(id));
            store.keep_approved(&client);
        }
        assert_eq!(store.others.len(), MOST_CLIENTS);
        assert!(store.find("first").is_none() && store.find("0").is_none());
        store.keep_approved(&first);
        assert!(store.find("first").is_some());
        assert_eq!(store.others.len(), MOST_CLIENTS);
    }
}
