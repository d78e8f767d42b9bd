//! One process works on a store at a time. The others stand by; whoever needs the store alone (a restore, a key
//! rotation) asks the active one to give way.

use std::time::Duration;

use anyhow::{Result, bail};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    store::{Store, StoreError},
};

const LEASE: Duration = Duration::from_secs(15);
const RENEW: Duration = Duration::from_secs(3);
const TAKE_OVER_MAX: Duration = Duration::from_mins(1);
const SERVICE: &str = "service";
const HANDOVER: &str = "handover";

/// A name for this process that no other has.
pub fn new_owner() -> String {
    format!("{:016x}", rand::random::<u64>())
}

async fn take(store: &Store, name: &str, owner: &str) -> Result<bool, StoreError> {
    // Leases are about processes, so they run on the machine's time, whatever clock the service shows.
    let now = Clock::System.now();
    store.hold_lease(name, owner, now, now + LEASE).await
}

/// Waits until this process may work; false when told to stop meanwhile.
pub async fn hold(store: &Store, owner: &str, stop: &CancellationToken) -> bool {
    let mut said = false;
    while !stop.is_cancelled() {
        match try_hold(store, owner).await {
            Ok(true) => return true,
            Ok(false) if !said => {
                tracing::info!("another process works on this store; standing by to take over");
                said = true;
            }
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "the store cannot be asked whose turn it is; trying again"),
        }
        tokio::select! {
            () = tokio::time::sleep(RENEW) => {}
            () = stop.cancelled() => {}
        }
    }
    false
}

async fn try_hold(store: &Store, owner: &str) -> Result<bool, StoreError> {
    if store.lease_owner(HANDOVER, Clock::System.now()).await?.is_some() {
        return Ok(false);
    }
    take(store, SERVICE, owner).await
}

/// Renews the lease until the work is `done`; ends the work when told to stop, when the lease is lost or can no longer
/// be known to be held, or when somebody needs the store alone.
pub async fn keep(
    store: &Store,
    owner: &str,
    stop: &CancellationToken,
    working: &CancellationToken,
    done: &CancellationToken,
) {
    let mut renewed = std::time::Instant::now();
    let mut stopping = false;
    while !done.is_cancelled() {
        tokio::select! {
            () = tokio::time::sleep(RENEW) => {}
            () = stop.cancelled(), if !stopping => {
                // What is in flight is still being finished: the lease is kept up meanwhile.
                stopping = true;
                working.cancel();
            }
            () = done.cancelled() => return,
        }
        let renewal = if stopping {
            take(store, SERVICE, owner).await
        } else {
            try_hold(store, owner).await
        };
        match renewal {
            Ok(true) => renewed = std::time::Instant::now(),
            Ok(false) => {
                if !stopping {
                    tracing::warn!("another process takes over this store; this one stands by");
                }
                stopping = true;
                working.cancel();
            }
            Err(error) => tracing::warn!(%error, "the lease could not be renewed"),
        }
        if renewed.elapsed() > LEASE.saturating_sub(RENEW) {
            // Another process may hold it by now: nothing more is sent until this one holds it again.
            stopping = true;
            working.cancel();
        }
    }
}

/// Gives the lease back, so that the next process need not wait for its end.
pub async fn give_back(store: &Store, owner: &str) {
    if let Err(error) = store.release_lease(SERVICE, owner).await {
        tracing::warn!(%error, "the lease could not be given back; it ends by itself in {} s", LEASE.as_secs());
    }
}

/// Holds a store alone for the length of one piece of work; a running service gives way and comes back after.
#[derive(Debug)]
pub struct Alone {
    store: Store,
    owner: String,
}

impl Alone {
    /// Asks the active process, if there is one, to give way, and waits until it has.
    pub async fn ask(store: &Store) -> Result<Self> {
        let owner = new_owner();
        let started = std::time::Instant::now();
        loop {
            if take(store, HANDOVER, &owner).await? && take(store, SERVICE, &owner).await? {
                return Ok(Self {
                    store: store.clone(),
                    owner,
                });
            }
            if started.elapsed() > TAKE_OVER_MAX {
                bail!("a process that works on this store did not give way within a minute: stop it first");
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// Does the work while both leases are kept up, then gives them back.
    pub async fn during<T>(self, work: impl Future<Output = T>) -> T {
        let keep_up = async {
            loop {
                tokio::time::sleep(RENEW).await;
                for name in [HANDOVER, SERVICE] {
                    if let Err(error) = take(&self.store, name, &self.owner).await {
                        tracing::warn!(%error, "the lease could not be renewed");
                    }
                }
            }
        };
        let out = tokio::select! {
            out = work => out,
            () = keep_up => unreachable!("it never ends"),
        };
        for name in [SERVICE, HANDOVER] {
            // Ends by itself otherwise.
            let _ = self.store.release_lease(name, &self.owner).await;
        }
        out
    }
}
