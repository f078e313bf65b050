//! Rust sources as syntax trees, for the checks that look at names and not at lines.

use proc_macro2::TokenTree;
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, Block, File, ImplItem, Item, ItemImpl, ItemMod, Meta, Stmt};

use crate::command::Failure;

/// The syntax tree of one file, less what only tests, doctests and fuzzing compile.
///
/// # Errors
///
/// The text is no Rust.
pub(crate) fn parse_without_tests(name: &str, text: &str) -> Result<File, Failure> {
    let mut tree = parse(name, text)?;
    RemoveTests.visit_file_mut(&mut tree);
    Ok(tree)
}

/// The syntax tree of one file with all that is in it.
///
/// # Errors
///
/// The text is no Rust.
pub(crate) fn parse(name: &str, text: &str) -> Result<File, Failure> {
    syn::parse_file(text).map_err(|error| {
        let line = error.span().start().line;
        Failure::new(format!("{name}:{line}: {error}"))
    })
}

struct RemoveTests;

impl VisitMut for RemoveTests {
    fn visit_file_mut(&mut self, file: &mut File) {
        file.items.retain(|item| !is_for_tests(attributes_of_item(item)));
        visit_mut::visit_file_mut(self, file);
    }

    fn visit_item_mod_mut(&mut self, module: &mut ItemMod) {
        if let Some((_, items)) = &mut module.content {
            items.retain(|item| !is_for_tests(attributes_of_item(item)));
        }
        visit_mut::visit_item_mod_mut(self, module);
    }

    fn visit_item_impl_mut(&mut self, block: &mut ItemImpl) {
        block.items.retain(|item| !is_for_tests(attributes_of_impl_item(item)));
        visit_mut::visit_item_impl_mut(self, block);
    }

    fn visit_block_mut(&mut self, block: &mut Block) {
        block.stmts.retain(|statement| !is_for_tests(attributes_of_statement(statement)));
        visit_mut::visit_block_mut(self, block);
    }
}

/// Whether one of the attributes is `#[test]` or a `#[cfg(…)]` that only tests, doctests or fuzzing fulfil.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("cfg") => {
            let words: Vec<TokenTree> = list.tokens.clone().into_iter().collect();
            names_tests(&words)
        }
        _ => false,
    })
}

/// Whether the words of a `cfg` name tests, and not inside of `not(…)`.
fn names_tests(words: &[TokenTree]) -> bool {
    for (index, word) in words.iter().enumerate() {
        match word {
            TokenTree::Ident(name) => {
                if ["test", "doctest", "fuzzing"].iter().any(|known| name == known) {
                    return true;
                }
            }
            TokenTree::Group(group) => {
                let follows_not = index > 0 && words[index - 1].to_string() == "not";
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                if !follows_not && names_tests(&inner) {
                    return true;
                }
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
    false
}

fn attributes_of_item(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn attributes_of_impl_item(item: &ImplItem) -> &[Attribute] {
    match item {
        ImplItem::Const(item) => &item.attrs,
        ImplItem::Fn(item) => &item.attrs,
        ImplItem::Macro(item) => &item.attrs,
        ImplItem::Type(item) => &item.attrs,
        _ => &[],
    }
}

fn attributes_of_statement(statement: &Stmt) -> &[Attribute] {
    match statement {
        Stmt::Local(local) => &local.attrs,
        Stmt::Item(item) => attributes_of_item(item),
        Stmt::Macro(call) => &call.attrs,
        Stmt::Expr(..) => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "
        use kept::a;
        #[cfg(not(test))]
        use kept::b;
        #[cfg(test)]
        use gone::a;
        #[cfg(any(fuzzing, test))]
        pub mod gone;
        #[cfg(all(doctest, feature = \"axum\"))]
        mod gone_too {}
        impl Kept {
            #[cfg(test)]
            fn gone() {}
            #[cfg(feature = \"test\")]
            fn kept() {
                #[cfg(test)]
                let gone = 1;
            }
        }
        #[test]
        fn gone() {}
    ";

    #[test]
    fn what_only_tests_compile_is_left_out() {
        let tree = parse_without_tests("a.rs", SOURCE).unwrap();
        assert_eq!(tree.items.len(), 3);
        let Item::Impl(block) = &tree.items[2] else { panic!("no impl") };
        assert_eq!(block.items.len(), 1);
        let ImplItem::Fn(function) = &block.items[0] else { panic!("no fn") };
        assert!(function.block.stmts.is_empty());
    }

    #[test]
    fn what_is_no_rust_is_a_fault_with_its_line() {
        let Err(failure) = parse("a.rs", "fn a() {}\nfn {}\n") else { panic!("it is no Rust") };
        assert!(failure.to_string().starts_with("a.rs:2: "), "{failure}");
    }
}
