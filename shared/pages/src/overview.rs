//! The first page of the console: what needs a person, which products are late, and the runs of the last days.

mod costs;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sluice_core::name::{PipelineName, PortName, ProductRef};
use sluice_core::product::ServiceLevel;

use crate::grid::{begin_table, end_table, heading_link, link};
use crate::html::Html;
use crate::run_lines::{LineState, RunLine, runs_table};
use crate::units::{between, count, counted, duration, instant};
use crate::{Content, address};

/// Days of the grid of runs.
pub const GRID_DAYS: i64 = 14;
/// Most squares of a pipeline and a day; the grid counts the other runs.
pub const GRID_RUNS: usize = 6;
/// Most products and pipelines of the page.
const MAX_LISTED: usize = 500;
/// Most runs that are listed as waiting for a person.
const MAX_WAITING: usize = 20;

/// What the overview says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverviewFacts {
    /// The time of the page.
    pub now: Timestamp,
    /// The products that the reader may find.
    pub products: Vec<ProductState>,
    /// The pipelines whose runs the reader may read.
    pub pipelines: Vec<PipelineState>,
}

/// A product and its promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductState {
    /// The product.
    pub product: ProductRef,
    /// The team that owns it.
    pub team: Option<String>,
    /// How often it is to be published.
    pub promise: Option<Promise>,
    /// When its pipeline published last.
    pub published_at: Option<Timestamp>,
}

/// How often a product is to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// As its contract writes it.
    pub words: String,
    /// The longest time between two publications.
    pub within: SignedDuration,
    /// The table of the product that has it.
    pub port: PortName,
}

impl Promise {
    /// The promise of these ports, of which the shortest counts. `None` where no contract has one about the age of its
    /// data.
    pub fn of<'a>(levels: impl Iterator<Item = (&'a PortName, &'a ServiceLevel)>) -> Option<Self> {
        let promise = |(port, level): (&PortName, &ServiceLevel)| {
            let words = format!("{} {} {}", level.property, level.value, level.unit.as_deref().unwrap_or_default());
            Some(Self { words, within: level.oldest()?, port: port.clone() })
        };
        levels.filter_map(promise).min_by_key(|promise| promise.within)
    }
}

/// A pipeline and its runs of the last days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipelineState {
    /// The pipeline.
    pub pipeline: PipelineName,
    /// Source objects that are held now.
    pub held: u64,
    /// Its newest runs, newest first, at most [`GRID_RUNS`] of each day.
    pub runs: Vec<RunLine>,
    /// How many more runs each day has.
    pub more: Vec<(Date, u64)>,
    /// How many runs it began this month.
    pub month_runs: u64,
}

/// How a product keeps its promise. Ordered as the board is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Freshness {
    Late,
    Never,
    Fresh,
    NoPromise,
}

impl Freshness {
    fn of(state: &ProductState, now: Timestamp) -> Self {
        match (&state.promise, state.published_at) {
            (Some(_), None) => Self::Never,
            (None, _) => Self::NoPromise,
            (Some(promise), Some(at)) if now.duration_since(at) > promise.within => Self::Late,
            (Some(_), Some(_)) => Self::Fresh,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::Never => "never published",
            Self::Fresh => "in time",
            Self::NoPromise => "no promise",
        }
    }

    fn cell(self) -> &'static str {
        match self {
            Self::Late => "td class=\"bad\"",
            Self::Never => "td class=\"warn\"",
            Self::Fresh => "td class=\"good\"",
            Self::NoPromise => "td",
        }
    }
}

/// The overview.
pub fn overview_page(facts: &OverviewFacts) -> Content {
    let mut body = Html::default();
    next_steps(&mut body, facts);
    waiting(&mut body, facts);
    board(&mut body, facts);
    grid(&mut body, facts);
    costs::section(&mut body, facts);
    Content { title: "Overview".to_owned(), above: Vec::new(), body }
}

fn next_steps(body: &mut Html, facts: &OverviewFacts) {
    body.markup("<section aria-labelledby=\"next\"><h2 id=\"next\">What to do next</h2>\n");
    let mut steps = Html::default();
    for pipeline in &facts.pipelines {
        let newest = pipeline.runs.first().filter(|run| matches!(run.state, LineState::Failed | LineState::Unfinished));
        if let Some(run) = newest {
            let words = format!("The newest run of {} is {}", pipeline.pipeline, run.state.as_str());
            steps.markup("<li>");
            link(&mut steps, &run.address(), &words);
            steps.markup(": see why, and what to do.</li>\n");
        }
    }
    let rejected = waiting_runs(facts).count() as u64;
    if rejected > 0 {
        let words = counted(rejected, "rejected run waits", "rejected runs wait");
        steps.markup("<li><a href=\"#waiting\">").text(&words).markup("</a> for a decision.</li>\n");
    }
    for pipeline in facts.pipelines.iter().filter(|pipeline| pipeline.held > 0) {
        let words = format!("{} of {}", counted(pipeline.held, "source object", "source objects"), pipeline.pipeline);
        steps.markup("<li>");
        link(&mut steps, &format!("sources/{}", pipeline.pipeline), &words);
        steps.markup(if pipeline.held == 1 { " is held.</li>\n" } else { " are held.</li>\n" });
    }
    let late = facts.products.iter().filter(|state| Freshness::of(state, facts.now) == Freshness::Late).count() as u64;
    if late > 0 {
        let words = counted(late, "product is late", "products are late");
        steps.markup("<li><a href=\"#board\">").text(&words).markup("</a>.</li>\n");
    }
    if steps.is_empty() {
        body.markup("<p>Nothing: no run failed last, nothing is held, and no product is late.</p>\n");
    } else {
        body.markup("<ul>\n").append(&steps).markup("</ul>\n");
    }
    body.markup("</section>\n");
}

