//! Who acts on the command line: the worker named by `--as`, or the machine's owner while there is no worker. Whatever
//! changes something is checked and put on record here before it is done.

use anyhow::{Result, bail};

use super::Session;
use crate::{
    domain::{Actor, Area, Right, Role, Scope, Worker, may_grant, may_in_all},
    store::{NewAudit, Store},
};

/// Who acts, as it was found when the command began.
#[derive(Clone, Debug)]
pub struct Acting {
    /// As it stands on record.
    pub actor: Actor,
    /// The worker; none for the machine's owner, who may do everything.
    pub worker: Option<Worker>,
}

impl Session {
    /// Who acts.
    pub async fn acting(&self, store: &Store) -> Result<Acting> {
        let Some(name) = &self.acts_as else {
            if store.knows_workers().await? {
                bail!("say who acts: --as NAME, or WEIR_AS. `weir worker list` shows the names");
            }
            return Ok(Acting {
                actor: Actor::Owner,
                worker: None,
            });
        };
        match store.worker_named(name).await? {
            Some(worker) => Ok(Acting {
                actor: Actor::Worker(worker.id),
                worker: Some(worker),
            }),
            None if store.knows_workers().await? => bail!("--as {name}: no worker is called so"),
            None => bail!(
                "--as {name}: there are no workers yet. `weir worker add NAME --first` makes the first operator"
            ),
        }
    }

    /// Checks that whoever acts may do this in all of these areas, and puts it on record.
    pub async fn act(&self, store: &Store, right: Right, areas: &[Area], said: Said<'_>) -> Result<Acting> {
        let acting = self.acting(store).await?;
        acting.act(self, store, right, areas, said).await?;
        Ok(acting)
    }
}

/// What goes on record: what is done, to whom by id, and what else is to be known of it.
pub type Said<'a> = (&'a str, String, String);

impl Acting {
    /// Whether they may do this in all of these areas.
    pub fn may(&self, right: Right, areas: &[Area]) -> bool {
        self.worker
            .as_ref()
            .is_none_or(|worker| may_in_all(worker, right, areas))
    }

    /// Whether they may make somebody this, or unmake one who is.
    pub fn may_grant(&self, role: Role, scope: &Scope) -> bool {
        self.worker
            .as_ref()
            .is_none_or(|worker| may_grant(worker, role, scope))
    }

    /// The areas that they may import into; none where it is everything.
    pub fn bounds(&self) -> Option<Scope> {
        let scope = self.worker.as_ref().map(|worker| worker.scope.clone())?;
        (!scope.covers(&Area::City)).then_some(scope)
    }

    /// As tables show it that have one column for it.
    pub fn said(&self) -> String {
        match self.actor {
            Actor::Owner | Actor::Weir => "the machine's owner".into(),
            Actor::Worker(id) => format!("worker {id}"),
        }
    }

    /// Checks and puts on record, before it is done. A refusal goes on record too.
    pub async fn act(
        &self,
        session: &Session,
        store: &Store,
        right: Right,
        areas: &[Area],
        (what, whom, details): Said<'_>,
    ) -> Result<()> {
        let now = session.clock.now();
        if self.may(right, areas) {
            store
                .audit(&NewAudit::new(self.actor, what, whom).with(details), now)
                .await?;
            return Ok(());
        }
        store
            .audit(&NewAudit::refused(self.actor, right, whom).with(what), now)
            .await?;
        self.refuse(right, areas)
    }

    /// Says why they may not.
    pub fn refuse<T>(&self, right: Right, areas: &[Area]) -> Result<T> {
        let Some(worker) = &self.worker else {
            bail!("the machine's owner may do this");
        };
        if worker.role < right.least() {
            bail!(
                "{} takes the role {}: worker {} is {}. It is on record that it was tried",
                right.as_str(),
                right.least().as_str(),
                worker.id,
                worker.role.as_str()
            );
        }
        let outside: Vec<String> = areas
            .iter()
            .filter(|area| !worker.scope.covers(area))
            .map(ToString::to_string)
            .collect();
        bail!(
            "worker {} works for {}, and this is about {}. It is on record that it was tried",
            worker.id,
            worker.scope,
            if outside.is_empty() {
                "city".into()
            } else {
                outside.join(", ")
            }
        )
    }
}
