//! Walks the tree of a script in one world. Bounded in steps; it touches nothing but the world.

use bytes::Bytes;

use super::Inputs;
use super::parser::{Block, Expression, Operator, Statement};
use super::value::{Remaining, Value};
use super::world::{Stop, World, unsupported};
use crate::limits::SCRIPT_STEPS_MAX;

/// What the script returns in this world, which it leaves changed.
pub(super) fn run(body: &Block, inputs: &Inputs, world: &mut World) -> Result<Value, Stop> {
    let mut evaluation = Evaluation { inputs, world, locals: Vec::new(), steps: 0 };
    match evaluation.block(body)? {
        Flow::Return(value) => Ok(value),
        Flow::Next | Flow::Break => Ok(Value::Nil),
    }
}

struct Evaluation<'a> {
    inputs: &'a Inputs,
    world: &'a mut World,
    /// Innermost last; a block cuts it back to where it began.
    locals: Vec<(&'a str, Value)>,
    steps: usize,
}

enum Flow {
    Next,
    Break,
    Return(Value),
}

// Statements.
impl<'a> Evaluation<'a> {
    fn block(&mut self, block: &'a Block) -> Result<Flow, Stop> {
        let outer = self.locals.len();
        let mut flow = Flow::Next;
        for statement in block {
            flow = self.statement(statement)?;
            if !matches!(flow, Flow::Next) {
                break;
            }
        }
        self.locals.truncate(outer);
        Ok(flow)
    }

    fn statement(&mut self, statement: &'a Statement) -> Result<Flow, Stop> {
        self.step()?;
        match statement {
            Statement::Local(names, values) => {
                let values = self.values(values, names.len())?;
                self.locals.extend(names.iter().map(String::as_str).zip(values));
            }
            Statement::Assign(names, values) => {
                let values = self.values(values, names.len())?;
                for (name, value) in names.iter().zip(values) {
                    let Some((_, local)) = self.locals.iter_mut().rev().find(|(local, _)| local == name)
                    else {
                        return unsupported(format!("it assigns to the global '{name}'"));
                    };
                    *local = value;
                }
            }
            Statement::Call(call) => drop(self.value(call)?),
            Statement::Do(body) => return self.block(body),
            Statement::Break => return Ok(Flow::Break),
            Statement::Return(value) => {
                let value = value.as_ref().map_or(Ok(Value::Nil), |value| self.value(value))?;
                return Ok(Flow::Return(value));
            }
            Statement::If(arms, otherwise) => {
                for (condition, body) in arms {
                    if self.value(condition)?.truth() {
                        return self.block(body);
                    }
                }
                return self.block(otherwise);
            }
            Statement::ForEach { names, list, body } => return self.for_each(names, list, body),
            Statement::ForNumber { name, from, to, step, body } => {
                let from = self.number(from)?;
                let to = self.number(to)?;
                let step = step.as_ref().map_or(Ok(1.0), |step| self.number(step))?;
                let ahead = |number: f64| if step > 0.0 { number <= to } else { number >= to };
                let mut number = from;
                while step != 0.0 && ahead(number) {
                    self.step()?;
                    if let Some(flow) = self.turn(vec![(name.as_str(), Value::Number(number))], body)? {
                        return Ok(flow);
                    }
                    number += step;
                }
            }
        }
        Ok(Flow::Next)
    }

