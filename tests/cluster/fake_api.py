"""A small Kubernetes API over HTTP on loopback: objects, patches, Roles, and a log of verbs.

It keeps what it is given, refuses what the manifests' Roles do not allow, and lets a test play the
operators that would answer: `on_change` is called after every write.
"""

import base64
import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

Object = dict[str, Any]
Rule = tuple[str, str, str]  # group, resource, verb
NAMESPACE = "invopt-test"
_CUSTOM = re.compile(r"^/apis/([^/]+)/([^/]+)/namespaces/([^/]+)/([^/]+)(?:/([^/]+))?$")
_CORE = re.compile(r"^/api/v1/namespaces/([^/]+)/([^/]+)(?:/([^/]+)(?:/([^/]+))?)?$")


class Refusal(Exception):
    def __init__(self, status: int, message: str, *, plain: bool = False) -> None:
        super().__init__(message)
        self.status, self.message, self.plain = status, message, plain


class FakeKubernetes:
    """The API server.

    Args:
        roles: Token to the rules it may use, with the object names they are limited to.
        kinds: Plurals of the custom resources that are defined.
    """

    def __init__(self, roles: dict[str, list[Object]], kinds: set[str]) -> None:
        self.roles, self.kinds = roles, kinds
        self.objects: dict[tuple[str, str], Object] = {}
        self.pods: list[Object] = []
        self.events: list[Object] = []
        self.logs: list[str] = []
        self.used: dict[str, set[Rule]] = {}
        self.accounts: dict[str, str] = {}  # token to account
        self.audiences: dict[str, str] = {}  # token made on request to whom it is for
        self.denied: list[Rule] = []
        self.refuse: Callable[[str, str, Object | None], None] = lambda verb, plural, body: None
        self.on_change: Callable[[str, Object], None] = lambda verb, item: None
        self.on_look: Callable[[], None] = lambda: None
        self.writes: list[tuple[str, Object]] = []
        self.lock = threading.RLock()
        self._version = 0
        handler = type("Handler", (_Handler,), {"api": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def allowed(self, account: str) -> set[Rule]:
        """Return what an account's rules allow: group, resource, verb."""
        return {
            (group, resource, verb)
            for rule in self.roles[account]
            for group in rule["apiGroups"]
            for resource in rule["resources"]
            for verb in rule["verbs"]
        }

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def kubeconfig(self, account: str) -> str:
        claims = {"sub": f"system:serviceaccount:{NAMESPACE}:{account}"}
        token = f"x.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode()}.x"
        self.accounts[token] = account
        return yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "c",
                "clusters": [{"name": "c", "cluster": {"server": self.url}}],
                "users": [{"name": "u", "user": {"token": token}}],
                "contexts": [
                    {
                        "name": "c",
                        "context": {"cluster": "c", "user": "u", "namespace": NAMESPACE},
                    }
                ],
            }
        )

    def put(self, plural: str, item: Object) -> Object:
        """Store an object, as the API server would number it."""
        with self.lock:
            self._version += 1
            meta = item["metadata"]
            before = self.objects.get((plural, meta["name"]))
            meta.setdefault("namespace", NAMESPACE)
            meta.setdefault("creationTimestamp", "2026-01-01T00:00:00Z")
            meta["resourceVersion"] = str(self._version)
            if before is None or before.get("spec") != item.get("spec"):
                meta["generation"] = (before or {"metadata": {}})["metadata"].get(
                    "generation", 0
                ) + 1
            self.objects[plural, meta["name"]] = json.loads(json.dumps(item))
            return self.objects[plural, meta["name"]]

    def get(self, plural: str, name: str) -> Object:
        return self.objects[plural, name]

    def authorize(self, token: str, rule: Rule, name: str) -> None:
        group, resource, verb = rule
        for allowed in self.roles.get(token, []):
            if (
                group in allowed["apiGroups"]
                and resource in allowed["resources"]
                and verb in allowed["verbs"]
                and (not allowed.get("resourceNames") or name in allowed["resourceNames"])
            ):
                self.used.setdefault(token, set()).add(rule)
                return
        self.denied.append(rule)
        raise Refusal(403, f'{resource} is forbidden: {token} cannot {verb} resource "{resource}"')

    def answer(self, method: str, path: str, query: Object, token: str, body: Any) -> Any:
        if found := _CUSTOM.match(path):
            return self._custom(method, found.groups(), token, body)
        if found := _CORE.match(path):
            return self._core(method, found.groups(), query, token, body)
        raise Refusal(404, "404 page not found", plain=True)

    def _custom(self, method: str, place: tuple[Any, ...], token: str, body: Any) -> Any:
        group, _, _, plural, name = place
        verb = {"GET": "get" if name else "list", "POST": "create"}.get(method, method.lower())
        name = name or (body or {}).get("metadata", {}).get("name", "")
        if plural not in self.kinds:
            raise Refusal(404, "404 page not found", plain=True)
        self.authorize(token, (group, plural, verb), name)
        self.refuse(verb, plural, body)
        if verb == "get":
            self.on_look()
        with self.lock:
            current = self.objects.get((plural, name))
            if verb == "create":
                if current is not None:
                    raise Refusal(409, f'{plural} "{name}" already exists')
                item = self.put(plural, body)
            elif current is None:
                raise Refusal(404, f'{plural}.{group} "{name}" not found')
            elif verb == "patch":
                item = self.put(plural, _patched(current, body))
            elif verb == "delete":
                item = self.objects.pop((plural, name))
            else:
                return current
            self.writes.append((verb, json.loads(json.dumps(item))))
            self.on_change(verb, item)
            if verb == "delete" and group == "autoscaling":
                return {"kind": "Status", "apiVersion": "v1", "status": "Success"}
            return item

    def _core(
        self, method: str, place: tuple[Any, ...], query: Object, token: str, body: Any
    ) -> Any:
        _, resource, name, inner = place
        if inner == "token" and method == "POST":
            self.authorize(token, ("", "serviceaccounts/token", "create"), name)
            return self._make_token(name, body["spec"]["audiences"][0])
        if inner:
            self.authorize(token, ("", f"{resource}/{inner}", "get"), name)
            return "".join(line + "\n" for line in self.logs)
        if name:
            self.authorize(token, ("", resource, "get"), name)
            raise Refusal(404, f'{resource} "{name}" not found')
        self.authorize(token, ("", resource, "list"), "")
        items = self.events if resource == "events" else self.pods
        selector = query.get("labelSelector", [""])[0]
        pairs = [p.split("=") for p in selector.split(",") if re.fullmatch(r"[^=!\s]+=[^=\s]+", p)]
        chosen = [
            i for i in items if all(i["metadata"].get("labels", {}).get(k) == v for k, v in pairs)
        ]
        kind = "EventList" if resource == "events" else "PodList"
        return {"kind": kind, "apiVersion": "v1", "metadata": {}, "items": chosen}

    def _make_token(self, account: str, audience: str) -> Object:
        made = f"{account} for {audience}"
        self.audiences[made] = audience
        return {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "spec": {"audiences": [audience]},
            "status": {"token": made, "expirationTimestamp": "2026-01-01T00:10:00Z"},
        }


