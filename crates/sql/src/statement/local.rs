//! Common table expressions: names in the place of a table that are none.

use super::Words;
use crate::keyword::Keyword as K;
use crate::lex::Kind;

/// A name, and the tokens between which it means the expression.
struct Scope {
    name: String,
    from: usize,
    to: usize,
}

/// The names that `WITH` clauses of a statement define.
pub(super) struct LocalNames(Vec<Scope>);

impl LocalNames {
    /// Names that are kept. What is beyond is reported as a table, which is the safe side.
    const MOST: usize = 64;

    pub(super) fn of(words: Words<'_>) -> Self {
        let mut scopes = Vec::new();
        if !words.has(K::With) {
            return Self(scopes);
        }
        let closes = words.pairs();
        let mut open = Vec::new();
        for at in 0..words.len() {
            match words.kind(at) {
                Some(Kind::Punct(b'(')) => open.push(at),
                Some(Kind::Punct(b')')) => drop(open.pop()),
                _ if words.is(at, K::With) && scopes.len() < Self::MOST => {
                    let enclosing = open.last().and_then(|open| closes.get(*open));
                    let to = enclosing.copied().filter(|close| *close > 0).unwrap_or(words.len());
                    clause(words, at, &closes, to, &mut scopes);
                }
                _ => {}
            }
        }
        scopes.truncate(Self::MOST);
        Self(scopes)
    }

    /// Whether an unqualified name at `at` is one of them. Compared as written, as servers with case-sensitive tables do:
    /// taken for a table, a name is reported, which is the safe side.
    pub(super) fn covers(&self, at: usize, name: &str) -> bool {
        self.0.iter().any(|scope| (scope.from..scope.to).contains(&at) && scope.name == name)
    }
}

/// `WITH [RECURSIVE] name [(columns)] AS (…), …`. An expression is known behind its own text and to the end of the
/// parenthesis that the clause stands in; a recursive one from the beginning of the clause.
fn clause(words: Words<'_>, with: usize, closes: &[usize], to: usize, scopes: &mut Vec<Scope>) {
    let recursive = words.says(with + 1, "recursive");
    let mut at = with + 1 + usize::from(recursive);
    while let Some(name) = words.name(at) {
        let columns = if words.punct(at + 1, b'(') { closes.get(at + 1).copied().unwrap_or(0) } else { at };
        let body = columns + 2;
        if !words.is(columns + 1, K::As) || !words.punct(body, b'(') {
            return;
        }
        let Some(end) = closes.get(body).copied().filter(|end| *end > body) else { return };
        scopes.push(Scope { name, from: if recursive { with } else { end }, to });
        if !words.punct(end + 1, b',') {
            return;
        }
        at = end + 2;
    }
}
