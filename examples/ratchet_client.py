"""The API in Python, standard library only: launch an experiment, watch it, compare versions, predict.

RATCHET_URL and RATCHET_API_KEY say where and who (`ratchet keys create`). examples/notebook.ipynb shows it at work.
"""
import json, os, pathlib, re, time, urllib.error, urllib.request, uuid

# YAML 1.2, as `ratchet run` reads it: `1999-01-01` and `off` are text, `1e-3` is a number. PyYAML alone reads YAML 1.1.
PLAIN = {
    "null": ("~|null|Null|NULL|", "~nN"),
    "bool": ("true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": ("[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    "float": (r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
}


def read_spec(path):
    """The spec in a JSON or, with PyYAML, a YAML file."""
    text = pathlib.Path(path).read_text(encoding="utf-8")
    if str(path).endswith(".json"):
        return json.loads(text)
    import yaml

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers = {}

    for tag, (pattern, first) in PLAIN.items():
        letters = [*first, ""] if tag == "null" else list(first)
        Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), letters)
    return yaml.load(text, Loader)


class Ratchet:
    def __init__(self, url=None, key=None):
        self.url, self.key = url or os.environ["RATCHET_URL"], key or os.environ["RATCHET_API_KEY"]

    def call(self, method, path, body=None, **headers):
        """JSON in, JSON out; a problem is a RuntimeError that says what is wrong."""
        headers |= {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/api/v1{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{error.code}: {json.load(error)['detail']}") from None

    def launch(self, spec):
        """Starts an experiment (a dict, or the path of a JSON or, with PyYAML, a YAML file); its id."""
        spec = spec if isinstance(spec, dict) else read_spec(spec)
        return self.call("POST", "/experiments", spec, **{"Idempotency-Key": str(uuid.uuid4())})["id"]

    def watch(self, experiment):
        """Its events, as they come, until it has ended."""
        after, ended = "0", False
        while not ended:
            page = self.call("GET", f"/experiments/{experiment}/events?after={after}")
            yield from page["items"]
            ended = page["ended"]
            after = page["items"][-1]["seq"] if page["items"] else after
            time.sleep(0 if page["items"] else 1)

    def compare(self, model, metric):
        return self.call("GET", f"/ml-models/{model}/compare/{metric}")["items"]

    def predict(self, model, **asked):
        return self.call("POST", f"/ml-models/{model}/predict", asked)

    def batch(self, model, items, **options):
        return self.call("POST", f"/ml-models/{model}/batch-predict", {"items": items, **options})
