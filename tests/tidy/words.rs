//! The words of Rust code as the compiler will see them: paths, without comments, attributes and test-only items.
//!
//! Why tokens: a rule such as "no clock in core" must neither trip over a comment that speaks of clocks nor miss a
//! clock inside a macro's arguments. Absent: name resolution; a rule therefore names the last word of a path too.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use std::iter::Peekable;
use std::slice::Iter;
use std::str::FromStr;

/// A path (`std::env::var`), a keyword or a name, and where it begins.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// Its segments; one for a plain name.
    pub(crate) path: Vec<String>,
    /// Counted from 1.
    pub(crate) line: usize,
    /// A dot stands before it: a method or a field.
    pub(crate) after_dot: bool,
    /// Parentheses stand behind it: a call, or a declaration of a function.
    pub(crate) before_call: bool,
}

impl Word {
    /// Whether the path has these segments in a row. A pattern `A::b*` matches any last segment that begins with `b`.
    pub(crate) fn has(&self, pattern: &str) -> bool {
        let wanted: Vec<&str> = pattern.split("::").collect();
        self.path.windows(wanted.len()).any(|window| {
            window.iter().zip(&wanted).all(|(segment, wanted)| match wanted.strip_suffix('*') {
                Some(start) => segment.starts_with(start),
                None => segment == wanted,
            })
        })
    }
}

/// Stands for any literal such as `0.5` or `1f64`, which has no name of its own.
pub(crate) const FLOAT_LITERAL: &str = "<float literal>";

/// Which items count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Everything, tests included.
    Everything,
    /// Only what a build without tests compiles.
    OutsideTests,
}

/// Every word of a source text, in order.
pub(crate) fn words(file: &str, text: &str, scope: Scope) -> Vec<Word> {
    let stream = TokenStream::from_str(text).unwrap_or_else(|error| panic!("{file}: {error}"));
    let mut reader = Reader { scope, words: Vec::new() };
    reader.read(stream);
    reader.words
}

struct Reader {
    scope: Scope,
    words: Vec<Word>,
}

type Tokens<'a> = Peekable<Iter<'a, TokenTree>>;

