//! What lies in Redis carries a digest of itself and of the name it lies under: whatever else is found there is no answer.

use sha2::{Digest, Sha256};

const DIGEST: usize = 16;

/// The bytes with their digest before them.
pub(super) fn seal(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(DIGEST + bytes.len());
    sealed.extend(digest(name, bytes));
    sealed.extend(bytes);
    sealed
}

/// The bytes, if they are what was put there under this name.
pub(super) fn unseal<'a>(name: &str, sealed: &'a [u8]) -> Option<&'a [u8]> {
    let (told, bytes) = sealed.split_at_checked(DIGEST)?;
    (told == digest(name, bytes)).then_some(bytes)
}

fn digest(name: &str, bytes: &[u8]) -> [u8; DIGEST] {
    let whole = Sha256::new().chain_update(name).chain_update([0]).chain_update(bytes);
    let mut digest = [0; DIGEST];
    digest.copy_from_slice(&whole.finalize()[..DIGEST]);
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_changed_or_lies_elsewhere_is_no_answer() {
        let sealed = seal("here", b"bytes");
        assert_eq!(unseal("here", &sealed), Some(&b"bytes"[..]));
        assert_eq!(unseal("there", &sealed), None);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(unseal("here", &changed), None, "byte {at}");
        }
        assert_eq!(unseal("here", b""), None);
    }
}
