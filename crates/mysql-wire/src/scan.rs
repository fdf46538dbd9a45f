//! The heart of the relay: finds its way through a response by packet headers and first bytes alone.
//!
//! Rows and column definitions are never decoded, waited for or copied; the few packets that steer a session (OK, ERR,
//! EOF, a wish for a local file, a prepared statement's head) are shown to the caller whole. The scanner keeps no
//! bytes. It must be told the capabilities of the connection that the bytes come from.

use crate::capability::Capabilities;
use crate::frame::{HEADER, Header, MAX_PAYLOAD};
use crate::malformed::Malformed;
use crate::reader::Reader;
use crate::status::StatusFlags;

/// What a response looks like, by the command that it answers.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum ResponseKind {
    /// `COM_QUERY` and `COM_PROCESS_INFO`: any number of results, or a wish for a file in between.
    Query,
    /// `COM_STMT_EXECUTE` and `COM_STMT_BULK_EXECUTE`: the same with binary rows, or the head of a cursor.
    Execute,
    /// `COM_STMT_FETCH`: rows without a head.
    Fetch,
    /// `COM_STMT_PREPARE`: an OK of its own kind, definitions of parameters and of columns.
    Prepare,
    /// `COM_FIELD_LIST`: definitions up to an EOF.
    FieldList,
    /// `COM_BINLOG_DUMP`: events, each behind a zero byte, up to an EOF that may never come.
    BinlogDump,
    /// `COM_STATISTICS`: one packet of text.
    Statistics,
    /// One packet, OK, ERR or EOF: the other commands.
    Simple,
}

/// What a packet that was shown to the caller is.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum SteerKind {
    /// An OK, also the one with header 0xFE that ends rows: [`crate::ok::Ok::parse`] reads it.
    Ok,
    /// An error; the response ends with it.
    Err,
    /// An EOF that ends a result: [`crate::eof::Eof::parse`] reads it.
    Eof,
    /// An EOF between definitions and what follows them.
    MetadataEof,
    /// The server wants the file named behind the first byte; its OK or ERR comes after the file.
    LocalInfile,
    /// The head of a prepared statement: [`crate::stmt::PrepareOk::parse`] reads it.
    PrepareOk,
    /// A progress report: [`crate::err::Progress::parse`] reads it.
    Progress,
}

/// A packet for the caller to look at: `buf[forward..end]`, header included.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Steering {
    pub kind: SteerKind,
    /// Where the packet ends in the buffer; the next scan begins there.
    pub end: usize,
}

/// What a buffer turned out to hold.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Scanned {
    /// `buf[..forward]` may be relayed untouched.
    pub forward: usize,
    /// A whole packet behind them to look at. Without one, what is behind `forward` is the beginning of a packet: keep
    /// it and scan it again with more bytes behind.
    pub steering: Option<Steering>,
    /// The response is complete with these bytes. Anything behind them does not belong to it.
    pub done: bool,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum State {
    /// In front of a result.
    First,
    Definitions,
    DefinitionsEnd,
    Rows,
    Done,
}

/// Scans one response, in as many pieces as it arrives in.
#[derive(Clone, Debug)]
pub struct ResponseScanner {
    kind: ResponseKind,
    state: State,
    deprecate_eof: bool,
    /// Whether the last packet was of the greatest length, so that the next one continues it.
    continued: bool,
    seq: u8,
    /// Bytes of the present packet that have not arrived yet.
    skip: usize,
    definitions: u64,
    /// Prepare: the definitions of columns that follow those of parameters.
    columns: u16,
    rows: u64,
    result_sets: u64,
    may_open_cursor: bool,
}

impl ResponseScanner {
    /// A scanner for one response of a connection with `caps`.
    pub fn new(kind: ResponseKind, caps: Capabilities) -> Self {
        let state = match kind {
            ResponseKind::Fetch | ResponseKind::FieldList | ResponseKind::BinlogDump => State::Rows,
            _ => State::First,
        };
        let deprecate_eof = caps.contains(Capabilities::DEPRECATE_EOF);
        ResponseScanner {
            kind,
            state,
            deprecate_eof,
            continued: false,
            seq: 0,
            skip: 0,
            definitions: 0,
            columns: 0,
            rows: 0,
            result_sets: 0,
            may_open_cursor: true,
        }
    }

