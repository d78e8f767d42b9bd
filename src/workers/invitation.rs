//! Invitations: a link that works once, for a day, and only for whoever proves the invited phone to be theirs. Pure.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};

use crate::{
    domain::{PhoneNumber, WorkerId},
    store::NewInvitation,
};

/// What every token begins with: it tells them from the codes at the doors.
pub const PREFIX: &str = "w_";
const HOLDS: TimeDelta = TimeDelta::hours(24);
/// Bytes of chance in a token.
const TOKEN_LEN: usize = 20;

/// A token of these bytes of chance. Telegram takes 64 letters, digits, `_` and `-`.
pub fn token(chance: [u8; TOKEN_LEN]) -> String {
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(chance))
}

/// What is stored of a token. It is long and random, so a plain hash tells nothing of it.
pub fn token_hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(token.as_bytes()))
}

/// An invitation by this token, from now on.
pub fn new(worker: WorkerId, token: &str, phone: PhoneNumber, now: DateTime<Utc>) -> NewInvitation {
    NewInvitation {
        worker,
        token_hash: token_hash(token),
        phone,
        expires_at: now + HOLDS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_fits_into_a_link_and_its_hash_is_not_it() {
        let made = token([7; TOKEN_LEN]);
        assert!(made.len() <= 64 && made.starts_with(PREFIX));
        assert!(
            made.chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        );
        assert!(!token_hash(&made).contains(&made[PREFIX.len()..]));
        assert_ne!(token([8; TOKEN_LEN]), made);
    }
}
