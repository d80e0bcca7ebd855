//! Every operator's doc answers the six questions, and shows an example that asserts; and the guide
//! on choosing names every one.
//!
//! It reads the sources: what users see of an operator is the doc of the type that its method returns,
//! or the file beside its code that the method takes in.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const ROOMS: [&str; 5] = ["shape", "group", "join", "hold", "end"];

/// In this order, and in this form.
const ANSWERS: [&str; 6] = ["Emits", "Holds", "Waits", "On close", "Drops", "Panics"];

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("operators/src")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files of a room that end in `extension`, in order.
fn files(room: &str, extension: &str) -> Vec<PathBuf> {
    let folder = sources().join(room);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect();
    files.sort();
    files
}

/// The public types of a file with their docs, and whether each is a flow.
fn types(source: &str) -> Vec<(String, String, bool)> {
    let is_flow = |name: &str| {
        let named = |line: &str| {
            line.starts_with("impl")
                && line
                    .split_once(" Run for ")
                    .is_some_and(|(_, what)| word(what) == name)
        };
        source.lines().any(named)
    };
    let (mut doc, mut types) = (String::new(), Vec::new());
    for line in source.lines() {
        if let Some(text) = line.strip_prefix("///") {
            doc.push_str(text.strip_prefix(' ').unwrap_or(text));
            doc.push('\n');
        } else if let Some(rest) = line.strip_prefix("pub struct ") {
            let name = word(rest);
            types.push((name.to_owned(), std::mem::take(&mut doc), is_flow(name)));
        } else if !line.starts_with("#[") {
            doc.clear();
        }
    }
    types
}

/// The name that a text begins with.
fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

/// What a doc leaves open.
fn missing(doc: &str) -> Vec<String> {
    let mut missing = Vec::new();
    let (mut text, mut code, mut in_code) = (String::new(), String::new(), false);
    for line in doc.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if in_code {
            code.push_str(line);
        } else if line.starts_with("- **") {
            // Kin may answer several at once: "**Holds**, **Waits**: as its sibling".
            text.push_str(line);
        }
    }
    let mut from = 0;
    for answer in ANSWERS {
        let item = format!("**{answer}**");
        match text[from..].find(&item) {
            Some(at) => from += at,
            None if text.contains(&item) => missing.push(format!("{item} in its place")),
            None => missing.push(item),
        }
    }
    if code.is_empty() {
        missing.push("an example".to_owned());
    } else if !code.contains("assert") {
        missing.push("an example that asserts".to_owned());
    }
    missing
}

/// A method of `Flow`, with what documents it.
struct Method {
    name: String,
    /// The file that it takes in.
    included: Option<String>,
    /// The type that it returns: its room and its name.
    returned: Option<(String, String)>,
}

fn methods() -> Vec<Method> {
    let flow = read(&sources().join("flow.rs"));
    let (_, flow) = flow.split_once("pub trait Flow: Sized {").unwrap();
    let (flow, _) = flow.split_once("\n}\n").unwrap();
    let mut methods = Vec::new();
    let mut included = None;
    let mut lines = flow.lines();
    while let Some(line) = lines.next() {
        if let Some(file) = line.trim().strip_prefix("#[doc = include_str!(\"") {
            included = file.split_once('"').map(|(file, _)| file.to_owned());
        } else if let Some(rest) = line.strip_prefix("    fn ") {
            let name = word(rest).to_owned();
            let mut signature = line.to_owned();
            while !signature.trim_end().ends_with(['{', ';']) {
                signature.push_str(lines.next().expect("a signature ends"));
                signature.push('\n');
            }
            // The method's own comes before those of its closures, which are told behind `where`.
            let returned = signature.split_once(") -> ").map(|(_, returned)| returned);
            let returned = returned.and_then(|returned| {
                // A pair is told by its first.
                let (room, rest) = returned.trim_start_matches('(').split_once("::")?;
                let of_room = ROOMS.contains(&room);
                of_room.then(|| (room.to_owned(), word(rest).to_owned()))
            });
            methods.push(Method {
                name,
                included: included.take(),
                returned,
            });
        }
    }
    methods
}

