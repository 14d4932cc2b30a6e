//! Icons of Lucide, from assets/icons.svg, which script/icons makes.

use dioxus::prelude::*;

const ICONS: Asset = asset!("/assets/icons.svg");

/// An icon beside a word, or in a button that has a name.
pub fn icon(name: &str, size: u32) -> Element {
    rsx! {
        svg {
            class: "icon",
            width: "{size}",
            height: "{size}",
            view_box: "0 0 24 24",
            fill: "none",
            stroke: "currentColor",
            stroke_linecap: "round",
            stroke_linejoin: "round",
            "aria-hidden": "true",
            r#use { href: "{ICONS}#{name}" }
        }
    }
}
