//! Writing: one tree operator that adds up path lengths, then the score and the decision.

use prost::Message;

use super::proto::*;
use super::{NAME_KEY, OnnxError};
use crate::forest::Forest;
use crate::path::UNITS;

impl Forest {
    /// The forest as an ONNX model. Input `X` (rows by columns, single precision); outputs `score` as [`Forest::score_row`]
    /// and `decision` as [`Forest::decision`], a column each. ONNX sends a missing value to the right; the rule of this crate
    /// for missing values does not travel.
    ///
    /// # Errors
    /// When the forest has hyperplanes.
    pub fn to_onnx(&self) -> Result<Vec<u8>, OnnxError> {
        if self.trees.iter().any(|tree| !tree.planes.is_empty()) {
            return Err(OnnxError::Planes);
        }
        // A forest of single rows knows nothing and scores one half.
        let log_factor = self.scale.log_factor() * UNITS / std::f64::consts::LN_2;
        let is_blank = log_factor == 0.0;
        let factor = if is_blank { -1.0 } else { log_factor };
        let graph = Graph {
            node: vec![
                self.ensemble(is_blank),
                operator("Mul", &["paths", "factor"], "exponent"),
                operator("Pow", &["two", "exponent"], "score"),
                operator("Neg", &["score"], "negated"),
                operator("Sub", &["negated", "offset"], "decision"),
            ],
            name: "isolation_forest".to_owned(),
            initializer: vec![
                scalar("factor", factor),
                scalar("two", 2.0),
                scalar("offset", self.offset()),
            ],
            input: vec![port("X", self.columns())],
            output: vec![port("score", 1), port("decision", 1)],
        };
        let property = |key: &str, value: String| Property {
            key: key.to_owned(),
            value,
        };
        let mut properties = vec![
            property("subsample", self.subsample().to_string()),
            property("offset", self.offset().to_string()),
        ];
        let names = self.names().iter().enumerate();
        properties.extend(names.map(|(column, name)| property(&format!("{NAME_KEY}{column}"), name.clone())));
        let model = Model {
            ir_version: 8,
            producer_name: "forest".to_owned(),
            graph: Some(graph),
            opset_import: vec![opset("", 15), opset("ai.onnx.ml", 3)],
            metadata_props: properties,
        };
        Ok(model.encode_to_vec())
    }

    /// All trees in one operator. The rows of each node travel as its hit rate, so that the forest can be read back.
    fn ensemble(&self, is_blank: bool) -> Operator {
        let mut nodes = Columns::default();
        for (tree_idx, tree) in self.trees.iter().enumerate() {
            for (index, (node, rows)) in tree.nodes.iter().zip(&tree.counts).enumerate() {
                let is_leaf = node.is_leaf(index);
                nodes.trees.push(tree_idx as i64);
                nodes.ids.push(index as i64);
                nodes.rows.push(*rows as f32);
                nodes.modes.push(if is_leaf {
                    b"LEAF".to_vec()
                } else {
                    b"BRANCH_LEQ".to_vec()
                });
                nodes.columns.push(i64::from(node.feature));
                nodes.thresholds.push(if is_leaf { 0.0 } else { node.threshold });
                nodes.left.push(if is_leaf { 0 } else { i64::from(node.left) });
                nodes.right.push(if is_leaf { 0 } else { i64::from(node.left) + 1 });
                if is_leaf {
                    let path = f64::from(tree.units[index]) / UNITS;
                    nodes.target_trees.push(tree_idx as i64);
                    nodes.target_ids.push(index as i64);
                    nodes.weights.push(if is_blank {
                        1.0 / self.trees() as f32
                    } else {
                        path as f32
                    });
                }
            }
        }
        let mut ensemble = operator("TreeEnsembleRegressor", &["X"], "paths");
        ensemble.domain = "ai.onnx.ml".to_owned();
        ensemble.attribute = nodes.into_attributes();
        ensemble
    }
}

/// What the operator wants: one list for each property of a node.
#[derive(Default)]
struct Columns {
    trees: Vec<i64>,
    ids: Vec<i64>,
    rows: Vec<f32>,
    modes: Vec<Vec<u8>>,
    columns: Vec<i64>,
    thresholds: Vec<f32>,
    left: Vec<i64>,
    right: Vec<i64>,
    target_trees: Vec<i64>,
    target_ids: Vec<i64>,
    weights: Vec<f32>,
}

impl Columns {
    fn into_attributes(self) -> Vec<Attribute> {
        let targets = vec![0; self.target_ids.len()];
        vec![
            Attribute {
                i: 1,
                ..attribute("n_targets", KIND_INT)
            },
            Attribute {
                s: b"SUM".to_vec(),
                ..attribute("aggregate_function", KIND_STRING)
            },
            Attribute {
                s: b"NONE".to_vec(),
                ..attribute("post_transform", KIND_STRING)
            },
            Attribute {
                strings: self.modes,
                ..attribute("nodes_modes", KIND_STRINGS)
            },
            ints("nodes_treeids", self.trees),
            ints("nodes_nodeids", self.ids),
            ints("nodes_featureids", self.columns),
            ints("nodes_truenodeids", self.left),
            ints("nodes_falsenodeids", self.right),
            floats("nodes_hitrates", self.rows),
            floats("nodes_values", self.thresholds),
            ints("target_treeids", self.target_trees),
            ints("target_nodeids", self.target_ids),
            ints("target_ids", targets),
            floats("target_weights", self.weights),
        ]
    }
}

fn attribute(name: &str, kind: i32) -> Attribute {
    Attribute {
        name: name.to_owned(),
        kind,
        ..Attribute::default()
    }
}

fn ints(name: &str, ints: Vec<i64>) -> Attribute {
    Attribute {
        ints,
        ..attribute(name, KIND_INTS)
    }
}

fn floats(name: &str, floats: Vec<f32>) -> Attribute {
    Attribute {
        floats,
        ..attribute(name, KIND_FLOATS)
    }
}

fn operator(op_type: &str, input: &[&str], output: &str) -> Operator {
    Operator {
        input: input.iter().map(|&it| it.to_owned()).collect(),
        output: vec![output.to_owned()],
        name: format!("make_{output}"),
        op_type: op_type.to_owned(),
        ..Operator::default()
    }
}

fn scalar(name: &str, value: f64) -> Tensor {
    Tensor {
        dims: vec![1],
        data_type: FLOAT,
        float_data: vec![value as f32],
        name: name.to_owned(),
        ..Tensor::default()
    }
}

fn port(name: &str, width: usize) -> Port {
    let rows = Dimension {
        extent: Some(Extent::Name("rows".to_owned())),
    };
    let columns = Dimension {
        extent: Some(Extent::Value(width as i64)),
    };
    let tensor_type = TensorType {
        elem_type: FLOAT,
        shape: Some(Shape {
            dim: vec![rows, columns],
        }),
    };
    Port {
        name: name.to_owned(),
        kind: Some(Type {
            tensor_type: Some(tensor_type),
        }),
    }
}

fn opset(domain: &str, version: i64) -> Opset {
    Opset {
        domain: domain.to_owned(),
        version,
    }
}
