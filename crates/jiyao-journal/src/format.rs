//! Bytes of segments and records.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::{Hash, is_planted};

pub(crate) const VERSION: u8 = 2;
const SEGMENT_MAGIC: &[u8; 7] = b"JIYAOJL";
pub(crate) const SECTOR: u64 = 512;
/// Length of a segment's header, a whole sector.
pub(crate) const SEGMENT_HEADER: usize = 512;
const SEGMENT_HEADER_USED: usize = 64;

const RECORD_MAGIC: &[u8; 4] = b"JYR1";
const TRAILER_MAGIC: &[u8; 4] = b"JYT1";
pub(crate) const HEADER: usize = 101;
const HEADER_HASHED: usize = 96;
const SALT: usize = 16;
const BODY_OVERHEAD: usize = 1 + SALT + 4 + 1;
const PRESENT: u8 = 1;
const ERASED: u8 = 2;
const END_MARK: u8 = 0xE7;

fn sha256(parts: &[&[u8]]) -> Hash {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

pub(crate) fn genesis(id: Uuid) -> Hash {
    sha256(&[b"jiyao journal genesis", id.as_bytes()])
}

/// Fixed-size field `at` of a buffer whose length the caller has checked.
fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SegmentHeader {
    pub(crate) id: Uuid,
    pub(crate) first: u64,
    pub(crate) previous: Hash,
}

pub(crate) enum SegmentHeaderError {
    Damaged(&'static str),
    Version(u8),
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(SEGMENT_HEADER);
        out.extend_from_slice(SEGMENT_MAGIC);
        out.push(VERSION);
        out.extend_from_slice(self.id.as_bytes());
        out.extend_from_slice(&self.first.to_le_bytes());
        out.extend_from_slice(&self.previous);
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out.resize(SEGMENT_HEADER, 0);
        out
    }

    pub(crate) fn decode(bytes: &[u8; SEGMENT_HEADER]) -> Result<Self, SegmentHeaderError> {
        if &bytes[..7] != SEGMENT_MAGIC {
            return Err(SegmentHeaderError::Damaged("the segment does not begin with its mark"));
        }
        // The version first: another one may have another layout.
        if bytes[7] != VERSION {
            return Err(SegmentHeaderError::Version(bytes[7]));
        }
        let crc = u32::from_le_bytes(field(bytes, SEGMENT_HEADER_USED));
        if crc32c::crc32c(&bytes[..SEGMENT_HEADER_USED]) != crc {
            return Err(SegmentHeaderError::Damaged("the segment's header does not match its checksum"));
        }
        Ok(Self {
            id: Uuid::from_bytes(field(bytes, 8)),
            first: u64::from_le_bytes(field(bytes, 24)),
            previous: field(bytes, 32),
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Header {
    pub(crate) length: u32,
    pub(crate) sequence: u64,
    pub(crate) group: u64,
    pub(crate) time_ms: i64,
    pub(crate) previous: Hash,
    pub(crate) commitment: Hash,
}

impl Header {
    pub(crate) fn encode(&self) -> [u8; HEADER] {
        let mut out = [0; HEADER];
        out[4..8].copy_from_slice(&self.length.to_le_bytes());
        out[8..16].copy_from_slice(&self.sequence.to_le_bytes());
        out[16..24].copy_from_slice(&self.group.to_le_bytes());
        out[24..32].copy_from_slice(&self.time_ms.to_le_bytes());
        out[32..64].copy_from_slice(&self.previous);
        out[64..96].copy_from_slice(&self.commitment);
        mark(out, RECORD_MAGIC)
    }

    /// None when the bytes are no header.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        is_marked(bytes, RECORD_MAGIC).then(|| Self {
            length: u32::from_le_bytes(field(bytes, 4)),
            sequence: u64::from_le_bytes(field(bytes, 8)),
            group: u64::from_le_bytes(field(bytes, 16)),
            time_ms: i64::from_le_bytes(field(bytes, 24)),
            previous: field(bytes, 32),
            commitment: field(bytes, 64),
        })
    }

    pub(crate) fn hash(&self) -> Hash {
        sha256(&[&self.encode()[..HEADER_HASHED]])
    }

    pub(crate) fn body_length(&self) -> usize {
        self.length as usize + BODY_OVERHEAD
    }

    /// Whole record, header and body.
    pub(crate) fn extent(&self) -> usize {
        HEADER + self.body_length()
    }
}

/// End of a segment, behind its last record and as long as a record's header: another segment has the next record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Trailer {
    /// Sequence of the first record of the segment that follows.
    pub(crate) next: u64,
    /// Hash of the last header before.
    pub(crate) previous: Hash,
}

impl Trailer {
    /// Bytes that a segment keeps free for its trailer, wherever its last record ends.
    pub(crate) const ROOM: u64 = SECTOR + HEADER as u64;

    pub(crate) fn encode(&self) -> [u8; HEADER] {
        let mut out = [0; HEADER];
        out[8..16].copy_from_slice(&self.next.to_le_bytes());
        out[32..64].copy_from_slice(&self.previous);
        mark(out, TRAILER_MAGIC)
    }

    /// None when the bytes are no trailer.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        is_marked(bytes, TRAILER_MAGIC)
            .then(|| Self { next: u64::from_le_bytes(field(bytes, 8)), previous: field(bytes, 32) })
    }
}

