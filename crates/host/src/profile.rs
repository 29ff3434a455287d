//! A network profile: which message asks for what (`profiles/*.toml`), and which codes answer it.

use hsm::WorkKeyLayout;
use iso8583::Mti;
use model::Kind;
use serde::Deserialize;

/// What a message asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// A decision about a card.
    Payment(Kind),
    /// Undo.
    Reversal,
    /// Fresh working keys.
    SignIn(WorkKeyLayout),
    /// End of the session.
    SignOut,
    /// Is the line alive?
    Echo,
    /// Totals of the batch.
    Settlement,
    /// A fact to be taken note of.
    Advice,
    /// The shop's own people.
    Operator(OperatorTask),
}

/// What one of the shop's own people wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperatorTask {
    /// To sign on.
    SignOn,
    /// To sign off.
    SignOff,
    /// Another password of their own.
    ChangePassword,
    /// A first password for another operator.
    Reset,
}

/// A network's rules.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Name: `unionpay`, `iso87`, `iso93`.
    pub name: String,
    /// DE 39 by reason.
    pub codes: authorization::Profile,
    /// Is the batch number (DE 60.2) part of a transaction's identity?
    pub batches: bool,
    /// Does the reply header order a sign-in when keys or batch are out of step?
    pub sign_in_again: bool,
    /// The data element in which DUKPT terminals send their key serial number, binary or as hexadecimal text.
    pub ksn_field: Option<u8>,
    /// The data element in which terminals report about themselves (docs/reference/telemetry.md).
    pub telemetry_field: Option<u8>,
    /// The data element in which terminals send the code of a second proof (rules P12).
    pub code_field: Option<u8>,
    /// Where the new PIN block of a PIN change is.
    pub new_pin: Option<NewPinField>,
    /// The data element with an operator and passwords (rules O3).
    pub operator_field: Option<u8>,
    rows: Vec<Row>,
}

/// Where a new PIN block is, beside the old one in DE 52.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewPinField {
    /// The data element.
    pub field: u8,
    /// Is it written in hexadecimal digits?
    pub hex: bool,
}

#[derive(Debug, Clone)]
struct Row {
    task: Task,
    mti: Vec<String>,
    processing: Option<Vec<String>>,
    condition: Option<Vec<String>>,
    network: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    codes: String,
    batches: bool,
    sign_in_again: bool,
    ksn_field: Option<u8>,
    telemetry_field: Option<u8>,
    code_field: Option<u8>,
    new_pin: Option<NewPinField>,
    operator_field: Option<u8>,
    message: Vec<FileRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileRow {
    does: String,
    mti: Vec<String>,
    processing: Option<Vec<String>>,
    condition: Option<Vec<String>>,
    network: Option<Vec<String>>,
}

/// The fields by which a message is classified.
#[derive(Debug, Clone, Copy)]
pub struct Classifiers<'a> {
    /// Message type.
    pub mti: Mti,
    /// DE 3.
    pub processing: Option<&'a str>,
    /// DE 25.
    pub condition: Option<&'a str>,
    /// DE 60.3, 70 or 24.
    pub network: Option<&'a str>,
}

impl Profile {
    /// A profile that comes with the program.
    #[must_use]
    pub fn builtin(name: &str) -> Option<Self> {
        let text = match name {
            "unionpay" => include_str!("../profiles/unionpay.toml"),
            "iso87" => include_str!("../profiles/iso87.toml"),
            "iso93" => include_str!("../profiles/iso93.toml"),
            _ => return None,
        };
        Self::from_toml(name, text).ok()
    }

    /// The profile that a dialect has unless the configuration names another.
    #[must_use]
    pub fn for_dialect(dialect: &str) -> &'static str {
        if dialect.starts_with("cup-pos") {
            "unionpay"
        } else if dialect.contains("93") {
            "iso93"
        } else {
            "iso87"
        }
    }

    fn from_toml(name: &str, text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|e| e.to_string())?;
        let codes = authorization::Profile::builtin(&file.codes)
            .ok_or_else(|| format!("unknown response code profile {:?}", file.codes))?;
        let rows = file.message.into_iter().map(Row::try_from).collect::<Result<_, _>>()?;
        Ok(Self {
            name: name.to_owned(),
            codes,
            batches: file.batches,
            sign_in_again: file.sign_in_again,
            ksn_field: file.ksn_field,
            telemetry_field: file.telemetry_field,
            code_field: file.code_field,
            new_pin: file.new_pin,
            operator_field: file.operator_field,
            rows,
        })
    }

    /// What a message asks for; `None` if it is nothing that this network profile does.
    #[must_use]
    pub fn classify(&self, by: &Classifiers<'_>) -> Option<Task> {
        let mti = by.mti.without_repeat().to_string();
        self.rows.iter().find(|row| row.fits(&mti, by)).map(|row| row.task)
    }
}

impl Row {
    fn fits(&self, mti: &str, by: &Classifiers<'_>) -> bool {
        let one_of = |allowed: &Option<Vec<String>>, value: Option<&str>| {
            allowed.as_ref().is_none_or(|list| value.is_some_and(|v| list.iter().any(|a| a == v)))
        };
        self.mti.iter().any(|m| m == mti)
            && one_of(&self.processing, by.processing.and_then(|p| p.get(..2)))
            && one_of(&self.condition, by.condition)
            && one_of(&self.network, by.network)
    }
}

