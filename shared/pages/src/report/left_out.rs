//! Source objects that the run holds or leaves out, and what was passed by.

use super::list::{Cell, table};
use crate::facts::RunFacts;
use crate::html::Html;

/// What is held and passed by, with reason and fix.
pub(super) fn section(facts: &RunFacts) -> Option<Html> {
    let mut html = Html::default();
    let held = facts.held();
    if !held.is_empty() {
        let rows = held.named.iter().map(|held| vec![Cell::text(&held.uri), Cell::text(&held.reason)]);
        table(&mut html, "Held by this run", &["Object", "Why"], held.count, rows);
        html.markup(
            "<p>To have one read again, deliver it corrected, or change the spec or the contract and use \
             <code>sluice source release</code>.</p>\n",
        );
    }
    let Some(plan) = &facts.plan else { return (!html.is_empty()).then_some(html) };
    if !plan.held.is_empty() {
        let rows = plan.held.iter().map(|object| vec![Cell::text(&object.uri)]);
        table(&mut html, "Held when the run was planned", &["Object"], plan.held.len() as u64, rows);
        html.markup("<p><code>sluice source list</code> says why and since when.</p>\n");
    }
    let passed = &plan.passed_by;
    if !passed.is_empty() {
        let rows = passed.named.iter().map(|passed| vec![Cell::text(&passed.uri), Cell::text(&passed.reason)]);
        table(&mut html, "Passed by", &["File or folder", "Why, and what to do"], passed.count, rows);
    }
    (!html.is_empty()).then_some(html)
}
