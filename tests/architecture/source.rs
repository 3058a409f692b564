//! Reads Rust sources well enough for the rules: tokens without comments, literals
//! and test code, and the paths that they name.

/// A word or sign of the source, with its line (from 1).
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

/// A path that the source names, `super` and `self` resolved: `crate` and what
/// follows for paths inside the crate, else as it stands there.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
    /// Whether it stands in a `use`.
    pub(crate) imported: bool,
}

/// Splits a source into tokens. Comments are left out; every string and character
/// is the token `""`.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer { chars: text.chars().collect(), at: 0, line: 1 };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.token() {
        tokens.push(token);
    }
    tokens
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
    line: usize,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> char {
        self.chars.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn advance(&mut self, count: usize) {
        let end = (self.at + count).min(self.chars.len());
        self.line += self.chars[self.at..end].iter().filter(|c| **c == '\n').count();
        self.at = end;
    }

    fn token(&mut self) -> Option<Token> {
        self.skip_blank();
        if self.at >= self.chars.len() {
            return None;
        }
        let (line, start) = (self.line, self.at);
        let text = match self.peek(0) {
            '"' => self.string(),
            '\'' => self.quote(),
            c if c == '_' || c.is_alphanumeric() => self.word(),
            ':' if self.peek(1) == ':' => {
                self.advance(2);
                "::".to_owned()
            }
            _ => {
                self.advance(1);
                self.chars[start..self.at].iter().collect()
            }
        };
        Some(Token { text, line })
    }

    fn skip_blank(&mut self) {
        loop {
            match (self.peek(0), self.peek(1)) {
                ('/', '/') => self.skip_while(|c| c != '\n'),
                ('/', '*') => self.skip_block_comment(),
                (c, _) if c.is_whitespace() => self.advance(1),
                _ => return,
            }
        }
    }

    fn skip_while(&mut self, goes_on: impl Fn(char) -> bool) {
        while self.at < self.chars.len() && goes_on(self.peek(0)) {
            self.advance(1);
        }
    }

    fn skip_block_comment(&mut self) {
        let mut depth = 0;
        while self.at < self.chars.len() {
            match (self.peek(0), self.peek(1)) {
                ('/', '*') => depth += 1,
                ('*', '/') => depth -= 1,
                _ => {
                    self.advance(1);
                    continue;
                }
            }
            self.advance(2);
            if depth == 0 {
                return;
            }
        }
    }

    fn word(&mut self) -> String {
        let start = self.at;
        self.skip_while(|c| c == '_' || c.is_alphanumeric());
        let word: String = self.chars[start..self.at].iter().collect();
        match (word.as_str(), self.peek(0), self.peek(1)) {
            ("r" | "br" | "cr", '"', _) | ("r" | "br" | "cr", '#', '"' | '#') => self.raw_string(),
            ("b" | "c", '"', _) => self.string(),
            ("b", '\'', _) => self.quote(),
            _ => word,
        }
    }

    fn string(&mut self) -> String {
        self.advance(1);
        while self.at < self.chars.len() && self.peek(0) != '"' {
            self.advance(if self.peek(0) == '\\' { 2 } else { 1 });
        }
        self.advance(1);
        "\"\"".to_owned()
    }

    fn raw_string(&mut self) -> String {
        let start = self.at;
        self.skip_while(|c| c == '#');
        let hashes = self.at - start;
        self.advance(1);
        let ends = |lexer: &Lexer| {
            lexer.peek(0) == '"' && (1..=hashes).all(|ahead| lexer.peek(ahead) == '#')
        };
        while self.at < self.chars.len() && !ends(self) {
            self.advance(1);
        }
        self.advance(1 + hashes);
        "\"\"".to_owned()
    }

    /// A character or a lifetime.
    fn quote(&mut self) -> String {
        if self.peek(1) != '\\' && self.peek(2) != '\'' {
            self.advance(1);
            self.skip_while(|c| c == '_' || c.is_alphanumeric());
            return "'".to_owned();
        }
        self.advance(if self.peek(1) == '\\' { 3 } else { 2 });
        self.skip_while(|c| c != '\'');
        self.advance(1);
        "\"\"".to_owned()
    }
}

/// The tokens that are built outside tests, and the names of the modules that are
/// files built for tests alone.
pub(crate) fn without_tests(tokens: Vec<Token>) -> (Vec<Token>, Vec<String>) {
    let (mut kept, mut test_files) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < tokens.len() {
        let attribute = attribute_end(&tokens, at);
        match attribute {
            Some(end) if is_for_tests(&tokens[at..end]) => {
                let item = at;
                at = item_end(&tokens, end);
                test_files.extend(file_module(&tokens[item..at]));
            }
            _ => {
                kept.push(tokens[at].clone());
                at += 1;
            }
        }
    }
    (kept, test_files)
}

