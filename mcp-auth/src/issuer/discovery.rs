//! Where an issuer's metadata may be, in the order the MCP specification gives.

use std::future::Future;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use serde::Serialize;
use tokio::time::{Instant, timeout};

use super::fetch::{DocumentKind, FaultKind, FetchFault, fetch_json, share_of};
use super::metadata::MetadataFault;
use super::{Destination, FetchContext, Metadata};
use crate::config::ServerType;
use crate::identifier::IssuerIdentifier;

/// What came of each place, in their order; `None` where no answer was waited for, because another place had one.
pub(crate) type Answers = Vec<Option<Result<Metadata, FetchFault>>>;

/// The usable metadata document of the first place that has one; the fault lists every URL and what was wrong there.
///
/// The place where it was `found_before` is the first.
pub(super) async fn discover(
    issuer: &IssuerIdentifier,
    server_type: ServerType,
    found_before: Option<&str>,
    context: &FetchContext,
) -> Result<Metadata, FetchFault> {
    let mut urls = well_known_urls(issuer, server_type);
    if let Some(index) = urls.iter().position(|url| Some(&**url) == found_before) {
        let remembered = urls.remove(index);
        urls.insert(0, remembered);
    }
    let mut faults: Option<FetchFault> = None;
    for (answer, url) in ask_places(issuer, &urls, context).await.into_iter().zip(&urls) {
        let fault_there = match answer {
            Some(Ok(metadata)) => return Ok(metadata),
            Some(Err(fault)) => fault.at(url),
            None => continue,
        };
        faults = Some(match faults {
            Some(earlier) => earlier.joined_with(fault_there),
            None => fault_there,
        });
    }
    match faults {
        Some(faults) => Err(faults.with_hint(HINT)),
        None => Err(FetchFault::new(FaultKind::NoDocument, "there is no place to look at")),
    }
}

/// What an operator can do when no place has the metadata.
const HINT: &str =
    "where it is elsewhere, say so with `metadata_url`; `server_type` asks at fewer places";

/// Asks the places for metadata, of which the first usable one in their order is to be taken.
///
/// The first is asked alone for a moment, and then the others beside it, side by side: a place that does not answer
/// takes no time from the others. A place goes before those behind it for as long as such a moment; after that, the
/// first usable answer of any counts. So which one is taken is decided by their order, unless one hangs.
pub(crate) async fn ask_places(
    issuer: &IssuerIdentifier,
    urls: &[String],
    context: &FetchContext,
) -> Answers {
    let (head_start, limit) = (head_start_of(context.timeout), share_of(context.timeout));
    let begun = Instant::now();
    let mut search = Search::new(urls.len());
    if let Some(first) = urls.first() {
        search.open.push(ask_place(0, issuer, first, context));
    }
    search.wait_for_answers(head_start, |answers| answers.iter().any(Option::is_some)).await;
    if search.has_document() {
        return search.answers;
    }
    // The first is still waited for, but no longer alone.
    for (index, url) in urls.iter().enumerate().skip(1) {
        search.open.push(ask_place(index, issuer, url, context));
    }
    search.wait_for_answers(head_start, is_decided).await;
    if !search.has_document() {
        let left = limit.saturating_sub(begun.elapsed());
        search.wait_for_answers(left, |answers| answers.iter().any(has_document)).await;
    }
    if !search.has_document() {
        for answer in search.answers.iter_mut().filter(|answer| answer.is_none()) {
            *answer = Some(Err(FetchFault::no_answer_within(limit)));
        }
    }
    search.answers
}

/// What the place of this index says.
async fn ask_place(
    index: usize,
    issuer: &IssuerIdentifier,
    url: &str,
    context: &FetchContext,
) -> (usize, Result<Metadata, FetchFault>) {
    let place = Destination::configured(url.to_owned());
    (index, fetch_metadata(issuer, &place, context).await)
}

/// For how long a place goes before those behind it: a fifth of the timeout, 1 s by default.
fn head_start_of(timeout: Duration) -> Duration {
    timeout / 5
}

/// Places that are asked, and what they answered so far.
struct Search<F> {
    open: FuturesUnordered<F>,
    answers: Answers,
}

impl<F: Future<Output = (usize, Result<Metadata, FetchFault>)>> Search<F> {
    fn new(places: usize) -> Self {
        Self { open: FuturesUnordered::new(), answers: (0..places).map(|_| None).collect() }
    }

    fn has_document(&self) -> bool {
        self.answers.iter().any(has_document)
    }

    /// Takes answers until they are enough, all are there, or the time is over.
    async fn wait_for_answers(&mut self, time: Duration, are_enough: impl Fn(&Answers) -> bool) {
        let taking = async {
            while !are_enough(&self.answers) {
                let Some((index, answer)) = self.open.next().await else { return };
                self.answers[index] = Some(answer);
            }
        };
        // What came in time is kept.
        let _ = timeout(time, taking).await;
    }
}

