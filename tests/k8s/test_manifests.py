import itertools
import json
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
import yaml
from kubernetes.utils.quantity import parse_quantity

from invopt.config import load_config
from serving.settings import Settings
from tests.builders import CONFIGS
from tests.k8s.manifests import (
    COMPONENTS,
    CRDS,
    K8S,
    OVERLAYS,
    build,
    containers,
    kustomize,
    of_kind,
    pod_specs,
    values_of,
)

pytestmark = pytest.mark.slow

VERSIONS = ("1.31", "1.32", "1.33", "1.34", "1.35", "1.36", "1.37")
CUSTOM = {
    "InferenceService": "inferenceservice-v1beta1.json",
    "ServingRuntime": "servingruntime-v1alpha1.json",
    "TrainingRuntime": "trainingruntime-v1alpha1.json",
}
# Their definitions are not at hand; their operators check them.
UNCHECKED = {"ExternalSecret", "PrometheusRule", "ServiceMonitor"}
TARGETS = ["base", *(f"overlays/{name}" for name in OVERLAYS)]
SUBSETS = [s for n in (0, 1, 2, len(COMPONENTS)) for s in itertools.combinations(COMPONENTS, n)]
# Made outside of kustomize: by people as the README says, by Kubernetes, by KFP.
OUTSIDE = {"invopt-stores", "invopt-object-store", "invopt-planner"}
ALL = tuple(COMPONENTS)
RUNTIME = "TrainingRuntime"
DNS_LABEL = r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?"
DNS_NAME = r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?"
PORT_NAME = r"(?=.*[a-z])(?!.*--)[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?"
LABEL_VALUE = r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?"
LABEL_KEY = rf"({DNS_NAME}/)?[A-Za-z0-9]([A-Za-z0-9_.-]{{0,61}}[A-Za-z0-9])?"


@pytest.fixture(params=TARGETS)
def objects(request):
    return build(request.param)


@pytest.fixture
def everything():
    return build("base", ALL)


def test_base_builds_with_every_component_every_pair_and_all():
    with ThreadPoolExecutor(4) as pool:
        built = dict(zip(SUBSETS, pool.map(lambda s: build("base", s), SUBSETS), strict=True))
    smallest = len(build("base"))
    assert all(len(objects) >= smallest for objects in built.values())


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_overlay_builds_with_each_component_it_lacks_and_with_all_of_them(overlay):
    text = (K8S / "overlays" / overlay / "kustomization.yaml").read_text()
    lacking = tuple(name for name in COMPONENTS if f"components/{name}" not in text)
    alone = build(f"overlays/{overlay}")
    for some in [*((name,) for name in lacking), lacking]:
        objects = build(f"overlays/{overlay}", some)
        assert len(objects) >= len(alone)
        assert_valid(objects, VERSIONS[0])
        assert_accepted(objects)
    assert "nvidia.com/gpu" in json.dumps(of_kind(build(f"overlays/{overlay}", ("gpu",)), RUNTIME))


@pytest.mark.parametrize("version", VERSIONS)
def test_core_objects_are_valid_in_every_supported_kubernetes(everything, version):
    assert_valid(everything, version)


def test_what_overlays_change_is_valid_too(objects):
    assert_valid(objects, VERSIONS[0])


def assert_valid(objects, version):
    for item in objects:
        if item["kind"] not in CUSTOM and item["kind"] not in UNCHECKED:
            kubernetes_validate.validate(item, version, strict=True)


def test_custom_objects_are_valid_against_their_definitions(everything):
    if not CRDS.is_dir():
        pytest.skip(f"the schemas of custom resources are not at {CRDS}")
    found = [item for item in everything if item["kind"] in CUSTOM]
    assert {item["kind"] for item in found} == set(CUSTOM)
    for item in found:
        schema = json.loads((CRDS / CUSTOM[item["kind"]]).read_text())
        jsonschema.Draft7Validator(schema).validate(item)


