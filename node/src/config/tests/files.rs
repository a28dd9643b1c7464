//! What depends on files: secrets, certificates, relative paths.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use super::codes;
use crate::{
    config::{Loaded, Request, load},
    errors::Code,
};

fn in_folder(folder: &Path, mesh: &str) -> Loaded {
    let text = format!("version: 1\nnode: {{ data_dir: ./data }}\nmesh: {mesh}\n");
    load(Request { name: "cfg.yaml", folder, text: Some(text), set: &[], env: &[] })
}

#[test]
fn a_secret_file_must_be_private() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, "a-token-of-many-characters\n").unwrap();
    let mesh = "{ listen: [tcp://127.0.0.1:0], auth: { tokens: [ { file: token } ] } }";
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(codes(&in_folder(folder.path(), mesh)), [Code::E0118]);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let good = in_folder(folder.path(), mesh);
    assert_eq!(codes(&good), []);
    assert_eq!(good.config.mesh.auth.tokens[0].expose(), "a-token-of-many-characters");
    assert_eq!(good.config.node.data_dir, Some(folder.path().join("./data")));
    fs::remove_file(&file).unwrap();
    assert_eq!(codes(&in_folder(folder.path(), mesh)), [Code::E0117]);
}

#[test]
fn tls_needs_both_files_and_both_must_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let tls = |tls: &str| format!("{{ listen: [tls://127.0.0.1:0], auth: {{ mode: open }}, tls: {tls} }}");
    assert_eq!(codes(&in_folder(folder.path(), &tls("{}"))), [Code::E0123]);
    assert_eq!(codes(&in_folder(folder.path(), &tls("{ cert: a.pem }"))), [Code::E0119, Code::E0123]);
    fs::write(folder.path().join("a.pem"), "x").unwrap();
    assert_eq!(codes(&in_folder(folder.path(), &tls("{ cert: a.pem, key: a.pem }"))), []);
}
