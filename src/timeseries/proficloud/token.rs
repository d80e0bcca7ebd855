//! The token of the services that ask for name and password with each request.

use std::error::Error;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::{BASE64_STANDARD, Engine};

use crate::timeseries::rest::Credentials;

/// A token of TSD or EWIMA: name and password, `base64(name:password)`.
///
/// It is made of the two, read from text, or from a file that holds that text. `Debug` shows the name alone.
///
/// ```
/// use headwater::timeseries::proficloud::Token;
///
/// let token = Token::new("4f6c1d", "secret")?;
/// assert_eq!(token.expose(), "NGY2YzFkOnNlY3JldA==");
/// // Line ends around it are no part of it, as at the end of a file.
/// let same: Token = "NGY2YzFkOnNlY3JldA==\n".parse()?;
/// assert_eq!(same.name(), "4f6c1d");
/// assert!(!format!("{same:?}").contains("secret"));
/// # Ok::<(), headwater::timeseries::proficloud::TokenError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    text: String,
    name: String,
    password: String,
}

/// Why something is no token. It does not say what was there instead.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum TokenError {
    /// The name is empty.
    NoName,
    /// A name with a colon would end at it.
    NameWithColon,
    /// There is nothing but white space.
    Empty,
    /// It is not in base64.
    NotBase64 {
        /// Which of its characters is none of base64, counted from 0, where it is one.
        place: Option<usize>,
    },
    /// What is in it is no text in UTF-8.
    NotText,
    /// There is no colon between name and password.
    NoColon,
    /// The file can't be read.
    File(PathBuf, Arc<std::io::Error>),
    /// There is no token in the file.
    InFile(PathBuf, Box<TokenError>),
}

impl Token {
    /// Of a name (an account's id, or EWIMA's uuid) and a password.
    ///
    /// # Errors
    /// If the name is empty, or has a colon in it.
    #[doc(alias = "generateToken")]
    pub fn new(name: impl Into<String>, password: impl Into<String>) -> Result<Token, TokenError> {
        let (name, password) = (name.into(), password.into());
        if name.is_empty() {
            return Err(TokenError::NoName);
        }
        if name.contains(':') {
            return Err(TokenError::NameWithColon);
        }
        Ok(Token {
            text: BASE64_STANDARD.encode(format!("{name}:{password}")),
            name,
            password,
        })
    }

    /// From a file that holds its text, and nothing else but white space around it.
    ///
    /// # Errors
    /// If the file can't be read, or there is no token in it.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Token, TokenError> {
        let path = path.as_ref();
        let unreadable = |error| TokenError::File(path.to_owned(), Arc::new(error));
        let text = fs::read_to_string(path).map_err(unreadable)?;
        let in_file = |error| TokenError::InFile(path.to_owned(), Box::new(error));
        text.parse().map_err(in_file)
    }

    /// The name: what stands before the colon.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its text, to be kept in a safe place: it is as good as the password.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    pub(super) fn credentials(&self) -> Credentials {
        Credentials::Encoded {
            token: self.text.clone(),
            password: self.password.clone(),
        }
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Token, TokenError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(TokenError::Empty);
        }
        // Some leave out what only fills up the end.
        let config = GeneralPurposeConfig::new();
        let config = config.with_decode_padding_mode(DecodePaddingMode::Indifferent);
        let decoded = GeneralPurpose::new(&STANDARD, config).decode(text);
        let decoded = decoded.map_err(|error| TokenError::NotBase64 {
            place: match error {
                base64::DecodeError::InvalidByte(place, _) => Some(place),
                _ => None,
            },
        })?;
        let decoded = String::from_utf8(decoded).map_err(|_| TokenError::NotText)?;
        let (name, password) = decoded.split_once(':').ok_or(TokenError::NoColon)?;
        if name.is_empty() {
            return Err(TokenError::NoName);
        }
        Ok(Token {
            text: text.to_owned(),
            name: name.to_owned(),
            password: password.to_owned(),
        })
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TokenError::NoName => f.write_str("the token's name is empty"),
            TokenError::NameWithColon => f.write_str(
                "a token's name can't have a colon, as that stands between name and password",
            ),
            TokenError::Empty => f.write_str("there is no token: the text is blank"),
            TokenError::NotBase64 { place: Some(place) } => write!(
                f,
                "the token is not in base64: its character {place} is none of that; `Token::new` makes one of a \
                 name and a password"
            ),
            TokenError::NotBase64 { place: None } => {
                f.write_str("the token is not in base64: its end is missing")
            }
            TokenError::NotText => f.write_str("the token holds no text in UTF-8"),
            TokenError::NoColon => f.write_str(
                "the token holds no `name:password`: make one of the two by `Token::new`",
            ),
            TokenError::File(path, error) => {
                write!(
                    f,
                    "the token's file {} can't be read: {error}",
                    path.display()
                )
            }
            TokenError::InFile(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl Error for TokenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            TokenError::File(_, error) => Some(&**error),
            _ => None,
        }
    }
}
