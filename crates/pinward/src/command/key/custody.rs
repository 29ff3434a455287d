//! Components: given one at a time by their custodians, put together by others.

use std::{path::PathBuf, process::ExitCode};

use keyring::{ComponentOf, KeyName, Keyring, OfferedComponent, Person};
use zeroize::Zeroizing;

use super::{
    Session, Two, ask, life, name, now, person,
    spec::{self, SpecOptions},
};
use crate::command::Usage;

/// Options of `pinward key component`.
#[derive(clap::Args)]
pub(super) struct Component {
    /// The key's name.
    #[arg(value_parser = name)]
    name: KeyName,
    /// Which component, from 1.
    #[arg(long)]
    part: u8,
    /// How many there are.
    #[arg(long)]
    of: u8,
    /// Who gives it: nobody gives two.
    #[arg(long, value_name = "PERSON", value_parser = person)]
    custodian: Person,
    #[command(flatten)]
    spec: SpecOptions,
    /// Make a random component, show it once, and keep it when its custodian has written it down.
    #[arg(long, conflicts_with_all = ["from_file", "kcv"])]
    generate: bool,
    /// Read the component from a file, or from standard input for -, instead of typing it twice.
    #[arg(long, value_name = "FILE", requires = "kcv")]
    from_file: Option<PathBuf>,
    /// The component's check value on its form, 6 digits: with another one nothing is kept. Without this option it is
    /// shown, and its custodian asked; with --from-file it must be given.
    #[arg(long, value_name = "HEX", value_parser = spec::check_value)]
    kcv: Option<String>,
}

pub(super) fn component(session: &Session, options: &Component) -> anyhow::Result<ExitCode> {
    let wanted = ComponentOf {
        name: options.name.clone(),
        spec: options.spec.spec()?,
        part: options.part,
        of: options.of,
        custodian: options.custodian.clone(),
    };
    if options.generate {
        // Into a file or a pipe it would be kept by somebody else than its custodian.
        ask::a_terminal("a new component is shown", ask::Sides::Both)?;
    }
    let (mut keyring, ceremony) = session.open()?;
    keyring.may_give(&wanted, now())?;
    let offered = if options.generate {
        let (offered, clear) = keyring.make_component(&ceremony, &wanted)?;
        show_once(&wanted, &offered, &clear)?;
        offered
    } else {
        let clear = match &options.from_file {
            Some(path) => digits(&ask::secret_from(path)?)?,
            None => typed(&wanted)?,
        };
        let offered = keyring.offer_component(&ceremony, &wanted, &clear, now())?;
        println!("part {} of {}  check value {}", wanted.part, wanted.name, offered.check_value());
        offered
    };
    keep(&mut keyring, options, &wanted, offered)
}

/// Keeps the component only when its custodian has compared the check value.
fn keep(
    keyring: &mut Keyring,
    options: &Component,
    wanted: &ComponentOf,
    offered: OfferedComponent,
) -> anyhow::Result<ExitCode> {
    let agreed = match &options.kcv {
        // A longer one is compared as far as ours goes.
        Some(form) => form.starts_with(offered.check_value()),
        None if options.generate => ask::confirmed("Is it written down, and compared?")?,
        None => ask::confirmed("Is this the check value on the form?")?,
    };
    if options.generate {
        ask::clear_screen();
    }
    if !agreed {
        anyhow::bail!(
            "the check value was not confirmed; nothing was kept. Compare the component with the form and begin again"
        );
    }
    keyring.keep_component(offered, now())?;
    let given = keyring.register().components().iter().filter(|c| c.name == wanted.name).count();
    eprintln!("part {} of {} kept, sealed; {given} of {} are there", wanted.part, wanted.name, wanted.of);
    Ok(ExitCode::SUCCESS)
}

/// The component for the paper form, in groups of four.
fn show_once(
    wanted: &ComponentOf,
    offered: &OfferedComponent,
    clear: &Zeroizing<String>,
) -> anyhow::Result<()> {
    use std::io::Write;

    let mut page = Zeroizing::new(String::with_capacity(1024));
    page.push_str("Shown once. Write it on the form, by hand:\n\n  ");
    for (at, digit) in clear.chars().enumerate() {
        if at > 0 && at.is_multiple_of(4) {
            page.push(' ');
        }
        page.push(digit);
    }
    page.push_str("\n\n  check value ");
    page.push_str(offered.check_value());
    page.push_str(&format!(
        "\n  {} part {} of {}, {}\n",
        wanted.name, wanted.part, wanted.of, wanted.custodian
    ));
    let mut out = std::io::stdout().lock();
    out.write_all(page.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// A component typed twice; its length is judged at the first entry, and how it is grouped does not matter.
fn typed(wanted: &ComponentOf) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let length = wanted.spec.length;
    let what = format!("Part {} of {}, {} hexadecimal digits", wanted.part, wanted.name, length * 2);
    ask::secret_twice(&what, |text| match digits(text) {
        Ok(clear) if clear.len() != length => Err(format!("{} digits came", clear.len() * 2)),
        Ok(clear) => Ok(clear),
        Err(error) => Err(error.to_string()),
    })
}

/// Hexadecimal digits in groups or not.
fn digits(text: &Zeroizing<String>) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let mut together = Zeroizing::new(String::with_capacity(text.len()));
    together.extend(text.chars().filter(|c| !c.is_whitespace() && *c != '-'));
    match hex::decode(together.as_bytes()) {
        Ok(bytes) if !bytes.is_empty() => Ok(Zeroizing::new(bytes)),
        _ => Err(Usage(format!(
            "a component is an even number of hexadecimal digits; {} characters came, and nothing was kept",
            together.len()
        ))
        .into()),
    }
}

/// Options of `pinward key combine`.
#[derive(clap::Args)]
pub(super) struct Combine {
    /// The key's name.
    #[arg(value_parser = name)]
    name: KeyName,
    #[command(flatten)]
    two: Two,
    /// The check value that the whole key must have.
    #[arg(long, value_name = "HEX", value_parser = spec::check_value)]
    kcv: Option<String>,
}

pub(super) fn combine(session: &Session, options: &Combine) -> anyhow::Result<ExitCode> {
    let control = options.two.control()?;
    let (mut keyring, ceremony) = session.open()?;
    let made = keyring.combine(&ceremony, &options.name, &control, options.kcv.as_deref(), now())?;
    life::say(session, &made, "combined; its components are destroyed; pending")
}

/// Options of `pinward key discard`.
#[derive(clap::Args)]
pub(super) struct Discard {
    /// The key's name.
    #[arg(value_parser = name)]
    name: KeyName,
    #[command(flatten)]
    two: Two,
}

pub(super) fn discard(session: &Session, options: &Discard) -> anyhow::Result<ExitCode> {
    let control = options.two.control()?;
    let gone = session.register()?.discard(&options.name, &control, now())?;
    eprintln!("{gone} components of {} thrown away", options.name);
    Ok(ExitCode::SUCCESS)
}
