//! MySQL servers that get another one's data, beside everything else.

use std::sync::Arc;

use tokio::task::JoinSet;
use topology::Extra;

use super::Controller;
use crate::control::saving;
use crate::control::{OrderError, OrderReport};
use crate::events::EventKind;
use crate::execute::{StepError, clone, replica};
use crate::options::ObserveOptions;
use crate::plan::{self, Refusal, Rejoin, Situation};

/// Those that are at work now. What is left half-way by a hadal that ends is a server that belongs to nobody: it is found by its
/// data, or by the lack of them, and cloned again by somebody's word. One whose clone fails is healed like one that was away.
#[derive(Default)]
pub(super) struct Cloning {
    servers: Vec<String>,
    tasks: JoinSet<(String, Result<(), StepError>)>,
}

impl Cloning {
    /// Nothing else is decided about it.
    pub(super) fn is_at_work_on(&self, server: &str) -> bool {
        self.servers.iter().any(|at_work| at_work == server)
    }
}

/// Keeps what only the server has, clones, and lets it follow.
async fn work(
    options: Arc<ObserveOptions>,
    cluster: String,
    server: String,
    extra: Vec<Extra>,
    donor: String,
    primary: String,
) -> (String, Result<(), StepError>) {
    let done = async {
        if !extra.is_empty() {
            let kept =
                saving::save(&options, &cluster, &server, &extra, &topology::Position::default()).await;
            kept.map_err(|why| StepError::Unexpected {
                server: server.clone(),
                why: format!("its own transactions could not be kept, so nothing was touched: {why}"),
            })?;
        }
        clone::clone(&options, &server, &donor).await?;
        replica::follow(&options, &server, &primary).await
    };
    let done = done.await;
    (server, done)
}

impl Controller {
    pub(super) async fn order_clone(
        &mut self,
        situation: &Situation,
        server: &str,
        dry_run: bool,
    ) -> Result<OrderReport, OrderError> {
        let refused = |refusal: Refusal| OrderError::Refused(refusal.explained());
        let donor = plan::donor(situation, server).map_err(refused)?.server.clone();
        let extra = match plan::rejoin(situation, server).map_err(refused)? {
            Rejoin::Ahead(extra) => extra,
            _ => Vec::new(),
        };
        if let Some(other) = self.cloning.servers.first() {
            return Err(OrderError::Unavailable(format!("{other} is being cloned; one at a time")));
        }
        let mut text = format!("all data of {server} are replaced by those of {donor} (CLONE INSTANCE)\n");
        if !extra.is_empty() {
            let list: Vec<_> = extra.iter().map(ToString::to_string).collect();
            text = format!("what only {server} has is kept in a file: {}\n{text}", list.join(", "));
        }
        if !dry_run {
            self.cloning.servers.push(server.to_owned());
            let primary = situation.primary.clone().unwrap_or_default();
            let (options, cluster) = (self.options.clone(), situation.cluster.clone());
            self.cloning.tasks.spawn(work(
                options,
                cluster,
                server.to_owned(),
                extra,
                donor.clone(),
                primary,
            ));
            let why = format!("from {donor}");
            self.steering.note(EventKind::Action, Some(server.to_owned()), "rebuild", "begun", &why).await;
            text += "it has begun, and goes on by itself; the server has to be started again if nothing supervises it\n";
        }
        Ok(OrderReport { plan: None, text, done: !dry_run, took_ms: 0, held_ms: 0 })
    }

    /// Tells how one ended.
    pub(super) async fn tend_cloning(&mut self) {
        let Some(Ok((server, outcome))) = self.cloning.tasks.try_join_next() else { return };
        self.cloning.servers.retain(|at_work| *at_work != server);
        let (to, why) = match outcome {
            Ok(()) => ("done", String::new()),
            Err(error) => {
                // It replicates no more. With the data that it has it is made a replica again, or people are told why not.
                self.healing.not_renewed(&server);
                ("failed", error.to_string())
            }
        };
        self.steering.note(EventKind::Action, Some(server), "rebuild", to, &why).await;
    }
}