def assert_accepted(objects):
    """Check what an API server refuses though schemas allow it."""
    for item in objects:
        where = f"{item['kind']}/{item['metadata']['name']}"
        short = item["kind"] in ("Service", "Namespace", "InferenceService")
        assert re.fullmatch(DNS_LABEL if short else DNS_NAME, item["metadata"]["name"]), where
        assert len(item["metadata"]["name"]) <= (63 if short else 253), where
        for labels in [*values_of(item, "labels"), *values_of(item, "matchLabels")]:
            for key, value in labels.items():
                assert re.fullmatch(LABEL_KEY, key), (where, key)
                assert re.fullmatch(LABEL_VALUE, value), (where, key, value)
        if item["kind"] in ("Deployment", "StatefulSet"):
            chosen = item["spec"]["selector"]["matchLabels"].items()
            assert chosen <= item["spec"]["template"]["metadata"]["labels"].items(), where
    for where, container, pod in containers(objects):
        assert re.fullmatch(DNS_LABEL, container["name"]), where
        ports = [p["name"] for p in container.get("ports", [])]
        assert len(set(ports)) == len(ports), where
        assert all(re.fullmatch(PORT_NAME, name) for name in ports), where
        places = [m["mountPath"] for m in container.get("volumeMounts", [])]
        assert len(set(places)) == len(places), where
        volumes = [v["name"] for v in pod.get("volumes", [])]
        assert len(set(volumes)) == len(volumes), where
        resources = container["resources"]
        for kind, limit in resources["limits"].items():
            assert parse_quantity(resources["requests"][kind]) <= parse_quantity(limit), where
    for service in of_kind(objects, "Service").values():
        for port in service["spec"]["ports"]:
            assert re.fullmatch(PORT_NAME, port["name"]), service["metadata"]["name"]


def test_names_labels_ports_and_quantities_are_what_an_api_server_takes(objects, everything):
    assert_accepted(objects)
    assert_accepted(everything)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_puts_everything_into_its_one_namespace(overlay):
    objects = build(f"overlays/{overlay}")
    made = set(of_kind(objects, "Namespace"))
    others = [o for o in objects if o["kind"] != "Namespace"]
    (used,) = {o["metadata"]["namespace"] for o in others}
    assert made <= {used}
    assert made or used in ("kubeflow", "invopt-profile")  # KFP's own, a user's profile


def test_images_are_pinned_and_never_latest(objects):
    for where, container, _ in containers(objects):
        image = container["image"]
        if image in ("invopt-job", "invopt-server"):  # base: an overlay gives registry and tag
            continue
        assert re.search(r":[\w.-]+$|@sha256:[0-9a-f]{64}$", image), where
        assert not image.endswith(":latest"), where


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_overlays_name_registry_and_tag_of_our_images(overlay):
    for where, container, _ in containers(build(f"overlays/{overlay}")):
        assert "/" in container["image"], where
        assert ":" in container["image"].rpartition("/")[2], where


def test_no_secret_is_written_down(everything):
    for secret in of_kind(everything, "Secret").values():
        assert "data" not in secret
        assert "stringData" not in secret
    text = "\n".join(p.read_text() for p in K8S.rglob("*") if p.is_file())
    assert not re.search(r"://[^/\s:]+:[^@\s${]+@", text), "an address holds a password"
    for _, container, _ in containers(everything):
        for variable in container.get("env", []):
            if re.search("PASSWORD$|SECRET|TOKEN|_KEY", variable["name"]):
                assert "valueFrom" in variable, variable["name"]


def test_every_container_has_requests_and_limits(everything):
    for where, container, _ in containers(everything):
        for kind in ("requests", "limits"):
            assert {"cpu", "memory"} <= set(container["resources"][kind]), (where, kind)


def test_every_container_is_restricted_as_pod_security_asks(everything):
    for where, container, pod in containers(everything):
        own, shared = container["securityContext"], pod.get("securityContext", {})
        assert own["allowPrivilegeEscalation"] is False, where
        assert own["capabilities"] == {"drop": ["ALL"]}, where
        assert own["readOnlyRootFilesystem"] is True, where
        assert own.get("runAsNonRoot") or shared.get("runAsNonRoot"), where
        assert own.get("runAsUser") or shared.get("runAsUser"), where
        profile = own.get("seccompProfile") or shared.get("seccompProfile")
        assert profile == {"type": "RuntimeDefault"}, where
        assert not pod.get("hostNetwork"), where


