//! A text into the parts that carriers take, and back.
//!
//! Own code, because rusmpp's `extra` encoders refuse characters outside the basic plane (an emoji would fail the
//! message), do not decode and do not count. Tables: 3GPP TS 23.038, section 6.2.1; headers: 3GPP TS 23.040,
//! section 9.2.3.24.1.

use std::borrow::Cow;

/// Parts that one text may take: the header counts them in one octet.
pub const PARTS_MAX: usize = 255;

/// `data_coding` of the GSM default alphabet, one septet an octet.
pub const DATA_CODING_GSM7: u8 = 0;
/// `data_coding` of UCS-2, big-endian.
pub const DATA_CODING_UCS2: u8 = 8;

/// Length of the header that marks a part: `05 00 03 reference total number`.
pub const HEADER_LEN: usize = 6;

/// How a text is written on the air.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// The GSM default alphabet with its extension table: 160 septets, or 153 in each of several parts.
    Gsm7,
    /// UTF-16, for everything else: 70 units, or 67 in each of several parts.
    Ucs2,
}

impl Encoding {
    /// The `data_coding` of a submit.
    pub fn data_coding(self) -> u8 {
        match self {
            Self::Gsm7 => DATA_CODING_GSM7,
            Self::Ucs2 => DATA_CODING_UCS2,
        }
    }

    /// Octets that a text may have to leave as one part. Septets travel unpacked, one an octet.
    fn alone_max(self) -> usize {
        match self {
            Self::Gsm7 => 160,
            Self::Ucs2 => 140,
        }
    }

    /// Octets of text in each of several parts, beside the header.
    fn among_others_max(self) -> usize {
        match self {
            Self::Gsm7 => 153,
            Self::Ucs2 => 134,
        }
    }
}

/// A text, cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segments {
    /// How it is written.
    pub encoding: Encoding,
    /// In order; at least one.
    pub parts: Vec<Part>,
}

/// What one submit carries.
#[derive(Clone, PartialEq, Eq)]
pub struct Part {
    /// The octets of `short_message`, header included.
    pub payload: Vec<u8>,
    /// A header comes first; the submit must say so in `esm_class`.
    pub udh: bool,
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Part({} octets)", self.payload.len())
    }
}

/// The text takes more than [`PARTS_MAX`] parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text takes more than {PARTS_MAX} parts")]
pub struct TooLong;

/// How many parts the text takes; carriers count and charge these.
pub fn parts(text: &str) -> u32 {
    let (encoding, octets) = encode(text);
    chunks(encoding, &octets).len() as u32
}

/// Cuts a text into parts. `reference` must differ between the texts that are on their way to one phone.
pub fn segment(text: &str, reference: u8) -> Result<Segments, TooLong> {
    let (encoding, octets) = encode(text);
    let chunks = chunks(encoding, &octets);
    let total = u8::try_from(chunks.len()).map_err(|_| TooLong)?;
    if total == 1 {
        let whole = Part {
            payload: octets,
            udh: false,
        };
        return Ok(Segments {
            encoding,
            parts: vec![whole],
        });
    }
    let parts = (1..=total).zip(chunks).map(|(number, chunk)| Part {
        payload: [&[0x05, 0x00, 0x03, reference, total, number], chunk].concat(),
        udh: true,
    });
    Ok(Segments {
        encoding,
        parts: parts.collect(),
    })
}

/// The text that the parts carry, with line ends as they were sent: `\n`.
pub fn rejoin(segments: &Segments) -> String {
    let octets: Vec<u8> = segments
        .parts
        .iter()
        .flat_map(|part| &part.payload[if part.udh { HEADER_LEN } else { 0 }..])
        .copied()
        .collect();
    decode(segments.encoding.data_coding(), &octets).unwrap_or_default()
}

/// The text of octets that came in (without header); `None` where they are not text, or not in an alphabet
/// that people here write. Octets that fit no character are replaced, never refused.
pub fn decode(data_coding: u8, octets: &[u8]) -> Option<String> {
    match data_coding {
        DATA_CODING_GSM7 => Some(decode_default(octets)),
        1 | 3 => Some(latin1(octets)),
        DATA_CODING_UCS2 => Some(decode_ucs2(octets)),
        // What gateways in China call their national alphabet.
        15 => Some(
            encoding_rs::GB18030
                .decode_without_bom_handling(octets)
                .0
                .into_owned(),
        ),
        // The groups of 3GPP TS 23.038, section 4, as some carriers pass them on: general, then message class.
        0x10..=0x3F => match data_coding & 0x0C {
            0x00 => Some(decode_default(octets)),
            0x08 => Some(decode_ucs2(octets)),
            _ => None,
        },
        0xF0..=0xF3 | 0xF8..=0xFB => Some(decode_default(octets)),
        _ => None,
    }
}

