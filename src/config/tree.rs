//! Settings before they are typed: a tree in which every value knows where it was written.

use std::{collections::BTreeMap, path::Path};

use serde_path_to_error::{Segment, Segments};
use toml::{
    Spanned, Value,
    de::{DeTable, DeValue},
};

use super::{ConfigFault, Place, keys};

/// A value, an array or a table.
pub(super) struct Node {
    /// Its path, such as `sms.smpp[0].host`; empty at the root.
    pub path: String,
    /// Where it was written.
    pub place: Place,
    /// What it holds.
    pub content: Content,
    /// The text of an environment variable that was read as something else than text.
    text: Option<String>,
}

/// What a [`Node`] holds.
pub(super) enum Content {
    /// One value: neither an array nor a table.
    Value(Value),
    /// Entries, in order.
    Array(Vec<Node>),
    /// Named nodes.
    Table(BTreeMap<String, Node>),
}

/// What [`Node::pull`] did.
pub(super) enum Pulled {
    /// It took this node out.
    Node(Node),
    /// It turned an environment variable's value back into the text that it was.
    BackToText,
    /// Nothing stands there.
    Nothing,
}

impl Node {
    /// A tree without settings.
    pub fn empty() -> Self {
        Self::table(String::new(), Place::Nowhere)
    }

    /// Reads a file's text; `path` is told in places.
    pub fn from_toml(path: &Path, text: &str) -> Result<Self, Vec<ConfigFault>> {
        let fault = |error: &toml::de::Error, rule: &str| ConfigFault {
            place: place(path, text, error.span().map_or(0, |span| span.start)),
            key: String::new(),
            value: None,
            rule: rule.to_owned(),
        };
        let (spans, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            return Err(errors.iter().map(|error| fault(error, error.message())).collect());
        }
        // What parses and yet is no value is a number; the error would quote it, and it may be a password.
        let table: toml::Table = text
            .parse()
            .map_err(|error| vec![fault(&error, "this number is too large")])?;
        let mut root = Self::empty();
        root.content = table_content("", table, spans.get_ref(), &|offset| place(path, text, offset));
        Ok(root)
    }

    /// Puts an environment variable's text at the key that its name spells, over what stands there.
    /// The error says why it cannot stand there.
    pub fn set(&mut self, variable: &str, steps: &[String], text: &str) -> Result<(), String> {
        let place = Place::Variable(variable.to_owned());
        let Some((step, rest)) = steps.split_first() else {
            if matches!(self.content, Content::Table(_)) {
                let name = keys::variable(&self.path);
                return Err(format!("is a table: set its keys, as {name}__KEY"));
            }
            *self = Self::from_variable(self.path.clone(), &place, text);
            return Ok(());
        };
        let child_path = match (&self.content, step.parse::<usize>()) {
            (Content::Array(_), Ok(index)) => format!("{}[{index}]", self.path),
            (Content::Array(_), Err(_)) => return Err("is an array: its entries are numbered from 0".into()),
            (Content::Table(_), _) => join(&self.path, step),
            (Content::Value(_), _) => return Err("is a single value".into()),
        };
        let fresh = || Self::fresh(child_path, place, rest);
        let child = match &mut self.content {
            Content::Table(children) => children.entry(step.clone()).or_insert_with(fresh),
            Content::Array(entries) => {
                let index = step.parse().unwrap_or(usize::MAX);
                if index == entries.len() {
                    entries.push(fresh());
                }
                entries
                    .get_mut(index)
                    .ok_or("has no entry of the number before this one")?
            }
            Content::Value(_) => return Err("is a single value".into()),
        };
        child.set(variable, rest, text)
    }

    /// The tree as serde reads it.
    pub fn to_value(&self) -> Value {
        match &self.content {
            Content::Value(value) => value.clone(),
            Content::Array(entries) => Value::Array(entries.iter().map(Self::to_value).collect()),
            Content::Table(children) => Value::Table(
                children
                    .iter()
                    .map(|(key, child)| (key.clone(), child.to_value()))
                    .collect(),
            ),
        }
    }

    /// Takes out the node at `path`, or else the deepest on the way to it. What came as text from the
    /// environment becomes text first. A bad entry of an array of tables leaves an empty one, so that the
    /// others keep their numbers.
    pub fn pull(&mut self, mut path: Segments<'_>) -> Pulled {
        match (&mut self.content, path.next()) {
            (Content::Table(children), Some(Segment::Map { key })) => {
                let Some(child) = children.get_mut(key) else {
                    return Pulled::Nothing;
                };
                match child.pull(path) {
                    Pulled::Nothing if child.back_to_text() => Pulled::BackToText,
                    Pulled::Nothing => children.remove(key).map_or(Pulled::Nothing, Pulled::Node),
                    pulled => pulled,
                }
            }
            (Content::Array(entries), Some(Segment::Seq { index })) => {
                let Some(entry) = entries.get_mut(*index) else {
                    return Pulled::Nothing;
                };
                match entry.pull(path) {
                    Pulled::Nothing if entry.back_to_text() => Pulled::BackToText,
                    Pulled::Nothing if keys::is_table(&entry.path) => {
                        let empty = Self::table(entry.path.clone(), entry.place.clone());
                        Pulled::Node(std::mem::replace(entry, empty))
                    }
                    Pulled::Nothing => Pulled::Node(entries.remove(*index)),
                    pulled => pulled,
                }
            }
            _ => Pulled::Nothing,
        }
    }

