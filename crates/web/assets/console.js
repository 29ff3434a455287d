// What pages cannot do by themselves: shortcuts, copying a link, the bar that counts new rows. Everything else works
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

// Nobody reads a hidden page, and nothing is exchanged under a pointer or a selection.
document.addEventListener("htmx:before:request", (event) => {
  const live = event.target.id === "live" ? event.target : null;
  if (!live) return;
  const selecting = !getSelection().isCollapsed && live.contains(getSelection().anchorNode);
  if (document.hidden || selecting || live.querySelector(".list:hover, .scroll:hover")) event.preventDefault();
});

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

// New rows are counted, not shoved in.
let events = null;
const listen = () => {
  const list = document.querySelector("#list[data-events]");
  events?.close();
  events = null;
  if (!list || document.hidden) return;
  let fresh = Number(list.dataset.fresh ?? 0);
  events = new EventSource(list.dataset.events);
  const count = (more) => {
    fresh += more;
    list.dataset.fresh = fresh;
    const bar = list.querySelector("#new-rows");
    bar.textContent = list.dataset.new.replace("{n}", fresh);
    bar.hidden = false;
  };
  events.addEventListener("transaction", () => count(1));
  events.addEventListener("missed", (event) => count(Number(event.data)));
};
listen();
document.addEventListener("visibilitychange", listen);
document.addEventListener("htmx:after:swap", listen);
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
