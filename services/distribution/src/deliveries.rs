//! Deliveries over gRPC.

use std::sync::Arc;

use futures_util::StreamExt as _;
use jiyao_calendar::{Clock as _, SystemClock, civil_date};
use jiyao_deliveries::{Act, Channel, CopyEnd, Delivery, Scope, State};
use jiyao_fault::{Fault, Reason, Result};
use jiyao_ledger::{Committed, Ledger, Lookup as _, Reading, Submission, from_json};
use jiyao_names::{Delivery as Name, Minutes, Organ};
use jiyao_proto::distribution::v1::{self as api};
use jiyao_proto::journal::v1::event::Kind;
use jiyao_proto::journal::v1::{Cursor, DeliveryMoved, Event};
use jiyao_proto::server::distribution::v1::deliveries_service_server::DeliveriesService;
use jiyao_receipts::PublicKey;
use jiyao_rolls::By;
use jiyao_serve::{
    Answers, Asked, Caller, Interest, Page, PageQuery, Role, cursor_from, cursor_to, page_size, service,
};
use jiyao_wire::Asks;
use tonic::{Request, Response, Status};

use crate::api::Api;
use crate::documents::{Address, View as _};
use crate::domain::{Command, DistributionDomain, STAGE};
use crate::freezing::{Found, Freeze, look};
use crate::keys;
use crate::outbox;
use crate::sight;

/// Whoever may watch a delivery's way and hand it on.
const SENDERS: &[Role] = &[Role::Clerk, Role::Supervisor];
/// Targets shown with a scope.
const SHOWN_TARGETS: u32 = 200;
/// How often a scope is worked out where others change meanwhile what it hangs on.
const TRIES: usize = 8;
/// What is recorded of each that signs, alone or with others.
const SIGN_DELIVERY: &str = "/jiyao.distribution.v1.DeliveriesService/SignDelivery";

#[derive(Clone)]
pub(crate) struct DeliveriesApi(pub(crate) Api);

fn text(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(Fault::internal)
}

/// The state that a list is of; None for any.
fn wanted_state(state: i32) -> Result<Option<State>> {
    match jiyao_wire::delivery_state_from(state) {
        None if state != 0 => Err(Fault::invalid("state", state)),
        state => Ok(state),
    }
}

/// A scope with its first targets.
fn shown_scope(view: &Reading<'_>, name: &Minutes, scope: Option<Scope>) -> Result<api::Scope> {
    let not_frozen = || Fault::new(Reason::ScopeNotFrozen).at("minutes").with("minutes", name);
    let scope = scope.ok_or_else(not_frozen)?;
    let mut targets = Vec::new();
    for index in 0..scope.targets.min(SHOWN_TARGETS) {
        if let Some(target) = view.value(&keys::target(name, &scope.hash, index))? {
            targets.push(from_json(&target)?);
        }
    }
    Ok(jiyao_wire::scope_to(&scope, targets))
}

impl DeliveriesApi {
    async fn wait(&self, read_after: Option<&Cursor>) -> Result<()> {
        self.0.wait(read_after).await
    }

    /// A delivery as a record left it.
    async fn delivery(&self, name: &Name, committed: &Committed) -> Result<api::Delivery> {
        let read = |view: &Reading<'_>| Ok(jiyao_wire::delivery_to(&view.delivery(name, "name")?));
        self.0.ledger.read_at(committed, read).await
    }

    async fn act<R: Asks<Act = Act>>(
        &self,
        caller: Caller,
        mut request: R,
    ) -> Result<(api::Delivery, Cursor)> {
        let asked = Asked::of(&mut request)?;
        let (name, etag) = request.about();
        let delivery = Name::parse(name, "name")?;
        let (unit, act) = (caller.principal.unit.clone(), Box::new(request.act()?));
        let command = Command::Act { delivery: delivery.clone(), etag, unit, is_system: false, act };
        let committed = self.0.ledger.submit(&caller, asked, command).await?;
        Ok((self.delivery(&delivery, &committed).await?, cursor_to(&committed.cursor)))
    }

