//! Names of things: small checked newtypes that every layer shares.
//!
//! A string that could be an account, a family or a digest is a bug waiting for a careful reader; each has a type of its
//! own here, prints in one documented form, parses only that form, and says little in `Debug`. Weakness: 64 bits name a
//! family, so some two of 10⁸ families share a name with probability 3·10⁻⁴; the names are keyed, so nobody
//! outside can make two that do.

use std::fmt;
use std::str::FromStr;

/// A BLAKE3 digest, 32 bytes; prints as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The first 16 bytes as a number: the key of in-memory maps.
    #[must_use]
    pub fn short(&self) -> u128 {
        let mut first = [0; 16];
        first.copy_from_slice(&self.0[..16]);
        u128::from_be_bytes(first)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({:02x}{:02x}{:02x}{:02x}…)", self.0[0], self.0[1], self.0[2], self.0[3])
    }
}

impl FromStr for Digest {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let mut bytes = [0; 32];
        hex_into(text, &mut bytes).map(|()| Self(bytes))
    }
}

/// Fills `bytes` from exactly twice as many lower-case hex digits.
fn hex_into(text: &str, bytes: &mut [u8]) -> Result<(), ()> {
    let digits = text.as_bytes();
    let lower = |d: &u8| d.is_ascii_digit() || (b'a'..=b'f').contains(d);
    if digits.len() != 2 * bytes.len() || !digits.iter().all(lower) {
        return Err(());
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let value = |d: u8| if d.is_ascii_digit() { d - b'0' } else { d - b'a' + 10 };
        *byte = 16 * value(pair[0]) + value(pair[1]);
    }
    Ok(())
}

/// Keyed pseudonym of a billed identity (or of an end user): 12 bytes of a keyed BLAKE3; prints as `a` and 24 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId([u8; 12]);

impl AccountId {
    /// The pseudonym of `name` under `key`: the same name and key give the same pseudonym in every store.
    ///
    /// # Example
    /// ```
    /// use stillhunt::ids::AccountId;
    /// let id = AccountId::derive(&[7; 32], "customer-1");
    /// assert_eq!(id, AccountId::derive(&[7; 32], "customer-1"));
    /// assert_ne!(id, AccountId::derive(&[8; 32], "customer-1"));
    /// assert_eq!(id.to_string().len(), 25);
    /// ```
    #[must_use]
    pub fn derive(key: &[u8; 32], name: &str) -> Self {
        let full = blake3::keyed_hash(key, name.as_bytes());
        let mut bytes = [0; 12];
        bytes.copy_from_slice(&full.as_bytes()[..12]);
        Self(bytes)
    }

    /// The raw pseudonym, as the store keeps it.
    #[must_use]
    pub fn bytes(&self) -> [u8; 12] {
        self.0
    }

    /// A pseudonym read back from a store.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 12]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for AccountId {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let mut bytes = [0; 12];
        hex_into(text.strip_prefix('a').ok_or(())?, &mut bytes).map(|()| Self(bytes))
    }
}

/// How the requests of a family resemble one another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The same digest of the folded prompt.
    Exact,
    /// The same digest of the folded system prompt.
    System,
    /// Accepted by the judge of near-duplicates.
    NearDuplicate,
    /// A shared run of text inside prompts that differ.
    Fragment,
}

impl Level {
    /// The word used in files and on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::System => "system",
            Self::NearDuplicate => "near-duplicate",
            Self::Fragment => "fragment",
        }
    }
}

impl FromStr for Level {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Exact, Self::System, Self::NearDuplicate, Self::Fragment]
            .into_iter()
            .find(|l| l.word() == text)
            .ok_or(())
    }
}

/// Which text of a request is meant. Each is a source of fragments of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// The prompt.
    Prompt,
    /// The system prompt.
    System,
    /// An earlier turn of the user.
    Turn,
}

impl Field {
    /// All of them, in order of their numbers.
    pub const ALL: [Self; 3] = [Self::Prompt, Self::System, Self::Turn];

