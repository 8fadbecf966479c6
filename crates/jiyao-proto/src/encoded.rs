use prost::bytes::{Buf, BufMut, Bytes};
use prost::encoding::{DecodeContext, WireType};
use prost::{DecodeError, Message};

use crate::journal::v1::FollowResponse;

/// [`FollowResponse`] as the service sends it: its events are kept encoded, all in one piece, which no generated message
/// can have.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EncodedFollowResponse {
    /// The reply without those events.
    pub place: FollowResponse,
    /// The events: an encoded [`FollowResponse`] that has nothing else. Standing behind `place` they are one message
    /// with it.
    pub events: Bytes,
}

impl Message for EncodedFollowResponse {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        self.place.encode_raw(buf);
        buf.put_slice(&self.events);
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        ctx: DecodeContext,
    ) -> Result<(), DecodeError> {
        self.place.merge_field(tag, wire_type, buf, ctx)
    }

    fn encoded_len(&self) -> usize {
        self.place.encoded_len() + self.events.len()
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}
