//! The lint step `arrows`: which folder of the library may use which, the dependency rule of `docs/architecture.md`; and
//! likewise for the development issuer.
//!
//! An arrow is a `use` line, or a path in the code, that leads from one room of `mcp-auth/src` to another. A room is a
//! folder there, or one of the few files with a row in [`ROOMS`]; every other file is a value at the ground. Tests,
//! fuzzing and `linear_cost` do not count. The rooms of `dev-issuer/src` are in [`DEV_ISSUER_ROOMS`].
//!
//! Arrows that break the rule and are to go are in `xtask/arrows.txt`. One that is not there is a fault, and so is a line
//! there that is no longer true.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{File, Item, ItemMod, ItemUse, Macro, UseTree, Visibility};

use crate::command::{Failure, root};
use crate::rust_source;
use crate::step::Outcome;

const LIST: &str = "xtask/arrows.txt";

/// In the place of a room: every value at the ground.
const VALUES: &str = "values";
/// What a value at the ground may import: other values, and the one reader of what strangers wrote, which knows none
/// of them.
const OF_VALUES: &str = "json values";
/// In the place of a room: every room and value.
const ALL: &str = "all";

/// Each room, and what it may import beside itself. What is not in its row is forbidden.
const ROOMS: [(&str, &str); 19] = [
    ("lib", ALL),
    ("mcp_auth", ALL),
    ("adapters", "mcp_auth mounts serve limits downstream config values"),
    (
        "assembly",
        "mcp_auth mounts serve handles limits downstream notices revocation shared_store authorize authenticate inspection issuer jose json config values",
    ),
    ("mounts", "serve config values"),
    ("serve", "handles limits notices authorize authenticate json config values"),
    // Bytes and callers alone: what is sealed, and why, is its callers' business.
    ("handles", "values"),
    // Refusals, callers and addresses alone: what is refused is decided elsewhere.
    ("limits", "shared_store config values"),
    ("authorize", "json config values"),
    ("authenticate", "revocation issuer jose json config values"),
    ("revocation", "shared_store values"),
    ("shared_store", "values"),
    // It calls for a caller who was let in, and decides about no request.
    ("downstream", "handles limits revocation shared_store issuer jose json config values"),
    // What issuers tell: it verifies as `authenticate` does, and takes tokens back.
    ("notices", "revocation issuer jose json config values"),
    ("inspection", "issuer jose json config values"),
    ("issuer", "jose json config values"),
    // It sees nothing of what its callers want. `algorithm` is a list of registered names; `steps` counts steps in tests,
    // and is nothing in a release.
    ("jose", "json algorithm steps"),
    ("json", "steps"),
    ("config", "values"),
];

/// The rooms of the development issuer, from the builder down to the values.
const DEV_ISSUER_ROOMS: [(&str, &str); 11] = [
    ("lib", ALL),
    ("builder", "dev_issuer values"),
    ("dev_issuer", "http mint issuer values"),
    ("http", "endpoints issuer values"),
    ("endpoints", "mint issuer grants clients jose values"),
    ("mint", "issuer jose values"),
    ("issuer", "grants clients jose values"),
    ("grants", "clients jose values"),
    ("clients", "jose values"),
    ("jose", "values"),
    // A server of its own.
    ("github", "values"),
];

/// Modules for tests alone, which see what they test.
const FOR_TESTS: [&str; 2] = ["fuzzing", "linear_cost"];

/// The crates that are checked.
const CRATES: [Crate; 2] = [
    Crate { sources: "mcp-auth/src", rooms: &ROOMS },
    Crate { sources: "dev-issuer/src", rooms: &DEV_ISSUER_ROOMS },
];

/// A crate, and the rule that holds in it.
#[derive(Clone, Copy, Debug)]
struct Crate {
    /// The folder with `lib.rs`, from the root of the repository.
    sources: &'static str,
    rooms: &'static [(&'static str, &'static str)],
}

