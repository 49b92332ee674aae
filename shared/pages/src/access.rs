//! Who may read what of a product, in words.

#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeSet;

use jiff::Timestamp;
use sluice_core::access::{AccessPath, Decision, Grant, Policy, Principal, PrincipalPattern, Treatment, decide};
use sluice_core::product::{OutputPort, RegisteredProduct};

use self::words::{columns_words, paths_words, who_words};
use crate::address;
use crate::frame::Content;
use crate::grid::{Cell, Link, links, paragraph, section, table};
use crate::html::Html;
use crate::port::treatment_words;
use crate::units::instant;

/// What the page is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessFacts {
    /// The product, with its policy.
    pub product: RegisteredProduct,
    /// Who reads the page.
    pub reader: Principal,
    /// Whether they may know what others may do: those who may control the runs of the product's pipeline.
    pub sees_all: bool,
    /// Somebody whose rights the reader asks about, as they wrote it; of no use to a reader who does not see all.
    pub asked: Option<String>,
    /// The time of the page.
    pub now: Timestamp,
}

/// The page of a product's policy.
pub fn page(of: &AccessFacts) -> Content {
    let product = &of.product.product;
    let mut body = Html::default();
    links(&mut body, "Of this product", &[Link::new("Data product", address::product(product))]);
    section(&mut body, "you", "What you may read");
    reading_of(&mut body, of, (&of.reader, "you read"), false);
    if of.sees_all {
        grants(&mut body, of);
        matrix(&mut body, of);
        would_see(&mut body, of);
    } else {
        body.markup("<p>You see your own rights. What others may read is shown to those who may control the runs of ");
        body.markup("the product's pipeline (<code>runs</code> in its spec).</p>\n");
    }
    let above = vec![crate::product::above(), (product.to_string(), address::product(product))];
    Content { title: format!("Access to {product}"), above, body }
}

/// What somebody may read of each port, by each access path. `words` names them in captions, which are unique on a page.
fn reading_of(body: &mut Html, of: &AccessFacts, (who, words): (&Principal, &str), with_hidden: bool) {
    let mut found = false;
    for port in &of.product.ports {
        let decisions = AccessPath::ALL
            .map(|path| (path, decide(&of.product.policy, who, path, &port.name, &port.contract, of.now)));
        let granted: Vec<_> = decisions
            .iter()
            .filter_map(|(path, decision)| match decision {
                Decision::Granted(access) => Some((*path, access)),
                Decision::Denied { .. } => None,
            })
            .collect();
        if granted.is_empty() {
            continue;
        }
        found = true;
        body.markup("<h3>").text(port.name.as_str()).markup("</h3>\n");
        for (path, access) in granted.iter().filter(|(path, _)| *path != AccessPath::Catalogue) {
            let rows = match &access.rows {
                None => "all rows".to_owned(),
                // It may name columns that do not exist for the reader.
                Some(_) if !of.sees_all => "some rows; a condition holds the others back".to_owned(),
                Some(rows) => format!("rows where {rows}"),
            };
            let purpose = access.purpose.as_ref().map(|purpose| format!(", for {purpose}")).unwrap_or_default();
            paragraph(body, &format!("By {path}: {rows}, under grant {}{purpose}.", access.grant));
        }
        if granted.iter().all(|(path, _)| *path == AccessPath::Catalogue) {
            paragraph(body, "It may be found and not read.");
        }
        let row = |index: usize, name: &str, class: String| {
            let forms: Vec<Treatment> = granted
                .iter()
                .map(|(_, access)| access.columns.get(index).map_or(Treatment::Hide, |column| column.treatment))
                .collect();
            let is_hidden = forms.iter().all(|form| *form == Treatment::Hide);
            (with_hidden || !is_hidden).then(|| {
                let forms = forms.iter().map(|form| form_cell(*form));
                [Cell::text(name), Cell::Text(class)].into_iter().chain(forms).collect::<Vec<Cell>>()
            })
        };
        let columns = granted.first().map(|(_, access)| access.columns.as_slice()).unwrap_or_default();
        let rows: Vec<Vec<Cell>> = columns
            .iter()
            .enumerate()
            .filter_map(|(index, column)| row(index, &column.name, column.classification.to_string()))
            .collect();
        let paths = granted.iter().map(|(path, _)| path_title(*path));
        let titles: Vec<&str> = ["Column", "Class"].into_iter().chain(paths).collect();
        table(body, &format!("Columns of {} as {words} them", port.name), &titles, &rows);
    }
    if !found {
        paragraph(body, "Nothing: no grant of the product's policy gives a right now.");
    }
}

fn path_title(path: AccessPath) -> &'static str {
    match path {
        AccessPath::Catalogue => "Described",
        AccessPath::Rows => "Rows",
        AccessPath::Query => "SQL",
        AccessPath::Sharing => "Delta Sharing",
    }
}

fn form_cell(form: Treatment) -> Cell {
    let words = treatment_words(form).to_owned();
    match form {
        Treatment::Clear => Cell::Text(words),
        Treatment::Hide => Cell::Bad(words),
        Treatment::Null | Treatment::Hash | Treatment::Partial => Cell::Warning(words),
    }
}