fn has_document(answer: &Option<Result<Metadata, FetchFault>>) -> bool {
    matches!(answer, Some(Ok(_)))
}

/// Whether a place has a document, and all before it have none. The first place had its moment: it is not waited for.
fn is_decided(answers: &Answers) -> bool {
    for (index, answer) in answers.iter().enumerate() {
        match answer {
            Some(Ok(_)) => return true,
            None if index > 0 => return false,
            None | Some(Err(_)) => {}
        }
    }
    true
}

/// The document at one place, if it is this issuer's and says where its keys are.
pub(crate) async fn fetch_metadata(
    issuer: &IssuerIdentifier,
    place: &Destination,
    context: &FetchContext,
) -> Result<Metadata, FetchFault> {
    let mut document = fetch_json(DocumentKind::Metadata, place, context).await?.document;
    context.patch.iter().for_each(|patch| patch(issuer.as_str(), &mut document));
    let metadata = Metadata::read(issuer, &document, &context.url_rules).map_err(fetch_fault_of)?;
    if context.needs_keys {
        metadata.jwks_uri()?;
    }
    Ok(metadata.found_at(&place.url))
}

fn fetch_fault_of(fault: MetadataFault) -> FetchFault {
    match fault {
        MetadataFault::OtherIssuer(reason) => FetchFault::new(FaultKind::OtherIssuer, reason),
        MetadataFault::Unusable(reason) => FetchFault::new(FaultKind::Unusable, reason),
    }
}

/// A well-known URL of an issuer.
pub(crate) struct WellKnown {
    pub(crate) url: String,
    pub(crate) standard: Standard,
}

/// The specification that names a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub enum Standard {
    /// RFC 8414: authorization server metadata.
    #[serde(rename = "RFC 8414")]
    Oauth,
    /// OpenID Connect Discovery 1.0, also where RFC 8414 §5 inserts it.
    #[serde(rename = "OpenID Connect Discovery")]
    Oidc,
    /// No specification; some providers serve metadata there.
    #[serde(rename = "none")]
    None,
}

impl Standard {
    /// Whether a server of this type is looked for there.
    pub(crate) fn is_for(self, server_type: ServerType) -> bool {
        match server_type {
            ServerType::Any => true,
            ServerType::Oidc => self == Self::Oidc,
            ServerType::Oauth => self != Self::Oidc,
        }
    }
}

/// The well-known URLs of an issuer that are looked at, most specific rule first.
pub(super) fn well_known_urls(issuer: &IssuerIdentifier, server_type: ServerType) -> Vec<String> {
    well_known_places(issuer)
        .into_iter()
        .filter(|place| place.standard.is_for(server_type))
        .map(|place| place.url)
        .collect()
}

/// All well-known URLs of an issuer, most specific rule first.
pub(crate) fn well_known_places(issuer: &IssuerIdentifier) -> Vec<WellKnown> {
    let (origin, path) = issuer.origin_and_path();
    let oidc_inserted = format!("{origin}/.well-known/openid-configuration{path}");
    let mut places = vec![
        WellKnown { url: issuer.oauth_metadata_url(), standard: Standard::Oauth },
        WellKnown { url: oidc_inserted, standard: Standard::Oidc },
    ];
    if !path.is_empty() {
        places.push(WellKnown { url: issuer.oidc_metadata_url(), standard: Standard::Oidc });
        // Not in any specification, but where Logto and Supabase serve it.
        let oauth_appended = format!("{origin}{path}/.well-known/oauth-authorization-server");
        places.push(WellKnown { url: oauth_appended, standard: Standard::None });
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(issuer: &str, server_type: ServerType) -> Vec<String> {
        well_known_urls(&IssuerIdentifier::parse(issuer).unwrap(), server_type)
    }

    #[test]
    fn without_a_path_there_are_two() {
        let expected = [
            "https://a.example/.well-known/oauth-authorization-server",
            "https://a.example/.well-known/openid-configuration",
        ];
        assert_eq!(urls("https://a.example", ServerType::Any), expected);
        assert_eq!(urls("https://a.example/", ServerType::Any), expected);
    }

    #[test]
    fn with_a_path_the_order_is_inserted_inserted_appended_appended() {
        let all = [
            "https://a.example/.well-known/oauth-authorization-server/t/1",
            "https://a.example/.well-known/openid-configuration/t/1",
            "https://a.example/t/1/.well-known/openid-configuration",
            "https://a.example/t/1/.well-known/oauth-authorization-server",
        ];
        assert_eq!(urls("https://a.example/t/1", ServerType::Any), all);
        assert_eq!(urls("https://a.example/t/1", ServerType::Oidc), all[1..3]);
        assert_eq!(urls("https://a.example/t/1", ServerType::Oauth), [all[0], all[3]]);
    }
}
