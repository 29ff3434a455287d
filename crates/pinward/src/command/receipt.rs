//! `pinward receipt RRN`: the slip of a payment, printed again. Text goes to standard output; pictures and printers' bytes to a file,
//! or to standard output when that is no terminal, such as a printer's device.

use std::{
    io::{IsTerminal as _, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context;
use clap::ValueEnum;
use handbook::Lang;

use crate::asking::{self, Slip, Where};

const NOT_FOUND: u8 = 3;

/// In which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    Text,
    Html,
    Png,
    Escpos,
}

/// Who keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Copy {
    Merchant,
    Cardholder,
}

/// Options of `pinward receipt`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Retrieval reference number (DE 37) of the payment.
    rrn: String,
    #[command(flatten)]
    wanted: Where,
    /// Width of the paper in millimetres.
    #[arg(long, value_name = "MM", default_value = "58", value_parser = ["58", "80"])]
    paper: String,
    /// Who keeps it.
    #[arg(long, value_enum, default_value = "merchant")]
    copy: Copy,
    /// Text, a page that prints, a picture, or a printer's bytes in GB18030 [default: by the ending of --out, else text]
    #[arg(long, value_enum)]
    form: Option<Form>,
    /// Put the mark of a reprint on it.
    #[arg(long)]
    reprint: bool,
    /// Language: zh or en [default: from LC_ALL, LC_MESSAGES or LANG]
    #[arg(long, value_name = "LANG")]
    lang: Option<Lang>,
    /// Write to a file.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Options {
    fn form(&self) -> Form {
        let ending = self.out.as_ref().and_then(|path| path.extension()?.to_str());
        self.form.unwrap_or(match ending {
            Some("html" | "htm") => Form::Html,
            Some("png") => Form::Png,
            Some("escpos" | "bin" | "prn") => Form::Escpos,
            _ => Form::Text,
        })
    }

    fn query(&self) -> String {
        let form = match self.form() {
            Form::Text => "text",
            Form::Html => "html",
            Form::Png => "png",
            Form::Escpos => "escpos",
        };
        let copy = match self.copy {
            Copy::Merchant => "merchant",
            Copy::Cardholder => "cardholder",
        };
        let lang = self.lang.unwrap_or_else(super::explain::lang_of_environment).pick("zh", "en");
        format!("paper={}&copy={copy}&lang={lang}&form={form}&reprint={}", self.paper, self.reprint)
    }
}

pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let rrn = options.rrn.trim();
    if rrn.is_empty() || !rrn.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(super::Usage("a reference number has letters and digits only".to_owned()).into());
    }
    let drawn = match asking::slip(&options.wanted, rrn, &options.query()).await? {
        Slip::Drawn(bytes) => bytes,
        Slip::NotFound => {
            eprintln!("pinward: no payment {rrn}");
            return Ok(ExitCode::from(NOT_FOUND));
        }
    };
    if let Some(path) = &options.out {
        std::fs::write(path, drawn).with_context(|| format!("cannot write {}", path.display()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut out = std::io::stdout().lock();
    if matches!(options.form(), Form::Png | Form::Escpos) && out.is_terminal() {
        let why = "a picture or a printer's bytes need --out FILE, or standard output that is no terminal";
        return Err(super::Usage(why.to_owned()).into());
    }
    // A reader that went away, such as `head`, is not an error.
    let _ = out.write_all(&drawn);
    Ok(ExitCode::SUCCESS)
}
