//! The data key: how personal columns are sealed and found again.
//!
//! One random 32-byte key in a file of mode 0600. From it, HKDF-SHA-256 (RFC 5869) derives one key for sealing
//! (XChaCha20-Poly1305, a random 24-byte nonce each) and one for keyed hashes (HMAC-SHA-256). The associated data
//! of a sealed value is its table, column and row, so that a value copied to another place does not open.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit, Payload},
};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

const KEY_LEN: usize = 32;
const NONCE_LEN: usize = 24;
const KEY_ID_LEN: usize = 4;
/// Bytes kept of a keyed hash: 128 bits, so that 21 million people do not collide.
const HASH_LEN: usize = 16;
const FILE_PREFIX: &str = "weir-data-key-1 ";

/// What went wrong with the data key or a sealed value.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// There is data, but no key file.
    #[error(
        "the data key {} is missing, and without it the stored data cannot be read. Put the file back, \
         or name its place in security.data_key_file", .0.display()
    )]
    Missing(PathBuf),
    /// The file is there but cannot be read or written.
    #[error("the data key {}: {source}", path.display())]
    Io {
        /// The key file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file's content is no key.
    #[error("{} is not a data key: expected a line that begins with \"weir-data-key-1\"", .0.display())]
    Malformed(PathBuf),
    /// The key file exists, but another one sealed this store.
    #[error("the data key {} does not belong to this store. Use the key file that was made with it", .0.display())]
    Wrong(PathBuf),
    /// A key rotation was begun and not finished.
    #[error("a key rotation was not finished: run `weir key rotate` again, it goes on where it stopped")]
    RotationUnfinished,
    /// A sealed value does not open: it was changed, moved, or sealed with another key.
    #[error(
        "a stored value of {0} does not open with the data key: it was changed, or another key sealed it"
    )]
    Sealed(&'static str),
}

struct Derived {
    id: [u8; KEY_ID_LEN],
    aead: XChaCha20Poly1305,
    mac: Hmac<Sha256>,
}

impl Derived {
    fn new(key: &[u8; KEY_LEN]) -> Self {
        let hkdf = Hkdf::<Sha256>::new(Some(b"weir"), key);
        let derive = |info: &[u8]| {
            let mut out = Zeroizing::new([0u8; KEY_LEN]);
            hkdf.expand(info, out.as_mut_slice())
                .expect("32 bytes are within HKDF's limit");
            out
        };
        let mut id = [0u8; KEY_ID_LEN];
        hkdf.expand(b"key id", &mut id)
            .expect("4 bytes are within HKDF's limit");
        let sealing = derive(b"sealing");
        let hashing = derive(b"hashing");
        Self {
            id,
            aead: XChaCha20Poly1305::new(sealing.as_slice().try_into().expect("the key has 32 bytes")),
            mac: <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(hashing.as_slice())
                .expect("HMAC takes any length"),
        }
    }
}

/// Seals, opens and hashes with the data key. Never printed.
pub struct Keys {
    current: Derived,
    /// While a rotation runs, the key being left behind.
    previous: Option<Derived>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(***)")
    }
}

