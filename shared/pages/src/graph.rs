//! What is made of what, as a picture from left to right.

use std::collections::{BTreeMap, BTreeSet};

use crate::grid::Link;
use crate::html::Html;

/// Most boxes of a picture: more than these nobody can follow, and the table below has them.
const MAX_BOXES: usize = 80;
/// Most lines of a picture.
const MAX_LINES: usize = 300;
/// Width and height of a box, and of the grid that boxes are in, in units of the picture.
const BOX_WIDTH: u64 = 230;
const BOX_HEIGHT: u64 = 44;
const COLUMN: u64 = 290;
const ROW: u64 = 60;
/// Least width of a picture, so that a few boxes are not blown up to the width of the page.
const LEAST_WIDTH: u64 = 3 * COLUMN + BOX_WIDTH;
/// Characters of a name that fit a box.
const MAX_NAME: usize = 31;

/// The left upper corner of each box, by its name, in units of the picture.
type Places<'a> = BTreeMap<&'a String, (u64, u64)>;

/// A box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// Its name, and where it leads to.
    pub(crate) link: Link,
    /// What it is.
    pub(crate) note: String,
    /// Whether the page is about it.
    pub(crate) is_focus: bool,
}

/// Boxes by a key that is unique, and lines from key to key.
#[derive(Debug, Clone, Default)]
pub(crate) struct Graph {
    nodes: BTreeMap<String, Node>,
    lines: BTreeSet<(String, String)>,
}

impl Graph {
    /// Adds a box, unless the picture has it.
    pub(crate) fn node(&mut self, key: String, node: Node) {
        self.nodes.entry(key).or_insert(node);
    }

    /// Adds a line. One whose ends have no boxes is not drawn.
    pub(crate) fn line(&mut self, from: String, to: String) {
        if from != to {
            self.lines.insert((from, to));
        }
    }

    /// The lines between boxes, as their links.
    pub(crate) fn named_lines(&self) -> impl Iterator<Item = (&Link, &Link)> {
        self.drawn().filter_map(|(from, to)| Some((&self.nodes.get(from)?.link, &self.nodes.get(to)?.link)))
    }

    fn drawn(&self) -> impl Iterator<Item = (&String, &String)> {
        let has = |key: &String| self.nodes.contains_key(key);
        self.lines.iter().filter(move |(from, to)| has(from) && has(to)).map(|(from, to)| (from, to))
    }

    /// The column of each box: one after the last of those that lead to it. A circle ends after as many steps as there
    /// are boxes.
    fn columns(&self) -> BTreeMap<&String, u64> {
        let mut columns: BTreeMap<&String, u64> = self.nodes.keys().map(|key| (key, 0)).collect();
        for _ in 0..self.nodes.len() {
            let mut is_done = true;
            for (from, to) in self.drawn() {
                let least = columns.get(from).copied().unwrap_or(0) + 1;
                let column = columns.entry(to).or_insert(0);
                if *column < least && least < self.nodes.len() as u64 {
                    *column = least;
                    is_done = false;
                }
            }
            if is_done {
                break;
            }
        }
        columns
    }

    /// Where the boxes are, and how large the picture is. In each column, boxes stand about where those stand that lead
    /// to them, so that few lines cross.
    fn places(&self) -> (Places<'_>, (u64, u64)) {
        let columns = self.columns();
        let last = columns.values().max().copied().unwrap_or(0);
        let mut rows: BTreeMap<&String, u64> = BTreeMap::new();
        let (mut places, mut highest) = (BTreeMap::new(), 0);
        for number in 0..=last {
            let mut keys: Vec<(u64, &String)> = Vec::new();
            for (key, _) in columns.iter().filter(|(_, column)| **column == number) {
                let above: Vec<u64> =
                    self.drawn().filter(|(_, to)| to == key).filter_map(|(from, _)| rows.get(from).copied()).collect();
                let mean = above.iter().sum::<u64>() * 100 / (above.len() as u64).max(1);
                keys.push((mean, *key));
            }
            keys.sort();
            for (row, (_, key)) in (0_u64..).zip(keys) {
                rows.insert(key, row);
                places.insert(key, (2 + number * COLUMN, 2 + row * ROW));
                highest = highest.max(row + 1);
            }
        }
        (places, (last * COLUMN + BOX_WIDTH + 4, highest * ROW))
    }

    /// Adds the picture, or a line that says why it is left out. `id` must be unique on the page, and a table of the page
    /// must have the same lines.
    pub(crate) fn write(&self, html: &mut Html, id: &'static str, title: &str) {
        if self.nodes.is_empty() {
            return;
        }
        if self.nodes.len() > MAX_BOXES || self.lines.len() > MAX_LINES {
            html.markup(
                "<p>These are too many for a picture. The table below has them all; choose one for its own.</p>\n",
            );
            return;
        }
        let (places, (width, height)) = self.places();
        html.markup("<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"").text(title).markup("\">\n");
        html.markup("<svg role=\"group\" aria-labelledby=\"").markup(id).markup("-title ").markup(id);
        html.markup("-text\" class=\"").markup(size_class(width)).markup("\" viewBox=\"0 0 ");
        html.number(width.max(LEAST_WIDTH)).markup(" ").number(height).markup("\"><title id=\"").markup(id);
        html.markup("-title\">").text(title).markup("</title><desc id=\"").markup(id);
        html.markup("-text\">From what is read on the left to what is made of it on the right. ");
        html.markup("The table below says the same.</desc>\n");
        for (from, to) in self.drawn() {
            let (Some((left, above)), Some((right, below))) = (places.get(from), places.get(to)) else { continue };
            edge(html, (left + BOX_WIDTH, above + BOX_HEIGHT / 2), (*right, below + BOX_HEIGHT / 2));
        }
        for (key, (left, above)) in &places {
            if let Some(node) = self.nodes.get(*key) {
                node.write(html, *left, *above);
            }
        }
        html.markup("</svg></div>\n");
    }
}

