//! The elements of a message's text. Built from a table instead of a `rsx!` each, which takes a third of the client's code.

use super::Named;
use crate::text::code::{Class, pieces};
use crate::text::{Align, Node, Tag};
use crate::ui::route::Route;
use dioxus::core::{
    Attribute, DynamicNode, Template, TemplateAttribute, TemplateNode, VNode, VPlaceholder, VText,
};
use dioxus::prelude::*;

const fn fixed(name: &'static str, value: &'static str) -> TemplateAttribute {
    TemplateAttribute::Static { name, value, namespace: None }
}

macro_rules! node {
    ($tag:literal [$($attribute:expr),*] $($child:expr),*) => {
        TemplateNode::Element {
            tag: $tag,
            namespace: None,
            attrs: const { &[$($attribute),*] },
            children: const { &[$($child),*] },
        }
    };
}

const INNER: TemplateNode = TemplateNode::Dynamic { id: 0 };
const OPEN: TemplateAttribute = TemplateAttribute::Dynamic { id: 0 };

/// An element with what is within it at a path, and perhaps attributes that are not fixed.
macro_rules! template {
    ($root:expr) => { template!($root, [0, 0], []) };
    ($root:expr, $node:expr, [$($attribute:expr)?]) => {
        Template {
            roots: const { &[$root] },
            node_paths: const { &[&$node] },
            attr_paths: const { &[$(&$attribute)?] },
        }
    };
}

macro_rules! element {
    ($tag:literal $(, $name:literal = $value:literal)*) => { template!(node!($tag [$(fixed($name, $value)),*] INNER)) };
}

fn template(tag: Tag) -> Template {
    match tag {
        Tag::Paragraph => element!("p"),
        Tag::Heading(1) => element!("p", "class" = "heading h1"),
        Tag::Heading(2) => element!("p", "class" = "heading h2"),
        Tag::Heading(_) => element!("p", "class" = "heading"),
        Tag::Quote => element!("blockquote", "dir" = "auto"),
        Tag::Rule => Template { roots: const { &[node!("hr" [])] }, node_paths: &[], attr_paths: &[] },
        Tag::List => element!("ul", "dir" = "auto"),
        Tag::Ordered(_) => template!(node!("ol" [fixed("dir", "auto"), OPEN] INNER), [0, 0], [[0]]),
        Tag::Item => element!("li"),
        Tag::Task(false) => template!(
            node!("li" [fixed("class", "task")]
                node!("span" [fixed("class", "tick"), fixed("role", "img"), fixed("aria-label", "To do:")]), INNER),
            [0, 1],
            []
        ),
        Tag::Task(true) => template!(
            node!("li" [fixed("class", "task ticked")]
                node!("span" [fixed("class", "tick"), fixed("role", "img"), fixed("aria-label", "Done:")]), INNER),
            [0, 1],
            []
        ),
        // The body is there for the browser's parser, which would make one.
        Tag::Table => template!(
            node!("div" [fixed("class", "table"), fixed("tabindex", "0")] node!("table" [] node!("tbody" [] INNER))),
            [0, 0, 0, 0],
            []
        ),
        Tag::Row => element!("tr"),
        Tag::HeadCell(Align::Start) => element!("th", "scope" = "col", "dir" = "auto"),
        Tag::HeadCell(Align::Middle) => element!("th", "scope" = "col", "class" = "middle", "dir" = "auto"),
        Tag::HeadCell(Align::End) => element!("th", "scope" = "col", "class" = "end", "dir" = "auto"),
        Tag::Cell(Align::Start) => element!("td", "dir" = "auto"),
        Tag::Cell(Align::Middle) => element!("td", "class" = "middle", "dir" = "auto"),
        Tag::Cell(Align::End) => element!("td", "class" = "end", "dir" = "auto"),
        Tag::Strong => element!("strong"),
        Tag::Emphasis => element!("em"),
        Tag::Struck => element!("del"),
        Tag::Code => element!("code", "dir" = "ltr"),
    }
}

