//! Delivery reports that arrive later, and what never gets one.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::{
    channels::{PartFate, ReceiptReport},
    clock::Clock,
    store::{Store, StoreError},
};

const BATCH_LEN_MAX: usize = 2_000;
const IDLE: Duration = Duration::from_millis(200);
/// How often deliveries are looked through for what expired or was left without a receipt.
const SWEEP: Duration = Duration::from_secs(2);
/// A receipt for a part that is not known after this never will be.
const UNKNOWN_RECEIPT_KEPT: Duration = Duration::from_hours(48);
const AFTER_ERROR: Duration = Duration::from_secs(1);

/// Applies receipts, and ends deliveries whose time is over.
#[derive(Clone, Debug)]
pub struct Receipts {
    /// Where deliveries are kept.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// How long a receipt is awaited.
    pub wait: Duration,
}

impl Receipts {
    /// Keeps reports before their carrier is told that they arrived.
    pub async fn record(&self, reports: &[ReceiptReport]) -> Result<(), StoreError> {
        let rows: Vec<_> = reports
            .iter()
            .map(|report| {
                (
                    report.carrier.clone(),
                    report.part_ref.clone(),
                    fate(report.fate),
                    report.raw.clone(),
                )
            })
            .collect();
        self.store.record_receipts(&rows, self.clock.now()).await
    }

    /// Applies a batch of receipts; gives how many belonged to a delivery.
    pub async fn step(&self) -> Result<u64, StoreError> {
        let now = self.clock.now();
        let outcome = self
            .store
            .apply_receipts(BATCH_LEN_MAX, now, now - UNKNOWN_RECEIPT_KEPT)
            .await?;
        metrics::counter!("weir_receipts_total", "fate" => "delivered").increment(outcome.delivered);
        metrics::counter!("weir_receipts_total", "fate" => "failed").increment(outcome.failed);
        Ok(outcome.matched)
    }

    /// Ends what expired, was left without a receipt, or was left behind by a dispatcher that hangs.
    pub async fn sweep(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let expired = self.store.expire(now).await?;
        if expired > 0 {
            tracing::warn!(expired, "deliveries could no longer be in time and were not sent");
        }
        self.store.settle_without_receipt(now - self.wait, now).await?;
        self.store.recover_sending(Some(now), now).await?;
        Ok(())
    }

    /// Applies and sweeps until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let mut failing = false;
        let mut last_sweep = Instant::now();
        while !stop.is_cancelled() {
            let mut outcome = self.step().await;
            if last_sweep.elapsed() >= self.clock.rest(SWEEP) && outcome.is_ok() {
                last_sweep = Instant::now();
                outcome = self.sweep().await.and(outcome);
            }
            let rest = match outcome {
                Ok(0) => self.clock.rest(IDLE),
                Ok(_) => Duration::ZERO,
                Err(error) => {
                    if !failing {
                        tracing::error!(%error, "receipts cannot be applied; trying again");
                    }
                    AFTER_ERROR
                }
            };
            failing = rest == AFTER_ERROR;
            tokio::select! {
                () = tokio::time::sleep(rest) => {}
                () = stop.cancelled() => {}
            }
        }
    }
}

/// The stored word; an unknown word leaves the part accepted.
fn fate(fate: PartFate) -> &'static str {
    match fate {
        PartFate::Accepted | PartFate::Unknown => "accepted",
        PartFate::Delivered => "delivered",
        PartFate::Failed => "failed",
    }
}
