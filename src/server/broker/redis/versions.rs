//! Versions of Redis and Valkey that a user of their scripts can break out of (CVE-2025-49844).

/// The first patch of each line of versions that is mended; `None` where there is none.
const REDIS: [((u32, u32), Option<u32>); 6] = [
    ((7, 0), None),
    ((7, 2), Some(11)),
    ((7, 4), Some(6)),
    ((8, 0), Some(4)),
    ((8, 1), None),
    ((8, 2), Some(2)),
];
const VALKEY: [((u32, u32), Option<u32>); 3] = [((7, 2), Some(11)), ((8, 0), Some(6)), ((8, 1), Some(4))];

/// What is wrong with a version, and which one to install; `name` is Redis or Valkey. `None`: nothing that is known.
pub fn outdated(name: &str, version: &str) -> Option<String> {
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().ok());
    let (major, minor, patch) = (numbers.next()??, numbers.next()??, numbers.next()??);
    let lines = if name == "Valkey" { &VALKEY[..] } else { &REDIS[..] };
    let (_, mended) = lines.iter().find(|(line, _)| *line == (major, minor))?;
    let fault = "lets anyone who may run scripts there run any program (CVE-2025-49844)";
    match mended {
        Some(mended) if patch >= *mended => None,
        Some(mended) => Some(format!("{name} {version} {fault}: install {major}.{minor}.{mended} or newer")),
        None => {
            let newest = "7.2.11, 7.4.6, 8.0.4, 8.2.2 or newer";
            Some(format!(
                "{name} {version} {fault} and has no mended release: install {newest}, unless your distribution has mended its package"
            ))
        }
    }
}
