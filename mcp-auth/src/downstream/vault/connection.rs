//! One API whose tokens users grant at its own provider: the grants that are kept, used and ended.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::at_once::AtOnce;
use super::connect_state::{ConnectState, STEP_SECONDS, Step};
use super::not_accepted::NotAccepted;
use super::user_grant::{GrantOf, GrantStore, KeptGrant, UserGrant};
use super::{UrlElicitation, VaultFault};
use crate::algorithm::Algorithm;
use crate::auth_info::{AuthInfo, Principal};
use crate::clock::Clock;
use crate::config::DownstreamConfig;
use crate::downstream::{DownstreamError, DownstreamToken};
use crate::error::Unavailable;
use crate::flights::Flights;
use crate::issuer::{EndpointFault, EndpointPlace, Issuer, TokenAnswer, TokenEndpoint, TokenForm};
use crate::jose::{TokenLimits, random_id, sha256};
use crate::limits::AnswerLimit;
use crate::revocation::{Cutoffs, SeenOnce};
use crate::scope::Scopes;
use crate::spawner::{Spawner, background};
use crate::text::in_one_line;

/// A token is not used in its last seconds, which it would spend on the way.
const LAST_SECONDS: u64 = 5;
/// For this long an instance may be renewing a grant, in seconds, unless a question may take longer.
const RENEWAL_SECONDS: u64 = 90;
/// How often a grant is looked for again that another one has replaced meanwhile.
const LOOKS: usize = 4;

/// What a connection is made of.
pub(crate) struct ConnectionParts {
    pub(crate) name: String,
    pub(crate) config: DownstreamConfig,
    /// The provider's, as its client.
    pub(crate) endpoint: Arc<TokenEndpoint>,
    pub(crate) authorization: EndpointPlace,
    /// The provider, where it is known by more than its endpoints.
    pub(crate) issuer: Option<Arc<Issuer>>,
    /// `None`: the provider takes nothing back.
    pub(crate) revocation: Option<EndpointPlace>,
    /// Where users sign in first.
    pub(crate) sign_in: Vec<Arc<SignIn>>,
    /// Where our pages are.
    pub(crate) url: String,
    pub(crate) store: GrantStore,
    pub(crate) seen: Arc<SeenOnce>,
    /// How often answers may come for one user.
    pub(crate) answers: Arc<AnswerLimit>,
    pub(crate) cutoffs: Arc<Cutoffs>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) spawner: Spawner,
    pub(crate) limits: TokenLimits,
    /// How far clocks may be apart, in seconds.
    pub(crate) tolerance: u64,
}

/// Where the callers of one issuer sign in.
pub(crate) struct SignIn {
    pub(crate) issuer: Arc<Issuer>,
    pub(crate) client_id: String,
    pub(crate) endpoint: TokenEndpoint,
    /// The algorithms of ID tokens: what each resource accepts of this issuer, where it says so.
    pub(crate) algorithms: Vec<Vec<Algorithm>>,
}

/// One API whose tokens users grant at its own provider.
pub(crate) struct Connection {
    pub(super) parts: ConnectionParts,
    /// The users who are on their way through our pages at this moment.
    pub(super) at_once: AtOnce,
    flights: Flights<Result<DownstreamToken, DownstreamError>>,
    not_accepted: NotAccepted,
}

/// A user by their token: what it says in `iss` and `sub`.
#[derive(Clone)]
struct User {
    issuer: String,
    subject: String,
}

impl Connection {
    pub(crate) fn new(parts: ConnectionParts) -> Self {
        Self {
            parts,
            at_once: AtOnce::default(),
            flights: Flights::new(),
            not_accepted: NotAccepted::default(),
        }
    }

    /// Whether this caller is a user who can have a grant.
    pub(crate) fn check_caller(&self, caller: &AuthInfo) -> Result<(), DownstreamError> {
        self.user(caller).map(drop)
    }

    /// The user's own token, renewed where that is needed.
    pub(crate) async fn token_for(
        self: &Arc<Self>,
        caller: &AuthInfo,
    ) -> Result<DownstreamToken, DownstreamError> {
        let user = self.user(caller)?;
        let key = sha256(self.grant_of(&user.issuer, &user.subject).name().as_bytes());
        let connection = self.clone();
        let find = async move { connection.find(&user).await };
        match self.flights.join(key, &self.parts.spawner, find) {
            Some(flight) => match flight.await {
                Some(answer) => answer,
                None => Err(self.unavailable("whoever looked for the grant broke off", 1)),
            },
            None => Err(self.unavailable("too many grants are looked for at once", 1)),
        }
    }

