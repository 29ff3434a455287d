//! What each response code (DE 39) means to people, whoever sent it.

use std::sync::LazyLock;

use model::{ResponseCode, reason::Family};
use serde::Deserialize;

use crate::lang::{Bilingual, Lang};

/// One response code.
#[derive(Debug)]
pub struct CodeEntry {
    code: ResponseCode,
    name: String,
    class: Option<Class>,
    cause: Cause,
    family: Family,
    counter_effect: CounterEffect,
    source: Source,
    meaning: Bilingual,
    prompt: Bilingual,
    action: Bilingual,
    explain: Bilingual,
    note: Option<Bilingual>,
}

/// How UnionPay's terminals handle a code (docs/reference/rules.md C1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
pub enum Class {
    /// Success.
    A,
    /// Failed; may be tried again.
    B,
    /// Failed; the terminal does not try again.
    C,
    /// Staff handle it.
    D,
    /// System fault; the terminal does not try again.
    E,
}

impl Class {
    /// The letter.
    #[must_use]
    pub fn letter(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
            Self::D => "D",
            Self::E => "E",
        }
    }

    /// What the letter means.
    #[must_use]
    pub fn text(self, lang: Lang) -> &'static str {
        match self {
            Self::A => lang.pick("交易成功", "success"),
            Self::B => lang.pick("交易失败，可重试", "failed, may be tried again"),
            Self::C => lang.pick("交易失败，终端不自动重试", "failed, the terminal does not try again"),
            Self::D => lang.pick("交易失败，由操作员处理", "failed, staff handle it"),
            Self::E => lang.pick("系统故障，终端不自动重试", "system fault, the terminal does not try again"),
        }
    }
}

/// What a code does to the PIN try counter of the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
pub enum CounterEffect {
    /// Nothing.
    #[serde(rename = "none")]
    None,
    /// One try more is used.
    #[serde(rename = "+1")]
    PlusOne,
    /// All tries are used: the card is locked.
    #[serde(rename = "locked")]
    Locked,
    /// All tries are given back, if a PIN was verified.
    #[serde(rename = "reset-if-pin-verified")]
    ResetIfVerified,
}

impl CounterEffect {
    /// The fixed name, as in the data and the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::PlusOne => "+1",
            Self::Locked => "locked",
            Self::ResetIfVerified => "reset-if-pin-verified",
        }
    }

    /// The same for people.
    #[must_use]
    pub fn text(self, lang: Lang) -> &'static str {
        match self {
            Self::None => lang.pick("不变，不计密码错误次数", "unchanged: no PIN try is charged"),
            Self::PlusOne => lang.pick("加一：计一次密码错误", "plus one: a PIN try is charged"),
            Self::Locked => lang.pick(
                "已到上限，卡已锁定；锁定后再输不再计次",
                "at the limit, the card is locked; what is entered after that is not counted",
            ),
            Self::ResetIfVerified => {
                lang.pick("验过密码且正确则清零", "back to zero if a PIN was asked for, because it was right")
            }
        }
    }
}

/// Where a code usually comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Nothing went wrong.
    Success,
    /// The cardholder's input.
    Cardholder,
    /// The card.
    Card,
    /// The account behind it.
    Account,
    /// The issuer's decision.
    Issuer,
    /// A limit on amount or number.
    Limit,
    /// Tries used up, or the card restricted.
    Locked,
    /// Fraud, or suspicion of it.
    Fraud,
    /// The merchant's registration.
    Merchant,
    /// The terminal's state or the way it was used.
    Terminal,
    /// Software that writes or reads messages.
    Software,
    /// Keys that do not agree.
    KeySync,
    /// Where messages are sent.
    Routing,
    /// Lines and time-outs.
    Network,
    /// A system on the way.
    System,
    /// The same request again.
    Duplicate,
}

