// Passkeys in a browser with an authenticator that Chromium plays: staff add one and sign in with it; a cardholder enrols one, is
// asked for a second proof, is not recognised, sees the other way, is recognised or types the code of the message, and the same
// terminal is paid. Once in each language.
//
//   node passkeys.mjs BASE_URL DATA_DIR PINWARD [OUT_DIR]
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

const [given, data, pinward, out = "out"] = process.argv.slice(2);
if (!given || !data || !pinward) {
  console.error("usage: node passkeys.mjs BASE_URL DATA_DIR PINWARD [OUT_DIR]");
  process.exit(2);
}
const base = given.replace(/\/$/, "");
// A passkey is bound to a name; the console says so on pages that are opened by number.
const named = base.replace("//127.0.0.1:", "//localhost:");

const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
const LANGS = { zh: "zh-CN", en: "en" };
const PATIENCE_MS = 60_000;
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
const api = async (path, said) => {
  const post = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(said) };
  const response = await fetch(`${base}/api/v1${path}`, said && post);
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
};
/** Asks until there is an answer. */
const until = async (what, ask) => {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; await sleep(200)) {
    const answer = await ask();
    if (answer) return answer;
  }
  throw new Error(`no ${what}`);
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

/** A terminal at which three wrong PINs ask for a second proof, and which tries again until it is paid. */
const till = () => {
  const again = Array.from({ length: 60 }, () => "wait 1s\nT1: sale C1 75.00 pin right -> 00|65").join("\n");
  const story = `title en a second proof\ntitle zh 二次验证\nterminal T1\ncard C1 product debit-careful\n\nT1: sign-in -> 00\nT1: sale C1 75.00 pin wrong -> 55\nT1: sale C1 75.00 pin wrong -> 55\nT1: sale C1 75.00 pin wrong -> 55\nT1: sale C1 75.00 pin right -> 65\n${again}\n`;
  const child = spawn(pinward, ["pos", "--script", "-", "--data", data], { stdio: ["pipe", "ignore", "pipe"] });
  child.stdin.end(story);
  let said = "";
  child.stderr.on("data", (chunk) => { said += chunk; });
  return { child, said: () => said };
};

/** A browser with an authenticator of its own. */
const open = async (browser, lang, viewport) => {
  const context = await browser.newContext({ locale: LANGS[lang], reducedMotion: "reduce", viewport });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const cdp = await context.newCDPSession(page);
  await cdp.send("WebAuthn.enable");
  const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", {
    options: { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
  });
  const recognise = (isUserVerified) => cdp.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified });
  return { context, page, recognise };
};

const clean = async (page, label, name) => {
  await page.screenshot({ path: join(out, `passkeys-${name}.png`), fullPage: true });
  await page.evaluate(axe);
  const result = await page.evaluate((tags) => window.axe.run(document, { runOnly: tags }), TAGS);
  expect(`${label}: axe`, result.violations.length === 0, result.violations.map((v) => `${v.id}: ${v.nodes[0].target.join(" ")}`).join("; "));
  const text = await page.innerText("body");
  expect(`${label}: every text is there`, !/\u00ab[a-z0-9-]+\u00bb/.test(text));
};
const ask = (page) => page.locator("form[data-passkey] button");

const staff = async (browser, lang, who) => {
  const label = (what) => `passkey of staff ${lang}: ${what}`;
  const { context, page, recognise } = await open(browser, lang, { width: 1280, height: 900 });
  try {
    await page.goto(`${base}/sign-in?next=%2Faccount`, { waitUntil: "load" });
    await page.click(`a[href="${named}/sign-in"]`);
    await page.waitForURL(`${named}/sign-in`);
    await page.goto(`${named}/sign-in?next=%2Faccount`, { waitUntil: "load" });
    await page.fill("input[name=username]", who.username);
    await page.fill("input[name=password]", who.password);
    await page.fill("input[name=totp]", totp(who.totp_secret));
    await page.click("form[action='/sign-in'] button");
    await page.waitForURL(`${named}/account`);
    await page.fill("#label", "laptop");
    await ask(page).click();
    await page.waitForSelector("form[action='/account/passkeys/remove']");
    await clean(page, label("account"), `account-${lang}`);
    await page.click("form[action='/sign-out'] button");
    await page.goto(`${named}/sign-in?next=%2Faccount`, { waitUntil: "load" });
    await recognise(false);
    await ask(page).click();
    await page.waitForSelector("form[data-passkey] [role=alert]:not([hidden])");
    expect(label("who is not recognised sees the other way"), await page.isVisible("input[name=totp]"));
    await clean(page, label("sign-in"), `sign-in-${lang}`);
    await recognise(true);
    await ask(page).click();
    await page.waitForURL(`${named}/account`);
    expect(label("signed in"), (await page.innerText("#who")) === who.username);
    await page.click("form[action='/account/passkeys/remove'] button");
    await page.waitForSelector("form[action='/account/passkeys/remove']", { state: "detached" });
    expect(label("taken away"), !(await page.innerText("main")).includes("laptop"));
  } catch (error) {
    expect(label("the walk"), false, String(error).split("\n")[0]);
  } finally {
    await context.close();
  }
};

