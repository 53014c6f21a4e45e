//! Reading: what [`Forest::to_onnx`] wrote, and what `skl2onnx` makes of scikit-learn's isolation forest.
//!
//! The latter has one tree operator a tree, which yields the leaf, and behind it two tables: from the leaf to its training rows
//! and from the leaf to its depth. The trees and the first table are what a forest is.

use std::collections::{HashMap, VecDeque};

use prost::Message;

use super::proto::{Extent, Graph, Model, Operator};
use super::{NAME_KEY, OnnxError};
use crate::forest::Forest;
use crate::matrix::MAX_COLUMNS;
use crate::params::{MAX_SUBSAMPLE, MAX_TREES};
use crate::path::average_path_length;
use crate::tree::{Node, Tree};

/// The longest model that is read.
const MAX_BYTES: usize = 1 << 28;

impl Forest {
    /// Reads a forest from an ONNX model.
    ///
    /// # Errors
    /// When the bytes are no model, or the model is not an isolation forest of a known make.
    pub fn from_onnx(bytes: &[u8]) -> Result<Self, OnnxError> {
        if bytes.len() > MAX_BYTES {
            return Err(OnnxError::NotAForest("it is longer than is read"));
        }
        let model = Model::decode(bytes)?;
        let graph = model.graph.as_ref().ok_or(OnnxError::NotAForest("it has no graph"))?;
        let columns = columns(graph).ok_or(OnnxError::NotAForest("its input is not a table of fixed width"))?;
        let property = |key: &str| {
            model
                .metadata_props
                .iter()
                .find(|it| it.key == key)
                .map(|it| it.value.as_str())
        };
        let trees = graph.node.iter().filter(|it| it.op_type == "TreeEnsembleRegressor");
        let drafts: Vec<Draft> = trees.flat_map(|operator| drafts(graph, operator)).collect();
        if !(1..=MAX_TREES).contains(&drafts.len()) {
            return Err(OnnxError::NotAForest("it has no tree or too many"));
        }
        let trees = drafts
            .into_iter()
            .enumerate()
            .map(|(index, draft)| draft.finish(columns).map_err(|cause| OnnxError::Tree { index, cause }));
        let trees: Vec<Tree> = trees.collect::<Result<_, _>>()?;
        let subsample = match property("subsample") {
            Some(text) => text
                .parse()
                .map_err(|_| OnnxError::NotAForest("its subsample is not a number"))?,
            None => subsample_of_scikit_learn(graph, trees.len(), trees[0].counts[0]).ok_or(OnnxError::NotAForest(
                "its scores are not divided by an average path length",
            ))?,
        };
        let offset = match property("offset") {
            Some(text) => text.parse().ok(),
            None => offset_of_scikit_learn(graph),
        };
        let offset = offset
            .filter(|it| (-1.0..=0.0).contains(it))
            .ok_or(OnnxError::NotAForest("it has no offset"))?;
        if !(1..=MAX_SUBSAMPLE).contains(&(subsample as usize)) {
            return Err(OnnxError::NotAForest("its subsample is out of range"));
        }
        let forest = Self::from_trees(trees, columns, subsample, offset);
        match names(&model) {
            names if names.is_empty() => Ok(forest),
            names => Ok(forest.with_names(names)?),
        }
    }
}

/// The names of the columns, as far as they are told.
fn names(model: &Model) -> Vec<String> {
    let named: HashMap<&str, &String> = model
        .metadata_props
        .iter()
        .map(|it| (it.key.as_str(), &it.value))
        .collect();
    (0..=MAX_COLUMNS)
        .map_while(|column| named.get(format!("{NAME_KEY}{column}").as_str()))
        .map(|name| (*name).clone())
        .collect()
}

fn columns(graph: &Graph) -> Option<usize> {
    let shape = graph
        .input
        .first()?
        .kind
        .as_ref()?
        .tensor_type
        .as_ref()?
        .shape
        .as_ref()?;
    match shape.dim.get(1)?.extent {
        Some(Extent::Value(columns)) => usize::try_from(columns)
            .ok()
            .filter(|it| (1..=MAX_COLUMNS).contains(it)),
        _ => None,
    }
}

