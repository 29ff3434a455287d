// Passkeys. A form with data-passkey asks the browser for one and sends what it says; what the device looked at (a face, a
// fingerprint, its own PIN) never comes here. Without this file the button stays shut, and every other way is still there.

const text = (data) => btoa(String.fromCharCode(...new Uint8Array(data))).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
const bytes = (coded) => Uint8Array.from(atob(coded.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
const keys = (list) => (list ?? "").split(" ").filter((id) => id !== "").map((id) => ({ type: "public-key", id: bytes(id) }));
const WAIT_MS = 60_000;

const create = ({ challenge, rp, user, name, known }) => navigator.credentials.create({
  publicKey: {
    challenge: bytes(challenge),
    rp: { id: rp, name: "pinward" },
    user: { id: bytes(user), name, displayName: name },
    // ES256, EdDSA, RS256
    pubKeyCredParams: [-7, -8, -257].map((alg) => ({ type: "public-key", alg })),
    excludeCredentials: keys(known),
    authenticatorSelection: { residentKey: "required", requireResidentKey: true, userVerification: "required" },
    attestation: "none",
    timeout: WAIT_MS,
  },
});

const get = ({ challenge, rp, known }) => navigator.credentials.get({
  publicKey: { challenge: bytes(challenge), rpId: rp, allowCredentials: keys(known), userVerification: "required", timeout: WAIT_MS },
});

const answer = ({ rawId, response }) => ({
  id: text(rawId),
  client_data: text(response.clientDataJSON),
  attestation: response.attestationObject && text(response.attestationObject),
  authenticator_data: response.authenticatorData && text(response.authenticatorData),
  signature: response.signature && text(response.signature),
  user_handle: response.userHandle && text(response.userHandle),
});

for (const form of document.querySelectorAll("form[data-passkey]")) {
  const button = form.querySelector("button");
  const trouble = form.querySelector("[role=alert]");
  const tell = (words) => { trouble.textContent = words; trouble.hidden = words === ""; };
  if (!globalThis.PublicKeyCredential) {
    tell(form.dataset.none);
    continue;
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    tell("");
    button.disabled = true;
    try {
      const said = answer(await (form.dataset.passkey === "create" ? create : get)(form.dataset));
      for (const [name, value] of Object.entries(said)) if (value && form.elements[name]) form.elements[name].value = value;
      // A card's link carries the security module's key in its fragment; redirects keep it.
      form.action += location.hash;
      form.submit();
    } catch (error) {
      tell(error.name === "InvalidStateError" ? form.dataset.twice : form.dataset.failed);
      button.disabled = false;
      button.focus();
    }
  });
  button.disabled = false;
}

// What a link pins goes on to the address by name.
for (const link of document.querySelectorAll("a[data-onward]")) link.href += location.hash;