const ESCAPE: u8 = 0x1B;

/// The default alphabet, by septet. The escape's place holds a character that no text is encoded with.
const ALPHABET: [char; 128] = [
    '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å', //
    'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', '\u{1b}', 'Æ', 'æ', 'ß', 'É', //
    ' ', '!', '"', '#', '¤', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/', //
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?', //
    '¡', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', //
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§', //
    '¿', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', //
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à', //
];

/// The extension table: written as the escape and this septet.
const EXTENSION: [(char, u8); 10] = [
    ('\u{c}', 0x0A),
    ('^', 0x14),
    ('{', 0x28),
    ('}', 0x29),
    ('\\', 0x2F),
    ('[', 0x3C),
    ('~', 0x3D),
    (']', 0x3E),
    ('|', 0x40),
    ('€', 0x65),
];

fn encode(text: &str) -> (Encoding, Vec<u8>) {
    let text: Cow<str> = if text.contains('\r') {
        text.replace("\r\n", "\n").into()
    } else {
        text.into()
    };
    match encode_gsm7(&text) {
        Some(septets) => (Encoding::Gsm7, septets),
        None => (
            Encoding::Ucs2,
            text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        ),
    }
}

fn encode_gsm7(text: &str) -> Option<Vec<u8>> {
    let mut septets = Vec::with_capacity(text.len());
    for character in text.chars() {
        match character {
            // Where the alphabet agrees with ASCII: nearly every character, so not searched for.
            ' '..='#' | '%'..='?' | 'A'..='Z' | 'a'..='z' => septets.push(character as u8),
            '\u{1b}' => return None,
            _ => {
                if let Some(septet) = ALPHABET.iter().position(|known| *known == character) {
                    septets.push(septet as u8);
                } else {
                    let (_, septet) = EXTENSION.iter().find(|(known, _)| *known == character)?;
                    septets.extend([ESCAPE, *septet]);
                }
            }
        }
    }
    Some(septets)
}

fn chunks(encoding: Encoding, octets: &[u8]) -> Vec<&[u8]> {
    if octets.len() <= encoding.alone_max() {
        return vec![octets];
    }
    let mut rest = octets;
    let mut chunks = Vec::with_capacity(octets.len() / encoding.among_others_max() + 1);
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(chunk_len(encoding, rest));
        chunks.push(chunk);
        rest = after;
    }
    chunks
}

/// As much as fits, without parting an escape from its septet or a surrogate from its other half:
/// each part is shown by itself on phones that lose or refuse another.
fn chunk_len(encoding: Encoding, octets: &[u8]) -> usize {
    let end = encoding.among_others_max();
    if octets.len() <= end {
        return octets.len();
    }
    match encoding {
        Encoding::Gsm7 if octets[end - 1] == ESCAPE => end - 1,
        Encoding::Ucs2 if (0xD8..0xDC).contains(&octets[end - 2]) => end - 2,
        _ => end,
    }
}

/// The default alphabet. Octets above 127 are none of it, so the sender's gateway meant something else: UTF-8
/// if it reads as that, or Latin-1.
fn decode_default(octets: &[u8]) -> String {
    if octets.iter().all(u8::is_ascii) {
        return decode_gsm7(octets);
    }
    match std::str::from_utf8(octets) {
        Ok(text) => text.to_owned(),
        Err(_) => latin1(octets),
    }
}

fn decode_gsm7(septets: &[u8]) -> String {
    let mut text = String::with_capacity(septets.len());
    let mut septets = septets.iter();
    while let Some(septet) = septets.next() {
        if *septet != ESCAPE {
            text.push(ALPHABET[usize::from(*septet & 0x7F)]);
        } else if let Some(escaped) = septets.next() {
            let extended = EXTENSION.iter().find(|(_, known)| known == escaped);
            // TS 23.038: an unknown extension is shown as the default alphabet's character.
            text.push(
                extended.map_or(ALPHABET[usize::from(*escaped & 0x7F)], |(character, _)| {
                    *character
                }),
            );
        }
    }
    text
}