impl Crate {
    /// The arrows that no row allows.
    fn forbidden(self, mut arrows: Vec<Arrow>) -> Vec<Arrow> {
        arrows.retain(|arrow| !self.is_allowed(&arrow.from, &arrow.to));
        arrows
    }

    fn is_allowed(self, from: &str, to: &str) -> bool {
        if from == to {
            return true;
        }
        // A value at the ground has no row.
        let may_import = self.row(from).unwrap_or(OF_VALUES);
        let is_value = self.row(to).is_none();
        may_import.split(' ').any(|name| name == to || name == ALL || (name == VALUES && is_value))
    }

    /// What the room may import. A value at the ground has no row.
    fn row(self, room: &str) -> Option<&'static str> {
        self.rooms.iter().find(|(name, _)| *name == room).map(|(_, may_import)| *may_import)
    }

    /// Where the module is: `a/b.rs`, or `a/b/mod.rs`.
    fn path_of_module(self, module: &[String]) -> String {
        let base = format!("{}/{}", self.sources, module.join("/"));
        let file = format!("{base}.rs");
        if root().join(&file).is_file() { file } else { format!("{base}/mod.rs") }
    }
}

/// A path in a file of one room that leads to another room.
#[derive(Debug, PartialEq, Eq)]
struct Arrow {
    /// The file, from the root of the repository.
    file: String,
    line: usize,
    from: String,
    to: String,
}

impl Arrow {
    /// How the list names it: without the line, which changes with every edit above it.
    fn listed(&self) -> String {
        format!("{}: {} imports {}", self.file, self.from, self.to)
    }
}

impl fmt::Display for Arrow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {} imports {}", self.file, self.line, self.from, self.to)
    }
}

/// Compares the sources with the rule and the list.
pub(crate) fn run() -> Result<Outcome, Failure> {
    let list = fs::read_to_string(root().join(LIST))?;
    let mut faults = Vec::new();
    let mut forbidden = Vec::new();
    for checked in CRATES {
        let modules = Modules::read(checked)?;
        faults.extend(modules.folders_without_a_row());
        forbidden.extend(checked.forbidden(modules.arrows));
    }
    faults.extend(faults_of(&forbidden, &parse_list(&list)));
    if faults.is_empty() {
        return Ok(Outcome::Passed);
    }
    let advice = "the rule: docs/architecture.md, and the tables of rooms in xtask/src/arrows.rs";
    Err(Failure::new(format!("{} fault(s)\n{}\n{advice}", faults.len(), faults.join("\n"))))
}

/// Brings the list up to date: the arrows that break the rule today.
pub(crate) fn write() -> Result<(), Failure> {
    let mut lines = BTreeSet::new();
    for checked in CRATES {
        let to_go = checked.forbidden(Modules::read(checked)?.arrows);
        lines.extend(to_go.iter().map(Arrow::listed));
    }
    let mut text = String::from(
        "# Arrows that break the dependency rule of docs/architecture.md and are to go; see xtask/src/arrows.rs.\n\
         # cargo xtask lint --only arrows --write brings the list up to date.\n",
    );
    for line in &lines {
        text.push_str(line);
        text.push('\n');
    }
    fs::write(root().join(LIST), text)?;
    println!("{LIST}: {} arrows", lines.len());
    Ok(())
}

