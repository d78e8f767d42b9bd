//! What a carrier's `deliver_sm` says: a receipt, a text, or a part of one. Pure.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use rusmpp::{
    pdus::DeliverSm,
    tlvs::{Tlv, TlvValue},
    values::{MessageState, Ton},
};

use super::segment;
use crate::{
    channels::{PartFate, ReceiptReport},
    domain::PhoneNumber,
};

/// Texts that wait for their other parts. What is beyond that is let go, the oldest first, as it is.
const UNFINISHED_MAX: usize = 10_000;
/// How long a text waits for its other parts, and how long a finished one is known again.
const UNFINISHED_MINUTES: i64 = 10;

/// What a `deliver_sm` is.
#[derive(Debug)]
pub(super) enum Reading {
    /// A part's fate.
    Receipt(ReceiptReport),
    /// Says that it is a receipt, but not of what.
    NamelessReceipt,
    /// A text or a part of one.
    Text(TextPart),
}

/// A text, or a part of one, as it came.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct TextPart {
    /// The sender, in the carrier's writing.
    pub from: String,
    /// How the octets are to be read.
    pub data_coding: u8,
    /// Without header.
    pub octets: Vec<u8>,
    /// Which part it is; `None` for a whole text.
    pub place: Option<Place>,
}

impl std::fmt::Debug for TextPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TextPart({} octets, {:?})", self.octets.len(), self.place)
    }
}

/// A part's place in its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    /// Shared by the parts of one text.
    pub reference: u16,
    /// How many there are.
    pub total: u8,
    /// Which this is, from 1.
    pub number: u8,
}

/// Reads a `deliver_sm`.
pub(super) fn read(carrier: &str, deliver: &DeliverSm) -> Reading {
    let esm_class = u8::from(deliver.esm_class);
    let payload = payload(deliver.short_message(), deliver.tlvs());
    let data_coding = u8::from(deliver.data_coding);
    let receipted = find(deliver.tlvs(), |value| match value {
        TlvValue::ReceiptedMessageId(id) => Some(id.as_str().trim().to_owned()),
        _ => None,
    });
    // 0x04 marks a receipt, 0x20 a notice on the way; some carriers set neither and send the TLV.
    if matches!(esm_class & 0x3C, 0x04 | 0x20) || receipted.is_some() {
        let text = segment::decode(data_coding, payload).unwrap_or_default();
        let state = find(deliver.tlvs(), |value| match value {
            TlvValue::MessageState(state) => Some(*state),
            _ => None,
        });
        return receipt(carrier, receipted, state, &text);
    }
    let (header_place, octets) = split_header(esm_class, payload);
    Reading::Text(TextPart {
        from: sender(deliver),
        data_coding,
        octets: octets.to_vec(),
        place: header_place.or_else(|| sar_place(deliver.tlvs())),
    })
}

/// The octets of a message: `message_payload` stands in for a `short_message` that is too short for them.
pub(super) fn payload<'a>(short_message: &'a [u8], tlvs: &'a [Tlv]) -> &'a [u8] {
    let long = tlvs.iter().find_map(|tlv| match tlv.value() {
        Some(TlvValue::MessagePayload(payload)) => Some(&payload.value[..]),
        _ => None,
    });
    long.unwrap_or(short_message)
}

/// Parts the user data header from the text, where `esm_class` says that there is one.
pub(super) fn split_header(esm_class: u8, payload: &[u8]) -> (Option<Place>, &[u8]) {
    if esm_class & 0x40 == 0 {
        return (None, payload);
    }
    let Some((header_len, rest)) = payload.split_first() else {
        return (None, payload);
    };
    let Some((mut elements, text)) = rest.split_at_checked(usize::from(*header_len)) else {
        return (None, payload);
    };
    while let [id, len, rest @ ..] = elements {
        let Some((value, after)) = rest.split_at_checked(usize::from(*len)) else {
            break;
        };
        let place = match (id, value) {
            (0x00, [reference, total, number]) => place(u16::from(*reference), *total, *number),
            (0x08, [high, low, total, number]) => place(u16::from_be_bytes([*high, *low]), *total, *number),
            _ => None,
        };
        if place.is_some() {
            return (place, text);
        }
        elements = after;
    }
    (None, text)
}