def test_service_accounts_exist_and_carry_no_token_unless_runs_need_it(everything):
    accounts = of_kind(everything, "ServiceAccount")
    named = {name for item in everything for name in values_of(item, "serviceAccountName")}
    assert named <= set(accounts)
    assert [n for n, a in accounts.items() if a["automountServiceAccountToken"]] == [
        "invopt-runner"
    ]
    for item in everything:
        for where, pod in pod_specs(item):
            # KServe takes the service account's word; a ServingRuntime has no field of its own.
            explicit = pod.get("automountServiceAccountToken") is False
            by_account = pod.get("serviceAccountName") in accounts
            assert explicit or by_account or item["kind"] == "ServingRuntime", where


def test_bindings_join_accounts_and_roles_that_exist(everything):
    roles, accounts = of_kind(everything, "Role"), of_kind(everything, "ServiceAccount")
    bound = set()
    for binding in of_kind(everything, "RoleBinding").values():
        assert binding["roleRef"]["name"] in roles
        bound.add(binding["roleRef"]["name"])
        assert {s["name"] for s in binding["subjects"]} <= set(accounts)
    assert bound == set(roles)


def test_the_readme_s_table_of_verbs_is_that_of_the_roles(everything):
    rows = [
        f"| `{name}` | {group or 'core'} | `{resource}` | {only} | {', '.join(rule['verbs'])} |"
        for name, role in sorted(of_kind(everything, "Role").items())
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for only in [", ".join(f"`{n}`" for n in rule.get("resourceNames", [])) or "all"]
    ]
    told = re.findall(r"^\| `invopt-.*", (K8S / "README.md").read_text(), re.MULTILINE)
    assert told == rows


def test_every_name_a_pod_refers_to_exists(everything):
    maps, claims = of_kind(everything, "ConfigMap"), of_kind(everything, "PersistentVolumeClaim")
    secrets = set(of_kind(everything, "Secret")) | OUTSIDE
    for item in everything:
        for reference in values_of(item, "configMapRef"):
            assert reference["name"] in maps
        for reference in values_of(item, "configMap"):
            assert reference["name"] in maps
        for reference in values_of(item, "configMapKeyRef"):
            assert reference["key"] in maps[reference["name"]]["data"]
        for key in ("secretRef", "secretKeyRef"):
            assert {r["name"] for r in values_of(item, key)} <= secrets
        for reference in values_of(item, "persistentVolumeClaim"):
            assert reference["claimName"] in claims
    for account in of_kind(everything, "ServiceAccount").values():
        assert {s["name"] for s in account.get("secrets", [])} <= secrets
    for token in of_kind(everything, "Secret").values():
        owner = token["metadata"]["annotations"]["kubernetes.io/service-account.name"]
        assert owner in of_kind(everything, "ServiceAccount")


def test_secrets_made_elsewhere_hold_the_keys_that_are_read(everything):
    given = {
        name: {d["secretKey"] for d in external["spec"]["data"]}
        for name, external in of_kind(everything, "ExternalSecret").items()
    }
    assert set(given) == OUTSIDE
    for item in everything:
        for reference in values_of(item, "secretKeyRef"):
            assert reference["key"] in given[reference["name"]]
    readme = (K8S / "README.md").read_text()
    for name, keys in given.items():
        assert f"create secret generic {name}" in readme
        assert all(key in readme for key in keys)


def test_volumes_that_are_mounted_are_declared(everything):
    for where, container, pod in containers(everything):
        declared = {v["name"] for v in pod.get("volumes", [])}
        if where.startswith("StatefulSet/"):
            declared.add("data")
        assert {m["name"] for m in container.get("volumeMounts", [])} <= declared, where


