//! The short code of a row on the sheets: it names a resident within one incident and notices when it was mistyped.

use crate::domain::{IncidentId, ResidentId};

/// Without 0, I, L, O and U, which are taken for others. 31 is prime, so that the last character finds every single
/// wrong character and every two that changed places.
const ALPHABET: &[u8; 31] = b"123456789ABCDEFGHJKMNPQRSTVWXYZ";
const BASE: u64 = ALPHABET.len() as u64;
/// All codes of a sheet look alike.
const DIGITS_MIN: usize = 4;
/// 31¹² is more than any row has.
const DIGITS_MAX: usize = 12;

/// The code, such as `11K7-Q`.
pub fn code(incident: IncidentId, resident: ResidentId) -> String {
    let mut rest = resident.0.unsigned_abs();
    let mut digits = Vec::new();
    while rest > 0 || digits.len() < DIGITS_MIN {
        digits.push(rest % BASE);
        rest /= BASE;
    }
    digits.reverse();
    let mut text: String = digits.iter().map(|digit| letter(*digit)).collect();
    text.push('-');
    text.push(letter(check(incident, &digits)));
    text
}

/// Whom a code names; none when it is mistyped or of another incident's sheet.
pub fn resident(incident: IncidentId, code: &str) -> Option<ResidentId> {
    let digits: Option<Vec<u64>> = code
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .map(|c| {
            let c = c.to_ascii_uppercase();
            let at = ALPHABET.iter().position(|known| char::from(*known) == c)?;
            Some(at as u64)
        })
        .collect();
    let digits = digits?;
    let (last, digits) = digits.split_last()?;
    if !(DIGITS_MIN..=DIGITS_MAX).contains(&digits.len()) || *last != check(incident, digits) {
        return None;
    }
    let id = digits.iter().fold(0, |id, digit| id * BASE + digit);
    i64::try_from(id).ok().map(ResidentId)
}

fn check(incident: IncidentId, digits: &[u64]) -> u64 {
    let sum: u64 = (2..).zip(digits).map(|(weight, digit)| weight * digit).sum();
    (sum + incident.0.unsigned_abs() % BASE) % BASE
}

fn letter(digit: u64) -> char {
    char::from(ALPHABET[(digit % BASE) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_names_its_resident_and_no_mistyped_one_names_anybody() {
        let incident = IncidentId(7);
        for id in [1, 30, 31, 923_520, 923_521, 21_000_000, 1 << 40] {
            let code = code(incident, ResidentId(id));
            assert_eq!(resident(incident, &code), Some(ResidentId(id)), "{code}");
            assert_eq!(
                resident(incident, &code.to_lowercase().replace('-', " ")),
                Some(ResidentId(id))
            );
            assert_eq!(resident(IncidentId(8), &code), None, "another incident's sheet");
            let letters: Vec<char> = code.chars().filter(|c| *c != '-').collect();
            for at in 0..letters.len() {
                for wrong in ALPHABET.iter().map(|c| char::from(*c)) {
                    let mut typed = letters.clone();
                    typed[at] = wrong;
                    let named = resident(incident, &typed.iter().collect::<String>());
                    assert_eq!(named.is_some(), wrong == letters[at], "{typed:?}");
                }
                if at + 1 < letters.len() && letters[at] != letters[at + 1] {
                    let mut typed = letters.clone();
                    typed.swap(at, at + 1);
                    assert_eq!(resident(incident, &typed.iter().collect::<String>()), None);
                }
            }
        }
        for bad in [
            "",
            "-",
            "Q",
            "0000-0",
            "ZZZZZZZZZZZZZZZZ",
            "=1+1",
            "１２３",
            "很长",
            "11K7-Q-Q",
        ] {
            assert_eq!(resident(incident, bad), None, "{bad}");
        }
    }
}
