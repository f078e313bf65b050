//! One grant of a user at another provider, and how it is sealed.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::{GrantVault, VaultFault, VaultFuture};
use crate::handles::{KeyRing, SealedFor};
use crate::jose::sha256;
use crate::json::{JsonLimits, read_object_within};
use crate::scope::Scopes;

const LIMITS: JsonLimits = JsonLimits { depth: 4, members: 16 };
/// A vault that takes longer is away.
const LONGEST_ANSWER: Duration = Duration::from_secs(10);
const PURPOSE: &str = "mcp-auth grant 1";

/// Whose grant it is, and where it was given. The tokens are used for nobody else, and go nowhere else: a configuration with
/// another token endpoint or another client does not open it.
#[derive(Clone, Copy, Debug)]
pub(super) struct GrantOf<'g> {
    pub(super) issuer: &'g str,
    pub(super) subject: &'g str,
    pub(super) downstream: &'g str,
    pub(super) token_endpoint: &'g str,
    pub(super) client_id: &'g str,
}

/// What a provider gave for a user.
pub(super) struct UserGrant {
    pub(super) access_token: Zeroizing<String>,
    pub(super) refresh_token: Option<Zeroizing<String>>,
    pub(super) scopes: Scopes,
    /// What the user was asked for, which may be more than what was granted.
    pub(super) asked: Scopes,
    /// When the access token ends, in seconds since 1970; `None`: the provider does not say.
    pub(super) expires_at: Option<u64>,
    /// Until then an instance is renewing it, and no other one may: a refresh token may count once alone.
    pub(super) renewed_until: Option<u64>,
    /// Whether its user has ended it, and the provider may not know yet. It is used no more.
    pub(super) is_ended: bool,
}

/// What is kept, as it was found.
pub(super) struct KeptGrant {
    /// As it is in the vault.
    sealed: String,
    /// `None`: it was not sealed with our keys for this user and this provider, or was changed; or we have just written it.
    pub(super) grant: Option<UserGrant>,
}

/// The vault, and what seals the grants in it.
#[derive(Clone)]
pub(crate) struct GrantStore {
    pub(crate) vault: Arc<dyn GrantVault>,
    pub(crate) keys: Arc<KeyRing>,
}

impl GrantOf<'_> {
    /// The name in the vault, which shows nobody who it is.
    pub(super) fn name(&self) -> String {
        let texts = [self.downstream, self.issuer, self.subject];
        let mut bytes = Vec::new();
        for text in texts {
            bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        let mut name = String::with_capacity(64);
        for byte in sha256(&bytes) {
            // Writing to a text does not fail.
            let _ = write!(name, "{byte:02x}");
        }
        name
    }

    fn texts(&self) -> [&str; 5] {
        [self.downstream, self.issuer, self.subject, self.token_endpoint, self.client_id]
    }
}

impl GrantStore {
    /// What is kept for this user.
    pub(super) async fn load(&self, of: GrantOf<'_>) -> Result<Option<KeptGrant>, VaultFault> {
        let Some(sealed) = in_time(self.vault.load(&of.name())).await? else { return Ok(None) };
        let texts = of.texts();
        let what_for = SealedFor { purpose: PURPOSE, texts: &texts };
        let opened = self.keys.open_bytes(what_for, &sealed);
        let grant = opened.and_then(|bytes| UserGrant::read(&bytes));
        Ok(Some(KeptGrant { sealed, grant }))
    }

    /// Keeps a grant in the place of what was found, and gives back how it is kept; `None`: something else is there now.
    pub(super) async fn replace(
        &self,
        of: GrantOf<'_>,
        found: Option<&KeptGrant>,
        new: &UserGrant,
    ) -> Result<Option<KeptGrant>, VaultFault> {
        let texts = of.texts();
        let what_for = SealedFor { purpose: PURPOSE, texts: &texts };
        let text = self.keys.seal_bytes(what_for, &new.write());
        let sealed = text.ok_or_else(|| VaultFault::new("a grant cannot be sealed"))?;
        let expected = found.map(|kept| kept.sealed.as_str());
        let is_kept = in_time(self.vault.replace(&of.name(), expected, Some(&sealed))).await?;
        Ok(is_kept.then_some(KeptGrant { sealed, grant: None }))
    }

    /// Removes what was found; `false`: something else is there now.
    pub(super) async fn remove(
        &self,
        of: GrantOf<'_>,
        found: &KeptGrant,
    ) -> Result<bool, VaultFault> {
        in_time(self.vault.replace(&of.name(), Some(&found.sealed), None)).await
    }
}

/// What a vault answers, which is waited for no longer.
async fn in_time<T>(answer: VaultFuture<'_, T>) -> Result<T, VaultFault> {
    match tokio::time::timeout(LONGEST_ANSWER, answer).await {
        Ok(said) => said,
        Err(_) => Err(VaultFault::new("the vault does not answer")),
    }
}