    fn for_each(&mut self, names: &'a [String], list: &'a Expression, body: &'a Block) -> Result<Flow, Stop> {
        let Value::List(items) = self.value(list)? else {
            return unsupported("it iterates over something else than a list");
        };
        for (index, item) in items.into_iter().enumerate() {
            self.step()?;
            let values = [Value::Number((index + 1) as f64), item];
            if let Some(flow) = self.turn(names.iter().map(String::as_str).zip(values).collect(), body)? {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    /// One turn of a loop; what it returns ends the loop.
    fn turn(&mut self, locals: Vec<(&'a str, Value)>, body: &'a Block) -> Result<Option<Flow>, Stop> {
        let outer = self.locals.len();
        self.locals.extend(locals);
        let flow = self.block(body)?;
        self.locals.truncate(outer);
        Ok(match flow {
            Flow::Next => None,
            Flow::Break => Some(Flow::Next),
            Flow::Return(value) => Some(Flow::Return(value)),
        })
    }

    /// As many values as there are names for them.
    fn values(&mut self, expressions: &'a [Expression], count: usize) -> Result<Vec<Value>, Stop> {
        let mut values = expressions.iter().map(|one| self.value(one)).collect::<Result<Vec<_>, _>>()?;
        values.resize(count.max(values.len()), Value::Nil);
        Ok(values)
    }

    fn step(&mut self) -> Result<(), Stop> {
        self.steps += 1;
        if self.steps > SCRIPT_STEPS_MAX { unsupported("it takes too many steps") } else { Ok(()) }
    }
}

// Expressions.
impl<'a> Evaluation<'a> {
    fn value(&mut self, expression: &'a Expression) -> Result<Value, Stop> {
        self.step()?;
        Ok(match expression {
            Expression::Nil => Value::Nil,
            Expression::Bool(truth) => Value::Bool(*truth),
            Expression::Number(number) => Value::Number(*number),
            Expression::Text(text) => Value::Text(text.clone()),
            Expression::Name(name) => self.name(name)?,
            Expression::Index(of, index) => {
                let of = self.value(of)?;
                let index = self.value(index)?;
                indexed(&of, &index)?
            }
            Expression::Call(function, arguments) => self.call(function, arguments)?,
            Expression::Not(inner) => Value::Bool(!self.value(inner)?.truth()),
            Expression::Negative(inner) => Value::Number(-self.number(inner)?),
            Expression::Length(inner) => match self.value(inner)? {
                Value::Text(text) => Value::Number(text.len() as f64),
                Value::List(items) => Value::Number(items.len() as f64),
                _ => return unsupported("it takes the length of something else than a text or a list"),
            },
            Expression::Binary(operator, left, right) => self.binary(*operator, left, right)?,
            Expression::Table(items, fields) => self.table(items, fields)?,
        })
    }

    fn name(&mut self, name: &str) -> Result<Value, Stop> {
        if let Some((_, value)) = self.locals.iter().rev().find(|(local, _)| *local == name) {
            return Ok(value.clone());
        }
        let list = |texts: &[Bytes]| Value::List(texts.iter().cloned().map(Value::Text).collect());
        match name {
            "KEYS" => Ok(list(&self.inputs.keys)),
            "ARGV" => Ok(list(&self.inputs.arguments)),
            _ => unsupported(format!("it uses the global '{name}'")),
        }
    }

    /// A call of one of the functions that are known by their names.
    fn call(&mut self, function: &'a Expression, arguments: &'a [Expression]) -> Result<Value, Stop> {
        let name = match function {
            Expression::Name(name) => name.as_str(),
            Expression::Index(of, field) => match (&**of, &**field) {
                (Expression::Name(module), Expression::Text(field)) if module == "redis" => {
                    match &field[..] {
                        b"call" => "redis.call",
                        b"pcall" => "redis.pcall",
                        b"error_reply" => "redis.error_reply",
                        b"status_reply" => "redis.status_reply",
                        b"replicate_commands" => "redis.replicate_commands",
                        _ => "",
                    }
                }
                _ => "",
            },
            _ => "",
        };
        if self.locals.iter().any(|(local, _)| *local == name || *local == "redis") {
            return unsupported("it gives a local variable the name of a function");
        }
        let values = self.values(arguments, 0)?;
        let first = values.first().cloned().unwrap_or(Value::Nil);
        match name {
            // What it does with the error of a key that is no string is no case of ours.
            "redis.pcall" if matches!(&first, Value::Text(name) if name.eq_ignore_ascii_case(b"get")) => {
                unsupported("it asks for the value in redis.pcall")
            }
            "redis.call" | "redis.pcall" => self.world.call(&values),
            "redis.error_reply" => Ok(Value::Error(error_text(&text_of(&first)?))),
            "redis.status_reply" => Ok(Value::Status(text_of(&first)?)),
            "redis.replicate_commands" => Ok(Value::Bool(true)),
            "tonumber" => match first {
                known @ Value::Remaining(_) => Ok(known),
                Value::Unknown => unsupported("it makes a number of the value"),
                other => Ok(other.number().map_or(Value::Nil, Value::Number)),
            },
            "tostring" => match first {
                Value::Nil => Ok(Value::text("nil")),
                Value::Bool(true) => Ok(Value::text("true")),
                Value::Bool(false) => Ok(Value::text("false")),
                Value::Unknown => Ok(Value::Unknown),
                other => Ok(Value::Text(text_of(&other)?)),
            },
            _ => unsupported("it calls a function other than redis.call, tonumber and tostring"),
        }
    }

    fn table(&mut self, items: &'a [Expression], fields: &'a [(String, Expression)]) -> Result<Value, Stop> {
        let mut named = None;
        for (name, value) in fields {
            let text = text_of(&self.value(value)?)?;
            named = match name.as_str() {
                "ok" => Some(Value::Status(text)),
                "err" => Some(Value::Error(text)),
                _ => return unsupported(format!("it makes a table with the field '{name}'")),
            };
        }
        match named {
            Some(named) => Ok(named),
            None => Ok(Value::List(self.values(items, 0)?)),
        }
    }

    fn binary(
        &mut self,
        operator: Operator,
        left: &'a Expression,
        right: &'a Expression,
    ) -> Result<Value, Stop> {
        let left = self.value(left)?;
        match operator {
            Operator::And if !left.truth() => return Ok(left),
            Operator::Or if left.truth() => return Ok(left),
            Operator::And | Operator::Or => return self.value(right),
            _ => {}
        }
        let right = self.value(right)?;
        Ok(match operator {
            Operator::Equal => Value::Bool(self.equal(&left, &right)?),
            Operator::NotEqual => Value::Bool(!self.equal(&left, &right)?),
            Operator::Less => Value::Bool(less(&left, &right)?),
            Operator::Greater => Value::Bool(less(&right, &left)?),
            Operator::LessOrEqual => Value::Bool(less_or_equal(&left, &right)?),
            Operator::GreaterOrEqual => Value::Bool(less_or_equal(&right, &left)?),
            Operator::Concat => Value::Text([text_of(&left)?, text_of(&right)?].concat().into()),
            _ => arithmetic(operator, &left, &right)?,
        })
    }

    fn equal(&mut self, left: &Value, right: &Value) -> Result<bool, Stop> {
        match (left, right) {
            (Value::Unknown, Value::Unknown) => Ok(true),
            (Value::Unknown, Value::Text(text)) | (Value::Text(text), Value::Unknown) => {
                self.world.compare(text)
            }
            (Value::Remaining(left), Value::Number(right))
            | (Value::Number(right), Value::Remaining(left)) => match left.compare(*right) {
                (_, Some(false)) => Ok(false),
                _ => time_depends(),
            },
            (Value::Remaining(_), Value::Remaining(_)) => time_depends(),
            (Value::List(_), Value::List(_)) => unsupported("it compares lists"),
            (left, right) => Ok(left == right),
        }
    }

    fn number(&mut self, expression: &'a Expression) -> Result<f64, Stop> {
        match self.value(expression)?.number() {
            Some(number) => Ok(number),
            None => unsupported("it reckons with something else than a number"),
        }
    }
}

fn indexed(of: &Value, index: &Value) -> Result<Value, Stop> {
    match (of, index) {
        (Value::List(items), Value::Number(index)) => {
            let place = (*index >= 1.0 && index.fract() == 0.0).then(|| *index as usize - 1);
            Ok(place.and_then(|place| items.get(place)).cloned().unwrap_or(Value::Nil))
        }
        (Value::Status(text), Value::Text(field)) if field == "ok" => Ok(Value::Text(text.clone())),
        (Value::Error(text), Value::Text(field)) if field == "err" => Ok(Value::Text(text.clone())),
        (Value::Status(_) | Value::Error(_) | Value::List(_), _) => Ok(Value::Nil),
        _ => unsupported("it indexes something else than a list"),
    }
}

fn less(left: &Value, right: &Value) -> Result<bool, Stop> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => Ok(left < right),
        (Value::Text(left), Value::Text(right)) => Ok(left < right),
        (Value::Remaining(left), Value::Number(right)) => {
            left.compare(*right).0.map_or_else(time_depends, Ok)
        }
        // right > left is not (right <= left).
        (Value::Number(left), Value::Remaining(right)) => {
            right.compare(*left).1.map_or_else(time_depends, |at_most| Ok(!at_most))
        }
        _ => incomparable(left, right),
    }
}

fn less_or_equal(left: &Value, right: &Value) -> Result<bool, Stop> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => Ok(left <= right),
        (Value::Text(left), Value::Text(right)) => Ok(left <= right),
        (Value::Remaining(left), Value::Number(right)) => {
            left.compare(*right).1.map_or_else(time_depends, Ok)
        }
        (Value::Number(left), Value::Remaining(right)) => {
            right.compare(*left).0.map_or_else(time_depends, |below| Ok(!below))
        }
        _ => incomparable(left, right),
    }
}

