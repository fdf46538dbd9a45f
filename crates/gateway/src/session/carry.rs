//! User variables of a session that rests: read from its connection, kept here, and put on the connection of its next
//! statement. So a session with nothing but user variables does not keep a connection while it is idle, and survives a
//! change of the primary.
//!
//! `information_schema.USER_VARIABLES` names them with type and character set; values are asked for as hexadecimal digits,
//! which come through any character set and `sql_mode` (tried on MariaDB 10.11).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::backend::{Backend, ExchangeError, ascii};

use super::hold::within_epoch;
use super::variables::Assignments;
use super::{End, Pins, Session};
use crate::state::StateSet;

/// More variables than this stay where they are.
const MOST: usize = 64;

/// As do more bytes than this, as text.
const MOST_BYTES: usize = 64 * 1024;

const NAMES: &[u8] =
    b"SELECT HEX(VARIABLE_NAME), VARIABLE_TYPE, CHARACTER_SET_NAME FROM information_schema.USER_VARIABLES \
                       LIMIT 65";

/// A variable's name and kind.
struct Variable {
    name: String,
    kind: String,
    charset: String,
}

impl Session {
    /// Whether nothing but user variables keeps the connection.
    pub(super) fn keeps_variables_only(&self) -> bool {
        self.held.is_some() && self.pins == Pins::USER_VARIABLE
    }

    /// Reads the variables and gives the connection back. What cannot be read stays with its connection. An `Err` ends the
    /// session: the connection broke, or its primary is none any more, and what it had is known to nobody else.
    pub(super) async fn carry_variables(&mut self) -> Result<(), End> {
        self.shared.leasing.store(false, Ordering::SeqCst);
        // Through one of a former epoch nothing is sent: the next statement leaves it.
        if !self.keeps_variables_only() || self.holds_outdated() {
            return Ok(());
        }
        let Some(mut held) = self.held.take() else { return Ok(()) };
        let shared = self.shared.clone();
        shared.begin_epoch();
        let read = within_epoch(&shared, Box::pin(self.read_variables(&mut held))).await;
        match read.unwrap_or(Err(ExchangeError::EpochOver)) {
            Ok(Some(statement)) => {
                self.carried = Some(Assignments::of_all(statement));
                self.pins = Pins::NONE;
                self.shared.pins.store(0, Ordering::Relaxed);
                let core = self.worker.core.clone();
                let intern = |state| core.interner.intern(state);
                let reset = within_epoch(&shared, held.reset(&core.new_connection_state, intern)).await;
                if matches!(reset, Some(Ok(()))) {
                    self.release(held);
                }
                self.shared.set_backend(None);
                self.forget_diagnostics();
            }
            Ok(None) => self.held = Some(held),
            Err(ExchangeError::Refused(error)) => {
                tracing::debug!(session = self.shared.id, %error, "cannot read the user variables of a session");
                self.held = Some(held);
            }
            Err(lost) => {
                drop(held);
                self.shared.set_backend(None);
                let pins = self.forget_connection(None);
                if !pins.leave_nothing() {
                    return Err(End::StateLost(format!("{pins} went with its connection: {lost}")));
                }
            }
        }
        Ok(())
    }

    /// The statement that sets them; `None` if they cannot be carried.
    async fn read_variables(&mut self, backend: &mut Backend) -> Result<Option<Vec<u8>>, ExchangeError> {
        // What the last statement left is overwritten by the questions.
        self.capture(backend).await?;
        let listed = backend.query(NAMES).await?.rows();
        let variables: Vec<_> = listed.into_iter().map_while(variable).collect();
        let count = backend.query(b"SELECT COUNT(*) FROM information_schema.USER_VARIABLES LIMIT 1").await?;
        if count.first_number() != Some(variables.len() as u64) || variables.len() > MOST {
            return Ok(None);
        }
        if variables.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let columns: Vec<_> = variables.iter().map(Variable::columns).collect();
        let question = format!("SELECT {} LIMIT 1", columns.join(", "));
        let values = backend.query(question.as_bytes()).await?.first_row();
        let pairs = values.chunks(2).map(|pair| {
            let text = |at: usize| pair.get(at).and_then(Option::as_deref).map(ascii);
            (text(0), text(1))
        });
        let assigned: Option<Vec<_>> = variables
            .iter()
            .zip(pairs)
            .map(|(variable, (value, collation))| variable.assign(value, collation))
            .collect();
        let statement = assigned.map(|assigned| format!("SET {}", assigned.join(", ")).into_bytes());
        Ok(statement.filter(|statement| statement.len() <= MOST_BYTES))
    }

