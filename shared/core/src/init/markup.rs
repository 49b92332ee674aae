//! XML: which of its elements are records, from the beginning of a document.

use std::collections::HashMap;

use super::Written;
use super::encoding::Certainty;
use crate::path::RecordPath;
use crate::shown::shown;
use crate::spec::SourceFormat;

/// Most other paths that the evidence lists.
const MAX_OTHERS: usize = 5;
/// Most elements that may be open, as the reader of XML has it: what is deeper is not scanned.
const MAX_DEPTH: usize = 60;
/// Most paths of elements that are counted. What follows them is not scanned.
const MAX_PATHS: usize = 10_000;
/// How many times more elements may repeat in one that repeats and is still the record: an order has some lines. Where
/// more are in fewer, as rows in sheets and points in tracks, the outer ones are groups of records.
const MAX_PARTS: usize = 10;

/// Whether a text begins as a page of HTML does.
pub(super) fn is_html(text: &str) -> bool {
    let begin: String = text.chars().take(16).collect::<String>().to_ascii_lowercase();
    let is_root = |rest: &str| rest.chars().next().is_none_or(|c| c == '>' || c.is_whitespace());
    begin.starts_with("<!doctype html") || begin.strip_prefix("<html").is_some_and(is_root)
}

/// Whether a text begins as XML does. A header of CSV may have names in `<` and `>`, and has no end of an element.
pub(super) fn is_xml(text: &str) -> bool {
    if text.starts_with("<?xml") {
        return true;
    }
    let after = text.strip_prefix('<').and_then(|rest| rest.chars().next());
    let is_markup = after.is_some_and(|c| c.is_alphabetic() || matches!(c, '_' | '!' | '?'));
    is_markup && (text.contains("</") || text.contains("/>"))
}

/// How a document is written whose records are the elements that one parent has most of, or the ones around them that
/// repeat as well; `None` where none can be.
pub(super) fn recognise(text: &str, certainty: Certainty) -> Option<Written> {
    let scan = Scan::of(text);
    let mut others: Vec<(usize, &Node)> =
        scan.nodes.iter().enumerate().filter(|(_, node)| node.parent.is_some() && node.has_content).collect();
    // A stable sort: the first of those that are alike.
    others.sort_by_key(|(_, node)| (std::cmp::Reverse(node.most), node.depth));
    let (most_frequent, _) = *others.first()?;
    let chosen = scan.whole(most_frequent);
    others.retain(|(index, _)| *index != chosen);
    let best = scan.nodes.get(chosen)?;
    let path = scan.path(chosen);
    let records: RecordPath = path.parse().ok()?;
    let mut note = format!("records {path}: {} of them in one parent", best.most);
    if best.most == 1 {
        // Nothing repeats: the outermost is a guess only where it is alone there.
        if others.iter().any(|(_, other)| other.depth == best.depth) {
            return None;
        }
        note = format!("records {path}: the only element with values inside (assumed: none repeats)");
    }
    note.push_str("; what is around records is not stored");
    if let Some((around, names)) = scan.around(chosen) {
        let around = shown(&scan.path(around));
        note = format!("{note}: {around} has {names}; if that is the record, write `records: {around}`");
    }
    let repeated = others.iter().filter(|(_, node)| node.most > 1).take(MAX_OTHERS);
    let repeated: Vec<String> = repeated.map(|(index, _)| shown(&scan.path(*index))).collect();
    if !repeated.is_empty() {
        note = format!("{note}; others that repeat: {}", repeated.join(", "));
    }
    let evidence = vec!["format xml: the text begins with `<` and has elements".to_owned(), note];
    let format = SourceFormat::Xml;
    Some(Written {
        format,
        csv: None,
        records: Some(records),
        xlsx: None,
        archive: None,
        evidence,
        certainty,
        has_quotes: false,
    })
}

/// All elements at one path.
struct Node {
    name: String,
    parent: Option<usize>,
    depth: usize,
    /// Most of them in one parent.
    most: usize,
    /// Whether one of them has attributes or elements.
    has_content: bool,
    /// Whether one of them has attributes.
    has_attributes: bool,
}

