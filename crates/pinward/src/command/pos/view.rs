//! What is seen: the terminal's display above, the messages below, keys at the foot. Fits 80×24.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, List, ListItem, ListState, Paragraph, Wrap};
use simulator::clock::Civil;
use simulator::receipt::{Copy, Paper, grouped};
use simulator::{Answer, Language, Step};

use super::app::{App, Screen};

const LEAST: (u16, u16) = (80, 24);

pub(super) fn draw(frame: &mut Frame<'_>, app: &App) {
    let area = frame.area();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        frame.render_widget(Paragraph::new(app.language.text("ui-small")), area);
        return;
    }
    let [head, display, log, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(11),
        Constraint::Min(6),
        Constraint::Length(2),
    ])
    .areas(area);
    draw_head(frame, app, head);
    match &app.screen {
        Screen::Slip => draw_slip(frame, app, display.union(log)),
        Screen::Terminals { at } => {
            draw_list(frame, app, display.union(log), "ui-choose-terminal", terminals(app), *at)
        }
        Screen::Cards { at } => draw_list(frame, app, display.union(log), "ui-choose-card", cards(app), *at),
        Screen::Home | Screen::Amount { .. } | Screen::Pin { .. } => {
            draw_display(frame, app, display);
            draw_log(frame, app, log);
        }
    }
    frame.render_widget(Paragraph::new(hint(app)).dim().wrap(Wrap { trim: true }), foot);
}

fn draw_head(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let text = |key| app.language.text(key);
    let state = text(if app.terminal.is_signed_in() { "ui-signed-in" } else { "ui-signed-out" });
    let mut line = vec![
        Span::raw(format!(" {} ", text("ui-title"))).bold(),
        Span::raw(format!(" {} ", text("ui-sandbox"))).black().on_yellow(),
        Span::raw(format!("  {}  {}  {state}", app.terminal.id(), app.terminal.merchant())),
    ];
    if app.terminal.memory().reversal().is_some() {
        line.push(Span::raw(format!("  {}", text("ui-owed"))).yellow());
    }
    frame.render_widget(Paragraph::new(Line::from(line)).reversed(), area);
}

fn draw_display(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let text = |key| app.language.text(key);
    let card = app.card();
    let totals = app.terminal.memory().totals();
    let mut lines = vec![
        Line::from(format!("{}: {}   {}", text("card"), card.pan.masked(), card.product)),
        Line::from(format!(
            "{}: {}   {}: {} × RMB {}",
            text("batch"),
            app.terminal.memory().batch(),
            text("ui-total"),
            totals.debit_count,
            grouped(totals.debit_sum)
        ))
        .dim(),
        Line::default(),
    ];
    lines.extend(question(app));
    let block = Block::bordered().title(display_title(app));
    frame.render_widget(Paragraph::new(lines).block(block).alignment(Alignment::Center), area);
}

fn display_title(app: &App) -> String {
    match &app.screen {
        Screen::Amount { kind, .. } | Screen::Pin { kind, .. } => {
            format!(" {} ", app.language.kind(kind.name()))
        }
        _ => " POS ".to_owned(),
    }
}

/// What the display asks or says.
fn question(app: &App) -> Vec<Line<'static>> {
    let text = |key| app.language.text(key);
    if app.busy {
        return vec![Line::from(text("ui-busy")).bold()];
    }
    match &app.screen {
        Screen::Amount { text: typed, .. } => {
            vec![Line::from(text("ui-amount")), Line::default(), Line::from(format!("RMB {typed}_")).bold()]
        }
        Screen::Pin { amount, typed, kind, .. } => {
            let amount =
                if kind.needs_amount() { format!("RMB {}", grouped(*amount)) } else { String::new() };
            let stars = format!("[ {:<12} ]", "*".repeat(typed.len()));
            vec![Line::from(amount), Line::from(text("ui-pin")), Line::default(), Line::from(stars).bold()]
        }
        _ => match &app.news {
            Some((news, good)) => {
                let colour = if *good { Color::Green } else { Color::Yellow };
                vec![
                    Line::default(),
                    Line::from(news.clone()).style(Style::new().fg(colour).add_modifier(Modifier::BOLD)),
                ]
            }
            None => Vec::new(),
        },
    }
}

fn draw_log(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let rows = usize::from(area.height.saturating_sub(2));
    let shown = &app.log[app.log.len().saturating_sub(rows)..];
    let lines: Vec<Line<'_>> = shown.iter().map(|step| log_line(step, app.language)).collect();
    let block = Block::bordered().title(format!(" {} ", app.language.text("ui-log")));
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

/// One exchange in 78 columns. The kind comes last but one, because Chinese and English have different widths.
fn log_line(step: &Step, language: Language) -> Line<'static> {
    let card = step.card.as_ref().map_or_else(String::new, |c| c.to_string());
    let amount = step.amount.map(|a| a.to_string()).unwrap_or_default();
    let stan = step.stan.clone().unwrap_or_default();
    let time = Civil::in_china(step.at_ms).time_of_day();
    let colour = match &step.answer {
        Answer::Code(code) if code.is_approval() => Color::Green,
        Answer::Code(_) => Color::Yellow,
        Answer::Silence | Answer::Unusable(_) | Answer::NotSent(_) => Color::Cyan,
    };
    Line::from(vec![
        Span::raw(format!("{time} {} {stan:>6} {card:<19} {amount:>10} ", step.mti)),
        Span::styled(format!("→ {} ", step.answer), Style::new().fg(colour)),
        Span::raw(format!("{} {}", language.kind(step.what), step.note)),
    ])
}

fn draw_slip(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let Some(receipt) = &app.receipt else { return };
    let slip = receipt.render(Paper::Mm58, app.language, Copy::Cardholder);
    let width = Paper::Mm58.columns() as u16 + 2;
    let [paper] =
        Layout::horizontal([Constraint::Length(width)]).flex(ratatui::layout::Flex::Center).areas(area);
    let block = Block::bordered().title(format!(" {} ", app.language.text("ui-receipt")));
    frame.render_widget(Paragraph::new(slip).block(block), paper);
}

fn draw_list(
    frame: &mut Frame<'_>,
    app: &App,
    area: Rect,
    title: &'static str,
    items: Vec<String>,
    at: usize,
) {
    let block = Block::bordered().title(format!(" {} ", app.language.text(title)));
    let list =
        List::new(items.into_iter().map(ListItem::new)).block(block).highlight_style(Style::new().reversed());
    let mut state = ListState::default().with_selected(Some(at));
    frame.render_stateful_widget(list, area, &mut state);
}

fn terminals(app: &App) -> Vec<String> {
    let line = |t: &simulator::sandbox::TerminalEntry| {
        let listener = app.sandbox.listener_of(t).map_or("?", |l| l.dialect.as_str());
        format!("{}  {}  {listener:12} {}", t.tid, t.mid, t.merchant.as_deref().unwrap_or_default())
    };
    app.sandbox.terminals.iter().map(line).collect()
}

fn cards(app: &App) -> Vec<String> {
    app.sandbox.cards.iter().map(|c| format!("{:19}  {}  {}", c.pan.masked(), c.expiry, c.product)).collect()
}

fn hint(app: &App) -> &'static str {
    app.language.text(match &app.screen {
        Screen::Home => "ui-keys",
        Screen::Terminals { .. } | Screen::Cards { .. } => "ui-list-hint",
        Screen::Amount { .. } => "ui-amount-hint",
        Screen::Pin { .. } => "ui-pin-hint",
        Screen::Slip => "ui-receipt-hint",
    })
}