impl UserGrant {
    fn write(&self) -> Zeroizing<Vec<u8>> {
        let refresh_token = self.refresh_token.as_ref().map(|token| token.as_str());
        let value = json!({
            "access_token": &**self.access_token, "refresh_token": refresh_token,
            "scopes": self.scopes.to_string(), "asked": self.asked.to_string(), "expires_at": self.expires_at,
            "renewed_until": self.renewed_until, "is_ended": self.is_ended,
        });
        Zeroizing::new(value.to_string().into_bytes())
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let members = read_object_within(bytes, LIMITS).ok()?;
        Some(Self {
            access_token: Zeroizing::new(text_of(&members, "access_token")?.to_owned()),
            refresh_token: text_of(&members, "refresh_token")
                .map(|token| Zeroizing::new(token.to_owned())),
            scopes: Scopes::parse(text_of(&members, "scopes")?),
            asked: Scopes::parse(text_of(&members, "asked")?),
            expires_at: members.get("expires_at")?.as_u64(),
            renewed_until: members.get("renewed_until")?.as_u64(),
            is_ended: members.get("is_ended")?.as_bool()?,
        })
    }

    /// The same, which nobody is renewing.
    pub(super) fn at_rest(mut self) -> Self {
        self.renewed_until = None;
        self
    }
}

/// A member of something that was sealed here, where it is a text.
pub(super) fn text_of<'m>(members: &'m Map<String, Value>, name: &str) -> Option<&'m str> {
    members.get(name).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Mutex;

    use futures_util::FutureExt as _;

    use super::*;

    #[derive(Default)]
    struct InMemory(Mutex<HashMap<String, String>>);

    impl GrantVault for InMemory {
        fn load<'v>(&'v self, name: &'v str) -> VaultFuture<'v, Option<String>> {
            async move { Ok(self.0.lock().unwrap().get(name).cloned()) }.boxed()
        }

        fn replace<'v>(
            &'v self,
            name: &'v str,
            expected: Option<&'v str>,
            new: Option<&'v str>,
        ) -> VaultFuture<'v, bool> {
            async move {
                let mut all = self.0.lock().unwrap();
                if all.get(name).map(String::as_str) != expected {
                    return Ok(false);
                }
                all.remove(name);
                all.extend(new.map(|text| (name.to_owned(), text.to_owned())));
                Ok(true)
            }
            .boxed()
        }
    }

    const ALICE: GrantOf<'static> = GrantOf {
        issuer: "i",
        subject: "alice",
        downstream: "github",
        token_endpoint: "https://g.example/token",
        client_id: "us",
    };

    fn grant(token: &str) -> UserGrant {
        UserGrant {
            access_token: Zeroizing::new(token.to_owned()),
            refresh_token: Some(Zeroizing::new("r1".to_owned())),
            scopes: Scopes::parse("repo"),
            asked: Scopes::parse("repo"),
            expires_at: Some(7),
            renewed_until: None,
            is_ended: false,
        }
    }

    fn store(vault: &Arc<InMemory>, key: &str) -> GrantStore {
        GrantStore { vault: vault.clone(), keys: Arc::new(KeyRing::new([key.as_bytes()])) }
    }

    #[tokio::test]
    async fn a_grant_is_kept_unreadable_and_opens_for_its_user_and_provider_alone() {
        let vault = Arc::new(InMemory::default());
        let ours = store(&vault, "key");
        assert!(ours.load(ALICE).await.unwrap().is_none());
        assert!(ours.replace(ALICE, None, &grant("a-token")).await.unwrap().is_some());
        let kept = ours.load(ALICE).await.unwrap().unwrap();
        let found = kept.grant.as_ref().unwrap();
        assert_eq!(&**found.access_token, "a-token");
        assert_eq!(found.refresh_token.as_ref().unwrap().as_str(), "r1");
        assert_eq!((found.expires_at, found.renewed_until), (Some(7), None));
        let stored = vault.0.lock().unwrap().clone();
        let (name, sealed) = stored.iter().next().unwrap();
        assert!(!name.contains("alice") && !sealed.contains("a-token"));
        // What belongs to one user, put in the place of another's; and a provider that is configured anew.
        let bob = GrantOf { subject: "bob", ..ALICE };
        vault.0.lock().unwrap().insert(bob.name(), sealed.clone());
        assert!(ours.load(bob).await.unwrap().unwrap().grant.is_none());
        for other in [
            GrantOf { token_endpoint: "https://evil.example/token", ..ALICE },
            GrantOf { client_id: "other", ..ALICE },
        ] {
            assert!(ours.load(other).await.unwrap().unwrap().grant.is_none());
        }
        assert!(store(&vault, "other key").load(ALICE).await.unwrap().unwrap().grant.is_none());
    }

    #[tokio::test]
    async fn of_two_who_replace_what_they_found_one_wins() {
        let ours = store(&Arc::default(), "key");
        ours.replace(ALICE, None, &grant("1")).await.unwrap();
        let (one, two) = (ours.load(ALICE).await.unwrap(), ours.load(ALICE).await.unwrap());
        let (one, two) = (one.unwrap(), two.unwrap());
        let kept = ours.replace(ALICE, Some(&one), &grant("2")).await.unwrap().unwrap();
        assert!(ours.replace(ALICE, Some(&two), &grant("3")).await.unwrap().is_none());
        assert!(!ours.remove(ALICE, &two).await.unwrap());
        // What was given back is what is there: nobody has to look for it, and find somebody else's.
        let other = ours.replace(ALICE, Some(&kept), &grant("4")).await.unwrap().unwrap();
        assert!(ours.replace(ALICE, Some(&kept), &grant("5")).await.unwrap().is_none());
        assert!(ours.remove(ALICE, &other).await.unwrap());
        assert!(ours.load(ALICE).await.unwrap().is_none());
    }
}
