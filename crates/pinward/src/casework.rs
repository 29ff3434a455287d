//! The desk at work beside the host: promises that are about to be broken are told through the alarms, and those that no longer
//! matter end there.

use std::{sync::Arc, time::Duration};

use alarm::{AlarmService, Alert, Scope, Standing, Text};
use desk::Due;
use handbook::Lang;
use office::CaseDesk;
use tokio::task::JoinHandle;

/// Promises are in minutes: this often is soon enough.
const TICK: Duration = Duration::from_secs(5);
/// The kind of these alarms.
const KIND: &str = "case-overdue";

/// The cases of a store.
pub(crate) fn open(book: Arc<dyn store::Book>) -> Arc<CaseDesk> {
    Arc::new(CaseDesk::new(book, Arc::new(|| model::Timestamp(jiff::Timestamp::now().as_millisecond()))))
}

/// Looks at the clocks until it is aborted.
pub(crate) fn start(cases: Arc<CaseDesk>, alarms: AlarmService) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            if let Err(error) = look(&cases, &alarms).await {
                tracing::warn!(%error, "the desk's clocks were not looked at");
            }
        }
    })
}

/// The alarm is raised before the step is written down: whoever dies in between raises it again, into the same alarm.
async fn look(cases: &CaseDesk, alarms: &AlarmService) -> Result<(), store::StoreError> {
    for due in cases.due().await? {
        if let Some(alert) = alert(cases, &due).await? {
            if let Err(error) = alarms.raise(alert) {
                tracing::error!(%error, "a promise of the desk that raises no alarm");
            }
            cases.escalated(&due).await?;
        }
    }
    for no in overdue(alarms) {
        let closed = cases.look(|desk, _| desk.case(no).is_ok_and(desk::Case::is_closed)).await?;
        if closed && let Err(error) = alarms.resolve(&format!("group {}", group(no)), "closed").await {
            tracing::debug!(%error, "an alarm that does not end");
        }
    }
    Ok(())
}

/// Cases whose alarm is not over.
fn overdue(alarms: &AlarmService) -> Vec<u32> {
    alarms.look(|desk, now| {
        let live = desk.alarms().filter(|a| a.alert.kind == KIND && desk.standing(a, now) != Standing::Over);
        live.filter_map(|alarm| alarm.alert.scope.id.parse().ok()).collect()
    })
}

fn group(no: u32) -> String {
    format!("case-{no}")
}

async fn alert(cases: &CaseDesk, due: &Due) -> Result<Option<Alert>, store::StoreError> {
    let house = cases.house();
    cases
        .look(|desk, now| {
            let case = desk.case(due.case).ok()?;
            let reading = case.clock(house, due.step.clock, now);
            let facts = [
                due.case.to_string(),
                reading.passed_min().to_string(),
                reading.target_min.to_string(),
                due.step.to.clone(),
            ];
            let words = |lang| house.plans.notice(lang, due.step.clock, &facts);
            let texts =
                |lang| (words(lang), format!("{} {}", case.opened.summary, case.plan(house).advice(lang)));
            let ((title_zh, body_zh), (title_en, body_en)) = (texts(Lang::Zh), texts(Lang::En));
            Some(Alert {
                group: Some(group(due.case)),
                kind: KIND.to_owned(),
                scope: Scope { kind: "case".to_owned(), id: due.case.to_string() },
                severity: due.step.severity.parse().ok()?,
                title: Text { zh: title_zh, en: title_en },
                body: Text { zh: body_zh, en: body_en },
                link: Some(format!("/cases/{}", due.case)),
                at: now,
            })
        })
        .await
}