    /// The node of this path, if it is set.
    pub fn find(&self, path: &str) -> Option<&Self> {
        if self.path == path {
            return Some(self);
        }
        match &self.content {
            Content::Value(_) => None,
            Content::Array(entries) => entries.iter().find_map(|entry| entry.find(path)),
            Content::Table(children) => children.values().find_map(|child| child.find(path)),
        }
    }

    /// Where this path is set, or else what is nearest above it.
    pub fn nearest_place(&self, path: &str) -> Place {
        if let Some(node) = self.find(path) {
            return node.place.clone();
        }
        match path.rfind(['.', '[']) {
            Some(end) => self.nearest_place(&path[..end]),
            None => Place::Nowhere,
        }
    }

    /// What stands here, as a fault may show it.
    pub fn shown(&self) -> Option<String> {
        const SHOWN_CHARACTERS_MAX: usize = 60;
        let key = match self.path.strip_suffix(']').and_then(|path| path.rsplit_once('[')) {
            Some((list, _)) => keys::find(list),
            None => keys::find(&self.path),
        }?;
        if key.secret {
            return Some("***".into());
        }
        let text = serde_json::to_string(&self.to_value()).ok()?;
        let end = text.char_indices().nth(SHOWN_CHARACTERS_MAX);
        Some(end.map_or_else(|| text.clone(), |(end, _)| format!("{}…", &text[..end])))
    }

    fn table(path: String, place: Place) -> Self {
        Self {
            path,
            place,
            content: Content::Table(BTreeMap::new()),
            text: None,
        }
    }

    /// A node that a variable's name asks for: what it holds shows in the name's next step.
    fn fresh(path: String, place: Place, next_steps: &[String]) -> Self {
        let content = match next_steps.first() {
            None => Content::Value(Value::Boolean(false)), // to be overwritten
            Some(step) if step.bytes().all(|byte| byte.is_ascii_digit()) => Content::Array(Vec::new()),
            Some(_) => Content::Table(BTreeMap::new()),
        };
        Self {
            path,
            place,
            content,
            text: None,
        }
    }

    /// A variable's text read as a boolean, a number or an array where it is one.
    fn from_variable(path: String, place: &Place, text: &str) -> Self {
        let value = text.parse().ok().filter(|value: &Value| {
            value.is_bool() || value.is_integer() || value.is_float() || value.is_array()
        });
        match value {
            Some(value) => Self {
                text: Some(text.to_owned()),
                ..Self::from_value(path, place, value)
            },
            None => Self::from_value(path, place, Value::String(text.to_owned())),
        }
    }

    /// A part of a variable's value.
    fn from_value(path: String, place: &Place, value: Value) -> Self {
        let text = (!value.is_str() && !value.is_table())
            .then(|| serde_json::to_string(&value).ok())
            .flatten();
        let content = match value {
            Value::Array(entries) => Content::Array(
                (0..)
                    .zip(entries)
                    .map(|(index, entry): (usize, _)| {
                        Self::from_value(format!("{path}[{index}]"), place, entry)
                    })
                    .collect(),
            ),
            Value::Table(table) => Content::Table(
                table
                    .into_iter()
                    .map(|(key, child)| {
                        let child = Self::from_value(join(&path, &key), place, child);
                        (key, child)
                    })
                    .collect(),
            ),
            value => Content::Value(value),
        };
        Self {
            path,
            place: place.clone(),
            content,
            text,
        }
    }

    /// Makes text again of what came as text from the environment; says whether it did.
    fn back_to_text(&mut self) -> bool {
        let text = self.text.take();
        let came_as_text = text.is_some();
        if let Some(text) = text {
            self.content = Content::Value(Value::String(text));
        }
        came_as_text
    }
}

/// A table with the place of each key.
fn table_content(
    path: &str,
    table: toml::Table,
    spans: &DeTable<'_>,
    place_of: &dyn Fn(usize) -> Place,
) -> Content {
    let children = table.into_iter().filter_map(|(key, value)| {
        let (key_span, value_span) = spans.get_key_value(key.as_str())?;
        let child_path = join(path, &key);
        let child = node(
            child_path,
            value,
            value_span,
            place_of(key_span.span().start),
            place_of,
        );
        Some((key, child))
    });
    Content::Table(children.collect())
}

/// A node of a file, from its value and the same value with spans.
fn node(
    path: String,
    value: Value,
    spans: &Spanned<DeValue<'_>>,
    place: Place,
    place_of: &dyn Fn(usize) -> Place,
) -> Node {
    let content = match (value, spans.get_ref()) {
        (Value::Table(table), DeValue::Table(spans)) => table_content(&path, table, spans, place_of),
        (Value::Array(entries), DeValue::Array(spans)) => Content::Array(
            (0..)
                .zip(entries.into_iter().zip(spans.iter()))
                .map(|(index, (entry, span)): (usize, _)| {
                    let place = place_of(span.span().start);
                    node(format!("{path}[{index}]"), entry, span, place, place_of)
                })
                .collect(),
        ),
        (value, _) => Content::Value(value),
    };
    Node {
        path,
        place,
        content,
        text: None,
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// The place of a byte offset.
fn place(path: &Path, text: &str, offset: usize) -> Place {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Place::File {
        path: path.to_owned(),
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    }
}
