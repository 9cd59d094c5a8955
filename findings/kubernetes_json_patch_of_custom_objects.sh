#!/usr/bin/env bash
# kubernetes (Python client) 30.1.0: a JSON Patch of a custom object goes out as a merge patch.
#
# For built-in objects the client looks at the body: a list is sent as application/json-patch+json. The
# calls for custom objects take a list too (the API's own description names both kinds) and send it as
# application/merge-patch+json, which an API server refuses: "json: cannot unmarshal array into Go value of
# type map[string]interface {}". A default header of the ApiClient is the way around.
#
# Seen 2026-11-28 (Python 3.11):
#   30.1.0 list as a patch of a custom object: application/merge-patch+json
#   30.1.0 the same with a default header: application/json-patch+json
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet kubernetes==30.1.0
cat > "$folder/see.py" <<'P'
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import kubernetes
from kubernetes import client

seen = []


class Api(BaseHTTPRequestHandler):
    def do_PATCH(self):
        seen.append(self.headers["Content-Type"])
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Api)
threading.Thread(target=server.serve_forever, daemon=True).start()
configuration = client.Configuration(host=f"http://127.0.0.1:{server.server_port}")
place = ("example.com", "v1", "default", "widgets", "one")
patch = [{"op": "replace", "path": "/spec/size", "value": 2}]
for header in ((), ("Content-Type", "application/json-patch+json")):
    api = client.CustomObjectsApi(client.ApiClient(configuration, *header))
    api.patch_namespaced_custom_object(*place, patch)
version = kubernetes.__version__
print(version, "list as a patch of a custom object:", seen[0])
print(version, "the same with a default header:", seen[1])
assert seen == ["application/merge-patch+json", "application/json-patch+json"], seen
P
"$folder/venv/bin/python" "$folder/see.py"
