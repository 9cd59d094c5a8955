import functools
import tempfile
from pathlib import Path

import pytest
import yaml

import components
from invopt.deployment_config import ClusterConfig
from invopt.errors import ConfigError
from pipelines.cli import PIPELINES, main
from pipelines.launch import compile_pipeline, load_parameters
from pipelines.pods import Steps
from pipelines.preview import last_compiled, preview, table
from tests.k8s.manifests import build, of_kind

pytestmark = pytest.mark.slow

CONFIG = "pipelines/configs/cluster.yaml"


@functools.cache
def compiled(pipeline="training", *overrides, config=CONFIG):
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "pipeline.yaml"
        compile_pipeline(pipeline, load_parameters(Path(config), overrides), out)
        return list(yaml.load_all(out.read_text(), yaml.CSafeLoader))


def executors(documents):
    spec, platform = documents
    pods = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    containers = spec["deploymentSpec"]["executors"]
    return {
        name.removeprefix("exec-"): (content["container"], pods.get(name, {}))
        for name, content in containers.items()
    }


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_every_step_of_every_pipeline_has_limits_workspace_and_deployment(pipeline):
    for name, (container, pod) in executors(compiled(pipeline)).items():
        assert container["resources"]["resourceCpuLimit"], name
        assert container["resources"]["resourceMemoryLimit"], name
        assert pod["pvcMount"][0]["constant"] == "invopt-workspace", name
        assert pod["securityContext"]["runAsNonRoot"] is True, name


SMALL = "pipelines/configs/cluster-small.yaml"


def test_a_laptops_steps_ask_for_little_and_may_take_more():
    for name, (container, _) in executors(compiled("training", config=SMALL)).items():
        resources = container["resources"]
        assert resources["resourceCpuRequest"] == "100m", name
        assert resources["resourceMemoryRequest"] == "512Mi", name
        assert resources["resourceCpuLimit"] == "2", name
        assert resources["resourceMemoryLimit"] == "2Gi", name


def test_the_small_configuration_runs_where_and_as_the_large_one_does():
    small, large = (
        yaml.safe_load(Path(config).read_text())["cluster"] for config in (SMALL, CONFIG)
    )
    for key in ("service_account", "user", "volumes", "config_maps", "config_map_volumes"):
        assert small[key] == large[key], key
    for key in ("secrets", "secret_volumes", "environment"):
        held = [{n: s.get(key) for n, s in config["steps"].items()} for config in (small, large)]
        assert held[0] == held[1], key


def test_a_step_that_only_computes_holds_no_secret_and_each_other_one_those_it_asks():
    steps = Steps(ClusterConfig.model_validate(yaml.safe_load(Path(CONFIG).read_text())["cluster"]))
    held: dict[str, set[str]] = {}
    for step in components.__all__:
        pod = steps.cluster.steps.get(step.replace("_", "-"), steps.cluster.default)
        held[step] = {key for keys in pod.secrets.values() for key in keys}
    objects, features = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}, {"features-password"}
    studies, governor = {"studies-password"}, {"governor-password"}
    reading = ["ingest_data", "evaluate_forecaster", "release_forecaster", "keep_forecaster",
               "forecast_demand"]  # fmt: skip
    assert {step: keys for step, keys in held.items() if keys} == {
        **dict.fromkeys(reading, objects),
        **dict.fromkeys(
            ["publish_features", "retrieve_training_set"], features | {"redis-password"}
        ),
        **dict.fromkeys(["open_sweep", "run_trials", "select_trial", "search_alone"], studies),
        **dict.fromkeys(["monitor_unreadable", "govern_retraining", "start_training"], governor),
        "monitor_drift": objects | governor,
    }


def test_only_the_step_that_needs_a_right_holds_its_token():
    holders = {
        name: [volume["secretName"] for volume in pod.get("secretAsVolume", [])]
        for name, (_, pod) in executors(compiled()).items()
    }
    assert {n.removesuffix("-2"): v for n, v in holders.items() if v} == {
        "train-forecaster": ["invopt-trainer-token"],
        "refit-forecaster": ["invopt-trainer-token"],
        "release-forecaster": ["invopt-deployer-token"],
        "keep-forecaster": ["invopt-deployer-token"],
    }


def test_the_steps_that_start_a_job_are_those_that_hold_the_trainer_s_token():
    sources = {p.stem.replace("_", "-"): p.read_text() for p in Path("components").glob("*.py")}
    training = {name for name, text in sources.items() if "serving.cluster.train_job" in text}
    steps = yaml.safe_load(Path(CONFIG).read_text())["cluster"]["steps"]
    holders = {n for n, s in steps.items() if "invopt-trainer-token" in s.get("secret_volumes", {})}
    assert training == holders


