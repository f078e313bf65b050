//! What to look for.

use std::ops::Range;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD_NO_PAD};

use super::written::Written;

/// What is shorter is a word rather than a secret, and would be found in words. In bytes.
const SHORTEST: usize = 8;

/// A secret in every form that is looked for.
pub(crate) struct Secret {
    /// Itself, and as forms write it.
    plain: Vec<String>,
    /// As base64 and hexadecimal digits, also where it is within something longer.
    encoded: Vec<String>,
    /// What stands in its place.
    label: &'static str,
}

impl Secret {
    pub(crate) fn of(secret: &str, label: &'static str) -> Self {
        if secret.len() < SHORTEST {
            return Self { plain: Vec::new(), encoded: Vec::new(), label };
        }
        // A text is read escape by escape, also where the secret itself looks like one.
        let layers = Written::of(secret).layers();
        let mut plain: Vec<String> = layers.into_iter().map(|layer| layer.text).collect();
        // HTML 5: a form has `+` for a space, and whoever reads one has it the other way round.
        plain.push(secret.replace('+', " "));
        plain.push(secret.replace(' ', "+"));
        // Escapes are of bytes, and so are characters beyond ASCII.
        plain.push(secret.bytes().map(char::from).collect());
        plain.retain(|one| one.len() >= SHORTEST);
        plain.sort();
        plain.dedup();
        Self { plain, encoded: encoded(secret), label }
    }

    /// A secret that is only looked for as it is written here, and not in other encodings.
    pub(super) fn exactly(secret: &str, label: &'static str) -> Self {
        Self { plain: vec![secret.to_owned()], encoded: Vec::new(), label }
    }

    /// Whether it is anywhere in the text, however it is written there.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        readings(text).iter().any(|reading| !self.places(reading).is_empty())
    }

    /// Where it is in the original text.
    fn places(&self, reading: &Reading) -> Vec<Range<usize>> {
        let layer = &reading.layer;
        let mut places = Vec::new();
        for needle in &self.plain {
            for (at, found) in layer.text.match_indices(needle.as_str()) {
                places.push(layer.original(at..at + found.len()));
            }
        }
        for needle in &self.encoded {
            let mut done = 0;
            for (at, found) in layer.text.match_indices(needle.as_str()) {
                // Another one in the same run, which would be gone through once more for each.
                if at >= done {
                    let run = whole_run(&layer.text, at..at + found.len());
                    done = run.end;
                    places.push(layer.original(run));
                }
            }
        }
        for run in &reading.base64 {
            if self.is_within(&run.layers) {
                places.push(layer.original(run.place.clone()));
            }
        }
        places
    }

    fn is_within(&self, layers: &[Written]) -> bool {
        let mut texts = layers.iter().map(|layer| layer.text.as_str());
        texts.any(|text| self.plain.iter().any(|needle| text.contains(needle.as_str())))
    }
}

/// The text with the labels of the secrets in their places.
pub(super) fn replace_secrets<'a>(text: &str, known: impl Iterator<Item = &'a Secret>) -> String {
    let secrets: Vec<_> = known.collect();
    if secrets.is_empty() {
        return text.to_owned();
    }
    let mut places = Vec::new();
    for reading in readings(text) {
        for secret in &secrets {
            places.extend(secret.places(&reading).into_iter().map(|place| (place, secret.label)));
        }
    }
    // The longest first where several begin: a token before its parts.
    places.sort_by_key(|(place, _)| (place.start, usize::MAX - place.end));
    let mut shown = String::with_capacity(text.len());
    let mut done = 0;
    for (place, label) in places {
        if place.start >= done {
            shown += &text[done..place.start];
            shown += label;
        }
        done = done.max(place.end);
    }
    shown + &text[done..]
}

/// Base64 with what may be before it, in both alphabets, and hexadecimal digits in both cases.
fn encoded(secret: &str) -> Vec<String> {
    let mut forms = Vec::new();
    for before in 0..3 {
        let bytes: Vec<u8> = std::iter::repeat_n(0, before).chain(secret.bytes()).collect();
        let all = STANDARD_NO_PAD.encode(&bytes);
        // Six bits a character: the first ones hold what is before, the last one what is behind.
        let part = &all[(before * 8).div_ceil(6)..bytes.len() * 8 / 6];
        forms.push(part.to_owned());
        forms.push(part.replace('+', "-").replace('/', "_"));
    }
    let digits: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    forms.push(digits.to_uppercase());
    forms.push(digits);
    forms.sort();
    forms.dedup();
    forms
}

/// A layer of a text, and what is within the base64 in it, in layers too.
struct Reading {
    layer: Written,
    base64: Vec<Base64Run>,
}

/// Something in a layer that may be base64.
struct Base64Run {
    /// Where it is in the text of the layer.
    place: Range<usize>,
    /// What it holds, with its escapes undone once, twice, and so on.
    layers: Vec<Written>,
}

fn readings(text: &str) -> Vec<Reading> {
    let mut readings = Vec::new();
    for layer in Written::of(text).layers() {
        let mut base64 = Vec::new();
        for place in base64_runs(&layer.text) {
            let layers = Written::of(&decoded(&layer.text[place.clone()])).layers();
            base64.push(Base64Run { place, layers });
        }
        readings.push(Reading { layer, base64 });
    }
    readings
}

