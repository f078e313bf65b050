//! What MCP clients need of an authorization server: a row each.

use super::provider_facts::ProviderFacts;
use super::{
    IssuerMetadata, Level, Levels, MetadataPlace, ProviderCheck, ProviderCheckOutcome, Revision,
};
use crate::issuer::Standard;

/// What is known of an issuer, when one revision judges it.
pub(super) struct Evidence<'a> {
    pub(super) places: &'a [MetadataPlace],
    pub(super) metadata: Option<&'a IssuerMetadata>,
    pub(super) revision: Revision,
    /// From the documentation of its provider.
    pub(super) known: Option<&'a ProviderFacts>,
}

/// Something that MCP clients need.
pub(super) struct ClientNeed {
    code: &'static str,
    pub(super) levels: Levels,
    requirement: &'static str,
    reference: &'static str,
    fix: &'static str,
    /// Looks whether an issuer meets the need.
    observe: fn(&Evidence<'_>) -> Observation,
    /// What the documentation of a known provider says about this need.
    known: fn(&ProviderFacts) -> Option<&String>,
}

/// Whether an issuer meets a need, and what was found there.
struct Observation {
    outcome: ProviderCheckOutcome,
    found: String,
}

impl Observation {
    fn new(outcome: impl Into<ProviderCheckOutcome>, found: impl Into<String>) -> Self {
        Self { outcome: outcome.into(), found: found.into() }
    }
}

pub(super) const CLIENT_NEEDS: &[ClientNeed] = &[
    ClientNeed {
        code: "metadata",
        // In 2025-03-26 a server without it had default endpoints.
        levels: Levels::always(Level::Should).since(Revision::V2025_06_18, Level::Must),
        requirement: "metadata where clients look for it",
        reference: "MCP, authorization server metadata discovery; RFC 8414 §3",
        fix: "Turn the provider's metadata on, or correct its issuer; if it cannot be changed, give clients of this revision another way in.",
        observe: observe_metadata,
        known: |facts| facts.metadata.as_ref(),
    },
    ClientNeed {
        code: "endpoints",
        levels: Levels::always(Level::Must),
        requirement: "`authorization_endpoint` and `token_endpoint`",
        reference: "RFC 8414 §2",
        fix: "Use a provider that serves both, or add them to its metadata.",
        observe: observe_endpoints,
        known: |_| None,
    },
    ClientNeed {
        code: "https",
        levels: Levels::always(Level::Must),
        requirement: "endpoints over HTTPS, loopback aside",
        reference: "MCP, communication security",
        fix: "Serve every endpoint over HTTPS.",
        observe: observe_https,
        known: |_| None,
    },
    ClientNeed {
        code: "authorization_code",
        levels: Levels::always(Level::Should),
        requirement: "the authorization code flow",
        reference: "OAuth 2.1 §4.1",
        fix: "Turn on the authorization code flow at the provider.",
        observe: observe_authorization_code,
        known: |_| None,
    },
    ClientNeed {
        code: "pkce_s256",
        // Clients MUST refuse to go on without it since 2025-11-25; before they only had to use it.
        levels: Levels::always(Level::Should).since(Revision::V2025_11_25, Level::Must),
        requirement: "`S256` in `code_challenge_methods_supported`",
        reference: "MCP, authorization code protection; RFC 7636",
        fix: "Have the provider advertise `S256`; if it cannot, only clients that go on without will work.",
        observe: observe_pkce,
        known: |facts| facts.pkce.as_ref(),
    },
    ClientNeed {
        code: "client_id_metadata_documents",
        levels: Levels::NONE.since(Revision::V2025_11_25, Level::Should),
        requirement: "`client_id_metadata_document_supported`",
        reference: "MCP, client registration; OAuth Client ID Metadata Document",
        fix: "Turn on Client ID Metadata Documents at the provider, or register clients by hand.",
        observe: observe_metadata_document_clients,
        known: |facts| facts.client_id_metadata_documents.as_ref(),
    },
    ClientNeed {
        code: "dynamic_registration",
        levels: Levels::always(Level::Should).since(Revision::V2025_11_25, Level::May),
        requirement: "`registration_endpoint`",
        reference: "MCP, client registration; RFC 7591",
        fix: "Turn on dynamic client registration for clients that need it, or register them by hand.",
        observe: observe_registration,
        known: |facts| facts.registration.as_ref(),
    },
    ClientNeed {
        code: "resource_indicators",
        levels: Levels::NONE.since(Revision::V2025_06_18, Level::Must),
        requirement: "tokens for the `resource` that clients ask for",
        reference: "RFC 8707",
        fix: "Set up the resource at the provider, then look at the `aud` of a token.",
        observe: observe_resource_indicators,
        known: |facts| facts.resource_indicators.as_ref(),
    },
    ClientNeed {
        code: "iss_parameter",
        levels: Levels::NONE.since(Revision::V2026_07_28, Level::Should),
        requirement: "`authorization_response_iss_parameter_supported`",
        reference: "MCP, authorization response validation; RFC 9207",
        fix: "Have the provider send `iss` in authorization responses, and advertise it.",
        observe: observe_iss_parameter,
        known: |_| None,
    },
    ClientNeed {
        code: "public_clients",
        levels: Levels::always(Level::May),
        requirement: "`none` in `token_endpoint_auth_methods_supported`, for clients without a secret",
        reference: "RFC 8414 §2, OAuth 2.1 §2.1",
        fix: "Allow clients without a secret, or give each of them one.",
        observe: observe_public_clients,
        known: |_| None,
    },
];

impl ClientNeed {
    /// Whether this issuer meets the need, which is a `level` in the revision that judges.
    pub(super) fn check(&self, level: Level, evidence: &Evidence<'_>) -> ProviderCheck {
        let observation = (self.observe)(evidence);
        ProviderCheck {
            code: self.code,
            level,
            outcome: observation.outcome,
            requirement: self.requirement,
            reference: self.reference,
            fix: self.fix,
            found: observation.found,
            note: evidence.known.and_then(self.known).cloned(),
        }
    }
}

impl Evidence<'_> {
    /// What the metadata says, if there is any.
    fn observe_metadata_with(
        &self,
        observe: impl Fn(&IssuerMetadata) -> Observation,
    ) -> Observation {
        match self.metadata {
            Some(metadata) => observe(metadata),
            None => Observation::new(ProviderCheckOutcome::Unknown, "no usable metadata"),
        }
    }

