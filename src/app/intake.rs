//! What channels report, recorded before it is acknowledged.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    channels::{ChannelEvent, Incoming},
    outbox::receipts::Receipts,
    store::{Recorded, Store},
};

/// Events recorded together.
const BATCH_LEN_MAX: usize = 1_000;

/// Records events until told to stop. What cannot be recorded is not acknowledged, so its sender sends it again.
pub async fn run(
    store: Store,
    receipts: Receipts,
    incoming: &mut mpsc::Receiver<Incoming>,
    arrived: watch::Sender<u64>,
    stop: CancellationToken,
) {
    let mut batch = Vec::with_capacity(BATCH_LEN_MAX);
    let mut failing = false;
    loop {
        tokio::select! {
            count = incoming.recv_many(&mut batch, BATCH_LEN_MAX) => if count == 0 { return },
            () = stop.cancelled() => return,
        }
        let failed = record(&store, &receipts, &mut batch, &arrived).await;
        if let Some(error) = &failed {
            if !failing {
                tracing::error!(%error, "what comes in cannot be recorded; its senders will send it again");
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        failing = failed.is_some();
    }
}

/// Records a batch; an event whose recording fails is dropped unacknowledged. Gives the last error.
async fn record(
    store: &Store,
    receipts: &Receipts,
    batch: &mut Vec<Incoming>,
    arrived: &watch::Sender<u64>,
) -> Option<crate::store::StoreError> {
    let mut reports = Vec::new();
    let mut acknowledgements = Vec::new();
    let mut failed = None;
    for Incoming { event, recorded } in batch.drain(..) {
        match event {
            ChannelEvent::Receipt(report) => {
                reports.push(report);
                acknowledgements.push(recorded);
            }
            ChannelEvent::Inbound(inbound) => match store.record_inbound(&inbound).await {
                Ok(outcome) => {
                    metrics::counter!("weir_inbound_total", "channel" => inbound.from.channel().as_str())
                        .increment(u64::from(outcome == Recorded::New));
                    // The channel may have given up waiting: then it is told when it sends the message again.
                    let _ = recorded.send(());
                    arrived.send_modify(|count| *count += 1);
                }
                Err(error) => failed = Some(error),
            },
        }
    }
    if !reports.is_empty() {
        match receipts.record(&reports).await {
            Ok(()) => acknowledgements.into_iter().for_each(|recorded| {
                let _ = recorded.send(());
            }),
            Err(error) => failed = Some(error),
        }
    }
    failed
}
