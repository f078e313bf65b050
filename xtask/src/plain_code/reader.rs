//! Reads the functions of a file, and finds closures with a name and bindings that shadow another one.

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{
    Block, Expr, ExprClosure, ExprForLoop, ExprIf, ExprLet, ExprMatch, ExprPath, ExprWhile, File,
    FnArg, ImplItemFn, ItemFn, Local, Pat, PatIdent, Signature, TraitItemFn,
};

/// A name, and the line where it is given.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) name: String,
}

/// What was found in one file.
#[derive(Default)]
pub(crate) struct Found {
    /// `let name = |…| …`, each.
    pub(crate) closures: Vec<Place>,
    /// Bindings of a name that means something else in the same function until then.
    pub(crate) shadowings: Vec<Place>,
}

/// Reads a file. What is inside of a macro call is not looked at.
pub(crate) fn read(tree: &File) -> Found {
    let mut reader = Reader::default();
    reader.visit_file(tree);
    reader.found
}

#[derive(Default)]
struct Reader {
    /// The names that are in scope in the function that is being read, a list for each block; the innermost is the last.
    scopes: Vec<Vec<String>>,
    found: Found,
}

/// What a pattern binds parts of.
enum Source {
    /// Something that these names are mentioned in. The same thing may go on under one of them: it was parsed or
    /// unwrapped, on the line that says so.
    ParsedFrom(Vec<String>),
    /// Something else.
    Other,
}

impl Reader {
    /// Reads a function, which sees no binding of the one around it.
    fn function(&mut self, signature: &Signature, body: &Block) {
        let outer = std::mem::take(&mut self.scopes);
        self.open();
        for input in &signature.inputs {
            if let FnArg::Typed(parameter) = input {
                self.bind(&parameter.pat, &Source::Other);
            }
        }
        self.visit_block(body);
        self.scopes = outer;
    }

    fn open(&mut self) {
        self.scopes.push(Vec::new());
    }

    fn close(&mut self) {
        self.scopes.pop();
    }

    /// Puts the names of a pattern in scope, and counts those that shadow another one.
    fn bind(&mut self, pattern: &Pat, source: &Source) {
        let mut names = Names::default();
        names.visit_pat(pattern);
        for name in &names.bound {
            let is_in_scope = self.scopes.iter().flatten().any(|other| other == name);
            let is_the_same_thing = match source {
                Source::ParsedFrom(mentioned) => mentioned.contains(name),
                Source::Other => false,
            };
            if is_in_scope && !is_the_same_thing {
                let line = pattern.span().start().line;
                self.found.shadowings.push(Place { line, name: name.clone() });
            }
        }
        // Where no function is open, this is a constant or a default of a type.
        if let Some(innermost) = self.scopes.last_mut() {
            innermost.extend(names.bound);
        }
    }
}

impl<'tree> Visit<'tree> for Reader {
    fn visit_item_fn(&mut self, function: &'tree ItemFn) {
        self.function(&function.sig, &function.block);
    }

    fn visit_impl_item_fn(&mut self, function: &'tree ImplItemFn) {
        self.function(&function.sig, &function.block);
    }

    fn visit_trait_item_fn(&mut self, function: &'tree TraitItemFn) {
        if let Some(body) = &function.default {
            self.function(&function.sig, body);
        }
    }

    fn visit_block(&mut self, block: &'tree Block) {
        self.open();
        visit::visit_block(self, block);
        self.close();
    }

    fn visit_expr_closure(&mut self, closure: &'tree ExprClosure) {
        self.open();
        for parameter in &closure.inputs {
            self.bind(parameter, &Source::Other);
        }
        self.visit_expr(&closure.body);
        self.close();
    }

    fn visit_local(&mut self, local: &'tree Local) {
        let Some(init) = &local.init else {
            self.bind(&local.pat, &Source::Other);
            return;
        };
        self.visit_expr(&init.expr);
        if let Some((_, diverging)) = &init.diverge {
            self.visit_expr(diverging);
        }
        if let (Expr::Closure(_), Some(name)) = (&*init.expr, name_of(&local.pat)) {
            let line = local.span().start().line;
            self.found.closures.push(Place { line, name });
        }
        let is_parsed = init.diverge.is_some() || matches!(&*init.expr, Expr::Try(_));
        let first_line = local.span().start().line;
        let source = if is_parsed { parsed(first_line, &init.expr) } else { Source::Other };
        self.bind(&local.pat, &source);
    }

    fn visit_expr_let(&mut self, condition: &'tree ExprLet) {
        self.visit_expr(&condition.expr);
        let first_line = condition.span().start().line;
        self.bind(&condition.pat, &parsed(first_line, &condition.expr));
    }

    fn visit_expr_if(&mut self, expression: &'tree ExprIf) {
        self.open();
        self.visit_expr(&expression.cond);
        self.visit_block(&expression.then_branch);
        self.close();
        if let Some((_, otherwise)) = &expression.else_branch {
            self.visit_expr(otherwise);
        }
    }

    fn visit_expr_while(&mut self, expression: &'tree ExprWhile) {
        self.open();
        self.visit_expr(&expression.cond);
        self.visit_block(&expression.body);
        self.close();
    }

    fn visit_expr_for_loop(&mut self, expression: &'tree ExprForLoop) {
        self.visit_expr(&expression.expr);
        self.open();
        self.bind(&expression.pat, &Source::Other);
        self.visit_block(&expression.body);
        self.close();
    }

