//! E-mail over SMTP, and what mail systems report of it (DSN, RFC 3464) as it lies in a Maildir.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use jiyao_deliveries::Delivery;
use jiyao_names::Delivery as DeliveryName;
use lettre::message::header::{ContentType, MessageId};
use lettre::message::{Attachment, MultiPart, SinglePart};
use lettre::transport::smtp::client::SmtpConnection;
use lettre::transport::smtp::commands::{Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, MailParameter, RcptParameter};
use lettre::{Address, Message};
use mail_parser::{MessageParser, MimeHeaders as _};
use sha2::{Digest as _, Sha256};

const TIMEOUT: Duration = Duration::from_secs(30);
/// Words of Exim for mail that left for where no report comes from.
const EXIM_RELAYED: &str = "(relayed to non-DSN-aware mailer)";
/// Largest report read.
const LARGEST_REPORT: u64 = 1 << 20;

/// Where mail goes, and where reports of it lie.
#[derive(Clone, Debug)]
pub(crate) struct Mailer {
    /// `host:port` of the mail server; it is expected next door and takes mail without a password.
    server: String,
    from: Address,
    /// The Maildir that reports are delivered to.
    pub(crate) maildir: Option<PathBuf>,
    /// Proves envelope ids: anybody can send a report to the Maildir.
    key: [u8; 32],
}

/// What a mail system reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The delivery, from the envelope id.
    pub delivery: String,
    /// Its attempt, from there too.
    pub attempt: u32,
    /// The proof that this service made that envelope id, in base64url.
    pub proof: String,
    /// Addresses that the mail was for: the one that it was sent to is among them.
    pub recipients: Vec<String>,
    /// `delivered`, `relayed`, `expanded`, `delayed` or `failed`.
    pub action: String,
    /// What the other side said.
    pub why: String,
}

impl Mailer {
    /// # Errors
    /// What is no address, in words.
    pub(crate) fn new(server: &str, from: &str, maildir: &str) -> Result<Self, String> {
        if !server.contains(':') {
            return Err(format!("smtp: {server:?} is no server such as 127.0.0.1:25"));
        }
        let from = from.parse().map_err(|e| format!("mail_from: {from:?}: {e}"))?;
        let maildir = (!maildir.is_empty()).then(|| PathBuf::from(maildir));
        Ok(Self { server: server.to_owned(), from, maildir, key: [0; 32] })
    }

    /// With the key that proves its envelope ids.
    pub(crate) fn with_key(self, key: [u8; 32]) -> Self {
        Self { key, ..self }
    }

