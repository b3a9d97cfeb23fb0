//! What an answer says when it cannot say what was asked: one status, one object with a code for programs, a sentence and a hint for people.
//!
//! The idea: what a caller did wrong is told in full; what went wrong inside is told as such, and its cause goes to the server's log with the
//! number of the request. Guarantee: every answer of the API that is not a success has this form.

use crate::error::{Error, ErrorKind};
use serde_json::{Value, json};

/// An answer that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) hint: Option<String>,
    /// Seconds after which it is worth asking again.
    pub(super) again: Option<u32>,
    /// What goes to the log only.
    pub(super) cause: Option<String>,
}

/// All statuses that an answer may have beside its own, with what they mean; the document of the API lists them.
pub(super) const STATUSES: [(u16, &str); 12] = [
    (401, "No token, or none that is good"),
    (403, "The role may not, or the request does not show that it comes from the desk's own page"),
    (404, "There is nothing of this name"),
    (405, "Another method is expected"),
    (408, "The request did not come in time"),
    (413, "The request is too large"),
    (415, "Something else than JSON was sent"),
    (422, "A value is missing or not as it should be"),
    (429, "Too many requests at once or in a short time"),
    (431, "The headers are too large"),
    (500, "Something went wrong inside"),
    (503, "The store is busy or not ready"),
];

impl Fault {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), hint: None, again: None, cause: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(super) fn again(mut self, seconds: u32) -> Self {
        self.again = Some(seconds);
        self
    }

    /// Something of the store that is not there, or that this role is not told of: both look alike.
    pub(super) fn unknown(message: impl Into<String>) -> Self {
        Self::new(404, "not_found", message)
    }

    /// A value that is not as it should be.
    pub(super) fn value(message: impl Into<String>) -> Self {
        Self::new(422, "invalid", message)
    }

    /// What went wrong inside, told to nobody but the log.
    pub(super) fn inside(cause: impl Into<String>) -> Self {
        let fault = Self::new(
            500,
            "internal",
            "the answer could not be made; the server's log says why, under the number of this request",
        );
        Self { cause: Some(cause.into()), ..fault }
    }

    /// The object that is sent.
    pub(super) fn body(&self) -> Value {
        json!({ "error": { "code": self.code, "message": self.message, "hint": self.hint } })
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error.kind() {
            ErrorKind::Input | ErrorKind::Config => {
                Self { hint: error.hint_text().map(str::to_owned), ..Self::value(message) }
            }
            ErrorKind::Store if message.starts_with("the store is being written by") => {
                Self::new(503, "store_busy", "another writer holds the store, the nightly job perhaps")
                    .hint("nothing was written; send it again when the writer has ended")
                    .again(30)
            }
            _ => Self::inside(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_wrong_inside_is_not_told() {
        let fault = Fault::from(Error::new(ErrorKind::Io, "cannot read /secret/place: no"));
        assert_eq!(fault.status, 500);
        assert!(!fault.body().to_string().contains("secret"));
        assert_eq!(fault.cause.as_deref(), Some("cannot read /secret/place: no"));
    }

    #[test]
    fn what_a_caller_did_is_told_with_its_hint() {
        let fault = Fault::from(Error::new(ErrorKind::Input, "expected a model").hint("name one"));
        assert_eq!((fault.status, fault.hint.as_deref()), (422, Some("name one")));
        let busy = Fault::from(Error::new(ErrorKind::Store, "the store is being written by process 7"));
        assert_eq!((busy.status, busy.again), (503, Some(30)));
        assert!(!busy.body().to_string().contains("process 7"));
    }
}
