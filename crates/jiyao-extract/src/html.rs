//! The text of a web page: what a reader sees, one block a line.

use std::cell::RefCell;

use html5ever::TokenizerResult;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{
    BufferQueue, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};

/// Whether bytes begin as a web page does.
pub(crate) fn is_page(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(1024)];
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let head = head.trim_start_matches('\u{feff}').trim_start();
    head.starts_with('<')
        && ["<!doctype html", "<html", "<head", "<body", "<div", "<p>", "<p ", "<table", "<meta"]
            .iter()
            .any(|tag| head.contains(tag))
}

#[derive(Default)]
struct Text {
    out: String,
    /// Inside how many elements that are not shown.
    hidden: usize,
}

struct Sink(RefCell<Text>);

const HIDDEN: [&str; 6] = ["script", "style", "head", "title", "noscript", "template"];
const INLINE: [&str; 14] =
    ["span", "a", "b", "i", "u", "em", "strong", "font", "sub", "sup", "label", "small", "mark", "o:p"];

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut text = self.0.borrow_mut();
        match token {
            Token::CharacterTokens(said) if text.hidden == 0 => text.add(&said),
            Token::TagToken(tag) => {
                let name = tag.name.as_ref();
                if HIDDEN.contains(&name) {
                    match tag.kind {
                        TagKind::StartTag if !tag.self_closing => text.hidden += 1,
                        TagKind::StartTag => {}
                        TagKind::EndTag => text.hidden = text.hidden.saturating_sub(1),
                    }
                } else if name == "body" {
                    text.hidden = 0;
                } else if matches!(name, "td" | "th") {
                    text.add(" ");
                } else if !INLINE.contains(&name) && !text.out.ends_with('\n') {
                    text.out.push('\n');
                }
            }
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

impl Text {
    /// White space of the source is one blank, as a browser shows it.
    fn add(&mut self, said: &str) {
        for c in said.chars() {
            if !matches!(c, ' ' | '\t' | '\r' | '\n') {
                self.out.push(c);
            } else if !self.out.ends_with([' ', '\n']) {
                self.out.push(' ');
            }
        }
    }
}

pub(crate) fn text(page: &str) -> String {
    let tokenizer = Tokenizer::new(Sink(RefCell::default()), TokenizerOpts::default());
    let input = BufferQueue::default();
    input.push_back(StrTendril::from_slice(page.trim_start_matches('\u{feff}')));
    while let TokenizerResult::Script(()) = tokenizer.feed(&input) {}
    tokenizer.end();
    tokenizer.sink.0.into_inner().out
}
