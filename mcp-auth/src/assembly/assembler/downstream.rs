//! Puts together what tools call for their callers: other APIs, and where users grant them.

use std::sync::Arc;

use super::{Accounts, Assembler, token_limits};
use crate::assembly::parsed_connect::ParsedConnect;
use crate::assembly::parsed_downstream::{ParsedClient, ParsedDownstream};
use crate::config::{DownstreamConfig, DownstreamGrant};
use crate::downstream::{
    ANSWERS_OF_A_USER, Connection, ConnectionParts, DownstreamApi, DownstreamParts, GrantStore,
    SignIn,
};
use crate::handles::KeyRing;
use crate::issuer::{EndpointClient, EndpointPlace, Issuer, TokenEndpoint};
use crate::limits::AnswerLimit;

impl Assembler<'_> {
    /// Where users connect their accounts, after all resources were put together and before the APIs.
    pub(in crate::assembly) fn connect_accounts(
        &mut self,
        parsed: ParsedConnect<'_>,
        keys: &Arc<KeyRing>,
    ) {
        let ParsedConnect { url, vault, sign_in } = parsed;
        let mut clients = Vec::new();
        for (config, client) in sign_in {
            let known = self.issuers.iter();
            let found = known.clone().find(|one| one.identifier().as_str() == config.issuer);
            let Some(issuer) = found.cloned() else { continue };
            let place = EndpointPlace::OfIssuer(issuer.clone());
            let endpoint = self.token_endpoint(place, &config.client_id, client);
            let resources = self.config.resources.iter();
            let servers = resources.flat_map(|resource| &resource.authorization_servers);
            let of_issuer = servers.filter(|server| server.issuer == config.issuer);
            clients.push(Arc::new(SignIn {
                issuer,
                algorithms: of_issuer.map(|server| server.algorithms.clone()).collect(),
                client_id: config.client_id.clone(),
                endpoint,
            }));
        }
        self.connect_answers = Some(self.answer_limit());
        let store = GrantStore { vault, keys: keys.clone() };
        let accounts =
            Accounts { url: url.to_owned(), store, sign_in: clients, connections: Vec::new() };
        self.accounts = Some(accounts);
    }

    /// How often answers of providers may come for one user: what was counted before counts.
    fn answer_limit(&self) -> Arc<AnswerLimit> {
        let before = self.connect_answers.clone();
        before.unwrap_or_else(|| {
            let (clock, common) = (self.hooks.clock.clone(), self.common_count());
            Arc::new(AnswerLimit::new("connect", ANSWERS_OF_A_USER, clock, common.as_ref()))
        })
    }

    /// The connection of an API whose tokens users grant.
    fn connection(
        &self,
        name: &str,
        config: &DownstreamConfig,
        endpoint: &Arc<TokenEndpoint>,
    ) -> Option<Arc<Connection>> {
        let accounts = self.accounts.as_ref()?;
        if config.grant != DownstreamGrant::AuthorizationCode {
            return None;
        }
        let issuer = config.issuer.as_ref().and_then(|identifier| {
            self.issuers.iter().find(|known| known.identifier().as_str() == identifier)
        });
        let parts = ConnectionParts {
            name: name.to_owned(),
            config: config.clone(),
            endpoint: endpoint.clone(),
            authorization: place_of(config.authorization_endpoint.as_ref(), issuer)?,
            issuer: issuer.cloned(),
            revocation: place_of(config.revocation_endpoint.as_ref(), issuer),
            sign_in: accounts.sign_in.clone(),
            url: accounts.url.clone(),
            store: accounts.store.clone(),
            seen: self.connect_seen.clone(),
            answers: self.connect_answers.clone()?,
            cutoffs: self.cutoffs.clone(),
            clock: self.hooks.clock.clone(),
            spawner: self.hooks.spawner.clone(),
            limits: token_limits(self.config),
            tolerance: self.config.clock_tolerance.as_secs(),
        };
        Some(Arc::new(Connection::new(parts)))
    }

    /// An API that tools call for callers, after all resources were put together: that of the earlier configuration, with its
    /// tokens, where it would be the same.
    pub(in crate::assembly) fn call_downstream(&mut self, parsed: ParsedDownstream<'_>) {
        let ParsedDownstream { name, config, client, target, subject_issuers, subject_servers } =
            parsed;
        let issuer = config.issuer.as_ref().and_then(|identifier| {
            self.issuers.iter().find(|known| known.identifier().as_str() == identifier).cloned()
        });
        let configured = config.token_endpoint.clone().unwrap_or_default();
        let place = issuer.map_or(EndpointPlace::At(configured), EndpointPlace::OfIssuer);
        let endpoint = Arc::new(self.token_endpoint(place, &config.client_id, client));
        let connection = self.connection(name, config, &endpoint);
        if let (Some(accounts), Some(made)) = (&mut self.accounts, &connection) {
            accounts.connections.push((name.to_owned(), made.clone()));
        }
        let target = target.map(|(target, client)| {
            let place = EndpointPlace::At(target.token_endpoint.clone());
            self.token_endpoint(place, &target.client_id, client)
        });
        let parts = DownstreamParts {
            name: name.to_owned(),
            config: config.clone(),
            endpoint,
            connection,
            target,
            subject_issuers,
            subject_servers,
            cutoffs: self.cutoffs.clone(),
            clock: self.hooks.clock.clone(),
            spawner: self.hooks.spawner.clone(),
            cache_entries: self.config.downstream_cache_entries,
            tolerance: self.config.clock_tolerance.as_secs(),
        };
        let before = self.earlier.and_then(|earlier| earlier.downstreams.get(name));
        // It keeps no tokens: the vault does.
        let before = before.filter(|_| parts.connection.is_none());
        let api = match before.filter(|known| known.is_like(&parts)) {
            Some(known) => known.clone(),
            None => Arc::new(DownstreamApi::new(parts)),
        };
        self.downstreams.insert(name.to_owned(), api);
    }

    fn token_endpoint(
        &mut self,
        place: EndpointPlace,
        client_id: &str,
        client: ParsedClient,
    ) -> TokenEndpoint {
        let ParsedClient { credentials, identity } = client;
        let http = self.client_for_questions(identity);
        let client = EndpointClient { client_id: client_id.to_owned(), credentials, http };
        let (clock, timeout) = (self.hooks.clock.clone(), self.config.fetch_timeout);
        TokenEndpoint::new(place, client, clock, timeout)
    }
}

/// A configured endpoint, or what the metadata of the issuer names.
fn place_of(configured: Option<&String>, issuer: Option<&Arc<Issuer>>) -> Option<EndpointPlace> {
    match configured {
        Some(url) => Some(EndpointPlace::At(url.clone())),
        None => issuer.cloned().map(EndpointPlace::OfIssuer),
    }
}
