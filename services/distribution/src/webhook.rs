//! Calls to recipients' systems by the rules of Standard Webhooks: a thin body, an Ed25519 signature (`v1a`), no
//! redirects, and never to an address of a private network that no setting allows.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;
use jiyao_deliveries::Delivery;
use jiyao_fault::{Fault, Reason};
use jiyao_receipts::{Key, PublicKey, webhook_content};
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;

const TIMEOUT: Duration = Duration::from_secs(20);

/// A private network, and the port of it, that may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowed {
    net: IpNet,
    port: u16,
}

impl Allowed {
    /// Reads `10.1.0.0/16:8443`, `[fd00::/8]:443`.
    ///
    /// # Errors
    /// What is not of the form.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is no network and port such as 10.1.0.0/16:8443");
        let (net, port) = text.trim().rsplit_once(':').ok_or_else(bad)?;
        let net = net.trim_start_matches('[').trim_end_matches(']');
        Ok(Self { net: net.parse().map_err(|_| bad())?, port: port.parse().map_err(|_| bad())? })
    }
}

/// Whether an address may be called: a public one, or one that a setting allows on that port.
fn may_call(address: IpAddr, port: u16, allowed: &[Allowed]) -> bool {
    let address = match address {
        // An IPv4 address in the clothes of an IPv6 one is what it is.
        IpAddr::V6(six) => six.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    };
    is_public(address) || allowed.iter().any(|one| one.port == port && one.net.contains(&address))
}

fn is_public(address: IpAddr) -> bool {
    const CLOSED: [&str; 31] = [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/96",
        "::ffff:0:0/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    ];
    static NETS: LazyLock<Vec<IpNet>> =
        LazyLock::new(|| CLOSED.iter().filter_map(|net| net.parse().ok()).collect());
    !NETS.iter().any(|net| net.contains(&address))
}

/// Resolves names, and leaves out what may not be called: the connection goes to what was checked, so an answer that
/// changes afterwards (rebinding) has no effect.
struct Guarded {
    port: u16,
    allowed: Arc<[Allowed]>,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let (port, allowed) = (self.port, Arc::clone(&self.allowed));
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), port)).await?.collect();
            let open: Vec<SocketAddr> =
                found.into_iter().filter(|address| may_call(address.ip(), port, &allowed)).collect();
            if open.is_empty() {
                return Err("the name leads to no address that may be called".into());
            }
            Ok(Box::new(open.into_iter()) as Addrs)
        })
    }
}

/// Sends webhooks.
#[derive(Clone)]
pub(crate) struct Webhooks {
    signing: Key,
    /// What receivers check signatures by.
    pub(crate) key: PublicKey,
    allowed: Arc<[Allowed]>,
}

/// How sending ended, where it was not taken.
pub(crate) struct Refused {
    /// In words.
    pub(crate) why: String,
    /// Trying again is in vain.
    pub(crate) is_final: bool,
    /// How long it asked to be left alone.
    pub(crate) asked: Option<Duration>,
}

impl Refused {
    pub(crate) fn for_good(why: &str) -> Self {
        Self { why: why.to_owned(), is_final: true, asked: None }
    }
}

impl Webhooks {
    pub(crate) fn new(key: Key, allowed: &[Allowed]) -> Self {
        Self { key: key.public(), signing: key, allowed: allowed.into() }
    }

