//! Which members of an archive are the records of a pipeline: where they are of several kinds or tables, those of the
//! largest group, by a pattern, and never all of them in silence.

use std::io::Cursor;
use std::path::Path;

use sluice_core::columns::folded_name;
use sluice_core::files::{FilePattern, FileSelection};
use sluice_core::init::recognise_as;
use sluice_core::shown::shown;
use sluice_core::spec::{ArchiveSpec, SourceFormat, TextEncoding};

use super::SampleError;
use crate::source::{MemberBeginning, SourceInput, SourceOptions, read_columns, read_members};

/// Bytes of a member that say what it is.
const HEAD_BYTES: usize = 256 << 10;
/// Most groups, and most names in one, that the evidence lists.
const MAX_LISTED: usize = 5;
/// What files are called that are about the others.
const ABOUT: [&str; 12] = [
    "about",
    "changelog",
    "checksum",
    "checksums",
    "copyright",
    "index",
    "license",
    "licence",
    "manifest",
    "metadata",
    "notice",
    "readme",
];

/// Members of one table, or the same kind.
#[derive(Debug)]
struct Group {
    format: SourceFormat,
    ending: String,
    /// The columns of the first of them; empty where they are not known.
    columns: Vec<String>,
    names: Vec<String>,
    size_bytes: u64,
}

impl Group {
    /// Whether a member with these columns is of the same table: tables get columns, and do not change most of them.
    fn has(&self, format: SourceFormat, ending: &str, columns: &[String]) -> bool {
        if self.format != format || self.ending != ending {
            return false;
        }
        let folded: Vec<String> = self.columns.iter().map(|column| folded_name(column)).collect();
        let shared = columns.iter().filter(|column| folded.contains(&folded_name(column))).count();
        let (fewer, more) = (folded.len().min(columns.len()), folded.len().max(columns.len()));
        // Records of documents may lack keys, and those of tables have all columns.
        let compared = if format.has_documents() { fewer } else { more };
        fewer == 0 || shared * 2 > compared
    }

    /// What makes it the likelier one: values in columns, then members, then bytes.
    fn weight(&self) -> (bool, usize, u64) {
        let is_about = |name: &String| ABOUT.contains(&stem(name).to_lowercase().as_str());
        let is_text = self.format == SourceFormat::Csv && self.columns.len() == 1;
        let is_data = !is_text && !self.names.iter().all(is_about);
        (is_data, self.names.len(), self.size_bytes)
    }

    fn in_words(&self) -> String {
        let columns: Vec<String> = self.columns.iter().take(MAX_LISTED).map(|column| shown(column)).collect();
        let more = if self.columns.len() > MAX_LISTED { ", …" } else { "" };
        let columns = if columns.is_empty() { String::new() } else { format!(" ({}{more})", columns.join(", ")) };
        format!("{}{columns}", listed(&self.names))
    }
}

/// How an archive is opened, and on what evidence; `None` where the file is no archive.
///
/// # Errors
/// [`SampleError`] where it cannot be read, or no member of it is taken.
pub(super) fn choose(
    path: &Path,
    file: &str,
    encoding: Option<TextEncoding>,
) -> Result<Option<(ArchiveSpec, Vec<String>)>, SampleError> {
    let (input, all) = (SourceInput::File(path.to_owned()), FileSelection::default());
    let members = read_members(input, &all, file, HEAD_BYTES);
    let members = members.map_err(|source| SampleError::Source { file: file.to_owned(), source })?;
    let Some(members) = members else { return Ok(None) };
    let (mut groups, mut others) = (Vec::new(), Vec::new());
    for member in members {
        add(&mut groups, &mut others, file, member, encoding);
    }
    let Some(chosen) = (0..groups.len()).rev().max_by_key(|index| groups.get(*index).map(Group::weight)) else {
        // Whoever reads the first member says what is wrong with it.
        return Ok(Some((ArchiveSpec::default(), Vec::new())));
    };
    let group = groups.remove(chosen);
    if groups.is_empty() && others.is_empty() {
        return Ok(Some((ArchiveSpec::default(), Vec::new())));
    }
    let outside: Vec<&str> = groups.iter().flat_map(|group| &group.names).chain(&others).map(String::as_str).collect();
    let patterns = patterns(&group, &outside);
    let (named, by) = (group.in_words(), patterns.join(", "));
    let mut evidence = vec![format!("members: only {named} are read, by include: {by}")];
    let tables = groups.iter().filter(|other| other.weight().0).collect::<Vec<_>>();
    if !tables.is_empty() {
        let named: Vec<String> = tables.iter().take(MAX_LISTED).map(|other| other.in_words()).collect();
        let more = if tables.len() > MAX_LISTED { " and more" } else { "" };
        evidence.push(format!(
            "other members have other columns and are left out: {}{more}; for each of these tables unpack a member, \
             call init for it, and write its name or a pattern under archive.members.include of that pipeline",
            named.join("; ")
        ));
    }
    let notes = groups.iter().filter(|other| !other.weight().0).flat_map(|other| other.names.clone());
    let notes: Vec<String> = notes.chain(others).collect();
    if !notes.is_empty() {
        evidence.push(format!("members that are no table are left out: {}", listed(&notes)));
    }
    let include: Vec<FilePattern> = patterns.iter().filter_map(|pattern| pattern.parse().ok()).collect();
    Ok(Some((ArchiveSpec { members: FileSelection::including(include) }, evidence)))
}

