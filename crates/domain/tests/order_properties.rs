//! What holds for every set of reports of an order, in whatever order they come and however often.

use domain::orders::fill::Commission;
use domain::orders::order::Sender;
use domain::orders::report::{
    CancelOutcome, OrderName, Rejection, Terms, Text, UnknownCause, VenueStatus, Weight, Witness,
};
use domain::orders::{
    Authorization, Evidence, Fact, Fill, FillKey, Intent, Order, OrderId, OrderType, Present, Report, Side,
    Status,
};
use domain::{Decimal, Epoch, LeaseName, LogTime, Serial, Token};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// Few reports, of few words each, so that they meet often; and so many cases that they meet in every way.
const CASES: u32 = 10_000;
const REPORTS_MAX: usize = 7;

/// Under which the cancels of the order were authorised, and one that was not.
const CANCELS: [u64; 2] = [3, 4];
const OTHER_CANCEL: u64 = 9;

const NOW: LogTime = LogTime::from_ms(1000);
const PRESENT: Present = Present { term: 1, now: NOW };

fn parsed<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("written as it should be")
}

/// An order to buy 2, authorised, with two cancels on their way.
fn order() -> Order {
    let intent = Intent {
        key: parsed("k1"),
        account: parsed("main"),
        strategy: parsed("maker"),
        algorithm: parsed("maker-3"),
        trader: parsed("ada"),
        symbol: parsed("BTCUSDT"),
        side: Side::Buy,
        order_type: OrderType::Market,
        time_in_force: None,
        quantity: parsed("2"),
        price: None,
        stop_price: None,
        reduce_only: false,
        lease: LeaseName::new("desk").expect("a name"),
        token: Token::new(Epoch::default(), Serial(0)),
    };
    let mut order = Order::recorded(OrderId(Serial(1)), intent, NOW);
    let authorization = Authorization {
        serial: Serial(2),
        term: 1,
        at: NOW,
        sender: Sender::Bot,
        wall_ms: 0,
        window_ms: 2000,
    };
    order.authorize(authorization).expect("it is held");
    for cancel in CANCELS {
        order.cancel(Serial(cancel), PRESENT).expect("it has not ended");
    }
    order
}

/// A random number, spent on one choice after the other. A small number chooses what stands first.
struct Choices(u64);

impl Choices {
    fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        let count = choices.len() as u64;
        let choice = choices[(self.0 % count) as usize].clone();
        self.0 /= count;
        choice
    }

    fn quantity(&mut self) -> Decimal {
        let least = "0.000000000000000001";
        let greatest = "99999999999999999999";
        parsed(self.of(&["1", "0.5", "0.5", "1", "1.0", "2", "2", least, greatest]))
    }

    fn rejection(&mut self) -> Rejection {
        Rejection { code: Text::new(self.of(&["-2010", "-1013"])), message: Text::default() }
    }

    fn trade(&mut self) -> (FillKey, Fill) {
        let key = FillKey {
            trade: parsed(self.of(&["t1", "t2", "t3"])),
            venue_order_id: parsed(self.of(&["v1", "v1", "v1", "v2"])),
        };
        let fee = |amount| Some(Commission { amount: parsed(amount), asset: parsed("BNB") });
        let fill = Fill {
            quantity: self.quantity(),
            price: parsed(self.of(&["100", "100", "100", "99"])),
            is_bust: self.of(&[false, false, false, false, true]),
            commission: self.of(&[None, fee("0.1"), fee("0.1"), fee("0.2")]),
            maker: self.of(&[None, Some(true), Some(true), Some(false)]),
            venue_ms: self.of(&[None, Some(0), Some(1)]),
        };
        (key, fill)
    }

    fn status(&mut self) -> Fact {
        let status = match self.of(&[0, 1, 2, 3, 4]) {
            0 => VenueStatus::Open,
            1 => VenueStatus::Filled,
            2 => VenueStatus::Canceled,
            3 => VenueStatus::Expired(Text::new(self.of(&["IOC", "STP"]))),
            _ => VenueStatus::Rejected(self.rejection()),
        };
        let cumulative = if self.of(&[true, false]) { Decimal::ZERO } else { self.quantity() };
        Fact::Status { status, cumulative }
    }

    fn cancel(&mut self) -> Fact {
        let cancel = Serial(self.of(&[CANCELS[0], CANCELS[1], OTHER_CANCEL]));
        let outcome = match self.of(&[0, 1, 2]) {
            0 => CancelOutcome::Unknown,
            1 => CancelOutcome::Refused(self.rejection()),
            _ => CancelOutcome::Done,
        };
        Fact::Cancel { cancel, outcome }
    }

    fn fact(&mut self) -> Fact {
        match self.of(&[0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 4, 5, 6, 7, 7]) {
            0 => Fact::Acknowledged,
            1 => self.status(),
            2 => Fact::Trades((0..self.of(&[1, 2])).map(|_| self.trade()).collect()),
            3 => Fact::Refused(self.rejection()),
            4 => Fact::Unknown(self.of(&UnknownCause::ALL)),
            5 => Fact::Absent,
            6 => Fact::NotSent,
            _ => self.cancel(),
        }
    }

    fn terms(&mut self) -> Option<Terms> {
        let side =
            self.of(&[None, None, None, None, None, Some(Side::Buy), Some(Side::Buy), Some(Side::Sell)])?;
        let quantity = self.of(&[false, true]).then(|| self.quantity());
        Some(Terms { side, order_type: None, time_in_force: None, quantity, price: None })
    }

    fn report(mut self, by: &[Witness]) -> Report {
        Report {
            account: parsed("main"),
            symbol: parsed("BTCUSDT"),
            order: OrderName::Id(OrderId(Serial(1))),
            by: self.of(by),
            fact: self.fact(),
            venue_ms: self.of(&[None, Some(0), Some(1), Some(2)]),
            venue_order_id: self
                .of(&[None, None, None, None, Some("v1"), Some("v1"), Some("v2")])
                .map(parsed),
            terms: self.terms(),
        }
    }
}

