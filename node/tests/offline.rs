//! Commands that need no running node: their output, word by word where users depend on it, and their exit codes.

mod common;

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt as _, fs::PermissionsExt as _},
    path::Path,
};

use common::{Ran, World};

#[test]
fn every_error_of_a_file_is_shown_at_once_in_one_form() {
    let world = World::new();
    world.file(
        "cfg.yaml",
        "version: 1
mesh:
  lisen: [\"tcp://0.0.0.0:29090\"]
  auth: { tokens: [ abcdefghijklmnopqrstuvwxyz ] }
  link:
    heartbeat: 30
",
    );
    let ran = world.run(&["check", "cfg.yaml"]);
    let expected = "\
error[E0103]: unknown key `lisen` in `mesh`
 --> cfg.yaml:3:3
  |
3 |   lisen: [\"tcp://0.0.0.0:29090\"]
  |   ^^^^^ did you mean `listen`?
warning[W0110]: secret written in clear text
 --> cfg.yaml:4:21
  = help: write `{ file: PATH }` or `{ env: NAME }` in its place
error[E0107]: duration needs a unit
 --> cfg.yaml:6:16
  |
6 |     heartbeat: 30
  |                ^^ write `30s` or `30ms`
";
    assert_eq!(ran.err, expected);
    assert_eq!((ran.code, ran.out.as_str()), (3, "cfg.yaml: 2 errors, 1 warning\n"));
    let json = world.run(&["check", "cfg.yaml", "--json"]).json("firelink.check/v1");
    assert_eq!(
        (json["errors"].as_u64(), json["warnings"].as_u64(), json["ok"].as_bool()),
        (Some(2), Some(1), Some(false))
    );
    assert_eq!(json["diagnostics"][0]["line"], 3);
}

#[test]
fn a_good_file_is_ok_and_strictness_is_a_choice() {
    let world = World::new();
    let good = world.config("a", "  listen: [tcp://127.0.0.1:0]");
    let ran = world.run(&["check", good.to_str().unwrap()]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(ran.out.ends_with(": ok\n"), "{}", ran.out);
    let lonely = world.config("b", "");
    assert_eq!(world.run(&["check", lonely.to_str().unwrap()]).code, 0);
    assert_eq!(world.run(&["check", lonely.to_str().unwrap(), "--strict"]).code, 3);
    assert_eq!(world.run(&["check", good.to_str().unwrap(), "--set", "mesh.link.heartbeat=9s"]).code, 3);
    assert_eq!(world.run(&["run", lonely.to_str().unwrap(), "--check-only"]).code, 0);
}

#[test]
fn the_default_configuration_is_one_that_runs() {
    let world = World::new();
    let file = world.file("cfg.yaml", &world.run(&["config", "default"]).out);
    let mut check = world.command(&["check", file.to_str().unwrap()]);
    let output = check.env("FIRELINK_TOKEN", "a-token-of-many-characters").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    world.run(&["config", "default", "--json"]).json("firelink.config_keys/v1");
}

#[test]
fn the_origin_of_every_value_is_shown_and_no_secret_is() {
    let world = World::new();
    let text = "version: 1\nnode: { id: a }\nmesh: { listen: [tcp://127.0.0.1:0], auth: { tokens: [ s3cr3t-s3cr3t-s3cr3t ] } }\n";
    let file = world.file("cfg.yaml", text);
    let ran = world.run(&["config", "show", file.to_str().unwrap(), "--origin", "--set", "log.level=debug"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let line =
        |key: &str| ran.out.lines().find(|line| line.starts_with(key)).unwrap().split_whitespace().collect::<Vec<_>>();
    assert_eq!(line("log.level")[1..], ["debug", "--set", "log.level"]);
    assert_eq!(line("mesh.link.heartbeat")[1..], ["1s", "default"]);
    assert!(line("node.id")[2].ends_with("cfg.yaml:2"), "{}", ran.out);
    let json = world.run(&["config", "show", file.to_str().unwrap(), "--json"]);
    json.json("firelink.config/v1");
    assert!(!ran.out.contains("s3cr3t") && !ran.err.contains("s3cr3t") && !json.out.contains("s3cr3t"));
}

#[test]
fn a_token_is_made_for_its_owner_alone_and_is_good_enough() {
    let world = World::new();
    let (one, two) = (world.run(&["token", "create"]), world.run(&["token", "create", "--json"]));
    assert_eq!(one.out.trim().len(), 64, "{}", one.err);
    assert_ne!(one.out.trim(), two.json("firelink.token/v1")["token"], "every one is another");
    let made = world.run(&["token", "create", "--file", "mesh.token"]);
    assert_eq!((made.code, made.out.as_str()), (0, "made mesh.token\n"), "{}", made.err);
    let path = world.path().join("mesh.token");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let token = fs::read_to_string(&path).unwrap();
    let config = "version: 1\nmesh: { listen: [tcp://127.0.0.1:0], auth: { tokens: [ { file: mesh.token } ] } }\n";
    world.file("cfg.yaml", config);
    assert_eq!(world.run(&["check", "cfg.yaml", "--strict"]).code, 0);
    let again = world.run(&["token", "create", "--file", "mesh.token", "--json"]);
    assert_eq!((again.code, again.problem()["code"].as_str()), (10, Some("E0208")), "{}", again.err);
    assert_eq!(fs::read_to_string(&path).unwrap(), token, "the old one is still there");
    assert_eq!(world.run(&["token", "create", "--file", "no/such/folder"]).code, 1);
    fs::write(&path, "short").unwrap();
    let weak = world.run(&["run", "cfg.yaml"]);
    assert_eq!(weak.code, 3);
    assert!(weak.err.starts_with("error[E0127]") && weak.err.contains("node token create"), "{}", weak.err);
}

#[test]
fn codes_are_explained_in_both_languages_without_a_node() {
    let world = World::new();
    let english = world.run(&["explain", "e0103"]);
    assert_eq!(english.code, 0);
    assert!(english.out.starts_with("E0103: unknown key\n"), "{}", english.out);
    assert!(world.run(&["explain", "E0103", "--lang", "zh"]).out.starts_with("E0103: 未知的键\n"));
    let mut chinese = world.command(&["explain", "E0103"]);
    let output = chinese.env("FIRELINK_LANG", "zh_CN").output().unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().starts_with("E0103: 未知的键\n"));
    assert_eq!(world.run(&["explain", "W0110", "--json"]).json("firelink.explanation/v1")["severity"], "warning");
    world.run(&["explain", "--json"]).json("firelink.explanations/v1");
    assert_eq!(world.run(&["explain", "E9999"]).code, 7);
}

#[test]
fn exit_codes_tell_what_sort_of_failure_it_was() {
    let world = World::new();
    for (args, code) in [
        (&["run"][..], 2),
        (&["send", "b"], 2),
        (&["send", "b b", "x"], 2),
        (&["ping", "b", "--timeout", "5"], 2),
        (&["frobnicate"], 2),
        (&["run", "--dev", "--join", "quic://h:1"], 2),
        (&["check", "missing.yaml"], 3),
        (&["run", "missing.yaml"], 3),
        (&["run", "--dev", "--join", "127.0.0.1:1"], 3),
        (&["status"], 5),
        (&["peers"], 5),
        (&["routes"], 5),
        (&["ping", "b"], 5),
        (&["send", "b", "x"], 5),
        (&["recv"], 5),
        (&["broadcast", "x"], 5),
        (&["trace", "b"], 5),
        (&["find", "b"], 5),
        (&["events"], 5),
        (&["id"], 5),
        (&["stop"], 5),
        (&["status", "--socket", "nowhere.sock"], 5),
        (&["version"], 0),
        (&["help"], 0),
        (&["--help"], 0),
    ] {
        let ran = world.run(args);
        assert_eq!(ran.code, code, "{args:?}: {}{}", ran.out, ran.err);
        if code == 5 {
            assert!(ran.out.is_empty() && ran.err.starts_with("error[E0304]"), "{args:?}: {}{}", ran.out, ran.err);
            assert_eq!(world.run(&[args, &["--json"]].concat()).problem()["exit"], 5, "{args:?}");
        }
    }
}

#[test]
fn whoever_asks_for_documents_gets_them_also_for_what_is_wrong_with_the_question() {
    let world = World::new();
    for args in [&["ping", "--json"][..], &["ping", "b b", "-o", "json"], &["frobnicate", "--output=jsonl"]] {
        let ran = world.run(args);
        assert_eq!((ran.code, ran.problem()["code"].as_str()), (2, Some("E0411")), "{args:?}: {}", ran.err);
    }
    assert!(world.run(&["ping"]).err.starts_with("error: the following required"), "and people get text");
    let check = world.run(&["check", "nothing.yaml", "--json"]);
    assert_eq!((check.code, check.json("firelink.check/v1")["diagnostics"][0]["code"].as_str()), (3, Some("E0119")));
    assert_eq!(world.run(&["ping", "b", "--count", "0"]).code, 2, "nothing asked, nothing answered");
}

#[test]
fn problems_are_told_in_chinese_too() {
    let ran = World::new().run(&["status", "--lang", "zh"]);
    assert!(ran.err.starts_with("错误[E0304]: 没有正在运行的节点"), "{}", ran.err);
}

#[test]
fn completion_scripts_exist_for_every_shell() {
    let world = World::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ran = world.run(&["completion", shell]);
        assert!(ran.code == 0 && ran.out.contains("COMPLETE"), "{shell}: {}{}", ran.out, ran.err);
    }
    let mut complete = world.command(&["--", "node", "explain", "E010"]);
    let output = complete.env("COMPLETE", "fish").output().unwrap();
    let values = String::from_utf8(output.stdout).unwrap();
    assert!(values.lines().any(|line| line.starts_with("E0103")), "{values}");
}

/// The commands that the program has.
fn commands(world: &World) -> Vec<String> {
    let help = world.run(&["--help"]).out;
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let commands = lines.filter_map(|line| line.split_whitespace().next()).filter(|command| *command != "help");
    commands.map(str::to_owned).collect()
}

/// The commands that a document has its readers type, without their flags.
fn typed(document: &str) -> Vec<String> {
    let lines = document.lines().filter_map(|line| line.strip_prefix("$ node "));
    let words =
        lines.map(|line| line.strip_prefix("--node ").and_then(|rest| rest.split_once(' ')).map_or(line, |it| it.1));
    words.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn what_is_written_about_the_commands_is_true() {
    let read = |name: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)).unwrap();
    let commands = commands(&World::new());
    let (english, chinese) = (typed(&read("README.md")), typed(&read("README.zh-CN.md")));
    assert!(english.len() >= 8 && english.iter().all(|command| commands.contains(command)), "{english:?}");
    assert_eq!(english, chinese, "both tell the same");
    let changes = read("CHANGELOG.md");
    for command in &commands {
        assert!(changes.contains(&format!("`{command}`")), "the change log does not tell of {command}");
    }
}

#[test]
fn every_command_has_help_with_examples() {
    let world = World::new();
    let commands = commands(&world);
    assert!(commands.len() >= 18, "{commands:?}");
    for command in commands {
        let ran = world.run(&[&command, "--help"]);
        assert!(ran.code == 0 && ran.out.contains("\nExamples:\n  node "), "{command}: {}", ran.out);
    }
}

#[test]
fn the_version_is_a_document() {
    let json = World::new().run(&["version", "--json"]).json("firelink.version/v1");
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let world = World::new();
    let mut child = world.spawn(&["config", "default"]);
    drop(child.stdout.take());
    assert_eq!(common::exit_code(&mut child), 0);
}

#[test]
fn arguments_that_are_no_text_are_taken_or_refused_in_order() {
    let world = World::new();
    let odd = OsStr::from_bytes(b"odd-\xff");
    let refused = Ran::of(world.command(&["status", "--json"]).arg(odd).output().unwrap());
    assert_eq!((refused.code, refused.problem()["code"].as_str()), (2, Some("E0411")), "{}", refused.err);
    let made = Ran::of(world.command(&["token", "create", "--json", "--file"]).arg(odd).output().unwrap());
    assert_eq!(made.code, 0, "{}", made.err);
    assert_eq!(made.json("firelink.token/v1")["file"], "odd-\u{fffd}");
    assert!(world.path().join(odd).exists());
}
