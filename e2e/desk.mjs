// From locked out to paying again, in a browser: a terminal locks a card, an agent finds the caller, proves who they are, asks for the
// unlock, a supervisor approves it, and the same terminal is paid. Once in each language.
//
//   node desk.mjs BASE_URL DATA_DIR PINWARD [OUT_DIR]
//
// DATA_DIR has the sandbox.json of the host at BASE_URL, PINWARD is the program. Prints "N passed, N failed"; the exit code is 1 when
// something failed.

import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [base, data, pinward, out = "out"] = process.argv.slice(2);
if (!base || !data || !pinward) {
  console.error("usage: node desk.mjs BASE_URL DATA_DIR PINWARD [OUT_DIR]");
  process.exit(2);
}

const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
const LANGS = { zh: "zh-CN", en: "en" };
const CLICKS_MAX = 5;
const WALK_MAX_MS = 180_000;
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const sandbox = JSON.parse(await readFile(join(data, "sandbox.json"), "utf8"));

let passed = 0;
const failures = [];
const expect = (what, ok, detail = "") => {
  if (ok) passed += 1;
  else {
    failures.push(`${what}${detail ? `: ${detail}` : ""}`);
    console.error(`FAIL ${failures.at(-1)}`);
  }
};
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const api = async (path, token) => {
  const response = await fetch(`${base}/api/v1${path}`, { headers: token ? { authorization: `Bearer ${token}` } : {} });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
};

