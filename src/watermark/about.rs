//! What a scheme says of itself: its name, the fields of its key file, and how it is opened.

use super::Scheme;
use super::fields::Fields;
use crate::error::Result;

/// A field of a scheme's key file.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name, as the reference implementation has it where there is one.
    pub name: &'static str,
    /// Its default; none: it must be given.
    pub default: Option<&'static str>,
    /// Meaning, unit and range.
    pub about: &'static str,
}

/// The kind of a secret field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secret {
    /// 32 bytes as 64 hex digits.
    Bytes,
    /// A whole number of so many bits, at most 64.
    Int(u32),
    /// So many whole numbers of so many bits.
    Ints(usize, u32),
    /// Words joined by `-`, of which a fifth is a key: shown without it, never drawn.
    LastPart,
    /// 16 hex digits.
    Hex,
}

/// What is known of a scheme before a key is read.
#[derive(Clone, Copy)]
pub struct About {
    /// Name of the scheme.
    pub scheme: &'static str,
    /// Whose way of doing it.
    pub dialect: &'static str,
    /// Paper or program that it follows.
    pub source: &'static str,
    /// Fields of its key file, beside `scheme` and `dialect`.
    pub fields: &'static [Field],
    /// Which of them are the key, and of what kind.
    pub secret: &'static [(&'static str, Secret)],
    /// Which programs plant it, from which version on.
    pub planted_by: &'static str,
    /// What goes wrong there: where text that should be marked is not, or is not found.
    pub faults: &'static str,
    /// Reads them.
    pub open: fn(&Fields) -> Result<Opened>,
}

/// A scheme with its key, ready to plant and score.
pub struct Opened {
    /// The scheme.
    pub scheme: Box<dyn Scheme>,
    /// Where the key is a library's default or otherwise public: what it is known from.
    pub published: Option<&'static str>,
    /// Whose random generator it follows: `any`, `cpu`, or a CUDA device.
    pub profile: String,
    /// Whether the profile was checked against the device itself, or is computed from its published source only.
    pub predicted: bool,
}

impl Opened {
    /// A scheme whose generator is the same on every machine.
    #[must_use]
    pub fn native(scheme: Box<dyn Scheme>) -> Self {
        Self { scheme, published: None, profile: "any".into(), predicted: false }
    }
}