impl TryFrom<FileRow> for Row {
    type Error = String;

    fn try_from(row: FileRow) -> Result<Self, String> {
        let task = task(&row.does).ok_or_else(|| format!("unknown task {:?}", row.does))?;
        Ok(Self {
            task,
            mti: row.mti,
            processing: row.processing,
            condition: row.condition,
            network: row.network,
        })
    }
}

fn task(name: &str) -> Option<Task> {
    const KINDS: [Kind; 10] = [
        Kind::Balance,
        Kind::Sale,
        Kind::SaleVoid,
        Kind::Refund,
        Kind::PreAuth,
        Kind::PreAuthVoid,
        Kind::Completion,
        Kind::CompletionVoid,
        Kind::Cash,
        Kind::PinChange,
    ];
    let other = match name {
        "reversal" => Task::Reversal,
        "sign-in-double" => Task::SignIn(WorkKeyLayout::DoubleLength),
        "sign-in-double-track" => Task::SignIn(WorkKeyLayout::DoubleLengthWithTrackKey),
        "sign-in-sm4" => Task::SignIn(WorkKeyLayout::Sm4),
        "sign-out" => Task::SignOut,
        "echo" => Task::Echo,
        "settlement" => Task::Settlement,
        "advice" => Task::Advice,
        "operator-sign-on" => Task::Operator(OperatorTask::SignOn),
        "operator-sign-off" => Task::Operator(OperatorTask::SignOff),
        "operator-password" => Task::Operator(OperatorTask::ChangePassword),
        "operator-reset" => Task::Operator(OperatorTask::Reset),
        _ => return KINDS.into_iter().find(|k| k.name() == name).map(Task::Payment),
    };
    Some(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(profile: &str, mti: &str, processing: &str, condition: &str, network: &str, task: Option<Task>) {
        let some = |text: &'static str| (!text.is_empty()).then_some(text);
        let leak = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
        let by = Classifiers {
            mti: mti.parse().unwrap(),
            processing: some(leak(processing)),
            condition: some(leak(condition)),
            network: some(leak(network)),
        };
        let profile = Profile::from_toml(
            profile,
            match profile {
                "unionpay" => include_str!("../profiles/unionpay.toml"),
                "iso87" => include_str!("../profiles/iso87.toml"),
                _ => include_str!("../profiles/iso93.toml"),
            },
        );
        assert_eq!(profile.unwrap().classify(&by), task, "{mti} {processing} {condition} {network}");
    }

    #[test]
    fn terminals_ask_in_the_words_of_their_network() {
        let pay = |kind| Some(Task::Payment(kind));
        check("unionpay", "0200", "000000", "00", "", pay(Kind::Sale));
        check("unionpay", "0200", "190000", "00", "", pay(Kind::Sale));
        check("unionpay", "0201", "000000", "00", "", pay(Kind::Sale));
        check("unionpay", "0200", "000000", "06", "", pay(Kind::Completion));
        check("unionpay", "0220", "000000", "06", "", pay(Kind::Completion));
        check("unionpay", "0200", "200000", "06", "", pay(Kind::CompletionVoid));
        check("unionpay", "0200", "200000", "00", "", pay(Kind::SaleVoid));
        check("unionpay", "0220", "200000", "00", "", pay(Kind::Refund));
        check("unionpay", "0100", "030000", "06", "", pay(Kind::PreAuth));
        check("unionpay", "0100", "200000", "06", "", pay(Kind::PreAuthVoid));
        check("unionpay", "0200", "310000", "00", "", pay(Kind::Balance));
        check("unionpay", "0600", "700000", "00", "", pay(Kind::PinChange));
        check("iso87", "0601", "700000", "", "", pay(Kind::PinChange));
        check("iso93", "1600", "700000", "", "", None);
        check("unionpay", "0400", "000000", "00", "", Some(Task::Reversal));
        check("unionpay", "0800", "", "", "003", Some(Task::SignIn(WorkKeyLayout::DoubleLength)));
        check("unionpay", "0800", "", "", "004", Some(Task::SignIn(WorkKeyLayout::DoubleLengthWithTrackKey)));
        check("unionpay", "0800", "", "", "006", Some(Task::SignIn(WorkKeyLayout::Sm4)));
        check("unionpay", "0800", "", "", "001", None);
        check("unionpay", "0820", "", "", "301", Some(Task::Echo));
        let operator = |task| Some(Task::Operator(task));
        check("unionpay", "0820", "", "", "401", operator(OperatorTask::SignOn));
        check("iso87", "0800", "", "", "404", operator(OperatorTask::Reset));
        check("iso87", "0420", "000000", "", "", Some(Task::Reversal));
        check("iso87", "0800", "", "", "301", Some(Task::Echo));
        check("iso93", "1200", "000000", "", "", pay(Kind::Sale));
        check("iso93", "1421", "000000", "", "", Some(Task::Reversal));
    }
}