/// The last step adds the negated offset to the negated score.
fn offset_of_scikit_learn(graph: &Graph) -> Option<f64> {
    let last = graph
        .node
        .iter()
        .find(|it| it.op_type == "Add" && it.output.iter().any(|name| name == "scores"))?;
    let added = graph
        .initializer
        .iter()
        .find(|it| last.input.contains(&it.name))?
        .floats();
    Some(-f64::from(*added.first()?))
}

/// Path lengths are divided by those expected of the subsample, all trees together. A bootstrap draws rows more than once and tells
/// each once, so the rows of a tree may be fewer than the subsample.
fn subsample_of_scikit_learn(graph: &Graph, trees: usize, rows: u32) -> Option<u32> {
    let divided = graph.node.iter().filter(|it| it.op_type == "Div");
    let mut divisors = divided.filter_map(|it| {
        graph
            .initializer
            .iter()
            .find(|tensor| it.input.get(1) == Some(&tensor.name))
    });
    let divisor = f64::from(*divisors.next()?.floats().first()?);
    let wanted = divisor / trees as f64;
    let is_near = |count: u32| (average_path_length(count) - wanted).abs() <= 1e-6 * wanted;
    if is_near(rows) {
        return Some(rows);
    }
    let (mut low, mut high) = (1, MAX_SUBSAMPLE as u32);
    while low < high {
        let middle = low + (high - low) / 2;
        if average_path_length(middle) < wanted * (1.0 - 1e-7) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    is_near(low).then_some(low)
}

/// A node as ONNX tells it.
struct DraftNode {
    is_leaf: bool,
    is_known: bool,
    column: i64,
    threshold: f32,
    left: i64,
    right: i64,
    /// Training rows, where they are told with the node.
    rows: f32,
}

/// A tree as ONNX tells it.
struct Draft {
    nodes: HashMap<i64, DraftNode>,
    /// Tables from leaf to number: the training rows, and the depth plus one.
    tables: Vec<HashMap<i64, f32>>,
    /// The column of the input behind each column the tree sees; empty when it sees all.
    gathered: Vec<i64>,
}

/// The trees of an operator, in the order of their numbers.
fn drafts(graph: &Graph, operator: &Operator) -> Vec<Draft> {
    let tables = tables(graph, operator);
    let gathered = gathered(graph, operator);
    let mut drafts: std::collections::BTreeMap<i64, Draft> = std::collections::BTreeMap::new();
    let modes = operator.attribute("nodes_modes").map_or(&[][..], |it| &it.strings);
    let hits = operator.floats("nodes_hitrates");
    let parts = operator
        .ints("nodes_treeids")
        .iter()
        .zip(operator.ints("nodes_nodeids"))
        .zip(modes);
    let splits = operator
        .ints("nodes_featureids")
        .iter()
        .zip(operator.floats("nodes_values"));
    let children = operator
        .ints("nodes_truenodeids")
        .iter()
        .zip(operator.ints("nodes_falsenodeids"));
    for (index, ((((tree, id), mode), (column, threshold)), (left, right))) in
        parts.zip(splits).zip(children).enumerate()
    {
        let draft = drafts.entry(*tree).or_insert_with(|| Draft {
            nodes: HashMap::new(),
            tables: tables.clone(),
            gathered: gathered.clone(),
        });
        let node = DraftNode {
            is_leaf: mode == b"LEAF",
            is_known: mode == b"LEAF" || mode == b"BRANCH_LEQ",
            column: *column,
            threshold: *threshold,
            left: *left,
            right: *right,
            rows: hits.get(index).copied().unwrap_or_default(),
        };
        draft.nodes.insert(*id, node);
    }
    drafts.into_values().collect()
}

/// The tables that the operator's answer is looked up in, directly or after a cast.
fn tables(graph: &Graph, operator: &Operator) -> Vec<HashMap<i64, f32>> {
    let mut names: Vec<&String> = operator.output.iter().collect();
    for cast in graph.node.iter().filter(|it| it.op_type == "Cast") {
        if cast.input.iter().any(|name| operator.output.contains(name)) {
            names.extend(&cast.output);
        }
    }
    let encoders = graph.node.iter().filter(|it| it.op_type == "LabelEncoder");
    let ours = encoders.filter(|it| it.input.iter().any(|name| names.contains(&name)));
    ours.map(|it| {
        it.ints("keys_int64s")
            .iter()
            .copied()
            .zip(it.floats("values_floats").iter().copied())
            .collect()
    })
    .collect()
}

fn gathered(graph: &Graph, operator: &Operator) -> Vec<i64> {
    let is_source =
        |it: &&Operator| it.op_type == "Gather" && it.output.iter().any(|name| operator.input.contains(name));
    let source = graph.node.iter().find(is_source);
    let picks = source.and_then(|gather| {
        graph
            .initializer
            .iter()
            .find(|it| gather.input.get(1) == Some(&it.name))
    });
    picks.map(super::proto::Tensor::ints).unwrap_or_default()
}

impl Draft {
    /// Numbers the nodes as a [`Tree`] wants them: children behind their parent, side by side.
    fn finish(self, columns: usize) -> Result<Tree, String> {
        let mut nodes = vec![Node::leaf(0)];
        let mut leaves = Vec::new();
        let mut queue = VecDeque::from([(0_i64, 0_usize, 1.0_f32)]);
        while let Some((id, index, depth)) = queue.pop_front() {
            let draft = self.nodes.get(&id).ok_or_else(|| format!("node {id} is missing"))?;
            if !draft.is_known {
                return Err(format!("node {id} is neither a leaf nor compares with at most"));
            }
            if draft.is_leaf {
                leaves.push((id, index, depth, draft.rows));
                continue;
            }
            let left = nodes.len();
            if left + 1 >= usize::from(u16::MAX) {
                return Err("it has too many nodes, or nodes that are their own descendants".to_owned());
            }
            let column = self.column(draft.column).filter(|it| usize::from(*it) < columns);
            nodes[index] = Node {
                threshold: draft.threshold,
                feature: column.ok_or_else(|| format!("node {id} asks for a column that is not there"))?,
                left: left as u16,
            };
            nodes.extend([Node::leaf(left), Node::leaf(left + 1)]);
            queue.extend([(draft.left, left, depth + 1.0), (draft.right, left + 1, depth + 1.0)]);
        }
        let counts = self.counts(&nodes, &leaves)?;
        Tree::new(nodes, counts, Vec::new(), columns).map_err(|cause| cause.to_string())
    }

    fn column(&self, told: i64) -> Option<u16> {
        let column = if self.gathered.is_empty() {
            told
        } else {
            *self.gathered.get(usize::try_from(told).ok()?)?
        };
        u16::try_from(column).ok()
    }

    /// Training rows of each node, added up from the leaves.
    fn counts(&self, nodes: &[Node], leaves: &[(i64, usize, f32, f32)]) -> Result<Vec<u32>, String> {
        let is_depth = |table: &&HashMap<i64, f32>| leaves.iter().all(|(id, _, depth, _)| table.get(id) == Some(depth));
        // Where the rows happen to equal the depths, either table will do.
        let table = self.tables.iter().find(|it| !is_depth(it)).or(self.tables.first());
        let mut counts = vec![0_u32; nodes.len()];
        for (id, index, _, told) in leaves {
            let rows = table.map_or(Some(*told), |it| it.get(id).copied());
            let rows = rows.filter(|it| (1.0..=MAX_SUBSAMPLE as f32).contains(it));
            counts[*index] = rows.ok_or_else(|| format!("the training rows of leaf {id} are not told"))? as u32;
        }
        for (index, node) in nodes.iter().enumerate().rev() {
            if !node.is_leaf(index) {
                let left = usize::from(node.left);
                counts[index] = counts[left].saturating_add(counts[left + 1]);
            }
        }
        Ok(counts)
    }
}