    /// Puts what is carried on the connection, which is the session's own from then on.
    pub(super) async fn put_variables(&mut self, backend: &mut Backend) -> Result<(), ExchangeError> {
        let Some(carried) = self.carried.clone() else { return Ok(()) };
        let present = backend.state.clone();
        for assignment in carried.iter() {
            if let Some(state) = &assignment.state {
                self.read_as(backend, state).await?;
            }
            backend.query(&assignment.text).await?;
        }
        self.read_as(backend, &present).await?;
        self.carried = None;
        if !carried.is_empty() {
            self.pins.insert(Pins::USER_VARIABLE);
            self.variables = Some(carried);
        }
        Ok(())
    }

    /// Has the connection read texts as under `state`, in the database that it is in.
    async fn read_as(&self, backend: &mut Backend, state: &Arc<StateSet>) -> Result<(), ExchangeError> {
        if *backend.state == **state {
            return Ok(());
        }
        let state = match state.database == backend.state.database {
            true => state.clone(),
            false => {
                let database = backend.state.database.clone();
                self.worker.core.interner.intern(StateSet { database, ..(**state).clone() })
            }
        };
        self.bring_into(backend, &state).await
    }
}

fn variable(row: Vec<Option<Vec<u8>>>) -> Option<Variable> {
    let mut values = row.into_iter().map(|value| value.map(|value| ascii(&value)));
    let mut next = || values.next().flatten();
    let (name, kind, charset) = (next()?, next()?, next()?);
    let bytes: Option<Vec<u8>> =
        (0..name.len()).step_by(2).map(|at| u8::from_str_radix(name.get(at..at + 2)?, 16).ok()).collect();
    let name = String::from_utf8(bytes?).ok()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "_$.".contains(c);
    (!name.is_empty() && name.chars().all(plain)).then_some(Variable { name, kind, charset })
}

impl Variable {
    fn is_text(&self) -> bool {
        self.kind == "VARCHAR"
    }

    /// Value and collation, as expressions.
    fn columns(&self) -> String {
        let name = &self.name;
        match self.is_text() {
            true => format!("HEX(@`{name}`), COLLATION(@`{name}`)"),
            false => format!("CAST(@`{name}` AS CHAR CHARACTER SET ascii), NULL"),
        }
    }

    /// The assignment that gives it this value again; `None` if there is none.
    fn assign(&self, value: Option<String>, collation: Option<String>) -> Option<String> {
        let name = &self.name;
        let Some(value) = value else { return Some(format!("@`{name}`=NULL")) };
        let number = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
        if !self.is_text() && !value.chars().all(number) {
            return None;
        }
        let literal = match self.kind.as_str() {
            "VARCHAR" if self.charset == "binary" => format!("_binary X'{value}'"),
            "VARCHAR" => format!("_{} X'{value}' COLLATE {}", self.charset, collation?),
            "INT" => value,
            "INT UNSIGNED" => format!("CAST({value} AS UNSIGNED)"),
            "DOUBLE" if value.contains(['e', 'E']) => value,
            "DOUBLE" => format!("{value}e0"),
            "DECIMAL" => {
                let scale = value.split_once('.').map_or(0, |(_, digits)| digits.len());
                format!("CAST({value} AS DECIMAL(65,{scale}))")
            }
            _ => return None,
        };
        Some(format!("@`{name}`={literal}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assigned(kind: &str, charset: &str, value: Option<&str>) -> Option<String> {
        let variable = Variable { name: "v".into(), kind: kind.into(), charset: charset.into() };
        variable.assign(value.map(str::to_owned), Some("latin1_german1_ci".into()))
    }

    #[test]
    fn values_come_back_with_their_types() {
        let some = |text: &str| Some(format!("@`v`={text}"));
        assert_eq!(assigned("INT", "latin1", Some("-7")), some("-7"));
        assert_eq!(assigned("INT UNSIGNED", "latin1", Some("7")), some("CAST(7 AS UNSIGNED)"));
        assert_eq!(assigned("DOUBLE", "latin1", Some("2.5")), some("2.5e0"));
        assert_eq!(assigned("DOUBLE", "latin1", Some("1e20")), some("1e20"));
        assert_eq!(assigned("DECIMAL", "latin1", Some("1.50")), some("CAST(1.50 AS DECIMAL(65,2))"));
        assert_eq!(
            assigned("VARCHAR", "latin1", Some("E4")),
            some("_latin1 X'E4' COLLATE latin1_german1_ci")
        );
        assert_eq!(assigned("VARCHAR", "binary", Some("00")), some("_binary X'00'"));
        assert_eq!(assigned("VARCHAR", "binary", None), some("NULL"));
    }

    #[test]
    fn what_is_not_understood_is_not_carried() {
        assert_eq!(assigned("INT", "latin1", Some("1); DROP")), None);
        assert_eq!(assigned("GEOMETRY", "latin1", Some("1")), None);
        let row = |name: &str| variable(vec![Some(name.into()), Some("INT".into()), Some("latin1".into())]);
        assert!(row("61").is_some());
        assert!(row("6160").is_none(), "a backtick in a name");
    }
}
