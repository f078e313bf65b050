//! Whatever a stranger writes is read in steps and bytes of memory in proportion to its length.
//!
//! Counted, not timed: [`steps`](crate::steps) counts what the readers look at, the allocator what they allocate. Each
//! reader gets inputs of many shapes that grow to twice their size again and again, and none of them may cost more for
//! each byte than the reader says.

mod address_readers;
mod browser_readers;
mod handle_readers;
mod inputs;
mod readers;

use proptest::prelude::*;

use self::inputs::{
    Place, Value, argument_of_many_places, beginning_of_many_places, many_arguments,
    many_subscriptions, nested_arguments, texts, values,
};
use self::readers::Reader;
use crate::steps::{Cost, linear};

/// The sizes of the growing inputs. What takes time with the square of them costs thousands of steps for each byte.
const SMALLEST: usize = 128;
const LARGEST: usize = 8 * 1024;

const ALL: [&Reader; 20] = [
    &readers::MESSAGES,
    &readers::CALLS,
    &readers::DECISIONS,
    &readers::PATHS,
    &readers::SCOPES,
    &readers::CLAIMS_WITH_SCOPES,
    &readers::REQUESTS,
    &readers::TOKENS,
    &readers::CLAIMS,
    &readers::METADATA,
    &readers::KEY_SETS,
    &readers::INTROSPECTION_ANSWERS,
    &readers::LISTS,
    &readers::SCHEMAS,
    &readers::STREAMS,
    &handle_readers::HANDLES,
    &handle_readers::SEALED_ANSWERS,
    &address_readers::CLIENT_ADDRESSES,
    &browser_readers::BROWSER_QUERIES,
    &browser_readers::BROWSER_COOKIES,
];

/// Reads inputs of one shape, each twice as long as the one before.
fn grow(reader: &Reader, shape: &str, input: impl Fn(usize) -> String) {
    readers::prepare();
    let mut size = SMALLEST;
    while size <= LARGEST {
        let input = input(size);
        // Shown when it fails.
        println!("{}, {shape}: {} bytes", reader.name, input.len());
        let ((), cost) = linear(reader.most, input.len(), || (reader.read)(&input));
        println!("{cost:?}");
        size *= 2;
    }
}

/// Reads every kind of text and value at every place of the reader's input.
fn hold(reader: &Reader) {
    for place in reader.places {
        match place {
            Place::Text(name, whole) => {
                for (text, filler) in texts() {
                    grow(reader, &format!("{name} of {text}"), |size| whole(&filler(size)));
                }
            }
            Place::Json(name, whole) => {
                for (value, filler) in values() {
                    grow(reader, &format!("{name} of {value}"), |size| whole(&filler(size)));
                }
            }
        }
    }
}

#[test]
fn messages() {
    hold(&readers::MESSAGES);
    hold(&readers::CALLS);
}

#[test]
fn decisions() {
    hold(&readers::DECISIONS);
}

#[test]
fn alternatives_of_many_subscriptions() {
    grow(&readers::DECISIONS, "many subscriptions", many_subscriptions);
}

#[test]
fn arguments_of_a_completion_that_name_each_other() {
    grow(&readers::MESSAGES, "arguments inside of arguments", nested_arguments);
}

#[test]
fn many_arguments_of_a_completion() {
    grow(&readers::MESSAGES, "many arguments", many_arguments);
}

#[test]
fn an_argument_of_many_places_in_a_template() {
    grow(&readers::MESSAGES, "an argument of many places", argument_of_many_places);
}

#[test]
fn the_beginning_of_an_argument_in_many_places() {
    grow(&readers::MESSAGES, "the beginning of an argument", beginning_of_many_places);
}

#[test]
fn requests() {
    hold(&readers::REQUESTS);
}

#[test]
fn paths() {
    hold(&readers::PATHS);
}

#[test]
fn scopes() {
    hold(&readers::SCOPES);
}

#[test]
fn claims_with_scopes() {
    hold(&readers::CLAIMS_WITH_SCOPES);
}

#[test]
fn tokens() {
    hold(&readers::TOKENS);
}

#[test]
fn claims() {
    hold(&readers::CLAIMS);
}

#[test]
fn documents_of_issuers() {
    hold(&readers::METADATA);
    hold(&readers::KEY_SETS);
}

#[test]
fn introspection_answers() {
    hold(&readers::INTROSPECTION_ANSWERS);
}

#[test]
fn schemas_of_tools() {
    hold(&readers::SCHEMAS);
}

#[test]
fn lists_of_servers() {
    hold(&readers::LISTS);
}

#[test]
fn addresses_of_clients() {
    hold(&address_readers::CLIENT_ADDRESSES);
}

#[test]
fn requests_of_browsers() {
    hold(&browser_readers::BROWSER_QUERIES);
    hold(&browser_readers::BROWSER_COOKIES);
}

#[test]
fn streams_of_servers_byte_by_byte() {
    hold(&readers::STREAMS);
}

#[test]
fn handles_in_bodies() {
    hold(&handle_readers::HANDLES);
    hold(&handle_readers::SEALED_ANSWERS);
}

/// A reader that would pass every other test here if nothing were counted.
#[test]
#[should_panic(expected = "steps for the input")]
fn what_takes_the_square_is_found() {
    let square = |text: &str| (0..text.len()).for_each(|_| crate::steps::take(text.len()));
    let most = Cost { steps: 512, allocated: 512 };
    let reader = Reader { name: "a square", places: &[], most, read: square };
    grow(&reader, "anything", |size| "x".repeat(size));
}

/// What one reader is given; any of these, one after the other, is one text.
fn mixed(parts: &[(usize, usize)], all: &[(&str, Value)]) -> String {
    parts.iter().map(|(at, size)| all[at % all.len()].1(*size)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    /// The same of texts that are put together by chance.
    #[test]
    fn whatever_is_mixed(
        reader in 0..ALL.len(),
        place in any::<prop::sample::Index>(),
        parts in prop::collection::vec((0..100_usize, 0..2000_usize), 1..6),
    ) {
        let reader = ALL[reader];
        readers::prepare();
        let input = match place.get(reader.places) {
            Place::Text(_, whole) => whole(&mixed(&parts, &texts())),
            Place::Json(_, whole) => {
                let text = serde_json::to_string(&mixed(&parts, &texts())).unwrap();
                let others = parts.iter().map(|(at, size)| values()[at % values().len()].1(*size));
                let list: Vec<_> = others.chain([text]).collect();
                whole(&format!("[{}]", list.join(",")))
            }
        };
        linear(reader.most, input.len(), || (reader.read)(&input));
    }
}