impl Reader {
    fn read(&mut self, stream: TokenStream) {
        let trees: Vec<TokenTree> = stream.into_iter().collect();
        let mut tokens = trees.iter().peekable();
        let mut after_dot = false;
        while let Some(tree) = tokens.next() {
            match tree {
                TokenTree::Punct(mark) if mark.as_char() == '#' => match self.attribute(&mut tokens) {
                    Attribute::Harmless => {}
                    Attribute::TestItem => skip_item(&mut tokens),
                    Attribute::TestFile => return,
                },
                TokenTree::Ident(name) if name == "use" => self.import(&mut tokens),
                TokenTree::Ident(_) => self.path(tree, &mut tokens, after_dot),
                TokenTree::Literal(literal) if !after_dot && is_float(&literal.to_string()) => {
                    let line = literal.span().start().line;
                    self.words.push(Word {
                        path: vec![FLOAT_LITERAL.to_owned()],
                        line,
                        after_dot,
                        before_call: false,
                    });
                }
                TokenTree::Group(group) => self.read(group.stream()),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
            after_dot = matches!(tree, TokenTree::Punct(mark) if mark.as_char() == '.');
        }
    }

    fn attribute(&self, tokens: &mut Tokens<'_>) -> Attribute {
        let inner = tokens.next_if(|tree| is_mark(tree, '!')).is_some();
        let Some(TokenTree::Group(group)) = tokens.next_if(
            |tree| matches!(tree, TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket),
        ) else {
            return Attribute::Harmless;
        };
        match group.stream().to_string().replace(' ', "").as_str() {
            "cfg(test)" | "test" if self.scope == Scope::Everything => Attribute::Harmless,
            "cfg(test)" if inner => Attribute::TestFile,
            "cfg(test)" | "test" => Attribute::TestItem,
            _ => Attribute::Harmless,
        }
    }

    fn path(&mut self, first: &TokenTree, tokens: &mut Tokens<'_>, after_dot: bool) {
        let mut path = vec![first.to_string()];
        while let Some(next) = next_segment(tokens) {
            path.push(next);
        }
        let before_call = matches!(tokens.peek(), Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis);
        self.words.push(Word { path, line: first.span().start().line, after_dot, before_call });
    }

    fn import(&mut self, tokens: &mut Tokens<'_>) {
        let mut tree = Vec::new();
        while let Some(token) = tokens.next_if(|token| !is_mark(token, ';')) {
            tree.push(token.clone());
        }
        self.import_tree(&[], &tree);
    }

    /// `a::{b, c::d}` gives `a::b` and `a::c::d`; what stands behind `as` is no path of its own.
    fn import_tree(&mut self, prefix: &[String], tree: &[TokenTree]) {
        for branch in tree.split(|token| is_mark(token, ',')) {
            let named = branch.iter().take_while(|token| token.to_string() != "as");
            let mut path = prefix.to_vec();
            let mut inner: Option<&Group> = None;
            let mut line = 0;
            for token in named {
                line = token.span().start().line;
                match token {
                    TokenTree::Ident(name) => path.push(name.to_string()),
                    TokenTree::Group(group) => inner = Some(group),
                    TokenTree::Punct(_) | TokenTree::Literal(_) => {}
                }
            }
            match inner {
                Some(group) => self.import_tree(&path, &group.stream().into_iter().collect::<Vec<_>>()),
                None if path.len() > prefix.len() || line > 0 => {
                    self.words.push(Word { path, line, after_dot: false, before_call: false });
                }
                None => {}
            }
        }
    }
}

enum Attribute {
    Harmless,
    TestItem,
    TestFile,
}

fn is_mark(tree: &TokenTree, mark: char) -> bool {
    matches!(tree, TokenTree::Punct(found) if found.as_char() == mark)
}

/// The name behind `::`, if one follows at once.
fn next_segment(tokens: &mut Tokens<'_>) -> Option<String> {
    let mut ahead = tokens.clone();
    let double_colon = ahead.next().is_some_and(|tree| is_mark(tree, ':'))
        && ahead.next().is_some_and(|tree| is_mark(tree, ':'));
    let Some(TokenTree::Ident(name)) = ahead.next().filter(|_| double_colon) else { return None };
    *tokens = ahead;
    Some(name.to_string())
}

/// An item ends with its body in braces, or with a semicolon.
fn skip_item(tokens: &mut Tokens<'_>) {
    for tree in tokens.by_ref() {
        let body = matches!(tree, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
        if body || is_mark(tree, ';') {
            return;
        }
    }
}

fn is_float(literal: &str) -> bool {
    let number = literal.starts_with(|first: char| first.is_ascii_digit()) && !literal.starts_with("0x");
    number && (literal.contains('.') || literal.ends_with("f32") || literal.ends_with("f64"))
}

/// Names of modules that `text` declares as test-only and that lie in files of their own.
pub(crate) fn test_only_modules(file: &str, text: &str) -> Vec<String> {
    let parsed = syn::parse_file(text).unwrap_or_else(|error| panic!("{file}: {error}"));
    parsed
        .items
        .iter()
        .filter_map(|item| match item {
            syn::Item::Mod(module) if module.content.is_none() => Some(module),
            _ => None,
        })
        .filter(|module| {
            module.attrs.iter().any(|attribute| {
                attribute.path().is_ident("cfg")
                    && attribute.parse_args::<syn::Ident>().is_ok_and(|condition| condition == "test")
            })
        })
        .map(|module| module.ident.to_string())
        .collect()
}

/// Leaves out the files that only tests compile: `x/tests.rs` where `x.rs` says `#[cfg(test)] mod tests;`.
pub(crate) fn outside_test_files(sources: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut test_files: Vec<String> = Vec::new();
    for (file, text) in &sources {
        let folder = match file.rsplit_once('/') {
            Some((folder, "lib.rs" | "main.rs" | "mod.rs")) => folder,
            _ => file.trim_end_matches(".rs"),
        };
        test_files.extend(test_only_modules(file, text).into_iter().map(|name| format!("{folder}/{name}")));
    }
    let is_test = |file: &str| {
        test_files.iter().any(|module| {
            file.strip_prefix(module.as_str()).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        })
    };
    sources.into_iter().filter(|(file, _)| !is_test(file)).collect()
}

fn paths(text: &str, scope: Scope) -> Vec<String> {
    words("fixture.rs", text, scope).into_iter().map(|word| word.path.join("::")).collect()
}

#[test]
fn words_are_paths_and_imports_are_spelled_out() {
    let text = "use std::{env, fs::{self, File}, io as input};\nlet a = std::time::Instant::now();";
    let expected =
        ["std::env", "std::fs::self", "std::fs::File", "std::io", "let", "a", "std::time::Instant::now"];
    assert_eq!(paths(text, Scope::Everything), expected);
}

#[test]
fn comments_attributes_and_tests_are_no_words() {
    let text = "// SystemTime\n#[expect(dead_code)]\nfn a() {}\n#[cfg(test)]\nmod tests { fn clock() {} }\n#[test]\nfn t() {}\nfn b() {}";
    assert_eq!(paths(text, Scope::OutsideTests), ["fn", "a", "fn", "b"]);
    assert!(paths(text, Scope::Everything).contains(&"clock".to_owned()));
    assert!(paths("#![cfg(test)]\nfn a() {}", Scope::OutsideTests).is_empty());
}

#[test]
fn floats_are_words_and_tuple_fields_are_not() {
    assert_eq!(paths("a(0.5, 2f64)", Scope::Everything), ["a", FLOAT_LITERAL, FLOAT_LITERAL]);
    assert_eq!(paths("a.0.1; 0x1f64; 1..2; \"0.5\"", Scope::Everything), ["a"]);
}

#[test]
fn words_inside_macros_count_and_know_their_line() {
    let found = words("fixture.rs", "format!(\n\"{}\", client.create_partner(x))", Scope::Everything);
    let call = found.iter().find(|word| word.has("create_partner")).unwrap();
    assert!(call.after_dot && call.before_call && call.line == 2);
}

#[test]
fn files_of_test_modules_are_left_out() {
    let source = |file: &str, text: &str| (file.to_owned(), text.to_owned());
    let sources = vec![
        source("core/src/lib.rs", "mod a;\n#[cfg(test)]\nmod samples;"),
        source("core/src/a.rs", "#[cfg(test)]\nmod tests;"),
        source("core/src/a/tests.rs", ""),
        source("core/src/samples/deep.rs", ""),
        source("core/src/tests.rs", ""),
    ];
    let left: Vec<String> = outside_test_files(sources).into_iter().map(|(file, _)| file).collect();
    assert_eq!(left, ["core/src/lib.rs", "core/src/a.rs", "core/src/tests.rs"]);
}
