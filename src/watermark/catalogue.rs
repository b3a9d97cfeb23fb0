//! The schemes by name, with their fields and defaults: what `watermark schemes` prints and what a key file opens.

use super::about::{About, Opened};
use super::fields::Fields;
use crate::error::{Error, ErrorKind, Result};

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
    super::gumbel_sglang::SINGLE,
    super::gumbel_sglang::DUAL,
    super::sbw::PACKAGE,
    super::sbw::VLLM,
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
