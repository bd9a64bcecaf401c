//! A value that could not be sent, handed back.

use crate::error::Error;
use std::fmt;

/// A message that was not sent, with the reason: what [`Sender::send`](crate::Sender::send) and
/// [`Queue::put`](crate::Queue::put) fail with.
///
/// The value comes back whole: ends of pipes inside of it have stayed, too.
///
/// ```
/// let (sender, receiver) = mp::pipe::<String>()?;
/// drop(receiver);
/// let refused = sender.send("hello".into()).unwrap_err();
/// assert!(refused.error().is_closed());
/// assert_eq!(refused.into_inner(), "hello");
/// # Ok::<(), mp::Error>(())
/// ```
pub struct SendError<T> {
    value: T,
    error: Error,
}

impl<T> SendError<T> {
    pub(super) fn new(value: T, error: Error) -> Self {
        Self { value, error }
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.value
    }

    /// Why it was not sent: [`ErrorKind::Closed`](crate::ErrorKind::Closed) if nobody will read it,
    /// [`ErrorKind::Full`](crate::ErrorKind::Full) if there is no room now.
    pub fn error(&self) -> &Error {
        &self.error
    }
}

impl<T> From<SendError<T>> for Error {
    fn from(refused: SendError<T>) -> Self {
        refused.error
    }
}

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.error, f)
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error, f)
    }
}

impl<T> std::error::Error for SendError<T> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.error)
    }
}
