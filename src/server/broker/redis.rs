//! The Redis and Valkey backend: so far only its address, checked so that a typing error is found at the start.

use ::redis::IntoConnectionInfo;

/// What is wrong with a Redis address; never repeats it, since it may hold a password.
pub fn check_url(url: &str) -> Result<(), String> {
    match url.into_connection_info() {
        Ok(_) => Ok(()),
        Err(_) => Err("must look like redis://user:password@host:6379/0, or rediss:// for TLS".to_owned()),
    }
}
