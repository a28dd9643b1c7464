//! `node explain`: what a code means. Works without a node and without a network.

use clap::Args;
use clap_complete::ArgValueCandidates;

use super::{Context, complete};
use crate::errors::{Code, Entry, Exit, Failed, Lang, Problem};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  node explain E0103
  node explain W0110 --lang zh
  node explain                         every code with its title")]
pub(super) struct ExplainArgs {
    /// The code, such as E0103; without it, every code
    #[arg(add = ArgValueCandidates::new(complete::codes))]
    code: Option<String>,
}

pub(super) fn run(args: &ExplainArgs, cx: &Context) -> Result<Exit, Failed> {
    let out = cx.output();
    let Some(text) = &args.code else {
        let entries: Vec<_> = Code::ALL.iter().filter_map(|code| code.entry()).collect();
        if out.is_text() {
            let lines: Vec<_> =
                entries.iter().map(|entry| format!("{}  {}", entry.code, entry.title.in_lang(cx.lang))).collect();
            out.text(&lines.join("\n"))?;
        } else if out.is_lines() {
            entries.iter().try_for_each(|entry| out.json(&json(entry, cx.lang)))?;
        } else {
            let entries: Vec<_> = entries.iter().map(|entry| json(entry, cx.lang)).collect();
            out.json(&serde_json::json!({ "schema": "firelink.explanations/v1", "explanations": entries }))?;
        }
        return Ok(Exit::Done);
    };
    let Some(entry) = Code::parse(text).and_then(Code::entry) else {
        let what = format!("there is no code `{text}`");
        return Err(Problem::new(Code::E0411, Exit::NotFound, what).try_this("node explain").into());
    };
    if out.is_text() {
        out.text(&page(entry, cx.lang))?;
    } else {
        out.json(&json(entry, cx.lang))?;
    }
    Ok(Exit::Done)
}

fn page(entry: &Entry, lang: Lang) -> String {
    let (cause, remedy) = match lang {
        Lang::En => ("Why:       ", "What to do:"),
        Lang::Zh => ("原因:", "处理:"),
    };
    format!(
        "{}: {}\n\n{cause} {}\n{remedy} {}\n",
        entry.code,
        entry.title.in_lang(lang),
        entry.cause.in_lang(lang),
        entry.remedy.in_lang(lang)
    )
}

fn json(entry: &Entry, lang: Lang) -> serde_json::Value {
    serde_json::json!({
        "schema": "firelink.explanation/v1",
        "code": entry.code,
        "severity": if entry.code.is_warning() { "warning" } else { "error" },
        "title": entry.title.in_lang(lang),
        "cause": entry.cause.in_lang(lang),
        "remedy": entry.remedy.in_lang(lang),
    })
}