    /// The first usable metadata at a place that one of these specifications names.
    fn usable_place(&self, standards: &[Standard]) -> Option<&MetadataPlace> {
        self.places
            .iter()
            .find(|place| place.fault.is_none() && standards.contains(&place.standard))
    }
}

fn observe_metadata(evidence: &Evidence<'_>) -> Observation {
    // 2025-03-26 clients ask the MCP server, and others the issuer; RFC 8414 alone until 2025-06-18.
    let (place, without) = match evidence.revision {
        Revision::V2025_03_26 => {
            return match evidence.metadata {
                Some(_) => Observation::new(
                    true,
                    "usable; these clients ask the MCP server for it, which answers with it \
                     where `serve_authorization_server_metadata` is turned on",
                ),
                None => Observation::new(false, "no usable metadata"),
            };
        }
        Revision::V2025_06_18 => (
            evidence.usable_place(&[Standard::Oauth]),
            "not at the RFC 8414 place, the only one of this revision; most clients try others too",
        ),
        Revision::V2025_11_25 | Revision::V2026_07_28 => (
            evidence.usable_place(&[Standard::Oauth, Standard::Oidc]),
            "neither at the RFC 8414 place nor at one of OpenID Connect Discovery",
        ),
    };
    match place {
        Some(place) => Observation::new(true, &place.url),
        None => Observation::new(false, without),
    }
}

