// A PIN leaves this page only encrypted for the security module: its fields have no names, and without this file the button
// stays shut. What the steps are is written in crates/hsm/src/soft/pin_entry.rs, what they protect in docs/concepts/pin-reset.md.

const form = document.querySelector("#pin-form");
const button = form?.querySelector("button");
const trouble = form?.querySelector("#trouble");
const CONTEXT = new TextEncoder().encode("pinward pin entry v1");

const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
const hex = (data) => [...new Uint8Array(data)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const joined = (...parts) => {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => { all.set(part, at); return at + part.length; }, 0);
  return all;
};

const tell = (text) => { trouble.textContent = text; trouble.hidden = text === ""; };

// A link in a message may pin the module's key in its fragment, which no server sees: #k=…
const pinned = new URLSearchParams(location.hash.slice(1)).get("k");

// Is this key the security module's?
const isGenuine = async (entry) => {
  if (pinned !== null && pinned !== hex(entry.signer)) return false;
  const signer = await crypto.subtle.importKey("raw", entry.signer, "Ed25519", false, ["verify"]);
  return crypto.subtle.verify("Ed25519", signer, entry.signature, joined(CONTEXT, entry.id, entry.key));
};

// The plain text PIN field of ISO 9564-1, 9.4.2.1: control 4, length, digits, fill, eight random bytes.
const field = (digits) => {
  const nibbles = `4${digits.length.toString(16)}${digits}`.padEnd(16, "a");
  return joined(bytes(nibbles), crypto.getRandomValues(new Uint8Array(8)));
};

const seal = async (entry, pins) => {
  const curve = { name: "ECDH", namedCurve: "P-256" };
  const own = await crypto.subtle.generateKey(curve, false, ["deriveBits"]);
  const theirs = await crypto.subtle.importKey("raw", entry.key, curve, false, []);
  const shared = await crypto.subtle.deriveBits({ name: "ECDH", public: theirs }, own.privateKey, 256);
  const material = await crypto.subtle.importKey("raw", shared, "HKDF", false, ["deriveKey"]);
  const key = new Uint8Array(await crypto.subtle.exportKey("raw", own.publicKey));
  const derivation = { name: "HKDF", hash: "SHA-256", salt: entry.id, info: joined(CONTEXT, entry.key, key) };
  const cipher = await crypto.subtle.deriveKey(derivation, material, { name: "AES-GCM", length: 256 }, false, ["encrypt"]);
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData: entry.id }, cipher, joined(...pins.map(field)));
  return { key, sealed: joined(iv, new Uint8Array(sealed)) };
};

const wrong = (digits, again) => {
  const { least, most } = form.dataset;
  if (!/^[0-9]+$/.test(digits) || digits.length < Number(least) || digits.length > Number(most)) return form.dataset.length;
  return digits === again ? "" : form.dataset.differ;
};

const begin = async () => {
  if (!globalThis.crypto?.subtle) throw new Error("no secure context");
  const entry = {
    id: bytes(form.dataset.entry),
    key: bytes(form.dataset.key),
    signature: bytes(form.dataset.signature),
    signer: bytes(form.dataset.signer),
  };
  if (!(await isGenuine(entry))) {
    tell(form.dataset.forged);
    return;
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { present, pin, again, entry: id, key, sealed } = form.elements;
    const fault = wrong(pin.value, again.value);
    tell(fault);
    if (fault !== "") {
      pin.focus();
      return;
    }
    if (present && !/^[0-9]{4,12}$/.test(present.value)) {
      tell(form.dataset.length);
      present.focus();
      return;
    }
    button.disabled = true;
    // a change: the present PIN goes before the new one
    const made = await seal(entry, present ? [present.value, pin.value] : [pin.value]);
    for (const typed of [present, pin, again]) if (typed) typed.value = "";
    id.value = form.dataset.entry;
    key.value = hex(made.key);
    sealed.value = hex(made.sealed);
    form.submit();
  });
  form.action += location.hash;
  button.disabled = false;
};

if (form) begin().catch(() => tell(form.dataset.old));

// What the link pins goes on to the page where it is needed.
const onward = document.querySelector("#change");
if (onward) onward.href += location.hash;