/// The class of a picture's size: wide ones are scrolled, so that their texts stay readable.
fn size_class(width: u64) -> &'static str {
    match width / COLUMN {
        0..=3 => "graph",
        4 => "graph graph-5",
        5..=7 => "graph graph-7",
        _ => "graph graph-12",
    }
}

fn edge(html: &mut Html, (left, above): (u64, u64), (right, below): (u64, u64)) {
    let middle = left.midpoint(right);
    html.markup("<path class=\"edge\" d=\"M").number(left).markup(" ").number(above).markup(" C");
    html.number(middle).markup(" ").number(above).markup(" ").number(middle).markup(" ").number(below);
    html.markup(" ").number(right).markup(" ").number(below).markup("\"/>\n");
}

impl Node {
    fn write(&self, html: &mut Html, left: u64, above: u64) {
        let address = self.link.address();
        match address {
            Some(to) => html.markup("<a href=\"/console/").text(to).markup("\">"),
            None => html.markup("<g>"),
        };
        html.markup("<title>").text(&self.link.words).markup("</title>");
        html.markup(if self.is_focus { "<rect class=\"node changed\" x=\"" } else { "<rect class=\"node\" x=\"" });
        html.number(left).markup("\" y=\"").number(above).markup("\" rx=\"4\" width=\"").number(BOX_WIDTH);
        html.markup("\" height=\"").number(BOX_HEIGHT).markup("\"/><text x=\"").number(left + 8).markup("\" y=\"");
        html.number(above + 18).markup("\">").text(&shortened(&self.link.words)).markup("</text>");
        html.markup("<text class=\"soft\" x=\"").number(left + 8).markup("\" y=\"").number(above + 35).markup("\">");
        html.text(&self.note).markup("</text>");
        html.markup(if address.is_some() { "</a>\n" } else { "</g>\n" });
    }
}

/// The end of a name that is too long for a box: that is where tables differ.
fn shortened(name: &str) -> String {
    let Some(too_many) = name.chars().count().checked_sub(MAX_NAME).filter(|more| *more > 0) else {
        return name.to_owned();
    };
    std::iter::once('…').chain(name.chars().skip(too_many + 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_whose_address_would_be_cut_leads_nowhere() {
        let check = |length: usize, expected: bool| {
            let mut graph = Graph::default();
            let link = Link::new("a", "x".repeat(length));
            graph.node("a".to_owned(), Node { link, note: String::new(), is_focus: false });
            let mut html = Html::default();
            graph.write(&mut html, "graph", "Boxes");
            let page = html.into_string();
            assert_eq!(page.contains("<a href"), expected, "{page}");
            assert_eq!(page.contains("</a>"), expected, "{page}");
        };
        check(500, true);
        check(501, false);
    }

    fn graph(lines: &[(&str, &str)]) -> Graph {
        let mut graph = Graph::default();
        for (from, to) in lines {
            for name in [from, to] {
                let link = Link::new(name, format!("lineage?of={name}"));
                graph.node((*name).to_owned(), Node { link, note: "table".to_owned(), is_focus: false });
            }
            graph.line((*from).to_owned(), (*to).to_owned());
        }
        graph
    }

    #[test]
    fn a_box_stands_behind_all_that_lead_to_it() {
        let graph = graph(&[("a", "b"), ("b", "c"), ("a", "c"), ("d", "c")]);
        let columns: Vec<(&str, u64)> =
            graph.columns().into_iter().map(|(key, column)| (key.as_str(), column)).collect();
        assert_eq!(columns, [("a", 0), ("b", 1), ("c", 2), ("d", 0)]);
    }

    #[test]
    fn a_circle_is_drawn_as_well() {
        let graph = graph(&[("a", "b"), ("b", "a"), ("b", "c")]);
        let mut html = Html::default();
        graph.write(&mut html, "g", "Circle");
        assert_eq!(html.into_string().matches("class=\"edge\"").count(), 3);
    }

    #[test]
    fn too_many_boxes_are_not_drawn() {
        let check = |boxes: usize, is_drawn: bool| {
            let names: Vec<String> = (0..boxes).map(|number| format!("t{number:03}")).collect();
            let lines: Vec<(&str, &str)> = names.windows(2).map(|pair| (pair[0].as_str(), pair[1].as_str())).collect();
            let mut html = Html::default();
            graph(&lines).write(&mut html, "g", "Many");
            assert_eq!(html.into_string().contains("<svg"), is_drawn, "{boxes}");
        };
        check(MAX_BOXES, true);
        check(MAX_BOXES + 1, false);
    }

    #[test]
    fn long_names_keep_their_end() {
        assert_eq!(shortened(&"a".repeat(MAX_NAME)), "a".repeat(MAX_NAME));
        let long = shortened(&format!("{}end", "a".repeat(MAX_NAME)));
        assert!(long.starts_with('…') && long.ends_with("end") && long.chars().count() == MAX_NAME, "{long}");
    }
}
