//! Another configuration, while requests are served.
//!
//! 1. It is checked as a whole, and everything that it needs is made beside what is in force. A fault changes nothing.
//! 2. What did not change is taken over: keys and budgets of issuers, accepted tokens, what was learnt of tasks and tools.
//! 3. One pointer is replaced. A request is decided by what it began with, and one that begins afterwards by the new
//!    configuration.
//! 4. Then whatever is open is woken, and looks whether it may go on.
//!
//! Tested in `serve::reload`.

use std::sync::{Arc, PoisonError};

use super::{McpAuth, allowed_hosts, name_of_server};
use crate::assembly::Serving;
use crate::config::{Config, ConfigError, ConfigFault};
#[cfg(feature = "axum")]
use crate::mounts::Place;
use crate::serve::Resource;
use crate::text::in_one_line;

const RESTART: &str = "this takes a restart";

/// What frameworks were told once, and cannot be told again.
#[derive(Default)]
pub(super) struct Told {
    /// The paths that routers were made for, without slashes at the end; `None`: no router was made, or something else takes every path too.
    paths: Option<Vec<String>>,
    /// The paths where routers take notices; `None` as with `paths`.
    notice_paths: Option<Vec<String>>,
    /// The paths where routers have pages on which users connect their accounts; `None` as with `paths`.
    connect_paths: Option<Vec<String>>,
    /// Whether something takes every path.
    takes_every_path: bool,
    /// The hosts that a framework lets through.
    hosts: Option<Vec<String>>,
}