fn waiting_runs(facts: &OverviewFacts) -> impl Iterator<Item = &RunLine> {
    facts.pipelines.iter().flat_map(|pipeline| &pipeline.runs).filter(|run| run.state == LineState::Rejected)
}

fn waiting(body: &mut Html, facts: &OverviewFacts) {
    let mut runs: Vec<RunLine> = waiting_runs(facts).cloned().collect();
    if runs.is_empty() {
        return;
    }
    runs.sort_by_key(|run| std::cmp::Reverse(run.began_at));
    let all = runs.len();
    runs.truncate(MAX_WAITING);
    body.markup(
        "<section aria-labelledby=\"waiting\"><h2 id=\"waiting\">Rejected runs that wait for a decision</h2>\n",
    );
    runs_table(body, "Rejected runs of the last 14 days, newest first", &runs);
    if let Some(more @ 1..) = all.checked_sub(runs.len()) {
        body.markup("<p>");
        link(body, "runs?state=rejected", &counted(more as u64, "more rejected run", "more rejected runs"));
        body.markup("</p>\n");
    }
    body.markup("</section>\n");
}

fn board(body: &mut Html, facts: &OverviewFacts) {
    body.markup("<section aria-labelledby=\"board\"><h2 id=\"board\">Products and their promises</h2>\n");
    if facts.products.is_empty() {
        body.markup("<p>No product that you may find is in this lake.</p></section>\n");
        return;
    }
    let mut rows: Vec<(Freshness, &ProductState)> =
        facts.products.iter().map(|state| (Freshness::of(state, facts.now), state)).collect();
    rows.sort_by(|(a, one), (b, other)| a.cmp(b).then_with(|| one.product.cmp(&other.product)));
    let titles = ["Product", "Team", "State", "Promise", "Published last", ">Age"];
    begin_table(body, None, "Products, late ones first", &titles);
    for (freshness, state) in rows.into_iter().take(MAX_LISTED) {
        body.markup("<tr>");
        heading_link(body, &format!("products/{}", state.product), &state.product.to_string());
        body.element("td", state.team.as_deref().unwrap_or("–")).element(freshness.cell(), freshness.word());
        body.markup("<td>");
        match &state.promise {
            Some(promise) => link(body, &address::port(&state.product, &promise.port), &promise.words),
            None => {
                body.markup("–");
            }
        }
        body.markup("</td>");
        let at = state.published_at;
        body.element("td", &at.map_or_else(|| "–".to_owned(), instant));
        let age = at.map_or_else(|| "–".to_owned(), |at| duration(between(at, facts.now)));
        body.element("td class=\"n\"", &age).markup("</tr>\n");
    }
    end_table(body);
    left_out(body, facts.products.len());
    body.markup(
        "<p>A promise is <code>latency</code>, <code>freshness</code> or <code>frequency</code> among the \
         <code>slaProperties</code> of a contract; the shortest counts. A product is published when a run of its pipeline \
         is.</p></section>\n",
    );
}

fn left_out(body: &mut Html, all: usize) {
    if let Some(more @ 1..) = all.checked_sub(MAX_LISTED) {
        body.element("p", &format!("{} not listed here.", counted(more as u64, "more is", "more are"))).markup("\n");
    }
}

fn grid(body: &mut Html, facts: &OverviewFacts) {
    body.markup("<section aria-labelledby=\"grid\"><h2 id=\"grid\">Runs of the last 14 days</h2>\n");
    if facts.pipelines.is_empty() {
        body.markup("<p>You may read the runs of no pipeline.</p></section>\n");
        return;
    }
    let days = days(facts.now);
    let names: Vec<String> = days.iter().map(|day| day.strftime("%d %b").to_string()).collect();
    let titles: Vec<&str> =
        std::iter::once("Pipeline").chain(names.iter().map(String::as_str)).chain(std::iter::once(">Held")).collect();
    begin_table(body, Some("days"), "Runs by pipeline and day, oldest day first", &titles);
    for state in facts.pipelines.iter().take(MAX_LISTED) {
        let address = format!("runs/{}", state.pipeline);
        body.markup("<tr>");
        heading_link(body, &address, state.pipeline.as_str());
        for day in &days {
            body.markup("<td>");
            for run in state.runs.iter().rev().filter(|run| day_of(run.began_at) == *day) {
                run.square(body);
            }
            let more = state.more.iter().find(|(of, _)| of == day).map_or(0, |(_, more)| *more);
            if more > 0 {
                link(body, &address, &format!("{} more", count(more)));
            }
            body.markup("</td>");
        }
        body.element("td class=\"n\"", &count(state.held)).markup("</tr>\n");
    }
    end_table(body);
    left_out(body, facts.pipelines.len());
    body.markup(
        "<p>✓ published · – skipped, nothing new · ! rejected · ✕ failed · ■ stopped · … running · ? not finished</p>\
         </section>\n",
    );
}

