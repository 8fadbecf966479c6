use jiyao_deliveries::{Act, Channel, State};
use jiyao_proto::distribution::v1 as wire;
use jiyao_receipts::PublicKey;

use crate::connection::new_request_id;
use crate::types::Position;
use crate::watch::Watch;
use crate::{Client, Error, Page};

/// Who gets minutes, frozen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrozenScope {
    /// The revision that they get.
    pub revision: u64,
    /// The planned day of issue, ISO.
    pub date: String,
    /// The first recipients: what they are called, and the line of the list that they are in by.
    pub targets: Vec<(String, String)>,
    /// How many there are.
    pub total: u32,
    /// By paper alone.
    pub is_paper: bool,
    /// SHA-256 of all of it, in hexadecimal digits.
    pub hash: String,
    /// Where it stands in distribution's journal.
    pub position: Option<Position>,
}

/// A scope to freeze.
#[derive(Clone, Debug, Default)]
pub struct FreezeScope {
    /// `organs/{organ}/minutes/{minutes}`.
    pub minutes: String,
    /// The planned day of issue, ISO.
    pub date: String,
    /// Copies for each; 0 is 1.
    pub copies: u32,
    /// By paper alone.
    pub is_paper: bool,
    /// Further organisations, by name.
    pub extra: Vec<String>,
    /// Waits until distribution has come to this position of records or attendance.
    pub read_after: Option<Position>,
}

/// A delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// `organs/{organ}/deliveries/{delivery}`.
    pub name: String,
    /// `organs/{organ}/minutes/{minutes}`.
    pub minutes: String,
    /// SHA-256 of the exact bytes, in hexadecimal digits.
    pub sha256: String,
    /// What the recipient is called.
    pub title: String,
    /// By what way it goes.
    pub channel: Channel,
    /// Where it stands.
    pub state: State,
    /// Counts acts: what `etag` compares with.
    pub version: u64,
    /// Attempts begun.
    pub attempt: u32,
    /// Who signed; empty: nobody.
    pub signer: String,
    /// For which unit they signed.
    pub signed_unit: String,
    /// What mail systems report.
    pub transit: String,
    /// Attempts that failed: which, and why.
    pub failures: Vec<(u32, String)>,
    /// Numbers of its copies (份号).
    pub copies: Vec<String>,
    /// The delivery that this one takes the place of.
    pub replaces: String,
    /// When it was sent, received and signed for, in seconds since 1970 (UTC).
    pub times: [Option<i64>; 3],
    /// When it is tried again, in seconds since 1970 (UTC).
    pub next_try: Option<i64>,
    /// Why it was returned: codes, and the text of 99.
    pub returned: Option<(Vec<String>, String)>,
    /// 催办: the time and the words of each.
    pub reminders: Vec<String>,
    /// Who approved that it was added to the frozen scope, and why; empty: it was in the scope.
    pub approved_by: String,
    /// What was decided of a parked one; empty: nothing.
    pub closed: String,
}

/// By what way a unit gets deliveries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryAddress {
    /// Id of the organisation.
    pub unit: String,
    /// Which way.
    pub channel: Channel,
    /// Address of e-mail.
    pub email: String,
    /// Address of a webhook.
    pub url: String,
    /// The unit's own public key, 64 hexadecimal digits; empty: none.
    pub key: String,
}

/// A numbered copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberedCopy {
    /// Six digits.
    pub number: String,
    /// Whose it is.
    pub unit: String,
    /// OUT, RETURNED or DESTROYED.
    pub state: String,
}

fn frozen(scope: wire::Scope, position: Option<Position>) -> FrozenScope {
    FrozenScope {
        revision: scope.revision,
        date: scope.date,
        targets: scope.targets.into_iter().map(|target| (target.title, target.via)).collect(),
        total: scope.total,
        is_paper: scope.paper,
        hash: scope.hash,
        position,
    }
}

