"""What a model answers, or would have answered, at each session of a range: for a backtest of your own, in Python.

    for row in answers("index-gspc", "2015-01-01"): ...

Standard library only. RATCHET_URL and RATCHET_API_KEY say where and who (`ratchet keys create backtest --scopes predict`).
A connection that is cut goes on behind the last row, so that every row comes once; memory does not grow with the range.
"""
import http.client, json, os, time, urllib.error, urllib.request

ATTEMPTS, WAIT_S = 8, 0.25
# Of a key that has too many ranges open: the place of one that was cut is free within half a minute.
TOO_MANY = 429


class Refused(RuntimeError):
    """What no further attempt would mend: its words are the API's."""


def answers(model, start, end=None, instruments=None, version=None, url=None, key=None):
    """Rows in order of instrument and time. `version`: a number, "then" (whichever served at each time), or None: the
    champion of now, for all rows. A row has `at` (when it could be known: a backtest that decides earlier looks ahead),
    `instrument`, `version`, and `prediction`, or a `problem` that says why there is none."""
    url, key = url or os.environ["RATCHET_URL"], key or os.environ["RATCHET_API_KEY"]
    asked = {"range": {"from": start, "to": end}, "instruments": instruments, "version": version}
    asked["range"] = {name: value for name, value in asked["range"].items() if value is not None}
    body, failures = {name: value for name, value in asked.items() if value is not None}, 0
    while True:
        try:
            for row in _rows(f"{url}/api/v1/ml-models/{model}/batch-predict", key, body):
                if "done" in row:
                    return
                body["cursor"], failures = row["cursor"], 0
                yield row
        except (OSError, ValueError, http.client.HTTPException):
            pass
        failures += 1
        if failures > ATTEMPTS:
            raise RuntimeError(f"{url} was cut off {failures} times in a row")
        time.sleep(WAIT_S * 2 ** (failures - 1))


def _rows(url, key, body):
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", "Accept": "application/x-ndjson"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            for line in response:
                row = json.loads(line)
                if row.get("done") is False:
                    raise _refusal(row["problem"])
                yield row
    except urllib.error.HTTPError as error:
        raise _refusal(json.load(error)) from None


def _refusal(problem):
    """Servers come back; a question that is wrong stays so."""
    final = problem["status"] < 500 and problem["status"] != TOO_MANY
    return (Refused if final else OSError)(problem["detail"])