fn decode_ucs2(octets: &[u8]) -> String {
    let units = octets
        .chunks_exact(2)
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

fn latin1(octets: &[u8]) -> String {
    octets.iter().copied().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(text: &str) -> Segments {
        segment(text, 7).expect("short enough")
    }

    fn shape(text: &str) -> (Encoding, Vec<usize>) {
        let segments = cut(text);
        (
            segments.encoding,
            segments.parts.iter().map(|part| part.payload.len()).collect(),
        )
    }

    #[test]
    fn limits_are_those_of_the_air() {
        use Encoding::{Gsm7, Ucs2};
        let table = [
            (String::new(), Gsm7, vec![0]),
            ("a".repeat(160), Gsm7, vec![160]),
            ("a".repeat(161), Gsm7, vec![159, 14]),
            ("€".repeat(80), Gsm7, vec![160]),
            // 81 pairs: the escape at the 153rd place moves on with its septet.
            ("€".repeat(81), Gsm7, vec![158, 16]),
            ("你".repeat(70), Ucs2, vec![140]),
            ("你".repeat(71), Ucs2, vec![140, 14]),
            ("😀".repeat(35), Ucs2, vec![140]),
            // 67 units hold 33 whole pairs.
            ("😀".repeat(36), Ucs2, vec![138, 18]),
            (format!("{}好", "a".repeat(69)), Ucs2, vec![140]),
        ];
        for (text, encoding, lens) in table {
            assert_eq!(
                shape(&text),
                (encoding, lens),
                "{} characters",
                text.chars().count()
            );
        }
    }

    #[test]
    fn a_part_says_its_place() {
        let segments = cut(&"a".repeat(400));
        let headers: Vec<&[u8]> = segments
            .parts
            .iter()
            .map(|part| &part.payload[..HEADER_LEN])
            .collect();
        assert_eq!(
            headers,
            [&[5, 0, 3, 7, 3, 1], &[5, 0, 3, 7, 3, 2], &[5, 0, 3, 7, 3, 3]]
        );
        assert!(segments.parts.iter().all(|part| part.udh));
    }

    #[test]
    fn more_than_255_parts_are_refused() {
        assert_eq!(cut(&"你".repeat(67 * 255)).parts.len(), 255);
        assert_eq!(segment(&"你".repeat(67 * 255 + 1), 7), Err(TooLong));
        assert_eq!(parts(&"你".repeat(67 * 255 + 1)), 256);
    }

    #[test]
    fn every_septet_is_one_character_and_back() {
        for (septet, character) in ALPHABET.into_iter().enumerate().filter(|(_, c)| *c != '\u{1b}') {
            assert_eq!(
                encode_gsm7(&character.to_string()),
                Some(vec![septet as u8]),
                "{character}"
            );
        }
        assert_eq!(decode_gsm7(&[ESCAPE, 0x65, ESCAPE, 0x41, ESCAPE]), "€A");
        assert_eq!(encode_gsm7("`"), None);
        assert_eq!(encode_gsm7("\u{1b}"), None);
    }

    #[test]
    fn what_comes_in_is_read_by_its_coding() {
        assert_eq!(decode(0, b"\x00 \x1B\x65").as_deref(), Some("@ €"));
        assert_eq!(decode(0, "你好".as_bytes()).as_deref(), Some("你好"));
        assert_eq!(decode(0, b"caf\xE9").as_deref(), Some("café"));
        assert_eq!(decode(1, b"STOP").as_deref(), Some("STOP"));
        assert_eq!(decode(3, b"caf\xE9").as_deref(), Some("café"));
        assert_eq!(decode(8, &[0x4F, 0x60, 0x59]).as_deref(), Some("你"));
        assert_eq!(decode(0x18, &[0x4F, 0x60]).as_deref(), Some("你"));
        assert_eq!(decode(15, b"\xC4\xE3").as_deref(), Some("你"));
        assert_eq!(decode(4, b"binary"), None);
        assert_eq!(decode(2, b"binary"), None);
    }

    proptest! {
        #[test]
        fn parts_rejoin_and_keep_their_limit(text in prop_oneof![
            "[a-zA-Z0-9 \r\n€{}@_$àΩ]{0,700}",
            "\\PC{0,400}",
            "[你好😀a]{0,300}",
        ]) {
            let segments = cut(&text);
            prop_assert_eq!(rejoin(&segments), text.replace("\r\n", "\n"));
            prop_assert_eq!(segments.parts.len() as u32, parts(&text));
            let alone = segments.parts.len() == 1;
            for part in &segments.parts {
                prop_assert_eq!(part.udh, !alone);
                let max = match segments.encoding {
                    Encoding::Gsm7 => if alone { 160 } else { 153 + HEADER_LEN },
                    Encoding::Ucs2 => 140,
                };
                prop_assert!(part.payload.len() <= max);
                let text = decode(segments.encoding.data_coding(), &part.payload[if alone { 0 } else { HEADER_LEN }..]);
                prop_assert!(!text.expect("text").contains(char::REPLACEMENT_CHARACTER) || segments.encoding == Encoding::Ucs2 && rejoin(&segments).contains(char::REPLACEMENT_CHARACTER));
            }
        }

        #[test]
        fn nothing_that_comes_in_panics(data_coding: u8, octets: Vec<u8>) {
            decode(data_coding, &octets);
        }
    }
}
