//! Which cluster a command goes to, where tables live in several (`clusters.*.tables`).
//!
//! A session has a home, its user's cluster, and a base: the cluster of its database where a rule names that schema as a
//! whole, its home otherwise. Commands that name nothing go to the base. While a connection is held, everything goes
//! there; what names tables of another cluster is refused, unless all that was held is a transaction in which nothing
//! has happened yet: that one is begun again where it is needed (see `opening`).

use mysql_wire::{Command, ResponseKind};
use sql::{Effects, HintTarget};

use super::Session;
use super::job::Job;
use crate::place::ClusterIndex;
use crate::route::RouteError;
use crate::rules::{Lives, Needs, Viewpoint};

impl Session {
    /// Chooses the cluster of a command. Without rules there is nothing to choose.
    pub(super) fn aim(&mut self, job: &Job<'_>) -> Result<(), RouteError> {
        if !self.ruled {
            return Ok(());
        }
        self.moves = false;
        let bound = self.held.as_ref().map(|held| held.place.cluster);
        let Some(wanted) = self.wanted(job, bound.unwrap_or(self.base))? else {
            self.target = bound.unwrap_or(self.base);
            return Ok(());
        };
        match bound {
            Some(bound) if bound != wanted.cluster => {
                if self.opening.is_none() {
                    return Err(self.bound_elsewhere(bound, wanted));
                }
                self.moves = true;
            }
            _ => {}
        }
        self.target = wanted.cluster;
        self.reads_alike()
    }

    /// The cluster that a command cannot do without; `otherwise` is where it would go without one.
    fn wanted(&self, job: &Job<'_>, otherwise: ClusterIndex) -> Result<Option<Lives>, RouteError> {
        let facts = job.facts;
        if let Some(place) = self.direct_to {
            return Ok(Some(Lives { name: String::new(), cluster: place.cluster }));
        }
        if let Some(named) = self.hinted(job) {
            return Ok(Some(named));
        }
        let payload = job.command.payload();
        let argument = payload.get(1..).unwrap_or_default();
        if payload.first() == Some(&(Command::InitDb as u8)) && job.kind == ResponseKind::Simple {
            return Ok(Some(self.schema_lives(argument)));
        }
        if job.kind == ResponseKind::FieldList {
            let table = argument.split(|b| *b == 0).next().unwrap_or_default();
            return Ok(Some(self.table_lives(&String::from_utf8_lossy(table))));
        }
        if facts.effects.contains(Effects::USE_SCHEMA) {
            return match sql::use_schema(text_of(job)) {
                Some(schema) if facts.statements == 1 => Ok(Some(self.schema_lives(&schema))),
                _ => Err(RouteError::SwitchesSchema),
            };
        }
        if crate::rules::hides(facts) {
            return match self.worker.core.rules.mentioned_beside(text_of(job), otherwise) {
                Some(name) => Err(RouteError::Hidden { name: name.to_owned() }),
                None => Ok(None),
            };
        }
        self.needed(job)
    }

    fn needed(&self, job: &Job<'_>) -> Result<Option<Lives>, RouteError> {
        let facts = job.facts;
        if facts.tables.is_empty() && facts.schemas.is_empty() && facts.functions.is_empty() {
            return Ok(None);
        }
        // A prepared statement means what it meant when it was prepared.
        let state = job.prepared.as_ref().map_or(&self.state, |prepared| &prepared.statement.text.state);
        let database = state.database.as_deref().map(String::from_utf8_lossy);
        let from = Viewpoint { home: self.identity.cluster, database: database.as_deref() };
        match self.worker.core.rules.needs(facts, from) {
            Needs::Nothing => Ok(None),
            Needs::One(lives) => Ok(Some(lives)),
            Needs::Several(one, other) => Err(RouteError::SeveralClusters {
                one_cluster: self.cluster_name(one.cluster),
                other_cluster: self.cluster_name(other.cluster),
                one: one.name,
                other: other.name,
            }),
        }
    }

    /// A hint that names a server says where to, whatever the rules say.
    fn hinted(&self, job: &Job<'_>) -> Option<Lives> {
        let Some(HintTarget::Server(name)) = job.hint.and_then(|hint| hint.to.as_ref()) else { return None };
        let cluster = self.worker.core.cluster_of_server(name)?;
        Some(Lives { name: format!("server {name}"), cluster })
    }

    fn schema_lives(&self, schema: &[u8]) -> Lives {
        let schema = String::from_utf8_lossy(schema);
        let cluster = self.worker.core.rules.schema(&schema).unwrap_or(self.identity.cluster);
        Lives { name: format!("schema {schema}"), cluster }
    }

    fn table_lives(&self, table: &str) -> Lives {
        let database = self.database();
        let cluster = self.worker.core.rules.table(database.as_deref(), table);
        Lives { name: table.to_owned(), cluster: cluster.unwrap_or(self.identity.cluster) }
    }

    /// The session's database as text.
    fn database(&self) -> Option<std::borrow::Cow<'_, str>> {
        self.state.database.as_deref().map(String::from_utf8_lossy)
    }

    /// Where a session in this database works.
    pub(super) fn base_of(&self, database: Option<&[u8]>) -> ClusterIndex {
        let ruled = |database| self.worker.core.rules.schema(&String::from_utf8_lossy(database));
        database.filter(|_| self.ruled).and_then(ruled).unwrap_or(self.identity.cluster)
    }

    /// Text is read with the `sql_mode` of the base: servers that read quotes otherwise would run something else.
    fn reads_alike(&self) -> Result<(), RouteError> {
        if self.target == self.base {
            return Ok(());
        }
        let view = self.worker.core.cluster(self.target).view();
        let default = view.catalogue.globals.get("sql_mode").map(String::as_str).unwrap_or_default();
        if view.catalogue.loaded && self.state.lexer_mode(default) != self.mode {
            return Err(RouteError::ReadsOtherwise {
                base: self.cluster_name(self.base),
                cluster: self.cluster_name(self.target),
            });
        }
        Ok(())
    }

    fn bound_elsewhere(&self, bound: ClusterIndex, wanted: Lives) -> RouteError {
        RouteError::BoundElsewhere {
            bound: self.cluster_name(bound),
            name: wanted.name,
            cluster: self.cluster_name(wanted.cluster),
            pins: self.pins,
        }
    }

    pub(super) fn cluster_name(&self, cluster: ClusterIndex) -> String {
        self.worker.core.cluster(cluster).name.to_string()
    }

    /// What the configuration says of this user in the cluster of the present command.
    pub(super) fn settings(&self) -> &crate::settings::UserSettings {
        self.identity.settings.at(self.target)
    }
}

fn text_of<'a>(job: &Job<'a>) -> &'a [u8] {
    match &job.prepared {
        Some(prepared) => &prepared.statement.text.text,
        None => job.command.payload().get(1..).unwrap_or_default(),
    }
}
