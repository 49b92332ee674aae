//! What all pages of the console have around their content.

use crate::html::Html;

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
