//! A venue, and what its symbols are traded in.

use std::collections::{BTreeMap, BTreeSet};

use crate::digest::Feed;
use crate::orders::intent::{Intent, OrderType};
use crate::orders::reason::{Fault, Field, Reason};
use crate::trading::total::Total;
use crate::{Asset, Decimal, Symbol, VenueId, VenueKind};

/// An exchange, as the desk has set it up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Venue {
    pub id: VenueId,
    pub kind: VenueKind,
    pub symbols: BTreeMap<Symbol, Instrument>,
}

/// What a symbol is traded in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instrument {
    pub base: Asset,
    /// What prices and notionals are in.
    pub quote: Asset,
    /// Prices are multiples of it.
    pub tick: Decimal,
    /// Quantities are multiples of it.
    pub step: Decimal,
    pub quantity_min: Decimal,
    pub quantity_max: Decimal,
    /// Quantity times price times contract size, of an order that has a price.
    pub notional_min: Decimal,
    pub order_types: BTreeSet<OrderType>,
    /// What a price is held against while nothing was traded.
    pub reference_price: Option<Decimal>,
    /// What one of the quantity stands for; 1 where no contracts are traded.
    pub contract_size: Decimal,
}

/// What one of a quantity is worth. An order keeps the one that it was authorised by, so that it counts for the same as long as
/// it is open, whatever is traded or configured meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Valuation {
    pub price: Decimal,
    pub contract_size: Decimal,
    pub quote: Asset,
}

impl Valuation {
    /// Rounded up to the last digit of a [`Total`]; [`Total::BEYOND`] if it has too many before the point.
    pub fn notional(&self, quantity: Decimal) -> Total {
        let notional = self.price.times(quantity).and_then(|it| it.times(self.contract_size));
        notional.map_or(Total::BEYOND, Total::from)
    }

    pub(crate) fn feed(&self, feed: &mut Feed) {
        self.price.feed(feed);
        self.contract_size.feed(feed);
        feed.bytes(self.quote.as_str().as_bytes());
    }
}

impl Venue {
    pub(crate) fn feed(&self, feed: &mut Feed) {
        let Self { id, kind, symbols } = self;
        feed.bytes(id.as_str().as_bytes()).bytes(kind.as_str().as_bytes()).u64(symbols.len() as u64);
        for (symbol, instrument) in symbols {
            feed.bytes(symbol.as_str().as_bytes());
            instrument.feed(feed);
        }
    }
}

impl Instrument {
    /// What is wrong with an order in this symbol whoever asks for it.
    pub fn faults(&self, intent: &Intent) -> Vec<Reason> {
        let mut faults = Vec::new();
        let mut say = |field, fault| faults.push(Reason::Invalid(field, fault));
        if !self.order_types.contains(&intent.order_type) {
            say(Field::OrderType, Fault::NotOfThisVenue);
        }
        let numbers = [
            (Field::Quantity, Some(intent.quantity), self.step),
            (Field::Price, intent.price, self.tick),
            (Field::StopPrice, intent.stop_price, self.tick),
        ];
        for (field, number, step) in numbers {
            if number.is_some_and(|number| !number.is_multiple_of(step)) {
                say(field, Fault::Precision { step });
            }
        }
        if intent.quantity < self.quantity_min {
            say(Field::Quantity, Fault::BelowMinimum { minimum: self.quantity_min });
        }
        if intent.quantity > self.quantity_max {
            say(Field::Quantity, Fault::AboveMaximum { maximum: self.quantity_max });
        }
        // Of an order without a price the venue alone knows what it comes to.
        let notional = intent.price.map(|price| self.valuation(price).notional(intent.quantity));
        if notional.is_some_and(|notional| notional < self.notional_min.into()) {
            say(Field::Notional, Fault::BelowMinimum { minimum: self.notional_min });
        }
        faults
    }

    pub fn valuation(&self, price: Decimal) -> Valuation {
        Valuation { price, contract_size: self.contract_size, quote: self.quote.clone() }
    }

    pub(crate) fn feed(&self, feed: &mut Feed) {
        let Self { base, quote, order_types, reference_price, .. } = self;
        feed.bytes(base.as_str().as_bytes()).bytes(quote.as_str().as_bytes());
        let Self { tick, step, quantity_min, quantity_max, notional_min, contract_size, .. } = self;
        for number in [tick, step, quantity_min, quantity_max, notional_min, contract_size] {
            number.feed(feed);
        }
        feed.u64(order_types.len() as u64);
        for order_type in order_types {
            feed.u64(*order_type as u64);
        }
        Decimal::feed_option(*reference_price, feed);
    }
}
