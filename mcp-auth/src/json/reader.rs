//! One strict reader for JSON (RFC 8259): into plain data, or member by member where that is enough.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde_json::{Map, Number, Value};

use super::wrong_type::{WrongType, type_by_first_byte};

/// How the names begin that serde_json gives a meaning when it makes a [`Value`].
const RESERVED: &str = "$serde_json::private::";

/// What a text may have at most; more is taken for an attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JsonLimits {
    /// Objects and arrays inside each other.
    pub(crate) depth: usize,
    /// Members of one object.
    pub(crate) members: usize,
}

impl JsonLimits {
    /// For texts that are bounded otherwise, such as by their length. `serde_json` reads nothing deeper.
    pub(crate) const LARGEST: Self = Self { depth: 127, members: usize::MAX };
}

/// An object that is read member by member.
pub(crate) trait Object<'t>: Default {
    /// Takes one member; exactly one value must be read.
    fn member(&mut self, name: &str, value: &mut JsonReader<'t>) -> Result<(), JsonError>;
}

/// Reads exactly one JSON object, refusing duplicate member names at any depth.
///
/// RFC 8725 §2.4 and RFC 7515 §4: two readers that resolve duplicates differently see two tokens.
/// What it accepts, [`JsonReader::members`] accepts as a whole.
pub(crate) fn read_as<'t, T: Object<'t>>(
    bytes: &'t [u8],
    limits: JsonLimits,
) -> Result<T, JsonError> {
    read_whole(bytes, limits, |reader| {
        let mut object = T::default();
        reader.object(|name, value| object.member(name, value))?;
        Ok(object)
    })
}

/// Reads a text to its end.
pub(crate) fn read_whole<'t, T>(
    bytes: &'t [u8],
    limits: JsonLimits,
    read: impl FnOnce(&mut JsonReader<'t>) -> Result<T, JsonError>,
) -> Result<T, JsonError> {
    let text =
        std::str::from_utf8(bytes).map_err(|error| JsonError::Syntax(error.valid_up_to()))?;
    let mut reader = JsonReader::new(text, limits);
    let value = read(&mut reader)?;
    match reader.next_byte() {
        None => Ok(value),
        Some(_) => Err(JsonError::Syntax(reader.position)),
    }
}

/// Why a text could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum JsonError {
    DuplicateMember,
    /// A member name that some readers take for another one, because they look at no letter case.
    OtherLetters,
    /// A member name that serde_json gives a meaning.
    ReservedName,
    /// Not JSON at this byte.
    Syntax(usize),
    TooDeep,
    TooManyMembers,
    /// A number that readers read differently.
    WrongNumber,
    /// A value that is JSON, and not of the type that it must have.
    WrongType(Box<WrongType>),
}

impl JsonError {
    /// A value that is this, and must be that.
    #[cold]
    pub(crate) fn wrong_type(found: &'static str, needed: &'static str) -> Self {
        Self::WrongType(Box::new(WrongType::new(found, needed)))
    }

    /// The same in an item of a list.
    #[cold]
    fn in_list(self) -> Self {
        match self {
            Self::WrongType(wrong) => Self::WrongType(Box::new(wrong.in_list())),
            other => other,
        }
    }

    /// The same in the value of this member.
    #[cold]
    fn of_member(self, name: &str) -> Self {
        match self {
            Self::WrongType(wrong) => Self::WrongType(Box::new(wrong.of_member(name))),
            other => other,
        }
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DuplicateMember => f.write_str("duplicate member"),
            Self::OtherLetters => f.write_str("a member name in other letters"),
            Self::ReservedName => f.write_str("a member name that is reserved"),
            Self::Syntax(at) => write!(f, "not JSON at byte {at}"),
            Self::TooDeep => f.write_str("nested too deeply"),
            Self::TooManyMembers => f.write_str("too many members"),
            Self::WrongNumber => f.write_str("a number is out of range"),
            Self::WrongType(wrong) => wrong.fmt(f),
        }
    }
}

/// A place in a JSON text. Each method reads the value that begins there, and moves the place behind it.
pub(crate) struct JsonReader<'t> {
    text: &'t str,
    /// The place: bytes before it were read.
    position: usize,
    /// How many objects and arrays are open here.
    depth: usize,
    limits: JsonLimits,
}

