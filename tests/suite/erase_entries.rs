//! The `erase` entry of format 5, sentence by sentence: docs/architecture.md, "Erasing". The values are by hand. After
//! each log a second fold reads it without the bodies that were removed, and must come to the same decisions and
//! tables.

mod earlier;
mod earlier_formats;
mod form;
mod log;
mod messages;
mod numbers;