/// What may be base64 of something with escapes of its own, such as the credentials of a client, which
/// are a form before they are encoded (RFC 6749 §2.3.1).
fn base64_runs(text: &str) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    let mut at = 0;
    for part in text.split(|one: char| !one.is_ascii() || !is_base64(one as u8)) {
        if part.len() >= SHORTEST {
            runs.push(at..at + part.len());
        }
        // What parts them may be a character of several bytes.
        let separator = text[at + part.len()..].chars().next().map_or(0, char::len_utf8);
        at += part.len() + separator;
    }
    runs
}

/// The text that is encoded as base64 in either alphabet. Empty when it is no base64.
fn decoded(run: &str) -> String {
    let plain = run.trim_end_matches('=').replace('-', "+").replace('_', "/");
    let whole = plain.len() - usize::from(plain.len() % 4 == 1);
    let configuration = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let engine = GeneralPurpose::new(&STANDARD, configuration);
    let bytes = engine.decode(&plain[..whole]).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/-_=".contains(&byte)
}

/// The place, extended to the whole base64 text around it: the characters at its ends hold bits of the secret too.
fn whole_run(text: &str, place: Range<usize>) -> Range<usize> {
    let before = text.as_bytes()[..place.start].iter().rev().take_while(|one| is_base64(**one));
    let behind = text.as_bytes()[place.end..].iter().take_while(|one| is_base64(**one));
    place.start - before.count()..place.end + behind.count()
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};

    use super::{Secret, replace_secrets};

    const SECRET: &str = "genuine-token/of+some~body==";

    fn percent(text: &str, upper: bool) -> String {
        let escaped = |byte: u8| match (byte.is_ascii_alphanumeric(), upper) {
            (true, _) => char::from(byte).to_string(),
            (false, true) => format!("%{byte:02X}"),
            (false, false) => format!("%{byte:02x}"),
        };
        text.bytes().map(escaped).collect()
    }

    #[test]
    fn a_secret_is_found_however_it_is_written() {
        let every = |form: fn(u32) -> String| SECRET.chars().map(|one| form(one.into())).collect();
        let (upper, lower) = (percent(SECRET, true), percent(SECRET, false));
        let written: Vec<String> = vec![
            SECRET.to_owned(),
            upper.clone(),
            lower.clone(),
            percent(&upper, true),
            percent(&lower, false),
            percent(&percent(&upper, false), true),
            every(|one| format!("%{one:02x}")),
            every(|one| format!("\\u{one:04x}")),
            every(|one| format!("\\u{{{one:x}}}")),
            every(|one| format!("\\x{one:02x}")),
            every(|one| format!("&#{one};")),
            every(|one| format!("&#x{one:X};")),
            SECRET.replace('/', "\\/").replace('+', "&plus;").replace('=', "&equals;"),
            SECRET.replace('/', "%2F").replace('+', "\\u002b").replace('t', "&#116;"),
            SECRET.replace('+', " "),
            STANDARD.encode(SECRET),
            URL_SAFE.encode(format!("Bearer {SECRET}")),
            STANDARD.encode(format!("user:{SECRET}!")),
            percent(&STANDARD.encode(format!("ab{SECRET}\n")), false),
            STANDARD.encode(format!("me:{}", percent(SECRET, true))),
            URL_SAFE.encode(percent(&percent(SECRET, false), false)),
            STANDARD.encode(serde_json::json!({ "é": SECRET.replace('/', "\\/") }).to_string()),
            every(|one| format!("{one:02x}")),
            every(|one| format!("{one:02X}")),
        ];
        let secret = Secret::of(SECRET, "[token]");
        for text in written {
            let text = format!("a, {text}, b");
            assert!(secret.is_in(&text), "{text}");
            assert_eq!(replace_secrets(&text, [&secret].into_iter()), "a, [token], b", "{text}");
        }
        assert!(!secret.is_in("genuine-token/of+some~body="));
    }

    #[test]
    fn a_secret_that_is_repeated_costs_no_more_than_its_text() {
        // Each of them is part of one text of base64, which would be gone through for each.
        let hexadecimal: String = "genuine-token".bytes().map(|one| format!("{one:02x}")).collect();
        let text = hexadecimal.repeat(40_000);
        let secret = Secret::of("genuine-token", "[token]");
        for run in [text.clone(), STANDARD.encode("genuine-token").repeat(40_000)] {
            assert_eq!(replace_secrets(&run, [&secret].into_iter()), "[token]");
        }
    }

    #[test]
    fn a_secret_that_looks_like_an_escape_is_found_too() {
        let text = "abc%2Fdef%41&amp;\\u0041x";
        let secret = Secret::of(text, "[token]");
        for written in [text.to_owned(), percent(text, false), serde_json::json!(text).to_string()]
        {
            assert!(secret.is_in(&written), "{written}");
        }
    }

    #[test]
    fn a_token_is_named_before_its_parts_and_short_words_are_left() {
        let (token, part) = ("head.claims.signature-of-it", "signature-of-it");
        let (token, part) = (Secret::of(token, "[token]"), Secret::of(part, "[signature]"));
        let shown = replace_secrets(
            "a head.claims.signature-of-it b signature-of-it",
            [&part, &token].into_iter(),
        );
        assert_eq!(shown, "a [token] b [signature]");
        assert_eq!(
            replace_secrets("a opaque b", [&Secret::of("opaque", "[token]")].into_iter()),
            "a opaque b"
        );
    }
}