    /// Says that the execution did not ask for a cursor, so that none can have been opened.
    #[must_use]
    pub fn without_cursor(mut self) -> Self {
        self.may_open_cursor = false;
        self
    }

    /// Rows of the present result set, or of the last one (definitions, for a field list; events, for a binary log).
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Result sets begun so far.
    pub fn result_sets(&self) -> u64 {
        self.result_sets
    }

    /// Whether the definitions of the first result set, and what ends them, have been seen.
    pub fn is_past_definitions(&self) -> bool {
        self.result_sets > 1 || self.result_sets == 1 && matches!(self.state, State::Rows | State::Done)
    }

    /// Sequence number of the last packet seen.
    pub fn last_seq(&self) -> u8 {
        self.seq
    }

    /// Whether the whole response has been seen.
    pub fn is_done(&self) -> bool {
        self.state == State::Done && self.skip == 0 && !self.continued
    }

    /// Whether bytes of a packet that was forwarded in part are still to come. Nothing may be put in between.
    pub fn is_inside_packet(&self) -> bool {
        self.skip > 0
    }

    /// Looks at the bytes that come next. See [`Scanned`] for what to do with them.
    pub fn scan(&mut self, buf: &[u8]) -> Result<Scanned, Malformed> {
        let mut at = self.skip.min(buf.len());
        self.skip -= at;
        if self.skip > 0 {
            return Ok(self.without_steering(at));
        }
        loop {
            if self.state == State::Rows && !self.continued {
                at = self.pass_rows(buf, at);
            }
            if self.is_done() {
                return Ok(self.without_steering(at));
            }
            let rest = buf.get(at..).unwrap_or_default();
            let Some(header) = Header::parse(rest) else { return Ok(self.without_steering(at)) };
            match self.step(header, rest)? {
                Step::Incomplete => return Ok(self.without_steering(at)),
                Step::Steer(kind) => return Ok(self.with_steering(kind, at, header)),
                Step::Pass => at = self.pass(header, at, buf.len()),
            }
            if self.skip > 0 {
                return Ok(self.without_steering(at));
            }
        }
    }

    fn without_steering(&self, forward: usize) -> Scanned {
        Scanned { forward, steering: None, done: self.is_done() }
    }

    fn with_steering(&mut self, kind: SteerKind, at: usize, header: Header) -> Scanned {
        self.seq = header.seq;
        let end = at + HEADER + header.len;
        Scanned { forward: at, steering: Some(Steering { kind, end }), done: self.is_done() }
    }

    /// Passes a packet that is of no interest, whole or as far as it is there, and gives the place behind it.
    fn pass(&mut self, header: Header, at: usize, available: usize) -> usize {
        self.seq = header.seq;
        self.continued = header.len == MAX_PAYLOAD;
        let end = at + HEADER + header.len;
        self.skip = end.saturating_sub(available);
        end - self.skip
    }

    /// The tight loop: passes rows that are whole, short and plainly rows, and leaves all else to [`Self::step`].
    #[inline]
    fn pass_rows(&mut self, buf: &[u8], mut at: usize) -> usize {
        let mut rows = 0;
        let mut last = None;
        while let Some(&[a, b, c, seq, first]) = buf.get(at..).and_then(|rest| rest.first_chunk::<5>()) {
            let len = u32::from_le_bytes([a, b, c, 0]) as usize;
            let end = at + HEADER + len;
            if first >= 0xFE || len == 0 || len == MAX_PAYLOAD || end > buf.len() {
                break;
            }
            rows += 1;
            last = Some(seq);
            at = end;
        }
        self.rows += rows;
        self.seq = last.unwrap_or(self.seq);
        at
    }