fn delivery(of: wire::Delivery) -> Delivery {
    Delivery {
        channel: jiyao_wire::channel_from(of.channel, "channel").unwrap_or_default(),
        state: jiyao_wire::delivery_state_from(of.state).unwrap_or_default(),
        failures: of.failures.into_iter().map(|failure| (failure.attempt, failure.why)).collect(),
        times: [of.sent_time, of.received_time, of.signed_time].map(|time| time.map(|time| time.seconds)),
        next_try: of.next_try.map(|time| time.seconds),
        returned: (!of.return_codes.is_empty()).then_some((of.return_codes, of.return_text)),
        reminders: of.reminders,
        approved_by: of.approved_by,
        closed: of.closed,
        name: of.name,
        minutes: of.minutes,
        sha256: of.sha256,
        title: of.title,
        version: of.version,
        attempt: of.attempt,
        signer: of.signer,
        signed_unit: of.signed_unit,
        transit: of.transit,
        copies: of.copies,
        replaces: of.replaces,
    }
}

fn copy(of: wire::Copy) -> NumberedCopy {
    NumberedCopy { number: of.number, unit: of.unit, state: of.state }
}

impl Client {
    /// Expands and freezes who gets minutes. The issue needs it where records follows distribution.
    ///
    /// # Errors
    /// `NOT_STATED`, `CLASS_EMPTY`, `UNIT_NOT_FOUND`, `CHANNEL_FORBIDDEN`, `SCOPE_FROZEN`,
    /// `MINUTES_ERASED`, `FIELD_INVALID`; `BUSY` where the directory or the list changes again and again meanwhile.
    pub async fn freeze_scope(&self, freeze: FreezeScope) -> Result<FrozenScope, Error> {
        let request = wire::FreezeScopeRequest {
            minutes: freeze.minutes,
            date: freeze.date,
            copies: freeze.copies,
            paper: freeze.is_paper,
            extra: freeze.extra,
            read_after: freeze.read_after.as_ref().map(Position::to_wire),
            request_id: String::new(),
        };
        let answer = self.distribution.call(request).await?;
        let scope = answer.scope.ok_or_else(|| self.distribution.malformed("freeze a scope"))?;
        Ok(frozen(scope, Position::of_wire(answer.position)))
    }

    /// Who gets minutes: their frozen scope, with the first 200 recipients.
    ///
    /// # Errors
    /// `SCOPE_NOT_FROZEN`, `NOT_STATED`.
    pub async fn frozen_scope(&self, minutes: &str) -> Result<FrozenScope, Error> {
        let request = wire::GetScopeRequest { minutes: minutes.to_owned() };
        let answer = self.distribution.call(request).await?;
        let scope = answer.scope.ok_or_else(|| self.distribution.malformed("get a scope"))?;
        Ok(frozen(scope, None))
    }

    /// Delivers minutes that were issued elsewhere to their frozen scope.
    ///
    /// # Errors
    /// `SCOPE_NOT_FROZEN`, `NOT_ISSUED`, `MINUTES_ERASED`.
    pub async fn dispatch_minutes(&self, minutes: &str) -> Result<(), Error> {
        let request = wire::DispatchMinutesRequest { minutes: minutes.to_owned(), request_id: String::new() };
        self.distribution.call(request).await.map(|_| ())
    }

    /// Adds a recipient after the issue, with the issuer's approval.
    ///
    /// # Errors
    /// `SCOPE_NOT_FROZEN`, `NOT_ISSUED`, `UNIT_NOT_FOUND`, `MINUTES_ERASED`, `FIELD_REQUIRED`, `FIELD_INVALID`.
    pub async fn add_recipient(
        &self,
        minutes: &str,
        unit: &str,
        approved_by: &str,
        reason: &str,
    ) -> Result<Delivery, Error> {
        let request = wire::AddRecipientRequest {
            minutes: minutes.to_owned(),
            unit: unit.to_owned(),
            approved_by: approved_by.to_owned(),
            reason: reason.to_owned(),
            request_id: String::new(),
        };
        let answer = self.distribution.call(request).await?;
        answer.delivery.map(delivery).ok_or_else(|| self.distribution.malformed("add a recipient"))
    }

    /// One delivery.
    ///
    /// # Errors
    /// `DELIVERY_NOT_FOUND`.
    pub async fn delivery(&self, name: &str) -> Result<Delivery, Error> {
        let request = wire::GetDeliveryRequest { name: name.to_owned(), read_after: None };
        let answer = self.distribution.call(request).await?;
        answer.delivery.map(delivery).ok_or_else(|| self.distribution.malformed("get a delivery"))
    }

