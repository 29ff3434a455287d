//! Cards, terminals and sales that the measurements make up.

use authorization::{
    CardRecord, Effect, PinVerdict, Role, Status, Trace,
    key_set::KeySet,
    settlement::Movement,
    terminal::{Site, TerminalRecord},
};
use model::{
    Amount, BatchNumber, CardId, Currency, Expiry, KeyBlock, KeyScheme, Kind, Pan, PinReference, ReasonCode,
    ResponseCode, Stan, Timestamp, TransactionKey,
};
use store::{Card, Entry, Event, Exchange, Registration, Subject, journal::Transaction};

pub(crate) const TERMINALS: u32 = 1_000;
const T0: i64 = 1_795_000_000_000;

pub(crate) fn pan(n: u32) -> Result<Pan, model::Invalid> {
    format!("6216261{n:012}").parse()
}

pub(crate) fn card(n: u32) -> Result<Registration, model::Invalid> {
    let pan = pan(n)?;
    let record = CardRecord {
        pan: pan.masked(),
        expiry: Expiry::from_yymm(3012)?,
        product: "debit".into(),
        currency: Currency::CNY,
        opening_balance: Amount(100_000_000),
    };
    let pvv = [0, 1, 2, 3].map(|place| b'0' + (n / 10u32.pow(place) % 10) as u8);
    let reference = PinReference::Pvv { key: "pvk".into(), pvki: 1, pvv };
    Ok(Registration::Card { pan, record, reference: Some(reference) })
}

pub(crate) fn terminal(n: u32) -> Result<Registration, model::Invalid> {
    Ok(Registration::Terminal(TerminalRecord {
        id: format!("{n:08}").parse()?,
        merchant: "898411070110001".parse()?,
        merchant_name: "Noodles".into(),
        site: Site::default(),
        keys: KeySet {
            scheme: KeyScheme::Tdes,
            key: KeyBlock::new("D0112K0AB00E0000".into()),
            format: KeyScheme::Tdes.usual_format(),
            device: None,
            check_value: "A1B2C3D4".into(),
        },
    }))
}

pub(crate) fn sale(id: CardId, card: &Card, n: u32) -> Result<Entry, model::Invalid> {
    let key = TransactionKey {
        terminal: format!("{:08}", n % TERMINALS).parse()?,
        batch: BatchNumber::new(n / TERMINALS / 1_000_000 + 1)?,
        stan: Stan::new(n / TERMINALS % 1_000_000)?,
        day: 0,
    };
    let (rrn, approval) = (format!("{n:012}").parse()?, Some("123456".parse()?));
    let at = Timestamp(T0 + i64::from(n));
    let trace = Trace {
        key,
        role: Role::Financial(Kind::Sale),
        digest: u64::from(n),
        status: Status::Approved,
        amount: Amount(1),
        at,
        rrn,
        approval,
        original: None,
        journal_seq: 0,
    };
    let transaction = Transaction {
        role: Role::Financial(Kind::Sale),
        key,
        pan: card.record.pan.clone(),
        merchant: "898411070110001".parse()?,
        amount: Amount(1),
        currency: Currency::CNY,
        rrn,
        approval,
        reason: ReasonCode::Approved,
        code: ResponseCode::APPROVED,
        pin: PinVerdict::Verified,
        tries_left: 3,
        tries_limit: 3,
        locked: None,
        effects: vec![Effect::Post { delta: Amount(-1) }, Effect::Remember { trace }],
        movement: Movement { debit_count: 1, debit_sum: Amount(1), ..Movement::default() },
        original: None,
        forwarded: None,
        rules: None,
        operator: None,
    };
    Ok(Entry {
        subject: Subject::Card(id),
        seq: card.state.seq + 1,
        at,
        event: Event::Transaction(Box::new(transaction)),
        exchange: Some(Exchange {
            dialect: "unionpay".into(),
            request: vec![0x30; 180],
            reply: vec![0x31; 120],
            received: at,
            took_us: 250,
            instance: None,
        }),
    })
}