    /// The end of an attempt's envelope id, which nobody can guess: HMAC-SHA256 of the id and the address that it goes to,
    /// 128 bits of it in base64url.
    fn proof(&self, id: &str, address: &str) -> Option<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).ok()?;
        for part in [id, &address.trim().to_lowercase()] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        Some(URL_SAFE_NO_PAD.encode(&mac.finalize().into_bytes()[..16]))
    }

    /// Whether a report is of mail that this service sent to one of the report's addresses.
    pub(crate) fn proves(&self, report: &Report) -> bool {
        let Some(id) = envelope_id(&report.delivery, report.attempt) else { return false };
        // Proofs are compared as hashes, so the time taken says nothing about them.
        let hash = |proof: &str| Sha256::digest(proof);
        report
            .recipients
            .iter()
            .any(|address| self.proof(&id, address).is_some_and(|proof| hash(&proof) == hash(&report.proof)))
    }

    /// Sends a delivery, or its last reminder with it. The envelope id says which delivery and attempt it is, so that reports find back. Blocks.
    ///
    /// # Errors
    /// What the server said.
    pub(crate) fn send(
        &self,
        to: &str,
        delivery: &Delivery,
        attempt: u32,
        content: &[u8],
    ) -> Result<(), String> {
        let told = |e: &dyn std::error::Error| jiyao_fault::chain(e);
        let to: Address = to.parse().map_err(|e: lettre::address::AddressError| told(&e))?;
        let id = envelope_id(&delivery.name, attempt).ok_or("a delivery without an id")?;
        // Mail systems alone see the proof: it stands in no header.
        let proof = self.proof(&id, to.as_ref()).ok_or("a key of no use")?;
        let (head, reminder) = match delivery.reminders.last().filter(|_| delivery.is_reminding) {
            Some((_, words)) => ("催办：纪要", format!("{words}\n\n")),
            None => ("纪要", String::new()),
        };
        let text = format!(
            "{}\n\n{reminder}{}\nSHA-256 {}\n第 {attempt} 次发送\n\n请核对后签收。",
            delivery.title, delivery.name, delivery.sha256
        );
        let plain = ContentType::parse("application/octet-stream").map_err(|e| told(&e))?;
        let message = Message::builder()
            .from(lettre::message::Mailbox::new(None, self.from.clone()))
            .to(lettre::message::Mailbox::new(None, to.clone()))
            .subject(format!("{head} {}", delivery.title))
            .header(MessageId::from(format!("<{id}.{}@{}>", delivery.reminders.len(), self.from.domain())))
            .multipart(
                MultiPart::mixed()
                    .singlepart(SinglePart::plain(text))
                    .singlepart(Attachment::new("minutes".to_owned()).body(content.to_vec(), plain)),
            )
            .map_err(|e| told(&e))?;
        let address = std::net::ToSocketAddrs::to_socket_addrs(&self.server).map_err(|e| told(&e))?.next();
        let address = address.ok_or_else(|| format!("{} leads nowhere", self.server))?;
        let hello = ClientId::default();
        let mut connection =
            SmtpConnection::connect(address, Some(TIMEOUT), &hello, None, None).map_err(|e| told(&e))?;
        let parameter = |keyword: &str, value: &str| MailParameter::Other {
            keyword: keyword.to_owned(),
            value: Some(value.to_owned()),
        };
        let envelope = format!("{id}.{proof}");
        let mut asked = vec![parameter("RET", "HDRS")];
        // No report can be proved for an organ with a very long id: its deliveries wait for the unit itself.
        if envelope.len() <= LONGEST_ENVELOPE_ID {
            asked.push(parameter("ENVID", &envelope));
        }
        let asked_of = |keyword: &str, value: String| RcptParameter::Other {
            keyword: keyword.to_owned(),
            value: Some(value),
        };
        // The original address comes back also where an alias leads elsewhere.
        let wanted = vec![
            asked_of("NOTIFY", "SUCCESS,FAILURE,DELAY".to_owned()),
            asked_of("ORCPT", format!("rfc822;{}", xtext(to.as_ref()))),
        ];
        let mut transact = || -> Result<(), lettre::transport::smtp::Error> {
            connection.command(Mail::new(Some(self.from.clone()), asked.clone()))?;
            connection.command(Rcpt::new(to.clone(), wanted.clone()))?;
            connection.command(lettre::transport::smtp::commands::Data)?;
            connection.message(&message.formatted())?;
            Ok(())
        };
        let sent = transact();
        let _ = connection.quit();
        sent.map_err(|e| told(&e))
    }

    /// Reports that came since the last time: each with its file, which the caller moves once it is dealt with. Blocks.
    pub(crate) fn reports(&self) -> Vec<(PathBuf, Option<Report>)> {
        let Some(maildir) = &self.maildir else { return Vec::new() };
        let Ok(entries) = std::fs::read_dir(maildir.join("new")) else { return Vec::new() };
        let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        files.sort();
        let read = |file: PathBuf| {
            let is_small = std::fs::metadata(&file).is_ok_and(|about| about.len() <= LARGEST_REPORT);
            let bytes = if is_small { std::fs::read(&file).unwrap_or_default() } else { Vec::new() };
            (file, report(&bytes))
        };
        files.into_iter().take(100).map(read).collect()
    }

    /// Marks a report as dealt with, as mail readers do.
    pub(crate) fn done(&self, file: &Path) {
        let Some((maildir, name)) = self.maildir.as_ref().zip(file.file_name()) else { return };
        let target = maildir.join("cur").join(format!("{}:2,S", name.to_string_lossy()));
        if let Err(e) = std::fs::rename(file, target) {
            tracing::warn!(file = %file.display(), cause = %e, "a mail report cannot be put away");
        }
    }
}

