//! Signed statements that a delivery arrived, was opened, signed for or refused: DSSE envelopes with Ed25519, made by
//! the service that delivers and verified by anyone, offline.
//!
//! A receipt is one line of JSON, an [envelope of DSSE](https://github.com/secure-systems-lab/dsse): `payload` (the
//! statement, base64), `payloadType`, and `signatures` of `keyid` and `sig` over the pre-authentication encoding
//! `DSSEv1 <length> <type> <length> <payload>`, which binds the type too.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Type of the payload of a receipt.
pub const RECEIPT_TYPE: &str = "application/vnd.jiyao.receipt+json;version=1";
/// Type of what a recipient's own key signs: that these bytes of this attempt are taken.
pub const CLAIM_TYPE: &str = "application/vnd.jiyao.claim+json;version=1";

/// What a receipt says happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// It reached the recipient's system.
    Delivered,
    /// A mail system reported that it reached the recipient's mailbox: its word, not the recipient's.
    MailReported,
    /// Its content was fetched.
    Opened,
    /// 签收.
    SignedFor,
    /// 退回.
    Refused,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::Delivered, Self::MailReported, Self::Opened, Self::SignedFor, Self::Refused];

    /// Its name in a statement.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::MailReported => "mail-reported",
            Self::Opened => "opened",
            Self::SignedFor => "signed-for",
            Self::Refused => "refused",
        }
    }
}

/// What a public key of Standard Webhooks begins with.
const WEBHOOK_KEY: &str = "whpk_";

/// What is stated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// `organs/{organ}/deliveries/{delivery}`.
    pub delivery: String,
    /// Who it was for.
    pub recipient: String,
    /// `organs/{organ}/minutes/{minutes}`.
    pub minutes: String,
    /// The revision delivered.
    pub revision: u64,
    /// SHA-256 of the exact bytes, in hexadecimal digits.
    pub sha256: String,
    /// When the service recorded it: RFC 3339 in UTC.
    pub time: String,
    /// Which attempt of sending.
    pub attempt: u32,
    /// What happened.
    pub kind: Kind,
    /// Who signed for it or refused it; empty for the others.
    pub signer: String,
    /// Id of the recipient's own key that signed the claim; empty: the service alone says so.
    pub claim_key: String,
    /// That signature over the claim, base64; empty with `claim_key`.
    pub claim_signature: String,
}

impl Statement {
    /// Whether a recipient itself signed, by its own key that is trusted, for this delivery, these bytes and this attempt:
    /// those the service cannot have made up. Whose key it is the caller knows, and who signed and when is the service's
    /// word. Keys of recipients are not keys of services, so [`verify`] does not take them.
    ///
    /// # Errors
    /// `UnknownKey` where none of the keys is the one named, or none is named; `Claim` where it did not sign this.
    pub fn check_claim(&self, keys: &[PublicKey]) -> Result<(), Rejected> {
        let key = keys.iter().find(|key| key.id() == self.claim_key);
        let key = key.ok_or_else(|| Rejected::UnknownKey(self.claim_key.clone()))?;
        let claim =
            Claim { delivery: self.delivery.clone(), sha256: self.sha256.clone(), attempt: self.attempt };
        if key.signed_claim(&claim, &self.claim_signature) {
            return Ok(());
        }
        Err(Rejected::Claim(self.claim_key.clone()))
    }
}

/// What a recipient's own key signs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// `organs/{organ}/deliveries/{delivery}`.
    pub delivery: String,
    /// SHA-256 of the bytes that the recipient holds.
    pub sha256: String,
    /// Which attempt.
    pub attempt: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    payload: String,
    #[serde(rename = "payloadType")]
    payload_type: String,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvelopeSignature {
    keyid: String,
    sig: String,
}

/// Why a receipt is no proof.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// It is not of the form.
    #[error("the receipt is not of the form: {0}")]
    Form(String),
    /// None of the known keys signed it.
    #[error("no known key signed the receipt; it names the key {0:?}")]
    UnknownKey(String),
    /// The signature is not that of the key that it names.
    #[error("the signature does not fit the receipt and the key {0:?}")]
    Signature(String),
    /// The recipient's own key did not sign the claim in it.
    #[error("the recipient's own key {0:?} did not sign for this delivery, these bytes and this attempt")]
    Claim(String),
}

