"""What a model answers, or would have answered, at each session of a range: for a backtest of your own, in Python.

    for row in answers("index-gspc", "2015-01-01"): ...

Standard library only. RATCHET_URL and RATCHET_API_KEY say where and who (`ratchet keys create backtest --scopes predict`).
A connection that is cut goes on behind the last row, so that every row comes once; memory does not grow with the range.
`answers_later` has the same rows of a range that is too large for a request: a workflow computes it, whatever stops meanwhile.
"""
import http.client, json, os, time, urllib.error, urllib.request

ATTEMPTS, WAIT_S, LOOK_S = 8, 0.25, 1
# Of a key that has too many ranges open: the place of one that was cut is free within half a minute.
TOO_MANY = 429


class Refused(RuntimeError):
    """What no further attempt would mend: its words are the API's."""


def answers(model, start, end=None, instruments=None, version=None, url=None, key=None):
    """Rows in order of instrument and time. `version`: a number, "then" (whichever served at each time), or None: the
    champion of now, for all rows. A row has `at` (when it could be known: a backtest that decides earlier looks ahead),
    `instrument`, `version`, and `prediction`, or a `problem` that says why there is none."""
    api = _api(url, key)
    body, failures = _asked(start, end, instruments, version), 0
    headers = {"Accept": "application/x-ndjson"}
    while True:
        try:
            with _ask(api, f"/api/v1/ml-models/{model}/batch-predict", body, headers) as response:
                if response.status == 202:
                    raise Refused("more rows than a stream has: a workflow computes them, see answers_later")
                for line in response:
                    row = json.loads(line)
                    if row.get("done") is False:
                        raise _refusal(row["problem"])
                    if "done" in row:
                        return
                    body["cursor"], failures = row["cursor"], 0
                    yield row
        except (OSError, ValueError, http.client.HTTPException):
            pass
        failures = _before_attempt(api, failures)


def answers_later(model, start, end=None, instruments=None, version=None, url=None, key=None, on_progress=None):
    """Hands the range in (the same again finds it again), waits until it is computed, and reads it: the rows of `answers`.
    `on_progress(done, of)` hears how far it is."""
    api, body = _api(url, key), _asked(start, end, instruments, version)
    handed = _until_answered(api, f"/api/v1/ml-models/{model}/batch-predict", body, {"Prefer": "respond-async"})
    at = f"/api/v1/batch-predictions/{handed['id']}"
    while handed["status"] in ("queued", "running"):
        if on_progress:
            on_progress(handed["rowsDone"], handed["rows"])
        time.sleep(LOOK_S)
        handed = _until_answered(api, at)
    if handed["status"] != "completed":
        raise Refused(f"{handed['status']}: {handed['message']}")
    # Bytes of the lines that were read: where a download that is cut goes on.
    done, failures = 0, 0
    while True:
        try:
            with _ask(api, f"{at}/rows", None, {"Range": f"bytes={done}-"}) as response:
                for line in response:
                    row = json.loads(line)
                    done, failures = done + len(line), 0
                    if "done" in row:
                        return
                    yield row
        except (OSError, ValueError, http.client.HTTPException):
            pass
        failures = _before_attempt(api, failures)


def _api(url, key):
    return url or os.environ["RATCHET_URL"], key or os.environ["RATCHET_API_KEY"]


def _asked(start, end, instruments, version):
    asked = {"range": {"from": start, "to": end}, "instruments": instruments, "version": version}
    asked["range"] = {name: value for name, value in asked["range"].items() if value is not None}
    return {name: value for name, value in asked.items() if value is not None}


def _until_answered(api, path, body=None, headers={}):
    failures = 0
    while True:
        try:
            with _ask(api, path, body, headers) as response:
                return json.load(response)
        except (OSError, ValueError, http.client.HTTPException):
            failures = _before_attempt(api, failures)


def _before_attempt(api, failures):
    if failures >= ATTEMPTS:
        raise RuntimeError(f"{api[0]} was cut off {failures} times in a row")
    time.sleep(WAIT_S * 2**failures)
    return failures + 1


def _ask(api, path, body, headers):
    url, key = api
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", **headers}
    request = urllib.request.Request(f"{url}{path}", data, headers, method="GET" if data is None else "POST")
    try:
        return urllib.request.urlopen(request, timeout=60)
    except urllib.error.HTTPError as error:
        raise _refusal(json.load(error)) from None


def _refusal(problem):
    """Servers come back; a question that is wrong stays so."""
    final = problem["status"] < 500 and problem["status"] != TOO_MANY
    return (Refused if final else OSError)(problem["detail"])
