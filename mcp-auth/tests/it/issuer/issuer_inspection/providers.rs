//! Every provider whose documents we have, with its verdicts.

use std::fs;
use std::path::Path;

use super::*;

/// A provider's documents, and what the inspection makes of them.
struct Row {
    folder: &'static str,
    /// Files, and where the provider serves them.
    documents: &'static [(&'static str, &'static str)],
    jwks: &'static str,
    /// Its name, when the issuer shows it.
    name: Option<&'static str>,
    /// For each revision, oldest first: what MUST be there and is not.
    lacks: [&'static [&'static str]; 4],
    /// What the newest revision says it SHOULD have.
    gaps: &'static [&'static str],
    /// Keys: usable, and all.
    keys: (usize, usize),
}

const NO_CIMD: &[&str] = &["client_id_metadata_documents", "iss_parameter"];

const ROWS: &[Row] = &[
    Row {
        folder: "providers/auth0",
        documents: &[(
            "oauth-authorization-server.json",
            "https://example-tenant.us.auth0.com/.well-known/oauth-authorization-server",
        )],
        jwks: "jwks.json",
        name: Some("Auth0"),
        lacks: [&[], &[], &[], &[]],
        gaps: NO_CIMD,
        keys: (2, 2),
    },
    Row {
        folder: "providers/keycloak",
        documents: &[(
            "openid-configuration.json",
            "https://sso.example.com/realms/example-tenant/.well-known/openid-configuration",
        )],
        jwks: "jwks.json",
        name: Some("Keycloak"),
        lacks: [&[], &["metadata"], &[], &[]],
        gaps: &["client_id_metadata_documents"],
        keys: (1, 2),
    },
    Row {
        folder: "providers/logto",
        documents: &[
            (
                "openid-configuration.json",
                "https://example-tenant.logto.app/oidc/.well-known/openid-configuration",
            ),
            (
                "openid-configuration.json",
                "https://example-tenant.logto.app/oidc/.well-known/oauth-authorization-server",
            ),
        ],
        jwks: "jwks.json",
        name: Some("Logto"),
        lacks: [&[], &["metadata"], &[], &[]],
        gaps: &["client_id_metadata_documents"],
        keys: (2, 2),
    },
    Row {
        folder: "providers/asgardeo",
        documents: &[
            (
                "oauth-authorization-server.json",
                "https://api.asgardeo.io/.well-known/oauth-authorization-server/t/example-tenant/oauth2/token",
            ),
            (
                "openid-configuration.json",
                "https://api.asgardeo.io/t/example-tenant/oauth2/token/.well-known/openid-configuration",
            ),
        ],
        jwks: "jwks.json",
        name: Some("Asgardeo"),
        lacks: [&[], &[], &[], &[]],
        gaps: NO_CIMD,
        keys: (2, 2),
    },
    Row {
        folder: "providers/okta",
        documents: &[
            (
                "oauth-authorization-server.json",
                "https://example-tenant.okta.com/.well-known/oauth-authorization-server/oauth2/default",
            ),
            (
                "openid-configuration.json",
                "https://example-tenant.okta.com/oauth2/default/.well-known/openid-configuration",
            ),
        ],
        jwks: "jwks.json",
        name: Some("Okta"),
        lacks: [&[], &[], &[], &[]],
        gaps: NO_CIMD,
        keys: (2, 2),
    },
    Row {
        folder: "providers/entra",
        documents: &[(
            "openid-configuration.json",
            "https://login.microsoftonline.com/8c6f1e2a-3b4d-4c5e-9f60-7a8b9c0d1e2f/v2.0/.well-known/openid-configuration",
        )],
        jwks: "jwks.json",
        name: Some("Microsoft Entra ID"),
        lacks: [&[], &["metadata"], &["pkce_s256"], &["pkce_s256"]],
        gaps: NO_CIMD,
        keys: (2, 2),
    },
    Row {
        folder: "captures/logto",
        documents: &[("metadata.json", "/.well-known/openid-configuration")],
        jwks: "jwks.json",
        name: None,
        lacks: [&[], &["metadata"], &[], &[]],
        gaps: &["client_id_metadata_documents"],
        keys: (2, 2),
    },
    Row {
        folder: "captures/oidc-provider",
        documents: &[("metadata.json", "/.well-known/openid-configuration")],
        jwks: "jwks.json",
        name: None,
        lacks: [&[], &["metadata"], &[], &[]],
        gaps: &[],
        keys: (7, 7),
    },
    Row {
        folder: "captures/oidc-provider-path",
        documents: &[("metadata.json", "/.well-known/openid-configuration")],
        jwks: "jwks.json",
        name: None,
        lacks: [&[], &["metadata"], &[], &[]],
        gaps: &[],
        keys: (7, 7),
    },
];

