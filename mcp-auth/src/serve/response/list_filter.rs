//! Takes out of an answer's lists what the caller may not see; every other byte stays as it is.
//!
//! 1. Where lists are looked for is where some client could take one from, and not only where the specification puts
//!    one. [`rewrite`] names the places.
//! 2. An item stays by its name alone (a tool's and a prompt's `name`, a resource's `uri`, a template's `uriTemplate`). An
//!    item without a name, or with two, is taken out: readers could disagree which one it is.
//! 3. What readers could understand differently is a [`Fault`], and nothing of the answer goes on: a member that is there
//!    twice, a name in other letters, a name in which some readers find members that nobody wrote.
//! 4. What stays is copied byte by byte. No number is rounded and no escape written anew, so that a signature over an item
//!    holds, and a client sees what its server wrote.
//!
//! The time is linear in the document: each level is read once for its members, and none is read again for its values.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::handle_rules::HandleRules;
use super::list_trace::{folded_eq, has_trace};
use crate::serve::splice::Splice;
use crate::text::Text;

/// A list that a server answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListKind {
    Tools,
    Prompts,
    Resources,
    ResourceTemplates,
}

impl ListKind {
    pub(crate) const ALL: [Self; 4] =
        [Self::Tools, Self::Prompts, Self::Resources, Self::ResourceTemplates];

    /// The list that this method asks for.
    pub(crate) fn from_method(method: &str) -> Option<Self> {
        match method {
            // Of rmcp, beyond the specification: what is in a directory.
            "resources/directory/read" => Some(Self::Resources),
            _ => Self::ALL.into_iter().find(|kind| kind.method() == method),
        }
    }

    /// The method that asks for the list.
    pub(crate) fn method(self) -> &'static str {
        self.row().0
    }

    /// The member of a result that holds the list.
    pub(crate) fn member(self) -> &'static str {
        self.row().1
    }

    /// The member of an item that says which one it is.
    pub(crate) fn identifier(self) -> &'static str {
        self.row().2
    }

    fn row(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Tools => ("tools/list", "tools", "name"),
            Self::Prompts => ("prompts/list", "prompts", "name"),
            Self::Resources => ("resources/list", "resources", "uri"),
            Self::ResourceTemplates => {
                ("resources/templates/list", "resourceTemplates", "uriTemplate")
            }
        }
    }
}

/// Which results get `"cacheScope": "private"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Privacy {
    /// Those with lists.
    pub(crate) lists: PrivateRule,
    /// All others.
    pub(crate) others: PrivateRule,
}

/// When a result gets it; any other value of it is replaced then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PrivateRule {
    /// In every case.
    Always,
    /// Where it may be cached: beside `ttlMs`, clients take an absent `cacheScope` for public.
    IfCacheable,
    /// It may say what it likes.
    Never,
}

/// Why an answer cannot be passed on; the texts hold nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    NotAMessage,
    NotAList,
    Duplicate,
    OtherCase,
    ReservedName,
    StrayLine,
    TooLong,
    /// The configuration was replaced by one that admits the caller no more.
    NotAdmitted,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAMessage => "the answer is not a JSON-RPC message or a batch of them",
            Self::NotAList => "a list in the answer is not an array of objects",
            Self::Duplicate => "the answer has its result or a list twice",
            Self::OtherCase => {
                "the answer has the name of its result, a list or an item in other letters"
            }
            Self::ReservedName => "the answer has a member in which some readers find others",
            Self::StrayLine => "a line of the answer is JSON, and no field of an event",
            Self::TooLong => "an event of the answer is too long",
            Self::NotAdmitted => "the configuration was replaced, and admits the caller no more",
        })
    }
}

impl std::error::Error for Fault {}

/// Rewrites one JSON document: a JSON-RPC message, or a batch of them (revision 2025-03-26).
///
/// Lists of all kinds lose the items that are not kept, whatever was asked for, and get a `cacheScope`; so do other results where
/// the rule says so.
/// They are looked for where a client takes them from, a `result`, and where one that is careless could: in an
/// error and its `data`, in objects that are listed in their place; and without all of that, where a list was asked for (`is_asked`), since other
/// documents have members of these names too. Handles are sealed by their rules, if there are any. `None`: there is nothing
/// to change.
///
/// # Errors
/// What readers could understand differently, so that nothing of it may be passed on.
pub(super) fn rewrite(document: &[u8], rules: Rules<'_>) -> Result<Option<Vec<u8>>, Fault> {
    let mut rewriting = Rewriting { rules, splice: Splice::new(document) };
    if document.trim_ascii_start().starts_with(b"[") {
        let batch: Vec<&RawValue> =
            serde_json::from_slice(document).map_err(|_| Fault::NotAMessage)?;
        batch.into_iter().try_for_each(|message| rewriting.message(message))?;
    } else {
        rewriting.message(serde_json::from_slice(document).map_err(|_| Fault::NotAMessage)?)?;
    }
    Ok(rewriting.splice.finish())
}