/// The sender as a phone number; `None` for short codes and names.
pub(super) fn phone(from: &str) -> Option<PhoneNumber> {
    PhoneNumber::parse(from)
        .or_else(|_| PhoneNumber::parse(&format!("+{from}")))
        .ok()
}

/// A text whose waiting is over.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Whole {
    /// The sender, in the carrier's writing.
    pub from: String,
    /// `None` where it is not text.
    pub text: Option<String>,
    /// Every octet, for telling it from others.
    pub octets: Vec<u8>,
    /// What its parts shared; `None` if it had none.
    pub reference: Option<u16>,
}

impl From<TextPart> for Whole {
    fn from(part: TextPart) -> Self {
        Self {
            text: segment::decode(part.data_coding, &part.octets),
            from: part.from,
            octets: part.octets,
            reference: None,
        }
    }
}

/// Texts whose parts are coming in.
#[derive(Debug, Default)]
pub(super) struct Reassembly {
    texts: HashMap<Key, Unfinished>,
}

/// Sender, reference and number of parts.
type Key = (String, u16, u8);

#[derive(Debug)]
struct Unfinished {
    since: DateTime<Utc>,
    data_coding: u8,
    octets: BTreeMap<u8, Vec<u8>>,
    finished: bool,
}

impl Reassembly {
    /// Takes one part in. The first of the answer is the whole text, if this was the last part to come, or is
    /// the repeat of a part of a finished text: then the carrier missed the answer, and must get it again.
    /// The second is what had to be let go to make room.
    pub(super) fn add(
        &mut self,
        part: TextPart,
        place: Place,
        now: DateTime<Utc>,
    ) -> (Option<Whole>, Option<Whole>) {
        let key = (part.from, place.reference, place.total);
        let known = self.texts.get(&key);
        let is_other_text = known.is_some_and(|known| {
            known
                .octets
                .get(&place.number)
                .is_some_and(|octets| *octets != part.octets)
        });
        let mut let_go = None;
        if is_other_text {
            let_go = self.texts.remove_entry(&key).and_then(unfinished_whole);
        } else if known.is_none() && self.texts.len() >= UNFINISHED_MAX {
            let oldest = self
                .texts
                .iter()
                .min_by_key(|(_, text)| text.since)
                .map(|(key, _)| key.clone());
            let_go = oldest
                .and_then(|key| self.texts.remove_entry(&key))
                .and_then(unfinished_whole);
        }
        let text = self.texts.entry(key.clone()).or_insert_with(|| Unfinished {
            since: now,
            data_coding: part.data_coding,
            octets: BTreeMap::new(),
            finished: false,
        });
        text.octets.insert(place.number, part.octets);
        text.finished = text.octets.len() == usize::from(place.total);
        let whole = text.finished.then(|| whole(key, text));
        (whole, let_go)
    }

    /// Lets the texts go that have waited long enough, as far as they came.
    pub(super) fn let_go_before(&mut self, now: DateTime<Utc>) -> Vec<Whole> {
        let since = now - TimeDelta::minutes(UNFINISHED_MINUTES);
        self.texts
            .extract_if(|_, text| text.since <= since)
            .filter_map(unfinished_whole)
            .collect()
    }

    /// Lets everything go, as far as it came.
    pub(super) fn let_all_go(&mut self) -> Vec<Whole> {
        self.texts.drain().filter_map(unfinished_whole).collect()
    }
}

fn unfinished_whole((key, text): (Key, Unfinished)) -> Option<Whole> {
    (!text.finished).then(|| whole(key, &text))
}