fn parse_list(text: &str) -> BTreeSet<String> {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

fn faults_of(forbidden: &[Arrow], listed: &BTreeSet<String>) -> Vec<String> {
    let mut faults = Vec::new();
    let mut there = BTreeSet::new();
    for arrow in forbidden {
        if !listed.contains(&arrow.listed()) {
            faults.push(arrow.to_string());
        }
        there.insert(arrow.listed());
    }
    for line in listed.difference(&there) {
        faults.push(format!("{LIST}: no longer there: {line}"));
    }
    faults
}

/// The modules of a crate, as `mod` declarations reach them from `lib.rs`, and every arrow between them.
struct Modules {
    checked: Crate,
    /// The modules right below `lib.rs`.
    rooms: Vec<String>,
    arrows: Vec<Arrow>,
}

impl Modules {
    fn read(checked: Crate) -> Result<Self, Failure> {
        let path = format!("{}/lib.rs", checked.sources);
        let tree = read_file(&path)?;
        let rooms = modules_in_other_files(&tree);
        let mut modules = Self { checked, rooms, arrows: Vec::new() };
        modules.add(&[], &path, &tree)?;
        Ok(modules)
    }

    /// Adds the arrows of one file, and those of the files that it declares as modules.
    fn add(&mut self, module: &[String], path: &str, tree: &File) -> Result<(), Failure> {
        self.arrows.extend(arrows_of(&self.rooms, module, path, tree));
        for name in modules_in_other_files(tree) {
            let mut inner = module.to_vec();
            inner.push(name);
            if FOR_TESTS.contains(&inner[0].as_str()) {
                continue;
            }
            let inner_path = self.checked.path_of_module(&inner);
            let inner_tree = read_file(&inner_path)?;
            self.add(&inner, &inner_path, &inner_tree)?;
        }
        Ok(())
    }

    fn folders_without_a_row(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for name in &self.rooms {
            let folder = format!("{}/{name}", self.checked.sources);
            let has_row = self.checked.row(name).is_some();
            let is_for_tests = FOR_TESTS.contains(&name.as_str());
            if root().join(&folder).is_dir() && !has_row && !is_for_tests {
                faults.push(format!("{folder}/ has no row in the table of rooms"));
            }
        }
        faults
    }
}

fn read_file(path: &str) -> Result<File, Failure> {
    let text = fs::read_to_string(root().join(path))
        .map_err(|error| Failure::new(format!("{path}: {error}")))?;
    rust_source::parse_without_tests(path, &text)
}

/// The modules that a file declares and does not hold itself: `mod name;`.
fn modules_in_other_files(tree: &File) -> Vec<String> {
    let mut names = Vec::new();
    for item in &tree.items {
        if let Item::Mod(module) = item
            && module.content.is_none()
        {
            names.push(module.ident.to_string());
        }
    }
    names
}

/// Every arrow of one file to another room, also those that are allowed.
fn arrows_of(rooms: &[String], module: &[String], path: &str, tree: &File) -> Vec<Arrow> {
    let mut paths = Paths { module: module.to_vec(), found: Vec::new() };
    paths.visit_file(tree);
    let from = room_of(rooms, module);
    let mut arrows = Vec::new();
    for (target, line) in paths.found {
        let to = room_of(rooms, &target);
        if to != from {
            arrows.push(Arrow { file: path.to_owned(), line, from: from.clone(), to });
        }
    }
    arrows
}

/// The room of an absolute path. One that begins with no module is a name that `lib.rs` itself exports.
fn room_of(rooms: &[String], path: &[String]) -> String {
    match path.first() {
        Some(first) if rooms.contains(first) => first.clone(),
        _ => "lib".to_owned(),
    }
}

/// Collects the paths into this crate, absolute, and the line of each.
struct Paths {
    /// The module that is being read.
    module: Vec<String>,
    found: Vec<(Vec<String>, usize)>,
}

impl Paths {
    /// Takes a path as it is written, such as `crate::json::Reader` or `super::Issuer`. Paths of other crates, and
    /// those below the module itself, lead nowhere else.
    fn add(&mut self, segments: &[String], line: usize) {
        let (mut absolute, rest) = match segments.first().map(String::as_str) {
            Some("crate") => (Vec::new(), &segments[1..]),
            Some("super") => (self.module.clone(), segments),
            _ => return,
        };
        for segment in rest {
            if segment == "super" {
                absolute.pop();
            } else {
                absolute.push(segment.clone());
            }
        }
        self.found.push((absolute, line));
    }

    fn add_use(&mut self, before: &[String], tree: &UseTree) {
        let line = tree.span().start().line;
        match tree {
            UseTree::Path(path) => {
                let mut longer = before.to_vec();
                longer.push(path.ident.to_string());
                self.add_use(&longer, &path.tree);
            }
            UseTree::Group(group) => {
                for inner in &group.items {
                    self.add_use(before, inner);
                }
            }
            UseTree::Name(name) => self.add_with(before, &name.ident.to_string(), line),
            UseTree::Rename(rename) => self.add_with(before, &rename.ident.to_string(), line),
            UseTree::Glob(_) => self.add(before, line),
        }
    }

    fn add_with(&mut self, before: &[String], last: &str, line: usize) {
        let mut segments = before.to_vec();
        segments.push(last.to_owned());
        self.add(&segments, line);
    }

    /// What a macro gets is no tree: its paths are found word by word.
    fn add_words(&mut self, stream: TokenStream) {
        let words: Vec<TokenTree> = stream.into_iter().collect();
        for (index, word) in words.iter().enumerate() {
            match word {
                TokenTree::Group(group) => self.add_words(group.stream()),
                TokenTree::Ident(name) if name == "crate" || name == "super" => {
                    let is_inside_of_a_path = index > 0 && is_colon(&words[index - 1]);
                    if !is_inside_of_a_path {
                        self.add(&leading_path(&words[index..]), name.span().start().line);
                    }
                }
                _ => {}
            }
        }
    }
}

impl<'tree> Visit<'tree> for Paths {
    fn visit_item_mod(&mut self, module: &'tree ItemMod) {
        self.module.push(module.ident.to_string());
        visit::visit_item_mod(self, module);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'tree ItemUse) {
        self.add_use(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'tree syn::Path) {
        let segments: Vec<String> =
            path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.add(&segments, path.span().start().line);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'tree Macro) {
        self.visit_path(&call.path);
        self.add_words(call.tokens.clone());
    }

    /// `pub(super)` and `pub(in crate::…)` say who may look in, and import nothing.
    fn visit_visibility(&mut self, _: &'tree Visibility) {}
}

fn is_colon(word: &TokenTree) -> bool {
    matches!(word, TokenTree::Punct(mark) if mark.as_char() == ':')
}

/// The segments of the path that the words begin with.
fn leading_path(words: &[TokenTree]) -> Vec<String> {
    let mut segments = Vec::new();
    let mut follows_name = false;
    for word in words {
        match word {
            TokenTree::Ident(name) if !follows_name => {
                segments.push(name.to_string());
                follows_name = true;
            }
            _ if is_colon(word) => follows_name = false,
            _ => break,
        }
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The arrows of a file as `line: from imports to`.
    fn found(module: &[&str], text: &str) -> Vec<String> {
        let module: Vec<String> = module.iter().map(|name| (*name).to_owned()).collect();
        let rooms = ["config", "error", "issuer", "jose", "serve"].map(str::to_owned);
        let tree = rust_source::parse_without_tests("a.rs", text).unwrap();
        let arrows = arrows_of(&rooms, &module, "a.rs", &tree);
        let shown = arrows
            .iter()
            .map(|arrow| format!("{}: {} imports {}", arrow.line, arrow.from, arrow.to));
        shown.collect()
    }

    const LIBRARY: Crate = CRATES[0];
    const DEV_ISSUER: Crate = CRATES[1];

    fn arrow(from: &str, to: &str) -> Arrow {
        Arrow { file: "a.rs".to_owned(), line: 7, from: from.to_owned(), to: to.to_owned() }
    }

    #[test]
    fn use_lines_are_arrows_and_paths_of_the_room_itself_are_none() {
        let text = "
            use std::fmt;
            use crate::jose::{Jws, jwk::Jwk};
            use crate::{
                config::Config,
                error as faults,
            };
            use super::super::serve;
            use super::snapshot::Snapshot;
            use crate::issuer::*;
            use crate::McpAuth;
        ";
        assert_eq!(
            found(&["issuer", "refresh"], text),
            [
                "3: issuer imports jose",
                "3: issuer imports jose",
                "5: issuer imports config",
                "6: issuer imports error",
                "8: issuer imports serve",
                "11: issuer imports lib",
            ]
        );
    }

    #[test]
    fn paths_in_code_types_macros_and_inner_modules_are_arrows() {
        let text = "
            pub(in crate::issuer) fn a(b: &crate::config::Config) {
                crate::serve::c(b);
                debug!(\"{}\", d(super::super::error::E, crate::serve::x));
                let e = vec![1 as crate::jose::F];
            }
            mod inner {
                use super::super::super::config;
                use super::super::own;
            }
        ";
        assert_eq!(
            found(&["issuer", "refresh"], text),
            [
                "2: issuer imports config",
                "3: issuer imports serve",
                "4: issuer imports error",
                "4: issuer imports serve",
                "5: issuer imports jose",
                "8: issuer imports config",
            ]
        );
    }

    #[test]
    fn tests_and_comments_do_not_count() {
        let text = "
            //! See [`Config`](crate::config::Config).
            #[cfg(test)]
            use crate::config::Config;
            #[cfg(test)]
            mod tests {
                use crate::serve::Decision;
            }
        ";
        assert!(found(&["jose"], text).is_empty());
    }

    #[test]
    fn the_rule_goes_one_way() {
        let good = [
            ("lib", "adapters"),
            ("mcp_auth", "assembly"),
            ("serve", "authorize"),
            ("serve", "error"),
            ("authenticate", "issuer"),
            ("issuer", "jose"),
            ("jose", "steps"),
            ("config", "identifier"),
            ("error", "identifier"),
        ];
        for (from, to) in good {
            assert!(LIBRARY.is_allowed(from, to), "{from} may import {to}");
        }
        let bad = [
            ("serve", "adapters"),
            ("issuer", "assembly"),
            ("authorize", "authenticate"),
            ("authenticate", "serve"),
            ("issuer", "inspection"),
            ("jose", "error"),
            ("config", "json"),
            ("error", "authorize"),
            ("error", "lib"),
        ];
        for (from, to) in bad {
            assert!(!LIBRARY.is_allowed(from, to), "{from} must not import {to}");
        }
    }

    #[test]
    fn the_development_issuer_has_no_circle() {
        for (room, _) in DEV_ISSUER.rooms {
            for (other, _) in DEV_ISSUER.rooms {
                let is_circle =
                    DEV_ISSUER.is_allowed(room, other) && DEV_ISSUER.is_allowed(other, room);
                assert!(room == other || !is_circle, "{room} and {other}");
            }
        }
    }

    #[test]
    fn adapters_and_assembly_are_imported_at_the_top_alone() {
        for (room, may_import) in ROOMS {
            for top in ["adapters", "assembly", "lib"] {
                let is_top = room == top || may_import == ALL;
                assert!(is_top || !LIBRARY.is_allowed(room, top), "{room} imports {top}");
            }
        }
    }

    #[test]
    fn every_row_names_what_there_is() {
        let others = ["algorithm", "steps", VALUES, ALL];
        for checked in CRATES {
            for (room, may_import) in checked.rooms {
                for name in may_import.split(' ') {
                    let is_there = others.contains(&name) || checked.row(name).is_some();
                    assert!(is_there, "{room}: {name}");
                }
            }
        }
    }

    #[test]
    fn an_arrow_that_is_not_listed_is_a_fault_and_a_listed_one_that_is_gone_too() {
        let list = parse_list("# why\n\na.rs: config imports issuer\n");
        let there = LIBRARY.forbidden(vec![arrow("config", "issuer"), arrow("config", "error")]);
        assert!(faults_of(&there, &list).is_empty());
        let new = LIBRARY.forbidden(vec![arrow("config", "issuer"), arrow("config", "serve")]);
        assert_eq!(faults_of(&new, &list), ["a.rs:7: config imports serve"]);
        assert_eq!(
            faults_of(&[], &list),
            ["xtask/arrows.txt: no longer there: a.rs: config imports issuer"]
        );
    }
}