    async fn freeze_scope(
        &self,
        caller: Caller,
        mut request: api::FreezeScopeRequest,
    ) -> Result<api::FreezeScopeResponse> {
        let minutes = Minutes::parse(&request.minutes, "minutes")?;
        let read_after = request.read_after.take();
        let asked = Asked::of(&mut request)?;
        jiyao_wire::check_count(&request.extra, "extra")?;
        let freeze = Arc::new(Freeze {
            minutes: minutes.clone(),
            date: jiyao_wire::required_date(&request.date, "date")?,
            copies: request.copies,
            is_paper: request.paper,
            extra: request.extra,
        });
        self.wait(read_after.as_ref()).await?;
        for _ in 0..TRIES {
            let (ledger, of) = (self.0.ledger.get()?.clone(), Arc::clone(&freeze));
            let look = move |interest: &Interest| Ok(look(&ledger, &of, interest)?.map(Arc::new));
            let found = self.0.expansions.have(look).await?;
            // Decided where it is written: a repeat gets its first answer, whatever was found now.
            let command = || Command::Freeze { freeze: Arc::clone(&freeze), found: found.clone() };
            let mut committed = self.0.ledger.submit(&caller, asked.clone(), command()).await?;
            if committed.answer == STAGE
                && let Some(found) = &found
            {
                self.stage(&caller, &minutes, found).await?;
                committed = self.0.ledger.submit(&caller, asked.clone(), command()).await?;
            }
            if committed.answer.is_empty() || committed.answer == STAGE {
                continue;
            }
            let hash = text(committed.answer.clone())?;
            // The one that this call froze, whatever another froze since.
            let frozen = |view: &Reading<'_>| shown_scope(view, &minutes, view.frozen(&minutes, &hash)?);
            let scope = self.0.ledger.read_at(&committed, frozen).await?;
            let position = Some(cursor_to(&committed.cursor));
            return Ok(api::FreezeScopeResponse { scope: Some(scope), position });
        }
        Err(Fault::new(Reason::Busy))
    }

    /// Stages the targets of a scope, page by page, where they are many.
    async fn stage(&self, caller: &Caller, minutes: &Minutes, found: &Found) -> Result<()> {
        let Some((hash, pages)) = found.pages() else { return Ok(()) };
        let mut from = 0;
        for targets in pages.map(<[_]>::to_vec) {
            let next = from + u32::try_from(targets.len()).map_err(Fault::internal)?;
            let (minutes, hash) = (minutes.clone(), hash.to_owned());
            let command = Command::StageScope { minutes, hash, from, targets };
            let own = Submission::own(&caller.principal.name, caller.method, command);
            self.0.ledger.get()?.submit(own).await?;
            from = next;
        }
        Ok(())
    }

