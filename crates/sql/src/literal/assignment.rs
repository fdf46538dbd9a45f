//! SET of variables, taken apart.

use std::ops::Range;

use super::cursor::Cursor;
use crate::Mode;
use crate::lex::Kind;
use crate::statement::unquote;

/// One `name = value` of a SET.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// What kind of variable.
    pub target: Target,
    /// Its lower-cased name, without `@` and quotes.
    pub name: String,
    /// The bytes of the value.
    pub value_span: Range<usize>,
    /// The value is the word DEFAULT.
    pub is_default: bool,
}

/// What a SET assigns to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// `@name`.
    User,
    /// A system variable.
    System(Scope),
}

/// The scope of a system variable in a SET.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// None was said: the session's.
    Unsaid,
    /// SESSION, LOCAL.
    Session,
    /// GLOBAL.
    Global,
    /// PERSIST, PERSIST_ONLY.
    Persist,
}

/// Parses a SET that is the whole text and only assigns to variables. A scope without `@@` holds for the variables
/// behind it, too, as it does for the server.
pub fn simple_set(sql: &[u8], mode: Mode) -> Option<Vec<Assignment>> {
    let mut cursor = Cursor::new(sql, mode);
    if !cursor.word("SET") || cursor.at_word("STATEMENT") {
        return None;
    }
    let mut assignments = Vec::new();
    let mut carried = Scope::Unsaid;
    loop {
        let (target, name) = target(&mut cursor, &mut carried)?;
        cursor.punct(b':');
        if !cursor.punct(b'=') {
            return None;
        }
        let is_default = cursor.at_word("DEFAULT");
        let value_span = cursor.expression()?;
        let is_default = is_default && value_span.len() == "DEFAULT".len();
        assignments.push(Assignment { target, name, value_span, is_default });
        if !cursor.punct(b',') {
            break;
        }
    }
    cursor.at_end().then_some(assignments)
}

fn target(cursor: &mut Cursor<'_>, carried: &mut Scope) -> Option<(Target, String)> {
    let token = cursor.peek()?;
    match token.kind {
        Kind::UserVariable => {
            let name = user_variable(cursor.bytes(token))?;
            cursor.advance();
            Some((Target::User, name))
        }
        Kind::SystemVariable => {
            cursor.advance();
            let first = cursor.identifier()?.to_ascii_lowercase();
            if !cursor.punct(b'.') {
                return Some((Target::System(Scope::Unsaid), first));
            }
            let name = cursor.identifier()?.to_ascii_lowercase();
            Some((Target::System(scope(&first)?), name))
        }
        Kind::Word | Kind::Quoted => {
            let first = cursor.identifier()?.to_ascii_lowercase();
            if token.kind == Kind::Quoted || cursor.at_punct(b'=') || cursor.at_punct(b':') {
                // SET PASSWORD = … sets an account's password; there is no variable of that name.
                if token.kind == Kind::Word && first == "password" {
                    return None;
                }
                return Some((Target::System(*carried), first));
            }
            *carried = scope(&first)?;
            let name = cursor.identifier()?.to_ascii_lowercase();
            Some((Target::System(*carried), name))
        }
        _ => None,
    }
}

fn scope(word: &str) -> Option<Scope> {
    match word {
        "session" | "local" => Some(Scope::Session),
        "global" => Some(Scope::Global),
        "persist" | "persist_only" => Some(Scope::Persist),
        _ => None,
    }
}

/// The name of `@a`, `` @`a` ``, `@'a'`.
pub(super) fn user_variable(raw: &[u8]) -> Option<String> {
    let name = raw.get(1..)?;
    let name = match name.first() {
        Some(b'`' | b'\'' | b'"') => unquote(name),
        _ => String::from_utf8_lossy(name).into_owned(),
    };
    Some(name.to_lowercase())
}

/// The new value of a text that only sets the session's `autocommit` to a constant.
pub fn set_autocommit(sql: &[u8]) -> Option<bool> {
    let [assignment] = &*simple_set(sql, Mode::default())? else { return None };
    let is_session = matches!(assignment.target, Target::System(Scope::Unsaid | Scope::Session));
    if !is_session || assignment.name != "autocommit" {
        return None;
    }
    let value = sql.get(assignment.value_span.clone())?.to_ascii_lowercase();
    match &*value {
        b"1" | b"on" | b"true" | b"'on'" | b"\"on\"" | b"'1'" | b"default" => Some(true),
        b"0" | b"off" | b"false" | b"'off'" | b"\"off\"" | b"'0'" => Some(false),
        _ => None,
    }
}