impl<'t> JsonReader<'t> {
    fn new(text: &'t str, limits: JsonLimits) -> Self {
        Self { text, position: 0, depth: 0, limits }
    }

    /// A string, borrowed unless it holds escapes.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<Cow<'t, str>, JsonError> {
        if self.next_byte() != Some(b'"') {
            return self.wrong_type("a string");
        }
        self.quoted()
    }

    /// What is between two quotation marks: a string, or the name of a member.
    #[inline]
    fn quoted(&mut self) -> Result<Cow<'t, str>, JsonError> {
        self.expect(b'"')?;
        let (text, start) = (self.text, self.position);
        let end = start + plain_length(&text.as_bytes()[start..]);
        crate::steps::take(end - start + 1);
        if text.as_bytes().get(end) == Some(&b'"') {
            self.position = end + 1;
            return Ok(Cow::Borrowed(&text[start..end]));
        }
        self.position = end;
        self.string_with_escapes(start - 1).map(Cow::Owned)
    }

    #[cold]
    fn string_with_escapes(&mut self, start: usize) -> Result<String, JsonError> {
        let bytes = self.text.as_bytes();
        while bytes.get(self.position) == Some(&b'\\') && self.position + 2 < bytes.len() {
            self.position += 2;
            self.position += plain_length(&bytes[self.position..]);
        }
        self.expect(b'"')?;
        let whole = &bytes[start..self.position];
        crate::steps::take(whole.len());
        serde_json::from_slice(whole).map_err(|_| JsonError::Syntax(start))
    }

    /// A string, or an array of strings.
    pub(crate) fn string_or_list(&mut self) -> Result<StringOrList<'t>, JsonError> {
        match self.next_byte() {
            Some(b'[') => {}
            Some(b'"') => return self.quoted().map(StringOrList::One),
            _ => return self.wrong_type("a string or an array of strings"),
        }
        let start = self.position;
        self.items(b'[', b']', |item| item.string().map(drop).map_err(JsonError::in_list))?;
        Ok(StringOrList::Many(&self.text[start..self.position]))
    }

    /// The next item of an array of strings that was read before; `None` at its end.
    fn next_string_of_list(&mut self) -> Option<Cow<'t, str>> {
        if matches!(self.next_byte(), Some(b'[' | b',')) {
            self.position += 1;
        }
        match self.next_byte() {
            Some(b'"') => self.quoted().ok(),
            _ => None,
        }
    }

    /// A number, as precise as a double.
    pub(crate) fn number(&mut self) -> Result<f64, JsonError> {
        if let Some(b'"' | b'[' | b'{' | b't' | b'f' | b'n') = self.next_byte() {
            return self.wrong_type("a number");
        }
        let start = self.position;
        let is_negative = self.take_if(|byte| byte == b'-');
        let whole = if self.take_if(|byte| byte == b'0') { 0 } else { self.digits()? };
        let is_whole = !matches!(self.text.as_bytes().get(self.position), Some(b'.' | b'e' | b'E'));
        // Most numbers are dates: so few digits are exact, and faster so.
        if is_whole && self.position - start <= 15 && !is_negative {
            return Ok(whole as f64);
        }
        if self.take_if(|byte| byte == b'.') {
            self.digits()?;
        }
        if self.take_if(|byte| matches!(byte, b'e' | b'E')) {
            self.take_if(|byte| matches!(byte, b'+' | b'-'));
            self.digits()?;
        }
        let text = &self.text[start..self.position];
        crate::steps::take(text.len());
        // Some readers round integers that have more than 64 bits, and others do not.
        if is_whole && text.parse::<u64>().is_err() && text.parse::<i64>().is_err() {
            return Err(JsonError::WrongNumber);
        }
        // What is too large is an error for some readers, and infinity for others.
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => Err(JsonError::WrongNumber),
        }
    }

    /// A number as serde_json holds it: integers are exact.
    fn exact_number(&mut self) -> Result<Number, JsonError> {
        self.skip_space();
        let start = self.position;
        let number = self.number()?;
        let text = &self.text[start..self.position];
        crate::steps::take(text.len());
        if let Ok(whole) = text.parse::<u64>() {
            return Ok(whole.into());
        }
        match text.parse::<i64>() {
            // `-0` is a zero with a sign, which integers do not have.
            Ok(whole) if whole != 0 => Ok(whole.into()),
            _ => Number::from_f64(number).ok_or(JsonError::WrongNumber),
        }
    }

    /// Any value, as plain data.
    pub(crate) fn value(&mut self) -> Result<Value, JsonError> {
        match self.next_byte() {
            Some(b'"') => Ok(Value::String(self.string()?.into_owned())),
            Some(b'{') => self.members().map(Value::Object),
            Some(b'[') => {
                let mut list = Vec::new();
                self.items(b'[', b']', |item| item.value().map(|value| list.push(value)))?;
                Ok(Value::Array(list))
            }
            Some(b't') => self.word("true").map(|()| Value::Bool(true)),
            Some(b'f') => self.word("false").map(|()| Value::Bool(false)),
            Some(b'n') => self.word("null").map(|()| Value::Null),
            _ => self.exact_number().map(Value::Number),
        }
    }

    /// An object, as plain data.
    pub(crate) fn members(&mut self) -> Result<Map<String, Value>, JsonError> {
        self.wanted_members(|_| true)
    }

    /// Those members of an object whose names are wanted, as plain data.
    pub(crate) fn wanted_members(
        &mut self,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Result<Map<String, Value>, JsonError> {
        let mut members = Map::new();
        self.object(|name, value| {
            if !is_wanted(name) {
                return value.skip();
            }
            members.insert(name.to_owned(), value.value()?);
            Ok(())
        })?;
        Ok(members)
    }

    /// Any value, which is checked as strictly as one that is read, and then left out.
    pub(crate) fn skip(&mut self) -> Result<(), JsonError> {
        match self.next_byte() {
            Some(b'"') => self.string().map(drop),
            Some(b'{') => self.object(|_, value| value.skip()),
            Some(b'[') => self.items(b'[', b']', Self::skip),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            _ => self.number().map(drop),
        }
    }

    /// Any value as it was written, which is checked as [`JsonReader::skip`] does; `None` for `null`.
    pub(crate) fn written(&mut self) -> Result<Option<&'t str>, JsonError> {
        self.skip_space();
        let start = self.position;
        self.skip()?;
        let written = &self.text[start..self.position];
        Ok((written != "null").then_some(written))
    }

    /// Every item of an array: `item` must read exactly one value.
    pub(crate) fn list(
        &mut self,
        item: impl FnMut(&mut Self) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        self.items(b'[', b']', item)
    }

    /// What `read` reads; `None` for `null`.
    #[inline]
    pub(crate) fn nullable<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, JsonError>,
    ) -> Result<Option<T>, JsonError> {
        match self.next_byte() {
            Some(b'n') => self.word("null").map(|()| None),
            _ => read(self).map(Some),
        }
    }

    /// Every member of an object: `member` is called with its name, and must read exactly one value.
    pub(crate) fn object(
        &mut self,
        mut member: impl FnMut(&str, &mut Self) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        let mut names = MemberNames::new(self.limits.members);
        self.items(b'{', b'}', |reader| {
            let name = reader.quoted()?;
            reader.expect(b':')?;
            if name.starts_with(RESERVED) {
                return Err(JsonError::ReservedName);
            }
            member(&name, reader).map_err(|error| error.of_member(&name))?;
            names.add(name)
        })
    }

    /// Items with commas between them, from the `open` byte to the `close` byte.
    fn items(
        &mut self,
        open: u8,
        close: u8,
        mut item: impl FnMut(&mut Self) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        if self.next_byte() != Some(open) {
            return self.wrong_type(if open == b'{' { "an object" } else { "an array" });
        }
        self.position += 1;
        if self.depth == self.limits.depth {
            return Err(JsonError::TooDeep);
        }
        self.depth += 1;
        if self.next_byte() != Some(close) {
            item(self)?;
            while self.next_byte() == Some(b',') {
                self.position += 1;
                item(self)?;
            }
        }
        self.depth -= 1;
        self.expect(close)
    }

    /// `true`, `false` or `null`.
    fn word(&mut self, word: &str) -> Result<(), JsonError> {
        if !self.text.as_bytes()[self.position..].starts_with(word.as_bytes()) {
            return self.syntax_error();
        }
        self.position += word.len();
        Ok(())
    }

    /// One digit or more. Their value is right for up to 19 digits, and wraps around beyond.
    fn digits(&mut self) -> Result<u64, JsonError> {
        let (start, mut value) = (self.position, 0_u64);
        while let Some(digit @ b'0'..=b'9') = self.text.as_bytes().get(self.position) {
            crate::steps::take(1);
            value = value.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
            self.position += 1;
        }
        if self.position == start { self.syntax_error() } else { Ok(value) }
    }

    /// Reads the next byte if it is as wanted, white space not skipped; whether it was.
    #[inline]
    fn take_if(&mut self, is_wanted: impl Fn(u8) -> bool) -> bool {
        let found = self.text.as_bytes().get(self.position).is_some_and(|byte| is_wanted(*byte));
        self.position += usize::from(found);
        found
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Result<(), JsonError> {
        if self.next_byte() != Some(byte) {
            return self.syntax_error();
        }
        self.position += 1;
        Ok(())
    }

    /// The next byte that is not white space.
    #[inline]
    pub(crate) fn next_byte(&mut self) -> Option<u8> {
        match self.text.as_bytes().get(self.position) {
            // Nearly always: no white space is above it.
            Some(byte) if *byte > b' ' => Some(*byte),
            _ => {
                self.skip_space();
                self.text.as_bytes().get(self.position).copied()
            }
        }
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.as_bytes().get(self.position) {
            crate::steps::take(1);
            self.position += 1;
        }
    }

    /// The value that begins here is none of the type that is needed; what is not JSON has no type.
    #[cold]
    fn wrong_type<T>(&mut self, needed: &'static str) -> Result<T, JsonError> {
        let Some(found) = self.next_byte().and_then(type_by_first_byte) else {
            return self.syntax_error();
        };
        self.skip()?;
        Err(JsonError::wrong_type(found, needed))
    }

    fn syntax_error<T>(&self) -> Result<T, JsonError> {
        Err(JsonError::Syntax(self.position))
    }
}