impl Keys {
    /// Reads the key file: the current key first and, in mid-rotation, the previous one after it.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(KeyError::Missing(path.into()));
            }
            Err(source) => {
                return Err(KeyError::Io {
                    path: path.into(),
                    source,
                });
            }
        };
        let mut keys = text.lines().filter(|line| !line.trim().is_empty()).map(|line| {
            let encoded = line.trim().strip_prefix(FILE_PREFIX)?;
            let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(encoded.trim()).ok()?);
            Some(Derived::new(bytes.as_slice().try_into().ok()?))
        });
        let malformed = || KeyError::Malformed(path.into());
        let current = keys.next().flatten().ok_or_else(malformed)?;
        let previous = match keys.next() {
            None => None,
            Some(key) => Some(key.ok_or_else(malformed)?),
        };
        Ok(Self { current, previous })
    }

    /// Makes a new key file, mode 0600. Fails if the file exists.
    pub fn create(path: &Path) -> Result<Self, KeyError> {
        write_private(path, &new_key_line(), true).map_err(|source| KeyError::Io {
            path: path.into(),
            source,
        })?;
        Self::read(path)
    }

    /// Puts a new key before the present one in the file, unless a rotation is under way already.
    pub fn begin_rotation(path: &Path) -> Result<Self, KeyError> {
        if Self::read(path)?.previous.is_none() {
            let io_error = |source| KeyError::Io {
                path: path.into(),
                source,
            };
            let present = Zeroizing::new(fs::read_to_string(path).map_err(io_error)?);
            let both = Zeroizing::new(format!("{}{}", new_key_line().as_str(), present.as_str()));
            replace_private(path, &both).map_err(io_error)?;
        }
        Self::read(path)
    }

    /// Takes the previous key out of the file: everything is sealed with the current one.
    pub fn end_rotation(path: &Path) -> Result<(), KeyError> {
        let io_error = |source| KeyError::Io {
            path: path.into(),
            source,
        };
        let text = Zeroizing::new(fs::read_to_string(path).map_err(io_error)?);
        let first = text
            .lines()
            .next()
            .ok_or_else(|| KeyError::Malformed(path.into()))?;
        replace_private(path, &Zeroizing::new(format!("{first}\n"))).map_err(io_error)
    }

    /// The current key's public name, kept in the store.
    pub fn id(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.current.id)
    }

    /// The name of the key being left behind, in mid-rotation.
    pub fn previous_id(&self) -> Option<String> {
        self.previous.as_ref().map(|key| URL_SAFE_NO_PAD.encode(key.id))
    }

    /// Encrypts a value of `column` (`table.column`) in `row`.
    pub fn seal(&self, column: &'static str, row: i64, plain: &[u8]) -> String {
        let mut nonce = [0u8; NONCE_LEN];
        rand::fill(&mut nonce[..]);
        let aad = format!("{column}.{row}");
        let sealed = self
            .current
            .aead
            .encrypt(
                &XNonce::from(nonce),
                Payload {
                    msg: plain,
                    aad: aad.as_bytes(),
                },
            )
            .expect("the buffer grows as needed");
        let mut out = Vec::with_capacity(KEY_ID_LEN + NONCE_LEN + sealed.len());
        out.extend_from_slice(&self.current.id);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        URL_SAFE_NO_PAD.encode(out)
    }

    /// Decrypts what [`Keys::seal`] made for the same column and row.
    pub fn open(&self, column: &'static str, row: i64, sealed: &str) -> Result<Vec<u8>, KeyError> {
        let fault = || KeyError::Sealed(column);
        let bytes = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| fault())?;
        let (id, rest) = bytes.split_at_checked(KEY_ID_LEN).ok_or_else(fault)?;
        let (nonce, text) = rest.split_at_checked(NONCE_LEN).ok_or_else(fault)?;
        let key = std::iter::once(&self.current)
            .chain(&self.previous)
            .find(|key| key.id == id)
            .ok_or_else(fault)?;
        let aad = format!("{column}.{row}");
        let nonce: [u8; NONCE_LEN] = nonce.try_into().map_err(|_| fault())?;
        key.aead
            .decrypt(
                &XNonce::from(nonce),
                Payload {
                    msg: text,
                    aad: aad.as_bytes(),
                },
            )
            .map_err(|_| fault())
    }

    /// The value is sealed with the current key, not with the one being left behind.
    pub fn is_current(&self, sealed: &str) -> bool {
        URL_SAFE_NO_PAD
            .decode(sealed)
            .is_ok_and(|bytes| bytes.starts_with(&self.current.id))
    }

    /// [`Keys::open`] for text.
    pub fn open_text(&self, column: &'static str, row: i64, sealed: &str) -> Result<String, KeyError> {
        String::from_utf8(self.open(column, row, sealed)?).map_err(|_| KeyError::Sealed(column))
    }

    /// Keyed hash of a value, to find it by. `purpose` keeps hashes of different columns apart.
    pub fn hash(&self, purpose: &str, value: &[u8]) -> String {
        let mut mac = self.current.mac.clone();
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(value);
        URL_SAFE_NO_PAD.encode(&mac.finalize().into_bytes()[..HASH_LEN])
    }
}

fn new_key_line() -> Zeroizing<String> {
    let mut key = Zeroizing::new([0u8; KEY_LEN]);
    rand::fill(&mut key[..]);
    Zeroizing::new(format!(
        "{FILE_PREFIX}{}\n",
        URL_SAFE_NO_PAD.encode(key.as_slice())
    ))
}

/// Writes a file that only its owner may read.
fn write_private(path: &Path, text: &str, must_be_new: bool) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options
        .write(true)
        .create(true)
        .truncate(true)
        .create_new(must_be_new);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Replaces a private file whole: a crash leaves the old one or the new one.
fn replace_private(path: &Path, text: &str) -> io::Result<()> {
    let beside = path.with_extension("key-new");
    write_private(&beside, text, false)?;
    fs::rename(&beside, path)?;
    // The rename itself must outlive a power cut before anything is sealed with the new key.
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => fs::File::open(folder)?.sync_all(),
        _ => fs::File::open(".")?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_opens_only_in_its_own_place() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let keys = Keys::create(&folder.path().join("k")).expect("creates");
        let sealed = keys.seal("contacts.address", 7, b"+8619900000001");
        assert_eq!(
            keys.open("contacts.address", 7, &sealed).expect("opens"),
            b"+8619900000001"
        );
        assert!(keys.open("contacts.address", 8, &sealed).is_err(), "another row");
        assert!(
            keys.open("residents.personal", 7, &sealed).is_err(),
            "another column"
        );
        assert!(keys.open("contacts.address", 7, "").is_err());
        assert_ne!(
            sealed,
            keys.seal("contacts.address", 7, b"+8619900000001"),
            "each sealing has its own nonce"
        );
    }

    #[test]
    fn the_key_file_is_private_and_never_overwritten() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("k");
        let keys = Keys::create(&path).expect("creates");
        assert!(Keys::create(&path).is_err());
        assert_eq!(Keys::read(&path).expect("reads").id(), keys.id());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&path).expect("exists").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn in_mid_rotation_both_keys_open_and_the_new_one_seals() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("k");
        let old = Keys::create(&path).expect("creates");
        let sealed = old.seal("bodies.body", 1, b"hello");
        let both = Keys::begin_rotation(&path).expect("begins");
        assert_eq!(both.previous_id(), Some(old.id()));
        assert_eq!(
            both.open("bodies.body", 1, &sealed).expect("old value opens"),
            b"hello"
        );
        let again = Keys::begin_rotation(&path).expect("goes on");
        assert_eq!(
            again.id(),
            both.id(),
            "a second start goes on with the same new key"
        );
        Keys::end_rotation(&path).expect("ends");
        let new = Keys::read(&path).expect("reads");
        assert_eq!((new.id(), new.previous_id()), (both.id(), None));
        assert!(new.open("bodies.body", 1, &sealed).is_err());
    }
}