pub(crate) fn report(by: &'static [Witness]) -> impl Strategy<Value = Report> {
    any::<u64>().prop_map(move |number| Choices(number).report(by))
}

pub(crate) const ANYONE: &[Witness] = &[Witness::Venue, Witness::Venue, Witness::Bot];

/// Reports, and the same ones shuffled, some of them more than once.
fn told_twice() -> impl Strategy<Value = (Vec<Report>, Vec<Report>)> {
    let places = vec(any::<Index>(), REPORTS_MAX..REPORTS_MAX + 4);
    (vec(report(ANYONE), 1..=REPORTS_MAX), places).prop_map(|(reports, places)| {
        let mut repeated: Vec<Report> = Vec::new();
        for (number, place) in places.iter().enumerate() {
            let report = reports.get(number).unwrap_or_else(|| place.get(&reports));
            repeated.insert(place.index(repeated.len() + 1), report.clone());
        }
        (reports, repeated)
    })
}

/// The order after these reports. Each says that it was new just when it made a difference.
fn after(reports: &[Report]) -> Order {
    let mut order = order();
    for (serial, report) in (10..).zip(reports) {
        assert_eq!(report.faults(), []);
        let before = (order.venue.clone(), order.hints.clone());
        let is_new = order.report(report, Weight::Hint, Serial(serial), NOW);
        assert_eq!(is_new, (&before.0, &before.1) != (&order.venue, &order.hints));
        assert_eq!(order.revision == Serial(serial), is_new);
    }
    order
}

/// All that is read off an order.
fn shown(order: &Order) -> impl PartialEq + std::fmt::Debug + use<> {
    let evidence = (order.venue.digest(), order.hints.digest(), order.evidence().digest());
    let standing = (order.status(PRESENT), order.flags(), order.contradictions(), order.is_settled());
    let numbers = (order.open_quantity(), order.net_filled(), order.average_price());
    (evidence, standing, numbers)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn reports_in_any_order_and_repeated_are_the_same((reports, repeated) in told_twice()) {
        prop_assert_eq!(shown(&after(&reports)), shown(&after(&repeated)));
    }

    #[test]
    fn joining_is_taking_in_what_the_other_took_in(
        mine in vec(report(ANYONE), 0..4),
        other in vec(report(ANYONE), 0..4),
    ) {
        let of = |reports: &[Report]| reports.iter().fold(Evidence::default(), |mut evidence, report| {
            evidence.merge(report);
            evidence
        });
        let (mut forth, mut back) = (of(&mine), of(&other));
        forth.join(&of(&other));
        back.join(&of(&mine));
        prop_assert_eq!(&forth, &back);
        prop_assert_eq!(forth.digest(), of(&[mine, other].concat()).digest());
        prop_assert!(!forth.join(&back), "what it has is nothing new");
    }

    /// What lived is never said to have been turned down or never placed, and what is settled has nothing open.
    #[test]
    fn no_report_hides_what_another_showed(reports in vec(report(ANYONE), 1..=REPORTS_MAX)) {
        let mut lived = false;
        let mut trades = 0;
        let mut order = order();
        for report in &reports {
            order.report(report, Weight::Hint, Serial(10), NOW);
            let (evidence, flags, status) = (order.evidence(), order.flags(), order.status(PRESENT));
            lived |= evidence.is_alive();
            let dead = [Status::Rejected, Status::NeverPlaced, Status::Denied, Status::SubmitUnknown];
            prop_assert!(!lived || !dead.contains(&status), "{status} after it lived");
            prop_assert!(evidence.fills.by_key.len() >= trades, "no fill is ever lost");
            trades = evidence.fills.by_key.len();
            if order.is_settled() {
                prop_assert!(status.is_terminal() && !flags.quarantined && !flags.fills_pending);
                let Evidence { fills, .. } = &order.venue;
                let net = fills.traded().saturating_minus(fills.busted());
                prop_assert_eq!(order.filled_quantity(), net, "every part of it is a fill of the venue's");
            }
        }
    }

    #[test]
    fn nothing_is_settled_by_what_bots_say(reports in vec(report(&[Witness::Bot]), 1..=REPORTS_MAX)) {
        let order = after(&reports);
        prop_assert!(!order.is_settled());
        prop_assert_eq!(order.venue.digest(), Evidence::default().digest());
        prop_assert!(order.allows(domain::orders::Request::Cancel, PRESENT).is_ok());
    }
}
