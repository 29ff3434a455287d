// What pages cannot do by themselves: shortcuts, copying a link, hearing of what happens. Everything else works
// without this file.

const root = document.documentElement;
root.classList.add("scripted");

// A choice made by a link is kept in a cookie; the address need not carry it on.
const here = new URL(location.href);
const choices = ["lang", "theme", "keys"];
if (choices.some((name) => here.searchParams.has(name))) {
  choices.forEach((name) => here.searchParams.delete(name));
  history.replaceState(history.state, "", here);
}

// Empty fields do not belong in an address.
document.addEventListener("formdata", (event) => {
  for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
});

// A window or a filter takes effect when it is chosen.
document.querySelector("#window")?.addEventListener("change", (event) => event.target.form.requestSubmit());

// What a page marks as live is fetched again when an event says that something changed. Nothing is exchanged under a pointer, a
// selection, an open form or a hidden page: then it waits.
const isChanged = (field) => (field.matches("select")
  ? field.selectedIndex !== Math.max(0, [...field.options].findIndex((option) => option.defaultSelected))
  : field.value !== field.defaultValue);
const busy = (live) => {
  const selecting = !getSelection().isCollapsed && live.contains(getSelection().anchorNode);
  const fields = [...live.querySelectorAll("input:not([type=hidden]), select, textarea")];
  const typing = fields.some((field) => field === document.activeElement || isChanged(field));
  return document.hidden || selecting || typing || live.querySelector(".list:hover, .scroll:hover, .deed[open]") !== null;
};
let refreshing = 0;
const refreshSoon = (wait = 400) => {
  clearTimeout(refreshing);
  refreshing = setTimeout(() => {
    const live = document.querySelector("#live");
    if (!live) return;
    if (busy(live)) refreshSoon(2000);
    else htmx.trigger(live, "refresh");
  }, wait);
};
// Figures that change without an event.
const every = Number(document.querySelector("#live")?.dataset.every ?? 0);
if (every > 0) setInterval(() => refreshSoon(), every * 1000);

const say = (text) => {
  const spoken = document.querySelector("#spoken");
  spoken.textContent = "";
  requestAnimationFrame(() => { spoken.textContent = text; });
};

// Copy link.
const copy = async (button) => {
  await navigator.clipboard.writeText(location.href);
  say(button.dataset.said);
  const label = button.firstChild;
  const before = label.textContent;
  label.textContent = `${button.dataset.said} `;
  setTimeout(() => { label.textContent = before; }, 2000);
};
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button).catch(() => {});
});

// Older browsers do not know command="show-modal".
if (!("command" in HTMLButtonElement.prototype)) {
  document.querySelector("[commandfor=help]")?.addEventListener("click", () => document.querySelector("#help").showModal());
}

// A new alarm is said in a corner for a while, and its number stands in the navigation.
const toast = (alarm) => {
  const area = document.querySelector("#toasts");
  const link = document.createElement("a");
  link.href = `/alarms/${alarm.id}`;
  link.textContent = `${area.dataset.new} · ${alarm.title[root.lang.startsWith("zh") ? "zh" : "en"]}`;
  area.append(link);
  setTimeout(() => link.remove(), 8000);
};
const alarmed = (alarm) => {
  document.querySelectorAll(".badge").forEach((badge) => {
    badge.firstElementChild.textContent = alarm.open;
    badge.hidden = alarm.open === 0;
  });
  if (alarm.what === "raised" && alarm.standing === "open") toast(alarm);
};

// One stream for a page. After a break it is asked for again, and what was missed is fetched with the page's live part.
let events = null;
let again = 0;
let pause = 1000;
let broken = false;
const listen = () => {
  const list = document.querySelector("#list[data-events]");
  const address = list?.dataset.events ?? document.body.dataset.events;
  clearTimeout(again);
  events?.close();
  events = null;
  if (!address || document.hidden) return;
  let fresh = Number(list?.dataset.fresh ?? 0);
  const count = (more) => {
    const bar = list?.querySelector("#new-rows");
    if (!bar) return;
    fresh += more;
    list.dataset.fresh = fresh;
    bar.textContent = list.dataset.new.replace("{n}", fresh);
    bar.hidden = false;
  };
  const stream = new EventSource(address);
  events = stream;
  stream.addEventListener("open", () => {
    pause = 1000;
    if (broken) refreshSoon();
    broken = false;
  });
  // A browser tries again by itself unless it was refused; then it is tried here, less and less often.
  stream.addEventListener("error", () => {
    broken = true;
    if (stream.readyState !== EventSource.CLOSED || events !== stream) return;
    again = setTimeout(listen, pause);
    pause = Math.min(pause * 2, 60000);
  });
  stream.addEventListener("transaction", () => count(1));
  stream.addEventListener("missed", (event) => count(Number(event.data)));
  stream.addEventListener("incident", () => refreshSoon());
  stream.addEventListener("stale", () => refreshSoon());
  stream.addEventListener("alarm", (event) => { alarmed(JSON.parse(event.data)); refreshSoon(); });
};
listen();
document.addEventListener("visibilitychange", () => {
  listen();
  if (!document.hidden) refreshSoon();
});
document.addEventListener("htmx:after:swap", (event) => { if (event.target.id !== "live") listen(); });
addEventListener("pagehide", () => events?.close());

// Shortcuts. They can be turned off (WCAG 2.1.4) and never act while someone types.
const typing = (target) => target.closest?.("input, select, textarea, [contenteditable], dialog");
const rows = () => [...document.querySelectorAll("a.row")];
const move = (by) => {
  const all = rows();
  const at = all.indexOf(document.activeElement);
  all[Math.max(0, Math.min(all.length - 1, at < 0 ? 0 : at + by))]?.focus();
};
const places = { o: "/", t: "/transactions", i: "/incidents", c: "/cards" };
let afterG = 0;
const actions = {
  "/": () => document.querySelector("#q").focus(),
  "?": () => document.querySelector("#help").showModal(),
  j: () => move(1),
  k: () => move(-1),
  c: () => { const button = document.querySelector("[data-copy]"); if (button) copy(button).catch(() => {}); },
  g: () => { afterG = Date.now(); },
};
document.addEventListener("keydown", (event) => {
  if (root.dataset.keys === "off" || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  const place = Date.now() - afterG < 1500 && places[event.key];
  afterG = 0;
  if (place) { location.assign(place); return; }
  const action = actions[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});
