//! A telnet connection: how far it was written, and what came back.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A line that is longer is none: nobody collects more of it.
const LONGEST_LINE: usize = 64 * 1024;

/// What tells that the receiver has read everything.
#[derive(Debug, Clone, Copy)]
pub(super) enum Until<'a> {
    /// Nothing does: it is enough that the system took it.
    Written,
    /// This answer.
    Answer(&'a [u8]),
    /// The receiver closes after we did.
    Closed,
}

/// A connection to a receiver.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    /// What was read, and is not yet a line.
    inbox: Vec<u8>,
    /// Lines that were not the answer, and so are complaints.
    complaints: Vec<String>,
    /// How much of what is being written was taken by the system.
    written: usize,
    /// The last byte written is not the end of a line.
    within_line: bool,
    ended: bool,
}

impl Wire {
    /// Looks the address up, and connects.
    pub(super) async fn connect(address: &str, patience: Duration) -> io::Result<Wire> {
        let connecting = TcpStream::connect(address);
        let stream = timeout(patience, connecting)
            .await
            .unwrap_or_else(|_| Err(slow(patience)))?;
        stream.set_nodelay(true)?;
        Ok(Wire {
            stream,
            inbox: Vec::new(),
            complaints: Vec::new(),
            written: 0,
            within_line: false,
            ended: false,
        })
    }

    /// Writes, and waits for what tells that it was read; meanwhile reads, so that neither side waits
    /// for the other. It fails if for so long nothing moves.
    pub(super) async fn exchange(
        &mut self,
        out: &[u8],
        until: Until<'_>,
        patience: Duration,
    ) -> io::Result<()> {
        self.written = 0;
        let mut answered = false;
        let mut shut = false;
        loop {
            let all = self.written == out.len();
            if all && !shut && matches!(until, Until::Closed) {
                self.stream.shutdown().await?;
                shut = true;
            }
            match until {
                Until::Written if all => return Ok(()),
                Until::Answer(_) if all && answered => return Ok(()),
                Until::Closed if all && self.ended => return Ok(()),
                _ if self.ended => return Err(io::ErrorKind::UnexpectedEof.into()),
                _ => {}
            }
            let interest = match all {
                true => Interest::READABLE,
                false => Interest::READABLE | Interest::WRITABLE,
            };
            let ready = timeout(patience, self.stream.ready(interest)).await;
            let ready = ready.unwrap_or_else(|_| Err(slow(patience)))?;
            if ready.is_readable() {
                self.read()?;
                answered |= self.sort(match until {
                    Until::Answer(answer) => answer,
                    _ => &[],
                });
            }
            if ready.is_writable() && !all {
                match self.stream.try_write(&out[self.written..]) {
                    Ok(taken) => {
                        self.written += taken;
                        let last = self.written.checked_sub(1);
                        self.within_line = last.is_some_and(|last| out[last] != b'\n');
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }

    /// Everything that comes back until the receiver closes, for text that is written and closed after.
    pub(super) async fn ask(mut self, out: &[u8], patience: Duration) -> io::Result<String> {
        self.exchange(out, Until::Closed, patience).await?;
        let mut text = std::mem::take(&mut self.complaints).concat();
        text.push_str(&String::from_utf8_lossy(&self.inbox));
        Ok(text)
    }

    /// Reads what there is; says whether the connection can still be used.
    pub(super) fn is_open(&mut self) -> bool {
        let open = self.read().is_ok() && !self.ended;
        self.sort(&[]);
        open
    }

    /// How much the system took of what was written last.
    pub(super) fn written(&self) -> usize {
        self.written
    }

    /// What the receiver said besides answers, without line breaks.
    pub(super) fn complaints(&mut self) -> Vec<String> {
        let rest = String::from_utf8_lossy(&self.inbox).into_owned();
        if self.ended && !rest.is_empty() {
            self.inbox.clear();
            self.complaints.push(rest);
        }
        let lines = std::mem::take(&mut self.complaints).into_iter();
        lines.map(|line| line.trim_end().to_owned()).collect()
    }

    fn read(&mut self) -> io::Result<()> {
        let mut chunk = [0; 4096];
        while !self.ended {
            match self.stream.try_read(&mut chunk) {
                Ok(0) => self.ended = true,
                Ok(count) => self.inbox.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes lines out of the inbox; says whether the answer was among them.
    fn sort(&mut self, answer: &[u8]) -> bool {
        let mut answered = false;
        loop {
            if !answer.is_empty() && self.inbox.starts_with(answer) {
                self.inbox.drain(..answer.len());
                answered = true;
            } else if answer.starts_with(&self.inbox) {
                return answered;
            } else if let Some(end) = self.inbox.iter().position(|&byte| byte == b'\n') {
                self.complain(end + 1);
            } else if self.inbox.len() > LONGEST_LINE {
                self.complain(LONGEST_LINE);
            } else {
                return answered;
            }
        }
    }

    fn complain(&mut self, end: usize) {
        let line: Vec<u8> = self.inbox.drain(..end).collect();
        self.complaints
            .push(String::from_utf8_lossy(&line).into_owned());
    }
}

/// Half of a line must not be read as a whole one: a receiver that finds the connection closed in order
/// may take the last line as it stands, `host=ab` for `host=abc`. It is broken off instead.
impl Drop for Wire {
    fn drop(&mut self) {
        if self.within_line {
            // Nothing can be done if that fails, and the connection is then broken already.
            let _ = self.stream.set_zero_linger();
        }
    }
}

fn slow(patience: Duration) -> io::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        format!("nothing moved for {patience:?}"),
    )
}