/// A key that is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("32 bytes in hexadecimal digits, or in base64 after whpk_, are a key, and not all of those are")]
pub struct NotAKey;

/// The pre-authentication encoding of DSSE: what is signed.
#[must_use]
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// A private key.
#[derive(Clone)]
pub struct Key(SigningKey);

impl Key {
    /// From 32 random bytes.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// From the text of a key file: the seed in hexadecimal digits.
    ///
    /// # Errors
    /// Other text.
    pub fn parse(text: &str) -> Result<Self, NotAKey> {
        jiyao_names::unhex(text.trim()).map(|seed| Self::from_seed(&seed)).ok_or(NotAKey)
    }

    /// Its public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs bytes as they are: for protocols with an encoding of their own.
    #[must_use]
    pub fn sign_bytes(&self, bytes: &[u8]) -> [u8; 64] {
        self.0.sign(bytes).to_bytes()
    }

    /// A receipt of a statement: one line of JSON. The same statement gives the same receipt.
    #[must_use]
    pub fn sign(&self, statement: &Statement) -> String {
        let payload = json(statement);
        let sig = self.sign_bytes(&pae(RECEIPT_TYPE, payload.as_bytes()));
        json(&Envelope {
            payload: STANDARD.encode(payload),
            payload_type: RECEIPT_TYPE.to_owned(),
            signatures: vec![EnvelopeSignature { keyid: self.public().id(), sig: STANDARD.encode(sig) }],
        })
    }

    /// A recipient's signature over a claim, base64.
    #[must_use]
    pub fn sign_claim(&self, claim: &Claim) -> String {
        STANDARD.encode(self.sign_bytes(&pae(CLAIM_TYPE, json(claim).as_bytes())))
    }
}

/// Strings and numbers alone: their JSON does not fail.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// From 64 hexadecimal digits, or from the form of Standard Webhooks: `whpk_` and base64.
    ///
    /// # Errors
    /// Other text, or 32 bytes that are no point of the curve.
    pub fn parse(text: &str) -> Result<Self, NotAKey> {
        let bytes = match text.trim().strip_prefix(WEBHOOK_KEY) {
            Some(text) => STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok()),
            None => jiyao_names::unhex(text.trim()),
        };
        Self::from_bytes(&bytes.ok_or(NotAKey)?)
    }

    /// In the form that receivers of Standard Webhooks take.
    #[must_use]
    pub fn webhook_text(&self) -> String {
        format!("{WEBHOOK_KEY}{}", STANDARD.encode(self.bytes()))
    }

    /// From its 32 bytes.
    ///
    /// # Errors
    /// Bytes that are no point of the curve.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, NotAKey> {
        VerifyingKey::from_bytes(bytes).map(Self).map_err(|_| NotAKey)
    }

    /// Its 32 bytes.
    #[must_use]
    pub fn bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// Its id: the first 16 hexadecimal digits of its SHA-256.
    #[must_use]
    pub fn id(&self) -> String {
        jiyao_names::hex(&Sha256::digest(self.bytes()))[..16].to_owned()
    }

    fn fits(&self, message: &[u8], signature: &str) -> bool {
        let bytes = STANDARD.decode(signature).ok().and_then(|bytes| <[u8; 64]>::try_from(bytes).ok());
        bytes.is_some_and(|bytes| self.0.verify_strict(message, &Signature::from_bytes(&bytes)).is_ok())
    }

    /// Whether this key signed a claim.
    #[must_use]
    pub fn signed_claim(&self, claim: &Claim, signature: &str) -> bool {
        self.fits(&pae(CLAIM_TYPE, json(claim).as_bytes()), signature)
    }
}