    fn visit_expr_match(&mut self, expression: &'tree ExprMatch) {
        self.visit_expr(&expression.expr);
        let first_line = expression.span().start().line;
        let source = parsed(first_line, &expression.expr);
        for arm in &expression.arms {
            self.open();
            self.bind(&arm.pat, &source);
            self.visit_arm(arm);
            self.close();
        }
    }
}

/// The source of a pattern that takes apart this expression, which may have gone through `?` before.
fn parsed(first_line: usize, expression: &Expr) -> Source {
    if first_line != expression.span().end().line {
        return Source::Other;
    }
    let mut mentioned = Mentioned::default();
    mentioned.visit_expr(expression);
    Source::ParsedFrom(mentioned.names)
}

/// The name of a pattern that binds one thing whole.
fn name_of(pattern: &Pat) -> Option<String> {
    match pattern {
        Pat::Ident(name) => Some(name.ident.to_string()),
        Pat::Type(typed) => name_of(&typed.pat),
        _ => None,
    }
}

/// The names that a pattern binds, each once.
#[derive(Default)]
struct Names {
    bound: Vec<String>,
}

impl<'tree> Visit<'tree> for Names {
    fn visit_pat_ident(&mut self, pattern: &'tree PatIdent) {
        let name = pattern.ident.to_string();
        // `None` and constants look like bindings, and are none.
        let is_constant = name.starts_with(char::is_uppercase);
        if !is_constant && !self.bound.contains(&name) {
            self.bound.push(name);
        }
        visit::visit_pat_ident(self, pattern);
    }

    /// A guard of a pattern binds nothing for it.
    fn visit_expr(&mut self, _: &'tree Expr) {}
}

/// The bindings that an expression reads, and every word in its macro calls.
#[derive(Default)]
struct Mentioned {
    names: Vec<String>,
}

impl<'tree> Visit<'tree> for Mentioned {
    fn visit_expr_path(&mut self, expression: &'tree ExprPath) {
        if let Some(name) = expression.path.get_ident() {
            self.names.push(name.to_string());
        }
    }

    fn visit_token_stream(&mut self, words: &'tree TokenStream) {
        for word in words.clone() {
            match word {
                TokenTree::Ident(name) => self.names.push(name.to_string()),
                TokenTree::Group(group) => self.visit_token_stream(&group.stream()),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The shadowings of a function with this body and the parameter `x`, as `line name`.
    fn shadowings(body: &str) -> Vec<String> {
        let tree = syn::parse_file(&format!("fn f(x: X) {{ {body} }}")).unwrap();
        let found = read(&tree).shadowings;
        found.iter().map(|place| format!("{} {}", place.line, place.name)).collect()
    }

    #[test]
    fn another_thing_of_the_same_name_counts() {
        let bad = [
            "let x = 1;",
            "let x = x.trim();",
            "let x = other.parse()?;",
            "let x = other.x()?;",
            "let x = x.map(|y| {\n y.parse() })?;",
            "let Some(x) = other else { return };",
            "if let Some(x) = other {}",
            "while let Some(x) = other {}",
            "match other { Some(x) => {} None => {} }",
            "for x in x {}",
            "let y = x.map(|x| x.y);",
            "let (x, y) = pair;",
            "let Pair { x, .. } = pair;",
            "{ let x = 1; }",
            "let y = async { let x = 1; };",
        ];
        for body in bad {
            assert_eq!(shadowings(body), ["1 x"], "{body}");
        }
        assert_eq!(shadowings("\nlet y = 1;\nlet y = 2;"), ["3 y"]);
    }

    #[test]
    fn what_was_parsed_on_one_line_does_not_count() {
        let good = [
            "let x = x.parse()?;",
            "let x = parse!(x)?;",
            "let x: u32 = parse(&x).await?;",
            "let Some(x) = x else { return };",
            "let Ok(x) = x.parse() else { return };",
            "if let Some(x) = x {}",
            "if let Some(x) = &x && let Ok(x) = read(x) {}",
            "while let Some(x) = x.next() {}",
            "match x { Some(x) => {} None => {} }",
            "match (x, y) { (Some(x), _) => {} _ => {} }",
        ];
        for body in good {
            assert!(shadowings(body).is_empty(), "{body}: {:?}", shadowings(body));
        }
    }

    #[test]
    fn names_of_other_scopes_and_functions_are_others() {
        let good = [
            "{ let y = 1; } let y = 2;",
            "if let Some(y) = a {} else if let Some(y) = b {} let y = 2;",
            "match a { A(y) => {} B(y) | C(y) => {} }",
            "let a = b.map(|y| y.z); let y = 2;",
            "fn g(x: X) { let y = x; } let y = 1;",
            "let y = Y { x: 1 }; y.x = 2;",
            "match a { None => {} x::NONE => {} }",
        ];
        for body in good {
            assert!(shadowings(body).is_empty(), "{body}: {:?}", shadowings(body));
        }
    }

    #[test]
    fn a_closure_counts_when_it_has_a_name() {
        let tree = syn::parse_file(
            "fn f() {
                let is_good = |x| x > 1;
                let mut typed: Box<dyn Fn()> = move || {};
                let later = async move || {};
                let boxed = Box::new(|| {});
                a.map(|x| x);
            }",
        );
        let closures = read(&tree.unwrap()).closures;
        let names: Vec<_> =
            closures.iter().map(|place| (place.line, place.name.as_str())).collect();
        assert_eq!(names, [(2, "is_good"), (3, "typed"), (4, "later")]);
    }
}