    async fn get_scope(
        &self,
        caller: Caller,
        request: api::GetScopeRequest,
    ) -> Result<api::GetScopeResponse> {
        let minutes = Minutes::parse(&request.minutes, "minutes")?;
        let read = move |view: &Reading<'_>| {
            sight::check(view, &caller.principal, &minutes, "minutes")?;
            shown_scope(view, &minutes, view.scope(&minutes)?)
        };
        let (scope, sequence) = self.0.ledger.read_much(read).await?;
        Ok(api::GetScopeResponse { scope: Some(scope), sequence })
    }

    async fn add_recipient(
        &self,
        caller: Caller,
        mut request: api::AddRecipientRequest,
    ) -> Result<api::AddRecipientResponse> {
        let asked = Asked::of(&mut request)?;
        let command = Command::Add {
            minutes: Minutes::parse(&request.minutes, "minutes")?,
            unit: request.unit,
            approved_by: request.approved_by,
            reason: request.reason,
        };
        let committed = self.0.ledger.submit(&caller, asked, command).await?;
        let name = Name::parse(&text(committed.answer.clone())?, "name")?;
        let delivery = Some(self.delivery(&name, &committed).await?);
        Ok(api::AddRecipientResponse { delivery, position: Some(cursor_to(&committed.cursor)) })
    }

    async fn dispatch_minutes(
        &self,
        caller: Caller,
        mut request: api::DispatchMinutesRequest,
    ) -> Result<api::DispatchMinutesResponse> {
        let minutes = Minutes::parse(&request.minutes, "minutes")?;
        let asked = Asked::of(&mut request)?;
        let command = Command::Dispatch { minutes };
        let committed = self.0.ledger.submit(&caller, asked, command).await?;
        Ok(api::DispatchMinutesResponse { position: Some(cursor_to(&committed.cursor)) })
    }

    /// A delivery that somebody may see.
    fn seen(&self, caller: &Caller, name: &Name) -> Result<(Delivery, u64)> {
        let today = civil_date(SystemClock.now(), &self.0.time_zone);
        self.0.ledger.get()?.read(|view| {
            let delivery = view.delivery(name, "name")?;
            sight::check_delivery(view, &caller.principal, (name, &delivery), today)?;
            Ok(delivery)
        })
    }

    async fn get_delivery(
        &self,
        caller: Caller,
        request: api::GetDeliveryRequest,
    ) -> Result<api::GetDeliveryResponse> {
        let name = Name::parse(&request.name, "name")?;
        self.wait(request.read_after.as_ref()).await?;
        let (delivery, sequence) = self.seen(&caller, &name)?;
        Ok(api::GetDeliveryResponse { delivery: Some(jiyao_wire::delivery_to(&delivery)), sequence })
    }

    /// A page of deliveries whose names lie under a prefix.
    async fn page(
        &self,
        (prefix, query, token, size): (Vec<u8>, PageQuery, String, i32),
        wanted: impl Fn(&jiyao_deliveries::Delivery) -> bool + Send + 'static,
    ) -> Result<(Vec<api::Delivery>, String, u64)> {
        let (size, after) = (page_size(size)?, query.after(&token)?);
        let read = move |view: &Reading<'_>| {
            Page::of(view, &prefix, &after, size, |name| {
                let delivery = view.named(&name)?;
                Ok(wanted(&delivery).then(|| jiyao_wire::delivery_to(&delivery)))
            })
        };
        let (page, sequence) = self.0.ledger.read_much(read).await?;
        Ok((page.found, query.token(page.next)?, sequence))
    }

    async fn list_deliveries(
        &self,
        caller: Caller,
        request: api::ListDeliveriesRequest,
    ) -> Result<api::ListDeliveriesResponse> {
        let minutes = Minutes::parse(&request.parent, "parent")?;
        let flags = format!("{}{}", request.silent, request.state);
        let query = caller.query(&["ListDeliveries", &request.parent, &flags])?;
        self.wait(request.read_after.as_ref()).await?;
        self.0.ledger.get()?.read(|view| sight::check(view, &caller.principal, &minutes, "parent"))?;
        let prefix = if request.silent { keys::silent_of(&minutes) } else { keys::by_minutes(&minutes) };
        let state = wanted_state(request.state)?;
        let asked = (prefix, query, request.page_token, request.page_size);
        let wanted = move |delivery: &Delivery| state.is_none_or(|state| delivery.state == state);
        let (deliveries, next_page_token, sequence) = self.page(asked, wanted).await?;
        Ok(api::ListDeliveriesResponse { deliveries, next_page_token, sequence })
    }

    async fn get_delivery_counts(
        &self,
        caller: Caller,
        request: api::GetDeliveryCountsRequest,
    ) -> Result<api::GetDeliveryCountsResponse> {
        let minutes = Minutes::parse(&request.minutes, "minutes")?;
        self.wait(request.read_after.as_ref()).await?;
        let (counts, sequence) = self.0.ledger.get()?.read(|view| {
            sight::check(view, &caller.principal, &minutes, "minutes")?;
            view.known(&minutes, "minutes")?;
            let mut counts = Vec::new();
            for (at, state) in (0..).zip(State::ALL) {
                let count = view.number(&keys::count(&minutes, at))?;
                counts.push((state, count));
            }
            Ok(counts)
        })?;
        let silent = counts.iter().filter(|(state, _)| state.is_silent()).map(|(_, count)| count).sum();
        Ok(api::GetDeliveryCountsResponse {
            total: counts.iter().map(|(_, count)| count).sum(),
            silent,
            counts: counts
                .into_iter()
                .filter(|(_, count)| *count > 0)
                .map(|(state, count)| api::DeliveryCount {
                    state: jiyao_wire::delivery_state_to(state).into(),
                    count,
                })
                .collect(),
            sequence,
        })
    }

    async fn list_silent(
        &self,
        caller: Caller,
        request: api::ListSilentRequest,
    ) -> Result<api::ListSilentResponse> {
        let organ = Organ::parse(&request.parent, "parent")?;
        let query = caller.query(&["ListSilent", &request.parent, &request.unreceived.to_string()])?;
        let late = SystemClock.now().as_millisecond() - self.0.unreceived_after;
        let late = jiyao_calendar::Timestamp::from_millisecond(late).map_err(Fault::internal)?;
        let wanted = move |delivery: &jiyao_deliveries::Delivery| {
            !request.unreceived || delivery.is_unreceived_since(late)
        };
        let asked = (keys::silent(&organ), query, request.page_token, request.page_size);
        let (deliveries, next_page_token, sequence) = self.page(asked, wanted).await?;
        Ok(api::ListSilentResponse { deliveries, next_page_token, sequence })
    }

    /// Ids of the units that a caller reads the inbox of: those called so, and those that they have taken the place of.
    fn inbox_of(&self, caller: &Caller, organ: &Organ, unit: &str) -> Result<Vec<String>> {
        let principal = &caller.principal;
        let is_office = principal.is_any(SENDERS) || principal.is_any(&[Role::Auditor]);
        let today = civil_date(SystemClock.now(), &self.0.time_zone);
        let (ids, _) = self.0.ledger.get()?.read(|view| {
            view.whole_directory_version(organ)?;
            let mut ids = view.found_by(organ, &By::UnitName(unit))?;
            let mut at = 0;
            // Whoever takes the place of others answers for them.
            while let Some(id) = ids.get(at).cloned() {
                for former in view.found_by(organ, &By::FollowedBy(&id))? {
                    let unit = view.unit(organ, &former, "unit")?;
                    if unit.span.until.is_some_and(|until| until < today) && !ids.contains(&former) {
                        ids.push(former);
                    }
                }
                at += 1;
            }
            Ok(ids)
        })?;
        if ids.is_empty() {
            return Err(Fault::new(Reason::UnitNotFound).at("unit").with("unit", unit));
        }
        // Somebody else's inbox is looked at by the office alone, and only where it acts for no unit.
        if principal.unit != unit && !(is_office && principal.unit.is_empty()) {
            return Err(Fault::new(Reason::UnitForeign).with("unit", &principal.unit).with("lead", unit));
        }
        Ok(ids)
    }

    async fn list_inbox(
        &self,
        caller: Caller,
        request: api::ListInboxRequest,
    ) -> Result<api::ListInboxResponse> {
        let organ = Organ::parse(&request.parent, "parent")?;
        self.wait(request.read_after.as_ref()).await?;
        let ids = self.inbox_of(&caller, &organ, &request.unit)?;
        let query = caller.query(&["ListInbox", &request.parent, &request.unit])?;
        let (size, after) = (page_size(request.page_size)?, query.after(&request.page_token)?);
        let read = move |view: &Reading<'_>| {
            let mut all = Vec::new();
            for id in &ids {
                let inbox = keys::inbox(&organ, id);
                let from = if after.is_empty() { Vec::new() } else { [&inbox[..], &after].concat() };
                for pair in view.scan(&inbox, &from).take(size + 1) {
                    let (key, name) = pair?;
                    // By the delivery's id: the oldest first, whichever of the units it is for.
                    all.push((key[inbox.len()..].to_vec(), name));
                }
            }
            all.sort();
            let is_more = all.len() > size;
            all.truncate(size);
            let last = all.last().filter(|_| is_more).map(|(place, _)| place.clone());
            let deliveries = all
                .iter()
                .map(|(_, name)| Ok(jiyao_wire::delivery_to(&view.named(name)?)))
                .collect::<Result<Vec<_>>>()?;
            Ok((deliveries, last))
        };
        let ((deliveries, next), sequence) = self.0.ledger.read_much(read).await?;
        let next_page_token = query.token(next)?;
        Ok(api::ListInboxResponse { deliveries, next_page_token, sequence })
    }

    async fn open_delivery(
        &self,
        caller: Caller,
        mut request: api::OpenDeliveryRequest,
    ) -> Result<api::OpenDeliveryResponse> {
        let name = Name::parse(&request.name, "name")?;
        let asked = Asked::of(&mut request)?;
        let (delivery, _) = self.0.ledger.get()?.read(|view| view.delivery(&name, "name"))?;
        let attempt = if request.attempt == 0 { delivery.attempt } else { request.attempt };
        let command = Command::Act {
            delivery: name.clone(),
            etag: 0,
            unit: caller.principal.unit.clone(),
            is_system: false,
            act: Box::new(Act::Open { attempt }),
        };
        // What was erased is not opened, and no receipt says so.
        let ledger = self.0.ledger.get()?.clone();
        let minutes = Minutes::parse(&delivery.minutes, "minutes")?;
        let read = move || match outbox::content(&ledger, &minutes, &delivery.sha256)? {
            Some((content, _)) => Ok(content),
            // The command is refused, and says why.
            None if ledger.read(|view| view.is_erased(&delivery.minutes))?.0 => Ok(Vec::new()),
            None => Err(Fault::internal("content is not here")),
        };
        let content = tokio::task::spawn_blocking(read).await.map_err(Fault::internal)??;
        let committed = self.0.ledger.submit(&caller, asked, command).await?;
        let delivery = Some(self.delivery(&name, &committed).await?);
        Ok(api::OpenDeliveryResponse { content, delivery, position: Some(cursor_to(&committed.cursor)) })
    }

    async fn sign_deliveries(
        &self,
        caller: Caller,
        request: api::SignDeliveriesRequest,
    ) -> Result<api::SignDeliveriesResponse> {
        jiyao_wire::check_count(&request.requests, "requests")?;
        let signing = request.requests.into_iter().map(|one| {
            // Whoever repeats one of them alone repeats it.
            let mut caller = caller.clone();
            caller.method = SIGN_DELIVERY;
            async move {
                let acted = match jiyao_wire::check(&one) {
                    Ok(()) => self.act(caller, one).await,
                    Err(fault) => Err(fault),
                };
                match acted {
                    Ok((delivery, _)) => {
                        api::SignedDelivery { delivery: Some(delivery), reason: String::new() }
                    }
                    Err(fault) => api::SignedDelivery { delivery: None, reason: fault.reason().to_string() },
                }
            }
        });
        // Together: the writer puts them into a few groups.
        let outcomes = futures_util::future::join_all(signing).await;
        Ok(api::SignDeliveriesResponse { outcomes })
    }

    async fn list_receipts(
        &self,
        caller: Caller,
        request: api::ListReceiptsRequest,
    ) -> Result<api::ListReceiptsResponse> {
        let name = Name::parse(&request.name, "name")?;
        self.seen(&caller, &name)?;
        let (receipts, _) = self.0.ledger.get()?.read(|view| {
            view.under(&keys::receipts(&name))?.into_iter().map(|(_, receipt)| text(receipt)).collect()
        })?;
        Ok(api::ListReceiptsResponse { receipts })
    }

    async fn list_keys(&self, _: Caller, _: api::ListKeysRequest) -> Result<api::ListKeysResponse> {
        let receipt = |bytes: [u8; 32]| {
            let id = PublicKey::from_bytes(&bytes).map_err(Fault::internal)?.id();
            Ok(api::PublicKey { id, purpose: "receipt".to_owned(), key: jiyao_names::hex(&bytes) })
        };
        let in_use = &self.0.webhooks.key;
        let mut keys = vec![
            receipt(self.0.receipt_key.bytes())?,
            api::PublicKey { id: in_use.id(), purpose: "webhook".to_owned(), key: in_use.webhook_text() },
        ];
        let (known, _) = self.0.ledger.get()?.read(|view| view.under(keys::RECEIPT_KEYS))?;
        for (_, bytes) in known {
            let key = receipt(bytes.try_into().map_err(|_| Fault::internal("a key of another length"))?)?;
            if key.id != keys[0].id {
                keys.push(key);
            }
        }
        Ok(api::ListKeysResponse { keys })
    }

    async fn set_address(
        &self,
        caller: Caller,
        mut request: api::SetAddressRequest,
    ) -> Result<api::SetAddressResponse> {
        let organ = Organ::parse(&request.parent, "parent")?;
        let asked = Asked::of(&mut request)?;
        let wanted = request.address.clone().ok_or_else(|| Fault::required("address"))?;
        let address = Address {
            channel: jiyao_wire::channel_from(wanted.channel, "address.channel")?,
            unit: wanted.unit,
            email: wanted.email,
            url: wanted.url,
            key: wanted.key,
        };
        match address.channel {
            Channel::Email if address.email.is_empty() => return Err(Fault::required("address.email")),
            Channel::Webhook if address.url.is_empty() => return Err(Fault::required("address.url")),
            _ => {}
        }
        if !address.url.is_empty() {
            self.0.webhooks.check(&address.url, "address.url")?;
        }
        if !address.email.is_empty() && address.email.parse::<lettre::Address>().is_err() {
            return Err(Fault::invalid("address.email", &address.email));
        }
        if !address.key.is_empty() && PublicKey::parse(&address.key).is_err() {
            return Err(Fault::invalid("address.key", &address.key));
        }
        let command = Command::SetAddress { organ, address: Box::new(address) };
        let committed = self.0.ledger.submit(&caller, asked, command).await?;
        Ok(api::SetAddressResponse { address: request.address, position: Some(cursor_to(&committed.cursor)) })
    }

    async fn get_address(
        &self,
        _: Caller,
        request: api::GetAddressRequest,
    ) -> Result<api::GetAddressResponse> {
        let organ = Organ::parse(&request.parent, "parent")?;
        let (address, _) = self.0.ledger.get()?.read(|view| {
            view.unit(&organ, &request.unit, "unit")?;
            view.address(&organ, &request.unit)
        })?;
        let channel = jiyao_wire::channel_to(address.channel).into();
        let Address { unit, email, url, key, .. } = address;
        Ok(api::GetAddressResponse { address: Some(api::Address { unit, channel, email, url, key }) })
    }

    async fn list_copies(
        &self,
        caller: Caller,
        request: api::ListCopiesRequest,
    ) -> Result<api::ListCopiesResponse> {
        let minutes = Minutes::parse(&request.minutes, "minutes")?;
        let query = caller.query(&["ListCopies", &request.minutes])?;
        let (size, after) = (page_size(request.page_size)?, query.after(&request.page_token)?);
        let (page, _) = self.0.ledger.get()?.read(|view| {
            sight::check(view, &caller.principal, &minutes, "minutes")?;
            Page::of(view, &keys::copies(&minutes), &after, size, |copy| {
                Ok(Some(jiyao_wire::copy_to(&from_json(&copy)?)))
            })
        })?;
        let next_page_token = query.token(page.next)?;
        Ok(api::ListCopiesResponse { copies: page.found, next_page_token })
    }

    async fn end_copy(
        &self,
        caller: Caller,
        mut request: api::EndCopyRequest,
    ) -> Result<api::EndCopyResponse> {
        let minutes = Minutes::parse(&request.minutes, "minutes")?;
        let asked = Asked::of(&mut request)?;
        let end = if request.approved_by.is_empty() && request.witnesses.is_empty() {
            CopyEnd::Returned
        } else {
            CopyEnd::Destroyed { approved_by: request.approved_by, witnesses: request.witnesses }
        };
        let command = Command::EndCopy { minutes: minutes.clone(), number: request.number.clone(), end };
        let committed = self.0.ledger.submit(&caller, asked, command).await?;
        let read = |view: &Reading<'_>| {
            let kept = view.value(&keys::copy(&minutes, &request.number))?.unwrap_or_default();
            from_json(&kept)
        };
        let copy = self.0.ledger.read_at(&committed, read).await?;
        let copy = Some(jiyao_wire::copy_to(&copy));
        Ok(api::EndCopyResponse { copy, position: Some(cursor_to(&committed.cursor)) })
    }
}

