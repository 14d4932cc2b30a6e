//! Checks the interpreter itself: it must decide the recorded logs of tests/data/corpus as 0.1.0 did.

use super::interpreted;
use super::interpreter::Decided;
use crate::corpus::{FORMATS, lines, recorded};
use serde_json::{Value, json};

pub(super) fn line(g: u64, decided: &Decided) -> Value {
    let outcome = match &decided.outcome {
        Err(why) => json!({ "is": "refused", "why": why }),
        Ok((g, None, _)) => json!({ "is": "stored", "g": g }),
        Ok((g, Some(seq), None)) => json!({ "is": "stored", "g": g, "seq": seq }),
        Ok((g, Some(seq), Some(ordinal))) => {
            json!({ "is": "stored", "g": g, "seq": seq, "ordinal": ordinal })
        }
    };
    let mut line = json!({ "g": g, "outcome": outcome });
    if let Some(event) = &decided.event {
        let also = event.also.map(|(lane, ordinal)| json!({ "lane": lane, "ordinal": ordinal }));
        line["event"] = json!({ "room": event.room, "seq": event.seq, "lane": event.lane, "ordinal": event.ordinal, "also": also });
    }
    line
}

#[test]
fn the_interpreter_decides_the_recorded_logs_as_recorded() {
    for format in FORMATS {
        let entries = recorded(format);
        let decided = interpreted(&entries);
        let lines = lines(format, "decisions");
        assert_eq!(decided.len(), lines.len(), "format {format}");
        for ((entry, decided), then) in entries.iter().zip(&decided).zip(lines) {
            let mut then: Value = serde_json::from_str(&then).unwrap();
            then.as_object_mut().unwrap().remove("chain");
            assert_eq!(line(entry.header.g, decided), then, "format {format}: {:?}", entry.header);
        }
    }
}