/// An element that is open.
struct Open {
    node: usize,
    /// How many children of each node it has.
    children: HashMap<usize, usize>,
}

#[derive(Default)]
struct Scan {
    nodes: Vec<Node>,
    places: HashMap<(Option<usize>, String), usize>,
    open: Vec<Open>,
}

impl Scan {
    fn of(text: &str) -> Self {
        let mut scan = Self::default();
        let mut rest = text;
        while let Some((_, after)) = rest.split_once('<') {
            if scan.open.len() > MAX_DEPTH || scan.nodes.len() > MAX_PATHS {
                break;
            }
            let end = match after {
                comment if comment.starts_with("!--") => "-->",
                data if data.starts_with("![CDATA[") => "]]>",
                instruction if instruction.starts_with('?') => "?>",
                _ => "",
            };
            if !end.is_empty() {
                let Some((_, behind)) = after.split_once(end) else { break };
                rest = behind;
                continue;
            }
            let Some((tag, behind)) = split_tag(after) else { break };
            scan.take(tag);
            rest = behind;
        }
        scan
    }

    /// Takes what is between `<` and `>`.
    fn take(&mut self, tag: &str) {
        if tag.starts_with('!') {
            return;
        }
        if tag.starts_with('/') {
            let _ = self.open.pop();
            return;
        }
        let (tag, is_empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (qualified, attributes) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
        let name = qualified.split_once(':').map_or(qualified, |(_, local)| local);
        let has_attributes = attributes.split_whitespace().any(|word| word.contains('=') && !word.starts_with("xmlns"));
        self.begin(name, has_attributes);
        if is_empty {
            let _ = self.open.pop();
        }
    }

    fn begin(&mut self, name: &str, has_attributes: bool) {
        let parent = self.open.last().map(|open| open.node);
        let depth = self.open.len();
        let place = self.places.entry((parent, name.to_owned())).or_insert(self.nodes.len());
        let node = *place;
        if node == self.nodes.len() {
            let (name, most) = (name.to_owned(), 0);
            self.nodes.push(Node { name, parent, depth, most, has_content: false, has_attributes: false });
        }
        let count = self.open.last_mut().map_or(1, |open| {
            let count = open.children.entry(node).or_insert(0);
            *count += 1;
            *count
        });
        if let Some(parent) = parent.and_then(|parent| self.nodes.get_mut(parent)) {
            parent.has_content = true;
        }
        if let Some(known) = self.nodes.get_mut(node) {
            known.most = known.most.max(count);
            known.has_content |= has_attributes;
            known.has_attributes |= has_attributes;
        }
        self.open.push(Open { node, children: HashMap::new() });
    }

    /// The outermost element that repeats and has this one, or some of it, as its parts: in `/orders/order/line` the
    /// order, however many lines it has. Records of it lose nothing that is around the parts.
    fn whole(&self, index: usize) -> usize {
        let mut whole = index;
        let mut next = self.nodes.get(index);
        while let Some((place, node)) = next.and_then(|node| Some((node.parent?, self.nodes.get(node.parent?)?))) {
            let parts = self.nodes.get(whole).map_or(0, |node| node.most);
            if node.most > 1 && node.most.saturating_mul(MAX_PARTS) >= parts {
                whole = place;
            }
            next = Some(node);
        }
        whole
    }

    /// The outermost element around this one, but for the root, that has values of its own, and what these are. It may
    /// be the record, of which the document has one.
    fn around(&self, index: usize) -> Option<(usize, String)> {
        let mut found = None;
        let (mut inner, mut next) = (index, self.nodes.get(index)?.parent);
        while let Some((place, node)) = next.and_then(|place| Some((place, self.nodes.get(place)?))) {
            let is_part = |(at, part): &(usize, &Node)| part.parent == Some(place) && *at != inner;
            let parts = self.nodes.iter().enumerate().filter(is_part).map(|(_, part)| shown(&part.name));
            let mut names: Vec<String> = parts.take(MAX_OTHERS).collect();
            if node.has_attributes {
                names.insert(0, "attributes".to_owned());
            }
            if node.parent.is_some() && !names.is_empty() {
                found = Some((place, names.join(", ")));
            }
            (inner, next) = (place, node.parent);
        }
        found
    }

    /// The path of a node, as `source.records` has it.
    fn path(&self, index: usize) -> String {
        let mut names = Vec::new();
        let mut next = self.nodes.get(index);
        while let Some(node) = next {
            names.push(node.name.as_str());
            next = node.parent.and_then(|parent| self.nodes.get(parent));
        }
        names.iter().rev().map(|name| format!("/{name}")).collect()
    }
}

/// What is before the `>` that ends a tag, which is not one in quotes, and what is behind it.
fn split_tag(text: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    for (at, character) in text.char_indices() {
        match (quote, character) {
            (None, '>') => return Some((text.get(..at)?, text.get(at + 1..)?)),
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_elements_that_repeat_in_one_parent_are_records() {
        let check = |text: &str, expected: Option<&str>| {
            let written = recognise(text, Certainty::default());
            let found = written.and_then(|written| written.records).map(|records| records.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        };
        check("<orders><order id='1'/><order id='2'/></orders>", Some("/orders/order"));
        let prefixed = "<?xml version='1.0'?><o:orders xmlns:o='u'><o:order><o:id>1</o:id></o:order></o:orders>";
        check(prefixed, Some("/orders/order"));
        let nested = "<r><head><day>1</day></head><rows><row><a>1</a></row><!-- <x> --><row><a>2</a></row></rows></r>";
        check(nested, Some("/r/rows/row"));
        check("<r><row a='x>y'/><row a='/'/><![CDATA[<row/>]]><row b='1'>", Some("/r/row"));
        let lines = "<o><order><l n='1'/><l n='2'/></order><order><l n='3'/></order></o>";
        check(lines, Some("/o/order"));
        let parts = "<o><order><l n='1'/><l n='2'/><l n='3'/></order><order><l n='4'/></order></o>";
        check(parts, Some("/o/order"));
        let rows = format!("<s>{}</s>", "<row a='1'/>".repeat(30));
        check(&format!("<b>{rows}{rows}</b>"), Some("/b/s/row"));
        let series = format!("<s k='1'>{}</s>", "<obs v='1'/>".repeat(30)).repeat(3);
        check(&format!("<d><set>{series}</set></d>"), Some("/d/set/s"));
        check(&"<a b='1'>".repeat(100_000), Some("/a/a"));
        check("<a/>", None);
        check("<a><b>1</b><b>2</b></a>", None);
        check("<a><b x='1'/><c x='1'/></a>", None);
        check("<a><b", None);
    }

    #[test]
    fn what_is_around_the_records_of_one_group_is_named() {
        let note = |text: &str| recognise(text, Certainty::default()).expect(text).evidence.join("\n");
        let lines = "<lines><line n='1'/><line n='2'/></lines>";
        let one = note(&format!("<orders><day>1</day><order id='1'><who/><tag/>{lines}</order></orders>"));
        let says = "is not stored: /orders/order has attributes, who, tag; if that is the record, write `records: \
                    /orders/order`";
        assert!(one.contains("records /orders/order/lines/line: 2 of them") && one.contains(says), "{one}");
        for plain in [format!("<r><head/>{lines}</r>"), format!("<r>{lines}</r>")] {
            assert!(!note(&plain).contains("if that is the record"), "{plain}");
        }
    }

    #[test]
    fn pages_and_headers_of_csv_are_no_documents() {
        let check = |text: &str, is_document: bool| {
            assert_eq!(is_xml(text) && !is_html(text), is_document, "{text}");
        };
        check("<?xml version='1.0'?>\n<a/>", true);
        check("<a><b>1</b></a>", true);
        check("<!-- x --><a/>", true);
        check("<DATE>\t<OPEN>\n2026\t1\n", false);
        check("<!DOCTYPE html><html></html>", false);
        check("<HTML></HTML>", false);
        check("<htmls><a/></htmls>", true);
        check("< 5,> 5\n", false);
    }
}