    /// Ends the user's grant, here at once and then at the provider. While that cannot be told, what it has to be told is kept,
    /// and told next time.
    pub(crate) async fn disconnect(
        self: &Arc<Self>,
        caller: &AuthInfo,
    ) -> Result<(), DownstreamError> {
        let user = self.user(caller)?;
        let connection = self.clone();
        // It is gone through with, also when whoever asked for it has gone.
        let (work, outcome, _) = background(async move { connection.end(&user).await });
        self.parts.spawner.start(work);
        match outcome.await {
            Some(ended) => ended,
            None => Err(self.unavailable("ending the grant broke off", 1)),
        }
    }

    async fn end(&self, user: &User) -> Result<(), DownstreamError> {
        let of = self.grant_of(&user.issuer, &user.subject);
        for _ in 0..LOOKS {
            let Some(mut kept) = self.load(of).await? else { return Ok(()) };
            let Some(mut grant) = kept.grant.take() else {
                // Nobody can tell the provider what is in it.
                self.remove(of, &kept).await?;
                return Ok(());
            };
            grant.is_ended = true;
            let Some(ended) = self.replace(of, Some(&kept), &grant).await? else { continue };
            self.end_at_provider(&grant).await?;
            // Where they have connected their account again meanwhile, that stays.
            self.remove(of, &ended).await?;
            tracing::info!(downstream = %self.parts.name, "a user has disconnected their account");
            return Ok(());
        }
        Err(self.unavailable("the grant is replaced all the time", 1))
    }

    /// Takes note that the API did not accept a token.
    pub(crate) fn forget(&self, text: &str) {
        self.not_accepted.add(text, self.now());
    }

    /// Keeps what the provider gave for a user, in place of what was there.
    pub(super) async fn keep(
        &self,
        issuer: &str,
        subject: &str,
        answer: TokenAnswer,
    ) -> Result<(), DownstreamError> {
        let of = self.grant_of(issuer, subject);
        let grant = self.grant_from(answer, None)?;
        for _ in 0..LOOKS {
            let found = self.load(of).await?;
            if self.replace(of, found.as_ref(), &grant).await?.is_some() {
                return Ok(());
            }
        }
        Err(self.unavailable("the grant is replaced all the time", 1))
    }

    async fn find(&self, user: &User) -> Result<DownstreamToken, DownstreamError> {
        let of = self.grant_of(&user.issuer, &user.subject);
        for _ in 0..LOOKS {
            let Some(mut kept) = self.load(of).await? else { return Err(self.ask_user(user)) };
            let Some(grant) = kept.grant.take() else {
                self.log("a grant that is kept cannot be read: was it sealed with another key?");
                return Err(self.ask_user(user));
            };
            if grant.is_ended {
                return Err(self.ask_user(user));
            }
            if !self.is_asked_for(&grant.asked) {
                self.log("a grant was asked for with other scopes than are configured now");
                return Err(self.ask_user(user));
            }
            if self.is_usable(&grant) {
                return Ok(DownstreamToken::new(
                    grant.access_token,
                    grant.scopes,
                    grant.expires_at,
                ));
            }
            if grant.refresh_token.is_none() {
                return Err(self.ask_user(user));
            }
            if self.is_being_renewed(&grant) {
                return Err(self.unavailable("another instance is renewing the grant", 1));
            }
            if let Some(token) = self.renew(user, of, &kept, grant).await? {
                return Ok(token);
            }
        }
        Err(self.unavailable("the grant is replaced all the time", 1))
    }

    /// Renews a grant; `None`: another one is there meanwhile.
    ///
    /// A refresh token may count once alone: before it is used, it is written down that it is being used, and what comes of
    /// it is kept before anybody uses that.
    async fn renew(
        &self,
        user: &User,
        of: GrantOf<'_>,
        found: &KeptGrant,
        mut grant: UserGrant,
    ) -> Result<Option<DownstreamToken>, DownstreamError> {
        let Some(refresh_token) = grant.refresh_token.clone() else { return Ok(None) };
        grant.renewed_until = Some(self.now().saturating_add(self.renewal_seconds()));
        let Some(ours) = self.replace(of, Some(found), &grant).await? else { return Ok(None) };
        let form: TokenForm = vec![
            ("grant_type", "refresh_token".to_owned()),
            ("refresh_token", refresh_token.to_string()),
        ];
        let renewed = match self.parts.endpoint.ask(form).await {
            Ok(answer) => self.grant_from(answer, Some(&grant)),
            Err(EndpointFault::Refused(refusal)) if is_ended(&refusal.error) => {
                self.log(&format!("{}: {}", refusal.error, refusal.description));
                // Where another grant is there meanwhile, it stays.
                self.remove(of, &ours).await?;
                return Err(self.ask_user(user));
            }
            Err(fault) => Err(self.error_of(fault)),
        };
        let new = match renewed {
            Ok(new) => new,
            Err(error) => {
                // It is tried again next time.
                self.replace(of, Some(&ours), &grant.at_rest()).await?;
                return Err(error);
            }
        };
        let mut kept = self.replace(of, Some(&ours), &new).await;
        for _ in 1..LOOKS {
            if kept.is_err() {
                kept = self.replace(of, Some(&ours), &new).await;
            }
        }
        if kept?.is_none() {
            self.end_unless_connected(of, &new).await?;
            return Ok(None);
        }
        if self.not_accepted.has(&grant.access_token) {
            self.not_accepted.renew(&new.access_token, self.now());
        }
        Ok(Some(DownstreamToken::new(new.access_token, new.scopes, new.expires_at)))
    }