fn incomparable(left: &Value, right: &Value) -> Result<bool, Stop> {
    let unknown = |value: &Value| matches!(value, Value::Unknown | Value::Remaining(_));
    if unknown(left) || unknown(right) {
        return unsupported("it orders the value, which only equality is supported for");
    }
    unsupported("it orders values of different types")
}

fn time_depends<T>() -> Result<T, Stop> {
    unsupported("what it does depends on how much time is left")
}

fn arithmetic(operator: Operator, left: &Value, right: &Value) -> Result<Value, Stop> {
    match (operator, left, right) {
        (Operator::Add, Value::Remaining(time), other) | (Operator::Add, other, Value::Remaining(time)) => {
            return shifted(*time, other.number());
        }
        (Operator::Subtract, Value::Remaining(time), other) => {
            return shifted(*time, other.number().map(|number| -number));
        }
        _ => {}
    }
    let (Some(left), Some(right)) = (left.number(), right.number()) else {
        return unsupported("it reckons with something else than a number");
    };
    Ok(Value::Number(match operator {
        Operator::Add => left + right,
        Operator::Subtract => left - right,
        Operator::Multiply => left * right,
        Operator::Divide => left / right,
        Operator::Modulo => left - (left / right).floor() * right,
        _ => return unsupported("an operator that is not known"),
    }))
}

fn shifted(time: Remaining, by: Option<f64>) -> Result<Value, Stop> {
    match by {
        Some(by) => Ok(Value::Remaining(Remaining { plus: time.plus + by, ..time })),
        None => unsupported("it reckons with something else than a number"),
    }
}

fn text_of(value: &Value) -> Result<Bytes, Stop> {
    match value.bytes() {
        Some(text) => Ok(text),
        None => unsupported("it makes a text of something else than a text or a number"),
    }
}

/// An error needs a code in front: Redis adds one to a single word, and takes a leading `-` away.
fn error_text(text: &Bytes) -> Bytes {
    let text = text.strip_prefix(b"-").unwrap_or(text);
    if text.contains(&b' ') { Bytes::copy_from_slice(text) } else { [b"ERR ", text].concat().into() }
}