/// Joins the octets before reading them, since phones may cut a character in two; a gap shows as an ellipsis.
fn whole((from, reference, _): Key, text: &Unfinished) -> Whole {
    let mut runs: Vec<Vec<u8>> = Vec::new();
    let mut before = None;
    for (number, octets) in &text.octets {
        match runs.last_mut() {
            Some(run) if before == Some(number - 1) => run.extend(octets),
            _ => runs.push(octets.clone()),
        }
        before = Some(*number);
    }
    let texts: Option<Vec<String>> = runs
        .iter()
        .map(|run| segment::decode(text.data_coding, run))
        .collect();
    Whole {
        from,
        text: texts.map(|texts| texts.join(" … ")),
        octets: runs.concat(),
        reference: Some(reference),
    }
}

fn sender(deliver: &DeliverSm) -> String {
    let from = deliver.source_addr.as_str().trim();
    if deliver.source_addr_ton == Ton::International && !from.starts_with('+') {
        format!("+{from}")
    } else {
        from.to_owned()
    }
}

fn sar_place(tlvs: &[Tlv]) -> Option<Place> {
    let reference = find(tlvs, |value| match value {
        TlvValue::SarMsgRefNum(reference) => Some(*reference),
        _ => None,
    })?;
    let total = find(tlvs, |value| match value {
        TlvValue::SarTotalSegments(total) => Some(*total),
        _ => None,
    })?;
    let number = find(tlvs, |value| match value {
        TlvValue::SarSegmentSeqnum(number) => Some(*number),
        _ => None,
    })?;
    place(reference, total, number)
}

/// `None` for a text of one part, and for a place that cannot be.
fn place(reference: u16, total: u8, number: u8) -> Option<Place> {
    (total > 1 && (1..=total).contains(&number)).then_some(Place {
        reference,
        total,
        number,
    })
}

fn find<T>(tlvs: &[Tlv], pick: impl Fn(&TlvValue) -> Option<T>) -> Option<T> {
    tlvs.iter().filter_map(Tlv::value).find_map(pick)
}

/// The TLVs count where they are there; the text is what SMPP 3.4, appendix B, only suggests:
/// `id:… sub:001 dlvrd:001 submit date:… done date:… stat:DELIVRD err:000 text:…`.
fn receipt(carrier: &str, id: Option<String>, state: Option<MessageState>, text: &str) -> Reading {
    // What follows `text:` repeats the message: personal, and it could hold the other words.
    let text = text
        .find("text:")
        .or_else(|| text.find("Text:"))
        .map_or(text, |at| &text[..at]);
    let Some(part_ref) = id.or_else(|| word_after(text, "id:")).filter(|id| !id.is_empty()) else {
        return Reading::NamelessReceipt;
    };
    let stat = word_after(text, "stat:").map(|stat| stat.to_ascii_uppercase());
    let fate = match (state, &stat) {
        (Some(state), _) => state_fate(state),
        (None, Some(stat)) => stat_fate(stat),
        (None, None) => PartFate::Unknown,
    };
    let raw = [
        stat.map(|stat| format!("stat:{stat}")),
        word_after(text, "err:").map(|code| format!("err:{code}")),
        state.map(|state| format!("message_state:{}", u8::from(state))),
    ];
    Reading::Receipt(ReceiptReport {
        carrier: carrier.to_owned(),
        part_ref,
        fate,
        raw: raw.into_iter().flatten().collect::<Vec<_>>().join(" "),
    })
}

fn word_after(text: &str, key: &str) -> Option<String> {
    // Lower case of ASCII alone, so that the places stay the same.
    let at = text.to_ascii_lowercase().find(key)? + key.len();
    text[at..].split_whitespace().next().map(str::to_owned)
}

