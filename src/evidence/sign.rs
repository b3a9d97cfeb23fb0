//! Keys and envelopes: ed25519 signatures over statements, in DSSE.
//!
//! Keys are PEM files as openssl and everybody else reads them: PKCS #8 for the private part, SubjectPublicKeyInfo for the public one.
//! Both have a fixed length, so their DER is a fixed head before 32 bytes. The signature covers DSSE's pre-authentication encoding, which
//! binds the type of the payload to it.
//!
//! Source: DSSE 1.0.2 (secure-systems-lab/dsse); RFC 8032; RFC 8410. Weakness: whoever has the private file signs as its owner; the file is
//! readable by its owner only and there is no other protection. Guarantee: an envelope has one form of bytes, so a changed byte is a fault
//! even where it would change no meaning; signatures are verified strictly (no weak keys, no second form of a signature).

use super::wrong;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

/// Head of an ed25519 private key in PKCS #8 (RFC 8410).
const PRIVATE_HEAD: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
/// Head of an ed25519 public key (RFC 8410).
const PUBLIC_HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

/// Longest key file.
pub const LONGEST_KEY: u64 = 4096;
/// What an envelope holds.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

/// The bytes behind a fixed head in a PEM file of one block.
fn unpem(text: &str, label: &str, head: &[u8]) -> Option<[u8; 32]> {
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let inside = text.trim().strip_prefix(&begin)?.strip_suffix(&end)?;
    let packed: String = inside.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let der = STANDARD.decode(packed).ok()?;
    der.strip_prefix(head)?.try_into().ok()
}

/// A key that signs. It never prints.
pub struct SecretKey(SigningKey);

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey(redacted)")
    }
}

impl SecretKey {
    /// The key of 32 random bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&bytes))
    }

    /// Reads a PEM file.
    /// # Errors
    /// `Config` when it is none of an ed25519 private key; the message says nothing of the file's content.
    pub fn from_pem(text: &str) -> Result<Self> {
        unpem(text, "PRIVATE KEY", &PRIVATE_HEAD).map(Self::new).ok_or_else(|| {
            Error::new(ErrorKind::Config, "expected an ed25519 private key in PEM, got something else")
                .hint("stillhunt evidence keygen --out KEY makes one")
        })
    }

    /// The key as a PEM file.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem("PRIVATE KEY", &[&PRIVATE_HEAD[..], &self.0.to_bytes()].concat())
    }

    /// Its public part.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// The envelope of a payload.
    #[must_use]
    pub fn seal(&self, payload: &[u8]) -> Vec<u8> {
        let signature = self.0.sign(&encoding(payload));
        let envelope = Envelope {
            payload_type: PAYLOAD_TYPE.into(),
            payload: STANDARD.encode(payload),
            signatures: vec![Signed { keyid: self.public().id(), sig: STANDARD.encode(signature.to_bytes()) }],
        };
        envelope.write()
    }
}

/// A key that verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Reads a PEM file.
    /// # Errors
    /// `Config` when it is none of an ed25519 public key.
    pub fn from_pem(text: &str) -> Result<Self> {
        let key = unpem(text, "PUBLIC KEY", &PUBLIC_HEAD).and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok());
        key.map(Self).ok_or_else(|| {
            Error::new(ErrorKind::Config, "expected an ed25519 public key in PEM, got something else")
                .hint("stillhunt evidence keygen prints the public part of the key that it makes")
        })
    }

    /// The key as a PEM file.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem("PUBLIC KEY", &[&PUBLIC_HEAD[..], self.0.as_bytes()].concat())
    }

    /// Its name: BLAKE3 of its DER form, in hex.
    #[must_use]
    pub fn id(&self) -> String {
        Digest::of(&[&PUBLIC_HEAD[..], self.0.as_bytes()].concat()).to_string()
    }
}

/// What the signature covers.
fn encoding(payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// A DSSE envelope.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    #[serde(rename = "payloadType")]
    payload_type: String,
    payload: String,
    signatures: Vec<Signed>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    keyid: String,
    sig: String,
}

impl Envelope {
    /// Reads one that is written as this program writes them.
    /// # Errors
    /// `Input` when it is of another form.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let envelope: Self = serde_json::from_slice(bytes)
            .map_err(|cause| wrong(format!("expected a DSSE envelope, got other JSON: {cause}")))?;
        if envelope.payload_type != PAYLOAD_TYPE || envelope.signatures.len() != 1 {
            return Err(wrong(format!("expected one signature over {PAYLOAD_TYPE}, got another envelope")));
        }
        if envelope.write() != bytes {
            return Err(wrong("expected the envelope as it was written, got another form of it"));
        }
        Ok(envelope)
    }

    fn write(&self) -> Vec<u8> {
        (serde_json::to_string_pretty(self).unwrap_or_default() + "\n").into_bytes()
    }

    /// The name of the key that signed it, as it says itself.
    #[must_use]
    pub fn key_id(&self) -> &str {
        self.signatures.first().map_or("", |signed| &signed.keyid)
    }

    /// The payload; nothing is known of who wrote it.
    /// # Errors
    /// `Input` when it is not base64.
    pub fn unverified(&self) -> Result<Vec<u8>> {
        STANDARD.decode(&self.payload).map_err(|_| wrong("expected the payload in base64"))
    }

    /// The payload, if `key` signed it.
    /// # Errors
    /// `Input` when another key did, or the signature does not fit.
    pub fn open(&self, key: &PublicKey) -> Result<Vec<u8>> {
        if self.key_id() != key.id() {
            let got: String = self.key_id().chars().take(64).collect();
            return Err(wrong(format!("expected a signature of the key {}, got one of {got:?}", key.id())));
        }
        let payload = self.unverified()?;
        let bytes = self.signatures.first().and_then(|signed| STANDARD.decode(&signed.sig).ok()).unwrap_or_default();
        let signature = Signature::from_slice(&bytes).map_err(|_| wrong("expected a signature of 64 bytes"))?;
        let verified = key.0.verify_strict(&encoding(&payload), &signature);
        verified.map_err(|_| wrong("expected the signature of this key over this statement, got another"))?;
        Ok(payload)
    }
}