#[test]
fn every_operator_answers_the_six_questions_and_shows_an_example_that_asserts() {
    let mut open = Vec::new();
    let mut documented = BTreeMap::new();
    let mut flows = 0;
    for room in ROOMS {
        for file in files(room, "rs") {
            for (name, doc, is_flow) in types(&read(&file)) {
                // Given to the user's closure, and nothing that one asks for.
                let given = name == "KeyFlow";
                if is_flow && !given {
                    flows += 1;
                    for missing in missing(&doc) {
                        open.push(format!("{room}: `{name}` misses {missing}"));
                    }
                }
                documented.insert((room.to_owned(), name), (doc, is_flow));
            }
        }
        for file in files(room, "md") {
            for missing in missing(&read(&file)) {
                let name = file.file_name().unwrap().to_string_lossy();
                open.push(format!("{room}: {name} misses {missing}"));
            }
        }
    }
    assert!(
        flows > 40,
        "only {flows} flows found: are the sources read rightly?"
    );
    let methods = methods();
    assert!(methods.len() > 50, "only {} methods found", methods.len());
    for method in methods {
        let name = method.name;
        match (method.included, method.returned) {
            (None, Some(key)) => match documented.get(&key) {
                Some((_, true)) => {} // Looked at above.
                Some((doc, false)) => {
                    for missing in missing(doc) {
                        open.push(format!("`{}` of `Flow::{name}` misses {missing}", key.1));
                    }
                }
                None => open.push(format!(
                    "`Flow::{name}` returns {key:?}, which nobody found"
                )),
            },
            (Some(file), _) => {
                assert!(sources().join(&file).exists(), "{file} is taken in");
            }
            // Making a run, a junction: documented as such, beside the engine.
            (None, None) => {
                let known = ["into_run", "share"];
                if !known.contains(&name.as_str()) {
                    open.push(format!("`Flow::{name}` has no doc that answers"));
                }
            }
        }
    }
    assert!(open.is_empty(), "\n{}", open.join("\n"));
}

#[test]
fn every_method_of_a_flow_is_in_the_guide_on_choosing() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/guide/choosing.md");
    let guide = read(&guide);
    let is_named = |name: &String| {
        guide.contains(&format!("`{name}`")) || guide.contains(&format!("`{name}("))
    };
    let methods = methods().into_iter().map(|method| method.name);
    let unnamed: Vec<_> = methods.filter(|name| !is_named(name)).collect();
    assert!(unnamed.is_empty(), "choosing.md does not name {unnamed:?}");
}

/// What a table's first cell is about: whom it links to, or all it says where it links to nobody.
fn subjects(cell: &str) -> Vec<String> {
    let links = cell.split("](").skip(1);
    let links: Vec<_> = links
        .filter_map(|rest| rest.split_once(')'))
        .map(|(link, _)| link.to_owned())
        .collect();
    if links.is_empty() {
        vec![cell.trim().to_owned()]
    } else {
        links
    }
}

/// What comes twice within one table, as the subject of two rows.
fn doubles(page: &str) -> Vec<String> {
    let (mut seen, mut doubles) = (Vec::new(), Vec::new());
    for line in page.lines() {
        let Some(row) = line.strip_prefix('|') else {
            seen.clear();
            continue;
        };
        for subject in subjects(row.split('|').next().unwrap_or_default()) {
            if seen.contains(&subject) {
                doubles.push(subject);
            } else {
                seen.push(subject);
            }
        }
    }
    doubles
}

#[test]
fn no_table_of_the_guide_answers_twice() {
    let guide = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/guide.md"));
    assert!(guide.lines().filter(|line| line.starts_with('|')).count() > 40);
    assert_eq!(doubles(&guide), [""; 0]);
    let twice = "| [`a`](A) | 1 |\n| [`b`](B), [`a`](A) | 2 |\n| c | 3 |\n| c | 4 |\n\n| c | 5 |\n";
    assert_eq!(doubles(twice), ["A", "c"]);
}