impl Cause {
    /// The fixed name, as in the data and the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Cardholder => "cardholder",
            Self::Card => "card",
            Self::Account => "account",
            Self::Issuer => "issuer",
            Self::Limit => "limit",
            Self::Locked => "locked",
            Self::Fraud => "fraud",
            Self::Merchant => "merchant",
            Self::Terminal => "terminal",
            Self::Software => "software",
            Self::KeySync => "key-sync",
            Self::Routing => "routing",
            Self::Network => "network",
            Self::System => "system",
            Self::Duplicate => "duplicate",
        }
    }

    /// The same for people.
    #[must_use]
    pub fn text(self, lang: Lang) -> &'static str {
        match self {
            Self::Success => lang.pick("正常", "nothing went wrong"),
            Self::Cardholder => lang.pick("持卡人输入", "the cardholder's input"),
            Self::Card => lang.pick("卡片", "the card"),
            Self::Account => lang.pick("账户", "the account"),
            Self::Issuer => lang.pick("发卡行的决定", "the issuer's decision"),
            Self::Limit => lang.pick("金额或次数限制", "a limit on amount or number"),
            Self::Locked => lang.pick("密码锁定或卡片受限", "tries used up, or the card restricted"),
            Self::Fraud => lang.pick("欺诈或嫌疑", "fraud or suspicion of it"),
            Self::Merchant => lang.pick("商户登记", "the merchant's registration"),
            Self::Terminal => lang.pick("终端状态或操作", "the terminal's state or use"),
            Self::Software => lang.pick("软件或报文格式", "software or message format"),
            Self::KeySync => lang.pick("密钥不同步", "keys that do not agree"),
            Self::Routing => lang.pick("路由", "routing"),
            Self::Network => lang.pick("网络或超时", "network or time-out"),
            Self::System => lang.pick("系统", "a system on the way"),
            Self::Duplicate => lang.pick("重复请求", "the same request again"),
        }
    }
}

/// Where we have seen a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Two public code tables of Chinese terminals.
    TwoTables,
    /// One public code table of Chinese terminals.
    OneTable,
    /// Lists of ISO 8583:1987 only.
    IsoLists,
    /// Public pages of networks outside China.
    OtherNetworks,
    /// Public lists of ISO 8583:1993 action codes.
    #[serde(rename = "iso-1993")]
    Iso1993,
    /// Ours, where the standard has none.
    Ours,
}

impl Source {
    /// The fixed name, as in the data and the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TwoTables => "two-tables",
            Self::OneTable => "one-table",
            Self::IsoLists => "iso-lists",
            Self::OtherNetworks => "other-networks",
            Self::Iso1993 => "iso-1993",
            Self::Ours => "ours",
        }
    }

    /// The same for people.
    #[must_use]
    pub fn text(self, lang: Lang) -> &'static str {
        match self {
            Self::TwoTables => {
                lang.pick("两份公开的国内终端应答码表", "two public code tables of Chinese terminals")
            }
            Self::OneTable => {
                lang.pick("一份公开的国内终端应答码表", "one public code table of Chinese terminals")
            }
            Self::IsoLists => lang.pick(
                "仅见于ISO 8583:1987码表，国内码表未见",
                "lists of ISO 8583:1987 only; not in the Chinese tables",
            ),
            Self::OtherNetworks => lang.pick(
                "境外网络的公开资料，国内码表未见",
                "public pages of other networks; not in the Chinese tables",
            ),
            Self::Iso1993 => {
                lang.pick("公开的ISO 8583:1993应答码表", "public lists of ISO 8583:1993 action codes")
            }
            Self::Ours => lang.pick("本系统自定义，标准中没有", "ours: the standard has none"),
        }
    }
}

impl CodeEntry {
    /// The characters in DE 39.
    #[must_use]
    pub fn code(&self) -> &str {
        self.code.as_str()
    }

    /// The short English name, as code lists print it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How terminals handle it; `None` for codes that UnionPay's tables do not have.
    #[must_use]
    pub fn class(&self) -> Option<Class> {
        self.class
    }

    /// Where it usually comes from.
    #[must_use]
    pub fn cause(&self) -> Cause {
        self.cause
    }

    /// Whose matter it is; gives a chip its colour.
    #[must_use]
    pub fn family(&self) -> Family {
        self.family
    }

    /// What it does to the PIN try counter.
    #[must_use]
    pub fn counter_effect(&self) -> CounterEffect {
        self.counter_effect
    }

