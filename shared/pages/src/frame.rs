//! What all pages of the console have around their content.

use crate::html::Html;

/// The style of every page: of reports, and of the console.
pub(crate) const STYLE: &str = include_str!("style.css");

/// The style sheet of the console: that of reports, and what the console adds.
pub const CONSOLE_STYLE: &str =
    concat!(include_str!("style.css"), include_str!("console.css"), include_str!("pictures.css"));

/// The picture of the console in tabs and bookmarks, as SVG.
pub const CONSOLE_ICON: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 16 16\"><rect width=\"16\" \
height=\"16\" rx=\"3\" fill=\"#2f6fb3\"/><path d=\"M3 5h10M3 8h10M3 11h6\" stroke=\"#fff\" stroke-width=\"1.5\"/></svg>\n";

/// The pages that every page leads to: name, address below `/console/`.
const PLACES: [(&str, &str); 4] =
    [("Overview", ""), ("Runs", "runs"), ("Products", "products"), ("Lineage", "lineage")];

/// What a page of the console says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content {
    /// The title of the page, which is also its first heading.
    pub title: String,
    /// The pages above this one: a name and an address below `/console/`, such as `runs/retail`.
    pub above: Vec<(String, String)>,
    /// What comes after the heading.
    pub body: Html,
}

/// Who reads a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reader<'a> {
    /// As policies name them.
    pub name: &'a str,
    /// Whether they have signed in to the console, and so can sign out.
    pub has_session: bool,
}

/// What the frame of a page depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The part of the address between the host and `/console/`: empty, or such as `/live`.
    pub base: &'a str,
    /// The address of this page below `/console/`, such as `runs/retail`.
    pub here: &'a str,
    /// The version of the style sheet, which is in its address.
    pub style: &'a str,
    /// Who reads it; nobody of a page before the sign-in.
    pub reader: Option<Reader<'a>>,
    /// What was searched for.
    pub query: &'a str,
}

/// A page of the console: the content with what is around it. The same arguments give the same bytes. The page has no
/// script and asks no other host for anything.
pub fn console_page(frame: &Frame<'_>, content: &Content) -> String {
    let mut page = Html::default();
    page.markup(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"/console/icon.svg\">\n\
         <link rel=\"stylesheet\" href=\"/console/style.css?",
    );
    page.text(frame.style).markup("\">\n");
    page.element("title", &format!("{} · Sluice", content.title)).markup("\n</head>\n<body>\n");
    page.markup("<a class=\"skip\" href=\"#main\">Skip to the content</a>\n");
    top(&mut page, frame);
    above(&mut page, content);
    page.markup("<main id=\"main\" tabindex=\"-1\">\n").element("h1", &content.title).markup("\n");
    page.append(&content.body).markup("</main>\n");
    page.markup("<footer><p>Sluice ").text(env!("CARGO_PKG_VERSION"));
    page.markup(". Times are in UTC. This page shows what the policies let you see.</p></footer>\n</body>\n</html>\n");
    let page = page.into_string();
    if frame.base.is_empty() {
        return page;
    }
    // Texts have their quotes escaped, so that these are addresses of this program.
    let mut base = Html::default();
    base.text(frame.base);
    page.replace("=\"/console/", &format!("=\"{}/console/", base.into_string()))
}

fn top(page: &mut Html, frame: &Frame<'_>) {
    page.markup("<header>\n<div class=\"top\">\n<a class=\"brand\" href=\"/console/\">Sluice</a>\n");
    let Some(reader) = frame.reader else {
        page.markup("</div>\n</header>\n");
        return;
    };
    page.markup("<nav aria-label=\"Console\"><ul>");
    let first = frame.here.split('/').next().unwrap_or_default();
    for (name, address) in PLACES {
        page.markup("<li><a href=\"/console/").text(address);
        page.markup(if first == address { "\" aria-current=\"true\">" } else { "\">" });
        page.text(name).markup("</a></li>");
    }
    page.markup(
        "</ul></nav>\n<form role=\"search\" action=\"/console/search\" method=\"get\">\
         <input type=\"search\" name=\"q\" maxlength=\"200\" aria-label=\"Search for products, columns and pipelines\" value=\"",
    );
    page.text(frame.query).markup("\"><button>Search</button></form>\n</div>\n");
    page.markup("<div class=\"who\"><span>Signed in as ").text(reader.name).markup("</span>");
    if reader.has_session {
        page.markup("<form action=\"/console/sign-out\" method=\"post\"><button>Sign out</button></form>");
    }
    page.markup("</div>\n</header>\n");
}

