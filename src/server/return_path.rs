//! Where a person goes after signing in: back to the page that they came for.

use axum::http::{HeaderMap, Uri, header};

/// Longer addresses than ours are not ours.
const LONGEST: usize = 200;

/// Whether a path is a page for those who are signed in.
pub fn is_inside(path: &str) -> bool {
    matches!(path, "/" | "/rooms" | "/account" | "/unread")
        || path.starts_with("/unread/")
        || path.starts_with("/r/")
}

/// A path to return to, if it is one of our pages. Anybody can write anything into a link: nothing passes but letters,
/// digits, `-`, `_` and single slashes, so that no browser finds a scheme or another host in it.
pub fn checked(path: &str) -> Option<&str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_');
    let fits = path.len() <= LONGEST && path.bytes().all(plain) && !path.contains("//") && is_inside(path);
    fits.then_some(path)
}

/// The page to sign in on, which leads back to `path`.
pub fn sign_in_for(path: &str) -> String {
    match checked(path).filter(|path| *path != "/") {
        // These characters mean themselves in a query.
        Some(path) => format!("/sign-in?next={path}"),
        None => "/sign-in".to_owned(),
    }
}

/// What `next` of an address names.
pub fn of_query(uri: &Uri) -> Option<&str> {
    uri.query()?.split('&').find_map(|pair| checked(pair.strip_prefix("next=")?))
}

/// The page from which a request came, as browsers say for requests within one site.
pub fn of_referer(headers: &HeaderMap) -> Option<String> {
    let referer: Uri = headers.get(header::REFERER)?.to_str().ok()?.parse().ok()?;
    let host = headers.get(header::HOST)?.to_str().ok()?;
    let same = referer.authority().is_some_and(|authority| authority.as_str().eq_ignore_ascii_case(host));
    checked(referer.path()).filter(|_| same).map(str::to_owned)
}