    /// Where we have seen it.
    #[must_use]
    pub fn source(&self) -> Source {
        self.source
    }

    /// What it means, in a few words.
    #[must_use]
    pub fn meaning(&self, lang: Lang) -> &str {
        self.meaning.get(lang)
    }

    /// What the terminal shows; may stand on a receipt.
    #[must_use]
    pub fn prompt(&self, lang: Lang) -> &str {
        self.prompt.get(lang)
    }

    /// What the person at the till does.
    #[must_use]
    pub fn action(&self, lang: Lang) -> &str {
        self.action.get(lang)
    }

    /// What happened, whether a PIN try was charged and what to do, in two or three sentences.
    #[must_use]
    pub fn explain(&self, lang: Lang) -> &str {
        self.explain.get(lang)
    }

    /// Where tables disagree, or what else one should know.
    #[must_use]
    pub fn note(&self, lang: Lang) -> Option<&str> {
        self.note.as_ref().map(|note| note.get(lang))
    }
}

/// Whose matter a family is, for people.
#[must_use]
pub fn family_text(family: Family, lang: Lang) -> &'static str {
    match family {
        Family::Ok => lang.pick("交易成功", "approved"),
        Family::Warn => lang.pick("持卡人当场可以处理", "the cardholder can mend it now"),
        Family::Lock => lang.pick("已锁定、受限或次数用尽", "locked, restricted or tries used up"),
        Family::Sys => lang.pick("系统、网络或终端的问题", "our, the network's or the terminal's fault"),
        Family::Bad => lang.pick("欺诈、失窃或来历不明", "attack, fraud, stolen, or not ours"),
        Family::Neutral => lang.pick("余额、限额等一般拒绝", "funds, limits and every other plain no"),
    }
}

/// All codes: first the two characters of 1987, then the three digits of 1993, each in order.
#[must_use]
pub fn codes() -> &'static [CodeEntry] {
    &CODES
}

/// The entry of a code, written as in DE 39.
#[must_use]
pub fn code(code: &str) -> Option<&'static CodeEntry> {
    CODES.binary_search_by_key(&order(code), |entry| order(entry.code())).ok().map(|at| &CODES[at])
}

/// What a terminal shows for a code that nobody listed (docs/reference/rules.md C2).
#[must_use]
pub fn unknown_code_prompt(lang: Lang) -> &'static str {
    lang.pick("交易失败，请联系发卡行", "Transaction failed, contact the issuer")
}

fn order(code: &str) -> (usize, &str) {
    (code.len(), code)
}

static CODES: LazyLock<Vec<CodeEntry>> =
    LazyLock::new(|| read(include_str!("../data/response-codes.json")).expect("a test reads the data"));

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    code: ResponseCode,
    name: String,
    class: Option<Class>,
    cause: Cause,
    family: Family,
    pin_counter: CounterEffect,
    source: Source,
    meaning_zh: String,
    meaning_en: String,
    prompt_zh: String,
    prompt_en: String,
    action_zh: String,
    action_en: String,
    explain_zh: String,
    explain_en: String,
    note_zh: Option<String>,
    note_en: Option<String>,
}

fn read(text: &str) -> Result<Vec<CodeEntry>, String> {
    let entries: Vec<Entry> = serde_json::from_str(text).map_err(|e| e.to_string())?;
    entries
        .into_iter()
        .map(|e| {
            let note = match (e.note_zh, e.note_en) {
                (Some(zh), Some(en)) => Some(Bilingual::new(zh, en)),
                (None, None) => None,
                _ => return Err(format!("{}: a note in one language only", e.code)),
            };
            Ok(CodeEntry {
                code: e.code,
                name: e.name,
                class: e.class,
                cause: e.cause,
                family: e.family,
                counter_effect: e.pin_counter,
                source: e.source,
                meaning: Bilingual::new(e.meaning_zh, e.meaning_en),
                prompt: Bilingual::new(e.prompt_zh, e.prompt_en),
                action: Bilingual::new(e.action_zh, e.action_en),
                explain: Bilingual::new(e.explain_zh, e.explain_en),
                note,
            })
        })
        .collect()
}