/** What an authenticator app shows (RFC 6238; RFC 4226 5.3). */
const totp = (secret) => {
  const bits = [...secret.replace(/=+$/, "")].map((c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const mac = createHmac("sha1", key).update(step).digest();
  const at = mac.at(-1) & 15;
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
};

/** Each walk has its own agent and supervisor: a code is good once. */
const staff = (role, n) => {
  const all = sandbox.staff.filter((one) => one.role === role);
  return all[n % all.length];
};

const signIn = async (page, who, next) => {
  await page.goto(`${base}/sign-in?next=${encodeURIComponent(next)}`, { waitUntil: "load" });
  await page.fill("input[name=username]", who.username);
  await page.fill("input[name=password]", who.password);
  await page.fill("input[name=totp]", totp(who.totp_secret));
  await page.click("main form button[type=submit], main form button.primary");
  await page.waitForURL((url) => url.pathname === next, { timeout: 30_000 });
};

/** A terminal whose customer enters three wrong PINs and then tries the right one again and again, until it is paid. */
const till = () => {
  const again = Array.from({ length: 60 }, () => "wait 3s\nT1: sale C1 1280.00 pin right -> 00|75").join("\n");
  const story = `title en locked, and paid in the end\ntitle zh 锁定后最终付款\nterminal T1\ncard C1 product debit-standard\n\nT1: sign-in -> 00\nT1: sale C1 1280.00 pin wrong -> 55\nT1: sale C1 1280.00 pin wrong -> 55\nT1: sale C1 1280.00 pin wrong -> 75\n${again}\n`;
  const child = spawn(pinward, ["pos", "--script", "-", "--data", data], { stdio: ["pipe", "ignore", "pipe"] });
  child.stdin.end(story);
  let said = "";
  child.stderr.on("data", (chunk) => { said += chunk; });
  return { child, said: () => said };
};

/** The refusal that locked the card after this moment. */
const locked = async (since, story) => {
  for (const end = Date.now() + 60_000; Date.now() < end; await sleep(500)) {
    const row = (await api("/transactions?code=75&limit=1")).data[0];
    if (row && Date.parse(row.at) >= since && row.card) return row;
    if (story.child.exitCode) break;
  }
  throw new Error(`no card was locked: ${story.said()}`);
};

// The newest code for the desk that lies in the outbox, as the caller reads it out.
const codeOf = async (since) => {
  for (let tries = 0; tries < 100; tries += 1) {
    const message = (await api("/sandbox/outbox")).data.find((one) => one.kind === "identity-code" && one.at >= since);
    if (message) return message.text.match(/\d{6}/)[0];
    await sleep(100);
  }
  throw new Error("no code in the outbox");
};

const walk = async (browser, lang, n) => {
  const label = (what) => `desk ${lang}: ${what}`;
  const began = Date.now();
  const story = till();
  const contexts = [];
  const open = async () => {
    const context = await browser.newContext({ locale: LANGS[lang], reducedMotion: "reduce", viewport: { width: 1440, height: 900 } });
    contexts.push(context);
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    return page;
  };
  const clean = async (page, what) => {
    await page.screenshot({ path: join(out, `desk-${what}-${lang}.png`), fullPage: true });
    await page.evaluate(axe);
    const result = await page.evaluate((tags) => window.axe.run(document, { runOnly: tags }), TAGS);
    expect(label(`${what}: axe`), result.violations.length === 0, result.violations.map((v) => `${v.id}: ${v.nodes[0].target.join(" ")}`).join("; "));
    const text = await page.innerText("body");
    expect(label(`${what}: every text is there`), !/\u00ab[a-z0-9-]+\u00bb/.test(text));
    expect(label(`${what}: no card number`), !/(?<![0-9a-f])(?:62|91)\d{11,17}(?![0-9a-f])/.test(text));
  };
  try {
    const refusal = await locked(began - 1000, story);
    const agent = await open();
    await signIn(agent, staff("agent", n), "/caller");
    let clicks = 0;
    const press = async (locator) => { clicks += 1; await locator.click(); await agent.waitForLoadState("load"); };

    await agent.fill("#caller-q", refusal.rrn);
    await press(agent.locator("form.caller button"));
    expect(label("the caller's card is found by its reference"), (await agent.innerText("#who-title")).includes(refusal.pan));
    await clean(agent, "caller");
    expect(label("the proof that an unlock takes stands open"), await agent.locator("details[open] #code-send").isVisible());
    await press(agent.locator("#code-send"));
    await agent.waitForSelector("#code-typed");
    await agent.fill("#code-typed", await codeOf(began));
    await press(agent.locator("#code-check"));
    await agent.waitForSelector("#code-typed", { state: "detached" });
    await agent.waitForSelector("#unlock");
    expect(label("identity is proven to L2"), (await agent.innerText("section:has(#identity-title) .line")).includes("L2"));
    await press(agent.locator("#unlock"));
    expect(label(`at most ${CLICKS_MAX} clicks to the request`), clicks <= CLICKS_MAX, String(clicks));
    const href = await agent.getAttribute("#case-title a", "href");
    const no = Number(href.split("/").at(-1));
    expect(label("the case waits for a second person"), (await api(`/cases/${no}`)).case.waits_on === "second-person");
    await clean(agent, "asked");

    const boss = await open();
    await signIn(boss, staff("supervisor", n), "/proposals");
    const proposal = boss.locator("article").filter({ hasText: `case ${no},` });
    expect(label("the second person sees how far identity is proven"), (await proposal.innerText()).includes("L2"));
    await proposal.locator("form[action$='/approve'] button").click();
    await boss.waitForLoadState("load");

    let paid = null;
    for (const end = Date.now() + WALK_MAX_MS; !paid && Date.now() < end; await sleep(500)) {
      const rows = (await api(`/transactions?card=${refusal.card}&limit=5`)).data;
      paid = rows.find((row) => row.kind === "sale" && row.code === "00" && row.seq > refusal.seq);
    }
    expect(label("the same card pays"), paid !== null);
    expect(label("within three minutes"), Date.now() - began < WALK_MAX_MS, `${Date.now() - began} ms`);

    await agent.goto(`${base}/cases/${no}`, { waitUntil: "load" });
    expect(label("what was decided stands in the case, which goes on"), (await api(`/cases/${no}`)).case.status === "in-work");
    expect(label("gates keep it open"), await agent.locator("form[action$='/close'] button").isDisabled());
    await clean(agent, "case");
    for (let gates = (await api(`/cases/${no}`)).open_gates; gates.length; gates = (await api(`/cases/${no}`)).open_gates) {
      const step = agent.locator(`form[action$='/step']:has(input[value='${gates[0]}'])`);
      if (await step.locator("input[name=text]").count()) await step.locator("input[name=text]").fill("1280.00, RRN " + paid.rrn);
      await step.locator("button").click();
      await agent.waitForLoadState("load");
      await agent.goto(`${base}/cases/${no}`, { waitUntil: "load" });
    }
    const close = agent.locator("form[action$='/close']");
    await close.locator("input[name=text]").fill("paid at the same till");
    await close.locator("button").click();
    await agent.waitForSelector("#closed-title");
    const link = await agent.getAttribute("section:has(#closed-title) a[href^='/survey/']", "href");
    await clean(agent, "closed");

    const customer = await open();
    await customer.goto(base + link, { waitUntil: "load" });
    await clean(customer, "survey");
    await customer.check("input[name=score][value='5']");
    await customer.click("form button");
    await customer.waitForSelector("[role=status]");
    expect(label("what the customer said is kept"), (await api(`/cases/${no}`)).rating === 5);
    const again = await customer.goto(base + link, { waitUntil: "load" });
    expect(label("the link works once"), again.status() === 404);
    await agent.goto(`${base}/cases`, { waitUntil: "load" });
    await clean(agent, "queue");
    await agent.goto(`${base}/cases/figures`, { waitUntil: "load" });
    await clean(agent, "figures");
  } catch (error) {
    expect(label("the walk"), false, String(error).split("\n")[0]);
  } finally {
    story.child.kill();
    for (const context of contexts) await context.close();
  }
};

await mkdir(out, { recursive: true });
const profile = await mkdtemp(join(tmpdir(), "pinward-desk-"));
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  env: { ...process.env, HOME: profile },
});
try {
  let n = 0;
  for (const lang of Object.keys(LANGS)) {
    await walk(browser, lang, n);
    n += 1;
  }
} finally {
  await browser.close();
  await rm(profile, { recursive: true, force: true });
}

console.log(`${passed} passed, ${failures.length} failed`);
process.exit(failures.length ? 1 : 0);
