//! Links between the pages of the repository.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;
use sluice_tests::files::{entries, repository};

/// Folders that others write.
const SKIPPED: [&str; 3] = ["target", "node_modules", "cdk.out"];

/// The Markdown files below a folder, but for those that others write.
fn markdown(folder: &Path, found: &mut Vec<PathBuf>) {
    for path in entries(folder) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_skipped = SKIPPED.contains(&name) || name.starts_with('.') || path.is_symlink();
        if path.is_dir() && !is_skipped {
            markdown(&path, found);
        } else if path.is_file() && name.ends_with(".md") {
            found.push(path);
        }
    }
}

/// A page without its blocks of code.
fn prose(page: &str) -> String {
    let mut is_open = false;
    let mut lines = Vec::new();
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            is_open = !is_open;
        } else if !is_open {
            lines.push(line);
        }
    }
    lines.join("\n")
}

/// The anchor of a line that is a heading, as GitHub makes it.
fn anchor(line: &str) -> Option<String> {
    let heading = line.strip_prefix('#')?.trim_start_matches('#').strip_prefix(' ')?;
    let kept = |c: char| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        _ => c.is_alphanumeric().then_some(c),
    };
    Some(heading.trim().to_lowercase().chars().filter_map(kept).collect())
}

fn has_heading(page: &Path, heading: &str) -> bool {
    fs::read_to_string(page).is_ok_and(|text| prose(&text).lines().filter_map(anchor).any(|found| found == heading))
}

#[test]
fn every_link_between_pages_leads_to_a_file_and_a_heading() {
    let (root, link) = (repository(), Regex::new(r"\]\(([^)\s]+)\)").unwrap());
    let mut pages = Vec::new();
    markdown(&root, &mut pages);
    let (mut followed, mut broken) = (0, BTreeSet::new());
    for page in &pages {
        let text = prose(&fs::read_to_string(page).unwrap());
        for found in link.captures_iter(&text) {
            let target = &found[1];
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            let to = if path.is_empty() { page.clone() } else { page.parent().unwrap().join(path) };
            if !to.exists() || !(heading.is_empty() || has_heading(&to, heading)) {
                let _ = broken.insert(format!("{}: {target}", page.strip_prefix(&root).unwrap().display()));
            }
            followed += 1;
        }
    }
    assert!(followed > 100, "only {followed} links were found in {} pages", pages.len());
    let broken: Vec<String> = broken.into_iter().collect();
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn anchors_are_those_of_github() {
    let check = |line: &str, expected: Option<&str>| assert_eq!(anchor(line).as_deref(), expected, "{line}");
    check("## The keys of `pipeline.yaml`", Some("the-keys-of-pipelineyaml"));
    check("### AWS DMS and Debezium", Some("aws-dms-and-debezium"));
    check("#hashtag", None);
    check("text", None);
}