/// How many bytes come before the first that ends a string, escapes, or is a control character.
fn plain_length(bytes: &[u8]) -> usize {
    let (chunks, rest) = bytes.as_chunks();
    for (index, chunk) in chunks.iter().enumerate() {
        let word = u64::from_le_bytes(*chunk);
        let special = mark_below(word, b' ') | mark_equal(word, b'"') | mark_equal(word, b'\\');
        let highest_bits = special & (ONE_IN_EACH_BYTE * 0x80);
        if highest_bits != 0 {
            return index * 8 + highest_bits.trailing_zeros() as usize / 8;
        }
    }
    chunks.len() * 8 + rest.iter().position(is_special_byte).unwrap_or(rest.len())
}

const ONE_IN_EACH_BYTE: u64 = u64::MAX / 0xff;

/// Looks at eight bytes at once: the lowest of them that is below the limit gets its highest bit set, and none below
/// it does. Bytes above it may be wrong.
#[inline]
fn mark_below(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(ONE_IN_EACH_BYTE * u64::from(limit)) & !word
}

/// As [`mark_below`], for the lowest byte that equals this one.
#[inline]
fn mark_equal(word: u64, byte: u8) -> u64 {
    mark_below(word ^ (ONE_IN_EACH_BYTE * u64::from(byte)), 1)
}

