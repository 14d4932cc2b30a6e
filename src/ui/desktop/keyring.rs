//! The system's keyring, as far as there is one.

use crate::client::platform::native::logins::Keyring;
use ::keyring::Entry;

const SERVICE: &str = "chat.beck.Beck";

pub struct SystemKeyring;

impl Keyring for SystemKeyring {
    fn put(&self, key: &str, token: &str) -> bool {
        // Some take it and have it no more a moment later.
        Entry::new(SERVICE, key).and_then(|entry| entry.set_password(token)).is_ok()
            && self.get(key).as_deref() == Some(token)
    }

    fn get(&self, key: &str) -> Option<String> {
        Entry::new(SERVICE, key).ok()?.get_password().ok()
    }

    fn forget(&self, key: &str) {
        if let Ok(entry) = Entry::new(SERVICE, key) {
            let _ = entry.delete_credential();
        }
    }
}
