//! What may be asked of an order, by its status, and to what it leads.
//!
//! This table governs requests alone. A report is never refused: what it leads to is read off the evidence by
//! [`status`](crate::orders::status), and the tests below hold that function to a table of its own.

use crate::orders::status::Status::{self, *};

/// What may be asked of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Request {
    /// To send it to its venue.
    Submit,
    /// To take it back.
    Cancel,
    /// To take it back for another one, as one act. Only an order that its venue has shown, or that never left: the cancel of
    /// one that is on its way may come there before it does, and then both would live.
    Replace,
}

impl Request {
    pub const ALL: [Self; 3] = [Self::Submit, Self::Cancel, Self::Replace];
}

/// By status, to what each request leads, in the order of [`Request::ALL`]; `None`: it is refused.
const TABLE: [(Status, [Option<Status>; 3]); 12] = [
    (Intent, [Some(Submitting), Some(Denied), Some(Denied)]),
    (Denied, [None, None, None]),
    (Submitting, [None, Some(PendingCancel), None]),
    (SubmitUnknown, [None, Some(PendingCancel), None]),
    (Open, [None, Some(PendingCancel), Some(PendingCancel)]),
    (PartiallyFilled, [None, Some(PendingCancel), Some(PendingCancel)]),
    (PendingCancel, [None, Some(PendingCancel), None]),
    (Filled, [None, None, None]),
    (Canceled, [None, None, None]),
    (Expired, [None, None, None]),
    (Rejected, [None, None, None]),
    (NeverPlaced, [None, None, None]),
];

