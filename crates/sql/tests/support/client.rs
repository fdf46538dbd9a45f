//! The least of a client: raw statements over a socket, and the error that the server answered.

#![allow(clippy::expect_used, reason = "a test's own connection: a failure is the test's")]

use std::io::{self, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

const CLIENT_PROTOCOL_41: u32 = 1 << 9;
const CLIENT_SECURE_CONNECTION: u32 = 1 << 15;
const CLIENT_MULTI_STATEMENTS: u32 = 1 << 16;
const CLIENT_MULTI_RESULTS: u32 = 1 << 17;
const CLIENT_PLUGIN_AUTH: u32 = 1 << 19;
const CLIENT_CONNECT_WITH_DB: u32 = 1 << 3;

const MORE_RESULTS: u16 = 8;

pub(crate) struct Client {
    stream: BufReader<UnixStream>,
}

/// Number and text of a server's error.
#[derive(Debug)]
pub(crate) struct ServerError {
    pub(crate) number: u16,
    pub(crate) message: String,
}

/// What a statement gave: the first column of the first row, or the error.
pub(crate) type Outcome = Result<Option<String>, ServerError>;

impl Client {
    /// Logs in without a password.
    pub(crate) fn connect(socket: &Path, user: &str, schema: &str) -> io::Result<Self> {
        let mut client = Self { stream: BufReader::new(UnixStream::connect(socket)?) };
        let _greeting = client.read()?;
        let capabilities = CLIENT_PROTOCOL_41
            | CLIENT_SECURE_CONNECTION
            | CLIENT_MULTI_STATEMENTS
            | CLIENT_MULTI_RESULTS
            | CLIENT_PLUGIN_AUTH
            | if schema.is_empty() { 0 } else { CLIENT_CONNECT_WITH_DB };
        let mut login = capabilities.to_le_bytes().to_vec();
        login.extend(0x0100_0000_u32.to_le_bytes());
        login.push(45);
        login.extend([0; 23]);
        login.extend(user.as_bytes());
        login.extend([0, 0]);
        if !schema.is_empty() {
            login.extend(schema.as_bytes());
            login.push(0);
        }
        login.extend(b"mysql_native_password\0");
        client.write(1, &login)?;
        match client.read()?.first() {
            Some(0) => Ok(client),
            other => Err(io::Error::other(format!("login was answered with {other:?}"))),
        }
    }

    /// Runs a text and reads all of its results.
    pub(crate) fn run(&mut self, text: &[u8]) -> Outcome {
        let mut command = vec![3];
        command.extend(text);
        self.write(0, &command).expect("the server takes a command");
        self.results()
    }

    /// COM_RESET_CONNECTION.
    pub(crate) fn reset(&mut self) {
        self.write(0, &[31]).expect("the server takes a command");
        self.results().expect("a connection can be reset");
    }

    fn results(&mut self) -> Outcome {
        let mut value = None;
        loop {
            let packet = self.read().expect("the server answers");
            let status = match packet.first() {
                Some(0xff) => return Err(error(&packet)),
                Some(0) => ok_status(&packet),
                _ => {
                    let (first, status) = self.rows()?;
                    value = value.or(first);
                    status
                }
            };
            if status & MORE_RESULTS == 0 {
                return Ok(value);
            }
        }
    }

    /// Reads column definitions and rows; the first value, and the final status.
    fn rows(&mut self) -> Result<(Option<String>, u16), ServerError> {
        let mut value = None;
        let mut ends = 0;
        loop {
            let packet = self.read().expect("the server answers");
            match packet.first() {
                Some(0xff) => return Err(error(&packet)),
                Some(0xfe) if packet.len() < 9 => {
                    ends += 1;
                    if ends == 2 {
                        return Ok((value, u16::from_le_bytes([packet[3], packet[4]])));
                    }
                }
                _ if ends == 1 && value.is_none() => value = Some(first_value(&packet)),
                _ => {}
            }
        }
    }

    fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut header = [0; 4];
        self.stream.read_exact(&mut header)?;
        let length = u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize;
        let mut packet = vec![0; length];
        self.stream.read_exact(&mut packet)?;
        Ok(packet)
    }

    fn write(&mut self, sequence: u8, body: &[u8]) -> io::Result<()> {
        let mut packet = (body.len() as u32).to_le_bytes();
        packet[3] = sequence;
        let mut bytes = packet.to_vec();
        bytes.extend(body);
        self.stream.get_mut().write_all(&bytes)
    }
}

fn error(packet: &[u8]) -> ServerError {
    ServerError {
        number: u16::from_le_bytes([packet[1], packet[2]]),
        message: String::from_utf8_lossy(&packet[9.min(packet.len())..]).into_owned(),
    }
}

/// The status behind the two length-encoded counts of an OK packet.
fn ok_status(packet: &[u8]) -> u16 {
    let mut at = 1;
    for _ in 0..2 {
        at += match packet[at] {
            0xfc => 3,
            0xfd => 4,
            0xfe => 9,
            _ => 1,
        };
    }
    u16::from_le_bytes([packet[at], packet[at + 1]])
}

fn first_value(row: &[u8]) -> String {
    match row.first() {
        Some(0xfb) | None => "NULL".to_owned(),
        Some(&length) => {
            String::from_utf8_lossy(&row[1..(1 + usize::from(length)).min(row.len())]).into_owned()
        }
    }
}
