//! The classifier as it is stored and applied: a softmax regression over weighted pieces of a text.

use std::collections::HashMap;

use super::features::{KIND_WEIGHTS, KINDS, Piece};
use crate::domain::Intent;

/// The classes: every intent, with `human` and `none` among them.
pub(super) const CLASSES: usize = Intent::ALL.len();
/// Begins the file of weights; the digit changes with the form.
const MAGIC: &[u8; 8] = b"weir-u01";
/// Rarity is stored in steps of this.
const RARITY_STEP: f32 = 0.05;
/// A piece that training has not seen counts like a rare one, so that strange texts are sure of nothing.
pub(super) const UNSEEN: f32 = 0.5;

/// One weight for each class.
pub(super) type Row = [f32; CLASSES];

/// The weights of every known piece.
#[derive(Debug)]
pub(super) struct Model {
    rows: HashMap<u32, u32>,
    /// How telling a piece is, by row.
    rarities: Vec<u8>,
    weights: Vec<[i8; CLASSES]>,
    scale: f32,
    biases: Row,
    rarest: f32,
    /// Of the data the weights were made from.
    pub fingerprint: u64,
}

/// What each class is given, as parts of 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shares(pub Row);

impl Shares {
    /// The largest share, and whose it is.
    pub(super) fn best(&self) -> (usize, f32) {
        let mut best = (0, self.0[0]);
        for (class, share) in self.0.iter().enumerate() {
            if *share > best.1 {
                best = (class, *share);
            }
        }
        best
    }

    pub(super) fn of(&self, intent: Intent) -> f32 {
        self.0[intent as usize]
    }
}

/// The weight of each piece of a text, by its row; those without a row are `None`.
pub(super) fn weighted<T: Copy>(
    pieces: &[Piece],
    known: impl Fn(u32) -> Option<(T, f32)>,
    rarest: f32,
) -> Vec<(T, f32)> {
    let mut squares = [0.0_f32; KINDS];
    let mut found = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let kind = usize::from(piece.kind);
        match known(piece.hash) {
            Some((row, rarity)) => {
                squares[kind] += rarity * rarity;
                found.push((row, rarity, kind));
            }
            None => squares[kind] += UNSEEN * rarest * UNSEEN * rarest,
        }
    }
    let present: f32 = (0..KINDS)
        .filter(|kind| squares[*kind] > 0.0)
        .map(|kind| KIND_WEIGHTS[kind] * KIND_WEIGHTS[kind])
        .sum();
    let factors: Vec<f32> = (0..KINDS)
        .map(|kind| KIND_WEIGHTS[kind] / (squares[kind] * present).sqrt())
        .collect();
    found
        .into_iter()
        .map(|(row, rarity, kind)| (row, rarity * factors[kind]))
        .collect()
}

/// Softmax of the sums.
pub(super) fn shares(sums: &Row) -> Shares {
    let most = sums.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut shares = sums.map(|sum| (sum - most).exp());
    let total: f32 = shares.iter().sum();
    for share in &mut shares {
        *share /= total;
    }
    Shares(shares)
}

impl Model {
    /// Reads what [`Model::store`] wrote.
    pub(super) fn load(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        if reader.take(8)? != MAGIC {
            return None;
        }
        let fingerprint = u64::from_le_bytes(reader.take(8)?.try_into().ok()?);
        let classes = reader.number()? as usize;
        let count = reader.number()? as usize;
        if classes != CLASSES || count > bytes.len() {
            return None;
        }
        let scale = reader.fraction()?;
        let mut biases = [0.0; CLASSES];
        for bias in &mut biases {
            *bias = reader.fraction()?;
        }
        let mut rows = HashMap::with_capacity(count);
        for row in 0..count {
            rows.insert(reader.number()?, row as u32);
        }
        let rarities = reader.take(count)?.to_vec();
        let mut weights = Vec::with_capacity(count);
        for row in reader.take(count * CLASSES)?.chunks_exact(CLASSES) {
            let row: [u8; CLASSES] = row.try_into().ok()?;
            weights.push(row.map(|weight| weight as i8));
        }
        let rarest = rarities.iter().copied().max().map_or(1.0, rarity);
        Some(Self {
            rows,
            rarities,
            weights,
            scale,
            biases,
            rarest,
            fingerprint,
        })
    }

    /// The file's bytes.
    pub(super) fn store(trained: &Trained, fingerprint: u64) -> Vec<u8> {
        let largest = trained
            .rows
            .iter()
            .flat_map(|(_, _, row)| row)
            .fold(0.0_f32, |a, b| a.max(b.abs()));
        let scale = largest.max(f32::MIN_POSITIVE) / 127.0;
        let mut bytes = MAGIC.to_vec();
        bytes.extend(fingerprint.to_le_bytes());
        bytes.extend((CLASSES as u32).to_le_bytes());
        bytes.extend((trained.rows.len() as u32).to_le_bytes());
        bytes.extend(scale.to_le_bytes());
        for bias in trained.biases {
            bytes.extend(bias.to_le_bytes());
        }
        for (piece, _, _) in &trained.rows {
            bytes.extend(piece.to_le_bytes());
        }
        for (_, rarity, _) in &trained.rows {
            bytes.push((rarity / RARITY_STEP).round().clamp(1.0, 255.0) as u8);
        }
        for (_, _, row) in &trained.rows {
            bytes.extend(row.map(|weight| ((weight / scale).round().clamp(-127.0, 127.0) as i8) as u8));
        }
        bytes
    }

    pub(super) fn classify(&self, pieces: &[Piece]) -> Shares {
        let known = |piece: u32| {
            let row = *self.rows.get(&piece)? as usize;
            Some((row, rarity(self.rarities[row])))
        };
        let mut sums = self.biases;
        for (row, weight) in weighted(pieces, known, self.rarest) {
            let weight = weight * self.scale;
            for (sum, stored) in sums.iter_mut().zip(&self.weights[row]) {
                *sum += weight * f32::from(*stored);
            }
        }
        shares(&sums)
    }
}

/// What training gives.
pub(super) struct Trained {
    /// Each piece with its rarity and its weights.
    pub rows: Vec<(u32, f32, Row)>,
    pub biases: Row,
}

fn rarity(stored: u8) -> f32 {
    f32::from(stored) * RARITY_STEP
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn fraction(&mut self) -> Option<f32> {
        Some(f32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }
}
