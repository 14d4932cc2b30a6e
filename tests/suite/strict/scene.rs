//! A workspace in format 5 with some of everything.

use super::log::Log;

/// Ann, Bob, Cat and the owner Olga. Ann made the rooms general and old, where Bob and Olga are too; old is archived. Cat
/// made the room side and is alone there. In general: #1 by Ann, #2 by Bob, #3 by Ann which she deleted, #4 by Bob which
/// Olga deleted, #5 by Bob in the thread of #1, #6 by Ann which answers #1 in both. In old: #7 by Bob.
pub fn scene() -> Log {
    let mut log = Log::begin();
    log.ok("op account - olga -", r#"{"handle":"olga","role":"owner"}"#);
    for (name, draft) in
        [("ann", r#"{"handle":"ann"}"#), ("bob", r#"{"handle":"bob"}"#), ("cat", r#"{"handle":"cat"}"#)]
    {
        log.ok(&format!("{name} account - {name} -"), draft);
    }
    log.ok("ann room general - -", r#"{"kind":"open","name":"General","key":"general"}"#);
    log.ok("ann room old - -", r#"{"kind":"open","name":"Old","key":"old"}"#);
    log.ok("cat room side - -", r#"{"kind":"open","name":"Side","key":"side"}"#);
    for words in
        ["bob join general bob -", "olga join general olga -", "ann join old bob -", "olga join old olga -"]
    {
        log.ok(words, "null");
    }
    log.ok("#1 ann message general - -", r#"{"text":"one"}"#);
    log.ok("#2 bob message general - -", r#"{"text":"two"}"#);
    log.ok("#3 ann message general - -", r#"{"text":"three"}"#);
    log.ok("#4 bob message general - -", r#"{"text":"four"}"#);
    log.ok("ann act general #3 deleted", r#"{"value":true}"#);
    log.ok("olga act general #4 deleted", r#"{"value":true}"#);
    log.ok("#5 bob message general #1 -", r#"{"text":"five"}"#);
    log.ok("#6 ann message general #1 room", r#"{"text":"six"}"#);
    log.ok("#7 bob message old - -", r#"{"text":"seven"}"#);
    log.ok("ann room.set old - archived", r#"{"value":true}"#);
    log
}
