//! How a receiver tells that it has read a batch, and how that is found out.

use std::io;
use std::time::Duration;

use super::wire::Wire;

/// A command that receivers answer, and that does nothing else.
pub(super) const QUESTION: &[u8] = b"version\n";

/// How it is found out that the receiver has read a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Confirm {
    /// By [`Version`](Confirm::Version) where the receiver answers it, by [`Close`](Confirm::Close) where
    /// it does not. It is asked before the first batch and after every trouble, on a connection of its
    /// own that carries no points.
    #[default]
    Detect,
    /// The command `version` is sent after each batch. The receiver reads its input in order, so when it
    /// answers it has read the batch. One connection serves for all. OpenTSDB and KairosDB answer.
    Version,
    /// The sink ends its side after each batch, and waits for the receiver to end the other one, which
    /// it does when it is through. That takes a connection a batch, and systems keep a closed one in mind
    /// for a minute: some hundreds of batches a second are the most. VictoriaMetrics needs it. A receiver
    /// that is killed when it has read everything, and stored nothing, looks the same from outside.
    Close,
    /// It is not. A batch is delivered once the system took it; what is under way when the connection
    /// breaks is lost without being counted. For receivers that stay silent and never close.
    Nothing,
}

/// What was found out about the receiver.
#[derive(Debug, Clone)]
pub(super) enum Receiver {
    /// It says this to `version`.
    Answers(Vec<u8>),
    Closes,
    Silent,
}

impl Receiver {
    /// Asks, if that is how it is to be found out.
    pub(super) async fn find_out(
        confirm: Confirm,
        address: &str,
        connect_timeout: Duration,
        patience: Duration,
    ) -> io::Result<Receiver> {
        match confirm {
            Confirm::Close => return Ok(Receiver::Closes),
            Confirm::Nothing => return Ok(Receiver::Silent),
            Confirm::Detect | Confirm::Version => {}
        }
        // Twice: an answer that changes could not be told from complaints.
        let wire = Wire::connect(address, connect_timeout).await?;
        let text = wire.ask(&QUESTION.repeat(2), patience).await?;
        let (one, other) = text.as_bytes().split_at(text.len() / 2);
        // A port for telnet and HTTP takes an unknown command for a request, and says so once or twice.
        let answers = one == other && !one.trim_ascii().is_empty() && !text.starts_with("HTTP/");
        tracing::debug!(address, text, answers, "asked for the version");
        match (answers, confirm) {
            (true, _) => Ok(Receiver::Answers(one.to_vec())),
            (false, Confirm::Version) => Err(io::Error::other(
                "the receiver does not answer `version`: use Confirm::Detect or Confirm::Close",
            )),
            (false, _) => Ok(Receiver::Closes),
        }
    }
}