/** The newest message of a kind with a link, after a moment. */
const link = (kind, since) => until(`message ${kind}`, async () => {
  const { data: messages } = await api("/sandbox/outbox");
  const found = messages.find((one) => one.kind === kind && one.at >= since);
  return found?.text.match(/https?:\/\/[A-Za-z0-9.:/_-]+[A-Za-z0-9_-]/)?.[0];
});

/** The code of the newest message about a payment. */
const code = (since) => until("code", async () => {
  const found = (await api("/sandbox/outbox")).data.find((one) => one.kind === "step-up-code" && one.at >= since);
  return found?.text.match(/(?:Code|验证码) ([0-9]+)/)?.[1];
});

const cardholder = async (browser, lang) => {
  const label = (what) => `passkey of a cardholder ${lang}: ${what}`;
  const began = Date.now() - 1000;
  const story = till();
  const { context, page, recognise } = await open(browser, lang, { width: 360, height: 740 });
  try {
    const refusal = await until("refusal", async () => {
      if (story.child.exitCode) throw new Error(`the till: ${story.said()}`);
      const row = (await api("/transactions?code=65&limit=1")).data[0];
      return row && Date.parse(row.at) >= began && row.card ? row : null;
    });
    const asked = await link("step-up-code", began);
    await api(`/cards/${refusal.card}/page`, { why: "asked for" });
    await page.goto(await link("card-page", began), { waitUntil: "load" });
    await page.click(`a[href^="${named}/holder/"]`);
    await page.waitForURL((url) => url.origin === named);
    await page.fill("#label", "phone");
    await ask(page).click();
    await page.waitForSelector("form[action$='/passkeys/remove']");
    await clean(page, label("card's page"), `card-${lang}`);

    await page.goto(asked.replace(base, named), { waitUntil: "load" });
    await recognise(false);
    await ask(page).click();
    await page.waitForSelector("form[data-passkey] [role=alert]:not([hidden])");
    expect(label("who is not recognised can type a code"), await page.isVisible("#code"));
    await clean(page, label("not recognised"), `confirm-${lang}`);
    if (lang === "en") {
      // Face is never the only way: whoever is not recognised types the code of the message.
      await page.fill("#code", await code(began));
      await page.click("form:has(#code) button[type=submit]");
    } else {
      await recognise(true);
      await ask(page).click();
    }
    await page.waitForSelector("p[role=status]");
    await clean(page, label("confirmed"), `confirmed-${lang}`);
    const paid = await until("payment", async () => {
      const rows = (await api(`/transactions?card=${refusal.card}&limit=5`)).data;
      return rows.find((row) => row.kind === "sale" && row.code === "00" && row.seq > refusal.seq);
    });
    expect(label("paid"), paid.pan === refusal.pan);
  } catch (error) {
    expect(label("the walk"), false, String(error).split("\n")[0]);
  } finally {
    story.child.kill();
    await context.close();
  }
};

await mkdir(out, { recursive: true });
const profile = await mkdtemp(join(tmpdir(), "pinward-passkeys-"));
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  env: { ...process.env, HOME: profile },
});
try {
  // Roles whose codes no other walk uses: a code is good once.
  const people = ["auditor", "administrator"].map((role) => sandbox.staff.find((one) => one.role === role));
  for (const [n, lang] of Object.keys(LANGS).entries()) {
    await staff(browser, lang, people[n]);
    await cardholder(browser, lang);
  }
} finally {
  await browser.close();
  await rm(profile, { recursive: true, force: true });
}

console.log(`${passed} passed, ${failures.length} failed`);
process.exit(failures.length ? 1 : 0);
