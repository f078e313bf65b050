//! What MCP clients need of an authorization server: a row each.

use super::{
    IssuerMetadata, Level, MetadataPlace, ProviderCheck, ProviderCheckOutcome, ProviderFacts,
};
use crate::issuer::Standard;

/// The revisions of MCP with authorization, oldest first: the columns of `levels`.
pub(super) const REVISIONS: [&str; 4] = ["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"];

const MUST: Option<Level> = Some(Level::Must);
const SHOULD: Option<Level> = Some(Level::Should);
const MAY: Option<Level> = Some(Level::May);

/// What is known of an issuer.
pub(super) struct Facts<'a> {
    pub(super) places: &'a [MetadataPlace],
    pub(super) metadata: Option<&'a IssuerMetadata>,
    pub(super) revision: &'a str,
    pub(super) known: Option<&'a ProviderFacts>,
}

/// One need.
pub(super) struct Requirement {
    code: &'static str,
    /// For each of [`REVISIONS`]; `None`: it does not ask for it.
    pub(super) levels: [Option<Level>; 4],
    requirement: &'static str,
    reference: &'static str,
    fix: &'static str,
    look: fn(&Facts<'_>) -> Finding,
    /// What is known of the provider about it.
    known: fn(&ProviderFacts) -> Option<&String>,
}

/// Whether it is there, and what was found.
type Finding = (ProviderCheckOutcome, String);

pub(super) const REQUIREMENTS: &[Requirement] = &[
    Requirement {
        code: "metadata",
        levels: [MUST; 4],
        requirement: "metadata where clients look for it",
        reference: "MCP, authorization server metadata discovery; RFC 8414 §3",
        fix: "Turn the provider's metadata on, or correct its issuer; if it cannot be changed, give clients of this revision another way in.",
        look: metadata,
        known: |facts| facts.metadata.as_ref(),
    },
    Requirement {
        code: "endpoints",
        levels: [MUST; 4],
        requirement: "`authorization_endpoint` and `token_endpoint`",
        reference: "RFC 8414 §2",
        fix: "Use a provider that serves both, or add them to its metadata.",
        look: endpoints,
        known: |_| None,
    },
    Requirement {
        code: "https",
        levels: [MUST; 4],
        requirement: "endpoints over HTTPS, loopback aside",
        reference: "MCP, communication security",
        fix: "Serve every endpoint over HTTPS.",
        look: https,
        known: |_| None,
    },
    Requirement {
        code: "authorization_code",
        levels: [MUST; 4],
        requirement: "the authorization code flow",
        reference: "OAuth 2.1 §4.1",
        fix: "Turn on the authorization code flow at the provider.",
        look: authorization_code,
        known: |_| None,
    },
    Requirement {
        code: "pkce_s256",
        // Clients MUST refuse to go on without it since 2025-11-25; before they only had to use it.
        levels: [SHOULD, SHOULD, MUST, MUST],
        requirement: "`S256` in `code_challenge_methods_supported`",
        reference: "MCP, authorization code protection; RFC 7636",
        fix: "Have the provider advertise `S256`; if it cannot, only clients that go on without will work.",
        look: pkce,
        known: |facts| facts.pkce.as_ref(),
    },
    Requirement {
        code: "client_id_metadata_documents",
        levels: [None, None, SHOULD, SHOULD],
        requirement: "`client_id_metadata_document_supported`",
        reference: "MCP, client registration; OAuth Client ID Metadata Document",
        fix: "Turn on Client ID Metadata Documents at the provider, or register clients by hand.",
        look: client_id_metadata_documents,
        known: |facts| facts.client_id_metadata_documents.as_ref(),
    },
    Requirement {
        code: "dynamic_registration",
        levels: [SHOULD, SHOULD, MAY, MAY],
        requirement: "`registration_endpoint`",
        reference: "MCP, client registration; RFC 7591",
        fix: "Turn on dynamic client registration for clients that need it, or register them by hand.",
        look: registration,
        known: |facts| facts.registration.as_ref(),
    },
    Requirement {
        code: "resource_indicators",
        levels: [None, MUST, MUST, MUST],
        requirement: "tokens for the `resource` that clients ask for",
        reference: "RFC 8707",
        fix: "Set up the resource at the provider, then look at the `aud` of a token.",
        look: resource_indicators,
        known: |facts| facts.resource_indicators.as_ref(),
    },
    Requirement {
        code: "iss_parameter",
        levels: [None, None, None, SHOULD],
        requirement: "`authorization_response_iss_parameter_supported`",
        reference: "MCP, authorization response validation; RFC 9207",
        fix: "Have the provider send `iss` in authorization responses, and advertise it.",
        look: iss_parameter,
        known: |_| None,
    },
    Requirement {
        code: "public_clients",
        levels: [MAY; 4],
        requirement: "`none` in `token_endpoint_auth_methods_supported`, for clients without a secret",
        reference: "RFC 8414 §2, OAuth 2.1 §2.1",
        fix: "Allow clients without a secret, or give each of them one.",
        look: public_clients,
        known: |_| None,
    },
];

impl Requirement {
    pub(super) fn check(&self, level: Level, facts: &Facts<'_>) -> ProviderCheck {
        let (outcome, found) = (self.look)(facts);
        ProviderCheck {
            code: self.code,
            level,
            outcome,
            requirement: self.requirement,
            reference: self.reference,
            fix: self.fix,
            found,
            note: facts.known.and_then(self.known).cloned(),
        }
    }
}

impl Facts<'_> {
    /// What the metadata says, if there is any.
    fn ask(&self, look: impl Fn(&IssuerMetadata) -> Finding) -> Finding {
        let none = || (ProviderCheckOutcome::Unknown, "no usable metadata".to_owned());
        self.metadata.map_or_else(none, look)
    }
}