/// The grants in words, in the order in which they decide.
fn grants(body: &mut Html, of: &AccessFacts) {
    section(body, "grants", "Grants");
    let policy = &of.product.policy;
    if policy.grants.is_empty() {
        paragraph(
            body,
            "The policy has no grant, so nobody may read the product. Grants are in its *.policy.yaml file.",
        );
        return;
    }
    paragraph(body, "Read from the top: the first one that names the caller, the way and the table decides.");
    body.markup("<ol>\n");
    for grant in &policy.grants {
        body.markup("<li>").text(&sentence(grant, of)).markup("</li>\n");
    }
    body.markup("</ol>\n");
    if let Some(salt) = &policy.salt {
        paragraph(
            body,
            &format!("Hashes are made with the salt {salt}: they can be joined with those of its other products."),
        );
    }
}

/// A grant as sentences.
fn sentence(grant: &Grant, of: &AccessFacts) -> String {
    let who: Vec<String> = grant.principals.iter().map(who_words).collect();
    let ports = grant.ports.as_ref().map_or_else(
        || "every table".to_owned(),
        |ports| ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    );
    let mut words = format!("{}: {} may {} of {ports}", grant.name, who.join(", "), paths_words(&grant.access_paths));
    let forms: Vec<String> = ports_of(grant, of).map(|port| columns_words(port, &treatments(grant, port))).collect();
    let distinct: BTreeSet<&String> = forms.iter().collect();
    for form in distinct {
        words = format!("{words}; {form}");
    }
    if let Some(rows) = &grant.rows {
        words = format!("{words}; only rows where {rows}");
    }
    if let Some(purpose) = &grant.purpose {
        words = format!("{words}; for {purpose}");
    }
    match grant.expires {
        Some(at) if at <= of.now => format!("{words}; expired at {}, so it gives nothing.", instant(at)),
        Some(at) => format!("{words}; until {}.", instant(at)),
        None => format!("{words}."),
    }
}

fn ports_of<'a>(grant: &'a Grant, of: &'a AccessFacts) -> impl Iterator<Item = &'a OutputPort> {
    let is_named = move |port: &&OutputPort| grant.ports.as_ref().is_none_or(|ports| ports.contains(&port.name));
    of.product.ports.iter().filter(is_named)
}

/// In which form a grant lets the columns of a port be read, whoever it names and until whenever.
fn treatments(grant: &Grant, port: &OutputPort) -> Vec<(String, Treatment)> {
    let grant = Grant { expires: None, principals: vec![PrincipalPattern::Anybody], ..grant.clone() };
    let policy = Policy { salt: None, grants: vec![grant] };
    let Ok(anybody) = "recipient:anybody".parse::<Principal>() else { return Vec::new() };
    let decided = decide(&policy, &anybody, AccessPath::Catalogue, &port.name, &port.contract, Timestamp::UNIX_EPOCH);
    match decided {
        Decision::Granted(access) => access.columns.into_iter().map(|column| (column.name, column.treatment)).collect(),
        Decision::Denied { .. } => Vec::new(),
    }
}

/// Who can see a column: for each, what each grant that gives something makes of it.
fn matrix(body: &mut Html, of: &AccessFacts) {
    let is_current = |grant: &&Grant| grant.expires.is_none_or(|expires| of.now < expires);
    let grants: Vec<&Grant> = of.product.policy.grants.iter().filter(is_current).collect();
    if grants.is_empty() {
        return;
    }
    section(body, "columns", "Who can see a column");
    for port in &of.product.ports {
        let given: Vec<(&Grant, Vec<(String, Treatment)>)> = grants
            .iter()
            .map(|grant| (*grant, treatments(grant, port)))
            .filter(|(_, forms)| !forms.is_empty())
            .collect();
        let row = |column: &sluice_core::contract::Column| {
            let name = column.name.as_str();
            let form = |forms: &[(String, Treatment)]| {
                forms.iter().find(|(known, _)| known == name).map_or(Treatment::Hide, |(_, form)| *form)
            };
            let class = sluice_core::access::Classification::of_contract(column.classification.as_deref());
            let forms = given.iter().map(|(_, forms)| form_cell(form(forms)));
            [Cell::text(name), Cell::text(&class)].into_iter().chain(forms).collect::<Vec<Cell>>()
        };
        let rows: Vec<Vec<Cell>> = port.contract.columns.iter().map(row).collect();
        let names = given.iter().map(|(grant, _)| grant.name.as_str());
        let titles: Vec<&str> = ["Column", "Class"].into_iter().chain(names).collect();
        table(body, &format!("Columns of {}, and how each grant lets them be read", port.name), &titles, &rows);
    }
}

/// A form for somebody's name, and what they would see.
fn would_see(body: &mut Html, of: &AccessFacts) {
    section(body, "as", "What somebody would see");
    body.markup("<form class=\"ask\" action=\"/console/access/").text(&of.product.product.to_string());
    body.markup("\" method=\"get\">\n<label for=\"who\">Caller<br><input id=\"who\" name=\"as\" maxlength=\"300\" ");
    body.markup("spellcheck=\"false\" autocomplete=\"off\" placeholder=\"recipient:acme\" value=\"");
    body.text(of.asked.as_deref().unwrap_or_default()).markup("\"></label>\n<button>Show</button>\n</form>\n");
    let Some(asked) = &of.asked else { return };
    match asked.parse::<Principal>() {
        Ok(who) => {
            let name = who_words(&PrincipalPattern::One(who.clone()));
            paragraph(body, &format!("{name} would see:"));
            let words = format!("{name} reads");
            reading_of(body, of, (&who, words.as_str()), true);
        }
        Err(error) => {
            body.markup("<p class=\"note warn\" role=\"alert\">").text(&error.to_string()).markup("</p>\n");
        }
    }
}
