//! How the weights are made: softmax regression by AdaGrad, in a fixed order, so that the same data give the same weights.

use std::collections::{BTreeMap, HashMap};

use super::{
    features::{Piece, pieces},
    model::{CLASSES, Row, Trained, shares, weighted},
    phrasings::Phrasing,
    words::Lexicon,
};

/// What cross-validation on the phrasings has chosen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    /// How often all texts are gone through.
    pub rounds: usize,
    pub rate: f32,
    /// Pull towards zero.
    pub decay: f32,
    /// A piece that stands in fewer lines is not learnt.
    pub lines_min: u32,
    /// How much the sums are stretched before softmax while learning.
    pub smoothing: f32,
    /// How much all the texts of a line weigh, where one alone weighs 1.
    pub line_weight_max: f32,
    /// How much a text weighs as it is heard or typed in pinyin, without its characters.
    pub heard_weight: f32,
}

pub(super) const SETTINGS: Settings = Settings {
    rounds: 14,
    rate: 0.5,
    decay: 2e-6,
    lines_min: 2,
    smoothing: 0.05,
    line_weight_max: 3.0,
    heard_weight: 0.3,
};

/// A text ready to be learnt.
pub(super) struct Example {
    pub class: usize,
    pub weight: f32,
    pub line: u32,
    pub pieces: Vec<Piece>,
}

/// The texts of the lines, with those of lines that are Chinese once more as they sound alone.
pub(super) fn examples(phrasings: &[Phrasing], lexicon: &Lexicon, settings: &Settings) -> Vec<Example> {
    let mut found = Vec::new();
    for (line, phrasing) in phrasings.iter().enumerate() {
        let count = phrasing.texts.len() as f32;
        let weight = count.sqrt().min(settings.line_weight_max) / count;
        for text in &phrasing.texts {
            let all = pieces(text, lexicon);
            let sounding: Vec<Piece> = all
                .iter()
                .copied()
                .filter(|piece| piece.kind == 1 || piece.kind == 3)
                .collect();
            let is_heard = settings.heard_weight > 0.0
                && !text.is_ascii()
                && sounding.iter().any(|piece| piece.kind == 1);
            let example = |weight: f32, pieces| Example {
                class: phrasing.intent as usize,
                weight,
                line: line as u32,
                pieces,
            };
            found.push(example(weight, all));
            if is_heard {
                found.push(example(weight * settings.heard_weight, sounding));
            }
        }
    }
    found
}

/// Learns from the examples.
pub(super) fn train(examples: &[&Example], settings: &Settings) -> Trained {
    let rarities = rarities(examples, settings);
    let index: HashMap<u32, usize> = rarities.keys().copied().zip(0..).collect();
    let rarest = rarities.values().copied().fold(0.0, f32::max);
    let prepared: Vec<_> = examples
        .iter()
        .map(|example| {
            let known = |piece: u32| Some((*index.get(&piece)?, *rarities.get(&piece)?));
            (
                example.class,
                example.weight,
                weighted(&example.pieces, known, rarest),
            )
        })
        .collect();
    let mut weights = vec![[0.0_f32; CLASSES]; index.len()];
    let mut squares = vec![[1e-4_f32; CLASSES]; index.len()];
    let mut biases = [0.0_f32; CLASSES];
    let mut bias_squares = [1e-2_f32; CLASSES];
    let mut order: Vec<usize> = (0..prepared.len()).collect();
    let mut chance: u64 = 0x5eed;
    for _ in 0..settings.rounds {
        shuffle(&mut order, &mut chance);
        for at in &order {
            let (class, importance, text) = &prepared[*at];
            let mut sums = biases;
            for (row, weight) in text {
                add(&mut sums, &weights[*row], *weight);
            }
            let mut slope = shares(&sums).0;
            let even = settings.smoothing / CLASSES as f32;
            for (class_at, value) in slope.iter_mut().enumerate() {
                let wanted = if class_at == *class {
                    1.0 - settings.smoothing + even
                } else {
                    even
                };
                *value = (*value - wanted) * importance;
            }
            for (row, weight) in text {
                let (own, seen) = (&mut weights[*row], &mut squares[*row]);
                for k in 0..CLASSES {
                    let step = slope[k] * weight + settings.decay * own[k];
                    seen[k] += step * step;
                    own[k] -= settings.rate * step / seen[k].sqrt();
                }
            }
            for k in 0..CLASSES {
                bias_squares[k] += slope[k] * slope[k];
                biases[k] -= 0.1 * settings.rate * slope[k] / bias_squares[k].sqrt();
            }
        }
    }
    let rows = rarities
        .into_iter()
        .map(|(piece, rarity)| (piece, rarity, weights[index[&piece]]))
        .collect();
    Trained { rows, biases }
}

/// How telling each piece is: the rarer the more.
fn rarities(examples: &[&Example], settings: &Settings) -> BTreeMap<u32, f32> {
    let mut lines: BTreeMap<u32, (u32, u32)> = BTreeMap::new();
    for example in examples {
        for piece in &example.pieces {
            let (count, last) = lines.entry(piece.hash).or_insert((0, u32::MAX));
            if *last != example.line {
                *count += 1;
                *last = example.line;
            }
        }
    }
    let mut all: Vec<u32> = examples.iter().map(|example| example.line).collect();
    all.sort_unstable();
    all.dedup();
    let all = all.len() as f32;
    lines
        .into_iter()
        .filter(|(_, (count, _))| *count >= settings.lines_min)
        .map(|(piece, (count, _))| (piece, 1.0 + (all / count as f32).ln()))
        .collect()
}

fn add(sums: &mut Row, row: &Row, weight: f32) {
    for (sum, own) in sums.iter_mut().zip(row) {
        *sum += weight * own;
    }
}

fn shuffle(order: &mut [usize], chance: &mut u64) {
    for at in (1..order.len()).rev() {
        *chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let other = (*chance >> 33) as usize % (at + 1);
        order.swap(at, other);
    }
}