/// Where the outer attribute that starts here ends.
fn attribute_end(tokens: &[Token], at: usize) -> Option<usize> {
    let text = |at: usize| tokens.get(at).map(|token| token.text.as_str());
    (text(at) == Some("#") && text(at + 1) == Some("[")).then(|| group_end(tokens, at + 1))
}

/// `#[test]`, or a `#[cfg(…)]` that holds in tests alone.
fn is_for_tests(attribute: &[Token]) -> bool {
    let has = |word: &str| attribute.iter().any(|token| token.text == word);
    let first = attribute.get(2).map(|token| token.text.as_str());
    first == Some("test") || (first == Some("cfg") && has("test") && !has("not") && !has("any"))
}

/// Where the group that opens here ends: behind its closing bracket.
fn group_end(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

/// Where the item that starts here, attributes included, ends.
fn item_end(tokens: &[Token], mut at: usize) -> usize {
    while let Some(end) = attribute_end(tokens, at) {
        at = end;
    }
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            ";" => return at + 1,
            "{" => return group_end(tokens, at),
            "(" | "[" => at = group_end(tokens, at),
            _ => at += 1,
        }
    }
    at
}

/// The name in `mod name;`.
fn file_module(item: &[Token]) -> Option<String> {
    let [.., keyword, name, end] = item else { return None };
    (keyword.text == "mod" && end.text == ";").then(|| name.text.clone())
}

/// Every path that the tokens of the module name, groups spelled out.
pub(crate) fn paths(module: &[String], tokens: &[Token]) -> Vec<Named> {
    let mut found = Vec::new();
    // Modules in braces that are open here, each with the depth of its brace.
    let (mut inline, mut depth): (Vec<(usize, String)>, usize) = (Vec::new(), 0);
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at].text.as_str() {
            "{" => {
                if at >= 2 && tokens[at - 2].text == "mod" {
                    inline.push((depth, tokens[at - 1].text.clone()));
                }
                depth += 1;
                at += 1;
            }
            "}" => {
                depth = depth.saturating_sub(1);
                inline.retain(|(opened, _)| *opened < depth);
                at += 1;
            }
            _ if starts_path(tokens, at) => {
                let here = module.iter().chain(inline.iter().map(|(_, name)| name));
                let here: Vec<String> = here.cloned().collect();
                let (end, mut all) = path_tree(tokens, at, &[]);
                let imported = tokens[at.saturating_sub(2)..at].iter().any(|t| t.text == "use");
                all.iter_mut().for_each(|named| named.imported = imported);
                found.extend(all.into_iter().map(|named| resolve(&here, named)));
                at = end.max(at + 1);
            }
            _ => at += 1,
        }
    }
    found
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c == '_' || c.is_alphabetic())
}

fn starts_path(tokens: &[Token], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).map(|at| tokens[at].text.as_str());
    let continues = match before(1) {
        Some(".") => true,
        Some("::") => before(2).is_some_and(|text| is_word(text) && text != "use" || text == ">"),
        _ => false,
    };
    is_word(&tokens[at].text) && tokens[at].text != "use" && !continues
}

/// Reads `a::b` or `a::{b, c::d}` from here: where it ends, and its paths.
fn path_tree(tokens: &[Token], mut at: usize, prefix: &[String]) -> (usize, Vec<Named>) {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let line = tokens[at].line;
    let mut path = prefix.to_vec();
    while is_word(text(at)) {
        path.push(text(at).to_owned());
        if text(at + 1) != "::" {
            return (at + 1, vec![Named { path, line, imported: false }]);
        }
        at += 2;
    }
    if text(at) != "{" {
        return (at, vec![Named { path, line, imported: false }]); // `a::*`, `Vec::<u8>`
    }
    let end = group_end(tokens, at);
    let mut all = Vec::new();
    at += 1;
    while at < end {
        if is_word(text(at)) && text(at) != "as" && text(at - 1) != "as" || text(at) == "{" {
            let (next, found) = path_tree(tokens, at, &path);
            all.extend(found);
            at = next;
        } else {
            at += 1;
        }
    }
    (end, all)
}

fn resolve(here: &[String], named: Named) -> Named {
    let first = named.path.first().map_or("", String::as_str);
    if first != "self" && first != "super" || named.path.len() == 1 {
        return named;
    }
    let up = named.path.iter().filter(|word| *word == "super").count();
    let rest = named.path.iter().skip_while(|word| *word == "self" || *word == "super");
    let base = here.iter().take(here.len().saturating_sub(up));
    let path = std::iter::once("crate".to_owned()).chain(base.chain(rest).cloned()).collect();
    Named { path, ..named }
}