fn metadata(facts: &Facts<'_>) -> Finding {
    let found = |standards: &[Standard]| {
        let usable =
            |place: &&MetadataPlace| place.fault.is_none() && standards.contains(&place.standard);
        facts.places.iter().find(usable).map(|place| place.url.as_str())
    };
    // 2025-03-26 clients ask the MCP server, and others the issuer; RFC 8414 alone until 2025-06-18.
    let (place, without) = match facts.revision {
        "2025-03-26" if facts.metadata.is_some() => {
            let found = "usable; these clients ask the MCP server for it, which answers with it \
                         where `serve_authorization_server_metadata` is turned on";
            return (ProviderCheckOutcome::Met, found.to_owned());
        }
        "2025-03-26" => (None, "no usable metadata"),
        "2025-06-18" => (
            found(&[Standard::Oauth]),
            "not at the RFC 8414 place, the only one of this revision; most clients try others too",
        ),
        _ => (
            found(&[Standard::Oauth, Standard::Oidc]),
            "neither at the RFC 8414 place nor at one of OpenID Connect Discovery",
        ),
    };
    (place.is_some().into(), place.unwrap_or(without).to_owned())
}

fn endpoints(facts: &Facts<'_>) -> Finding {
    facts.ask(|metadata| {
        let both = [
            ("authorization_endpoint", &metadata.authorization_endpoint),
            ("token_endpoint", &metadata.token_endpoint),
        ];
        let missing: Vec<_> =
            both.iter().filter(|(_, url)| url.is_none()).map(|(name, _)| *name).collect();
        if missing.is_empty() {
            return (ProviderCheckOutcome::Met, "both".to_owned());
        }
        (ProviderCheckOutcome::NotMet, format!("missing: {}", missing.join(", ")))
    })
}

fn https(facts: &Facts<'_>) -> Finding {
    facts.ask(|metadata| match metadata.insecure_urls.as_slice() {
        [] => (ProviderCheckOutcome::Met, "all".to_owned()),
        names => (ProviderCheckOutcome::NotMet, format!("not HTTPS: {}", names.join(", "))),
    })
}

fn authorization_code(facts: &Facts<'_>) -> Finding {
    facts.ask(|metadata| {
        // RFC 8414 §2: the response types are required, and grant types have a default.
        let response = lists(metadata.response_types_supported.as_ref(), "code");
        let grant = metadata.grant_types_supported.as_ref();
        let grant = grant.is_none() || lists(grant, "authorization_code");
        let found = match (response, grant) {
            (true, true) => "supported",
            (false, _) => "`response_types_supported` lacks `code`",
            (true, false) => "`grant_types_supported` lacks `authorization_code`",
        };
        ((response && grant).into(), found.to_owned())
    })
}

fn pkce(facts: &Facts<'_>) -> Finding {
    facts.ask(|metadata| {
        let methods = metadata.code_challenge_methods_supported.as_ref();
        let found = match methods {
            Some(methods) => methods.join(", "),
            None => "not advertised: clients since 2025-11-25 must refuse to go on, and some do"
                .to_owned(),
        };
        (lists(methods, "S256").into(), found)
    })
}

fn client_id_metadata_documents(facts: &Facts<'_>) -> Finding {
    facts.ask(|metadata| {
        let supported = metadata.client_id_metadata_document_supported;
        (supported.into(), advertised(supported))
    })
}

fn registration(facts: &Facts<'_>) -> Finding {
    facts.ask(|metadata| {
        let deprecated =
            if facts.revision == "2026-07-28" { "; deprecated in this revision" } else { "" };
        match &metadata.registration_endpoint {
            // Whether strangers may register is not said anywhere.
            Some(url) => (ProviderCheckOutcome::Met, format!("{url}{deprecated}")),
            None => (ProviderCheckOutcome::NotMet, format!("not advertised{deprecated}")),
        }
    })
}

fn resource_indicators(_: &Facts<'_>) -> Finding {
    (
        ProviderCheckOutcome::Unknown,
        "no metadata member says so: ask for a token and look at `aud`".to_owned(),
    )
}

fn iss_parameter(facts: &Facts<'_>) -> Finding {
    facts.ask(|metadata| {
        let supported = metadata.authorization_response_iss_parameter_supported;
        (supported.into(), advertised(supported))
    })
}

fn public_clients(facts: &Facts<'_>) -> Finding {
    facts.ask(|metadata| {
        let methods = metadata.token_endpoint_auth_methods_supported.as_ref();
        let found = methods.map_or("not advertised".to_owned(), |methods| methods.join(", "));
        (lists(methods, "none").into(), found)
    })
}

fn lists(values: Option<&Vec<String>>, wanted: &str) -> bool {
    values.is_some_and(|values| values.iter().any(|value| value == wanted))
}

fn advertised(supported: bool) -> String {
    if supported { "advertised" } else { "not advertised" }.to_owned()
}