    /// The word used in files and on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Prompt => "prompt",
            Self::System => "system",
            Self::Turn => "turn",
        }
    }

    /// Its number in tables.
    #[must_use]
    pub fn number(self) -> u32 {
        self as u32
    }

    /// The field with this number.
    #[must_use]
    pub fn of_number(number: u32) -> Option<Self> {
        Self::ALL.get(number as usize).copied()
    }
}

impl fmt::Debug for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Name of a family: its level and 8 bytes of a keyed digest of the folded text that leads it, so a family has the same name
/// however the logs were split into nights, and nobody without the store's key can craft two texts that share one.
/// Prints as `x`, `s`, `n` or `f` and 16 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FamilyId {
    /// What makes its requests alike.
    pub level: Level,
    /// Start of the keyed digest of the leading folded text.
    pub lead: [u8; 8],
}

impl FamilyId {
    /// The family that the text with this digest leads, in the store with this naming key.
    #[must_use]
    pub fn derive(key: &[u8; 32], level: Level, lead: &Digest) -> Self {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&blake3::keyed_hash(key, &lead.0).as_bytes()[..8]);
        Self { level, lead: bytes }
    }
}

impl fmt::Display for FamilyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.level {
            Level::Exact => "x",
            Level::System => "s",
            Level::NearDuplicate => "n",
            Level::Fragment => "f",
        })?;
        self.lead.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for FamilyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for FamilyId {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let level = match text.as_bytes().first() {
            Some(b'x') => Level::Exact,
            Some(b's') => Level::System,
            Some(b'n') => Level::NearDuplicate,
            Some(b'f') => Level::Fragment,
            _ => return Err(()),
        };
        let mut lead = [0; 8];
        hex_into(&text[1..], &mut lead).map(|()| Self { level, lead })
    }
}

/// Microseconds since 1970-01-01T00:00:00 UTC; prints as RFC 3339 with a `Z`.
///
/// Range: the years 1 to 9999, so that every value prints; [`Time::new`] refuses others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

impl Time {
    /// A checked moment; `None` outside the years 1 to 9999.
    ///
    /// # Example
    /// ```
    /// use stillhunt::ids::Time;
    /// assert_eq!(Time::new(1_700_000_000_000_000).unwrap().to_string(), "2023-11-14T22:13:20Z");
    /// assert!(Time::new(i64::MAX).is_none());
    /// ```
    #[must_use]
    pub fn new(micros: i64) -> Option<Self> {
        (-62_135_596_800_000_000..=253_402_207_200_000_000).contains(&micros).then_some(Self(micros))
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub fn micros(self) -> i64 {
        self.0
    }

    /// Days since the epoch, in UTC.
    #[must_use]
    pub fn day(self) -> i64 {
        self.0.div_euclid(86_400_000_000)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stamp = jiff::Timestamp::from_microsecond(self.0).map_err(|_| fmt::Error)?;
        write!(f, "{stamp}")
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

macro_rules! as_text {
    ($($name:ty),*) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                out.collect_str(self)
            }
        }
    )*};
}
as_text!(Digest, AccountId, FamilyId, Time);

impl serde::Serialize for Field {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(self.word())
    }
}

impl serde::Serialize for Level {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_print_and_parse_one_form() {
        let digest = Digest::of(b"a text");
        assert_eq!(digest.to_string().parse::<Digest>(), Ok(digest));
        let account = AccountId::derive(&[1; 32], "someone");
        assert_eq!(account.to_string().parse::<AccountId>(), Ok(account));
        for level in [Level::Exact, Level::System, Level::NearDuplicate, Level::Fragment] {
            let family = FamilyId::derive(&[2; 32], level, &digest);
            assert_eq!(family.to_string().parse::<FamilyId>(), Ok(family));
            assert_eq!(level.word().parse::<Level>(), Ok(level));
        }
        for bad in ["", "x", "x12", "z0123456789abcdef", "x0123456789ABCDEF", "xé123456789abcde"] {
            assert_eq!(bad.parse::<FamilyId>(), Err(()), "{bad}");
        }
    }
}