/// The day of an instant, in UTC.
pub fn day_of(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

/// The days of the grid, oldest first.
fn days(now: Timestamp) -> Vec<Date> {
    let day = |back: i64| now.checked_sub(SignedDuration::from_hours(24 * back)).ok().map(day_of);
    (0..GRID_DAYS).rev().filter_map(day).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_lines::tests::line;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn level(property: &str, value: &str, unit: Option<&str>) -> ServiceLevel {
        let unit = unit.map(str::to_owned);
        ServiceLevel { property: property.to_owned(), value: value.to_owned(), unit, element: None }
    }

    fn product(name: &str, promise: Option<Promise>, published: Option<&str>) -> ProductState {
        ProductState { product: name.parse().unwrap(), team: None, promise, published_at: published.map(at) }
    }

    #[test]
    fn the_shortest_promise_of_a_products_ports_counts() {
        let check = |levels: &[ServiceLevel], expected: Option<(&str, i64)>| {
            let port: PortName = "orders".parse().unwrap();
            let promise = Promise::of(levels.iter().map(|level| (&port, level)));
            let found = promise.as_ref().map(|promise| (promise.words.as_str(), promise.within.as_hours()));
            assert_eq!(found, expected, "{levels:?}");
        };
        let day = level("frequency", "1", Some("d"));
        check(&[], None);
        check(std::slice::from_ref(&day), Some(("frequency 1 d", 24)));
        check(&[day, level("latency", "4", Some("h"))], Some(("latency 4 h", 4)));
        check(&[level("retention", "1", Some("h")), level("latency", "1", None)], None);
        check(&[level("frequency", "daily", Some("d")), level("frequency", "1e300", Some("d"))], None);
    }

    #[test]
    fn late_products_come_first() {
        let port: PortName = "orders".parse().unwrap();
        let promise = || Promise::of([(&port, &level("frequency", "1", Some("d")))].into_iter());
        let facts = OverviewFacts {
            now: at("2026-01-10T00:00:00Z"),
            products: vec![
                product("a/none", None, Some("2026-01-01T00:00:00Z")),
                product("a/fresh", promise(), Some("2026-01-09T00:00:00Z")),
                product("a/late", promise(), Some("2026-01-08T23:59:59Z")),
                product("a/never", promise(), None),
            ],
            pipelines: Vec::new(),
        };
        let text = overview_page(&facts).body.into_string();
        let places: Vec<usize> = ["a/late", "a/never", "a/fresh", "a/none"]
            .iter()
            .map(|name| text.find(&format!(">{name}<")).unwrap())
            .collect();
        assert!(places.is_sorted(), "{text}");
        assert!(text.contains("1 product is late") && text.contains("read the runs of no pipeline"));
        assert!(text.contains("<a href=\"/console/products/a/late/orders\">frequency 1 d</a>"), "{text}");
        assert!(!text.contains("Cost this month"), "{text}");
    }

    #[test]
    fn runs_are_squares_of_their_day_and_what_waits_is_named() {
        let runs = vec![
            line("day-2", LineState::Failed, "2026-01-10T06:00:00Z"),
            line("day-1", LineState::Rejected, "2026-01-09T06:00:00Z"),
        ];
        let more = vec![(day_of(at("2026-01-09T00:00:00Z")), 1200)];
        let facts = OverviewFacts {
            now: at("2026-01-10T12:00:00Z"),
            products: Vec::new(),
            pipelines: vec![PipelineState { pipeline: "retail".parse().unwrap(), held: 2, runs, more, month_runs: 1 }],
        };
        let text = overview_page(&facts).body.into_string();
        for part in [
            "<a class=\"run bad\" href=\"/console/runs/retail/day-2\"",
            "aria-label=\"retail failed 2026-01-10 06:00:00 UTC\">✕</a>",
            "1,200 more",
            "The newest run of retail is failed",
            "1 rejected run waits",
            "2 source objects of retail</a> are held",
            "<th scope=\"col\">28 Dec</th>",
            "<th scope=\"col\">10 Jan</th>",
        ] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
    }

    #[test]
    fn an_overview_of_nothing_says_that_nothing_is_to_do() {
        let facts = OverviewFacts { now: Timestamp::UNIX_EPOCH, products: Vec::new(), pipelines: Vec::new() };
        assert!(overview_page(&facts).body.into_string().contains("Nothing: no run failed last"));
    }
}
