//! A blocking client over the crate's own parts: it logs in, sends commands, and gives back raw responses.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use mysql_wire::{
    Assembler, Capabilities, ClientLogin, LoginRequest, LoginStep, ResponseKind, ResponseScanner, Secret,
    Session, SteerKind, write_packet,
};

pub(crate) struct Client {
    stream: UnixStream,
    pub(crate) session: Session,
}

/// A login as root with `capabilities`, which tests change where they want something else.
pub(crate) fn root(capabilities: Capabilities) -> LoginRequest {
    LoginRequest {
        user: b"root".to_vec(),
        secret: Secret::None,
        database: None,
        capabilities,
        collation: 45,
        max_packet: 64 << 20,
        attributes: Vec::new(),
    }
}

impl Client {
    pub(crate) fn connect(socket: &Path, request: LoginRequest) -> Result<Client> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let mut login = ClientLogin::new(request);
        let session = loop {
            let (payload, seq) = read_packet(&mut stream)?;
            match login.handle(&payload)? {
                LoginStep::Send(answer) => {
                    let mut out = Vec::new();
                    write_packet(&mut out, &mut seq.wrapping_add(1), &answer);
                    stream.write_all(&out)?;
                }
                LoginStep::Wait => {}
                LoginStep::Done(session) => break session,
            }
        };
        Ok(Client { stream, session })
    }

    /// Sends a command without waiting for anything.
    pub(crate) fn send(&mut self, payload: &[u8]) -> Result<()> {
        let mut out = Vec::new();
        write_packet(&mut out, &mut 0, payload);
        Ok(self.stream.write_all(&out)?)
    }

    /// Sends a command and gives back every byte of its response.
    pub(crate) fn command(&mut self, kind: ResponseKind, payload: &[u8]) -> Result<Vec<u8>> {
        self.send(payload)?;
        self.response(kind, b"")
    }

    /// A statement as text.
    pub(crate) fn query(&mut self, sql: &str) -> Result<Vec<u8>> {
        self.command(ResponseKind::Query, &text_command(0x03, sql.as_bytes()))
    }

    /// A statement of which only success is of interest.
    pub(crate) fn run(&mut self, sql: &str) -> Result<()> {
        let response = self.query(sql)?;
        ensure!(response.get(4) != Some(&0xFF), "{sql}: {}", String::from_utf8_lossy(&response));
        Ok(())
    }

    /// Reads a response; `file` is what is sent if the server asks for one.
    pub(crate) fn response(&mut self, kind: ResponseKind, file: &[u8]) -> Result<Vec<u8>> {
        let mut scanner = ResponseScanner::new(kind, self.session.capabilities);
        let (mut response, mut at) = (Vec::new(), 0);
        let mut chunk = vec![0; 1 << 20];
        loop {
            let scanned = scanner.scan(response.get(at..).unwrap_or_default())?;
            at += scanned.steering.map_or(scanned.forward, |steering| steering.end);
            if scanned.done {
                ensure!(at == response.len(), "bytes behind the end of the response");
                return Ok(response);
            }
            match scanned.steering {
                Some(steering) if steering.kind == SteerKind::LocalInfile => {
                    self.send_file(scanner.last_seq().wrapping_add(1), file)?;
                }
                Some(_) => {}
                None => {
                    let read = self.stream.read(&mut chunk)?;
                    ensure!(read > 0, "connection closed in the middle of a response");
                    response.extend_from_slice(chunk.get(..read).unwrap_or_default());
                }
            }
        }
    }

    fn send_file(&mut self, mut seq: u8, file: &[u8]) -> Result<()> {
        let mut out = Vec::new();
        if !file.is_empty() {
            write_packet(&mut out, &mut seq, file);
        }
        write_packet(&mut out, &mut seq, b"");
        Ok(self.stream.write_all(&out)?)
    }
}

/// A command byte and text behind it.
pub(crate) fn text_command(code: u8, text: &[u8]) -> Vec<u8> {
    [&[code], text].concat()
}

/// One packet, read byte by byte from the socket so that nothing behind it is taken.
fn read_packet(stream: &mut UnixStream) -> Result<(Vec<u8>, u8)> {
    let assembler = Assembler::new(1 << 24);
    let mut buffer = Vec::new();
    loop {
        if let Some(frame) = assembler.next_packet(&buffer)? {
            return Ok((frame.bytes(&buffer).to_vec(), frame.last_seq));
        }
        let mut byte = [0];
        if stream.read(&mut byte)? == 0 {
            bail!("connection closed during the login");
        }
        buffer.extend_from_slice(&byte);
    }
}