/// Puts a member into its group, or among those that are no table.
fn add(
    groups: &mut Vec<Group>,
    others: &mut Vec<String>,
    file: &str,
    member: MemberBeginning,
    encoding: Option<TextEncoding>,
) {
    let MemberBeginning { name, size_bytes, head } = member;
    let named = format!("{file}, member {}", shown(&name));
    let written = recognise_as(&named, &head, head.len() < HEAD_BYTES, encoding);
    let Some(written) = written.ok().filter(|written| ArchiveSpec::can_hold(written.format)) else {
        others.push(name);
        return;
    };
    let options = SourceOptions::of_sample(&written);
    let input = SourceInput::Stream(Box::new(Cursor::new(head)));
    let columns = read_columns(written.format, &options, input, &named).unwrap_or_default();
    let ending = ending(&name).to_owned();
    match groups.iter_mut().find(|group| group.has(written.format, &ending, &columns)) {
        Some(group) => {
            group.names.push(name);
            group.size_bytes = group.size_bytes.saturating_add(size_bytes);
        }
        None => groups.push(Group { format: written.format, ending, columns, names: vec![name], size_bytes }),
    }
}

/// Patterns that take these members and none of the others: by their ending, by how their names begin, or by name.
fn patterns(group: &Group, outside: &[&str]) -> Vec<String> {
    let ending = literal(&group.ending);
    let begin = literal(common_begin(&group.names));
    let mut candidates = Vec::new();
    if !ending.is_empty() {
        candidates.push(format!("**/*.{ending}"));
    }
    if group.names.len() > 1 && !begin.is_empty() {
        let rest = if ending.is_empty() { String::new() } else { format!(".{ending}") };
        candidates.push(format!("**/{begin}*{rest}"));
    }
    let fits = |pattern: &String| {
        let Ok(parsed) = pattern.parse::<FilePattern>() else { return false };
        let selection = FileSelection::including(vec![parsed]);
        group.names.iter().all(|name| selection.judge(name).is_ok())
            && !outside.iter().any(|name| selection.judge(name).is_ok())
    };
    match candidates.into_iter().find(fits) {
        Some(pattern) => vec![pattern],
        None => group.names.iter().map(|name| literal(name)).collect(),
    }
}

/// How the names of files begin, without the number or date of each.
fn common_begin(names: &[String]) -> &str {
    let mut files = names.iter().map(|name| file_name(name));
    let Some(first) = files.next() else { return "" };
    let mut end = first.len();
    for file in files {
        let same = first.char_indices().zip(file.chars()).find(|((_, one), other)| one != other);
        let same = same.map_or(first.len().min(file.len()), |((at, _), _)| at);
        end = end.min(same);
    }
    let begin = first.get(..end).unwrap_or_default();
    begin.trim_end_matches(|c: char| c.is_ascii_digit() || "-_. ".contains(c))
}

/// A text in which no sign of a pattern means more than itself.
fn literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len());
    for character in text.chars() {
        if "*?[]{}!,\\".contains(character) {
            literal.push('\\');
        }
        literal.push(character);
    }
    literal
}