def test_services_and_workloads_find_each_other(everything):
    pods = [
        item["spec"]["template"]["metadata"]["labels"]
        for item in everything
        if item["kind"] in ("Deployment", "StatefulSet", "Job")
    ]
    pods += [
        job["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
        for job in of_kind(everything, "CronJob").values()
    ]
    # KServe and the Trainer label the pods they make.
    pods.append({"serving.kserve.io/inferenceservice": "demand-forecaster"})
    pods.append({"app.kubernetes.io/name": "invopt-torch"})
    selectors = [s["spec"]["selector"] for s in of_kind(everything, "Service").values()]
    budgets = of_kind(everything, "PodDisruptionBudget").values()
    selectors += [b["spec"]["selector"]["matchLabels"] for b in budgets]
    policies = of_kind(everything, "NetworkPolicy").values()
    selectors += [p["spec"]["podSelector"].get("matchLabels", {}) for p in policies]
    peers = [peer for p in policies for side in ("from", "to") for peer in values_of(p, side)]
    selectors += [
        peer["podSelector"]["matchLabels"]
        for peer in itertools.chain(*peers)
        if "matchLabels" in peer.get("podSelector", {}) and "namespaceSelector" not in peer
    ]
    for selector in selectors:
        assert any(selector.items() <= labels.items() for labels in pods), selector


LINKS = yaml.safe_load((K8S / "base" / "links" / "links.yaml").read_text())["data"]


def test_alerts_page_only_with_a_runbook_that_exists(everything):
    readme = (K8S / "README.md").read_text()
    anchors = {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings(readme)}
    for rules in of_kind(everything, "PrometheusRule").values():
        for group in rules["spec"]["groups"]:
            for rule in group["rules"]:
                assert rule["labels"]["severity"] in ("page", "ticket")
                told = rule["annotations"]
                assert told["summary"]
                assert told["description"]
                assert told["dashboard_url"].startswith(f"{LINKS['grafana']}/d/invopt-")
                base, _, place = told["runbook_url"].partition(f"{LINKS['runbooks']}/")
                assert not base, rule["alert"]
                path, _, anchor = place.partition("#")
                if path == "{{ $labels.runbook }}":  # tests.invopt.test_monitoring_page.py
                    continue
                assert (K8S.parent / path).is_file(), rule["alert"]
                assert not anchor or anchor in anchors, rule["alert"]


def test_the_addresses_that_alerts_carry_are_those_of_the_overlay(tmp_path):
    place = tmp_path / "k8s"
    shutil.copytree(K8S, place)
    own = place / "overlays" / "production" / "links" / "kustomization.yaml"
    own.write_text(
        own.read_text()
        .replace("https://github.com/invopt/invopt/blob/main", "https://wiki.shop/team/invopt")
        .replace("https://grafana.example.com", "https://grafana.shop:3000")
    )
    [rules] = of_kind(
        tuple(kustomize(place / "overlays" / "production")), "PrometheusRule"
    ).values()
    told = [r["annotations"] for g in rules["spec"]["groups"] for r in g["rules"]]
    assert {t["dashboard_url"].partition("/d/")[0] for t in told} == {"https://grafana.shop:3000"}
    urls = {t["runbook_url"].removeprefix("https://wiki.shop/team/invopt/") for t in told}
    assert "docs/runbooks/monitoring-late.md" in urls
    assert "k8s/README.md#a-store-is-down" in urls
    assert "{{ $labels.runbook }}" in urls


@pytest.mark.skipif(shutil.which("promtool") is None, reason="there is no promtool here")
def test_promtool_finds_no_fault_in_the_alerts(everything, tmp_path):
    for number, rules in enumerate(of_kind(everything, "PrometheusRule").values()):
        file = tmp_path / f"{number}.yaml"
        file.write_text(yaml.safe_dump(rules["spec"]))
        found = subprocess.run(["promtool", "check", "rules", file], capture_output=True, text=True)
        assert found.returncode == 0, found.stdout + found.stderr


# Of the Prometheus Operator, the kubelet and kube-state-metrics.
ELSEWHERE = re.compile(r"up$|kube_(pod|statefulset)_|kubelet_volume_stats_")


def test_alerts_and_dashboards_ask_for_metrics_that_the_server_exports(everything):
    import kserve.metrics  # noqa: F401  (registers request_predict_seconds)
    from prometheus_client import REGISTRY
    from prometheus_client.parser import text_string_to_metric_families

    import serving.api.metrics  # noqa: F401
    from invopt.report.monitoring_page import prometheus_text
    from serving.loop.champion_watch import champion_text
    from tests.invopt.test_monitoring_page import make_content, signal

    suffixes = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_count", "_sum"]}
    exported = {
        family.name + suffix
        for family in REGISTRY.collect()
        for suffix in suffixes.get(family.type, [])
    }
    governor = {"brakes": [], "cause": "", "paged": ["demand_shift up"]}
    words = [{"causes": ["demand_shift up"], "ends": None, "in_force": True}]
    content = make_content("page", [signal()], governor=governor, acknowledged=words)
    text = prometheus_text(content, "demo")
    text += champion_text("demo", "1", 0.0)
    exported |= {family.name for family in text_string_to_metric_families(text)}
    asked = {name for text in expressions(everything) for name in metrics_in(text)}
    assert {"invopt_monitoring_page", "request_predict_seconds_bucket"} <= asked
    assert {name for name in asked if not ELSEWHERE.match(name)} <= exported


def expressions(objects):
    for rules in of_kind(objects, "PrometheusRule").values():
        yield from values_of(rules, "expr")
    for text in of_kind(objects, "ConfigMap")["invopt-dashboards"]["data"].values():
        yield from values_of(json.loads(text), "expr")


def metrics_in(expression: str) -> set[str]:
    """Return the names in front of { or [; what they select by, and functions, are none."""
    return set(re.findall(r"([a-z_]+)(?=[{\[])", expression))


def test_scraping_finds_the_port_of_its_service_and_labels_alerts_select_by(everything):
    services = of_kind(everything, "Service")
    scraped = []
    for monitor in of_kind(everything, "ServiceMonitor").values():
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        [found] = [
            s for s in services.values() if wanted <= s["metadata"].get("labels", {}).items()
        ]
        scraped.append(found["metadata"]["name"])
        ports = {port["name"] for port in found["spec"]["ports"]}
        assert {e["port"] for e in monitor["spec"]["endpoints"]} <= ports
    assert sorted(scraped) == ["demand-forecaster-metrics", "evidently", "evidently"]
    for text in expressions(everything):
        for name in re.findall(r'service="([^"]+)"', text):
            assert name in services


def test_evidently_and_prometheus_are_shown_where_monitoring_writes(everything):
    config = load_config(CONFIGS / "cluster.yaml")
    kept = Settings.of(Path("/workspace")).monitoring
    pod = of_kind(everything, "Deployment")["evidently"]["spec"]["template"]["spec"]
    shown = {c["name"]: [*c["command"], *c.get("args", [])] for c in pod["containers"]}
    assert f"--workspace={kept}/evidently" in shown["evidently"]
    assert f"--directory={kept}/metrics" in shown["metrics"]
    [endpoint] = of_kind(everything, "ServiceMonitor")["monitoring-runs"]["spec"]["endpoints"]
    assert endpoint["path"] == f"/{config.name}.txt"
    [endpoint] = of_kind(everything, "ServiceMonitor")["champion"]["spec"]["endpoints"]
    assert endpoint["path"] == f"/{config.name}.champion.txt"
    assert f"--name={config.name}" in shown["console"]


def headings(text: str) -> list[str]:
    return re.findall(r"^#+ (.*)$", text, re.MULTILINE)


def test_the_network_is_closed_but_for_named_paths():
    policies = of_kind(build("base", ("network-policies",)), "NetworkPolicy")
    deny = policies["default-deny"]["spec"]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for name in ("redis", "postgres", "mlflow", "forecaster"):
        for rule in policies[name]["spec"]["ingress"]:
            assert rule["from"], name
            assert rule["ports"], name
    assert "egress" not in policies["redis"]["spec"]


def test_namespaces_enforce_restricted_pods():
    for overlay in ("staging", "production"):
        (namespace,) = of_kind(build(f"overlays/{overlay}"), "Namespace").values()
        assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_manifest_leaves_what_is_served_to_the_deploy_step(objects):
    (service,) = of_kind(objects, "InferenceService").values()
    predictor = service["spec"]["predictor"]
    assert "storageUri" not in predictor["model"]
    assert "env" not in predictor["model"]
    assert "canary" not in service["spec"]


def test_kustomizations_stay_short():
    for file in K8S.rglob("kustomization.yaml"):
        assert len(Path(file).read_text().splitlines()) <= 40, file


def test_a_first_apply_and_a_later_one_leave_data_that_are_there():
    job = of_kind(build("overlays/kind"), "Job")["demo-data"]["spec"]["template"]["spec"]
    [script] = job["containers"][0]["args"]
    assert script.index("if [ -e /workspace/data ]") < script.index("invopt demo-data")
    assert "--out=/workspace/.data " in script
    assert script.rstrip().endswith("mv /workspace/.data /workspace/data")


def _scripts(objects):
    """Yield (where, script) of what shells are given."""
    for name, content in of_kind(objects, "ConfigMap").items():
        for key, text in content.get("data", {}).items():
            if key.endswith(".sh"):
                yield f"ConfigMap/{name}/{key}", text
    for where, container, _ in containers(objects):
        call = [*container.get("command", []), *container.get("args", [])]
        if call and Path(call[0]).name in ("sh", "bash"):
            yield where, next(part for part in call[1:] if not part.startswith("-"))


def test_every_script_that_a_manifest_gives_a_shell_can_be_parsed(objects, everything):
    found = {**dict(_scripts(everything)), **dict(_scripts(objects))}
    assert any(where.endswith("/databases.sh") for where in found)
    assert any(where.endswith("/migrate") for where in found)
    for where, script in found.items():
        done = subprocess.run(["sh", "-n"], input=script, capture_output=True, text=True)
        assert done.returncode == 0, f"{where}: {done.stderr}"


def test_a_forecaster_pod_waits_before_it_stops_and_logs_where_monitoring_reads(everything):
    (runtime,) = of_kind(everything, "ServingRuntime").values()
    (server,) = runtime["spec"]["containers"]
    assert server["lifecycle"]["preStop"]["sleep"]["seconds"] >= 5
    # The kubelet makes the missing folder of a subPath as root.
    assert not any("subPath" in m or m.get("readOnly") for m in server["volumeMounts"][:1])
    environment = of_kind(everything, "ConfigMap")["invopt-deployment"]["data"]
    own = {v["name"] for v in server["env"]}
    assert not {"INVOPT_PREDICTION_LOG", "INVOPT_WORKSPACE"} & own
    assert "INVOPT_PREDICTION_LOG" not in environment
    log = Settings.from_environment(environment).prediction_log
    assert log.is_relative_to(server["volumeMounts"][0]["mountPath"])


def test_forecaster_pods_are_spread_over_machines_and_zones(everything):
    (service,) = of_kind(everything, "InferenceService").values()
    spread = service["spec"]["predictor"]["topologySpreadConstraints"]
    keys = [rule["topologyKey"] for rule in spread]
    assert keys == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]


