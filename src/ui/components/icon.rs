//! Icons of Lucide.

use dioxus::prelude::*;
use dioxus_free_icons::IconShape;

/// An icon beside a word, or in a button that has a name. Not the library's component: that one is compiled anew for
/// each icon, and was a twentieth of the client.
pub fn icon(shape: &dyn IconShape, size: u32) -> Element {
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
            {shape.child_elements()}
        }
    }
}
