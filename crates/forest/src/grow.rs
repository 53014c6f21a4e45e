//! Growing one tree from a subsample of rows.

use crate::matrix::{Matrix, narrow};
use crate::path::depth_limit;
use crate::random::Random;
use crate::tree::{Node, PLANE, Plane, Term, Tree};

/// The rows drawn for one tree.
pub(crate) struct Draw {
    rows: Vec<usize>,
    random: Random,
}

impl Draw {
    /// Draws rows and asks for them from memory, which takes as long as growing a tree: draw for the next tree before growing one.
    pub(crate) fn new(table: Matrix<'_>, subsample: usize, mut random: Random) -> Self {
        let rows = random.sample(subsample, table.rows());
        rows.iter().for_each(|row| table.fetch(*row));
        Self { rows, random }
    }
}

/// Grows one tree. Every random choice comes from the draw.
pub(crate) fn grow(table: Matrix<'_>, extension: usize, draw: Draw) -> Tree {
    let Draw { rows, random } = draw;
    let (subsample, columns) = (rows.len(), table.columns());
    // Column by column the loads are short and many are under way at a time, which hides the way to memory.
    let values = table.values();
    let mut sample = Vec::with_capacity(subsample * columns);
    for column in 0..columns {
        sample.extend(rows.iter().map(|row| narrow(values[row * columns + column])));
    }
    let mut grower = Grower {
        sample,
        subsample,
        extension,
        limit: depth_limit(subsample as u32),
        features: (0..columns as u16).collect(),
        random,
        projected: Vec::with_capacity(subsample),
        nodes: vec![Node::leaf(0)],
        counts: vec![subsample as u32],
        planes: Vec::new(),
    };
    let mut slots: Vec<u32> = (0..subsample as u32).collect();
    grower.split(0, &mut slots, 0, columns);
    Tree::new(grower.nodes, grower.counts, grower.planes, columns).expect("a grown tree has its nodes in order")
}

struct Grower {
    /// The drawn rows, column after column.
    sample: Vec<f32>,
    subsample: usize,
    extension: usize,
    limit: usize,
    /// Column numbers; those known to be constant below the current node are kept behind the others.
    features: Vec<u16>,
    random: Random,
    projected: Vec<f32>,
    nodes: Vec<Node>,
    counts: Vec<u32>,
    planes: Vec<Plane>,
}

impl Grower {
    /// Splits a node and what grows below it. The first `active` features are those not known to be constant here.
    fn split(&mut self, index: usize, slots: &mut [u32], depth: usize, mut active: usize) {
        if slots.len() < 2 || depth >= self.limit {
            return;
        }
        let Some(feature) = self.choose(slots, &mut active) else {
            return;
        };
        let (low, high) = bounds(&self.projected).expect("the chosen direction varies");
        let threshold = draw_between(low, high, &mut self.random);
        let middle = self.partition(slots, threshold);
        let left = self.nodes.len();
        self.nodes[index] = Node {
            threshold,
            feature,
            left: left as u16,
        };
        self.nodes.extend([Node::leaf(left), Node::leaf(left + 1)]);
        self.counts.extend([middle as u32, (slots.len() - middle) as u32]);
        let (below, above) = slots.split_at_mut(middle);
        self.split(left, below, depth + 1, active);
        self.split(left + 1, above, depth + 1, active);
    }

    /// Chooses what to split on and leaves the values of the rows along it in `projected`.
    fn choose(&mut self, slots: &[u32], active: &mut usize) -> Option<u16> {
        let mut directions: Vec<Term> = Vec::new();
        let mut untried = *active;
        while untried > 0 && directions.len() <= self.extension {
            let pick = self.random.below(untried);
            let feature = self.features[pick];
            self.project_on(slots, &[Term::alone(feature)]);
            untried -= 1;
            self.features.swap(pick, untried);
            match bounds(&self.projected) {
                Some((low, high)) if self.extension == 0 => {
                    debug_assert!(low < high);
                    return Some(feature);
                }
                // Divided by the spread, directions do not depend on the units of the columns.
                Some((low, high)) => {
                    let weight = self.random.normal() / (f64::from(high) - f64::from(low));
                    directions.push(Term {
                        column: feature,
                        weight: narrow(weight),
                        center: mean(&self.projected),
                    });
                }
                None => {
                    *active -= 1;
                    self.features.swap(untried, *active);
                }
            }
        }
        self.choose_plane(slots, directions)
    }

    fn choose_plane(&mut self, slots: &[u32], directions: Vec<Term>) -> Option<u16> {
        let first = directions.first()?.column;
        if directions.len() > 1 {
            self.project_on(slots, &directions);
            if bounds(&self.projected).is_some() {
                self.planes.push(Plane { terms: directions });
                return Some(PLANE | (self.planes.len() - 1) as u16);
            }
        }
        self.project_on(slots, &[Term::alone(first)]);
        Some(first)
    }

    fn project_on(&mut self, slots: &[u32], terms: &[Term]) {
        self.projected.clear();
        if let [Term { column, .. }] = terms {
            let column = &self.sample[usize::from(*column) * self.subsample..][..self.subsample];
            self.projected.extend(slots.iter().map(|&slot| column[slot as usize]));
            return;
        }
        for &slot in slots {
            let value_of = |column: u16| f64::from(self.sample[usize::from(column) * self.subsample + slot as usize]);
            let sum: f64 = terms.iter().map(|it| f64::from(it.weight) * value_of(it.column)).sum();
            self.projected.push(narrow(sum));
        }
    }

    /// Moves the rows that go left to the front. A row without the value goes to either side with the odds of the others.
    fn partition(&mut self, slots: &mut [u32], threshold: f32) -> usize {
        let below = self.projected.iter().filter(|&&value| value <= threshold).count();
        let present = self.projected.iter().filter(|value| !value.is_nan()).count();
        let mut middle = 0;
        for at in 0..slots.len() {
            let value = self.projected[at];
            let goes_left = if value.is_nan() {
                self.random.below(present) < below
            } else {
                value <= threshold
            };
            if goes_left {
                slots.swap(middle, at);
                // The rows between were already seen, so their values are no longer needed.
                middle += 1;
            }
        }
        middle
    }
}

/// The mean of the present values, of which there is one at least.
fn mean(values: &[f32]) -> f32 {
    let present = values.iter().filter(|it| !it.is_nan());
    let (sum, count) = present.fold((0.0, 0.0), |(sum, count), it| (sum + f64::from(*it), count + 1.0));
    narrow(sum / count)
}

/// Smallest and largest present value; `None` unless they differ.
fn bounds(values: &[f32]) -> Option<(f32, f32)> {
    let mut low = f32::INFINITY;
    let mut high = f32::NEG_INFINITY;
    for &value in values {
        low = if value < low { value } else { low };
        high = if value > high { value } else { high };
    }
    (low < high).then_some((low, high))
}

/// A uniform threshold with at least one row on each side: in [low, high), rounded down to single precision, which decides
/// every comparison as the unrounded one would.
fn draw_between(low: f32, high: f32, random: &mut Random) -> f32 {
    let (low_wide, high_wide) = (f64::from(low), f64::from(high));
    let wide = low_wide + random.unit() * (high_wide - low_wide);
    let near = wide as f32;
    let threshold = if f64::from(near) > wide { near.next_down() } else { near };
    if threshold >= low && threshold < high {
        threshold
    } else {
        low
    }
}
