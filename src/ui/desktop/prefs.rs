//! What a browser would remember: the theme, and what was used last.

use crate::ui::dom;
use serde::{Deserialize, Serialize};
use std::path::Path;

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Prefs {
    theme: String,
    used: [Vec<String>; 2],
}

/// Begins with what the file in this folder holds; it follows from then on.
pub fn remember(folder: &Path) {
    let file = folder.join("prefs.json");
    let prefs: Prefs = std::fs::read_to_string(&file)
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let theme = Some(prefs.theme).filter(|theme| matches!(theme.as_str(), "light" | "dark"));
    dom::remember(&theme.unwrap_or_else(|| "system".to_owned()), prefs.used, move |theme, used| {
        let prefs = Prefs { theme: theme.to_owned(), used: used.clone() };
        // What cannot be written is remembered until the end.
        let _ = std::fs::write(&file, serde_json::to_string(&prefs).unwrap_or_default());
    });
}