fn observe_endpoints(evidence: &Evidence<'_>) -> Observation {
    evidence.observe_metadata_with(|metadata| {
        let mut missing = Vec::new();
        if metadata.authorization_endpoint.is_none() {
            missing.push("authorization_endpoint");
        }
        if metadata.token_endpoint.is_none() {
            missing.push("token_endpoint");
        }
        if missing.is_empty() {
            return Observation::new(true, "both");
        }
        Observation::new(false, format!("missing: {}", missing.join(", ")))
    })
}

fn observe_https(evidence: &Evidence<'_>) -> Observation {
    evidence.observe_metadata_with(|metadata| match metadata.insecure_urls.as_slice() {
        [] => Observation::new(true, "all"),
        names => Observation::new(false, format!("not HTTPS: {}", names.join(", "))),
    })
}

fn observe_authorization_code(evidence: &Evidence<'_>) -> Observation {
    evidence.observe_metadata_with(|metadata| {
        // RFC 8414 §2: the response types are required, and grant types have a default.
        let has_response_type = has_value(metadata.response_types_supported.as_ref(), "code");
        let grant_types = metadata.grant_types_supported.as_ref();
        let has_grant_type = grant_types.is_none() || has_value(grant_types, "authorization_code");
        match (has_response_type, has_grant_type) {
            (true, true) => Observation::new(true, "supported"),
            (false, _) => Observation::new(false, "`response_types_supported` lacks `code`"),
            (true, false) => {
                Observation::new(false, "`grant_types_supported` lacks `authorization_code`")
            }
        }
    })
}

fn observe_pkce(evidence: &Evidence<'_>) -> Observation {
    evidence.observe_metadata_with(|metadata| {
        let methods = metadata.code_challenge_methods_supported.as_ref();
        let found = match methods {
            Some(listed) => listed.join(", "),
            None => "not advertised: clients since 2025-11-25 must refuse to go on, and some do"
                .to_owned(),
        };
        Observation::new(has_value(methods, "S256"), found)
    })
}

fn observe_metadata_document_clients(evidence: &Evidence<'_>) -> Observation {
    evidence.observe_metadata_with(|metadata| {
        observe_flag(metadata.client_id_metadata_document_supported)
    })
}

fn observe_registration(evidence: &Evidence<'_>) -> Observation {
    evidence.observe_metadata_with(|metadata| {
        let deprecated = match evidence.revision {
            Revision::V2026_07_28 => "; deprecated in this revision",
            Revision::V2025_03_26 | Revision::V2025_06_18 | Revision::V2025_11_25 => "",
        };
        match &metadata.registration_endpoint {
            // Whether strangers may register is not said anywhere.
            Some(url) => Observation::new(true, format!("{url}{deprecated}")),
            None => Observation::new(false, format!("not advertised{deprecated}")),
        }
    })
}

fn observe_resource_indicators(_: &Evidence<'_>) -> Observation {
    Observation::new(
        ProviderCheckOutcome::Unknown,
        "no metadata member says so: ask for a token and look at `aud`",
    )
}

fn observe_iss_parameter(evidence: &Evidence<'_>) -> Observation {
    evidence.observe_metadata_with(|metadata| {
        observe_flag(metadata.authorization_response_iss_parameter_supported)
    })
}

fn observe_public_clients(evidence: &Evidence<'_>) -> Observation {
    evidence.observe_metadata_with(|metadata| {
        let methods = metadata.token_endpoint_auth_methods_supported.as_ref();
        let found = methods.map_or("not advertised".to_owned(), |listed| listed.join(", "));
        Observation::new(has_value(methods, "none"), found)
    })
}

fn has_value(values: Option<&Vec<String>>, wanted: &str) -> bool {
    values.is_some_and(|listed| listed.iter().any(|value| value == wanted))
}

fn observe_flag(supported: bool) -> Observation {
    Observation::new(supported, if supported { "advertised" } else { "not advertised" })
}
