//! How large things may grow, how a file begins, and which lints core turns into errors.
//!
//! Lines of a function are those of its body that are neither blank nor only a comment, as clippy counts them.

use crate::house::{Breach, hold, rust_texts};
use std::ops::Range;
use syn::visit::{self, Visit};

/// Lines of a file, all of them.
const FILE_LINES_MAX: usize = 500;
/// Lines of a function's body.
const FUNCTION_LINES_MAX: usize = 60;
/// Lines of a gRPC handler's body: authorize, parse, hand over, answer.
const HANDLER_LINES_MAX: usize = 15;
/// Where the handlers are: the functions of trait implementations there.
const HANDLERS: &str = "service/server/src/rpc/";
/// Lints that core's `lib.rs` must deny.
const CORE_DENIES: [&str; 2] = ["clippy::arithmetic_side_effects", "clippy::float_arithmetic"];

fn long_file(file: &str, text: &str) -> Option<Breach> {
    let lines = text.lines().count();
    (lines > FILE_LINES_MAX).then(|| {
        let what = format!("has {lines} lines, at most {FILE_LINES_MAX} are allowed: split it by nouns");
        Breach::at(file, FILE_LINES_MAX + 1, what)
    })
}

fn headless_file(file: &str, text: &str) -> Option<Breach> {
    (!text.starts_with("//! ")).then(|| {
        Breach::at(file, 1, "begins without a `//!` header: say what the file is, why, and what is absent")
    })
}

/// A function with a body.
struct Function {
    name: String,
    line: usize,
    /// Line numbers strictly between the braces.
    body: Range<usize>,
    in_trait_impl: bool,
}

impl Function {
    fn lines(&self, text: &str) -> usize {
        text.lines()
            .skip(self.body.start - 1)
            .take(self.body.len())
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with("//"))
            .count()
    }

    fn longer_than(&self, limit: usize, file: &str, text: &str) -> Option<Breach> {
        let lines = self.lines(text);
        (lines > limit).then(|| {
            let what =
                format!("`{}` has {lines} lines, at most {limit} are allowed: name its parts", self.name);
            Breach::at(file, self.line, what)
        })
    }
}

#[derive(Default)]
struct Functions {
    found: Vec<Function>,
    in_trait_impl: bool,
}

impl Functions {
    fn of(file: &str, text: &str) -> Vec<Function> {
        let parsed = syn::parse_file(text).unwrap_or_else(|error| panic!("{file}: {error}"));
        let mut functions = Self::default();
        functions.visit_file(&parsed);
        functions.found
    }

    fn add(&mut self, name: &syn::Ident, block: &syn::Block) {
        let braces = block.brace_token.span;
        let body = braces.open().end().line + 1..braces.close().start().line;
        let in_trait_impl = self.in_trait_impl;
        self.found.push(Function {
            name: name.to_string(),
            line: name.span().start().line,
            body,
            in_trait_impl,
        });
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let outer = std::mem::replace(&mut self.in_trait_impl, item.trait_.is_some());
        visit::visit_item_impl(self, item);
        self.in_trait_impl = outer;
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.add(&item.sig.ident, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.add(&item.sig.ident, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.add(&item.sig.ident, block);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

fn long_functions(file: &str, text: &str) -> Vec<Breach> {
    Functions::of(file, text)
        .iter()
        .filter_map(|function| function.longer_than(FUNCTION_LINES_MAX, file, text))
        .collect()
}

fn long_handlers(file: &str, text: &str) -> Vec<Breach> {
    if !file.starts_with(HANDLERS) {
        return Vec::new();
    }
    Functions::of(file, text)
        .iter()
        .filter(|function| function.in_trait_impl)
        .filter_map(|function| function.longer_than(HANDLER_LINES_MAX, file, text))
        .collect()
}

/// Lints of `wanted` that no `#![deny(…)]` or `#![forbid(…)]` of the file names.
fn lints_not_denied(file: &str, text: &str, wanted: &[&str]) -> Vec<Breach> {
    let parsed = syn::parse_file(text).unwrap_or_else(|error| panic!("{file}: {error}"));
    let denied: Vec<String> = parsed
        .attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident("deny") || attribute.path().is_ident("forbid"))
        .filter_map(|attribute| attribute.meta.require_list().ok())
        .flat_map(|list| {
            list.tokens.to_string().replace(' ', "").split(',').map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    wanted
        .iter()
        .filter(|lint| !denied.iter().any(|denied| denied == *lint))
        .map(|lint| {
            Breach::at(file, 1, format!("add `#![deny({lint})]`: amounts are only ever computed with checks"))
        })
        .collect()
}

#[test]
fn files_stay_within_500_lines() {
    let breaches: Vec<Breach> =
        rust_texts().iter().filter_map(|(file, text)| long_file(file, text)).collect();
    hold("the size of files", &breaches);
}

#[test]
fn files_begin_with_what_they_are() {
    let breaches: Vec<Breach> =
        rust_texts().iter().filter_map(|(file, text)| headless_file(file, text)).collect();
    hold("headers of files", &breaches);
}

#[test]
fn functions_stay_within_60_lines() {
    let breaches: Vec<Breach> =
        rust_texts().iter().flat_map(|(file, text)| long_functions(file, text)).collect();
    hold("the size of functions", &breaches);
}

#[test]
fn handlers_stay_within_15_lines() {
    let breaches: Vec<Breach> =
        rust_texts().iter().flat_map(|(file, text)| long_handlers(file, text)).collect();
    hold("the size of gRPC handlers", &breaches);
}

#[test]
fn core_denies_unchecked_and_floating_arithmetic() {
    let file = "service/core/src/lib.rs";
    let text = crate::house::text(file).unwrap();
    hold("lints that core denies", &lints_not_denied(file, &text, &CORE_DENIES));
}

fn function_of(lines: usize) -> String {
    format!("//! A.\nfn a() {{\n\n    // Why.\n{}}}\n", "    b();\n".repeat(lines))
}

#[test]
fn a_file_or_function_over_its_size_is_found() {
    assert_eq!(long_file("a.rs", &"\n".repeat(500)), None);
    assert_eq!(long_file("a.rs", &"\n".repeat(501)).unwrap().line, 501);
    assert_eq!(long_functions("a.rs", &function_of(60)), []);
    assert_eq!(long_functions("a.rs", &function_of(61)).len(), 1);
    let method = format!("impl B {{ {} }}", function_of(61).replace("//! A.\n", ""));
    assert_eq!(long_functions("a.rs", &method).len(), 1);
}

#[test]
fn a_handler_over_its_size_is_found() {
    let handler =
        |lines| format!("impl Service for Rpc {{ {} }}", function_of(lines).replace("//! A.\n", ""));
    assert_eq!(long_handlers("service/server/src/rpc/a.rs", &handler(15)), []);
    assert_eq!(long_handlers("service/server/src/rpc/a.rs", &handler(16)).len(), 1);
    assert_eq!(long_handlers("service/server/src/wire/a.rs", &handler(16)), []);
}

#[test]
fn a_file_without_a_header_is_found() {
    assert_eq!(headless_file("a.rs", "//! What it is.\n"), None);
    assert!(headless_file("a.rs", "use b;\n").is_some());
}

#[test]
fn a_lint_that_is_not_denied_is_found() {
    let wanted = ["clippy::a", "clippy::b"];
    assert_eq!(lints_not_denied("a.rs", "#![deny(clippy::a, clippy::b)]", &wanted), []);
    assert_eq!(lints_not_denied("a.rs", "#![deny(clippy::a)]\n#![allow(clippy::b)]", &wanted).len(), 1);
}