fn fenced() -> Template {
    template!(
        node!("div" [fixed("class", "code"), fixed("dir", "ltr")]
            node!("pre" [fixed("tabindex", "0"), OPEN] node!("code" [] INNER)),
            node!("button" [fixed("class", "copy-code"), fixed("type", "button"), fixed("aria-label", "Copy the code")])),
        [0, 0, 0, 0],
        [[0, 0]]
    )
}

fn link() -> Template {
    template!(
        node!("a" [OPEN, fixed("rel", "noopener noreferrer nofollow"), fixed("target", "_blank")] INNER),
        [0, 0],
        [[0]]
    )
}

fn piece(class: Class) -> Option<Template> {
    Some(match class {
        Class::Plain => return None,
        Class::Keyword => element!("span", "class" = "k"),
        Class::Text => element!("span", "class" = "s"),
        Class::Comment => element!("span", "class" = "c"),
        Class::Number => element!("span", "class" = "n"),
        Class::Name => element!("span", "class" = "v"),
        Class::Added => element!("span", "class" = "add"),
        Class::Removed => element!("span", "class" = "del"),
    })
}

fn text(text: String) -> VNode {
    const TEXT: Template =
        Template { roots: const { &[INNER] }, node_paths: const { &[&[0]] }, attr_paths: &[] };
    VNode::new(None, TEXT, Box::new([DynamicNode::Text(VText::new(text))]), Box::new([]))
}

fn part(template: Template, attributes: Vec<(&'static str, String)>, inner: Vec<VNode>) -> VNode {
    let inner = match template.node_paths.len() {
        0 => Vec::new(),
        _ if inner.is_empty() => vec![DynamicNode::Placeholder(VPlaceholder::default())],
        _ => vec![DynamicNode::Fragment(inner)],
    };
    let attributes = attributes.into_iter().map(|(name, value)| Attribute::new(name, value, None, false));
    let attributes: Vec<Box<[Attribute]>> = match template.attr_paths.len() {
        0 => Vec::new(),
        _ => vec![attributes.collect()],
    };
    VNode::new(None, template, inner.into(), attributes.into())
}

pub fn elements(nodes: Vec<Node>, named: &Named) -> Vec<VNode> {
    nodes.into_iter().map(|node| element(node, named)).collect()
}

/// A part with something behind what it holds.
pub fn ending(tag: Tag, inner: Vec<Node>, named: &Named, end: Option<VNode>) -> VNode {
    let mut inner = elements(inner, named);
    inner.extend(end);
    let attributes = match tag {
        Tag::Ordered(first) if first != 1 => vec![("start", first.to_string())],
        _ => Vec::new(),
    };
    part(template(tag), attributes, inner)
}

fn element(node: Node, named: &Named) -> VNode {
    match node {
        Node::Text(said) => text(said),
        Node::Part(tag, inner) => ending(tag, inner, named, None),
        Node::Fenced { language, code } => {
            let mut begin = 0;
            let inner = pieces(&language, &code).into_iter().map(|(class, end)| {
                let said = text(code[begin..end].to_owned());
                begin = end;
                match piece(class) {
                    Some(template) => part(template, Vec::new(), vec![said]),
                    None => said,
                }
            });
            let inner = inner.collect();
            let language = if language.is_empty() { Vec::new() } else { vec![("data-language", language)] };
            part(fenced(), language, inner)
        }
        Node::Link { url, text: inner } if inner.is_empty() => {
            part(link(), vec![("href", url.clone())], vec![text(url)])
        }
        // Where it leads is seen before one goes there.
        Node::Link { url, text } => {
            part(link(), vec![("href", url.clone()), ("title", url)], elements(text, named))
        }
        Node::Mention { typed, handle } => match named.means_me(&handle) {
            Some(true) => part(element!("span", "class" = "mention me"), Vec::new(), vec![text(typed)]),
            Some(false) => part(element!("span", "class" = "mention"), Vec::new(), vec![text(typed)]),
            None => text(typed),
        },
        Node::Room { typed, slug } => match named.room(&slug) {
            Some(room) => {
                let to = Route::room(room);
                let link = rsx! { Link { class: "mention", to, "{typed}" } };
                link.unwrap_or_else(|_| text(typed))
            }
            None => text(typed),
        },
    }
}