    /// Decides about one packet; `rest` begins with its header.
    fn step(&mut self, header: Header, rest: &[u8]) -> Result<Step, Malformed> {
        if self.continued {
            return Ok(Step::Pass);
        }
        let first = match rest.get(HEADER) {
            Some(&first) if header.len > 0 => first,
            None if header.len > 0 => return Ok(Step::Incomplete),
            _ => return self.step_empty(),
        };
        if first == 0xFF {
            return self.steer(SteerKind::Err, header, rest);
        }
        match self.state {
            State::First => self.step_first(first, header, rest),
            State::Definitions => self.step_definition(first),
            State::DefinitionsEnd if first == 0xFE => self.steer(SteerKind::MetadataEof, header, rest),
            State::Rows if first == 0xFE && self.is_end_of_rows(header.len) => {
                self.steer(self.end_kind(), header, rest)
            }
            State::Rows => {
                self.rows += 1;
                Ok(Step::Pass)
            }
            State::DefinitionsEnd | State::Done => Err(malformed("no EOF behind the definitions")),
        }
    }

    /// A packet without payload can only be a row, or statistics of nothing.
    fn step_empty(&mut self) -> Result<Step, Malformed> {
        match (self.state, self.kind) {
            (State::Rows, _) => self.rows += 1,
            (State::First, ResponseKind::Statistics) => self.state = State::Done,
            _ => return Err(malformed("empty packet")),
        }
        Ok(Step::Pass)
    }

    fn step_first(&mut self, first: u8, header: Header, rest: &[u8]) -> Result<Step, Malformed> {
        use ResponseKind::{Execute, Prepare, Query, Simple, Statistics};
        match (self.kind, first) {
            (Statistics, _) => {
                self.state = State::Done;
                Ok(Step::Pass)
            }
            (Prepare, 0x00) => self.steer(SteerKind::PrepareOk, header, rest),
            (Prepare, _) => Err(malformed("not the head of a prepared statement")),
            (_, 0x00) => self.steer(SteerKind::Ok, header, rest),
            (_, 0xFE) => self.steer(self.end_kind(), header, rest),
            (Query | Execute, 0xFB) => self.steer(SteerKind::LocalInfile, header, rest),
            (Simple, _) => Err(malformed("neither OK nor error")),
            _ => self.step_column_count(header, rest),
        }
    }

    fn step_column_count(&mut self, header: Header, rest: &[u8]) -> Result<Step, Malformed> {
        if header.len > LONGEST_COLUMN_COUNT {
            return Err(malformed("not a column count"));
        }
        let Some(payload) = rest.get(HEADER..HEADER + header.len) else { return Ok(Step::Incomplete) };
        self.definitions = Reader::new(payload, PACKET).lenenc_int()?;
        if self.definitions == 0 {
            return Err(malformed("a result set without columns"));
        }
        self.rows = 0;
        self.result_sets += 1;
        self.state = State::Definitions;
        Ok(Step::Pass)
    }

    fn step_definition(&mut self, first: u8) -> Result<Step, Malformed> {
        if first == 0xFE {
            return Err(malformed("fewer definitions than announced"));
        }
        self.definitions = self.definitions.saturating_sub(1);
        if self.definitions == 0 {
            self.end_definitions();
        }
        Ok(Step::Pass)
    }

    /// All definitions of a group have been seen.
    fn end_definitions(&mut self) {
        self.state = match (self.deprecate_eof, self.kind) {
            (false, _) => State::DefinitionsEnd,
            (true, ResponseKind::Prepare) => self.next_group(),
            (true, _) => State::Rows,
        };
    }

    /// Prepare: columns come behind parameters, the end behind columns.
    fn next_group(&mut self) -> State {
        self.definitions = u64::from(std::mem::take(&mut self.columns));
        if self.definitions > 0 { State::Definitions } else { State::Done }
    }