    /// Has the provider end what was renewed while its user disconnected it. Where they have connected their account again, some
    /// providers would end that too.
    async fn end_unless_connected(
        &self,
        of: GrantOf<'_>,
        renewed: &UserGrant,
    ) -> Result<(), DownstreamError> {
        let found = self.load(of).await?;
        let is_connected = found.is_some_and(|kept| kept.grant.is_none_or(|grant| !grant.is_ended));
        if is_connected {
            return Ok(());
        }
        self.end_at_provider(renewed).await
    }

    /// What the provider gave, as it is kept; `earlier` is what it renews.
    fn grant_from(
        &self,
        answer: TokenAnswer,
        earlier: Option<&UserGrant>,
    ) -> Result<UserGrant, DownstreamError> {
        if !answer.token_type.eq_ignore_ascii_case("bearer") {
            return Err(self.unusable("its `token_type` is not `Bearer`"));
        }
        let asked = earlier.map_or(&self.parts.config.scopes, |grant| &grant.scopes);
        let scopes = match answer.scope {
            Some(granted) => separated(&granted),
            None => asked.clone(),
        };
        let configured = &self.parts.config.scopes;
        // Where none are configured, the provider says what it gives.
        if !configured.is_empty() && !configured.contains_all(&scopes) {
            return Err(self.unusable("it grants more scopes than were asked for"));
        }
        let before = earlier.and_then(|grant| grant.refresh_token.clone());
        Ok(UserGrant {
            access_token: answer.access_token,
            // RFC 6749 §6: where there is no new one, the old one goes on.
            refresh_token: answer.refresh_token.or(before),
            scopes,
            asked: configured.clone(),
            expires_at: answer.expires_in.map(|seconds| self.now().saturating_add(seconds)),
            renewed_until: None,
            is_ended: false,
        })
    }

    async fn end_at_provider(&self, grant: &UserGrant) -> Result<(), DownstreamError> {
        let Some(place) = &self.parts.revocation else { return Ok(()) };
        let refresh = grant.refresh_token.as_ref().map(|token| (token, "refresh_token"));
        let (token, kind) = refresh.unwrap_or((&grant.access_token, "access_token"));
        let form: TokenForm =
            vec![("token", token.to_string()), ("token_type_hint", kind.to_owned())];
        let told = self.parts.endpoint.tell(place, "revocation_endpoint", form).await;
        told.map_err(|fault| self.error_of(fault))
    }

    /// Whether these scopes are what users are asked for now. What was granted may be less: asking again would not end.
    fn is_asked_for(&self, scopes: &Scopes) -> bool {
        let configured = &self.parts.config.scopes;
        configured.contains_all(scopes) && scopes.contains_all(configured)
    }

    fn is_usable(&self, grant: &UserGrant) -> bool {
        let has_ended = grant.expires_at.is_some_and(|ends| ends <= self.now() + LAST_SECONDS);
        !has_ended && !self.not_accepted.has(&grant.access_token)
    }

    /// Whether an instance is renewing it. One that was ended by a crash is waited for no longer than it may take, also where
    /// the clock was set back.
    fn is_being_renewed(&self, grant: &UserGrant) -> bool {
        let now = self.now();
        let longest = now.saturating_add(self.renewal_seconds() + self.parts.tolerance);
        grant.renewed_until.is_some_and(|until| until > now && until <= longest)
    }

    /// For how long no other instance renews a grant: twice as long as the question may take, so that there is time to keep
    /// what comes of it.
    fn renewal_seconds(&self) -> u64 {
        let longest = self.parts.endpoint.longest_question().as_secs();
        RENEWAL_SECONDS.max(longest.saturating_mul(2))
    }

