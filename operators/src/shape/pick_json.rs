//! What `pluck` picks from JSON: names in objects and indices of arrays.

use serde_json::Value;

use super::pick::{NotFound, Pick, PickEach};

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn by_name(name: &str, mut from: Value) -> Result<Value, (NotFound, Value)> {
    match from.as_object_mut().and_then(|object| object.remove(name)) {
        Some(part) => Ok(part),
        None => Err((no_name(name, &from), from)),
    }
}

fn clone_by_name(name: &str, from: &Value) -> Result<Value, NotFound> {
    from.get(name).cloned().ok_or_else(|| no_name(name, from))
}

#[cold]
fn no_name(name: &str, from: &Value) -> NotFound {
    match from.as_object() {
        Some(object) => NotFound::key(name, object.len()),
        None => NotFound::kind(name, kind_of(from)),
    }
}

#[cold]
fn no_index(index: usize, from: &Value) -> NotFound {
    match from.as_array() {
        Some(array) => NotFound::index(index, array.len()),
        None => NotFound::kind(&index, kind_of(from)),
    }
}

impl Pick<Value> for &str {
    type Part = Value;

    #[inline]
    fn pick(&self, from: Value) -> Result<Value, (NotFound, Value)> {
        by_name(self, from)
    }
}

impl PickEach<Value> for &str {
    #[inline]
    fn pick_clone(&self, from: &Value) -> Result<Value, NotFound> {
        clone_by_name(self, from)
    }
}

impl Pick<Value> for String {
    type Part = Value;

    #[inline]
    fn pick(&self, from: Value) -> Result<Value, (NotFound, Value)> {
        by_name(self, from)
    }
}

impl PickEach<Value> for String {
    #[inline]
    fn pick_clone(&self, from: &Value) -> Result<Value, NotFound> {
        clone_by_name(self, from)
    }
}

impl Pick<Value> for usize {
    type Part = Value;

    #[inline]
    fn pick(&self, mut from: Value) -> Result<Value, (NotFound, Value)> {
        match from.get_mut(*self) {
            Some(part) => Ok(part.take()),
            None => Err((no_index(*self, &from), from)),
        }
    }
}

impl PickEach<Value> for usize {
    #[inline]
    fn pick_clone(&self, from: &Value) -> Result<Value, NotFound> {
        from.get(*self)
            .cloned()
            .ok_or_else(|| no_index(*self, from))
    }
}