    /// Whether a packet in the place of a row that begins with 0xFE ends the rows. A row that does is one whose first
    /// value has 16 MiB or more, so that the packet has the greatest length.
    fn is_end_of_rows(&self, len: usize) -> bool {
        len < if self.deprecate_eof { MAX_PAYLOAD } else { crate::eof::Eof::MAX_LEN }
    }

    /// A binary log ends with a plain EOF under every capability (tried on MariaDB 10.11).
    fn end_kind(&self) -> SteerKind {
        if self.deprecate_eof && self.kind != ResponseKind::BinlogDump {
            SteerKind::Ok
        } else {
            SteerKind::Eof
        }
    }

    /// A packet for the caller: waits until it is whole, and takes from it where the response goes on.
    fn steer(&mut self, kind: SteerKind, header: Header, rest: &[u8]) -> Result<Step, Malformed> {
        if header.len == MAX_PAYLOAD {
            return Err(malformed("status packet of 16 MiB"));
        }
        let Some(payload) = rest.get(HEADER..HEADER + header.len) else { return Ok(Step::Incomplete) };
        let mut reader = Reader::new(payload, PACKET);
        reader.u8()?;
        match kind {
            SteerKind::Err => return self.after_error(reader),
            SteerKind::Ok => return self.after_ok(reader),
            SteerKind::Eof | SteerKind::MetadataEof => {
                reader.u16()?;
                return Ok(Step::Steer(self.after_eof(kind, StatusFlags(reader.u16()?))));
            }
            SteerKind::PrepareOk => self.after_prepare(reader)?,
            SteerKind::LocalInfile | SteerKind::Progress => self.state = State::First,
        }
        Ok(Step::Steer(kind))
    }

    fn after_error(&mut self, mut reader: Reader<'_>) -> Result<Step, Malformed> {
        if reader.u16()? == crate::err::PROGRESS_CODE {
            return Ok(Step::Steer(SteerKind::Progress));
        }
        self.state = State::Done;
        Ok(Step::Steer(SteerKind::Err))
    }

    fn after_ok(&mut self, mut reader: Reader<'_>) -> Result<Step, Malformed> {
        reader.lenenc_int()?;
        reader.lenenc_int()?;
        self.end_result(StatusFlags(reader.u16()?));
        Ok(Step::Steer(SteerKind::Ok))
    }

    fn after_eof(&mut self, kind: SteerKind, status: StatusFlags) -> SteerKind {
        // A procedure's own cursor leaves the flag in the metadata of results that have rows: more results follow then,
        // and nobody asked for a cursor.
        let opens_cursor = self.kind == ResponseKind::Execute
            && self.may_open_cursor
            && status.contains(StatusFlags::CURSOR_EXISTS)
            && !status.contains(StatusFlags::MORE_RESULTS);
        if kind == SteerKind::Eof || opens_cursor {
            self.end_result(status);
            return SteerKind::Eof;
        }
        self.state = if self.kind == ResponseKind::Prepare { self.next_group() } else { State::Rows };
        SteerKind::MetadataEof
    }

    fn after_prepare(&mut self, mut reader: Reader<'_>) -> Result<(), Malformed> {
        reader.u32()?; // the statement's id
        self.columns = reader.u16()?;
        self.definitions = u64::from(reader.u16()?);
        self.state = if self.definitions > 0 { State::Definitions } else { self.next_group() };
        Ok(())
    }

    /// The end of one result: of the response, or in front of the next.
    fn end_result(&mut self, status: StatusFlags) {
        let several = matches!(self.kind, ResponseKind::Query | ResponseKind::Execute);
        let more = several && status.contains(StatusFlags::MORE_RESULTS);
        self.state = if more { State::First } else { State::Done };
    }
}

/// What to do with a packet.
enum Step {
    Pass,
    Steer(SteerKind),
    /// Too little of it is there to know.
    Incomplete,
}

const PACKET: &str = "response";

/// A number, and room for the flag that newer protocols put behind it.
const LONGEST_COLUMN_COUNT: usize = 10;

fn malformed(reason: &'static str) -> Malformed {
    Malformed::new(PACKET, reason)
}