    /// The form of a target: https, or http to an allowed network; no name or password; no literal address that may
    /// not be called. Names are looked at when they are called.
    ///
    /// # Errors
    /// `TARGET_FORBIDDEN`.
    pub(crate) fn check(&self, text: &str, field: &str) -> Result<Url, Fault> {
        let forbidden =
            |why: &str| Fault::new(Reason::TargetForbidden).at(field).with("url", text).with("why", why);
        let url = Url::parse(text).map_err(|_| forbidden("it is no address"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(forbidden("it holds a name or a password"));
        }
        let port = url.port_or_known_default().ok_or_else(|| forbidden("it has no port"))?;
        let address = match url.host() {
            None => return Err(forbidden("it names no host")),
            Some(url::Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(url::Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(url::Host::Domain(_)) => None,
        };
        if address.is_some_and(|address| !may_call(address, port, &self.allowed)) {
            return Err(forbidden("it is of a private network that no setting allows"));
        }
        match url.scheme() {
            "https" => Ok(url),
            // Without TLS only where an operator allowed that very network.
            "http" if address.is_some_and(|address| !is_public(address)) => Ok(url),
            _ => Err(forbidden("it does not begin with https://")),
        }
    }

    /// Calls a target with a delivery, or with its last reminder.
    ///
    /// # Errors
    /// How it was not taken.
    pub(crate) async fn send(
        &self,
        target: &str,
        delivery: &Delivery,
        attempt: u32,
        now: i64,
    ) -> Result<(), Refused> {
        let refused = |why: String, is_final| Refused { why, is_final, asked: None };
        let url = self.check(target, "url").map_err(|fault| refused(jiyao_fault::chain(&fault), true))?;
        let port = url.port_or_known_default().unwrap_or(443);
        let resolver = Arc::new(Guarded { port, allowed: Arc::clone(&self.allowed) });
        let client = reqwest::Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .timeout(TIMEOUT)
            .dns_resolver(resolver)
            .build()
            .map_err(|e| refused(jiyao_fault::chain(&e), false))?;
        let kind = if delivery.is_reminding { "delivery.reminded" } else { "delivery.sent" };
        let body = serde_json::json!({
            "type": kind,
            "timestamp": jiyao_calendar::Timestamp::from_second(now).unwrap_or_default().to_string(),
            "data": { "delivery": delivery.name, "attempt": attempt, "sha256": delivery.sha256 },
        })
        .to_string();
        // The same id over all attempts: whoever takes it twice can tell.
        let id = webhook_id(delivery);
        let signature = STANDARD.encode(self.signing.sign_bytes(webhook_content(&id, now, &body).as_bytes()));
        let sent = client
            .post(url)
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", now.to_string())
            .header("webhook-signature", format!("v1a,{signature}"))
            .body(body)
            .send()
            .await;
        match sent {
            Ok(answer) if answer.status().is_success() => Ok(()),
            // 410: the recipient wants no more of it. A redirect is never followed, and never will be.
            Ok(answer) => {
                let is_final = answer.status().as_u16() == 410 || answer.status().is_redirection();
                let asked = retry_after(answer.headers(), now);
                Err(Refused { asked, ..refused(format!("it answered {}", answer.status()), is_final) })
            }
            Err(e) => Err(refused(jiyao_fault::chain(&e), false)),
        }
    }
}

/// Of the delivery's last part alone: dots part the id from what else is signed. Each reminder has its own.
fn webhook_id(delivery: &Delivery) -> String {
    let id = delivery.name.rsplit('/').next().unwrap_or_default();
    if delivery.is_reminding {
        return format!("msg_{id}_{}", delivery.reminders.len());
    }
    format!("msg_{id}")
}

/// `Retry-After`: seconds, or a date of HTTP.
fn retry_after(headers: &HeaderMap, now: i64) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = match text.parse() {
        Ok(seconds) => seconds,
        Err(_) => {
            let at = jiyao_calendar::http_date(text)?;
            u64::try_from(at.as_second() - now).unwrap_or(0)
        }
    };
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhooks(allowed: &[&str]) -> Webhooks {
        let allowed: Vec<_> = allowed.iter().map(|text| Allowed::parse(text).unwrap()).collect();
        Webhooks::new(Key::from_seed(&[1; 32]), &allowed)
    }

    #[test]
    fn private_addresses_in_every_dress_are_refused() {
        let hooks = webhooks(&[]);
        for target in [
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0177.0.0.1/",
            "https://0.0.0.0/",
            "https://10.0.0.1/",
            "https://172.16.0.1/",
            "https://172.31.255.255/",
            "https://192.168.1.1/",
            "https://169.254.169.254/latest/meta-data",
            "https://100.64.0.1/",
            "https://198.18.0.1/",
            "https://192.0.2.1/",
            "https://203.0.113.5/",
            "https://224.0.0.1/",
            "https://255.255.255.255/",
            "https://[::1]/",
            "https://[::]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://[fe80::1]/",
            "https://[fc00::1]/",
            "https://[fd12:3456::1]/",
            "https://[64:ff9b::7f00:1]/",
            "https://[2002:7f00:1::]/",
            "https://[ff02::1]/",
            "http://example.com/",
            "ftp://example.com/",
            "https://user:secret@example.com/",
            "https://",
            "example.com",
            "file:///etc/passwd",
        ] {
            let fault = hooks.check(target, "url").unwrap_err();
            assert_eq!(fault.reason(), Reason::TargetForbidden, "{target}");
        }
        assert!(hooks.check("https://example.com/hook", "url").is_ok());
        assert!(hooks.check("https://8.8.8.8/hook", "url").is_ok());
    }

    #[test]
    fn what_a_receiver_asks_for_is_read() {
        let asked = |text: &str| {
            let headers = [(RETRY_AFTER, text.parse().unwrap())].into_iter().collect();
            retry_after(&headers, 784_111_777)
        };
        assert_eq!(asked("120"), Some(Duration::from_secs(120)));
        assert_eq!(asked("Sun, 06 Nov 1994 08:50:37 GMT"), Some(Duration::from_secs(60)));
        assert_eq!(asked("Sun, 06 Nov 1994 08:40:37 GMT"), Some(Duration::ZERO));
        for wrong in ["", "soon", "-1", "1e9", "99999999999999999999999"] {
            assert_eq!(asked(wrong), None, "{wrong}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), 0), None);
        let name = "organs/linlan/deliveries/018f2f6e-7c1c-7aaa-8bbb-0123456789ab".to_owned();
        let sent = Delivery { name, ..Delivery::default() };
        let reminded = Delivery { is_reminding: true, ..sent.clone() };
        assert_ne!(webhook_id(&sent), webhook_id(&reminded));
        assert!(!webhook_id(&sent).contains('.') && !webhook_id(&reminded).contains('.'));
    }

    #[test]
    fn a_setting_opens_one_network_on_one_port() {
        let hooks = webhooks(&["10.1.0.0/16:8443", "[fd00::/8]:443"]);
        assert!(hooks.check("https://10.1.2.3:8443/", "url").is_ok());
        assert!(hooks.check("http://10.1.2.3:8443/", "url").is_ok());
        assert!(hooks.check("https://[fd00::1]/", "url").is_ok());
        for target in ["https://10.1.2.3/", "https://10.2.0.1:8443/", "http://8.8.8.8/"] {
            assert!(hooks.check(target, "url").is_err(), "{target}");
        }
        for wrong in ["10.1.0.0/16", "10.1.0.0:x", "zehn:443", "10.0.0.0/99:443"] {
            assert!(Allowed::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_to_a_private_address_is_not_called() {
        let guarded = Guarded { port: 443, allowed: Arc::new([]) };
        let found = guarded.resolve("localhost".parse().unwrap()).await;
        assert!(found.is_err());
        let open = Guarded { port: 443, allowed: Arc::new([Allowed::parse("127.0.0.0/8:443").unwrap()]) };
        let found = open.resolve("localhost".parse().unwrap()).await.unwrap();
        assert!(found.into_iter().all(|address| address.ip().is_loopback()));
    }
}
