//! Writes workbooks for tests: the XML of their parts in a zip archive, packed or not.

use std::io::Write;

/// A workbook in the making.
pub(crate) struct Workbook {
    sheets: Vec<(String, String)>,
    texts: Vec<String>,
    formats: Vec<String>,
    is_1904: bool,
    parts: Vec<(String, Vec<u8>)>,
}

impl Workbook {
    pub(crate) fn new() -> Self {
        let (sheets, texts, formats, parts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { sheets, texts, formats, is_1904: false, parts }
    }

    /// A workbook with one sheet of these cells.
    pub(crate) fn of_cells(rows: &[&[&str]]) -> Self {
        Self::new().sheet("Sheet1", &rows_xml(rows))
    }

    /// Adds a sheet with the XML of its rows.
    pub(crate) fn sheet(mut self, name: &str, rows: &str) -> Self {
        self.sheets.push((name.to_owned(), rows.to_owned()));
        self
    }

    /// Adds a text that cells share, as the XML within `<si>`.
    pub(crate) fn text(mut self, xml: &str) -> Self {
        self.texts.push(xml.to_owned());
        self
    }

    /// Adds a format of numbers; the first has the style 1.
    pub(crate) fn format(mut self, code: &str) -> Self {
        self.formats.push(code.to_owned());
        self
    }

    /// Counts days from 1904.
    pub(crate) fn since_1904(mut self) -> Self {
        self.is_1904 = true;
        self
    }

    /// Adds a part, or one more of this name.
    pub(crate) fn part(mut self, name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.parts.push((name.to_owned(), bytes.into()));
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        archive(&self.all_parts())
    }

    pub(crate) fn all_parts(&self) -> Vec<(String, Vec<u8>)> {
        const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
        const LINKS: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
        const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006/relationships";
        let numbered = || (1..).zip(&self.sheets);
        let list = |entry: &dyn Fn(usize, &str) -> String| -> String {
            numbered().map(|(number, (name, _))| entry(number, name)).collect()
        };
        let sheets = list(&|n, name| format!(r#"<sheet name="{name}" sheetId="{n}" r:id="rId{n}"/>"#));
        let links = list(&|n, _| {
            format!(r#"<Relationship Id="rId{n}" Type="{LINKS}/worksheet" Target="worksheets/sheet{n}.xml"/>"#)
        });
        let codes: String = (164..)
            .zip(&self.formats)
            .map(|(id, code)| format!(r#"<numFmt numFmtId="{id}" formatCode="{}"/>"#, code.replace('"', "&quot;")))
            .collect();
        let styles: String = (164..)
            .zip(&self.formats)
            .map(|(id, _)| format!(r#"<xf numFmtId="{id}" applyNumberFormat="1"/>"#))
            .collect();
        let (count, texts) =
            (self.texts.len(), self.texts.iter().map(|xml| format!("<si>{xml}</si>")).collect::<String>());
        let is_1904 = if self.is_1904 { r#"<workbookPr date1904="1"/>"# } else { "<workbookPr/>" };
        let mut parts = vec![
            ("[Content_Types].xml".to_owned(), b"<Types/>".to_vec()),
            (
                "_rels/.rels".to_owned(),
                format!(
                    r#"<Relationships xmlns="{PACKAGE}"><Relationship Id="rId1" Type="{LINKS}/officeDocument" Target="xl/workbook.xml"/></Relationships>"#
                )
                .into_bytes(),
            ),
            (
                "xl/workbook.xml".to_owned(),
                format!(r#"<workbook xmlns="{MAIN}" xmlns:r="{LINKS}">{is_1904}<sheets>{sheets}</sheets></workbook>"#)
                    .into_bytes(),
            ),
            (
                "xl/_rels/workbook.xml.rels".to_owned(),
                format!(r#"<Relationships xmlns="{PACKAGE}">{links}</Relationships>"#).into_bytes(),
            ),
            (
                "xl/styles.xml".to_owned(),
                format!(
                    r#"<styleSheet xmlns="{MAIN}"><numFmts>{codes}</numFmts><cellXfs><xf numFmtId="0"/>{styles}</cellXfs></styleSheet>"#
                )
                .into_bytes(),
            ),
            (
                "xl/sharedStrings.xml".to_owned(),
                format!(r#"<sst xmlns="{MAIN}" count="{count}" uniqueCount="{count}">{texts}</sst>"#).into_bytes(),
            ),
        ];
        for (number, (_, rows)) in numbered() {
            let xml = format!(r#"<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>"#);
            parts.push((format!("xl/worksheets/sheet{number}.xml"), xml.into_bytes()));
        }
        parts.extend(self.parts.iter().cloned());
        parts
    }
}

/// The XML of rows whose cells have these values: numbers are numbers, other texts inline texts, and an empty one is no
/// cell.
pub(crate) fn rows_xml(rows: &[&[&str]]) -> String {
    let mut xml = String::new();
    for (number, cells) in (1..).zip(rows) {
        xml.push_str(&format!(r#"<row r="{number}">"#));
        for (column, value) in ('A'..).zip(*cells) {
            let place = format!("{column}{number}");
            match value.parse::<f64>() {
                _ if value.is_empty() => {}
                Ok(_) => xml.push_str(&format!(r#"<c r="{place}"><v>{value}</v></c>"#)),
                Err(_) => xml.push_str(&format!(r#"<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>"#)),
            }
        }
        xml.push_str("</row>");
    }
    xml
}

/// A zip archive of parts, every other one packed.
pub(crate) fn archive(parts: &[(String, Vec<u8>)]) -> Vec<u8> {
    let number = |number: usize| u32::try_from(number).expect("a small archive").to_le_bytes();
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (index, (name, content)) in parts.iter().enumerate() {
        let mut crc = flate2::Crc::new();
        crc.update(content);
        let is_packed = index % 2 == 1;
        let stored = if is_packed { deflated(content) } else { content.clone() };
        let name_bytes = u16::try_from(name.len()).expect("a short name").to_le_bytes();
        let method = if is_packed { [8, 0] } else { [0, 0] };
        // Version, flags, method, time and day, check sum, sizes, length of the name, no extra field.
        let common = [
            &[20, 0, 0, 0][..],
            &method,
            &[0, 0, 0x21, 0x58],
            &crc.sum().to_le_bytes(),
            &number(stored.len()),
            &number(content.len()),
            &name_bytes,
            &[0, 0],
        ]
        .concat();
        let header = number(bytes.len());
        directory.extend([&b"PK\x01\x02\x14\0"[..], &common, &[0; 10], &header, name.as_bytes()].concat());
        bytes.extend([&b"PK\x03\x04"[..], &common, name.as_bytes(), &stored].concat());
    }
    let count = u16::try_from(parts.len()).expect("few parts").to_le_bytes();
    let end =
        [&b"PK\x05\x06\0\0\0\0"[..], &count, &count, &number(directory.len()), &number(bytes.len()), &[0, 0]].concat();
    [bytes, directory, end].concat()
}

fn deflated(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).expect("deflate");
    encoder.finish().expect("deflate")
}