/// Whether an item of this list and name stays.
type Keep<'r> = dyn Fn(ListKind, &str) -> bool + 'r;

/// What is to be changed in a document.
pub(super) struct Rules<'r> {
    pub(super) is_asked: bool,
    /// Whether lists are looked for, and which of their items stay.
    pub(super) filters_lists: bool,
    pub(super) keep: &'r Keep<'r>,
    pub(super) privacy: Privacy,
    pub(super) handles: Option<&'r HandleRules>,
}

/// A document with the changes that were found to be needed.
struct Rewriting<'d, 'r> {
    rules: Rules<'r>,
    splice: Splice<'d>,
}

impl<'d> Rewriting<'d, '_> {
    /// A message is what its members are, whichever of them say that it is a call.
    fn message(&mut self, message: &'d RawValue) -> Result<(), Fault> {
        let has_members = message.get().starts_with(['{', '[']);
        if !has_members && !self.rules.is_asked {
            return Ok(());
        }
        let members = Members::of(message)?;
        if let Some(handles) = self.rules.handles {
            handles.seal(&members, &mut self.splice)?;
        }
        if !self.rules.filters_lists {
            return Ok(());
        }
        members.check_names()?;
        if self.rules.is_asked {
            self.lists(&members, false)?;
        }
        for result in objects_of(members.one("result")?)? {
            let result_members = Members::of(result)?;
            let rule = match self.lists(&result_members, false)? {
                true => self.rules.privacy.lists,
                false => self.rules.privacy.others,
            };
            self.make_private(result, &result_members, rule);
        }
        for error in objects_of(members.one("error")?)? {
            let error_members = Members::of(error)?;
            self.lists(&error_members, true)?;
            for data in objects_of(error_members.one("data")?)? {
                self.lists(&Members::of(data)?, true)?;
            }
        }
        Ok(())
    }

    /// Filters the lists among the members of an object; whether there are any. In an error, a text in place
    /// of a list is none, if it holds no object.
    fn lists(&mut self, members: &Members<'d>, is_error: bool) -> Result<bool, Fault> {
        members.check_names()?;
        let mut has_list = false;
        for kind in ListKind::ALL {
            let Some(list) = members.one(kind.member())? else { continue };
            let is_text = list.get().starts_with('"') && !list.get().contains(['{', '\\']);
            // Some servers write a list without items as `null`.
            if list.get() == "null" || (is_error && is_text) {
                continue;
            }
            self.list(kind, list)?;
            has_list = true;
        }
        Ok(has_list)
    }

    /// Notes the change that one list needs, if it loses an item.
    fn list(&mut self, kind: ListKind, list: &'d RawValue) -> Result<(), Fault> {
        crate::steps::take(list.get().len());
        let items: Vec<&RawValue> =
            serde_json::from_str(list.get()).map_err(|_| Fault::NotAList)?;
        if !items.iter().all(|item| is_object(item)) {
            return Err(Fault::NotAList);
        }
        let shown = items.iter().copied().filter(|item| {
            identifier(kind, item).is_some_and(|identifier| (self.rules.keep)(kind, &identifier.0))
        });
        let kept: Vec<_> = shown.map(RawValue::get).collect();
        if kept.len() < items.len() {
            self.splice.replace(list.get(), format!("[{}]", kept.join(",")));
        }
        Ok(())
    }

    /// Notes the change that lets no shared cache keep this result for other callers. Two members of that name both become
    /// private, whichever a client reads.
    fn make_private(&mut self, result: &'d RawValue, members: &Members<'d>, rule: PrivateRule) {
        if rule == PrivateRule::Never {
            return;
        }
        let is_cacheable = members.all("ttlMs").next().is_some();
        let mut scopes = members.all("cacheScope").peekable();
        if scopes.peek().is_none() && (is_cacheable || rule == PrivateRule::Always) {
            let comma = if members.0.is_empty() { "" } else { "," };
            let member = format!(r#""cacheScope":"private"{comma}"#);
            self.splice.insert_after_first(result.get(), member);
        }
        for scope in scopes {
            if text(scope).is_none_or(|value| value.0 != "private") {
                self.splice.replace(scope.get(), r#""private""#.to_owned());
            }
        }
    }
}

/// Whether readers may find more in a member of this name: JavaScript's objects inherit from the one, and
/// serde's values are read from the text in the others.
fn is_reserved(name: &str) -> bool {
    name == "__proto__" || name.starts_with("$serde_json::private::")
}

/// What an item is called; `None` when readers could disagree about it.
fn identifier(kind: ListKind, item: &RawValue) -> Option<Text<'_>> {
    text(Members::of(item).ok()?.one(kind.identifier()).ok()??)
}

