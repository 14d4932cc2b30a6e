//! What is meant by a part of a name.

use beck::text::matching::distance;

/// Which names fit, the nearest first.
fn found<'a>(query: &str, names: &[&'a str]) -> Vec<&'a str> {
    let mut fits: Vec<_> = names.iter().filter_map(|name| Some((distance(query, name)?, *name))).collect();
    fits.sort_by_key(|(distance, _)| *distance);
    fits.into_iter().map(|(_, name)| name).collect()
}

#[test]
fn the_beginning_of_a_word_is_nearer_than_its_middle_and_that_nearer_than_a_slip() {
    let names = ["Undeployed", "Deploys", "Old deploys", "Depolys", "Design every place's long yard"];
    assert_eq!(found("deploy", &names), ["Deploys", "Old deploys", "Undeployed", "Depolys", names[4]]);
}

#[test]
fn one_letter_may_be_wrong_missing_too_many_or_swapped_and_no_more() {
    for typed in ["incedents", "incdents", "inccidents", "icnidents", "Incidents", "incident"] {
        assert_eq!(found(typed, &["Incidents", "General"]), ["Incidents"], "{typed}");
    }
    for typed in ["iccdents x", "oncodents", "zzz", "incidentsx y"] {
        assert!(found(typed, &["Incidents", "General"]).is_empty(), "{typed}");
    }
}

#[test]
fn case_and_marks_do_not_count_and_every_word_must_be_found() {
    let names = ["Zoë Ångström zoe", "Lena Krüger lena", "佐藤 美咲 misaki", "Straße"];
    assert_eq!(found("zoe ang", &names), [names[0]]);
    assert_eq!(found("ang zoe", &names), [names[0]]);
    assert_eq!(found("KRUGER", &names), [names[1]]);
    assert_eq!(found("krüger", &names), [names[1]]);
    assert_eq!(found("美咲", &names), [names[2]]);
    assert!(found("lena zoe", &names).is_empty());
    assert_eq!(found("", &names).len(), 4, "nothing typed fits everything");
    assert_eq!(found("  ", &names).len(), 4);
}

#[test]
fn whatever_is_typed_has_an_answer() {
    let long = "a b ".repeat(20_000);
    let names = ["", " ", "-", &long, "\u{202e}x", "İstanbul", "\u{0}"];
    for query in ["", "-", "İ", "a", &long, "\u{fffd}", "\n\n\n\n\n", "ﬁ", "👩‍👩‍👧"] {
        for name in names {
            let _ = distance(query, name);
        }
    }
}