fn above(page: &mut Html, content: &Content) {
    if content.above.is_empty() {
        return;
    }
    page.markup("<nav class=\"trail\" aria-label=\"Pages above\"><ol>");
    for (name, address) in &content.above {
        page.markup("<li><a href=\"/console/").text(address).markup("\">").text(name).markup("</a></li>");
    }
    page.markup("</ol></nav>\n");
}

/// The page where people sign in. `to`: the address that they come from; `failed`: what was wrong with the last
/// attempt.
pub fn sign_in_page(to: &str, failed: Option<&str>) -> Content {
    let mut body = Html::default();
    if let Some(failed) = failed {
        body.markup("<p class=\"note bad\" role=\"alert\" id=\"failed\">").text(failed).markup("</p>\n");
    }
    body.markup(
        "<form action=\"/console/sign-in\" method=\"post\">\n<label for=\"token\">Token</label>\n\
         <input id=\"token\" name=\"token\" type=\"password\" autocomplete=\"off\" spellcheck=\"false\" required \
         maxlength=\"1000\" size=\"50\" aria-describedby=\"",
    );
    body.markup(if failed.is_some() { "failed where\" aria-invalid=\"true\">" } else { "where\">" });
    body.markup("\n<input type=\"hidden\" name=\"to\" value=\"")
        .text(to)
        .markup("\">\n<p><button>Sign in</button></p>\n");
    body.markup(
        "</form>\n<p id=\"where\">The token is <code>bearerToken</code> in the profile file that \
         <code>sluice share create</code> has written. On your own machine, <code>sluice ui --lake LAKE --as PRINCIPAL</code> \
         opens the console without one.</p>\n",
    );
    Content { title: "Sign in".to_owned(), above: Vec::new(), body }
}

/// A page that says what went wrong. `request`: its id, which the log has.
pub fn problem_page(what: &str, detail: &str, next: &str, request: &str) -> Content {
    let mut body = Html::default();
    body.element("p", &sentence(detail)).markup("\n").element("p", &sentence(next)).markup("\n");
    body.markup("<p>Request <code>").text(request).markup("</code></p>\n<p><a href=\"/console/\">Overview</a></p>\n");
    Content { title: sentence(what).trim_end_matches('.').to_owned(), above: Vec::new(), body }
}

/// A phrase as a sentence.
pub(crate) fn sentence(phrase: &str) -> String {
    let mut characters = phrase.chars();
    let first: String = characters.next().into_iter().flat_map(char::to_uppercase).collect();
    let end = if phrase.ends_with(['.', '?', '!', ':']) { "" } else { "." };
    format!("{first}{}{end}", characters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Frame<'_> = Frame {
        base: "",
        here: "runs/retail",
        style: "abc",
        reader: Some(Reader { name: "recipient:ann", has_session: true }),
        query: "\"><script>",
    };

    fn content() -> Content {
        let mut body = Html::default();
        body.markup("<a href=\"/console/runs\">runs</a>").element("p", "=\"/console/ <b>");
        Content { title: "retail <i>".to_owned(), above: vec![("A & B".to_owned(), "runs".to_owned())], body }
    }

    #[test]
    fn a_page_has_its_frame_and_escapes_what_it_is_given() {
        let page = console_page(&FRAME, &content());
        for part in [
            "<title>retail &lt;i&gt; · Sluice</title>",
            "<h1>retail &lt;i&gt;</h1>",
            "href=\"/console/style.css?abc\"",
            "Signed in as recipient:ann",
            "value=\"&quot;&gt;&lt;script&gt;\"",
            "<a href=\"/console/runs\">A &amp; B</a>",
            "<li><a href=\"/console/runs\" aria-current=\"true\">Runs</a></li>",
            "Sign out",
        ] {
            assert!(page.contains(part), "{part} is missing in {page}");
        }
        assert!(!page.contains("<script") && !page.contains("http:") && !page.contains("https:"), "{page}");
    }

    #[test]
    fn addresses_are_below_the_base_and_texts_stay() {
        let page = console_page(&Frame { base: "/live", ..FRAME }, &content());
        assert!(!page.contains("=\"/console/"), "{page}");
        assert!(page.contains("<a href=\"/live/console/runs\">runs</a>"));
        assert!(page.contains("<p>=&quot;/console/ &lt;b&gt;</p>"));
    }

    #[test]
    fn nobody_is_named_before_the_sign_in() {
        let page = console_page(&Frame { reader: None, ..FRAME }, &sign_in_page("/console/runs", Some("no")));
        assert!(!page.contains("Signed in") && !page.contains("role=\"search\""), "{page}");
        assert!(page.contains("aria-invalid=\"true\"") && page.contains("value=\"/console/runs\""), "{page}");
    }

    #[test]
    fn phrases_become_sentences() {
        assert_eq!((sentence("it is gone"), sentence("call again.")), ("It is gone.".into(), "Call again.".into()));
    }
}