fn fixture(folder: &str, file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder).join(file);
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn codes(report: &IssuerReport, revision: usize, level: Level) -> Vec<&'static str> {
    let checks = report.revisions[revision].checks.iter();
    let not_met = checks
        .filter(|check| check.level == level && check.outcome == ProviderCheckOutcome::NotMet);
    not_met.map(|check| check.code).collect()
}

/// A report of the fixtures in a folder; URLs without a host follow the issuer.
async fn report_on(row: &Row) -> IssuerReport {
    let metadata = fixture(row.folder, row.documents[0].0);
    let issuer = metadata["issuer"].as_str().unwrap();
    let url =
        |url: &str| if url.starts_with('/') { format!("{issuer}{url}") } else { url.to_owned() };
    let documents = row.documents.iter().fold(Documents::default(), |documents, (file, place)| {
        documents.with(url(place), &fixture(row.folder, file))
    });
    let keys = fixture(row.folder, row.jwks);
    inspect_through(documents.with(metadata["jwks_uri"].as_str().unwrap(), &keys), issuer).await
}

#[tokio::test]
async fn every_provider_has_its_verdicts() {
    for row in ROWS {
        let folder = row.folder;
        let report = report_on(row).await;
        assert!(report.can_verify(), "{folder}: {:?}", report.keys);
        assert_eq!(report.provider.as_ref().map(|known| &*known.name), row.name, "{folder}");
        let lacks = [0, 1, 2, 3].map(|revision| codes(&report, revision, Level::Must));
        assert_eq!(lacks, row.lacks, "{folder}");
        assert_eq!(codes(&report, 3, Level::Should), row.gaps, "{folder}");
        let keys = &report.keys.keys;
        let usable = keys.iter().filter(|key| key.fault.is_none()).count();
        assert_eq!((usable, keys.len()), row.keys, "{folder}: {keys:#?}");
    }
}

#[tokio::test]
async fn advice_has_the_strings_to_paste() {
    for row in ROWS.iter().filter(|row| row.name.is_some()) {
        let report = report_on(row).await;
        let provider = report.provider.unwrap();
        assert!(!provider.advice.is_empty());
        let names_something = |step: &String| step.contains(RESOURCE) || step.contains("api://");
        assert!(provider.advice.iter().any(names_something), "{:?}", provider.advice);
        assert!(report.configuration.toml.contains(RESOURCE));
        let rust = report.configuration.rust.unwrap();
        assert!(rust.contains(&format!("Provider::{}(", provider.preset)), "{rust}");
    }
}

/// Entra's keys say whose they are, and its metadata for all tenants is nobody's.
#[tokio::test]
async fn entra_for_all_tenants_is_not_an_issuer() {
    let report = report_on(&ROWS[5]).await;
    let tenant = "https://login.microsoftonline.com/8c6f1e2a-3b4d-4c5e-9f60-7a8b9c0d1e2f/v2.0";
    assert!(report.keys.keys.iter().all(|key| key.issuer.as_deref() == Some(tenant)));
    let shared = Row { jwks: "jwks.common.json", ..ROWS[5] };
    let keys = report_on(&shared).await.keys.keys;
    assert_eq!(keys[0].fault, None, "a key of every tenant");
    assert!(keys[1].fault.as_ref().unwrap().contains("of another issuer"), "{:?}", keys[1]);
    let common = "https://login.microsoftonline.com/common/v2.0";
    let documents = Documents::default().with(
        format!("{common}/.well-known/openid-configuration"),
        &fixture("providers/entra", "openid-configuration.common.json"),
    );
    let report = inspect_through(documents, common).await;
    assert_eq!(places(&report)[2], (false, Some(FaultKind::OtherIssuer)));
    let known = report.revisions[3].checks.iter().find(|check| check.code == "metadata").unwrap();
    assert!(known.note.as_ref().unwrap().contains("`common`"), "{known:?}");
}
