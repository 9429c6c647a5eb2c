//! Tokens to a tree: the statements and expressions that lock scripts are made of.
//!
//! Functions, `while`, `repeat` and assignments to anything but a local variable are not among them.

use bytes::Bytes;

use super::Unsupported;
use super::lexer::{Token, tokens};
use crate::limits::SCRIPT_DEPTH_MAX;

pub(super) type Block = Vec<Statement>;

#[derive(Debug, PartialEq)]
pub(super) enum Statement {
    Local(Vec<String>, Vec<Expression>),
    Assign(Vec<String>, Vec<Expression>),
    /// A call whose result nobody wants.
    Call(Expression),
    If(Vec<(Expression, Block)>, Block),
    /// `for index, item in ipairs(list)`.
    ForEach {
        names: Vec<String>,
        list: Expression,
        body: Block,
    },
    /// `for name = from, to [, step]`.
    ForNumber {
        name: String,
        from: Expression,
        to: Expression,
        step: Option<Expression>,
        body: Block,
    },
    Do(Block),
    Break,
    Return(Option<Expression>),
}

#[derive(Debug, PartialEq)]
pub(super) enum Expression {
    Nil,
    Bool(bool),
    Number(f64),
    Text(Bytes),
    Name(String),
    Index(Box<Expression>, Box<Expression>),
    Call(Box<Expression>, Vec<Expression>),
    Not(Box<Expression>),
    Negative(Box<Expression>),
    Length(Box<Expression>),
    Binary(Operator, Box<Expression>, Box<Expression>),
    /// Items, and fields with a name.
    Table(Vec<Expression>, Vec<(String, Expression)>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Or,
    And,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
    Concat,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

pub(super) fn parse(source: &[u8]) -> Result<Block, Unsupported> {
    let mut parser = Parser { tokens: tokens(source)?, place: 0, depth: 0 };
    let block = parser.block()?;
    if parser.peek().is_some() { Err(parser.unexpected()) } else { Ok(block) }
}

struct Parser {
    tokens: Vec<(Token, usize)>,
    place: usize,
    depth: usize,
}

/// The binding power of a binary operator to its left and right; `..` binds to the right.
fn operator(token: &Token) -> Option<(Operator, u8, u8)> {
    Some(match token {
        Token::Word("or") => (Operator::Or, 1, 2),
        Token::Word("and") => (Operator::And, 3, 4),
        Token::Symbol("<") => (Operator::Less, 5, 6),
        Token::Symbol("<=") => (Operator::LessOrEqual, 5, 6),
        Token::Symbol(">") => (Operator::Greater, 5, 6),
        Token::Symbol(">=") => (Operator::GreaterOrEqual, 5, 6),
        Token::Symbol("==") => (Operator::Equal, 5, 6),
        Token::Symbol("~=") => (Operator::NotEqual, 5, 6),
        Token::Symbol("..") => (Operator::Concat, 8, 7),
        Token::Symbol("+") => (Operator::Add, 9, 10),
        Token::Symbol("-") => (Operator::Subtract, 9, 10),
        Token::Symbol("*") => (Operator::Multiply, 11, 12),
        Token::Symbol("/") => (Operator::Divide, 11, 12),
        Token::Symbol("%") => (Operator::Modulo, 11, 12),
        _ => return None,
    })
}

const UNARY_POWER: u8 = 13;

// Statements.
impl Parser {
    fn block(&mut self) -> Result<Block, Unsupported> {
        self.deeper()?;
        let mut block = Vec::new();
        loop {
            while self.symbol(";") {}
            match self.peek() {
                None | Some(Token::Word("end" | "else" | "elseif" | "until")) => break,
                Some(Token::Word("return")) => {
                    block.push(self.return_()?);
                    break;
                }
                Some(_) => block.push(self.statement()?),
            }
        }
        self.depth -= 1;
        Ok(block)
    }

    fn statement(&mut self) -> Result<Statement, Unsupported> {
        if self.word("local") {
            return self.local();
        }
        if self.word("if") {
            return self.if_();
        }
        if self.word("for") {
            return self.for_();
        }
        if self.word("do") {
            let body = self.block()?;
            self.expect_word("end")?;
            return Ok(Statement::Do(body));
        }
        if self.word("break") {
            return Ok(Statement::Break);
        }
        let first = self.expression(UNARY_POWER)?;
        match first {
            Expression::Call(..) => Ok(Statement::Call(first)),
            Expression::Name(name) => self.assign(name),
            _ => Err(self.unexpected()),
        }
    }

    fn local(&mut self) -> Result<Statement, Unsupported> {
        if matches!(self.peek(), Some(Token::Word("function"))) {
            return Err(self.unexpected());
        }
        let mut names = vec![self.name()?];
        while self.symbol(",") {
            names.push(self.name()?);
        }
        let values = if self.symbol("=") { self.expressions()? } else { Vec::new() };
        Ok(Statement::Local(names, values))
    }

    fn assign(&mut self, first: String) -> Result<Statement, Unsupported> {
        let mut names = vec![first];
        while self.symbol(",") {
            names.push(self.name()?);
        }
        self.expect("=")?;
        Ok(Statement::Assign(names, self.expressions()?))
    }

    fn if_(&mut self) -> Result<Statement, Unsupported> {
        let mut arms = Vec::new();
        loop {
            let condition = self.expression(0)?;
            self.expect_word("then")?;
            arms.push((condition, self.block()?));
            if !self.word("elseif") {
                break;
            }
        }
        let otherwise = if self.word("else") { self.block()? } else { Vec::new() };
        self.expect_word("end")?;
        Ok(Statement::If(arms, otherwise))
    }

    fn for_(&mut self) -> Result<Statement, Unsupported> {
        let first = self.name()?;
        if self.symbol("=") {
            let from = self.expression(0)?;
            self.expect(",")?;
            let to = self.expression(0)?;
            let step = if self.symbol(",") { Some(self.expression(0)?) } else { None };
            let body = self.body()?;
            return Ok(Statement::ForNumber { name: first, from, to, step, body });
        }
        let mut names = vec![first];
        while self.symbol(",") {
            names.push(self.name()?);
        }
        self.expect_word("in")?;
        let list = match self.expression(0)? {
            Expression::Call(function, mut arguments)
                if arguments.len() == 1
                    && matches!(&*function, Expression::Name(name) if name == "ipairs" || name == "pairs") =>
            {
                arguments.remove(0)
            }
            _ => return Err(self.error("`for … in` over something else than ipairs(list)")),
        };
        Ok(Statement::ForEach { names, list, body: self.body()? })
    }

    fn body(&mut self) -> Result<Block, Unsupported> {
        self.expect_word("do")?;
        let body = self.block()?;
        self.expect_word("end")?;
        Ok(body)
    }

    fn return_(&mut self) -> Result<Statement, Unsupported> {
        self.place += 1;
        let ends = matches!(
            self.peek(),
            None | Some(Token::Word("end" | "else" | "elseif" | "until") | Token::Symbol(";"))
        );
        // Of several values Redis uses the first.
        let value = if ends { None } else { self.expressions()?.into_iter().next() };
        while self.symbol(";") {}
        Ok(Statement::Return(value))
    }
}

// Expressions.
impl Parser {
    fn expressions(&mut self) -> Result<Vec<Expression>, Unsupported> {
        let mut expressions = vec![self.expression(0)?];
        while self.symbol(",") {
            expressions.push(self.expression(0)?);
        }
        Ok(expressions)
    }

    fn expression(&mut self, least: u8) -> Result<Expression, Unsupported> {
        self.deeper()?;
        let mut left = self.unary()?;
        while let Some((operator, to_left, to_right)) = self.peek().and_then(operator)
            && to_left >= least
        {
            self.place += 1;
            let right = self.expression(to_right)?;
            left = Expression::Binary(operator, Box::new(left), Box::new(right));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expression, Unsupported> {
        if self.word("not") {
            return Ok(Expression::Not(Box::new(self.expression(UNARY_POWER)?)));
        }
        if self.symbol("-") {
            return Ok(Expression::Negative(Box::new(self.expression(UNARY_POWER)?)));
        }
        if self.symbol("#") {
            return Ok(Expression::Length(Box::new(self.expression(UNARY_POWER)?)));
        }
        let mut expression = self.primary()?;
        loop {
            expression = if self.symbol(".") {
                let field = Expression::Text(self.name()?.into_bytes().into());
                Expression::Index(Box::new(expression), Box::new(field))
            } else if self.symbol("[") {
                let index = self.expression(0)?;
                self.expect("]")?;
                Expression::Index(Box::new(expression), Box::new(index))
            } else if self.symbol("(") {
                let arguments = if self.symbol(")") {
                    Vec::new()
                } else {
                    let arguments = self.expressions()?;
                    self.expect(")")?;
                    arguments
                };
                Expression::Call(Box::new(expression), arguments)
            } else {
                return Ok(expression);
            };
        }
    }

    fn primary(&mut self) -> Result<Expression, Unsupported> {
        let Some(token) = self.peek().cloned() else { return Err(self.unexpected()) };
        let expression = match token {
            Token::Word("nil") => Expression::Nil,
            Token::Word("true") => Expression::Bool(true),
            Token::Word("false") => Expression::Bool(false),
            Token::Number(number) => Expression::Number(number),
            Token::Text(text) => Expression::Text(text),
            Token::Name(name) => Expression::Name(name),
            Token::Symbol("(") => {
                self.place += 1;
                let inner = self.expression(0)?;
                self.expect(")")?;
                return Ok(inner);
            }
            Token::Symbol("{") => {
                self.place += 1;
                return self.table();
            }
            _ => return Err(self.unexpected()),
        };
        self.place += 1;
        Ok(expression)
    }

    fn table(&mut self) -> Result<Expression, Unsupported> {
        let (mut items, mut fields) = (Vec::new(), Vec::new());
        while !self.symbol("}") {
            let named = match (self.peek(), self.tokens.get(self.place + 1)) {
                (Some(Token::Name(name)), Some((Token::Symbol("="), _))) => Some(name.clone()),
                _ => None,
            };
            match named {
                Some(name) => {
                    self.place += 2;
                    fields.push((name, self.expression(0)?));
                }
                None => items.push(self.expression(0)?),
            }
            if !self.symbol(",") && !self.symbol(";") {
                self.expect("}")?;
                break;
            }
        }
        Ok(Expression::Table(items, fields))
    }
}

// Tokens.
impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.place).map(|(token, _)| token)
    }

    fn word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(next)) if *next == word);
        self.place += usize::from(found);
        found
    }

    fn symbol(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Symbol(next)) if *next == symbol);
        self.place += usize::from(found);
        found
    }

    fn expect_word(&mut self, word: &str) -> Result<(), Unsupported> {
        if self.word(word) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn expect(&mut self, symbol: &str) -> Result<(), Unsupported> {
        if self.symbol(symbol) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn name(&mut self) -> Result<String, Unsupported> {
        let Some(Token::Name(name)) = self.peek() else { return Err(self.unexpected()) };
        let name = name.clone();
        self.place += 1;
        Ok(name)
    }

    fn deeper(&mut self) -> Result<(), Unsupported> {
        self.depth += 1;
        if self.depth > SCRIPT_DEPTH_MAX { Err(self.error("it is nested too deeply")) } else { Ok(()) }
    }

    fn unexpected(&self) -> Unsupported {
        match self.peek() {
            None => self.error("it ends too early"),
            Some(Token::Name(word)) => self.error(&format!("unexpected '{word}'")),
            Some(Token::Word(word) | Token::Symbol(word)) => self.error(&format!("unexpected '{word}'")),
            Some(Token::Number(_) | Token::Text(_)) => self.error("an unexpected value"),
        }
    }

    fn error(&self, what: &str) -> Unsupported {
        let place = self.place.min(self.tokens.len().saturating_sub(1));
        let line = self.tokens.get(place).map_or(1, |(_, line)| *line);
        Unsupported::new(format!("line {line}: {what}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn returned(source: &str) -> String {
        match parse(source.as_bytes()).unwrap().pop() {
            Some(Statement::Return(Some(value))) => format!("{value:?}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn operators_bind_as_in_lua() {
        assert_eq!(returned("return a or b and c == d"), returned("return a or (b and (c == d))"));
        assert_eq!(returned("return not a == b"), returned("return (not a) == b"));
        assert_eq!(returned("return a .. b .. c"), returned("return a .. (b .. c)"));
        assert_eq!(returned("return a - b - c"), returned("return (a - b) - c"));
        assert_eq!(returned("return 1 + 2 * 3 < 4"), returned("return (1 + (2 * 3)) < 4"));
        assert_ne!(returned("return a - b - c"), returned("return a - (b - c)"));
    }

    #[test]
    fn what_is_left_out_is_refused_with_its_line() {
        for (source, reason) in [
            ("x = 1\nwhile x do end", "line 2: unexpected 'while'"),
            ("local function f() end", "line 1: unexpected 'function'"),
            ("return function() end", "line 1: unexpected 'function'"),
            ("redis.x = 1", "line 1: unexpected '='"),
            ("if 1 then", "line 1: it ends too early"),
            ("return 1 2", "line 1: an unexpected value"),
            ("retur 1", "line 1: an unexpected value"),
            ("for k in next, t do end", "line 1: `for … in` over something else than ipairs(list)"),
        ] {
            assert_eq!(parse(source.as_bytes()), Err(Unsupported::new(reason)), "{source}");
        }
        let deep = "return ".to_owned() + &"(".repeat(100) + "1" + &")".repeat(100);
        assert!(parse(deep.as_bytes()).unwrap_err().0.contains("nested too deeply"));
    }
}
