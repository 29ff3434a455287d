//! `pinward decode`: reads captured messages in hex and says what is in them.
//!
//! For the engineer with a trace in front of them: what did the terminal send, and if it does not decode, at which byte does
//! it stop making sense? Card numbers, tracks, PIN blocks and keys are masked unless asked for. Data goes to stdout, words about it
//! to stderr; a message that is only partly readable is shown as far as it goes.

use std::io::Read as _;
use std::path::PathBuf;
use std::process::ExitCode;

use iso8583::{DecodeError, DescribedField, Dialect, Frame, FrameLimit, Framing, Message};
use serde_json::{Map, Value, json};

/// Reads a message in hex and shows its fields, with card data masked.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How the message is written; see --dialect help for the names [default: cup-pos]
    #[arg(long, value_name = "NAME")]
    dialect: Option<String>,

    /// How it is framed: none, len2, len2+tpdu+header, tpdu+header, len4a
    #[arg(long, value_name = "FRAMING", default_value = "len2+tpdu+header")]
    framing: String,

    /// Read the dialect from this TOML file instead
    #[arg(long, value_name = "FILE", conflicts_with = "dialect")]
    spec: Option<PathBuf>,

    /// Print one JSON object per message
    #[arg(long)]
    json: bool,

    /// Show card numbers, tracks, PIN blocks and keys as they are
    #[arg(long)]
    reveal: bool,

    /// Names in Chinese or English [default: from LC_ALL, LC_MESSAGES or LANG]
    #[arg(long, value_name = "LANG", value_parser = ["zh", "en"])]
    lang: Option<String>,

    /// The message in hex, in one or more arguments, spaces allowed; "-" reads stdin, one message per line
    #[arg(value_name = "HEX", required = true)]
    hex: Vec<String>,
}

/// The message is not what the dialect and the framing say.
const EXIT_BAD_MESSAGE: u8 = 1;
/// The command was not used as it can be.
const EXIT_USAGE: u8 = 2;
/// The most that is read from stdin, in bytes.
const STDIN_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Whatever was captured is looked at.
const LIMIT: FrameLimit = FrameLimit(iso8583::MAX_BODY_LEN + 2);

