//! What an RFC 3161 token says: which bytes it is about, and when it says that they were there.
//!
//! The token is read far enough to hold its imprint against the envelope. Its signature is not checked here: that takes X.509, RSA and
//! elliptic curves, which `openssl ts -verify` has and [`super::verify`] asks for by name. So that no byte of a token can be changed all the
//! same, the signer of the bundle signs its digest ([`super::TOKEN_ENVELOPE`]). Source: RFC 3161, RFC 5652. Weakness: without openssl's check a token
//! is what the signer says it is. Guarantee: any bytes give a value or an error; nothing is allocated by a length that a token claims.

use super::wrong;
use crate::error::Result;
use sha2::Digest as _;

const SEQUENCE: u8 = 0x30;
const OCTETS: u8 = 0x04;
const INTEGER: u8 = 0x02;
const OID: u8 = 0x06;
const SET: u8 = 0x31;
const EXPLICIT: u8 = 0xa0;
const TIME: u8 = 0x18;

/// Signed data of CMS, and the timestamp inside.
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
const TST_INFO: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 0x10, 1, 4];
const SHA256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
const SHA384: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2];
const SHA512: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3];

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The moment, as the authority wrote it: `20261129182000Z`.
    pub time: String,
    hash: Vec<u8>,
    imprint: Vec<u8>,
}

/// DER, read from the front.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The content of the next value, which must be of this kind.
    fn next(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (&got, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
                (digits.iter().fold(0usize, |sum, &b| sum << 8 | usize::from(b)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        (got == tag).then(|| self.0 = rest)?;
        Some(content)
    }

    fn inside(&mut self, tag: u8) -> Option<Self> {
        self.next(tag).map(Der)
    }
}

fn parse(bytes: &[u8]) -> Option<Stamp> {
    let mut response = Der(bytes).inside(SEQUENCE)?;
    // A response begins with its status, a bare token with what it is.
    let mut token = match response.0.first() {
        Some(&OID) => Der(bytes).inside(SEQUENCE)?,
        _ => {
            let status = response.inside(SEQUENCE)?.next(INTEGER)?;
            if !matches!(status, [0 | 1]) {
                return None;
            }
            response.inside(SEQUENCE)?
        }
    };
    let is_signed = token.next(OID)? == SIGNED_DATA;
    let mut signed = token.inside(EXPLICIT)?.inside(SEQUENCE)?;
    signed.next(INTEGER)?;
    signed.next(SET)?;
    let mut content = signed.inside(SEQUENCE)?;
    let is_stamp = content.next(OID)? == TST_INFO;
    let mut info = Der(content.inside(EXPLICIT)?.next(OCTETS)?).inside(SEQUENCE)?;
    info.next(INTEGER)?;
    info.next(OID)?;
    let mut imprint = info.inside(SEQUENCE)?;
    let hash = imprint.inside(SEQUENCE)?.next(OID)?.to_vec();
    let imprint = imprint.next(OCTETS)?.to_vec();
    info.next(INTEGER)?;
    let time = std::str::from_utf8(info.next(TIME)?).ok()?;
    let plain = (10..=30).contains(&time.len()) && time.bytes().all(|b| b.is_ascii_digit() || b".Z".contains(&b));
    (is_signed && is_stamp && plain).then(|| Stamp { time: time.to_owned(), hash, imprint })
}

impl Stamp {
    /// Reads a token or a response that holds one (`.tsr`).
    /// # Errors
    /// `Input` when it is none, or the authority refused.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        parse(bytes).ok_or_else(|| wrong("expected a granted RFC 3161 response in DER, got something else"))
    }

    /// Whether it is about these bytes.
    /// # Errors
    /// `Input` when it is about others, or names another digest than SHA-256, SHA-384 or SHA-512.
    pub fn covers(&self, bytes: &[u8]) -> Result<()> {
        let digest = match self.hash.as_slice() {
            SHA256 => sha2::Sha256::digest(bytes).to_vec(),
            SHA384 => sha2::Sha384::digest(bytes).to_vec(),
            SHA512 => sha2::Sha512::digest(bytes).to_vec(),
            _ => return Err(wrong("expected a token over SHA-256, SHA-384 or SHA-512, got another digest")),
        };
        if digest == self.imprint {
            return Ok(());
        }
        Err(wrong("expected a token over the envelope of this bundle, got one over other bytes"))
    }
}
