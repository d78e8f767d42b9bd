//! PDUs on a socket, for both ends.
//!
//! rusmpp's own codec ends the stream at the first PDU that it cannot read. Here such a PDU comes out with its
//! header, so that it can be answered and costs nothing else; only a length that cannot be true ends the stream.

use std::io;

use rusmpp::{
    Command, CommandId, CommandStatus,
    decode::{Decode, DecodeWithLength},
    encode::{Length, owned::Encode},
};
use tokio_util::{
    bytes::{Buf, BufMut, BytesMut},
    codec::{Decoder, Encoder},
};

/// A header, and `message_payload` at its longest with room for what comes beside it.
const FRAME_LEN_MAX: usize = 72 * 1024;
const FRAME_LEN_MIN: usize = 16;

/// One PDU off the socket.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly every frame is the large one")]
pub(super) enum Frame {
    /// A PDU as it should be.
    Whole(Command),
    /// A PDU whose body does not follow the standard.
    Unreadable {
        id: CommandId,
        status: CommandStatus,
        sequence_number: u32,
    },
}

/// Cuts the stream into frames and puts commands on it.
#[derive(Debug, Default)]
pub(super) struct FrameCodec;

impl Decoder for FrameCodec {
    type Item = Frame;
    type Error = io::Error;

    fn decode(&mut self, source: &mut BytesMut) -> io::Result<Option<Frame>> {
        let Some(head) = source.first_chunk::<4>() else {
            return Ok(None);
        };
        let frame_len = u32::from_be_bytes(*head) as usize;
        if !(FRAME_LEN_MIN..=FRAME_LEN_MAX).contains(&frame_len) {
            let fault = format!("a PDU of {frame_len} octets");
            return Err(io::Error::new(io::ErrorKind::InvalidData, fault));
        }
        if source.len() < frame_len {
            source.reserve(frame_len - source.len());
            return Ok(None);
        }
        let mut frame = source.split_to(frame_len);
        frame.advance(4);
        let mut header = BytesMut::from(&frame[..12]);
        match <Command as DecodeWithLength>::decode(&mut frame, frame_len - 4) {
            Ok((command, _)) => Ok(Some(Frame::Whole(command))),
            Err(_) => Ok(Some(Frame::Unreadable {
                id: read(&mut header)?,
                status: read(&mut header)?,
                sequence_number: read(&mut header)?,
            })),
        }
    }
}

fn read<T: Decode>(header: &mut BytesMut) -> io::Result<T> {
    let (value, _) = T::decode(header).map_err(|_| io::ErrorKind::InvalidData)?;
    Ok(value)
}

impl Encoder<Command> for FrameCodec {
    type Error = io::Error;

    fn encode(&mut self, command: Command, target: &mut BytesMut) -> io::Result<()> {
        let frame_len = 4 + command.length();
        target.reserve(frame_len);
        target.put_u32(frame_len as u32);
        command.encode(target);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rusmpp::{Pdu, pdus::DeliverSm, types::OctetString};

    use super::*;

    fn deliver_frame() -> BytesMut {
        let body = DeliverSm::builder()
            .short_message(OctetString::from_slice(b"text").expect("short"))
            .build();
        let mut bytes = BytesMut::new();
        FrameCodec
            .encode(Command::new(CommandStatus::EsmeRok, 7, body), &mut bytes)
            .expect("encodes");
        bytes
    }

    #[test]
    fn an_unreadable_body_costs_only_itself() {
        let mut bytes = deliver_frame();
        // The length of short_message, beyond what is there.
        let len = bytes.len();
        bytes[len - 5] = 200;
        bytes.extend(deliver_frame());
        let first = FrameCodec.decode(&mut bytes).expect("in step");
        assert!(
            matches!(
                first,
                Some(Frame::Unreadable {
                    id: CommandId::DeliverSm,
                    sequence_number: 7,
                    ..
                })
            ),
            "{first:?}"
        );
        let second = FrameCodec.decode(&mut bytes).expect("in step");
        assert!(
            matches!(&second, Some(Frame::Whole(command)) if matches!(command.pdu(), Some(Pdu::DeliverSm(_)))),
            "{second:?}"
        );
        assert!(bytes.is_empty());
    }

    #[test]
    fn a_length_that_cannot_be_true_ends_the_stream() {
        for length in [0_u32, 15, FRAME_LEN_MAX as u32 + 1, u32::MAX] {
            assert!(
                FrameCodec
                    .decode(&mut BytesMut::from(&length.to_be_bytes()[..]))
                    .is_err()
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn garbage_never_panics(id in prop_oneof![0_u32..0x113, 0x8000_0000_u32..0x8000_0113], body: Vec<u8>) {
            let mut bytes = BytesMut::new();
            bytes.put_u32(16 + body.len() as u32);
            bytes.put_u32(id);
            bytes.put_u64(1);
            bytes.extend(&body);
            prop_assert!(FrameCodec.decode(&mut bytes).expect("in step").is_some());
            prop_assert!(bytes.is_empty());
        }

        #[test]
        fn a_spoilt_pdu_never_panics(at in 16_usize..60, octet: u8) {
            let mut bytes = deliver_frame();
            let at = at.min(bytes.len() - 1);
            bytes[at] = octet;
            prop_assert!(FrameCodec.decode(&mut bytes).expect("in step").is_some());
        }
    }
}