pub(super) fn text(value: &RawValue) -> Option<Text<'_>> {
    serde_json::from_str(value.get()).ok()
}

pub(super) fn is_object(value: &RawValue) -> bool {
    value.get().starts_with('{')
}

/// A value that is an object, or the objects in a list of them, where a careless reader looks as well.
fn objects_of(value: Option<&RawValue>) -> Result<Vec<&RawValue>, Fault> {
    let Some(value) = value else { return Ok(Vec::new()) };
    if !value.get().starts_with('[') {
        return Ok(if is_object(value) { vec![value] } else { Vec::new() });
    }
    crate::steps::take(value.get().len());
    let items: Vec<&RawValue> =
        serde_json::from_str(value.get()).map_err(|_| Fault::NotAMessage)?;
    let mut deeper = items.iter().filter(|item| item.get().starts_with('['));
    if deeper.any(|item| has_trace(item.get().as_bytes())) {
        return Err(Fault::NotAMessage);
    }
    Ok(items.into_iter().filter(|item| is_object(item)).collect())
}

/// The items of a value that is a list.
pub(super) fn items(value: Option<&RawValue>) -> Result<Vec<&RawValue>, Fault> {
    let Some(list) = value.filter(|one| one.get().starts_with('[')) else {
        return Ok(Vec::new());
    };
    crate::steps::take(list.get().len());
    serde_json::from_str(list.get()).map_err(|_| Fault::NotAMessage)
}

/// The members of an object, in order, their names decoded and their values unread.
pub(super) struct Members<'d>(Vec<(Text<'d>, &'d RawValue)>);

impl<'d> Members<'d> {
    pub(super) fn of(object: &'d RawValue) -> Result<Self, Fault> {
        crate::steps::take(object.get().len());
        serde_json::from_str(object.get()).map_err(|_| Fault::NotAMessage)
    }

    /// Every member of this name, in whatever letters.
    fn all(&self, name: &str) -> impl Iterator<Item = &'d RawValue> {
        self.0.iter().filter(move |member| folded_eq(&member.0.0, name)).map(|member| member.1)
    }

    /// The member of this name; two are a fault, because readers disagree which of them counts, and so is one
    /// in other letters, which some readers (Go's) take for it.
    fn one(&self, name: &str) -> Result<Option<&'d RawValue>, Fault> {
        crate::steps::take(self.0.len());
        let mut first = None;
        for (written, value) in self.0.iter().filter(|(written, _)| folded_eq(&written.0, name)) {
            if written.0 != name {
                return Err(Fault::OtherCase);
            }
            if first.replace(*value).is_some() {
                return Err(Fault::Duplicate);
            }
        }
        Ok(first)
    }

    /// The member of exactly this name; two are a fault.
    pub(super) fn exact(&self, name: &str) -> Result<Option<&'d RawValue>, Fault> {
        crate::steps::take(self.0.len());
        let mut found = self.0.iter().filter(|member| member.0.0 == name).map(|member| member.1);
        match (found.next(), found.next()) {
            (_, Some(_)) => Err(Fault::Duplicate),
            (first, None) => Ok(first),
        }
    }

    /// A name is a fault that makes some readers find members which are not written.
    fn check_names(&self) -> Result<(), Fault> {
        let is_reserved = self.0.iter().any(|(name, _)| is_reserved(&name.0));
        if is_reserved { Err(Fault::ReservedName) } else { Ok(()) }
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Self(Vec::new()))
    }
}

