//! Help of a command line from the catalogue of phrases.

use clap::{Arg, ArgAction, Command};
use jiyao_config::environment;
use jiyao_phrases::{Lang, say};

/// The language of whoever typed the command: `--lang`, else what the environment says, else English.
#[must_use]
pub fn language(arguments: &[String]) -> Lang {
    let flag =
        arguments.iter().enumerate().find_map(|(at, argument)| match argument.strip_prefix("--lang") {
            Some("") => arguments.get(at + 1).map(String::as_str),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        });
    let environment = environment();
    let value = |name: &str| environment.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    flag.and_then(Lang::parse)
        .or_else(|| ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(value).find_map(Lang::parse))
        .unwrap_or_default()
}

/// The command with all its help in a language: `help-{name}` and `help-{name}-{argument}` of the catalogue, where the
/// name of a subcommand's subcommand is that of both: `matter-accept`.
#[must_use]
pub fn translated(command: Command, name: &str, lang: Lang) -> Command {
    in_language(command, name, "", lang)
}

fn in_language(command: Command, name: &str, prefix: &str, lang: Lang) -> Command {
    let word = |id: &str| say(lang, &format!("help-{id}"), &[]);
    let heading = |arg: &Arg| word(if arg.is_positional() { "arguments" } else { "options" });
    let mut command = command
        .about(word(name))
        .mut_args(|arg| {
            let (text, heading) = (word(&format!("{name}-{}", arg.get_id())), heading(&arg));
            arg.help(text).help_heading(heading)
        })
        .subcommand_help_heading(word("commands"))
        .help_template(format!("{{about-with-newline}}\n{}: {{usage}}\n\n{{all-args}}", word("usage")))
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .arg(
            Arg::new("help")
                .short('h')
                .long("help")
                .action(ArgAction::Help)
                .display_order(1000)
                .help(word("help"))
                .help_heading(word("options")),
        );
    if command.get_version().is_some() {
        command = command.disable_version_flag(true).arg(
            Arg::new("version")
                .short('V')
                .long("version")
                .action(ArgAction::Version)
                .display_order(1001)
                .help(word("version"))
                .help_heading(word("options")),
        );
    }
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    for name in names {
        let sub_name = format!("{prefix}{name}");
        let prefix = format!("{sub_name}-");
        command = command.mut_subcommand(name, |sub| in_language(sub, &sub_name, &prefix, lang));
    }
    command
}
