//! What people read, in Chinese and English: one catalogue a language, `locales/*.ftl`.

use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::resolver::ResolverError;
use fluent_bundle::resolver::errors::ReferenceKind;
use fluent_bundle::{FluentArgs, FluentAttribute, FluentError, FluentMessage, FluentResource};
use unic_langid::LanguageIdentifier;

/// A language that people are spoken to in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Lang {
    /// Chinese, as written on the mainland.
    Zh,
    /// English.
    #[default]
    En,
}

impl Lang {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::Zh, Self::En];

    /// The first known language of a list such as `LANG` (`zh_CN.UTF-8`), `--lang zh` or `accept-language`
    /// (`de, zh-CN;q=0.8`) gives. None where none is known.
    #[must_use]
    pub fn parse(tags: &str) -> Option<Self> {
        tags.split(',').find_map(|tag| match tag.trim().get(..2)?.to_ascii_lowercase().as_str() {
            "zh" => Some(Self::Zh),
            "en" => Some(Self::En),
            _ => None,
        })
    }

    /// Its BCP 47 tag.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::Zh => "zh-CN",
            Self::En => "en",
        }
    }

    fn source(self) -> &'static str {
        match self {
            Self::Zh => include_str!("../locales/zh.ftl"),
            Self::En => include_str!("../locales/en.ftl"),
        }
    }
}

type Bundle = FluentBundle<FluentResource>;

static BUNDLES: LazyLock<[Bundle; 2]> = LazyLock::new(|| Lang::ALL.map(bundle));

fn bundle(lang: Lang) -> Bundle {
    let id: LanguageIdentifier = lang.tag().parse().unwrap_or_default();
    let mut bundle = FluentBundle::new_concurrent(vec![id]);
    // Names and numbers are put in as they are, without marks of direction around them.
    bundle.set_use_isolating(false);
    // What does not parse is left out; the tests hold the catalogues to parse whole.
    let resource = FluentResource::try_new(lang.source().to_owned()).unwrap_or_else(|(partial, _)| partial);
    bundle.add_resource_overriding(resource);
    bundle
}

/// The phrase of an id with its arguments filled in. An attribute of the phrase is said in its place where the argument of
/// its name is given. An id that the catalogue does not have comes back itself.
#[must_use]
pub fn say(lang: Lang, id: &str, arguments: &[(&str, &str)]) -> String {
    let bundle = &BUNDLES[usize::from(lang == Lang::En)];
    let fitting = |message: FluentMessage<'static>| {
        let is_given =
            |attribute: &FluentAttribute<'_>| arguments.iter().any(|(name, _)| *name == attribute.id());
        message.attributes().find(is_given).map(|attribute| attribute.value()).or(message.value())
    };
    let Some(pattern) = bundle.get_message(id).and_then(fitting) else { return id.to_owned() };
    let mut values = FluentArgs::new();
    for (name, value) in arguments {
        values.set(*name, *value);
    }
    let mut missing = Vec::new();
    let said = bundle.format_pattern(pattern, Some(&values), &mut missing).into_owned();
    if missing.is_empty() {
        return said;
    }
    // The name of an argument that was not given says nothing to a person.
    for error in &missing {
        if let FluentError::ResolverError(ResolverError::Reference(ReferenceKind::Variable { id })) = error {
            values.set(id.clone(), UNKNOWN);
        }
    }
    bundle.format_pattern(pattern, Some(&values), &mut Vec::new()).into_owned()
}

/// The mark for an argument that was not given.
const UNKNOWN: &str = "…";

/// The refusal for a reason, with its metadata.
#[must_use]
pub fn say_fault<'m>(
    lang: Lang,
    reason: &str,
    metadata: impl IntoIterator<Item = (&'m str, &'m str)>,
) -> String {
    say(lang, &format!("fault-{reason}"), &metadata.into_iter().collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(lang: Lang) -> Vec<&'static str> {
        let lines = lang.source().lines().filter(|line| !line.starts_with(['#', ' ']));
        lines.filter_map(|line| Some(line.split_once(" = ")?.0)).collect()
    }

    #[test]
    fn both_catalogues_parse_and_say_the_same_things() {
        for lang in Lang::ALL {
            assert!(FluentResource::try_new(lang.source().to_owned()).is_ok(), "{lang:?}");
            let arguments = |line: &str| line.matches("{ $").count();
            for (zh, en) in Lang::Zh.source().lines().zip(Lang::En.source().lines()) {
                assert_eq!(arguments(zh), arguments(en), "{zh}\n{en}");
            }
        }
        assert_eq!(ids(Lang::Zh), ids(Lang::En));
    }

    #[test]
    fn an_id_stands_once() {
        for lang in Lang::ALL {
            let mut seen = std::collections::BTreeSet::new();
            let twice: Vec<&str> = ids(lang).into_iter().filter(|id| !seen.insert(*id)).collect();
            assert_eq!(twice, Vec::<&str>::new(), "{lang:?}: the last of them would be said");
        }
    }

    #[test]
    fn the_name_of_an_argument_is_never_said() {
        for lang in Lang::ALL {
            for id in ids(lang) {
                assert!(!say(lang, id, &[]).contains("{$"), "{lang:?}: {id}");
            }
        }
        assert_eq!(say(Lang::En, "differs-unknown", &[]), "… has these minutes; records has not.");
    }

    #[test]
    fn every_reason_has_words() {
        for reason in jiyao_fault::Reason::ALL {
            for lang in Lang::ALL {
                let id = format!("fault-{reason}");
                assert_ne!(say(lang, &id, &[]), id);
            }
        }
        assert_eq!(
            say_fault(Lang::En, "SOURCE_TOO_LARGE", [("limit", "7")]),
            "The file is too large: at most 7 bytes are taken."
        );
        assert_eq!(
            say_fault(Lang::Zh, "ORGAN_EXISTS", [("existing", "organs/a")]),
            "该机关已存在：organs/a。"
        );
    }

    #[test]
    fn a_form_is_said_where_there_is_one() {
        let given = [("field", "parent"), ("value", "linlan")];
        let without = say_fault(Lang::En, "FIELD_INVALID", given);
        assert_eq!(without, "parent cannot be “linlan”: see the field's description for its form.");
        let with = [given[0], given[1], ("form", "organs/{organ}")];
        let said = say_fault(Lang::En, "FIELD_INVALID", with);
        assert_eq!(said, "parent must look like organs/{organ}, not “linlan”.");
        let said = say_fault(Lang::Zh, "FIELD_INVALID", with);
        assert_eq!(said, "parent 的格式应为 organs/{organ}，不能是“linlan”。");
    }

    #[test]
    fn languages_are_found_in_every_kind_of_list() {
        assert_eq!(Lang::parse("zh_CN.UTF-8"), Some(Lang::Zh));
        assert_eq!(Lang::parse("de, EN;q=0.5"), Some(Lang::En));
        assert_eq!(Lang::parse("C"), None);
        assert_eq!(Lang::parse("中文"), None);
        assert_eq!(Lang::parse(""), None);
    }
}
