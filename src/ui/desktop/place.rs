//! Where the window was, kept for the next start.

use dioxus::desktop::LogicalSize;
use dioxus::desktop::tao::dpi::{PhysicalPosition, PhysicalSize, Size};
use dioxus::desktop::tao::window::Window;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Smaller than this nobody can use it: something else than a person made it so.
const LEAST: u32 = 300;

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Place {
    size: Option<(u32, u32)>,
    position: Option<(i32, i32)>,
    pub maximized: bool,
}

impl Place {
    pub fn kept(folder: &Path) -> Place {
        let text = std::fs::read_to_string(folder.join("window.json")).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// The window was moved, or made larger or smaller.
    pub fn follow(&mut self, window: &Window) {
        self.maximized = window.is_maximized();
        if self.maximized || window.is_minimized() || !window.is_visible() {
            return;
        }
        let size = window.inner_size();
        self.size = Some((size.width, size.height));
        self.position = window.outer_position().ok().map(|at| (at.x, at.y));
    }

    pub fn keep(&self, folder: &Path) {
        let _ = std::fs::write(folder.join("window.json"), serde_json::to_string(self).unwrap_or_default());
    }

    pub fn size(&self) -> Size {
        match self.size {
            Some((width, height)) if width >= LEAST && height >= LEAST => {
                PhysicalSize::new(width, height).into()
            }
            _ => LogicalSize::new(1120.0, 760.0).into(),
        }
    }

    pub fn position(&self) -> Option<PhysicalPosition<i32>> {
        self.position.map(|(x, y)| PhysicalPosition::new(x, y))
    }
}