impl<'de> Visitor<'de> for Members<'de> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        while let Some(member) = map.next_entry()? {
            self.0.push(member);
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::vec;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// Keeps everything whose name does not begin with "hidden".
    fn rewritten(document: &str) -> Result<Option<String>, Fault> {
        rewritten_by(PrivateRule::IfCacheable, document)
    }

    fn rewritten_by(private: PrivateRule, document: &str) -> Result<Option<String>, Fault> {
        let keep = |_, name: &str| !name.starts_with("hidden");
        let new = rewrite(document.as_bytes(), true, &keep, of_lists(private))?;
        Ok(new.map(|bytes| String::from_utf8(bytes).unwrap()))
    }

    /// Without handles.
    fn rewrite(
        document: &[u8],
        is_asked: bool,
        keep: &dyn Fn(ListKind, &str) -> bool,
        privacy: Privacy,
    ) -> Result<Option<Vec<u8>>, Fault> {
        let rules = Rules { is_asked, filters_lists: true, keep, privacy, handles: None };
        super::rewrite(document, rules)
    }

    fn of_lists(lists: PrivateRule) -> Privacy {
        Privacy { lists, others: PrivateRule::Never }
    }

    #[test]
    fn results_without_a_list_are_private_where_the_rule_says_so() {
        let rows = [
            (PrivateRule::Never, r#"{"result":{"ttlMs":5,"cacheScope":"public"}}"#, None),
            (PrivateRule::IfCacheable, r#"{"result":{"contents":[]}}"#, None),
            (
                PrivateRule::IfCacheable,
                r#"{"result":{"contents":[],"cacheScope" : "public"}}"#,
                Some(r#"{"result":{"contents":[],"cacheScope" : "private"}}"#),
            ),
            (
                PrivateRule::IfCacheable,
                r#"{"result":{"contents":[],"CacheScope":"PUBLIC","ttlMs":1}}"#,
                Some(r#"{"result":{"contents":[],"CacheScope":"private","ttlMs":1}}"#),
            ),
            (
                PrivateRule::IfCacheable,
                r#"{"result":{"ttlMs":5}}"#,
                Some(r#"{"result":{"cacheScope":"private","ttlMs":5}}"#),
            ),
            (
                PrivateRule::IfCacheable,
                r#"{"result":{"cacheScope":"private","ca\u0063heScope":"public"}}"#,
                Some(r#"{"result":{"cacheScope":"private","ca\u0063heScope":"private"}}"#),
            ),
            (
                PrivateRule::Always,
                r#"{"result":{}}"#,
                Some(r#"{"result":{"cacheScope":"private"}}"#),
            ),
            (PrivateRule::Always, r#"{"result":{"cacheScope":"private"}}"#, None),
            (PrivateRule::Always, r#"{"error":{"code":-1,"message":""}}"#, None),
            // It is text, and no member of the result.
            (
                PrivateRule::IfCacheable,
                r#"{"result":{"contents":[{"text":"{\"ttlMs\":1}"}]}}"#,
                None,
            ),
        ];
        for (others, document, expected) in rows {
            let privacy = Privacy { lists: PrivateRule::IfCacheable, others };
            let new = rewrite(document.as_bytes(), false, &|_, _| true, privacy).unwrap();
            let text = new.map(|bytes| String::from_utf8(bytes).unwrap());
            assert_eq!(text.as_deref(), expected, "{others:?} {document}");
        }
    }

    #[test]
    fn each_list_has_its_method_and_members() {
        for kind in ListKind::ALL {
            assert_eq!(ListKind::from_method(kind.row().0), Some(kind));
            let (list, name) = (kind.member(), kind.identifier());
            let document = format!(
                r#"{{"id":1,"result":{{"{list}":[{{"{name}":"hidden"}},{{"{name}":"b"}}]}}}}"#
            );
            let expected = format!(r#"{{"id":1,"result":{{"{list}":[{{"{name}":"b"}}]}}}}"#);
            assert_eq!(rewritten(&document), Ok(Some(expected)));
        }
        assert_eq!(ListKind::from_method("tools/call"), None);
        assert_eq!(ListKind::from_method("tools"), None);
    }

    #[test]
    fn the_kind_is_told() {
        let document = br#"{"result":{"tools":[{"name":"a"}],"prompts":[{"name":"a"}]}}"#;
        let keep = |kind, _: &str| kind == ListKind::Prompts;
        let new = rewrite(document, true, &keep, of_lists(PrivateRule::IfCacheable));
        let expected = br#"{"result":{"tools":[],"prompts":[{"name":"a"}]}}"#;
        assert_eq!(new, Ok(Some(expected.to_vec())));
    }

    #[test]
    fn what_needs_no_change_is_not_changed() {
        let rows = [
            r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"}]}}"#,
            " \t{\r\n\"result\" : { \"tools\" : [ {\"name\":\"a\" } , {\"name\":\"b\"} ] } } \n",
            r#"{"result":{"tools":[]}}"#,
            r#"{"result":{"tools":[{"name":"a"}],"ttlMs":5,"cacheScope":"private"}}"#,
            r#"{"result":{"tools":[{"name":"a"}],"cacheScope":"\u0070rivate"}}"#,
            // Not a result with a list.
            r#"{"method":"x","params":{"tools":[{"name":"hidden"}]}}"#,
            r#"{"method":"sampling/createMessage","id":1,"params":{"tools":[{"name":"hidden"}]}}"#,
            r#"{"result":{"content":{"tools":[{"name":"hidden"}]}}}"#,
            r#"{"result":{"structuredContent":{"tools":[{"name":"hidden"}],"resources":5}}}"#,
            r#"{"result":{"content":[{"type":"text","text":"{\"tools\":[]}"}]},"__proto__x":1}"#,
            r#"{"result":{"a":{"__proto__":1,"$serde_json::private::RawValue":"{}"}}}"#,
            r#"{"result":{"ttlMs":5,"cacheScope":"public"}}"#,
            r#"{"result":[{"content":[]}, 5, [5], [{"a":1}]]}"#,
            r#"{"error":{"code":-1,"message":"x","data":{"tools":"there are no tools","prompts":""}}}"#,
            r#"{"error":{"code":-1,"message":"x","resources":"text"}}"#,
            r#"{"result":{"toolset":1,"Toolset":2,"TOOL":3,"title":"Tools"},"Results":1}"#,
            r#"{"result":null}"#,
            r#"{"error":{"code":-1,"message":"tools"},"id":null}"#,
            "{}",
            "[]",
            r#"[{"result":{"tools":[{"name":"a"}]}},{"method":"y"}]"#,
        ];
        for document in rows {
            assert_eq!(rewritten(document), Ok(None), "{document}");
        }
    }

    #[test]
    fn what_is_hidden_is_gone_and_the_rest_is_as_it_was() {
        let rows = [
            (
                " {\"id\" : 1.0e+999, \"result\" : {\"tools\": [ {\"name\":\"hidden\"} ] }, \"\\u0061\":\"\\ud800\"} ",
                " {\"id\" : 1.0e+999, \"result\" : {\"tools\": [] }, \"\\u0061\":\"\\ud800\"} ",
            ),
            (
                r#"{"result":{"tools":[ {"name" : "a", "x":[1, 18446744073709551616]} , {"name":"hidden"},{"name":"\u00e9é"}]}}"#,
                r#"{"result":{"tools":[{"name" : "a", "x":[1, 18446744073709551616]},{"name":"\u00e9é"}]}}"#,
            ),
            // Names are compared decoded, those of members too.
            (
                r#"{"result":{"tools":[{"name":"\u0068idden"},{"n\u0061me":"hidden"},{"n\u0061me":"b"}]}}"#,
                r#"{"result":{"tools":[{"n\u0061me":"b"}]}}"#,
            ),
            (
                r#"{"r\u0065sult":{"t\u006fols":[{"name":"hidden"}]}}"#,
                r#"{"r\u0065sult":{"t\u006fols":[]}}"#,
            ),
            // No name, no string, two names, no text: nobody knows which item it is.
            (
                r#"{"result":{"tools":[{},{"name":1},{"name":null},{"name":["a"]},{"name":"a","name":"b"},
                   {"name":"a","n\u0061me":"a"},{"name":"\ud800"},{"name":"a","\ud800":1},{"uri":"a"},{"name":"c"}]}}"#,
                r#"{"result":{"tools":[{"name":"c"}]}}"#,
            ),
            // An inner `name` is not the item's.
            (
                r#"{"result":{"tools":[{"x":{"name":"a"}},{"x":{"name":"hidden"},"name":"a"}]}}"#,
                r#"{"result":{"tools":[{"x":{"name":"hidden"},"name":"a"}]}}"#,
            ),
            (
                r#"[{"method":"x"}, {"result":{"tools":[{"name":"hidden"}]}} ,{"result":{"prompts":[{"name":"hidden"}],"resources":[]}}]"#,
                r#"[{"method":"x"}, {"result":{"tools":[]}} ,{"result":{"prompts":[],"resources":[]}}]"#,
            ),
            // Whatever else says that it is no answer, or no success, and wherever it stands.
            (
                r#"{"method":"x","result":{"tools":[{"name":"hidden"},{"name":"a"}]}}"#,
                r#"{"method":"x","result":{"tools":[{"name":"a"}]}}"#,
            ),
            (
                r#"{"result":{"prompts":[{"name":"hidden"}]},"method":"notifications/progress","params":{}}"#,
                r#"{"result":{"prompts":[]},"method":"notifications/progress","params":{}}"#,
            ),
            (
                r#"{"error":{"code":1,"data":{"tools":[{"name":"hidden"}]},"tools":[{"name":"hidden"}]},"result":null}"#,
                r#"{"error":{"code":1,"data":{"tools":[]},"tools":[]},"result":null}"#,
            ),
            (
                r#"{"error":{},"result":{"resources":[{"uri":"hidden:x"}]},"tools":[{"name":"hidden"}]}"#,
                r#"{"error":{},"result":{"resources":[]},"tools":[]}"#,
            ),
            (r#"{"tools":[{"name":"a"},{"name":"hidden"}]}"#, r#"{"tools":[{"name":"a"}]}"#),
            // Members that mean something to some readers only, in an item that has its name.
            (
                r#"{"result":{"tools":[{"$serde_json::private::RawValue":"{\"name\":\"a\"}"},{"__proto__":{"name":"a"}},
                    {"name":{"$serde_json::private::RawValue":"\"a\""}},{"__proto__":{"name":"hidden"},"name":"a"}]}}"#,
                r#"{"result":{"tools":[{"__proto__":{"name":"hidden"},"name":"a"}]}}"#,
            ),
        ];
        for (document, expected) in rows {
            assert_eq!(rewritten(document), Ok(Some(expected.to_owned())), "{document}");
        }
    }

    #[test]
    fn where_no_list_was_asked_for_only_answers_have_lists() {
        let hide = |_, _: &str| false;
        let passes = |document: &str| {
            rewrite(document.as_bytes(), false, &hide, of_lists(PrivateRule::IfCacheable))
                .map(|new| new.is_none())
        };
        for document in [
            r#"{"tools":[{"id":1}],"resources":["a"]}"#,
            r#"[{"prompts":{}},{"tools":[{"name":"hammer"}]}]"#,
            r#"{"resources":[],"resources":[]}"#,
            r#"["tools",1,null,{"type":"resource"}]"#,
        ] {
            assert_eq!(passes(document), Ok(true), "{document}");
        }
        for document in [
            r#"{"result":{"tools":[{"name":"a"}]},"tools":1}"#,
            r#"{"method":"x","result":{"resources":[{"uri":"a"}]}}"#,
            r#"{"error":{"data":{"prompts":[{"name":"a"}]}}}"#,
        ] {
            assert_eq!(passes(document), Ok(false), "{document}");
        }
        assert_eq!(passes(r#"{"__proto__":{"result":{"tools":[]}}}"#), Err(Fault::ReservedName));
        assert_eq!(passes(r#"{"result":{"tools":["a"]}}"#), Err(Fault::NotAList));
        assert_eq!(passes(r#"["tools",[{"result":{"tools":[]}}]]"#), Err(Fault::NotAMessage));
    }

    #[test]
    fn lists_in_a_list_of_results_and_items_with_other_names_lose_what_is_hidden() {
        let rows = [
            (
                r#"{"result":[{"tools":[{"name":"hidden"}]},5,{"tools":[{"name":"a"}]}]}"#,
                r#"{"result":[{"tools":[]},5,{"tools":[{"name":"a"}]}]}"#,
            ),
            (
                r#"{"error":{"data":[{"tools":[{"name":"hidden"}]}]}}"#,
                r#"{"error":{"data":[{"tools":[]}]}}"#,
            ),
            (
                r#"{"result":{"tools":[{"name":"a","Name":"hidden"},{"NAME":"a"},{"name":"b"}]}}"#,
                r#"{"result":{"tools":[{"name":"b"}]}}"#,
            ),
            (
                r#"{"result":{"tools":[],"CacheScope":"public"}}"#,
                r#"{"result":{"tools":[],"CacheScope":"private"}}"#,
            ),
        ];
        for (document, expected) in rows {
            assert_eq!(rewritten(document), Ok(Some(expected.to_owned())), "{document}");
        }
    }

    #[test]
    fn a_list_becomes_private() {
        let private = r#"{"result":{"tools":[],"cacheScope":"private"}}"#;
        // A document, what it becomes when it is cacheable, and what it always becomes.
        let rows = [
            (private, None, None),
            (r#"{"result":{"content":[],"ttlMs":1}}"#, None, None),
            (
                r#"{"result":{ "tools":[]}}"#,
                None,
                Some(r#"{"result":{"cacheScope":"private", "tools":[]}}"#),
            ),
            (r#"{"result":{"tools":[],"cacheScope":"public"}}"#, Some(private), Some(private)),
            (r#"{"result":{"tools":[],"cacheScope":null}}"#, Some(private), Some(private)),
            (
                r#"{"result":{"cacheScope":"public","tools":[{"name":"hidden"}],"cacheScope":["a"],"ttlMs":1}}"#,
                Some(
                    r#"{"result":{"cacheScope":"private","tools":[],"cacheScope":"private","ttlMs":1}}"#,
                ),
                Some(
                    r#"{"result":{"cacheScope":"private","tools":[],"cacheScope":"private","ttlMs":1}}"#,
                ),
            ),
            (
                r#"{"result":{"ttlMs":0,"tools":[{"name":"hidden"}]}}"#,
                Some(r#"{"result":{"cacheScope":"private","ttlMs":0,"tools":[]}}"#),
                Some(r#"{"result":{"cacheScope":"private","ttlMs":0,"tools":[]}}"#),
            ),
        ];
        for (document, if_cacheable, always) in rows {
            for (rule, expected) in
                [(PrivateRule::IfCacheable, if_cacheable), (PrivateRule::Always, always)]
            {
                let new = rewritten_by(rule, document);
                assert_eq!(new, Ok(expected.map(str::to_owned)), "{rule:?} {document}");
            }
        }
    }

    #[test]
    fn what_could_be_misread_is_a_fault() {
        let rows = [
            ("", Fault::NotAMessage),
            ("x", Fault::NotAMessage),
            ("null", Fault::NotAMessage),
            ("\"tools\"", Fault::NotAMessage),
            ("{", Fault::NotAMessage),
            ("{} {}", Fault::NotAMessage),
            ("[{},]", Fault::NotAMessage),
            ("[1]", Fault::NotAMessage),
            ("[[]]", Fault::NotAMessage),
            ("\u{feff}{}", Fault::NotAMessage),
            (r#"{"a":NaN}"#, Fault::NotAMessage),
            (r#"{"\ud800":1}"#, Fault::NotAMessage),
            (r#"{"result":{"\ud800":1}}"#, Fault::NotAMessage),
            (r#"{"result":{},"result":{}}"#, Fault::Duplicate),
            (r#"[{},{"result":1,"r\u0065sult":2}]"#, Fault::Duplicate),
            (r#"{"result":{"tools":[],"tools":[]}}"#, Fault::Duplicate),
            (r#"{"result":{"tools":[],"t\u006fols":[]}}"#, Fault::Duplicate),
            (r#"{"method":"x","result":{},"result":{"tools":[]}}"#, Fault::Duplicate),
            (r#"{"error":{},"error":{"data":{}}}"#, Fault::Duplicate),
            (r#"{"error":{"data":1,"d\u0061ta":{}}}"#, Fault::Duplicate),
            (r#"{"result":{"tools":[],"prompts":[],"prompts":null}}"#, Fault::Duplicate),
            (r#"{"error":{"data":{"tools":5}}}"#, Fault::NotAList),
            (r#"{"error":{"data":{"tools":"[{\"name\":\"hidden\"}]"}}}"#, Fault::NotAList),
            (r#"{"error":{"tools":"{}"}}"#, Fault::NotAList),
            (r#"{"result":{"tools":"hidden"}}"#, Fault::NotAList),
            (r#"{"result":{"Tools":[{"name":"hidden"}]}}"#, Fault::OtherCase),
            (r#"{"result":{"tools":[],"TOOLS":null}}"#, Fault::OtherCase),
            (r#"{"result":{"re\u017fources":[]}}"#, Fault::OtherCase),
            (r#"{"Result":{"tools":[]}}"#, Fault::OtherCase),
            (r#"{"error":{"Data":{"tools":[]}}}"#, Fault::OtherCase),
            (r#"[{"Error":{}}]"#, Fault::OtherCase),
            (r#"{"result":[[{"tools":[{"name":"hidden"}]}]]}"#, Fault::NotAMessage),
            (r#"{"method":"x","result":{"tools":["hidden"]}}"#, Fault::NotAList),
            (r#"{"tools":["hidden"]}"#, Fault::NotAList),
            (r#"{"__proto__":{"result":{"tools":[]}}}"#, Fault::ReservedName),
            (r#"{"result":{"__pr\u006fto__":{"tools":[]}}}"#, Fault::ReservedName),
            (r#"[{"error":{"data":{"__proto__":1}}}]"#, Fault::ReservedName),
            (r#"{"$serde_json::private::RawValue":"{}"}"#, Fault::ReservedName),
            (r#"{"result":{"\u0024serde_json::private::RawValue":"{}"}}"#, Fault::ReservedName),
            (r#"{"result":{"tools":{"$serde_json::private::RawValue":"[]"}}}"#, Fault::NotAList),
            (r#"[[{"result":{"tools":[{"name":"hidden"}]}}]]"#, Fault::NotAMessage),
            (r#"{"result":{"tools":[{"name":"hidden"}]}}{"result":{}}"#, Fault::NotAMessage),
            (r#"{"result":{"tools":{"name":"a"}}}"#, Fault::NotAList),
            (r#"{"result":{"tools":["a"]}}"#, Fault::NotAList),
            (r#"{"result":{"tools":[{"name":"hidden"},[{"name":"a"}]]}}"#, Fault::NotAList),
        ];
        for (document, fault) in rows {
            assert_eq!(rewritten(document), Err(fault), "{document}");
        }
        assert_eq!(
            rewrite(b"{\"a\":\"\xff\"}", true, &|_, _| true, of_lists(PrivateRule::Always)),
            Err(Fault::NotAMessage)
        );
    }

    #[test]
    fn depth_is_no_danger() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let item = format!(r#"{{"name":"a","x":{deep}}}"#);
        let document = format!(r#"{{"result":{{"tools":[{item},{{"name":"hidden"}}]}}}}"#);
        let expected = format!(r#"{{"result":{{"tools":[{item}]}}}}"#);
        assert_eq!(rewritten(&document), Ok(Some(expected)));
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            let name =
                prop_oneof![Just("name".to_owned()), Just("tools".to_owned()), any::<String>()];
            prop_oneof![
                vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(name, inner, 0..4)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    /// An item as it is written, and its name if it has exactly one.
    fn any_item() -> impl Strategy<Value = (String, Option<String>)> {
        let name = "[a-dé\\\\]{1,2}";
        prop_oneof![
            6 => (name, any_value(), any::<bool>()).prop_map(|(name, other, is_first)| {
                let written = escaped(&name);
                let text = if is_first {
                    format!(r#"{{ "name" :{written},"a b": {other}}}"#)
                } else {
                    format!(r#"{{"annotations":{other}, "n\u0061me":{written} }}"#)
                };
                (text, Some(name))
            }),
            1 => any_value().prop_map(|other| (format!(r#"{{"title":{other}}}"#), None)),
            1 => Just((r#"{"name":1}"#.to_owned(), None)),
            1 => name.prop_map(|name| {
                let name = escaped(&name);
                (format!(r#"{{"name":{name},"name":{name}}}"#), None)
            }),
        ]
    }

    /// A string with every second character escaped.
    fn escaped(name: &str) -> String {
        let escape = |(position, character): (usize, char)| match position % 2 {
            0 => format!("\\u{:04x}", u32::from(character)),
            _ => json!(character.to_string()).to_string().trim_matches('"').to_owned(),
        };
        let text: String = name.chars().enumerate().map(escape).collect();
        format!("\"{text}\"")
    }

    fn spaced(items: &[String], space: &str) -> String {
        format!("[{space}{}{space}]", items.join(&format!("{space},{space}")))
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn what_is_kept_and_private_is_untouched(
            items in vec(any_item().prop_filter("has a name", |item| item.1.is_some()), 0..6),
            (before, after) in (any_value(), any_value()),
            space in "[ \t\r\n]{0,2}",
            is_batch: bool,
        ) {
            let items: Vec<_> = items.into_iter().map(|item| item.0).collect();
            let list = spaced(&items, &space);
            let mut document = format!(
                r#"{space}{{"x":{before:#},"result":{space}{{"x":{after},"tools":{list},"cacheScope":"private"}},"y":{after}}}{space}"#
            );
            if is_batch {
                document = spaced(&[document.clone(), r#"{"method":"x"}"#.to_owned(), document], &space);
            }
            let new = rewrite(document.as_bytes(), true, &|_, _| true, of_lists(PrivateRule::Always));
            prop_assert_eq!(new, Ok(None));
        }

        #[test]
        fn it_does_what_a_filter_of_the_value_does(
            items in vec(any_item(), 0..8),
            visible in proptest::collection::btree_set("[a-dé\\\\]{1,2}", 0..16),
            (before, after) in (any_value(), any_value()),
            space in "[ \t\r\n]{0,2}",
            scope in prop_oneof![Just(""), Just(r#""cacheScope":"public","#), Just(r#""ttlMs" : 1 ,"#)],
        ) {
            let written: Vec<_> = items.iter().map(|item| item.0.clone()).collect();
            let list = spaced(&written, &space);
            let document = format!(
                r#"{{"x":{before:#}, "result":{space}{{{scope}"x":{after},"tools":{list} }},"y":{after}}}"#
            );
            let mut expected: Value = serde_json::from_str(&document).unwrap();
            expected["result"]["cacheScope"] = json!("private");
            expected["result"]["tools"] = kept(&items, &visible);
            let keep = |_, name: &str| visible.contains(name);
            let new = rewrite(document.as_bytes(), true, &keep, of_lists(PrivateRule::Always));
            let new = new.unwrap().unwrap();
            prop_assert_eq!(serde_json::from_slice::<Value>(&new).unwrap(), expected);
            let again = rewrite(&new, true, &keep, of_lists(PrivateRule::Always));
            prop_assert_eq!(again, Ok(None));
        }

        #[test]
        fn broken_documents_are_no_danger(
            items in vec(any_item(), 0..3),
            changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        ) {
            let written: Vec<_> = items.into_iter().map(|item| item.0).collect();
            let list = spaced(&written, " ");
            let mut document = format!(r#"{{"result":{{"tools":{list},"ttlMs":1}}}}"#).into_bytes();
            for (position, byte) in changes {
                let position = position.index(document.len());
                document[position] = byte;
            }
            let keep = |_, name: &str| name.starts_with('a');
            let again = |new: &[u8]| rewrite(new, true, &keep, of_lists(PrivateRule::Always));
            if let Ok(Some(new)) = again(&document) {
                prop_assert_eq!(again(&new), Ok(None));
            }
        }
    }

    fn kept(items: &[(String, Option<String>)], visible: &BTreeSet<String>) -> Value {
        let is_kept = |name: &String| visible.contains(name);
        let kept = items.iter().filter(|item| item.1.as_ref().is_some_and(is_kept));
        kept.map(|item| serde_json::from_str::<Value>(&item.0).unwrap()).collect()
    }
}
