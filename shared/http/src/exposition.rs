//! Metrics as Prometheus reads them: its text format 0.0.4, and OpenMetrics 1.0 for those who ask for it.
//!
//! The two differ in a few words: OpenMetrics names the family of a counter without `_total`, and ends with `# EOF`.
//! No time stands in a sample: a scrape has the values of its own time.

use std::fmt::Write;

use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, HeaderValue};

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It grows until the process ends. Its name ends with `_total`.
    Counter,
    /// A value of now.
    Gauge,
    /// Counts of what was observed, by upper bounds.
    Histogram,
}

impl Kind {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric: one line of `docs/metrics.md`. Names are public API: never changed, only added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family {
    /// Its name, with its unit.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// What it says, in one phrase.
    pub help: &'static str,
    /// Its labels, in the order in which their values are given.
    pub labels: &'static [&'static str],
}

/// The text format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text 0.0.4, which every reader takes.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// The format that the caller accepts: OpenMetrics where `Accept` names it, text otherwise.
    pub fn of(headers: &HeaderMap) -> Self {
        let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let takes = accepted.flat_map(|value| value.split(',')).any(|part| {
            let mut words = part.split(';').map(str::trim);
            let is_it = words.next().is_some_and(|media| media.eq_ignore_ascii_case("application/openmetrics-text"));
            is_it && words.all(|word| !is_refusal(word) && (!word.starts_with("version=") || word == "version=1.0.0"))
        });
        if takes { Self::OpenMetrics } else { Self::Text }
    }

    /// The media type of the text.
    pub fn media_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        })
    }
}

/// Whether a parameter says that the media type is not wanted.
fn is_refusal(word: &str) -> bool {
    word.strip_prefix("q=").and_then(|q| q.parse::<f64>().ok()).is_some_and(|q| q <= 0.0)
}

/// A text with metrics.
#[derive(Debug)]
pub struct Exposition {
    text: String,
    format: Format,
}

impl Exposition {
    /// An empty text.
    pub fn new(format: Format) -> Self {
        Self { text: String::new(), format }
    }

    /// Begins a family. Its samples follow; without one, it says that nothing is known.
    pub fn family(&mut self, family: &Family) {
        let name = match (self.format, family.kind) {
            (Format::OpenMetrics, Kind::Counter) => family.name.strip_suffix("_total").unwrap_or(family.name),
            _ => family.name,
        };
        let help = escaped(family.help, self.format == Format::OpenMetrics);
        self.line(&format!("# HELP {name} {help}\n# TYPE {name} {}", family.kind.as_str()));
    }

    /// A sample of a counter or a gauge, with the values of the family's labels.
    pub fn sample(&mut self, family: &Family, values: &[&str], value: &impl std::fmt::Display) {
        self.named(family.name, family.labels, values, &[], &value.to_string());
    }

    /// The samples of a histogram: how many observations are at most each bound, all of them, and their sum.
    pub fn histogram(&mut self, family: &Family, values: &[&str], buckets: &[(f64, u64)], count: u64, sum: f64) {
        let bucket = format!("{}_bucket", family.name);
        for (bound, up_to) in buckets {
            // As `0.25` and `1.0`, which both formats take.
            let bound = format!("{bound:?}");
            self.named(&bucket, family.labels, values, &[("le", bound.as_str())], &up_to.to_string());
        }
        self.named(&bucket, family.labels, values, &[("le", "+Inf")], &count.to_string());
        self.named(&format!("{}_sum", family.name), family.labels, values, &[], &sum.to_string());
        self.named(&format!("{}_count", family.name), family.labels, values, &[], &count.to_string());
    }

    /// The whole text.
    pub fn finished(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.line("# EOF");
        }
        self.text
    }

    fn named(&mut self, name: &str, labels: &[&str], values: &[&str], more: &[(&str, &str)], value: &str) {
        let pairs = labels.iter().copied().zip(values.iter().copied()).chain(more.iter().copied());
        let pairs: Vec<String> = pairs.map(|(label, value)| format!("{label}=\"{}\"", escaped(value, true))).collect();
        let labels = if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) };
        self.line(&format!("{name}{labels} {value}"));
    }

    fn line(&mut self, line: &str) {
        // Writing to a text does not fail.
        let _ = writeln!(self.text, "{line}");
    }
}

/// The text with what would end its line, or its quotes, escaped.
fn escaped(text: &str, has_quotes: bool) -> String {
    let text = text.replace('\\', "\\\\").replace('\n', "\\n");
    if has_quotes { text.replace('"', "\\\"") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLS: Family =
        Family { name: "calls_total", kind: Kind::Counter, help: "All \"calls\".", labels: &["route", "method"] };
    const AGE: Family = Family { name: "age_seconds", kind: Kind::Histogram, help: "Age.", labels: &[] };

    fn text(format: Format) -> String {
        let mut text = Exposition::new(format);
        text.family(&CALLS);
        text.sample(&CALLS, &["/a\\b\"c\n", "GET"], &3);
        text.family(&AGE);
        text.histogram(&AGE, &[], &[(0.25, 1), (1.0, 2)], 3, 4.5);
        text.finished()
    }

    const SAMPLES: &str = "calls_total{route=\"/a\\\\b\\\"c\\n\",method=\"GET\"} 3\n";
    const REST: &str = "# HELP age_seconds Age.\n# TYPE age_seconds histogram\n\
         age_seconds_bucket{le=\"0.25\"} 1\nage_seconds_bucket{le=\"1.0\"} 2\n\
         age_seconds_bucket{le=\"+Inf\"} 3\nage_seconds_sum 4.5\nage_seconds_count 3\n";

    #[test]
    fn texts_are_those_of_prometheus() {
        let head = "# HELP calls_total All \"calls\".\n# TYPE calls_total counter\n";
        assert_eq!(text(Format::Text), format!("{head}{SAMPLES}{REST}"));
    }

    #[test]
    fn open_metrics_names_counters_without_their_suffix_and_ends() {
        let head = "# HELP calls All \\\"calls\\\".\n# TYPE calls counter\n";
        assert_eq!(text(Format::OpenMetrics), format!("{head}{SAMPLES}{REST}# EOF\n"));
    }

    #[test]
    fn open_metrics_is_for_those_who_accept_it() {
        let check = |accept: &str, expected: Format| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_str(accept).expect("a header"));
            assert_eq!(Format::of(&headers), expected, "{accept}");
        };
        check("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3", Format::OpenMetrics);
        check("text/plain, application/openmetrics-text", Format::OpenMetrics);
        check("application/openmetrics-text;version=2.0.0", Format::Text);
        check("application/openmetrics-text;q=0, text/plain", Format::Text);
        check("*/*", Format::Text);
        assert_eq!(Format::of(&HeaderMap::new()), Format::Text);
    }
}