/// The deliveries of an organ that some events moved, each once, as they are now.
fn moved(
    ledger: &Ledger<DistributionDomain>,
    organ: &Organ,
    events: &[Event],
    is_wanted: impl Fn(&DeliveryMoved) -> bool,
) -> Result<Vec<Delivery>> {
    let mut names: Vec<Name> = Vec::new();
    for event in events {
        if let Some(Kind::DeliveryMoved(moved)) = &event.kind
            && is_wanted(moved)
        {
            let name = Name::parse(&moved.delivery, "delivery")?;
            if name.organ == *organ && !names.contains(&name) {
                names.push(name);
            }
        }
    }
    let mut deliveries = Vec::new();
    for some in names.chunks(jiyao_wire::MOST_AT_ONCE) {
        let read = |view: &Reading<'_>| some.iter().map(|name| view.delivery(name, "delivery")).collect();
        let (found, _): (Vec<_>, _) = ledger.read(read)?;
        deliveries.extend(found);
    }
    Ok(deliveries)
}

service! {
    DeliveriesService for DeliveriesApi;
    acts act -> delivery {
        acknowledge_delivery: AcknowledgeDeliveryRequest => AcknowledgeDeliveryResponse;
        sign_delivery: SignDeliveryRequest => SignDeliveryResponse;
        return_delivery: ReturnDeliveryRequest => ReturnDeliveryResponse;
        hand_over_delivery: HandOverDeliveryRequest => HandOverDeliveryResponse;
        remind_delivery: RemindDeliveryRequest => RemindDeliveryResponse;
        recall_delivery: RecallDeliveryRequest => RecallDeliveryResponse;
        resend_delivery: ResendDeliveryRequest => ResendDeliveryResponse;
        redirect_delivery: RedirectDeliveryRequest => RedirectDeliveryResponse;
        close_delivery: CloseDeliveryRequest => CloseDeliveryResponse;
    }
    calls {
        freeze_scope: FreezeScopeRequest => FreezeScopeResponse;
        get_scope: GetScopeRequest => GetScopeResponse;
        add_recipient: AddRecipientRequest => AddRecipientResponse;
        dispatch_minutes: DispatchMinutesRequest => DispatchMinutesResponse;
        get_delivery: GetDeliveryRequest => GetDeliveryResponse;
        list_deliveries: ListDeliveriesRequest => ListDeliveriesResponse;
        get_delivery_counts: GetDeliveryCountsRequest => GetDeliveryCountsResponse;
        list_silent: ListSilentRequest => ListSilentResponse;
        list_inbox: ListInboxRequest => ListInboxResponse;
        open_delivery: OpenDeliveryRequest => OpenDeliveryResponse;
        sign_deliveries: SignDeliveriesRequest => SignDeliveriesResponse;
        list_receipts: ListReceiptsRequest => ListReceiptsResponse;
        list_keys: ListKeysRequest => ListKeysResponse;
        set_address: SetAddressRequest => SetAddressResponse;
        get_address: GetAddressRequest => GetAddressResponse;
        list_copies: ListCopiesRequest => ListCopiesResponse;
        end_copy: EndCopyRequest => EndCopyResponse;
    }
    others {
        type WatchInboxStream = Answers<api::WatchInboxResponse>;

        async fn watch_inbox(
            &self,
            request: Request<api::WatchInboxRequest>,
        ) -> Result<Response<Self::WatchInboxStream>, Status> {
            jiyao_serve::stream(request, &self.0.stop, async |caller, request| {
                let organ = Organ::parse(&request.parent, "parent")?;
                let mut ids = self.inbox_of(&caller, &organ, &request.unit)?;
                let ledger = self.0.ledger.get()?.clone();
                let (mut known, _) = ledger.read(|view| view.directory_version(&organ))?;
                let stretches = ledger.follow(cursor_from(request.after.as_ref(), "after")?)?;
                let this = self.clone();
                Ok(stretches.map(move |stretch| {
                    let stretch = stretch?;
                    // Whom the unit stands for may have changed with the directory.
                    let (version, _) = ledger.read(|view| view.directory_version(&organ))?;
                    if version != known {
                        (ids, known) = (this.inbox_of(&caller, &organ, &request.unit)?, version);
                    }
                    let moved = moved(&ledger, &organ, &stretch.events()?, |moved| ids.contains(&moved.unit))?;
                    let deliveries = moved.iter().map(jiyao_wire::delivery_to).collect();
                    Ok(api::WatchInboxResponse { deliveries, through: Some(cursor_to(&stretch.through)) })
                }))
            })
            .await
        }

        type WatchDeliveriesStream = Answers<api::WatchDeliveriesResponse>;

        async fn watch_deliveries(
            &self,
            request: Request<api::WatchDeliveriesRequest>,
        ) -> Result<Response<Self::WatchDeliveriesStream>, Status> {
            jiyao_serve::stream(request, &self.0.stop, async |_, request| {
                let organ = Organ::parse(&request.parent, "parent")?;
                let state = wanted_state(request.state)?;
                let ledger = self.0.ledger.get()?.clone();
                let stretches = ledger.follow(cursor_from(request.after.as_ref(), "after")?)?;
                Ok(stretches.map(move |stretch| {
                    let stretch = stretch?;
                    let moved = moved(&ledger, &organ, &stretch.events()?, |_| true)?;
                    let wanted =
                        moved.iter().filter(|delivery| state.is_none_or(|state| delivery.state == state));
                    let deliveries = wanted.map(jiyao_wire::delivery_to).collect();
                    Ok(api::WatchDeliveriesResponse { deliveries, through: Some(cursor_to(&stretch.through)) })
                }))
            })
            .await
        }
    }
}
