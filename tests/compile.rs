//! What must compile, and what must not, with messages that name the remedy.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

// Programs that must compile are modules of this test: a package of their own would be built with
// all its dependencies once more, which takes longer than all other tests.
#[path = "compile_pass/beside_other_preludes.rs"]
mod beside_other_preludes;
#[path = "compile_pass/flow_as_a_field.rs"]
mod flow_as_a_field;
#[path = "compile_pass/flow_built_in_a_loop.rs"]
mod flow_built_in_a_loop;
#[path = "compile_pass/flow_returned_with_its_source.rs"]
mod flow_returned_with_its_source;

/// A program of `compile_fail`. What comes behind `//~` in it has to be in what the compiler says: not all of
/// that is compared, which is another text with each release of the compiler.
struct Program {
    name: String,
    path: PathBuf,
    expected: Vec<String>,
}

#[test]
fn misuse_is_a_compile_error_that_names_the_remedy() {
    let programs = programs();
    let errors = errors_of(&programs);
    for Program { name, expected, .. } in &programs {
        let said = errors.get(name).map_or(&[][..], Vec::as_slice);
        assert!(!said.is_empty(), "{name} compiles");
        assert!(!expected.is_empty(), "{name} expects nothing");
        for text in expected {
            let found = said.iter().any(|error| error.contains(text));
            assert!(found, "{name}: not said: {text}\n{}", said.join("\n"));
        }
        for error in said {
            let known = expected.iter().any(|text| error.contains(text));
            assert!(known, "{name}: not expected:\n{error}");
        }
    }
}

fn programs() -> Vec<Program> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compile_fail");
    let files = fs::read_dir(&folder).unwrap().map(|file| file.unwrap());
    let files = files.filter(|file| file.path().extension().is_some_and(|ext| ext == "rs"));
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let expected = text.lines().filter_map(|line| line.strip_prefix("//~ "));
        Program {
            name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
            expected: expected.map(str::to_owned).collect(),
            path,
        }
    };
    files.map(|file| read(file.path())).collect()
}

/// Checks a package of these programs, and returns the errors in each.
fn errors_of(programs: &[Program]) -> BTreeMap<String, Vec<String>> {
    let (root, folder) = (env!("CARGO_MANIFEST_DIR"), package(programs));
    // The versions that are known here are the ones that are taken.
    fs::copy(
        Path::new(root).join("Cargo.lock"),
        folder.join("Cargo.lock"),
    )
    .unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["check", "--bins", "--keep-going", "--message-format=json"]);
    cargo.current_dir(&folder);
    cargo.env("CARGO_TARGET_DIR", folder.join("target"));
    let output = cargo.output().unwrap();
    let mut errors: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let (message, target) = (&line["message"], &line["target"]["name"]);
        // One that points nowhere only counts the others.
        let points = message["spans"].as_array().is_some_and(|s| !s.is_empty());
        if message["level"] == "error" && points {
            let of = target.as_str().unwrap().to_owned();
            let text = message["rendered"].as_str().unwrap().to_owned();
            errors.entry(of).or_default().push(text);
        }
    }
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!errors.is_empty(), "nothing was checked:\n{said}");
    errors
}

/// Writes the package, and returns its folder.
fn package(programs: &[Program]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile_fail");
    fs::create_dir_all(&folder).unwrap();
    let mut manifest = format!(
        "[workspace]\n[package]\nname = \"compile_fail\"\nedition = \"2024\"\n\
         [dependencies]\nheadwater.path = {:?}\n",
        env!("CARGO_MANIFEST_DIR")
    );
    for Program { name, path, .. } in programs {
        manifest += &format!("[[bin]]\nname = {name:?}\npath = {path:?}\n");
    }
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    folder
}