fn is_special_byte(byte: &u8) -> bool {
    matches!(byte, b'"' | b'\\' | ..b' ')
}

/// One string or an array of strings, as `aud` (RFC 7519 §4.1.3) and the scopes of some providers.
pub(crate) enum StringOrList<'t> {
    One(Cow<'t, str>),
    /// An array of strings as it is written, which was read to its end. Its items are read again whenever they are
    /// asked for, which costs less than memory for them.
    Many(&'t str),
}

impl StringOrList<'_> {
    pub(crate) fn iter(&self) -> Strings<'_> {
        match self {
            Self::One(one) => Strings::One(Some(one)),
            Self::Many(written) => Strings::Many(JsonReader::new(written, JsonLimits::LARGEST)),
        }
    }
}

/// The strings of a [`StringOrList`].
pub(crate) enum Strings<'s> {
    One(Option<&'s str>),
    /// Before the first item, or before the comma or the end behind an item.
    Many(JsonReader<'s>),
}

impl<'s> Iterator for Strings<'s> {
    type Item = Cow<'s, str>;

    fn next(&mut self) -> Option<Cow<'s, str>> {
        match self {
            Self::One(one) => one.take().map(Cow::Borrowed),
            Self::Many(reader) => reader.next_string_of_list(),
        }
    }
}