/// Every type of metrics that users see has its place in the chapter on it, or in the one for metrix' users.
#[test]
fn every_sink_and_every_way_of_sending_is_in_the_chapters_on_metrics() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/guide");
    let chapters = ["metrics.md", "from_metrix.md"].map(|chapter| read(&guide.join(chapter)));
    let exports = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/metrics/mod.rs"));
    let names = exports.split(|c: char| !c.is_alphanumeric());
    let sinks = names.filter(|name| name.ends_with("Sink"));
    let sinks: Vec<_> = sinks.chain(["KairosDbSink"]).collect();
    assert!(sinks.len() > 5, "{sinks:?}");
    let pipeline = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/metrics/pipeline.rs"));
    let (_, pipeline) = pipeline.split_once("\nimpl MetricsPipeline {").unwrap();
    let methods = pipeline.lines().filter_map(|line| {
        let method = line
            .strip_prefix("    pub fn ")
            .or(line.strip_prefix("    pub async fn "));
        method.map(word)
    });
    let methods: Vec<_> = methods.collect();
    assert!(methods.contains(&"send_tagged"), "{methods:?}");
    let named = |name: &&str| chapters.iter().any(|chapter| chapter.contains(&**name));
    let unnamed: Vec<_> = sinks
        .into_iter()
        .chain(methods)
        .filter(|name| !named(name))
        .collect();
    assert!(unnamed.is_empty(), "the chapters don't name {unnamed:?}");
    for chapter in chapters {
        assert_eq!(doubles(&chapter), [""; 0]);
    }
}

/// All Rust sources of a folder, one after the other.
fn below(folder: &Path) -> String {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let texts = paths.map(|path| match path.is_dir() {
        true => below(&path),
        false if path.extension().is_some_and(|e| e == "rs") => read(&path),
        false => String::new(),
    });
    texts.collect()
}

/// Names of another package in the first column of a chapter's tables: those in code that no Rust item is
/// written like (`camelCase`, `CAPITALS`).
fn old_names(chapter: &str) -> Vec<&str> {
    let rows = chapter.lines().filter_map(|line| line.strip_prefix('|'));
    let cells = rows.filter_map(|row| row.split('|').next());
    let code = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let words = code.flat_map(|code| code.split(|c: char| !c.is_alphanumeric()));
    let foreign = |word: &&str| {
        let mut letters = word.chars();
        let lower = letters.next().is_some_and(char::is_lowercase);
        word.starts_with("DEBUG") || lower && letters.any(char::is_uppercase)
    };
    let mut names: Vec<_> = words.filter(foreign).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[test]
fn the_search_finds_the_old_names_of_proficloud() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let chapter = read(&src.join("guide/from_proficloud.md"));
    let names = old_names(&chapter);
    assert!(
        names.contains(&"addMetrics") && names.contains(&"DEBUGTIME") && names.len() > 25,
        "{names:?}"
    );
    let sources = below(&src.join("timeseries"));
    let unknown = |name: &&str| !sources.contains(&format!("alias = \"{name}\""));
    let unknown: Vec<_> = names.into_iter().filter(unknown).collect();
    assert!(unknown.is_empty(), "the search does not find {unknown:?}");
}

#[test]
fn every_file_of_the_engine_has_a_row_in_the_architecture() {
    let map = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md"));
    let (_, map) = map.split_once("| file in `engine/` |").unwrap();
    let (map, _) = map.split_once("\n\n").unwrap();
    let rows: Vec<_> = map
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(file, _)| file.to_owned())
        .collect();
    let names = files("engine", "rs").into_iter();
    let names = names.map(|file| file.file_name().unwrap().to_string_lossy().into_owned());
    let mut names: Vec<_> = names.filter(|name| name != "mod.rs").collect();
    let mut sorted = rows;
    sorted.sort();
    names.sort();
    assert_eq!(sorted, names);
}

#[test]
fn the_walk_finds_what_is_missing() {
    let doc = "/// - **Emits** it.\n/// - **Waits** never.\n/// - **Holds** nothing.\n/// - **On close** it \
               closes.\n/// - **Panics** never.\n///\n/// ```\n/// let x = 1;\n/// ```\n#[must_use]\npub struct \
               Gap<R> {}\n\nimpl<R> Run for Gap<R> {}\n";
    let types = types(doc);
    let (name, doc, is_flow) = &types[0];
    assert_eq!((name.as_str(), *is_flow), ("Gap", true));
    assert_eq!(
        missing(doc),
        [
            "**Waits** in its place",
            "**Drops**",
            "an example that asserts"
        ]
    );
    assert_eq!(missing("").len(), 7);
}
