//! The schemes by name, with their fields and defaults: what `watermark schemes` prints and what a key file opens.

use super::Scheme;
use super::fields::Fields;
use crate::error::{Error, ErrorKind, Result};

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

/// All schemes, in the order in which they are listed.
pub const ALL: &[About] = &[
    super::native::green_list::ABOUT,
    super::native::gumbel::ABOUT,
    super::native::tournament::ABOUT,
    super::kgw_transformers::ABOUT,
    super::synthid_transformers::ABOUT,
    super::synthid_text::ABOUT,
    super::gumbel_vllm::ABOUT,
    super::dual_key_vllm::ABOUT,
    super::kgw_lm::ABOUT,
    super::three_bricks::openai::ABOUT,
    super::three_bricks::maryland::ABOUT,
    super::unigram::ABOUT,
    super::textseal::GREEN_LIST,
    super::textseal::GUMBEL_MAX,
    super::textseal::DUAL_KEY,
    super::textseal::SYNTH_ID,
];

/// The scheme that `fields` name.
///
/// # Errors
/// `Config` when there is none of that name.
pub fn find(fields: &Fields) -> Result<&'static About> {
    let (scheme, dialect) = (fields.text("scheme")?, fields.text("dialect")?);
    let fits = |about: &&About| Some(about.scheme) == scheme && Some(about.dialect) == dialect;
    ALL.iter().find(fits).ok_or_else(|| {
        Error::new(ErrorKind::Config, "expected the scheme and dialect of a known watermark, got another pair")
            .hint("stillhunt watermark schemes lists them")
    })
}

/// Opens the scheme that `fields` name.
///
/// # Errors
/// `Config` when there is none of that name, or its fields are wrong, missing or too many.
pub fn open(fields: &Fields) -> Result<(&'static About, Opened)> {
    let about = find(fields)?;
    let opened = (about.open)(fields)?;
    fields.done()?;
    Ok((about, opened))
}