    /// Where the user is to go.
    fn ask_user(&self, user: &User) -> DownstreamError {
        match self.link_for(user) {
            Some(elicitation) => DownstreamError::AuthorizationRequired(elicitation),
            None => self.unavailable("the system has no randomness", 1),
        }
    }

    fn link_for(&self, user: &User) -> Option<UrlElicitation> {
        let parts = &self.parts;
        let id = random_id()?;
        let sign_in = self.sign_in_of(&user.issuer)?;
        let state = ConnectState {
            issuer: user.issuer.clone(),
            subject: user.subject.clone(),
            sign_in_client: sign_in.client_id.clone(),
            id: id.clone(),
            browser: String::new(),
            verifier: Zeroizing::default(),
            ends: self.now().saturating_add(STEP_SECONDS),
        };
        let sealed = self.seal_state(&state, Step::Link)?;
        let url = format!("{}/{}?state={sealed}", parts.url, parts.name);
        Some(UrlElicitation::new(url, id, &parts.name))
    }

    fn user(&self, caller: &AuthInfo) -> Result<User, DownstreamError> {
        if self.sign_in_of(caller.issuer()).is_none() {
            return Err(DownstreamError::IssuerNotServed);
        }
        match caller.subject() {
            // A client whose token does not tell what it is may have the name of a user.
            Some(subject)
                if caller.principal() != Principal::Client
                    && caller.client_id() != Some(subject) =>
            {
                Ok(User { issuer: caller.issuer().to_owned(), subject: subject.to_owned() })
            }
            _ => Err(DownstreamError::NoUser),
        }
    }

    /// Where callers of this issuer sign in.
    pub(super) fn sign_in_of(&self, issuer: &str) -> Option<&Arc<SignIn>> {
        self.parts.sign_in.iter().find(|one| one.issuer.identifier().as_str() == issuer)
    }

    pub(super) fn grant_of<'g>(&'g self, issuer: &'g str, subject: &'g str) -> GrantOf<'g> {
        GrantOf {
            issuer,
            subject,
            downstream: &self.parts.name,
            token_endpoint: self.parts.endpoint.name(),
            client_id: &self.parts.config.client_id,
        }
    }

    async fn load(&self, of: GrantOf<'_>) -> Result<Option<KeptGrant>, DownstreamError> {
        self.parts.store.load(of).await.map_err(|fault| self.vault_is_away(&fault))
    }

    async fn replace(
        &self,
        of: GrantOf<'_>,
        found: Option<&KeptGrant>,
        new: &UserGrant,
    ) -> Result<Option<KeptGrant>, DownstreamError> {
        let replaced = self.parts.store.replace(of, found, new).await;
        replaced.map_err(|fault| self.vault_is_away(&fault))
    }

    async fn remove(&self, of: GrantOf<'_>, found: &KeptGrant) -> Result<bool, DownstreamError> {
        let removed = self.parts.store.remove(of, found).await;
        removed.map_err(|fault| self.vault_is_away(&fault))
    }

    fn vault_is_away(&self, fault: &VaultFault) -> DownstreamError {
        self.unavailable(&fault.to_string(), 1)
    }

    pub(super) fn error_of(&self, fault: EndpointFault) -> DownstreamError {
        match fault {
            EndpointFault::Refused(refusal) => {
                self.log(&format!("{}: {}", refusal.error, refusal.description));
                DownstreamError::Refused
            }
            EndpointFault::Unusable(reason) => self.unusable(&reason),
            EndpointFault::Unavailable { reason, retry_after } => {
                self.unavailable(&reason, retry_after)
            }
        }
    }

    fn unusable(&self, reason: &str) -> DownstreamError {
        self.log(reason);
        DownstreamError::UnusableAnswer
    }

    fn unavailable(&self, reason: &str, retry_after: u64) -> DownstreamError {
        self.log(reason);
        let name = self.parts.endpoint.name();
        DownstreamError::Unavailable(Unavailable::new(name, reason, retry_after))
    }

    /// What an operator wants to know. No tokens are in it.
    pub(super) fn log(&self, reason: &str) {
        let (downstream, shown) = (&self.parts.name, in_one_line(reason));
        tracing::warn!(%downstream, reason = %shown, "the grant of a user at another provider");
    }

    pub(super) fn now(&self) -> u64 {
        self.parts.clock.unix_seconds()
    }
}

/// Whether a provider says that a grant is over: so RFC 6749 §5.2 has it, and GitHub.
fn is_ended(error: &str) -> bool {
    matches!(error, "invalid_grant" | "bad_refresh_token")
}

/// GitHub has commas between scopes.
fn separated(granted: &Scopes) -> Scopes {
    let text = granted.to_string();
    text.split([' ', ',']).filter(|scope| !scope.is_empty()).collect()
}