impl McpAuth {
    /// Puts this configuration in the place of the one that is in force, as a whole or not at all.
    ///
    /// It is checked like that of a new [`McpAuth`], the files that it names are read again, and code that was added to the
    /// builder stays. Requests that come after this has returned are decided by the new configuration.
    ///
    /// - An issuer whose settings did not change keeps its keys, its accepted tokens and its budget of requests: nothing is
    ///   fetched for it.
    /// - A token that was accepted under rules that changed (audiences, algorithms, limits, …) is verified anew.
    /// - Open streams go on, and lists in them are filtered by the new policy. Those end, as with an expired token, whose
    ///   request would not be admitted any more.
    /// - What was revoked, and who made which task, stays known. Without `handle_keys`, the keys that were made at start stay.
    ///
    /// It does not touch the network, and may be called from any thread; of two at once, one waits. It is about this
    /// instance alone: tell every process.
    ///
    /// ```
    /// # use mcp_auth::{Config, ConfigError, McpAuth};
    /// # fn changed(auth: &McpAuth) -> Result<(), ConfigError> {
    /// let config = Config::new("https://mcp.example.com/mcp", "https://auth.example.com")?;
    /// auth.reload(config.with_required_scopes(["mcp"]))
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ConfigError`] lists every fault at once, and the configuration that was in force still is. A fault is also what
    /// cannot change while the server runs: a path without a route in a router of [`McpAuth::protect`], and a host that a
    /// framework was not told of.
    pub fn reload(&self, config: Config) -> Result<(), ConfigError> {
        // One at a time: each is compared with the one before it.
        let told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = self.0.serving.load_full();
        let made = self.0.hooks.assemble(&config, &self.0.cutoffs, Some(&earlier));
        let checked = made.and_then(|serving| match told.faults_of(&serving) {
            faults if faults.is_empty() => Ok(serving),
            faults => Err(ConfigError::new(faults)),
        });
        let serving = checked.map(Arc::new).inspect_err(|error| {
            let faults = in_one_line(&error.faults.join("; ")).to_string();
            tracing::error!(%faults, "the configuration is not replaced");
        })?;
        self.0.serving.store(serving.clone());
        self.0.downstreams.store(Arc::new(serving.downstreams.clone()));
        self.0.state_sealer.change(serving.handle_keys.clone(), &name_of_server(&serving));
        for resource in earlier.mounts.resources() {
            hand_over(resource, &serving);
        }
        self.0.cutoffs.wake();
        let resources = serving.mounts.resources().len();
        tracing::info!(resources, "the configuration is replaced");
        Ok(())
    }

    /// Takes note that a router is made, which has these paths alone.
    #[cfg(feature = "axum")]
    pub(super) fn tell_paths(&self, places: &[Place]) {
        let mut told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner);
        let paths = places.iter().map(|place| place.path().trim_end_matches('/').to_owned());
        told.paths.get_or_insert_default().extend(paths);
    }

    /// [`McpAuth::notice_paths`], for a router that has these alone.
    #[cfg(feature = "axum")]
    pub(crate) fn told_notice_paths(&self) -> Vec<String> {
        let mut told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner);
        let paths = self.notice_paths();
        told.notice_paths.get_or_insert_default().extend_from_slice(&paths);
        paths
    }

    /// [`McpAuth::connect_paths`], for a router that has these alone.
    #[cfg(feature = "axum")]
    pub(crate) fn told_connect_paths(&self) -> Vec<String> {
        let mut told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner);
        let paths = self.connect_paths();
        told.connect_paths.get_or_insert_default().extend_from_slice(&paths);
        paths
    }

    /// Takes note that every path can be asked for.
    pub(crate) fn tell_every_path(&self) {
        self.0.told.lock().unwrap_or_else(PoisonError::into_inner).takes_every_path = true;
    }

    /// [`McpAuth::allowed_hosts`], for a framework that asks once.
    #[cfg(feature = "rmcp3")]
    pub(crate) fn tell_hosts(&self) -> Vec<String> {
        let mut told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner);
        let hosts = self.allowed_hosts();
        told.hosts.get_or_insert_default().extend_from_slice(&hosts);
        hosts
    }
}

impl Told {
    /// What frameworks that run would not let through.
    fn faults_of(&self, serving: &Serving) -> Vec<ConfigFault> {
        let mut faults = Vec::new();
        for (index, resource) in serving.mounts.resources().iter().enumerate() {
            let path = resource.identifier.path().trim_end_matches('/');
            if !self.has_route(self.paths.as_ref(), path) {
                faults.push(without_route(format!("resources[{index}].resource"), path));
            }
        }
        for path in serving.notices.paths() {
            if !self.has_route(self.notice_paths.as_ref(), path) {
                faults.push(without_route("logout_path", path));
            }
        }
        for path in serving.connect_pages.paths() {
            if !self.has_route(self.connect_paths.as_ref(), &path) {
                faults.push(without_route("connect.url", &path));
            }
        }
        for host in allowed_hosts(serving) {
            if self.hosts.as_ref().is_some_and(|known| !known.contains(&host)) {
                let reason = format!("the server was made without the host {host:?}: {RESTART}");
                faults.push(ConfigFault::new("allowed_hosts", reason));
            }
        }
        faults
    }

    /// Whether a request to this path can come, where these are the paths of routers.
    fn has_route(&self, routed: Option<&Vec<String>>, path: &str) -> bool {
        let all = routed.filter(|_| !self.takes_every_path);
        all.is_none_or(|known| known.iter().any(|one| one == path))
    }
}

fn without_route(place: impl Into<String>, path: &str) -> ConfigFault {
    let reason = format!("the router was made without a route for {path:?}: {RESTART}");
    ConfigFault::new(place, reason)
}

/// Puts what is configured now in the place of this resource, or nothing.
fn hand_over(earlier: &Arc<Resource>, serving: &Serving) {
    let mut resources = serving.mounts.resources().iter();
    match resources.find(|resource| resource.succeeds(earlier)) {
        Some(successor) => successor.enter_into_force(),
        None => earlier.end(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Weak;

    use serde_json::json;

    use super::*;

    /// The configuration of one number: another one than that of the next.
    fn config(number: usize) -> Config {
        let data = json!({
            "token_cache_max_age": 60 + number % 2,
            "fetch_timeout": 5 + number / 100 % 3,
            "resources": [
                {
                    "resource": "https://h.example/mcp",
                    "authorization_servers": ["https://as.example", format!("https://as.example/{number}")],
                    "audiences": [number.to_string()],
                    "policy": { "tools": { "a": [format!("scope-{number}")] } },
                },
                {
                    "resource": format!("https://h.example/other/{}", number % 7),
                    "authorization_servers": ["https://as.example"],
                },
            ],
        });
        serde_json::from_value(data).unwrap()
    }

    #[test]
    fn nothing_of_a_thousand_configurations_stays_but_the_last() {
        let auth = McpAuth::new(config(0)).unwrap();
        // As a stream or a handler holds it.
        let held = auth.resource_at("/mcp").unwrap();
        let mut seen: Vec<Weak<dyn std::any::Any>> = Vec::new();
        for number in 1..=1_000 {
            let serving = auth.0.serving.load_full();
            seen.push(Arc::downgrade(&serving) as Weak<dyn std::any::Any>);
            for resource in serving.mounts.resources() {
                seen.push(Arc::downgrade(resource) as Weak<dyn std::any::Any>);
            }
            for issuer in &serving.issuers {
                seen.push(Arc::downgrade(issuer) as Weak<dyn std::any::Any>);
            }
            drop(serving);
            auth.reload(config(number)).unwrap();
            assert!(Arc::ptr_eq(&held.in_force().unwrap(), &auth.resource_at("/mcp").unwrap()));
        }
        let alive = seen.iter().filter(|one| one.strong_count() > 0);
        let distinct: HashSet<*const ()> = alive.map(|one| one.as_ptr().cast()).collect();
        // The one that is held, with its two issuers. An issuer that stays is there more than once.
        assert_eq!(distinct.len(), 3);
        assert_eq!(auth.resource_identifiers().len(), 2);
        drop(auth);
        assert!(held.in_force().is_none());
    }
}