/// Puts a magic before, a checksum and an end mark behind the fields of a header or trailer.
fn mark(mut out: [u8; HEADER], magic: &[u8; 4]) -> [u8; HEADER] {
    out[..4].copy_from_slice(magic);
    let crc = crc32c::crc32c(&out[..HEADER_HASHED]);
    out[HEADER_HASHED..HEADER - 1].copy_from_slice(&crc.to_le_bytes());
    out[HEADER - 1] = END_MARK;
    out
}

fn is_marked(bytes: &[u8], magic: &[u8; 4]) -> bool {
    &bytes[..4] == magic
        && bytes[HEADER - 1] == END_MARK
        && crc32c::crc32c(&bytes[..HEADER_HASHED]) == u32::from_le_bytes(field(bytes, HEADER_HASHED))
}

/// Bytes that a payload takes as a record, without the gap before it.
pub(crate) fn extent_of(payload: usize) -> usize {
    HEADER + BODY_OVERHEAD + payload
}

pub(crate) fn commitment(salt: &[u8; SALT], payload: &[u8]) -> Hash {
    sha256(&[salt, payload])
}

fn seal_body(mut body: Vec<u8>) -> Vec<u8> {
    let crc = crc32c::crc32c(&body);
    body.extend_from_slice(&crc.to_le_bytes());
    body.push(END_MARK);
    body
}

pub(crate) fn body(salt: &[u8; SALT], payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + BODY_OVERHEAD);
    out.push(PRESENT);
    out.extend_from_slice(salt);
    out.extend_from_slice(payload);
    seal_body(out)
}

/// Body of a record whose payload is gone: the length of what remains in the salt's place, that, and zeros, under a
/// checksum. None where more should remain than there was.
pub(crate) fn erased_body(length: u32, remains: &[u8]) -> Option<Vec<u8>> {
    let kept = u32::try_from(remains.len()).ok().filter(|kept| *kept <= length)?;
    let mut out = vec![0; 1 + SALT + length as usize];
    out[0] = ERASED;
    out[1..5].copy_from_slice(&kept.to_le_bytes());
    out[1 + SALT..][..remains.len()].copy_from_slice(remains);
    Some(seal_body(out))
}

/// What a body holds.
pub(crate) enum Body {
    /// What the header commits to.
    Whole(Vec<u8>),
    /// What was left when it was erased.
    Remains(Vec<u8>),
}

pub(crate) fn decode_body(header: &Header, bytes: &[u8]) -> Result<Body, &'static str> {
    let (sealed, tail) = bytes.split_at(bytes.len() - 5);
    if is_planted("no-checks") {
        return Ok(Body::Whole(sealed[1 + SALT..].to_vec()));
    }
    if tail[4] != END_MARK || crc32c::crc32c(sealed) != u32::from_le_bytes(field(tail, 0)) {
        return Err("the body does not match its checksum");
    }
    let salt: [u8; SALT] = field(sealed, 1);
    let payload = &sealed[1 + SALT..];
    match sealed[0] {
        ERASED => {
            let kept = payload.get(..u32::from_le_bytes(field(&salt, 0)) as usize);
            Ok(Body::Remains(kept.ok_or("more should remain of it than there was")?.to_vec()))
        }
        PRESENT if commitment(&salt, payload) == header.commitment => Ok(Body::Whole(payload.to_vec())),
        PRESENT => Err("the body is not the one that the header commits to"),
        _ => Err("the body is in no known state"),
    }
}

/// Where a record may begin at or after `position`: aligned to 4, its header inside one sector.
pub(crate) fn place(position: u64) -> u64 {
    let aligned = position.next_multiple_of(4);
    if aligned % SECTOR + HEADER as u64 > SECTOR { aligned.next_multiple_of(SECTOR) } else { aligned }
}

/// Whether a header or a whole record at `offset` was cut off while it was written. Both end in a mark that is not
/// zero; and a sector before the last that ends in zeros was not written to its end.
pub(crate) fn is_torn(offset: u64, bytes: &[u8]) -> bool {
    let mut start = 0;
    while start < bytes.len() {
        let to_sector_end = (SECTOR - (offset + start as u64) % SECTOR) as usize;
        let end = start + to_sector_end;
        if end >= bytes.len() {
            return bytes.last() == Some(&0);
        }
        if bytes[end.saturating_sub(8).max(start)..end].iter().all(|byte| *byte == 0) {
            return true;
        }
        start = end;
    }
    false
}