    /// A page of the deliveries of minutes in the order of the scope; `silent`: those that nobody has signed for.
    ///
    /// # Errors
    /// `PAGE_TOKEN_INVALID`, `FIELD_INVALID`.
    pub async fn list_deliveries(
        &self,
        minutes: &str,
        silent: bool,
        page: Option<&str>,
    ) -> Result<Page<Delivery>, Error> {
        let request = wire::ListDeliveriesRequest {
            parent: minutes.to_owned(),
            silent,
            page_size: 200,
            page_token: page.unwrap_or_default().to_owned(),
            ..Default::default()
        };
        let answer = self.distribution.call(request).await?;
        Ok(Page::of(answer.deliveries, answer.next_page_token, |of| Some(delivery(of))))
    }

    /// A page of an organ's deliveries that nobody has signed for, the oldest first; `unreceived`: those not received
    /// either, after the hours that are set.
    ///
    /// # Errors
    /// `PAGE_TOKEN_INVALID`, `FIELD_INVALID`.
    pub async fn list_silent(
        &self,
        organ: &str,
        unreceived: bool,
        page: Option<&str>,
    ) -> Result<Page<Delivery>, Error> {
        let request = wire::ListSilentRequest {
            parent: organ.to_owned(),
            unreceived,
            page_size: 200,
            page_token: page.unwrap_or_default().to_owned(),
        };
        let answer = self.distribution.call(request).await?;
        Ok(Page::of(answer.deliveries, answer.next_page_token, |of| Some(delivery(of))))
    }

    /// Counts of deliveries of minutes by state.
    ///
    /// # Errors
    /// `NOT_STATED`.
    pub async fn delivery_counts(&self, minutes: &str) -> Result<Vec<(State, u32)>, Error> {
        let request = wire::GetDeliveryCountsRequest { minutes: minutes.to_owned(), read_after: None };
        let answer = self.distribution.call(request).await?;
        let count = |count: wire::DeliveryCount| {
            (jiyao_wire::delivery_state_from(count.state).unwrap_or_default(), count.count)
        };
        Ok(answer.counts.into_iter().map(count).collect())
    }

    /// A page of what a unit has not signed for or returned, the oldest first.
    ///
    /// # Errors
    /// `UNIT_FOREIGN`, `UNIT_NOT_FOUND`, `PAGE_TOKEN_INVALID`.
    pub async fn inbox(&self, organ: &str, unit: &str, page: Option<&str>) -> Result<Page<Delivery>, Error> {
        let request = wire::ListInboxRequest {
            parent: organ.to_owned(),
            unit: unit.to_owned(),
            page_size: 200,
            page_token: page.unwrap_or_default().to_owned(),
            read_after: None,
        };
        let answer = self.distribution.call(request).await?;
        Ok(Page::of(answer.deliveries, answer.next_page_token, |of| Some(delivery(of))))
    }

    /// Watches the deliveries of a unit from a position of distribution's journal on, or from the beginning.
    #[must_use]
    pub fn watch_inbox(&self, organ: &str, unit: &str, after: Option<Position>) -> Watch<Delivery> {
        let (parent, unit) = (organ.to_owned(), unit.to_owned());
        let after = after.map(|after| after.to_wire());
        let watching = self.watch(wire::WatchInboxRequest { parent, unit, after });
        watching.meaning(|answer| answer.deliveries.into_iter().map(delivery).collect())
    }

    /// Watches an organ's deliveries as they change, from a position of distribution's journal on, or from the
    /// beginning; with a state, those that are in it when the change is told: so the sender hears at once of what is
    /// returned.
    #[must_use]
    pub fn watch_deliveries(
        &self,
        organ: &str,
        state: Option<State>,
        after: Option<Position>,
    ) -> Watch<Delivery> {
        let state = state.map_or(0, |state| jiyao_wire::delivery_state_to(state).into());
        let after = after.map(|after| after.to_wire());
        let watching = self.watch(wire::WatchDeliveriesRequest { parent: organ.to_owned(), state, after });
        watching.meaning(|answer| answer.deliveries.into_iter().map(delivery).collect())
    }

