//! The ids of the steps of an operation. The constants were computed by another program from
//! docs/architecture.md, "Operations of several entries".

use beck::protocol::ClientId;
use beck::server::steps::step;

#[test]
fn the_ids_of_steps_follow_from_the_first_and_the_number() {
    let steps = [
        ("0190b6a1-7c3d-7abc-8def-0123456789ab", 1, "0190b6a1-7c3d-75c4-bcc3-3b1b591b31bd"),
        ("0190b6a1-7c3d-7abc-8def-0123456789ab", 2, "0190b6a1-7c3d-79df-b99c-7935e77df903"),
        ("0190b6a1-7c3d-7abc-8def-0123456789ab", 10, "0190b6a1-7c3d-7f48-9f8a-cc69cb0ba2b2"),
        ("0190b6a1-7c3d-7abc-8def-0123456789ab", 101, "0190b6a1-7c3d-7533-9aa4-e2ba9d52a11d"),
        ("00000000-0004-7000-8000-00000000000a", 1, "00000000-0004-7057-9150-9bdce4f1c081"),
        ("00000000-0004-7000-8000-00000000000a", 2, "00000000-0004-7b4e-bc45-043ca2fd36b2"),
        ("00000000-0004-7000-8000-00000000000a", 101, "00000000-0004-7e26-a363-da9e9f97a7eb"),
    ];
    for (first, n, expected) in steps {
        let id = step(first.parse().unwrap(), n);
        assert_eq!(id.to_string(), expected, "{first} {n}");
        // It is an id like any other.
        assert_eq!(expected.parse::<ClientId>(), Ok(id));
    }
}
