//! What lies on the disk is decoded or refused without a panic, whatever it is: records, documents, and the JSON of the
//! pure crates; and a mask keeps of any message no more than there is.
#![no_main]

use jiyao_proto::stored::v1::{EncodedDocument, MinutesDocument, Record};
use jiyao_wire::Mask;
use libfuzzer_sys::fuzz_target;
use prost::Message as _;

fuzz_target!(|bytes: &[u8]| {
    let _ = Record::decode(bytes);
    let _ = serde_json::from_slice::<jiyao_matters::Matter>(bytes);
    let _ = serde_json::from_slice::<jiyao_minutes::Life>(bytes);
    let paths = ["name", "facts.meeting.date", "life"].map(str::to_owned).to_vec();
    let mask = Mask::of(Some(&prost_types::FieldMask { paths }), ".jiyao.records.v1.Minutes").unwrap();
    if let Ok(kept) = mask.keep(bytes) {
        assert!(kept.len() <= bytes.len());
    }
    // Left encoded or not, it is the same document.
    if let (Ok(whole), Ok(encoded)) = (MinutesDocument::decode(bytes), EncodedDocument::decode(bytes)) {
        assert_eq!(whole.original_sequence, encoded.original_sequence);
    }
});
