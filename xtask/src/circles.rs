//! No large circles of files: files that all need each other can only be read, tested and changed together.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Most files of one circle. Small ones are natural: an expression holds function calls, whose arguments are expressions.
const MOST_FILES: usize = 4;

/// The path of a module, or of something in it, below its crate.
type Place = Vec<String>;

/// The modules of a crate that are files, with what each takes from other places and what it re-exports from them.
#[derive(Default)]
struct Modules {
    taken: BTreeMap<Place, BTreeSet<Place>>,
    exported: BTreeMap<Place, BTreeMap<String, Place>>,
}

#[test]
fn no_circle_of_files_is_larger_than_four() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let mut packages: Vec<PathBuf> = ["cli", "emr-local", "tests", "tests/aws", "xtask"].map(|p| root.join(p)).into();
    for folder in ["shared", "functions"] {
        packages.extend(fs::read_dir(root.join(folder)).expect(folder).map(|entry| entry.expect(folder).path()));
    }
    let mut large = Vec::new();
    for package in packages {
        let mut modules = Modules::default();
        modules.read(&package.join("src"), &[]);
        assert!(!modules.taken.is_empty(), "{}", package.display());
        let circles = modules.circles().into_iter().filter(|circle| circle.len() > MOST_FILES);
        large.extend(circles.map(|circle| format!("{}: {}", package.display(), circle.join(", "))));
    }
    assert!(large.is_empty(), "circles of files that all need each other:\n{}", large.join("\n"));
}

impl Modules {
    /// Reads the files in the folder of a module, without tests: those may take whatever they like.
    fn read(&mut self, folder: &Path, module: &[String]) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
            let below = [module, std::slice::from_ref(&name)].concat();
            if path.is_dir() && name != "tests" {
                self.read(&path, &below);
            } else if path.extension().is_some_and(|extension| extension == "rs") && name != "tests" {
                let own = if ["lib", "main", "mod"].contains(&name.as_str()) { module.to_vec() } else { below };
                let text = fs::read_to_string(&path).expect("a text");
                self.taken.entry(own.clone()).or_default();
                self.scan(&own, &words(text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default()));
            }
        }
    }

    /// Notes every path in the words of a file: those of `use`, and those in the code.
    fn scan(&mut self, module: &Place, mut words: &[&str]) {
        let mut is_export = false;
        while let [word, rest @ ..] = words {
            words = rest;
            if *word == "use" {
                let (tree, after) = rest.split_at(rest.iter().position(|word| *word == ";").unwrap_or(rest.len()));
                self.import(module, is_export, &[], tree);
                words = after;
            } else if word.contains("::") {
                self.taken.entry(module.clone()).or_default().extend(absolute(module, &names(word)));
            }
            is_export = *word == "pub" || is_export && ["crate", "super"].contains(word);
        }
    }

    /// Notes the paths of a tree of `use`: `a::{b, c::{d, e as f}}`.
    fn import(&mut self, module: &Place, is_export: bool, prefix: &[String], tree: &[&str]) {
        let [head, rest @ ..] = tree else { return };
        let path = [prefix, &names(head)].concat();
        if let ["{", inner @ .., "}"] = rest {
            let mut depth = 0;
            let parts = inner.split(|word| {
                depth += i32::from(*word == "{") - i32::from(*word == "}");
                depth == 0 && *word == ","
            });
            parts.for_each(|part| self.import(module, is_export, &path, part));
            return;
        }
        let Some(place) = absolute(module, &path) else { return };
        if is_export {
            let name = tree.last().map_or(String::new(), |last| names(last).pop().unwrap_or_default());
            self.exported.entry(module.clone()).or_default().insert(name, place);
        } else {
            self.taken.entry(module.clone()).or_default().insert(place);
        }
    }

    /// The module that defines what is at a place, wherever it is re-exported.
    fn home(&self, place: &[String]) -> Place {
        let is_module = |length: &usize| self.taken.contains_key(&place[..*length]);
        let (module, rest) = place.split_at((0..=place.len()).rev().find(is_module).unwrap_or_default());
        let exported = rest.first().and_then(|name| self.exported.get(module)?.get(name));
        match exported.filter(|exported| exported.as_slice() != place) {
            Some(exported) => self.home(exported),
            None => module.to_vec(),
        }
    }

    /// The files of each circle: those that are reached from each other.
    fn circles(&self) -> BTreeSet<Vec<String>> {
        let homes = |taken: &BTreeSet<Place>| taken.iter().map(|place| self.home(place)).collect::<BTreeSet<_>>();
        let needs: BTreeMap<&Place, _> = self.taken.iter().map(|(module, taken)| (module, homes(taken))).collect();
        let reach = |from: &Place| {
            let (mut reached, mut next) = (BTreeSet::new(), vec![from.clone()]);
            while let Some(module) = next.pop() {
                let needed = needs[&module].iter().filter(|needed| **needed != module);
                next.extend(needed.filter(|needed| reached.insert((*needed).clone())).cloned());
            }
            reached
        };
        let reach: BTreeMap<&Place, BTreeSet<Place>> = needs.keys().map(|module| (*module, reach(module))).collect();
        let circle = |(module, reached): (&&Place, &BTreeSet<Place>)| {
            reached.iter().filter(|other| reach[*other].contains(*module)).map(|other| other.join("::")).collect()
        };
        reach.iter().map(circle).collect()
    }
}

/// A path from the root of its crate. One of another crate leads nowhere there, and so to the module itself.
fn absolute(module: &[String], path: &[String]) -> Option<Place> {
    let (first, rest) = path.split_first()?;
    match first.as_str() {
        "crate" => Some(rest.to_vec()),
        "self" => Some([module, rest].concat()),
        "super" if rest.first().is_some_and(|next| next == "super") => absolute(module.split_last()?.1, rest),
        "super" => Some([module.split_last()?.1, rest].concat()),
        _ => Some([module, path].concat()),
    }
}

/// The names of a path.
fn names(path: &str) -> Vec<String> {
    path.split(':').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// The paths of a text and the signs of `use`, without lines of comment.
fn words(text: &str) -> Vec<&str> {
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let parts = code.flat_map(|line| line.split_inclusive(move |c: char| !is_path(c)));
    let split = parts.flat_map(|part| {
        let (path, sign) = part.split_at(part.find(|c: char| !is_path(c)).unwrap_or(part.len()));
        [path, sign]
    });
    split.filter(|word| word.starts_with(is_path) || ["{", "}", ",", ";"].contains(word)).collect()
}
