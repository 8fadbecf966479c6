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
    /// `chosen`, else what the environment says.
    pub(crate) fn new(chosen: Option<&str>) -> Self {
        let environment = jiyao_config::environment();
        let value =
            |name: &str| environment.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let lang = chosen
            .and_then(Lang::parse)
            .or_else(|| ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(value).find_map(Lang::parse))
            .unwrap_or_default();
        let width = value("COLUMNS").and_then(|columns| columns.parse().ok()).filter(|width| *width >= 40);
        Self { lang, width: width.unwrap_or(WIDTH) }
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
