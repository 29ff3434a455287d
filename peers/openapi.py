"""The API against its own description, by schemathesis: no answer of 500 or more, no status, content type or body that the
OpenAPI document does not describe.

    .venv/bin/python openapi.py CONSOLE DIR [EXAMPLES]

CONSOLE is the address of a sandbox's console, DIR its data folder, EXAMPLES how many requests are made up for each operation.
Twice: as whoever reaches a sandbox without signing in, who may do whatever one person may do alone, and as an administrator.
"""

import base64
import hashlib
import hmac
import json
import pathlib
import re
import subprocess
import sys
import time
import urllib.request

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
# A stream that does not end, and the way out, after which nobody is signed in.
LEFT_OUT = ["/api/v1/events", "/api/v1/session"]


def one_time_code(secret):
    """RFC 6238 with the values that authenticator apps take."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.new(key, int(time.time() // 30).to_bytes(8, "big"), hashlib.sha1).digest()
    place = digest[-1] & 15
    return f"{(int.from_bytes(digest[place:place + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06}"


def token_of_administrator(console, folder):
    staff = json.loads((pathlib.Path(folder) / "sandbox.json").read_text())["staff"]
    who = next(one for one in staff if one["role"] == "administrator")
    words = {"username": who["username"], "password": who["password"], "totp": one_time_code(who["totp_secret"])}
    request = urllib.request.Request(
        f"{console}/api/v1/session", json.dumps(words).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)["token"]


def run(console, folder, name, examples, more):
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", f"{console}/api/openapi.json", "--no-color", "--checks", CHECKS,
        "--phases", "examples,fuzzing", "--max-examples", str(examples), "--generation-deterministic", "--no-shrink",
        "--continue-on-failure", "--suppress-health-check", "all", "--request-timeout", "15", "--warnings", "off", *more,
    ]
    for path in LEFT_OUT:
        command += ["--exclude-path", path]
    # It leaves what it needs to repeat a request where it runs.
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    tried = re.search(r"(\d+) generated", done.stdout)
    fine = done.returncode == 0 and tried is not None and int(tried[1]) > 0
    print(f"{name}: {tried[1] if tried else 'no'} requests, {'as described' if fine else 'not as described'}")
    if not fine:
        print(done.stdout[-20_000:], done.stderr[-2_000:])
    return fine


def main():
    console, folder = sys.argv[1:3]
    examples = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    outcomes = [run(console, folder, "nobody in particular", examples, [])]
    bearer = f"Authorization: Bearer {token_of_administrator(console, folder)}"
    outcomes.append(run(console, folder, "an administrator", examples, ["--header", bearer, "--include-tag", "staff"]))
    print(f"{sum(outcomes)} passed, {len(outcomes) - sum(outcomes)} failed")
    sys.exit(not all(outcomes))


if __name__ == "__main__":
    main()