/// Runs the command.
pub(crate) fn run(options: Options) -> ExitCode {
    let prepared = dialect_of(&options)
        .and_then(|dialect| Ok((dialect, options.framing.parse::<Framing>().map_err(|e| e.to_string())?)))
        .and_then(|(dialect, framing)| Ok((dialect, framing, inputs(&options.hex)?)));
    let (dialect, framing, inputs) = match prepared {
        Ok(prepared) => prepared,
        Err(sentence) => {
            eprintln!("pinward decode: {sentence}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let lang = options.lang.clone().unwrap_or_else(lang_of_environment);
    let view = View { json: options.json, reveal: options.reveal, chinese: lang == "zh" };
    let mut all_good = true;
    for (i, input) in inputs.iter().enumerate() {
        if i > 0 && !view.json {
            println!();
        }
        if let Err(sentence) = show(&dialect, framing, input, view) {
            eprintln!("pinward decode: {sentence}");
            all_good = false;
        }
    }
    if all_good { ExitCode::SUCCESS } else { ExitCode::from(EXIT_BAD_MESSAGE) }
}

fn dialect_of(options: &Options) -> Result<std::sync::Arc<Dialect>, String> {
    if let Some(file) = &options.spec {
        let text = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
        let dialect = Dialect::from_toml(&text).map_err(|e| format!("{}: {e}", file.display()))?;
        return Ok(std::sync::Arc::new(dialect));
    }
    let name = options.dialect.as_deref().unwrap_or("cup-pos");
    Dialect::builtin(name).ok_or_else(|| {
        format!("unknown dialect '{name}': known are {}", Dialect::names().collect::<Vec<_>>().join(", "))
    })
}

/// The arguments are one message; stdin has one per line.
fn inputs(arguments: &[String]) -> Result<Vec<String>, String> {
    if arguments != ["-"] {
        return Ok(vec![arguments.concat()]);
    }
    let mut text = String::new();
    let read = std::io::stdin().lock().take(STDIN_BYTES_MAX + 1).read_to_string(&mut text);
    read.map_err(|e| format!("stdin: {e}"))?;
    if text.len() as u64 > STDIN_BYTES_MAX {
        return Err(format!("stdin: more than {STDIN_BYTES_MAX} bytes"));
    }
    let lines: Vec<String> = text.lines().map(str::to_owned).filter(|line| !line.trim().is_empty()).collect();
    if lines.is_empty() { Err("stdin: no message".to_owned()) } else { Ok(lines) }
}

#[derive(Clone, Copy)]
struct View {
    json: bool,
    reveal: bool,
    chinese: bool,
}

/// Shows one message. The error is the sentence for stderr; what could be read has been printed by then.
fn show(dialect: &Dialect, framing: Framing, input: &str, view: View) -> Result<(), String> {
    let bytes = bytes_of(input)?;
    let frame = framing.split(&bytes, LIMIT).map_err(|e| format!("frame ({framing}): {e}"))?;
    let Some(frame) = frame else {
        show_cut_short(dialect, framing, &bytes, view);
        return Err(format!(
            "frame ({framing}): cut short, its length says more than the {} bytes given",
            bytes.len()
        ));
    };
    let outcome = dialect.decode(frame.body);
    match &outcome {
        Ok(message) => print(&frame, framing, message, message.describe(view.reveal), view),
        Err(error) => print_partial(&frame, framing, error, view),
    }
    outcome.map_err(|error| with_frame_offset(&error, frame_head(&frame)))?;
    if frame.consumed < bytes.len() {
        return Err(format!("{} bytes follow the frame", bytes.len() - frame.consumed));
    }
    Ok(())
}

/// What arrived of a frame whose end is missing, read as if its length were right.
fn show_cut_short(dialect: &Dialect, framing: Framing, bytes: &[u8], view: View) {
    let (prefix_len, rest) = match framing {
        Framing::Len2TpduHeader => (2, Framing::TpduHeader),
        Framing::Len2 => (2, Framing::None),
        Framing::Len4a => (4, Framing::None),
        Framing::None | Framing::TpduHeader => return,
    };
    let Some(Ok(Some(frame))) = bytes.get(prefix_len..).map(|bytes| rest.split(bytes, LIMIT)) else { return };
    match dialect.decode(frame.body) {
        Ok(message) => print(&frame, rest, &message, message.describe(view.reveal), view),
        Err(error) => print_partial(&frame, rest, &error, view),
    }
}

/// Bytes of the frame before the message.
fn frame_head(frame: &Frame<'_>) -> usize {
    frame.consumed - frame.body.len()
}

fn with_frame_offset(error: &DecodeError<'_>, head: usize) -> String {
    match head {
        0 => error.to_string(),
        head => format!("{error} (byte {} of the frame)", error.offset() + head),
    }
}

fn bytes_of(input: &str) -> Result<Vec<u8>, String> {
    let mut nibbles = Vec::with_capacity(input.len());
    for (i, c) in input.char_indices().filter(|(_, c)| !c.is_whitespace()) {
        let nibble = c.to_digit(16).ok_or_else(|| format!("character {} is not a hex digit", i + 1))?;
        nibbles.push(nibble as u8);
    }
    if nibbles.is_empty() || !nibbles.len().is_multiple_of(2) {
        return Err(format!("{} hex digits do not make whole bytes", nibbles.len()));
    }
    Ok(nibbles.chunks_exact(2).map(|pair| (pair[0] << 4) | pair[1]).collect())
}

fn print_partial(frame: &Frame<'_>, framing: Framing, error: &DecodeError<'_>, view: View) {
    let lines = error.describe_partial(view.reveal);
    if view.json {
        let head = frame_head(frame);
        let place = json!({"at": error.offset(), "at_in_frame": error.offset() + head, "field": error.field(),
            "says": error.to_string()});
        println!("{}", as_json(frame, framing, error.partial(), lines, Some(place)));
    } else {
        print(frame, framing, error.partial(), lines, view);
    }
}

fn print(frame: &Frame<'_>, framing: Framing, message: &Message<'_>, lines: Vec<DescribedField>, view: View) {
    if view.json {
        println!("{}", as_json(frame, framing, message, lines, None));
        return;
    }
    let chinese = view.chinese;
    let word = |en: &'static str, zh: &'static str| if chinese { zh } else { en };
    let mut rows: Vec<[String; 3]> = Vec::new();
    for (path, name, value) in [
        ("tpdu", word("transport header", "传输头"), frame.tpdu.map(|t| t.to_string())),
        ("header", word("message header", "报文头"), frame.header.map(|h| h.to_string())),
        ("mti", word("message type", "消息类型"), Some(message.mti().to_string())),
        ("bitmap", word("bitmap", "位元表"), Some(message.bitmap().to_string())),
    ] {
        rows.extend(value.map(|value| [path.to_owned(), name.to_owned(), value]));
    }
    for line in lines {
        let name = if chinese { line.name_zh } else { line.name_en };
        let path = if line.path.contains('.') { format!("  {}", line.path) } else { line.path };
        rows.push([path, name, line.value]);
    }
    print_aligned(&rows);
}

fn as_json(
    frame: &Frame<'_>,
    framing: Framing,
    message: &Message<'_>,
    lines: Vec<DescribedField>,
    error: Option<Value>,
) -> Value {
    let mut object = Map::new();
    if matches!(framing, Framing::Len2 | Framing::Len2TpduHeader) {
        object.insert("len".to_owned(), json!(frame.consumed - 2));
    }
    object.extend(frame.tpdu.map(|tpdu| ("tpdu".to_owned(), json!(tpdu.to_string()))));
    object.extend(frame.header.map(|header| ("header".to_owned(), json!(header.to_string()))));
    object.insert("mti".to_owned(), json!(message.mti().to_string()));
    object.insert("bitmap".to_owned(), json!(format!("{:016X}", message.bitmap().primary())));
    let mut fields = Map::new();
    if message.bitmap().has(1) {
        fields.insert("1".to_owned(), json!(format!("{:016X}", message.bitmap().secondary())));
    }
    // The samples list fields and data objects; sub-fields of positional tables repeat what their field says.
    fields.extend(lines.into_iter().filter(|line| line.is_listed).map(|line| (line.path, json!(line.value))));
    object.insert("fields".to_owned(), Value::Object(fields));
    object.extend(error.map(|error| ("error".to_owned(), error)));
    Value::Object(object)
}

/// Columns under each other. A Chinese character takes two places on a terminal.
fn print_aligned(rows: &[[String; 3]]) {
    let width = |text: &str| text.chars().map(|c| if c as u32 >= 0x1100 { 2 } else { 1 }).sum::<usize>();
    let widest = |column: usize| rows.iter().map(|row| width(&row[column])).max().unwrap_or(0);
    let (paths, names) = (widest(0), widest(1));
    for [path, name, value] in rows {
        let (after_path, after_name) = (paths - width(path) + 2, names - width(name) + 2);
        println!("{path}{:after_path$}{name}{:after_name$}{value}", "", "");
    }
}

fn lang_of_environment() -> String {
    let set = ["LC_ALL", "LC_MESSAGES", "LANG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    if set.is_some_and(|value| value.starts_with("zh")) { "zh".to_owned() } else { "en".to_owned() }
}
