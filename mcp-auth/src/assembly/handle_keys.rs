//! Reads the keys that seal handles.

use crate::config::{Config, Faults, Secret};
use crate::handles::KeyRing;
use crate::text::without_byte_order_mark;

/// The ring of the configured keys, those of the file behind the others; `None` where none is configured.
pub(super) fn read_handle_keys(config: &Config, faults: &mut Faults<'_>) -> Option<KeyRing> {
    let mut keys: Vec<Secret> = Vec::new();
    for (index, key) in config.handle_keys.iter().enumerate() {
        check_length(key, &mut faults.below_item("handle_keys", index));
        keys.push(key.clone());
    }
    if let Some(file) = &config.handle_keys_file {
        let mut file_faults = faults.below("handle_keys_file");
        match std::fs::read(file)
            .map(|bytes| String::from_utf8(without_byte_order_mark(&bytes).to_vec()))
        {
            Ok(Ok(text)) => {
                let of_file = text.lines().map(str::trim).filter(|line| !line.is_empty());
                let before = keys.len();
                for line in of_file {
                    let key = Secret::new(line);
                    check_length(&key, &mut file_faults);
                    keys.push(key);
                }
                if keys.len() == before {
                    file_faults.add_here(format!("{file:?} holds no key"));
                }
            }
            Ok(Err(_)) => file_faults.add_here(format!("{file:?} is not text")),
            Err(error) => file_faults.add_here(format!("{file:?} cannot be read: {error}")),
        }
    }
    if keys.len() > KeyRing::MAX_KEYS {
        faults.add(
            "handle_keys",
            format!("at most {} are allowed, with those of the file", KeyRing::MAX_KEYS),
        );
    }
    let configured = keys.iter().map(|key| key.expose().as_bytes());
    (!keys.is_empty()).then(|| KeyRing::new(configured))
}

fn check_length(key: &Secret, faults: &mut Faults<'_>) {
    if key.expose().len() < KeyRing::MIN_KEY_BYTES {
        let fewest = KeyRing::MIN_KEY_BYTES;
        faults.add_here(format!(
            "a key has {fewest} characters or more, such as those of `openssl rand -base64 32`"
        ));
    }
}