def test_every_name_the_configuration_refers_to_is_in_the_manifests():
    objects = build("base")
    cluster = yaml.safe_load(Path(CONFIG).read_text())["cluster"]
    assert cluster["service_account"] in of_kind(objects, "ServiceAccount")
    assert set(cluster["volumes"]) <= set(of_kind(objects, "PersistentVolumeClaim"))
    maps = of_kind(objects, "ConfigMap")
    assert set(cluster["config_map_volumes"]) <= set(maps)
    for name, keys in cluster["config_maps"].items():
        assert set(keys) == set(maps[name]["data"])
    tokens = of_kind(objects, "Secret")
    outside = {"invopt-stores", "invopt-object-store"}
    for pod in [cluster["default"], *cluster["steps"].values()]:
        assert set(pod.get("secret_volumes", {})) <= set(tokens)
        assert set(pod.get("secrets", {})) <= outside
        assert set(pod.get("environment", {}).values()) <= set(
            pod.get("secret_volumes", {}).values()
        )


def test_gpus_nodes_and_tolerations_reach_the_pod():
    gpu = (
        "cluster.steps.explain-forecaster={gpus: 1, gpu_type: amd.com/gpu, "
        "node_selector: {pool: gpu}, "
        "tolerations: [{key: nvidia.com/gpu, effect: NoSchedule}], timeout_seconds: 600}"
    )
    container, pod = executors(compiled("training", gpu))["explain-forecaster"]
    assert container["resources"]["accelerator"]["resourceCount"] == "1"
    assert container["resources"]["accelerator"]["resourceType"] == "amd.com/gpu"
    assert pod["nodeSelector"]["labels"] == {"pool": "gpu"}
    assert pod["tolerations"][0]["key"] == "nvidia.com/gpu"
    assert pod["activeDeadlineSeconds"] == "600"


def test_where_a_step_runs_does_not_change_its_cache_key():
    more = "cluster.steps.train-forecaster={memory: 64Gi}"
    one, two = (compiled("training", *o)[0] for o in ((), (more,)))
    assert one["root"]["inputDefinitions"] == two["root"]["inputDefinitions"]


def test_a_step_that_does_not_exist_is_refused(tmp_path, capsys):
    arguments = ["--config", CONFIG, "--set", "cluster.steps.trane={}"]
    assert main(["compile", "training", *arguments, "--out", str(tmp_path / "o.yaml")]) == 1
    assert "cluster.steps names trane" in capsys.readouterr().err


def test_preview_says_what_would_be_cached_and_why():
    def steps(*overrides):
        return compiled("training", *overrides, config="pipelines/configs/smoke.yaml")[0]

    first = steps()
    found = {s.name: s for s in preview(first, None)}
    assert (found["prepare-panel"].cache, found["prepare-panel"].why) == (
        "miss",
        "no run before this one",
    )
    found = {s.name: s for s in preview(first, first)}
    assert found["ingest-data"].cache == "never"
    assert found["prepare-panel"].cache == "hit"
    assert found["prepare-panel"].why == "if ingest-data returns the same"
    changed = steps("features.horizon=21", "features.patch=7")
    found = {s.name: s for s in preview(changed, first)}
    assert (found["prepare-panel"].cache, found["prepare-panel"].why) == (
        "miss",
        "features changed",
    )
    order = list(found)
    assert order.index("run-trials") < order.index("select-trial") < order.index("write-report")
    assert len(table(list(found.values())).splitlines()) == len(found) + 1


def test_preview_knows_what_the_steps_of_a_branch_depend_on():
    first = compiled("monitoring", config="pipelines/configs/smoke.yaml")[0]
    found = {s.name: s for s in preview(first, first)}
    assert found["prepare-panel"].why == "if ingest-data returns the same"
    assert found["prepare-panel"].cache == "hit"
    order = list(found)
    assert order.index("ingest-data") < order.index("monitor-unreadable")
    changed = compiled(
        "monitoring", "cleaning.outlier_window=14", config="pipelines/configs/smoke.yaml"
    )[0]
    found = {s.name: s for s in preview(changed, first)}
    assert found["prepare-panel"].why == "cleaning changed"


