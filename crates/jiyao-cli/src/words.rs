//! In which language, and how wide, people are spoken to.

use jiyao_phrases::{Lang, say, say_fault};

/// Columns of a table where nothing says how wide the terminal is.
const WIDTH: u16 = 110;

/// Says things in the chosen language.
pub(crate) struct Speaker {
    lang: Lang,
    width: u16,
}

impl Speaker {
    pub(crate) fn new(lang: Lang) -> Self {
        let environment = jiyao_config::environment();
        let columns =
            environment.iter().find(|(key, _)| key == "COLUMNS").and_then(|(_, value)| value.parse().ok());
        Self { lang, width: columns.filter(|width| *width >= 40).unwrap_or(WIDTH) }
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

    /// A refusal of something done here, without a service.
    pub(crate) fn refusal(&self, fault: &jiyao_fault::Fault) -> anyhow::Error {
        let metadata = fault.metadata().iter().map(|(key, value)| (*key, value.as_str()));
        anyhow::anyhow!("{} [{}]", say_fault(self.lang, fault.reason().as_str(), metadata), fault.reason())
    }
}