/// What a receipt proves, by keys that are trusted. Offline: nobody is asked.
///
/// # Errors
/// A receipt that is not exactly as it was made, or not signed by one of the keys.
pub fn verify(receipt: &str, keys: &[PublicKey]) -> Result<Statement, Rejected> {
    let form = |why: &dyn std::fmt::Display| Rejected::Form(why.to_string());
    let envelope: Envelope = serde_json::from_str(receipt).map_err(|e| form(&e))?;
    // One receipt has one spelling: what was changed in any way is another text.
    if json(&envelope) != receipt {
        return Err(form(&"it is spelt otherwise than it was made"));
    }
    if envelope.payload_type != RECEIPT_TYPE {
        return Err(form(&format!("its type is {:?}", envelope.payload_type)));
    }
    let [signature] = envelope.signatures.as_slice() else { return Err(form(&"it has not one signature")) };
    let key = keys.iter().find(|key| key.id() == signature.keyid);
    let key = key.ok_or_else(|| Rejected::UnknownKey(signature.keyid.clone()))?;
    let payload = STANDARD.decode(&envelope.payload).map_err(|e| form(&e))?;
    if !key.fits(&pae(RECEIPT_TYPE, &payload), &signature.sig) {
        return Err(Rejected::Signature(signature.keyid.clone()));
    }
    serde_json::from_slice(&payload).map_err(|e| form(&e))
}

/// Why a webhook is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookRejected {
    /// Older or newer than five minutes.
    #[error("the webhook's time is not within five minutes of now")]
    Time,
    /// None of its signatures is of a known key.
    #[error("no known key signed the webhook")]
    Signature,
}

/// What a webhook signs by the rules of Standard Webhooks.
#[must_use]
pub fn webhook_content(id: &str, timestamp: i64, body: &str) -> String {
    format!("{id}.{timestamp}.{body}")
}