def test_preview_tells_steps_in_the_pipeline_s_order_and_twins_by_their_branch():
    training = [
        s.label
        for s in preview(compiled("training", config="pipelines/configs/smoke.yaml")[0], None)
    ]
    assert training[:8] == [
        "ingest-data", "prepare-panel", "publish-features", "open-sweep",
        "retrieve-training-set", "run-trials", "select-trial", "train-forecaster",
    ]  # fmt: skip
    assert training[-1] == "write-report"
    monitoring = compiled("monitoring", config="pipelines/configs/smoke.yaml")[0]
    labels = [s.label for s in preview(monitoring, None)]
    assert len(set(labels)) == len(labels)
    assert {"govern-retraining (read)", "govern-retraining (unreadable)"} <= set(labels)


def test_preview_tells_what_steps_took_the_last_time(tmp_path):
    run = tmp_path / "runs" / "training-1"
    run.mkdir(parents=True)
    package = compiled("training", config="pipelines/configs/smoke.yaml")[0]
    (run / "pipeline.yaml").write_text(yaml.safe_dump(package))
    (run / "run.log").write_text(
        "09:44:59.797 - INFO - Executing task 'ingest-data'\n1.5 s since the start\n"
        "a line of the step\n"
        "09:45:09.562 - INFO - Executing task 'prepare-panel'\n11.0 s since the start\n"
        "09:45:12.598 - INFO - Executing task 'publish-features'\n14.5 s since the start\n"
    )
    previous, seconds = last_compiled(tmp_path, "training")
    found = {s.name: s.seconds for s in preview(package, previous, seconds)}
    assert (found["ingest-data"], found["prepare-panel"]) == (9.5, 3.5)
    assert found["publish-features"] is None  # its end is not in the log


def test_preview_needs_no_run_and_starts_nothing(tmp_path, capsys):
    arguments = ["--config", CONFIG, "--workspace", str(tmp_path / "none")]
    assert main(["preview", "training", *arguments]) == 0
    out = capsys.readouterr().out
    assert "release-forecaster" in out
    assert "cpu 4, memory 16Gi" in out
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("override", "found"),
    [
        ("cpu=1", "1"),
        ("cpu=0.5", "0.5"),
        ("cpu=500m", "500m"),
        ("memory=8Gi", "8Gi"),
        ("environment={A: 1}", {"A": "1"}),
        ("environment={A: true}", {"A": "true"}),
        ("node_selector={pool: 7}", {"pool": "7"}),
    ],
)
def test_a_number_in_the_cluster_section_is_taken_as_kubernetes_writes_it(override, found):
    parameters = load_parameters(Path(CONFIG), [f"cluster.steps.prepare-panel.{override}"])
    pod = parameters.cluster.steps["prepare-panel"]
    assert getattr(pod, override.partition("=")[0]) == found


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("cpu=-1", 'processors are written "2", "0.5" or "500m", not "-1"'),
        ("cpu=0", 'not "0"'),
        ("cpu=two", 'not "two"'),
        ("memory=8", 'memory is a whole number with a unit, "4Gi" or "512Mi", not "8"'),
        ("memory=1.5Gi", 'not "1.5Gi"'),
        ("memory=8GB", 'not "8GB"'),
    ],
)
def test_what_kubernetes_would_refuse_or_misread_is_refused_before(override, said):
    with pytest.raises(ConfigError) as caught:
        load_parameters(Path(CONFIG), [f"cluster.default.{override}"])
    assert said in str(caught.value)


def test_a_pipeline_as_resources_names_its_version_by_content_and_keeps_kfp_s_own_limits(tmp_path):
    limits = ["--set", "cluster.keep_seconds=86400", "--set", "cluster.deadline_seconds=7200"]
    command = ["compile", "replenishment", "--config", "pipelines/configs/cluster.yaml", *limits]
    found = []
    for name in ("one.yaml", "two.yaml"):
        file = tmp_path / name
        assert main([*command, "--out", str(file), "--manifest", "--namespace", "shop"]) == 0
        found.append(list(yaml.safe_load_all(file.read_text())))
    pipeline, version = found[0]
    assert [pipeline["kind"], version["kind"]] == ["Pipeline", "PipelineVersion"]
    assert pipeline["metadata"] == {"name": "demand-forecaster-replenishment", "namespace": "shop"}
    assert version["spec"]["pipelineName"] == "demand-forecaster-replenishment"
    assert version["metadata"]["name"] == found[1][1]["metadata"]["name"]
    kept = version["spec"]["platformSpec"]["platforms"]["kubernetes"]["pipelineConfig"]
    assert kept == {"resourceTtlOnCompletion": 86400, "activeDeadlineSeconds": 7200}
