//! The one way to the terminal. Foreign text may hold what drives a terminal or turns its lines round: whatever is
//! printed passes here, where such characters become visible marks. Colours are this program's own, and told from
//! foreign ones by a secret of the process.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{IsTerminal as _, Write as _};
use std::sync::LazyLock;

/// Narrowest terminal that tables are fitted to.
const NARROWEST: u16 = 40;

/// A colour of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colour {
    Red,
    Green,
    Yellow,
    Blue,
}

impl Colour {
    const ALL: [Self; 4] = [Self::Red, Self::Green, Self::Yellow, Self::Blue];

    fn code(self) -> &'static str {
        match self {
            Self::Red => "31",
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Blue => "34",
        }
    }

    /// The beginning of text of this colour on its way to [`print`]: a colour that no foreign text can name. It has the form
    /// of a sequence for terminals, so that tables measure it as nothing.
    fn begin(self) -> String {
        static SECRET: LazyLock<u64> = LazyLock::new(|| RandomState::new().build_hasher().finish());
        let [red, green, blue, ..] = (*SECRET ^ self as u64).to_be_bytes();
        let last = SECRET.to_be_bytes()[7] ^ self as u8;
        format!("{ESC}[38;2;{red};{green};{blue};1;48;5;{last}m")
    }
}

const ESC: char = '\u{1b}';
const END: &str = "\u{1b}[0m";

/// Text in a colour, for [`print`].
pub(crate) fn coloured(text: &str, colour: Colour) -> String {
    format!("{}{text}{END}", colour.begin())
}

/// Columns of the terminal; None where standard output goes elsewhere.
pub(crate) fn width() -> Option<u16> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    Some(size.ws_col.max(NARROWEST)).filter(|_| size.ws_col > 0)
}

/// Whether a character drives a terminal, or changes the direction of the text around it.
fn is_unsafe(character: char) -> bool {
    let is_kept = matches!(character, '\n' | '\t');
    let is_direction = matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    // Separators of lines, and what has no width: two names that look the same are not.
    let is_hidden =
        matches!(character, '\u{200b}'..='\u{200d}' | '\u{2028}' | '\u{2029}' | '\u{2060}' | '\u{feff}');
    (character.is_control() && !is_kept) || is_direction || is_hidden
}

/// Foreign text as it may be shown: unsafe characters as `<U+001B>`.
pub(crate) fn safe(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if is_unsafe(character) {
            out.push_str(&format!("<U+{:04X}>", u32::from(character)));
        } else {
            out.push(character);
        }
    }
    out
}

/// As [`safe`], with this program's own colours as the terminal knows them.
fn shown(text: &str) -> String {
    let begins = Colour::ALL.map(|colour| (colour.begin(), format!("{ESC}[1;{}m", colour.code())));
    let (mut out, mut rest, mut is_coloured) = (String::with_capacity(text.len()), text, false);
    while let Some(at) = rest.find(ESC) {
        out.push_str(&safe(&rest[..at]));
        rest = &rest[at..];
        if let Some((begin, code)) = begins.iter().find(|(begin, _)| rest.starts_with(begin)) {
            (out, rest, is_coloured) = (out + code, &rest[begin.len()..], true);
        } else if is_coloured && rest.starts_with(END) {
            (out, rest, is_coloured) = (out + END, &rest[END.len()..], false);
        } else {
            out.push_str(&safe(&rest[..ESC.len_utf8()]));
            rest = &rest[ESC.len_utf8()..];
        }
    }
    out.push_str(&safe(rest));
    out
}

fn write(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    // A reader that went away (`| head`) ends the command quietly.
    if out.write_all(bytes).and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

/// Prints text for people.
pub(crate) fn print(text: &str) {
    write(shown(text).as_bytes());
}

/// Prints what other programs read, as it is; on a terminal as text for people.
pub(crate) fn print_data(bytes: &[u8]) {
    if std::io::stdout().is_terminal() {
        write(safe(&String::from_utf8_lossy(bytes)).as_bytes());
    } else {
        write(bytes);
    }
}

/// Clears the terminal, where standard output is one.
pub(crate) fn clear() {
    if std::io::stdout().is_terminal() {
        write(b"\x1b[2J\x1b[H");
    }
}

/// Tells people of what went wrong, on standard error.
pub(crate) fn complain(text: &str) {
    // Nobody is left to tell where nobody reads it.
    let _ = std::io::stderr().lock().write_all(shown(text).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_drives_no_terminal_and_own_colours_do() {
        let title = "市教育局\u{1b}]0;PWNED\u{7}\u{1b}[2J\u{1b}[1;31m\u{9b}31m\u{202e}局育教\r\n\t";
        assert_eq!(
            shown(title),
            "市教育局<U+001B>]0;PWNED<U+0007><U+001B>[2J<U+001B>[1;31m<U+009B>31m<U+202E>局育教<U+000D>\n\t"
        );
        let mixed = format!("{}{END}{title}", coloured(&format!("红{END}{ESC}[1;32m"), Colour::Red));
        let told = shown(&mixed);
        assert!(told.starts_with("\u{1b}[1;31m红\u{1b}[0m<U+001B>[1;32m"), "{told}");
        assert_eq!(told.matches('\u{1b}').count(), 2, "{told}");
        assert_eq!(safe(&coloured("x", Colour::Blue)).matches("<U+001B>").count(), 2);
    }
}