fn stat_fate(stat: &str) -> PartFate {
    match stat {
        "ACCEPTD" | "ENROUTE" => PartFate::Accepted,
        "DELIVRD" => PartFate::Delivered,
        "UNDELIV" | "REJECTD" | "EXPIRED" | "DELETED" => PartFate::Failed,
        _ => PartFate::Unknown,
    }
}

fn state_fate(state: MessageState) -> PartFate {
    match state {
        MessageState::Scheduled | MessageState::Enroute | MessageState::Accepted => PartFate::Accepted,
        MessageState::Delivered => PartFate::Delivered,
        MessageState::Expired
        | MessageState::Deleted
        | MessageState::Undeliverable
        | MessageState::Rejected => PartFate::Failed,
        _ => PartFate::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rusmpp::{
        tlvs::MessageDeliveryRequestTlvValue as DeliverTlv,
        types::{COctetString, OctetString},
        values::{DataCoding, EsmClass},
    };

    use super::*;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    fn deliver(esm_class: u8, octets: &[u8], tlvs: Vec<DeliverTlv>) -> DeliverSm {
        DeliverSm::builder()
            .source_addr_ton(Ton::International)
            .source_addr(COctetString::from_slice(b"8613900000001\0").expect("short"))
            .esm_class(EsmClass::from(esm_class))
            .data_coding(DataCoding::McSpecific)
            .short_message(OctetString::from_slice(octets).expect("short"))
            .tlvs(tlvs)
            .build()
    }

    fn receipt_of(text: &str) -> Option<(String, PartFate, String)> {
        match read("a", &deliver(0x04, text.as_bytes(), Vec::new())) {
            Reading::Receipt(report) => Some((report.part_ref, report.fate, report.raw)),
            _ => None,
        }
    }

    #[test]
    fn receipts_are_read_as_carriers_write_them() {
        let table = [
            (
                "id:0A1b sub:001 dlvrd:001 submit date:2211011200 done date:2211011201 stat:DELIVRD err:000 text:hi stat:UNDELIV",
                "0A1b",
                PartFate::Delivered,
                "stat:DELIVRD err:000",
            ),
            (
                "ID:77 STAT:expired ERR:12",
                "77",
                PartFate::Failed,
                "stat:EXPIRED err:12",
            ),
            ("id: 5  stat: ENROUTE", "5", PartFate::Accepted, "stat:ENROUTE"),
            ("id:6 stat:MA:0001", "6", PartFate::Unknown, "stat:MA:0001"),
            ("id:7", "7", PartFate::Unknown, ""),
        ];
        for (text, id, fate, raw) in table {
            assert_eq!(receipt_of(text), Some((id.into(), fate, raw.into())), "{text}");
        }
        assert_eq!(receipt_of("stat:DELIVRD"), None);
        assert_eq!(receipt_of(""), None);
    }

    #[test]
    fn a_receipts_tlvs_come_before_its_text() {
        let id = COctetString::from_slice(b" 42 \0").expect("short");
        let tlvs = vec![
            DeliverTlv::ReceiptedMessageId(id),
            DeliverTlv::MessageState(MessageState::Undeliverable),
        ];
        // Neither bit of esm_class is set: the TLV is enough.
        let Reading::Receipt(report) = read("a", &deliver(0, b"id:1 stat:DELIVRD", tlvs)) else {
            unreachable!("a receipt");
        };
        assert_eq!((report.part_ref.as_str(), report.fate), ("42", PartFate::Failed));
    }

    fn part(number: u8, total: u8, octets: &[u8]) -> (TextPart, Place) {
        let header = [0x05, 0x00, 0x03, 9, total, number];
        let Reading::Text(part) = read("a", &deliver(0x40, &[&header, octets].concat(), Vec::new())) else {
            unreachable!("a text");
        };
        let place = part.place.expect("has a place");
        assert_eq!(part.octets, octets);
        (part, place)
    }

    #[test]
    fn places_are_read_from_both_headers_and_from_tlvs() {
        let place = |payload: &[u8]| split_header(0x40, payload).0;
        let third = Some(Place {
            reference: 0x0102,
            total: 3,
            number: 3,
        });
        assert_eq!(place(&[6, 8, 4, 1, 2, 3, 3, b'x']), third);
        // Ports first, then the place.
        assert_eq!(place(&[12, 5, 4, 0, 0, 0, 0, 8, 4, 1, 2, 3, 3]), third);
        // A place beyond the end, a header longer than the message, no header at all.
        assert_eq!(place(&[5, 0, 3, 1, 2, 3]), None);
        assert_eq!(place(&[200, 0]), None);
        assert_eq!(place(&[]), None);
        let sar = vec![
            DeliverTlv::SarMsgRefNum(0x0102),
            DeliverTlv::SarTotalSegments(3),
            DeliverTlv::SarSegmentSeqnum(3),
        ];
        assert!(
            matches!(read("a", &deliver(0, b"x", sar)), Reading::Text(TextPart { place, .. }) if place == third)
        );
    }

    #[test]
    fn parts_join_in_any_order_and_a_repeat_gives_the_whole_again() {
        let mut reassembly = Reassembly::default();
        let mut add = |number, octets: &[u8]| {
            let (part, place) = part(number, 3, octets);
            reassembly.add(part, place, at(0)).0.and_then(|whole| whole.text)
        };
        assert_eq!(add(3, b"c"), None);
        assert_eq!(add(1, b"a"), None);
        assert_eq!(add(1, b"a"), None);
        assert_eq!(add(2, b"b").as_deref(), Some("abc"));
        assert_eq!(add(3, b"c").as_deref(), Some("abc"));
        // The reference is used again for another text.
        assert_eq!(add(1, b"x"), None);
        assert!(reassembly.let_go_before(at(9)).is_empty());
        let rest = reassembly.let_go_before(at(10));
        assert_eq!(rest.len(), 1);
        assert_eq!(rest[0].text.as_deref(), Some("x"));
    }

    #[test]
    fn what_never_becomes_whole_is_still_said() {
        let mut reassembly = Reassembly::default();
        for number in [1, 2, 4] {
            let (part, place) = part(number, 4, &[b'0' + number]);
            reassembly.add(part, place, at(0));
        }
        let texts: Vec<_> = reassembly
            .let_all_go()
            .into_iter()
            .map(|whole| whole.text)
            .collect();
        assert_eq!(texts, [Some("12 … 4".to_owned())]);
    }

    #[test]
    fn no_more_texts_wait_than_there_is_room_for() {
        let mut reassembly = Reassembly::default();
        let mut let_go = 0;
        for sender in 0..UNFINISHED_MAX + 3 {
            let (mut part, place) = part(1, 2, b"a");
            part.from = sender.to_string();
            let_go += usize::from(reassembly.add(part, place, at(sender as i64)).1.is_some());
        }
        assert_eq!((let_go, reassembly.texts.len()), (3, UNFINISHED_MAX));
    }

    #[test]
    fn senders_are_phones_or_nothing() {
        for from in ["+8613900000001", "8613900000001", "13900000001"] {
            let phone = phone(from).map(|phone| phone.as_e164().to_owned());
            assert_eq!(phone.as_deref(), Some("+8613900000001"), "{from}");
        }
        for from in ["10086", "BANK", "", "+"] {
            assert_eq!(phone(from), None, "{from}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_comes_in_panics(esm_class: u8, octets in prop::collection::vec(any::<u8>(), 0..255), text in "\\PC{0,60}") {
            let reading = read("a", &deliver(esm_class, &octets, Vec::new()));
            if let Reading::Text(part) = reading
                && let Some(place) = part.place
            {
                Reassembly::default().add(part, place, at(0));
            }
            receipt("a", None, None, &format!("id:{text}stat:{text}"));
        }
    }
}
