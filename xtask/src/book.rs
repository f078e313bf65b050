//! `cargo xtask book`: the pages of `docs/` as a book with search, in `target/book`. `book.toml` says how.

use std::io::{self, Read as _};
use std::path::Path;

use serde_json::Value;

use crate::command::{Failure, Run, root, version};

/// Builds the book, and opens it in a browser if that is wished.
///
/// # Errors
///
/// mdBook is missing, a page of `docs/SUMMARY.md` is missing, or a link leads to no file.
pub(crate) fn build(open: bool) -> Result<(), Failure> {
    if version("mdbook").is_none() {
        return Err(Failure::new("mdbook is not installed (cargo install mdbook --locked)"));
    }
    Run::new("mdbook").args(["build"]).args(open.then_some("--open")).run()
}

/// mdBook's preprocessor: reads a book as JSON from standard input and writes it to standard output. Links to files
/// that are not in the book, such as sources, become links to the repository.
///
/// # Errors
///
/// The input is no book, or a link leads to no file.
pub(crate) fn point_links_to_repository() -> Result<(), Failure> {
    let mut input = String::new();
    io::stdin().read_to_string(&mut input)?;
    let parsed: Result<[Value; 2], _> = serde_json::from_str(&input);
    let [context, mut book] = parsed.map_err(|error| Failure::new(error.to_string()))?;
    let repository = context["config"]["output"]["html"]["git-repository-url"].as_str();
    let repository = repository.ok_or_else(|| Failure::new("no git-repository-url"))?;
    let mut faults = Vec::new();
    rewrite_pages(&mut book, repository, &mut faults);
    if !faults.is_empty() {
        return Err(Failure::new(faults.join("\n")));
    }
    println!("{book}");
    Ok(())
}

/// Rewrites the links of every page in a part of a book: a page is what has a `path` and a `content`.
fn rewrite_pages(part: &mut Value, repository: &str, faults: &mut Vec<String>) {
    match part {
        Value::Array(items) => {
            items.iter_mut().for_each(|item| rewrite_pages(item, repository, faults));
        }
        Value::Object(members) => {
            let page = members.get("path").and_then(Value::as_str).map(str::to_owned);
            if let (Some(page), Some(Value::String(content))) = (page, members.get_mut("content")) {
                *content = with_links_to_repository(content, &page, repository, faults);
            }
            members.values_mut().for_each(|member| rewrite_pages(member, repository, faults));
        }
        _ => {}
    }
}

/// The text of a page, in which links that leave `docs/` lead to the repository.
fn with_links_to_repository(
    content: &str,
    page: &str,
    repository: &str,
    faults: &mut Vec<String>,
) -> String {
    let mut pieces = content.split("](");
    let mut rewritten = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        rewritten.push_str("](");
        let (target, rest) = piece.split_at(piece.find(')').unwrap_or(0));
        match path_outside(page, target) {
            Some(path) => {
                let file = path.split('#').next().unwrap_or(&path);
                if !root().join(file).exists() {
                    faults.push(format!("docs/{page}: {target} leads to no file"));
                }
                let kind = if file.ends_with('/') { "tree" } else { "blob" };
                rewritten.push_str(&format!("{repository}/{kind}/main/{path}"));
            }
            None => rewritten.push_str(target),
        }
        rewritten.push_str(rest);
    }
    rewritten
}

/// Where a link leads, as a path from the root of the repository, if it leaves `docs/`.
fn path_outside(page: &str, target: &str) -> Option<String> {
    let folders_of_page = Path::new(page).components().count() - 1;
    let mut rest = target;
    let mut ups = 0;
    while let Some(after) = rest.strip_prefix("../") {
        rest = after;
        ups += 1;
    }
    (ups == folders_of_page + 1).then(|| rest.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const REPOSITORY: &str = "https://git.example/r";

    #[test]
    fn only_links_that_leave_the_folder_are_found() {
        let rows = [
            ("guide.md", "python.md", None),
            ("guide.md", "#logs", None),
            ("guide.md", "https://example.com/../a", None),
            ("guide.md", "../SECURITY.md#guarantees", Some("SECURITY.md#guarantees")),
            ("tutorials/whoami.md", "../guide.md", None),
            ("tutorials/whoami.md", "../../Cargo.toml", Some("Cargo.toml")),
        ];
        for (page, target, expected) in rows {
            assert_eq!(path_outside(page, target).as_deref(), expected, "{page} {target}");
        }
    }

    #[test]
    fn pages_inside_of_others_are_rewritten_too() {
        let page = |path: &str, content: &str| json!({ "path": path, "content": content });
        let mut book = json!({ "items": [{ "Chapter": page("a.md", "[a](b.md) [c](../Cargo.toml)") }, "Separator"] });
        book["items"][0]["Chapter"]["sub_items"] =
            json!([{ "Chapter": page("a/b.md", "no link, [x](../../xtask/) and more") }]);
        let mut faults = Vec::new();
        rewrite_pages(&mut book, REPOSITORY, &mut faults);
        assert!(faults.is_empty(), "{faults:?}");
        let chapter = &book["items"][0]["Chapter"];
        assert_eq!(chapter["content"], "[a](b.md) [c](https://git.example/r/blob/main/Cargo.toml)");
        assert_eq!(
            chapter["sub_items"][0]["Chapter"]["content"],
            "no link, [x](https://git.example/r/tree/main/xtask/) and more"
        );
    }

    #[test]
    fn a_link_to_no_file_is_a_fault() {
        let mut faults = Vec::new();
        with_links_to_repository("[a](../nothing.md)", "a.md", REPOSITORY, &mut faults);
        assert_eq!(faults, ["docs/a.md: ../nothing.md leads to no file"]);
    }
}
