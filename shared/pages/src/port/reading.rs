//! How to read a table, with the addresses to copy.

use super::PortFacts;
use crate::grid::{paragraph, section};
use crate::html::Html;

/// How requests begin.
const CURL: &str = "curl -H \"Authorization: Bearer $TOKEN\"";

/// The ways that a reader may read a table by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ways {
    /// Address of the API, without a final slash.
    pub endpoint: String,
    /// Whether they may read rows.
    pub rows: bool,
    /// Whether they may ask by SQL.
    pub query: bool,
    /// Whether they may read by Delta Sharing.
    pub sharing: bool,
    /// The folder of the table's own files; `None` for a reader who does not get every row and column as it is.
    pub files: Option<String>,
}

/// A way with its lines.
struct Way {
    title: &'static str,
    words: &'static str,
    lines: Vec<String>,
}

impl Ways {
    /// Adds the section.
    pub(super) fn write(&self, body: &mut Html, of: &PortFacts) {
        section(body, "reading", "How to read it");
        let ways: Vec<Way> = [self.by_api(of), self.by_sharing(of), self.by_files(of)].into_iter().flatten().collect();
        if ways.is_empty() {
            paragraph(
                body,
                "Your grant lets you find this table and not read it. Its owner adds `rows`, `query` or `sharing` to \
                 `doors` of the grant in the product's policy, and deploys it.",
            );
            return;
        }
        body.markup("<p>Everything below reads the table as you see it here. Your token is in the profile file that ");
        body.markup("<code>sluice share create</code> has written; IAM roles sign requests instead.</p>\n");
        for Way { title, words, lines } in ways {
            body.element("h3", title).markup("\n<p>").markup(words).markup("</p>\n");
            body.markup("<pre role=\"region\" tabindex=\"0\" aria-label=\"").markup(title).markup("\"><code>");
            for line in &lines {
                body.text(line).markup("\n");
            }
            body.markup("</code></pre>\n");
        }
    }

    fn by_api(&self, of: &PortFacts) -> Vec<Way> {
        let endpoint = &self.endpoint;
        let (product, port) = (&of.product, &of.port);
        let name = format!("{}.{}.{port}", product.domain(), product.product());
        let mut ways = Vec::new();
        if self.rows {
            ways.push(Way {
                title: "Python",
                words: "With the package <code>sluice-data</code>; <code>to_polars</code>, <code>to_arrow</code> and \
                        <code>to_duckdb</code> work as well.",
                lines: vec![
                    "import sluice_data".to_owned(),
                    "client = sluice_data.connect(profile=\"profile.share\")".to_owned(),
                    format!("client.table(\"{name}\").to_pandas()"),
                ],
            });
            ways.push(Way {
                title: "curl",
                words: "JSON, CSV, Parquet or Arrow, in pages.",
                lines: vec![format!("{CURL} '{endpoint}/data-products/{product}/rows?port={port}&limit=10'")],
            });
        }
        if self.query {
            let sql = format!("SELECT * FROM {name} LIMIT 10");
            ways.push(Way {
                title: "SQL",
                words: "One statement over all tables that you may read.",
                lines: vec![format!("{CURL} --json '{{\"sql\": \"{sql}\"}}' '{endpoint}/query'")],
            });
        }
        ways
    }

    fn by_sharing(&self, of: &PortFacts) -> Vec<Way> {
        if !self.sharing {
            return Vec::new();
        }
        let product = &of.product;
        let table = format!("profile.share#{}.{}.{}", product.domain(), product.product(), of.port);
        vec![
            Way {
                title: "Delta Sharing in Python",
                words: "With the package <code>delta-sharing</code>.",
                lines: vec!["import delta_sharing".to_owned(), format!("delta_sharing.load_as_pandas(\"{table}\")")],
            },
            Way {
                title: "Spark",
                words: "With the package <code>io.delta:delta-sharing-spark</code>.",
                lines: vec![format!("spark.read.format(\"deltaSharing\").load(\"{table}\")")],
            },
            Way {
                title: "Power BI",
                words: "Get data, then Delta Sharing. Power BI asks for this address and for the token.",
                lines: vec![format!("{}/sharing", self.endpoint)],
            },
        ]
    }

    /// Of the table's own files. Who reads them needs rights on the lake's storage, which no grant of a product gives.
    fn by_files(&self, of: &PortFacts) -> Vec<Way> {
        let Some(files) = &self.files else { return Vec::new() };
        let folder = files.trim_end_matches('/');
        let mut ways = vec![
            Way {
                title: "DuckDB on the table's own files",
                words: "For those with rights on the lake's storage: no policy applies there.",
                lines: vec![
                    "INSTALL delta; LOAD delta;".to_owned(),
                    format!("SELECT * FROM delta_scan('{folder}') LIMIT 10;"),
                ],
            },
            Way {
                title: "deltalake or Spark on the table's own files",
                words: "With the same rights.",
                lines: vec![
                    format!("deltalake.DeltaTable(\"{folder}\").to_pandas()"),
                    format!("spark.read.format(\"delta\").load(\"{folder}\")"),
                ],
            },
        ];
        if folder.starts_with("s3:") {
            let name = of.table.to_string().replace('/', "_");
            ways.push(Way {
                title: "Athena",
                words: "In the database of this environment, with engine version 3.",
                lines: vec![format!("SELECT * FROM {name} LIMIT 10")],
            });
        }
        ways
    }
}