fn file_name(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// The name of a file without its endings.
fn stem(name: &str) -> &str {
    file_name(name).split('.').next().unwrap_or_default()
}

/// The ending of the name of a file, with that of its content where it is packed: `csv`, `csv.gz`; empty without one.
fn ending(name: &str) -> &str {
    let file = file_name(name);
    let Some((before, last)) = file.rsplit_once('.') else { return "" };
    if !matches!(last, "gz" | "zst") {
        return last;
    }
    match before.rsplit_once('.') {
        Some((front, _)) => file.get(front.len() + 1..).unwrap_or(last),
        None => last,
    }
}

fn listed(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(MAX_LISTED).map(|name| shown(name)).collect();
    match names.len().checked_sub(MAX_LISTED) {
        Some(more @ 1..) => format!("{} and {more} more", shown.join(", ")),
        _ => shown.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn chosen(members: &[(&str, &str)]) -> (Vec<String>, String) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.tar");
        std::fs::write(&path, tar(members)).expect("a file");
        let (archive, evidence) = choose(&path, "a.tar", None).expect("an archive").expect("an archive");
        let include = archive.members.include().iter().map(ToString::to_string).collect();
        (include, evidence.join("\n"))
    }

    /// A tar archive of these files.
    fn tar(members: &[(&str, &str)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, text) in members {
            let mut header = [0_u8; 512];
            header[..name.len()].copy_from_slice(name.as_bytes());
            header[100..108].copy_from_slice(b"0000644\0");
            header[124..136].copy_from_slice(format!("{:011o}\0", text.len()).as_bytes());
            header[148..156].copy_from_slice(b"        ");
            header[156] = b'0';
            header[257..265].copy_from_slice(b"ustar\x0000");
            let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
            header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            bytes.write_all(&header).expect("bytes");
            bytes.write_all(text.as_bytes()).expect("bytes");
            bytes.resize(bytes.len().next_multiple_of(512), 0);
        }
        bytes.resize(bytes.len() + 1024, 0);
        bytes
    }

    #[test]
    fn members_of_one_table_are_all_read() {
        let one = chosen(&[("x/1.csv", "id,name\n1,a\n"), ("x/2.csv", "id,name,day\n1,a,2026-01-01\n")]);
        assert_eq!(one, (vec!["**".to_owned()], String::new()));
    }

    #[test]
    fn members_that_are_no_table_are_left_out_by_the_ending_of_the_others() {
        let (orders, readme) = ("id,name,amount\n1,a,2\n", "Orders of January 2026, as they were sent to us.\n");
        let check = |members: &[(&str, &str)], pattern: &str, says: &str| {
            let (include, evidence) = chosen(members);
            assert_eq!(include, [pattern], "{members:?}");
            assert!(evidence.contains(&format!("members that are no table are left out: {says}")), "{evidence}");
        };
        check(&[("README.txt", readme), ("d/orders.csv", orders)], "**/*.csv", "README.txt");
        let manifest = "{\"files\":1,\"of\":\"x\"}\n";
        check(&[("manifest.json", manifest), ("orders.csv", orders)], "**/*.csv", "manifest.json");
        check(&[("orders.csv", orders), ("a.bin", "\u{0}\u{1}\u{2}")], "**/*.csv", "a.bin");
        let xml = "<orders><order id='1'/><order id='2'/></orders>";
        check(&[("readme.txt", readme), ("orders.xml", xml)], "**/*.xml", "readme.txt");
        check(&[("readme.csv", "about,us\nx,y\n"), ("2026/orders.csv", orders)], "2026/orders.csv", "readme.csv");
    }

    #[test]
    fn of_several_tables_the_largest_group_is_read_and_the_others_are_named() {
        let (orders, lines) = ("id,name,amount\n1,a,2\n", "order_id,line,sku\n1,1,x\n");
        let members = [("orders_1.csv", orders), ("lines_1.csv", lines), ("orders_2.csv", orders)];
        let (include, evidence) = chosen(&members);
        assert_eq!(include, ["**/orders*.csv"]);
        for says in [
            "only orders_1.csv, orders_2.csv (id, name, amount) are read, by include: **/orders*.csv",
            "other members have other columns and are left out: lines_1.csv (order_id, line, sku); for each",
        ] {
            assert!(evidence.contains(says), "{says}: {evidence}");
        }
        let (include, _) = chosen(&[("a [1].csv", "id,name\n1,a\n2,b\n"), ("b.csv", lines)]);
        assert_eq!(include, [r"b.csv"], "the larger one");
        let (include, _) = chosen(&[("a [1].csv", "id,name\n1,a\n2,b\n3,c\n4,d\n5,e\n"), ("b.csv", lines)]);
        assert_eq!(include, [r"a \[1\].csv"]);
    }
}