/// Checks a webhook as its receiver: headers `webhook-id`, `webhook-timestamp` and `webhook-signature`, and the body as
/// it came. An id that was taken before is the same delivery again: that is for the receiver to know.
///
/// # Errors
/// See [`WebhookRejected`].
pub fn check_webhook(
    (id, timestamp, signatures): (&str, i64, &str),
    body: &str,
    keys: &[PublicKey],
    now: i64,
) -> Result<(), WebhookRejected> {
    if (now - timestamp).abs() > 5 * 60 {
        return Err(WebhookRejected::Time);
    }
    let content = webhook_content(id, timestamp, body);
    let is_signed = signatures
        .split(' ')
        .filter_map(|one| one.strip_prefix("v1a,"))
        .any(|signature| keys.iter().any(|key| key.fits(content.as_bytes(), signature)));
    if is_signed { Ok(()) } else { Err(WebhookRejected::Signature) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(n: u32) -> Statement {
        Statement {
            delivery: format!("organs/linlan/deliveries/{n}"),
            recipient: "市教育局".into(),
            minutes: "organs/linlan/minutes/1".into(),
            revision: 2,
            sha256: "0f".repeat(32),
            time: "2020-06-16T02:00:00Z".into(),
            attempt: n + 1,
            kind: Kind::SignedFor,
            signer: "章树声".into(),
            claim_key: String::new(),
            claim_signature: String::new(),
        }
    }

    #[test]
    fn ten_thousand_altered_receipts_are_rejected_and_the_true_ones_are_not() {
        let key = Key::from_seed(&[7; 32]);
        let keys = [Key::from_seed(&[8; 32]).public(), key.public()];
        let (mut altered, mut n) = (0, 0);
        while altered < 10_000 {
            let receipt = key.sign(&statement(n));
            assert_eq!(verify(&receipt, &keys), Ok(statement(n)));
            for at in 0..receipt.len() {
                for with in [b'A', b'0', b' ', b'"'] {
                    let mut bytes = receipt.clone().into_bytes();
                    if bytes[at] == with {
                        continue;
                    }
                    bytes[at] = with;
                    let forged = String::from_utf8(bytes).unwrap();
                    assert!(verify(&forged, &keys).is_err(), "byte {at} of receipt {n} as {with}: {forged}");
                    altered += 1;
                }
            }
            for cut in [1, receipt.len() / 2, receipt.len() - 1] {
                assert!(verify(&receipt[..cut], &keys).is_err());
            }
            assert!(verify(&format!("{receipt} "), &keys).is_err(), "one receipt has one spelling");
            n += 1;
        }
    }

    #[test]
    fn another_key_another_type_and_a_swapped_payload_are_no_proof() {
        let (key, other) = (Key::from_seed(&[7; 32]), Key::from_seed(&[9; 32]));
        let receipt = key.sign(&statement(1));
        assert_eq!(verify(&receipt, &[other.public()]), Err(Rejected::UnknownKey(key.public().id())));
        let claimed = receipt.replace(&key.public().id(), &other.public().id());
        assert!(matches!(verify(&claimed, &[other.public()]), Err(Rejected::Signature(_))));
        let typed = receipt.replace("receipt+json", "invoice+json");
        assert!(matches!(verify(&typed, &[key.public()]), Err(Rejected::Form(_))));
        let (one, two): (Envelope, Envelope) = (
            serde_json::from_str(&receipt).unwrap(),
            serde_json::from_str(&key.sign(&statement(2))).unwrap(),
        );
        let swapped = json(&Envelope { payload: two.payload, ..one });
        assert!(matches!(verify(&swapped, &[key.public()]), Err(Rejected::Signature(_))));
    }

    #[test]
    fn a_recipients_own_key_signs_what_it_took() {
        let key = Key::from_seed(&[3; 32]);
        let claim =
            Claim { delivery: "organs/linlan/deliveries/1".into(), sha256: "0f".repeat(32), attempt: 1 };
        let signature = key.sign_claim(&claim);
        assert!(key.public().signed_claim(&claim, &signature));
        assert!(!key.public().signed_claim(&Claim { attempt: 2, ..claim }, &signature));

        let said = Statement {
            attempt: 1,
            claim_key: key.public().id(),
            claim_signature: signature,
            ..statement(1)
        };
        let keys = [Key::from_seed(&[4; 32]).public(), key.public()];
        assert_eq!(said.check_claim(&keys), Ok(()));
        assert_eq!(said.check_claim(&keys[..1]), Err(Rejected::UnknownKey(key.public().id())));
        for wrong in [
            Statement { attempt: 2, ..said.clone() },
            Statement { sha256: "0e".repeat(32), ..said.clone() },
            Statement { delivery: "organs/linlan/deliveries/2".into(), ..said.clone() },
            Statement { claim_signature: String::new(), ..said },
        ] {
            assert_eq!(wrong.check_claim(&keys), Err(Rejected::Claim(key.public().id())));
        }
        let alone = statement(1);
        assert_eq!(alone.check_claim(&keys), Err(Rejected::UnknownKey(String::new())));
    }

    #[test]
    fn a_webhook_is_taken_with_a_known_signature_and_in_time_alone() {
        let key = Key::from_seed(&[3; 32]);
        let signed = |content: &str| format!("v1a,{}", STANDARD.encode(key.sign_bytes(content.as_bytes())));
        let signature = signed(&webhook_content("d.1", 1000, "{}"));
        let keys = [key.public()];
        assert_eq!(check_webhook(("d.1", 1000, &signature), "{}", &keys, 1300), Ok(()));
        let rotated = format!("v1a,AAAA v1,AAAA {signature}");
        assert_eq!(check_webhook(("d.1", 1000, &rotated), "{}", &keys, 1000), Ok(()));
        for (now, time) in [(1301, 1000), (699, 1000)] {
            assert_eq!(
                check_webhook(("d.1", time, &signature), "{}", &keys, now),
                Err(WebhookRejected::Time)
            );
        }
        for (id, time, body) in [("d.2", 1000, "{}"), ("d.1", 1001, "{}"), ("d.1", 1000, "{ }")] {
            let met = check_webhook((id, time, &signature), body, &keys, 1000);
            assert_eq!(met, Err(WebhookRejected::Signature));
        }
        let other = [Key::from_seed(&[4; 32]).public()];
        assert_eq!(
            check_webhook(("d.1", 1000, &signature), "{}", &other, 1000),
            Err(WebhookRejected::Signature)
        );
    }

    #[test]
    fn keys_are_read_from_their_text() {
        let key = Key::parse(&format!("{}\n", "07".repeat(32))).unwrap();
        assert_eq!(PublicKey::parse(&jiyao_names::hex(&key.public().bytes())).unwrap(), key.public());
        assert_eq!(PublicKey::parse(&key.public().webhook_text()).unwrap(), key.public());
        for wrong in ["zz", "whpk_", "whpk_AAAA", "whsk_AAAA"] {
            assert!(PublicKey::parse(wrong).is_err(), "{wrong}");
        }
        assert!(Key::parse("07").is_err());
    }
}
