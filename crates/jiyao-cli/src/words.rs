//! In which language and time zone people are spoken to.

use std::io::IsTerminal as _;
use std::sync::OnceLock;

use jiyao_client::Client;
use jiyao_phrases::{Lang, say, say_fault};

use crate::terminal::{Colour, coloured};

/// Says things in the chosen language.
pub(crate) struct Speaker {
    lang: Lang,
    is_colourful: bool,
    /// Zone of the organ that is spoken of.
    zone: OnceLock<String>,
}

impl Speaker {
    pub(crate) fn new(lang: Lang) -> Self {
        let environment = jiyao_config::environment();
        let wants_none = environment.iter().any(|(key, value)| key == "NO_COLOR" && !value.is_empty());
        let is_colourful = std::io::stdout().is_terminal() && !wants_none;
        Self { lang, is_colourful, zone: OnceLock::new() }
    }

    /// Speaks in the time zone of the organ that a resource belongs to.
    pub(crate) async fn in_zone_of(&self, client: &Client, name: &str) {
        let organ: String = name.split('/').take(2).collect::<Vec<_>>().join("/");
        let mut page = None;
        // Without its organ a time is in UTC and says so.
        while let Ok(found) = client.list_organs(None, page.as_deref()).await {
            if let Some(organ) = found.entries.into_iter().find(|one| one.name == organ) {
                let _ = self.zone.set(organ.time_zone);
                return;
            }
            page = found.next;
            if page.is_none() {
                return;
            }
        }
    }

    /// An instant of so many seconds since 1970 in the organ's zone, with its offset: `2020-06-16 10:00 +08:00`.
    pub(crate) fn instant(&self, seconds: i64) -> String {
        jiyao_calendar::printed_instant(seconds, self.zone.get().map_or("UTC", String::as_str))
    }

    pub(crate) fn lang(&self) -> Lang {
        self.lang
    }

    pub(crate) fn say(&self, id: &str) -> String {
        say(self.lang, id, &[])
    }

    pub(crate) fn say_with(&self, id: &str, arguments: &[(&str, &str)]) -> String {
        say(self.lang, id, arguments)
    }

    /// The text in a colour, where a person looks at a terminal.
    pub(crate) fn in_colour(&self, text: &str, colour: Colour) -> String {
        if self.is_colourful { coloured(text, colour) } else { text.to_owned() }
    }

    /// The text of something to look at.
    pub(crate) fn bright(&self, text: &str) -> String {
        self.in_colour(text, Colour::Yellow)
    }

    /// A refusal of something done here, without a service.
    pub(crate) fn refusal(&self, fault: &jiyao_fault::Fault) -> anyhow::Error {
        let metadata = fault.metadata().iter().map(|(key, value)| (*key, value.as_str()));
        anyhow::anyhow!("{} [{}]", say_fault(self.lang, fault.reason().as_str(), metadata), fault.reason())
    }
}