    /// The exact bytes of a delivery, for its recipient. Opening is recorded.
    ///
    /// # Errors
    /// `DELIVERY_NOT_FOUND`, `UNIT_FOREIGN`, `STATE_FORBIDS`.
    pub async fn open_delivery(&self, name: &str) -> Result<(Vec<u8>, Delivery), Error> {
        let request =
            wire::OpenDeliveryRequest { name: name.to_owned(), attempt: 0, request_id: String::new() };
        let answer = self.distribution.call(request).await?;
        let opened = answer.delivery.map(delivery);
        Ok((answer.content, opened.ok_or_else(|| self.distribution.malformed("open a delivery"))?))
    }

    /// Does something with a delivery: each act is the RPC of its name. `etag`: only if that is still its version.
    /// What only the service itself does is refused here, nothing is sent.
    ///
    /// # Errors
    /// `DELIVERY_NOT_FOUND`, `STATE_FORBIDS`, `ETAG_STALE`, and those of the act.
    pub async fn deliver(&self, name: &str, act: Act, etag: Option<u64>) -> Result<Delivery, Error> {
        let (name, etag) = (name.to_owned(), etag.unwrap_or(0));
        let what = "act on a delivery";
        let done = match act {
            Act::Receive { attempt } => {
                self.distribution
                    .call(wire::AcknowledgeDeliveryRequest { name, etag, attempt, ..Default::default() })
                    .await?
                    .delivery
            }
            Act::Sign { attempt, sha256, signer, claim_signature } => {
                self.distribution
                    .call(wire::SignDeliveryRequest {
                        name,
                        etag,
                        attempt,
                        sha256,
                        signer,
                        claim_signature,
                        ..Default::default()
                    })
                    .await?
                    .delivery
            }
            Act::Return { attempt, codes, text } => {
                self.distribution
                    .call(wire::ReturnDeliveryRequest {
                        name,
                        etag,
                        attempt,
                        codes,
                        text,
                        ..Default::default()
                    })
                    .await?
                    .delivery
            }
            Act::HandOver { signer, note } => {
                self.distribution
                    .call(wire::HandOverDeliveryRequest { name, etag, signer, note, ..Default::default() })
                    .await?
                    .delivery
            }
            Act::Remind { text } => {
                self.distribution
                    .call(wire::RemindDeliveryRequest { name, etag, text, ..Default::default() })
                    .await?
                    .delivery
            }
            Act::Recall { reason } => {
                self.distribution
                    .call(wire::RecallDeliveryRequest { name, etag, reason, ..Default::default() })
                    .await?
                    .delivery
            }
            Act::Resend { reason } => {
                self.distribution
                    .call(wire::ResendDeliveryRequest { name, etag, reason, ..Default::default() })
                    .await?
                    .delivery
            }
            Act::Redirect { channel, reason } => {
                self.distribution
                    .call(wire::RedirectDeliveryRequest {
                        name,
                        etag,
                        channel: jiyao_wire::channel_to(channel).into(),
                        reason,
                        ..Default::default()
                    })
                    .await?
                    .delivery
            }
            Act::Close { reason } => {
                self.distribution
                    .call(wire::CloseDeliveryRequest { name, etag, reason, ..Default::default() })
                    .await?
                    .delivery
            }
            Act::Send { .. }
            | Act::Fail { .. }
            | Act::Transit { .. }
            | Act::ReportDelivered { .. }
            | Act::Open { .. }
            | Act::Reminding
            | Act::Reminded { .. } => {
                return Err(Error::settings(what, "the service makes this act by itself"));
            }
        };
        done.map(delivery).ok_or_else(|| self.distribution.malformed(what))
    }

    /// Signs for several deliveries in one call, in the order given: what each is now, or the reason of its refusal.
    ///
    /// # Errors
    /// `FIELD_INVALID` for more than 500.
    pub async fn sign_deliveries(
        &self,
        signing: &[(String, u32, String, String)],
    ) -> Result<Vec<Result<Delivery, String>>, Error> {
        let one =
            |(name, attempt, sha256, signer): &(String, u32, String, String)| wire::SignDeliveryRequest {
                name: name.clone(),
                attempt: *attempt,
                sha256: sha256.clone(),
                signer: signer.clone(),
                request_id: new_request_id(),
                ..Default::default()
            };
        let request = wire::SignDeliveriesRequest { requests: signing.iter().map(one).collect() };
        let answer = self.distribution.call(request).await?;
        let outcome = |outcome: wire::SignedDelivery| match outcome.delivery {
            Some(of) => Ok(delivery(of)),
            None => Err(outcome.reason),
        };
        Ok(answer.outcomes.into_iter().map(outcome).collect())
    }

