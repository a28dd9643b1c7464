"""Holds a running node against its own description: requests that Schemathesis makes of `/api/v1/openapi.json`.

    python3 node/tests/openapi_fuzz.py NODE [SECONDS]

NODE is the program; `schemathesis` must be installed for the Python that runs this. Fails if the node answers anything
that it does not describe, answers 500, refuses what it describes as right by calling it malformed, or does not survive.

Streams that never end are left out: `/api/v1/events` and the messages of topics.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import schemathesis

CHECKS = [
    "never_an_internal_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "allow_header_conformance",
]
# By their operation ids.
ENDLESS = ["events", "messages"]


@schemathesis.check
def never_an_internal_error(ctx, response, case):
    """503 and 504 are answers like others: nobody serves what is called here. 500 is one that nobody meant."""
    assert response.status_code != 500, response.text


@schemathesis.hook
def before_call(context, case, kwargs):
    """Waits for absent nodes are shortened: all that is asked for is allowed, and would take minutes."""
    query = case.query if isinstance(case.query, dict) else {}
    wished = str(query.get("timeout_ms", 5_000 if "/nodes/" in case.operation.path else 0))
    most = 60_000 if case.method == "GET" else 300_000
    if wished.isdecimal() and 100 < int(wished) <= most:
        case.query = {**query, "timeout_ms": 100}


def main(node: str, seconds: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "XDG_RUNTIME_DIR": folder, "TMPDIR": folder, "HOME": folder}
        with open(pathlib.Path(folder) / "log", "w+") as log:
            running = subprocess.Popen(
                [node, "run", "--dev", "--json", "--set", "api.listen=127.0.0.1:0", "--set", "admin.listen=127.0.0.1:0"],
                env=env, stdout=subprocess.PIPE, stderr=log, text=True,
            )
            try:
                api = json.loads(running.stdout.readline())["api"][0]
                failed = fuzz(f"http://{api}", seconds, env, folder)
                if running.poll() is not None:
                    print(f"the node ended with {running.returncode}", file=sys.stderr)
                    failed = 1
            finally:
                running.terminate()
                running.wait()
            log.seek(0)
            panics = [line for line in log if "panicked" in line]
            print("".join(panics), end="", file=sys.stderr)
            return failed or int(bool(panics))


def fuzz(url: str, seconds: int, env: dict, folder: str) -> int:
    """Runs Schemathesis, with the hooks of this file."""
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", f"{url}/api/v1/openapi.json",
        "--checks", ",".join(CHECKS), "--seed", "1", "--max-time", str(seconds), "--request-timeout", "20",
        "--phases", "examples,coverage,fuzzing", "--generation-database", "none", "--warnings", "off", "--no-color",
        "--continue-on-failure",
    ]
    for operation in ENDLESS:
        command += ["--exclude-operation-id", operation]
    hooks = {**env, "SCHEMATHESIS_HOOKS": str(pathlib.Path(__file__).resolve())}
    return subprocess.run(command, env=hooks, cwd=folder, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 40))
