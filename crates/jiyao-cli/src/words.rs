//! In which language, and how wide, people are spoken to.

use std::io::IsTerminal as _;

use jiyao_phrases::{Lang, say, say_fault};

/// Columns of a table where nothing says how wide the terminal is.
const WIDTH: u16 = 110;

/// Says things in the chosen language.
pub(crate) struct Speaker {
    lang: Lang,
    width: u16,
    is_colourful: bool,
}

impl Speaker {
    pub(crate) fn new(lang: Lang) -> Self {
        let environment = jiyao_config::environment();
        let columns =
            environment.iter().find(|(key, _)| key == "COLUMNS").and_then(|(_, value)| value.parse().ok());
        let wants_none = environment.iter().any(|(key, value)| key == "NO_COLOR" && !value.is_empty());
        let is_colourful = std::io::stdout().is_terminal() && !wants_none;
        Self { lang, width: columns.filter(|width| *width >= 40).unwrap_or(WIDTH), is_colourful }
    }

    pub(crate) fn lang(&self) -> Lang {
        self.lang
    }

    pub(crate) fn width(&self) -> u16 {
        self.width
    }

    pub(crate) fn say(&self, id: &str) -> String {
        say(self.lang, id, &[])
    }

    pub(crate) fn say_with(&self, id: &str, arguments: &[(&str, &str)]) -> String {
        say(self.lang, id, arguments)
    }

    /// The text in colour, where a person looks at a terminal.
    pub(crate) fn bright(&self, text: &str) -> String {
        if self.is_colourful { format!("\x1b[1;33m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// The text in the colour of its name, where a person looks at a terminal and the name is one.
    pub(crate) fn in_colour(&self, text: &str, colour: &str) -> String {
        let code = match colour {
            "red" | "红" => "31",
            "yellow" | "黄" => "33",
            "green" | "绿" => "32",
            "blue" | "蓝" => "34",
            _ => return text.to_owned(),
        };
        if self.is_colourful { format!("\x1b[1;{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// A refusal of something done here, without a service.
    pub(crate) fn refusal(&self, fault: &jiyao_fault::Fault) -> anyhow::Error {
        let metadata = fault.metadata().iter().map(|(key, value)| (*key, value.as_str()));
        anyhow::anyhow!("{} [{}]", say_fault(self.lang, fault.reason().as_str(), metadata), fault.reason())
    }
}