    /// The receipts of a delivery, the oldest first; [`verify_receipt`](crate::verify_receipt) needs nobody else.
    ///
    /// # Errors
    /// `DELIVERY_NOT_FOUND`.
    pub async fn receipts(&self, name: &str) -> Result<Vec<String>, Error> {
        let request = wire::ListReceiptsRequest { name: name.to_owned() };
        Ok(self.distribution.call(request).await?.receipts)
    }

    /// Public keys of distribution, for receipts or for webhooks.
    ///
    /// # Errors
    /// None of its own.
    pub async fn public_keys(&self, purpose: &str) -> Result<Vec<PublicKey>, Error> {
        let answer = self.distribution.call(wire::ListKeysRequest {}).await?;
        let of_purpose = answer.keys.into_iter().filter(|key| key.purpose == purpose);
        Ok(of_purpose.filter_map(|key| PublicKey::parse(&key.key).ok()).collect())
    }

    /// Sets by what way a unit gets deliveries.
    ///
    /// # Errors
    /// `UNIT_NOT_FOUND`, `TARGET_FORBIDDEN`, `FIELD_REQUIRED`, `FIELD_INVALID`.
    pub async fn set_address(&self, organ: &str, address: DeliveryAddress) -> Result<(), Error> {
        let address = wire::Address {
            unit: address.unit,
            channel: jiyao_wire::channel_to(address.channel).into(),
            email: address.email,
            url: address.url,
            key: address.key,
        };
        let request = wire::SetAddressRequest {
            parent: organ.to_owned(),
            address: Some(address),
            request_id: String::new(),
        };
        self.distribution.call(request).await.map(|_| ())
    }

    /// By what way an organisation gets deliveries.
    ///
    /// # Errors
    /// `UNIT_NOT_FOUND`.
    pub async fn address(&self, organ: &str, unit: &str) -> Result<DeliveryAddress, Error> {
        let request = wire::GetAddressRequest { parent: organ.to_owned(), unit: unit.to_owned() };
        let malformed = || self.distribution.malformed("get an address");
        let answer = self.distribution.call(request).await?;
        let wire::Address { unit, channel, email, url, key } = answer.address.ok_or_else(malformed)?;
        let channel = jiyao_wire::channel_from(channel, "channel").map_err(|_| malformed())?;
        Ok(DeliveryAddress { unit, channel, email, url, key })
    }

    /// Numbered copies of minutes: the recall list.
    ///
    /// # Errors
    /// `PAGE_TOKEN_INVALID`.
    pub async fn list_copies(&self, minutes: &str, page: Option<&str>) -> Result<Page<NumberedCopy>, Error> {
        let request = wire::ListCopiesRequest {
            minutes: minutes.to_owned(),
            page_size: 200,
            page_token: page.unwrap_or_default().to_owned(),
        };
        let answer = self.distribution.call(request).await?;
        Ok(Page::of(answer.copies, answer.next_page_token, |of| Some(copy(of))))
    }

    /// A copy came back; with `destroyed`, who approved that it was destroyed, and who saw it.
    ///
    /// # Errors
    /// `COPY_NOT_FOUND`, `STATE_FORBIDS`, `FIELD_REQUIRED`.
    pub async fn end_copy(
        &self,
        minutes: &str,
        number: &str,
        destroyed: Option<(String, Vec<String>)>,
    ) -> Result<NumberedCopy, Error> {
        let (approved_by, witnesses) = destroyed.unwrap_or_default();
        let request = wire::EndCopyRequest {
            minutes: minutes.to_owned(),
            number: number.to_owned(),
            approved_by,
            witnesses,
            request_id: String::new(),
        };
        let answer = self.distribution.call(request).await?;
        answer.copy.map(copy).ok_or_else(|| self.distribution.malformed("end a copy"))
    }
}