/// The member names of one object that were read so far, to find one that comes twice. Those of a usual token fit
/// without allocating.
struct MemberNames<'t> {
    /// How many more there may be.
    left: usize,
    /// One bit for each kind of name seen: a name whose bit is not set is new.
    kinds: u64,
    few: [&'t str; 16],
    few_count: usize,
    /// Made when it is needed.
    more: Option<HashSet<Cow<'t, str>>>,
}

impl<'t> MemberNames<'t> {
    fn new(limit: usize) -> Self {
        Self { left: limit, kinds: 0, few: [""; 16], few_count: 0, more: None }
    }

    fn add(&mut self, name: Cow<'t, str>) -> Result<(), JsonError> {
        self.left = self.left.checked_sub(1).ok_or(JsonError::TooManyMembers)?;
        let kind = kind_of(&name);
        if self.kinds & kind != 0 && self.contains(&name) {
            return Err(JsonError::DuplicateMember);
        }
        self.kinds |= kind;
        if let (Cow::Borrowed(borrowed), Some(free)) = (&name, self.few.get_mut(self.few_count)) {
            *free = borrowed;
            self.few_count += 1;
        } else {
            self.more.get_or_insert_default().insert(name);
        }
        Ok(())
    }

    fn contains(&self, name: &str) -> bool {
        crate::steps::take(self.few_count);
        let is_one_of_more = self.more.as_ref().is_some_and(|more| more.contains(name));
        is_one_of_more || self.few[..self.few_count].contains(&name)
    }
}

