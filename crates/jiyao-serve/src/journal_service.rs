//! The journal service, the same on every service.

use futures_util::StreamExt as _;
use jiyao_fault::{Fault, Result};
use jiyao_journal::Cursor;
use jiyao_ledger::{Domain, Ledger};
use jiyao_proto::journal::v1 as wire;
use jiyao_proto::server::EncodedFollowResponse;
use jiyao_proto::server::journal::v1::journal_service_server::JournalService;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::answer::{Answers, answer, stream};
use crate::server::Late;

/// Serves a ledger's journal.
pub(crate) struct JournalApi<D: Domain> {
    ledger: Late<Ledger<D>>,
    stop: CancellationToken,
}

impl<D: Domain> JournalApi<D> {
    /// Serves the ledger once it is open, until `stop`.
    #[must_use]
    pub(crate) fn new(ledger: Late<Ledger<D>>, stop: CancellationToken) -> Self {
        Self { ledger, stop }
    }
}

/// A cursor of the wire. None: from the beginning. `field` is blamed when it is not of the form.
///
/// # Errors
/// `FIELD_INVALID`.
pub fn cursor_from(cursor: Option<&wire::Cursor>, field: &str) -> Result<Option<Cursor>> {
    let Some(cursor) = cursor else { return Ok(None) };
    let journal = Uuid::try_parse(&cursor.journal)
        .map_err(|_| Fault::invalid(&format!("{field}.journal"), &cursor.journal))?;
    let hash = cursor.hash.as_slice().try_into();
    let hash = hash.map_err(|_| Fault::invalid(&format!("{field}.hash"), jiyao_names::hex(&cursor.hash)))?;
    Ok(Some(Cursor { journal, sequence: cursor.sequence, hash }))
}

/// A cursor for the wire.
#[must_use]
pub fn cursor_to(cursor: &Cursor) -> wire::Cursor {
    wire::Cursor {
        journal: cursor.journal.to_string(),
        sequence: cursor.sequence,
        hash: cursor.hash.to_vec(),
    }
}

#[tonic::async_trait]
impl<D: Domain> JournalService for JournalApi<D> {
    type FollowStream = Answers<EncodedFollowResponse>;

    async fn follow(
        &self,
        request: Request<wire::FollowRequest>,
    ) -> Result<Response<Self::FollowStream>, Status> {
        stream(request, &self.stop, async |_, request| {
            let after = cursor_from(request.after.as_ref(), "after")?;
            let stretches = self.ledger.get()?.follow(after)?;
            Ok(stretches.map(|stretch| {
                let stretch = stretch?;
                let covers_through = Some(cursor_to(&stretch.through));
                let place =
                    wire::FollowResponse { covers_from: stretch.from, covers_through, events: Vec::new() };
                Ok(EncodedFollowResponse { place, events: stretch.encoded })
            }))
        })
        .await
    }

    async fn get_head(
        &self,
        request: Request<wire::GetHeadRequest>,
    ) -> Result<Response<wire::GetHeadResponse>, Status> {
        answer(request, async |_, _| {
            Ok(wire::GetHeadResponse { head: Some(cursor_to(&self.ledger.get()?.head())) })
        })
        .await
    }
}