/// Text as parameters of SMTP have it (RFC 3461, section 4).
fn xtext(text: &str) -> String {
    let encoded = |byte: u8| match byte {
        b'+' | b'=' => format!("+{byte:02X}"),
        b'!'..=b'~' => char::from(byte).to_string(),
        _ => format!("+{byte:02X}"),
    };
    text.bytes().map(encoded).collect()
}

/// The way back.
fn from_xtext(text: &str) -> String {
    let (mut out, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, tail @ ..] = rest {
        let code = tail.get(..2).and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()).filter(|_| *first == b'+') {
            Some(byte) => {
                out.push(byte);
                rest = &tail[2..];
            }
            None => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Characters of an envelope id (RFC 3461, 4.4).
const LONGEST_ENVELOPE_ID: usize = 100;

/// The envelope id of an attempt: only letters, digits, dots and hyphens, so no encoding of it is needed.
fn envelope_id(delivery: &str, attempt: u32) -> Option<String> {
    let name = DeliveryName::parse(delivery, "name").ok()?;
    let id = uuid::Uuid::parse_str(&name.id.to_string()).ok()?;
    Some(format!("{}.{}.{attempt}", name.organ.id(), id.simple()))
}

fn of_envelope(id: &str) -> Option<(String, u32, String)> {
    let mut parts = id.trim().rsplitn(4, '.');
    let proof = parts.next()?.to_owned();
    let attempt = parts.next()?.parse().ok()?;
    let (id, organ) = (uuid::Uuid::parse_str(parts.next()?).ok()?, parts.next()?);
    let name = format!("organs/{organ}/deliveries/{id}");
    DeliveryName::parse(&name, "name").ok()?;
    Some((name, attempt, proof))
}

/// What a report (DSN, RFC 3464) says; None for other mail, or a report of mail that was not sent from here.
#[must_use]
pub fn report(bytes: &[u8]) -> Option<Report> {
    let message = MessageParser::default().parse(bytes)?;
    let status = message.parts.iter().find(|part| {
        part.content_type().is_some_and(|kind| {
            kind.ctype().eq_ignore_ascii_case("message")
                && kind.subtype().is_some_and(|kind| kind.eq_ignore_ascii_case("delivery-status"))
        })
    })?;
    let text = String::from_utf8_lossy(status.contents()).into_owned();
    let field = |name: &str| {
        text.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    let address = |name: &str| {
        let said = field(name)?;
        let (kind, address) = said.split_once(';')?;
        kind.trim().eq_ignore_ascii_case("rfc822").then(|| from_xtext(address.trim()))
    };
    let recipients = ["Original-Recipient", "Final-Recipient"].into_iter().filter_map(address).collect();
    let (delivery, attempt, proof) = of_envelope(&field("Original-Envelope-Id")?)?;
    let why = [field("Status"), field("Diagnostic-Code")].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let mut action = field("Action")?.to_lowercase();
    // Exim writes "delivered" where it handed the mail to a host that makes no reports, and tells so in words alone.
    let is_handed_on = message
        .text_bodies()
        .any(|part| part.text_contents().is_some_and(|words| words.contains(EXIM_RELAYED)));
    if action == "delivered" && is_handed_on {
        action = "relayed".to_owned();
    }
    Some(Report { delivery, attempt, proof, recipients, action, why })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "organs/linlan/deliveries/018f2f6e-7c1c-7aaa-8bbb-0123456789ab";

    fn dsn(action: &str, envelope: &str) -> String {
        format!(
            "From: MAILER-DAEMON@example.org\r\nSubject: Report\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\n\r\n\
             --b\r\nContent-Type: text/plain\r\n\r\nWords.\r\n\
             --b\r\nContent-Type: message/delivery-status\r\n\r\n\
             Reporting-MTA: dns; mail.example.org\r\nOriginal-Envelope-Id: {envelope}\r\n\r\n\
             Final-Recipient: rfc822; office@example.org\r\nAction: {action}\r\nStatus: 5.1.1\r\n\
             Diagnostic-Code: smtp; 550 no such user\r\n\r\n--b--\r\n"
        )
    }

    #[test]
    fn reports_find_back_to_their_delivery_and_attempt() {
        let id = envelope_id(NAME, 3).unwrap() + ".00ff";
        for action in ["delivered", "relayed", "expanded", "delayed", "failed"] {
            let found = report(dsn(action, &id).as_bytes()).unwrap();
            assert_eq!((found.delivery.as_str(), found.attempt, found.action.as_str()), (NAME, 3, action));
            assert_eq!(found.why, "5.1.1 smtp; 550 no such user");
        }
        let handed_on =
            dsn("delivered", &id).replace("Words.", "<a@example.org> (relayed to non-DSN-aware mailer)");
        assert_eq!(report(handed_on.as_bytes()).unwrap().action, "relayed", "no proof that it arrived");
        for foreign in ["", "x", "linlan.7.x.y", "linlan.018f2f6e-7c1c-7aaa-8bbb-0123456789ab.-1.y"] {
            assert_eq!(report(dsn("failed", foreign).as_bytes()), None, "{foreign}");
        }
        assert_eq!(report(b"Subject: hello\r\n\r\nno report"), None);
        assert_eq!(report(&[0xff, 0, 13, 10]), None);
    }

    /// Recipients know the id of their delivery, and each mail names it: that alone proves nothing.
    #[test]
    fn a_report_counts_only_for_mail_that_was_sent_to_its_address() {
        let mailer = |key| Mailer::new("127.0.0.1:25", "jiyao@example.org", "").unwrap().with_key([key; 32]);
        let (ours, other) = (mailer(1), mailer(2));
        let id = envelope_id(NAME, 3).unwrap();
        let proof = ours.proof(&id, "Office@Example.org").unwrap();
        let sound = report(dsn("failed", &format!("{id}.{proof}")).as_bytes()).unwrap();
        assert_eq!(sound.recipients, ["office@example.org"]);
        assert!(ours.proves(&sound) && !other.proves(&sound));
        let organ =
            "organs/o-01a22d277b7d715aa7dbf864deffd234/deliveries/018f2f6e-7c1c-7aaa-8bbb-0123456789ab";
        let long = envelope_id(organ, 999).unwrap();
        assert!(format!("{long}.{proof}").len() <= LONGEST_ENVELOPE_ID, "an organ's own id leaves room");
        let aliased = dsn("failed", &format!("{id}.{proof}")).replace(
            "Final-Recipient: rfc822; office@example.org",
            "Original-Recipient: rfc822;office@example.org\r\nFinal-Recipient: rfc822; chen@elsewhere.example",
        );
        assert!(ours.proves(&report(aliased.as_bytes()).unwrap()));
        for wrong in [
            Report { proof: String::new(), ..sound.clone() },
            Report { proof: id, ..sound.clone() },
            Report { attempt: 4, ..sound.clone() },
            Report { recipients: vec!["evil@example.org".to_owned()], ..sound.clone() },
            Report { recipients: Vec::new(), ..sound },
        ] {
            assert!(!ours.proves(&wrong), "{wrong:?}");
        }
        assert_eq!(from_xtext(&xtext("a+b=c d@例.cn")), "a+b=c d@例.cn");
    }

    /// Reports come from anywhere: whatever is broken in one, it is read or left alone.
    #[test]
    fn a_report_with_any_bit_flipped_or_cut_off_anywhere_is_read_or_left_alone() {
        let id = envelope_id(NAME, 3).unwrap() + ".00ff";
        let whole = dsn("delivered", &id).into_bytes();
        for at in 0..whole.len() {
            let _ = report(&whole[..at]);
            for bit in 0..8 {
                let mut bytes = whole.clone();
                bytes[at] ^= 1 << bit;
                // A report never speaks of another attempt than its envelope's.
                assert!(report(&bytes).is_none_or(|found| found.attempt > 0 && !found.delivery.is_empty()));
            }
        }
    }

    #[test]
    fn settings_are_checked() {
        assert!(Mailer::new("127.0.0.1", "a@b.c", "").is_err());
        assert!(Mailer::new("127.0.0.1:25", "nobody", "").is_err());
        assert!(Mailer::new("127.0.0.1:25", "jiyao@example.org", "").is_ok());
    }
}