/// A bit that depends on the name's length, first and last byte alone: names with different bits are different.
fn kind_of(name: &str) -> u64 {
    let first = usize::from(name.bytes().next().unwrap_or_default());
    let last = usize::from(name.bytes().next_back().unwrap_or_default());
    1 << ((first * 5 + last * 3 + name.len()) % 64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    use super::*;
    use crate::json::{CheckedObject, read_object};

    #[derive(Debug, Default)]
    struct Whatever;

    impl<'t> Object<'t> for Whatever {
        fn member(&mut self, _: &str, value: &mut JsonReader<'t>) -> Result<(), JsonError> {
            value.skip()
        }
    }

    fn read(bytes: &[u8], depth: usize, members: usize) -> Result<(), JsonError> {
        read_as::<Whatever>(bytes, JsonLimits { depth, members }).map(|_| ())
    }

    /// A text whose members were skipped is accepted exactly if all of it can be read, and then the whole of it is there.
    fn prove_that_it_is_read_again(bytes: &[u8]) {
        let whole = read_object(bytes);
        assert_eq!(read(bytes, 127, usize::MAX), whole.clone().map(drop));
        if let Ok(members) = whole {
            assert_eq!(CheckedObject::new(bytes).members(), Ok(members));
        }
    }

    fn read_whole(bytes: &[u8]) -> Option<Map<String, Value>> {
        serde_json::from_slice(bytes).ok()
    }

    #[test]
    fn what_is_read_strictly_can_be_read_whole_and_the_reverse() {
        let nested = |depth| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        let rows: [&[u8]; 37] = [
            br#"{}"#,
            b" \t\r\n{ } \t\r\n",
            b"\x0c{}",
            b"\xef\xbb\xbf{}",
            b"",
            br#"{"a":null,"b":[1,-2,3.5,"x",{"y":true}],"c":false}"#,
            br#"{ "a" : [ 1 , 2 ] , "b" : { "c" : { } } }"#,
            br#"{"a":[0,-0,0.0,1e5,1E+5,1e-5,-1.25e-400,0e999]}"#,
            br#"{"a":1e999}"#,
            br#"{"a":1e400000000000000000000}"#,
            br#"{"a":01}"#,
            br#"{"a":-}"#,
            br#"{"a":1.}"#,
            br#"{"a":.5}"#,
            br#"{"a":1e}"#,
            br#"{"a":+1}"#,
            br#"{"a":NaN}"#,
            br#"{"a":nul}"#,
            br#"{"a":nulll}"#,
            br#"{"a":"\ud800"}"#,
            br#"{"a":"\ud83d\ude00 \u00e9 \/ \" \\ \b\f\n\r\t"}"#,
            br#"{"a":"\x"}"#,
            br#"{"a":"\u00"}"#,
            "{\"é\":\"日本語\"}".as_bytes(),
            b"{\"a\":\"\xff\"}",
            b"{\"a\":\"a\nb\"}",
            b"{\"a\":\"0123456\x1f\"}",
            br#"{"a":{"b":"\ud800"}}"#,
            br#"{"a":"\"#,
            br#"{"a":"\""#,
            br#"{"a":[1,]}"#,
            br#"{"a":1,}"#,
            br#"{a:1}"#,
            br#"{"a":1]"#,
            br#"{} x"#,
            &nested(126).into_bytes(),
            &nested(127).into_bytes(),
        ];
        for bytes in rows {
            let strict = read(bytes, 127, 256);
            assert_eq!(
                strict.is_ok(),
                read_whole(bytes).is_some(),
                "{}",
                String::from_utf8_lossy(bytes)
            );
            prove_that_it_is_read_again(bytes);
        }
    }

    #[test]
    fn a_string_or_a_list_gives_its_strings_however_they_are_written() {
        #[derive(Default)]
        struct One<'t>(Option<StringOrList<'t>>);
        impl<'t> Object<'t> for One<'t> {
            fn member(&mut self, _: &str, value: &mut JsonReader<'t>) -> Result<(), JsonError> {
                self.0 = Some(value.string_or_list()?);
                Ok(())
            }
        }
        let rows: [(&str, &[&str]); 9] = [
            (r#""a b""#, &["a b"]),
            (r#""""#, &[""]),
            ("[]", &[]),
            ("[ \t\r\n ]", &[]),
            (r#"["a"]"#, &["a"]),
            ("\n[ \"a\"\t,\r\n\"b\" ]", &["a", "b"]),
            (r#"["a,b","]","[","\"","\\","\u0061"]"#, &["a,b", "]", "[", "\"", "\\", "a"]),
            (r#"["",""]"#, &["", ""]),
            (r#"["é","日本語"]"#, &["é", "日本語"]),
        ];
        for (text, expected) in rows {
            let object = format!("{{\"aud\":{text}}}");
            let one: One<'_> = read_as(object.as_bytes(), JsonLimits::LARGEST).unwrap();
            let strings = one.0.unwrap();
            for _ in 0..2 {
                assert_eq!(strings.iter().collect::<Vec<_>>(), expected, "{text}");
            }
        }
        for text in ["[", "[1]", r#"["a"#, r#"["a",]"#, r#"["a" "b"]"#, r#"[["a"]]"#, "[null]"] {
            let object = format!("{{\"aud\":{text}}}");
            assert!(read_as::<One<'_>>(object.as_bytes(), JsonLimits::LARGEST).is_err(), "{text}");
        }
    }

    #[test]
    fn duplicates_are_refused_at_any_depth() {
        let many: String = (0..40).map(|index| format!(r#""m{index}":0,"#)).collect();
        let rows = [
            r#"{"x":1,"x":2}"#.to_owned(),
            r#"{"x":1,"\u0078":2}"#.to_owned(),
            r#"{"\u0078":1,"x":2}"#.to_owned(),
            r#"{"":1,"":2}"#.to_owned(),
            r#"{"a":{"x":1,"x":2}}"#.to_owned(),
            r#"{"a":[[{"b":{"x":1,"y":0,"x":2}}]]}"#.to_owned(),
            format!(r#"{{{many}"m3":1}}"#),
            format!(r#"{{{many}"m39":1}}"#),
        ];
        for text in rows {
            assert_eq!(read(text.as_bytes(), 16, 256), Err(JsonError::DuplicateMember), "{text}");
        }
        assert_eq!(read(br#"{"x":{"x":{"x":1}},"y":{"x":1}}"#, 16, 256), Ok(()));
        assert_eq!(read(format!(r#"{{{many}"m":1}}"#).as_bytes(), 16, 256), Ok(()));
    }

    #[test]
    fn depth_and_members_are_bounded() {
        assert_eq!(read(br#"{"a":[{}]}"#, 3, 1), Ok(()));
        assert_eq!(read(br#"{"a":[{}]}"#, 2, 1), Err(JsonError::TooDeep));
        assert_eq!(read(br#"{"a":{"b":1,"c":2}}"#, 3, 2), Ok(()));
        assert_eq!(read(br#"{"a":{"b":1,"c":2}}"#, 3, 1), Err(JsonError::TooManyMembers));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..Default::default() })]

        #[test]
        fn strings_are_read_as_the_reference_reads_them(
            text in r#"[a-z"\\\x00-\x20/unbé😀\x{7f}0-9]{0,40}"#
        ) {
            #[derive(Default)]
            struct One(String);
            impl<'t> Object<'t> for One {
                fn member(&mut self, _: &str, value: &mut JsonReader<'t>) -> Result<(), JsonError> {
                    self.0 = value.string()?.into_owned();
                    Ok(())
                }
            }
            let read = |object: &str| read_as::<One>(object.as_bytes(), JsonLimits::LARGEST).ok();
            let reference = |object: &str| {
                Some(read_whole(object.as_bytes())?["a"].as_str().map(str::to_owned).unwrap_or_default())
            };
            for object in [format!("{{\"a\":\"{text}\"}}"), serde_json::json!({ "a": text }).to_string()] {
                prove_that_it_is_read_again(object.as_bytes());
                // With a quote inside it may be more than one member.
                if reference(&object).is_none() || !text.contains('"') {
                    prop_assert_eq!(read(&object).map(|one| one.0), reference(&object));
                }
            }
        }

        #[test]
        fn numbers_are_read_as_the_reference_reads_them(
            text in r#"-?(0|[1-9][0-9]{0,17})([.][0-9]{1,5})?([eE][-+]?[0-9]{1,2})?"#
        ) {
            #[derive(Default)]
            struct One(f64);
            impl<'t> Object<'t> for One {
                fn member(&mut self, _: &str, value: &mut JsonReader<'t>) -> Result<(), JsonError> {
                    self.0 = value.number()?;
                    Ok(())
                }
            }
            let object = format!("{{\"a\":{text}}}");
            prove_that_it_is_read_again(object.as_bytes());
            let one = read_as::<One>(object.as_bytes(), JsonLimits::LARGEST).unwrap();
            let reference = read_whole(object.as_bytes()).unwrap()["a"].as_f64().unwrap();
            prop_assert!((one.0 - reference).abs() <= reference.abs() * 1e-15, "{}", object);
        }

        #[test]
        fn structure_is_read_as_the_reference_reads_it(
            text in r#"[{}\[\],:"ab0-9.eE+ -]{0,24}|[-+]?[0-9]{0,3}[.]?[0-9]{0,3}([eE][-+]?[0-9]{1,3})?"#
        ) {
            let object = format!("{{\"a\":{text}}}");
            prove_that_it_is_read_again(object.as_bytes());
            let (strict, whole) = (read(object.as_bytes(), 127, 256), read_whole(object.as_bytes()));
            match strict {
                Ok(()) => prop_assert!(whole.is_some(), "{}", object),
                Err(JsonError::DuplicateMember | JsonError::WrongNumber) => {}
                Err(_) => prop_assert!(whole.is_none(), "{}", object),
            }
        }
    }
}