def test_knative_is_given_no_field_that_it_refuses():
    objects = build("overlays/kubeflow-26.03")
    (service,) = of_kind(objects, "InferenceService").values()
    assert "topologySpreadConstraints" not in service["spec"]["predictor"]
    (runtime,) = of_kind(objects, "ServingRuntime").values()
    assert not {"lifecycle", "startupProbe"} & set(runtime["spec"]["containers"][0])


def test_mlflow_runs_no_jobs_of_its_own(everything):
    pod = of_kind(everything, "Deployment")["mlflow"]["spec"]["template"]["spec"]
    environment = {v["name"]: v.get("value") for v in pod["containers"][0]["env"]}
    assert environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"


def test_own_namespaces_reach_kfp_s_store_and_give_limits_to_containers_without():
    for overlay in ("staging", "production"):
        objects = build(f"overlays/{overlay}")
        (namespace,) = of_kind(objects, "Namespace").values()
        assert namespace["metadata"]["labels"]["app.kubernetes.io/part-of"] == "kubeflow-profile"
        (limits,) = of_kind(objects, "LimitRange").values()
        assert {"default", "defaultRequest", "type"} == set(limits["spec"]["limits"][0])


def test_models_of_two_namespaces_share_no_folder():
    folders = {
        overlay: of_kind(build(f"overlays/{overlay}"), "ConfigMap")["invopt-deployment"]["data"][
            "INVOPT_MODEL_STORE"
        ]
        for overlay in OVERLAYS
    }
    assert folders == {
        "kind": "s3://invopt/models/kubeflow",
        "kubeflow-26.03": "s3://invopt/models/invopt-profile",
        "production": "s3://invopt/models/invopt-production",
        "staging": "s3://invopt/models/invopt-staging",
    }


def test_the_console_has_what_computing_a_decision_again_needs(everything):
    pod = of_kind(everything, "Deployment")["evidently"]["spec"]["template"]["spec"]
    (console,) = [c for c in pod["containers"] if c["name"] == "console"]
    assert {"secretRef": {"name": "invopt-object-store"}} in console["envFrom"]
    egress = of_kind(everything, "NetworkPolicy")["monitoring"]["spec"]["egress"]
    assert [{"port": 9000}, {"port": 8333}] in [rule["ports"] for rule in egress]