/// To what a request leads; `None`: the order is in no state for it.
pub fn next(status: Status, request: Request) -> Option<Status> {
    TABLE[status as usize].1[request as usize]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::fill::{Fill, FillKey};
    use crate::orders::id::OrderId;
    use crate::orders::intent::{Intent, OrderType, Side, TimeInForce};
    use crate::orders::order::{Authorization, Order, Present, Sender};
    use crate::orders::reason::Reason;
    use crate::orders::report::{
        CancelOutcome, Fact, OrderName, Rejection, Report, Text, UnknownCause, VenueStatus, Weight, Witness,
    };
    use crate::{Decimal, Epoch, LeaseName, LogTime, Serial, Token};

    const NOW: LogTime = LogTime::from_ms(1000);
    const PRESENT: Present = Present { term: 1, now: NOW };
    const CANCEL: Serial = Serial(9);

    /// What every report leads to, from every status of an order of 2. `!`: and it is quarantined.
    const REPORTS: &str = "
                      INT  DEN  SUB  UNK  OPN  PAR  PEN  FIL  CAN  EXP  REJ  NEV
        acknowledged  OPN! OPN! OPN  OPN  OPN  PAR  PEN  FIL  CAN  EXP  OPN! OPN!
        open_1        PAR! PAR! PAR  PAR  PAR  PAR  PEN  FIL  CAN  EXP  PAR! PAR!
        trade_half    PAR! PAR! PAR  PAR  PAR  PAR  PEN  FIL  CAN  EXP  PAR! PAR!
        trade_2       FIL! FIL! FIL  FIL  FIL  FIL  FIL  FIL  FIL  FIL  FIL! FIL!
        filled_2      FIL! FIL! FIL  FIL  FIL  FIL  FIL  FIL  FIL  FIL  FIL! FIL!
        filled_1      FIL! FIL! FIL  FIL  FIL  FIL  FIL  FIL  FIL! FIL! FIL! FIL!
        canceled      CAN! CAN! CAN  CAN  CAN  CAN  CAN  FIL  CAN  CAN! CAN! CAN!
        expired       EXP! EXP! EXP  EXP  EXP  EXP  EXP  FIL  CAN! EXP  EXP! EXP!
        rejected      REJ  REJ  REJ  REJ  OPN! PAR! PEN! FIL! CAN! EXP! REJ  REJ
        refused       REJ  REJ  REJ  REJ  OPN! PAR! PEN! FIL! CAN! EXP! REJ  REJ
        unknown       UNK  DEN  UNK  UNK  OPN  PAR  PEN  FIL  CAN  EXP  REJ  NEV
        absent        NEV  NEV  NEV  NEV  OPN! PAR! PEN! FIL! CAN! EXP! REJ  NEV
        not_sent      DEN  DEN  DEN  DEN! OPN! PAR! PEN! FIL! CAN! EXP! REJ! NEV
        cancel_lost   INT  DEN  SUB  UNK  OPN  PAR  PEN  FIL  CAN  EXP  REJ  NEV
        cancel_no     INT  DEN  SUB  UNK  OPN  PAR  OPN  FIL  CAN  EXP  REJ  NEV
        cancel_done   CAN! CAN! CAN  CAN  CAN  CAN  CAN  FIL  CAN  CAN! CAN! CAN!
        bust_1        OPN! OPN! OPN! OPN! OPN! OPN  PEN! PAR  CAN! EXP! OPN! OPN!
    ";

    fn number(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn trade(name: &str, quantity: &str, is_bust: bool) -> Fact {
        let key = FillKey { trade: name.parse().unwrap(), venue_order_id: "v1".parse().unwrap() };
        let (quantity, price) = (number(quantity), number("100"));
        let fill = Fill { quantity, price, is_bust, commission: None, maker: None, venue_ms: None };
        Fact::Trades(vec![(key, fill)])
    }

    fn stands(status: VenueStatus, cumulative: &str) -> Fact {
        Fact::Status { status, cumulative: number(cumulative) }
    }

    fn cancel(outcome: CancelOutcome) -> Fact {
        Fact::Cancel { cancel: CANCEL, outcome }
    }

    fn fact(name: &str) -> Fact {
        let why = Rejection { code: Text::new("-2010"), message: Text::default() };
        match name {
            "acknowledged" => Fact::Acknowledged,
            "open_1" => stands(VenueStatus::Open, "1"),
            "trade_half" => trade("late", "0.5", false),
            "trade_2" => trade("whole", "2", false),
            "filled_2" => stands(VenueStatus::Filled, "2"),
            "filled_1" => stands(VenueStatus::Filled, "1"),
            "canceled" => stands(VenueStatus::Canceled, "0"),
            "expired" => stands(VenueStatus::Expired(Text::new("IOC")), "0"),
            "rejected" => stands(VenueStatus::Rejected(why), "0"),
            "refused" => Fact::Refused(why),
            "unknown" => Fact::Unknown(UnknownCause::Timeout),
            "absent" => Fact::Absent,
            "not_sent" => Fact::NotSent,
            "cancel_lost" => cancel(CancelOutcome::Unknown),
            "cancel_no" => cancel(CancelOutcome::Refused(why)),
            "cancel_done" => cancel(CancelOutcome::Done),
            "bust_1" => trade("bust", "1", true),
            _ => panic!("no report is called {name}"),
        }
    }

    fn take_in(order: &mut Order, fact: Fact) {
        let report = Report {
            account: order.account().clone(),
            symbol: order.symbol().clone(),
            order: OrderName::Id(order.id),
            by: Witness::Venue,
            venue_ms: None,
            venue_order_id: None,
            terms: None,
            fact,
        };
        order.report(&report, Weight::Hint, Serial(10), NOW);
    }

    fn intent() -> Intent {
        Intent {
            key: "k1".parse().unwrap(),
            account: "main".parse().unwrap(),
            strategy: "maker".parse().unwrap(),
            algorithm: "a".parse().unwrap(),
            trader: "t".parse().unwrap(),
            symbol: "BTCUSDT".parse().unwrap(),
            side: Side::Buy,
            order_type: OrderType::Limit,
            time_in_force: Some(TimeInForce::Gtc),
            quantity: number("2"),
            price: Some(number("100")),
            stop_price: None,
            reduce_only: false,
            lease: LeaseName::new("desk").unwrap(),
            token: Token::new(Epoch::default(), Serial(1)),
        }
    }

    fn authorization() -> Authorization {
        let sender = Sender::Cluster;
        Authorization { serial: Serial(8), term: 1, at: NOW, sender, wall_ms: 0, window_ms: 2000 }
    }

    /// An order as it comes to this status in life.
    fn order(status: Status) -> Order {
        let mut order = Order::recorded(OrderId(Serial(7)), intent(), NOW);
        match status {
            Intent => return order,
            Denied => {
                order.cancel(CANCEL, PRESENT).unwrap();
                return order;
            }
            _ => order.authorize(authorization()).unwrap(),
        }
        let name = match status {
            Intent | Denied | Submitting => None,
            SubmitUnknown => Some("unknown"),
            Open | PendingCancel => Some("acknowledged"),
            PartiallyFilled => Some("open_1"),
            Filled => Some("trade_2"),
            Canceled => Some("canceled"),
            Expired => Some("expired"),
            Rejected => Some("refused"),
            NeverPlaced => Some("absent"),
        };
        if let Some(name) = name {
            take_in(&mut order, fact(name));
        }
        if status == PartiallyFilled {
            take_in(&mut order, trade("first", "1", false));
        }
        if status == PendingCancel {
            order.cancel(CANCEL, PRESENT).unwrap();
        }
        assert_eq!(order.status(PRESENT), status);
        order
    }

    fn short(status: Status) -> &'static str {
        match status {
            Intent => "INT",
            Denied => "DEN",
            Submitting => "SUB",
            SubmitUnknown => "UNK",
            Open => "OPN",
            PartiallyFilled => "PAR",
            PendingCancel => "PEN",
            Filled => "FIL",
            Canceled => "CAN",
            Expired => "EXP",
            Rejected => "REJ",
            NeverPlaced => "NEV",
        }
    }

    #[test]
    fn every_report_leads_from_every_status_where_the_table_says() {
        let mut rows = REPORTS.lines().map(str::trim).filter(|row| !row.is_empty());
        let heads: Vec<&str> = rows.next().unwrap().split_whitespace().collect();
        assert_eq!(heads, Status::ALL.map(short));
        for row in rows {
            let mut cells = row.split_whitespace();
            let name = cells.next().unwrap();
            let found = Status::ALL.map(|status| {
                let mut order = order(status);
                take_in(&mut order, fact(name));
                let mark = if order.flags().quarantined { "!" } else { "" };
                format!("{}{mark}", short(order.status(PRESENT)))
            });
            assert_eq!(cells.collect::<Vec<_>>(), found, "{name}");
        }
    }

    #[test]
    fn every_request_leads_from_every_status_where_the_table_says() {
        assert_eq!(TABLE.map(|(status, _)| status), Status::ALL);
        for (status, leads_to) in TABLE {
            for (request, leads_to) in Request::ALL.into_iter().zip(leads_to) {
                let mut order = order(status);
                let done = match request {
                    Request::Submit => order.authorize(authorization()),
                    Request::Cancel => order.cancel(Serial(11), PRESENT).map(|_| ()),
                    Request::Replace => order.allows(request, PRESENT).map(|leads_to| {
                        assert_eq!(order.cancel(Serial(11), PRESENT), Ok(leads_to));
                    }),
                };
                assert_eq!(done, leads_to.map(|_| ()).ok_or(Reason::NotInState), "{status} {request:?}");
                assert_eq!(order.status(PRESENT), leads_to.unwrap_or(status), "{status} {request:?}");
            }
        }
    }

    #[test]
    fn nothing_is_asked_of_what_has_ended() {
        for (status, leads_to) in TABLE {
            assert_eq!(status.is_terminal(), leads_to == [None; 3], "{status}");
        }
    }
}