def _patched(current: Object, patch: list[Object] | Object) -> Object:
    item: Object = json.loads(json.dumps(current))
    if isinstance(patch, dict):
        return _merged(item, patch)
    for operation in patch:
        *parents, last = [p.replace("~1", "/") for p in operation["path"].split("/")[1:]]
        place = item
        for key in parents:
            place = place[key]
        if operation["op"] == "test":
            if place[last] != operation["value"]:
                raise Refusal(422, "the server rejected our request: a test of the patch failed")
        else:
            place[last] = operation["value"]
    return item


def _merged(item: Object, patch: Object) -> Object:
    """Return an object after a merge patch (RFC 7386)."""
    for key, value in patch.items():
        if value is None:
            item.pop(key, None)
        elif isinstance(value, dict):
            item[key] = _merged(item.get(key, {}), value)
        else:
            item[key] = value
    return item


def _check_kind(method: str, kind: str, body: Any) -> None:
    """Refuse a body of another kind than it says, in the API server's words."""
    known = {
        "POST": {"application/json": dict},
        "PATCH": {"application/json-patch+json": list, "application/merge-patch+json": dict},
    }.get(method)
    if known is None:
        return
    if kind not in known:
        raise Refusal(
            415,
            "the body of the request was in an unknown format - accepted media types include: "
            + ", ".join(known),
        )
    if not isinstance(body, known[kind]):
        found, wanted = ("array", "map[string]interface {}")
        if known[kind] is list:
            found, wanted = ("object", "jsonpatch.Patch")
        raise Refusal(
            400,
            f"error decoding patch: json: cannot unmarshal {found} into Go value of type {wanted}",
        )


class _Handler(BaseHTTPRequestHandler):
    api: FakeKubernetes
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        size = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(size) if size else b""
        bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
        token = self.api.accounts.get(bearer, bearer)
        try:
            body = json.loads(raw) if raw else None
            _check_kind(self.command, self.headers.get("Content-Type", ""), body)
            found = self.api.answer(
                self.command, unquote(parts.path), parse_qs(parts.query), token, body
            )
            status = 200
        except Refusal as err:
            status = err.status
            found = err.message
            if not err.plain:
                found = {
                    "kind": "Status",
                    "status": "Failure",
                    "message": err.message,
                    "code": status,
                }
        content = found if isinstance(found, str) else json.dumps(found)
        self.send_response(status)
        kind = "text/plain" if isinstance(found, str) else "application/json"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content.encode())))
        self.end_headers()
        self.wfile.write(content.encode())

    do_GET = do_POST = do_PATCH = do_DELETE = _serve

    def log_message(self, *_: Any) -> None:
        return None
