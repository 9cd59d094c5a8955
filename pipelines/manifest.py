"""A pipeline as KFP's custom resources, for those who keep their cluster in git."""

import importlib
from pathlib import Path

from pipelines.launch import compile_pipeline
from pipelines.parameters import Parameters
from pipelines.submit import version_name


def compile_manifest(
    pipeline: str, parameters: Parameters, out: Path, namespace: str | None
) -> None:
    """Write a Pipeline and a PipelineVersion.

    The version is named by code and content, as `submit` names it: applied again, nothing changes.

    Args:
        pipeline: Name.
        parameters: Its defaults.
        out: File to write.
        namespace: Of both resources, None to leave it to whoever applies them.
    """
    from kfp import compiler  # noqa: PLC0415  (a second of import)

    compile_pipeline(pipeline, parameters, out)
    name = f"{parameters.typed.name}-{pipeline}"
    version = version_name(out.read_text(), parameters.code_version)
    options = compiler.KubernetesManifestOptions(
        pipeline_name=name,
        pipeline_version_name=f"{name}-{version}",
        pipeline_version_display_name=version,
        namespace=namespace,
        include_pipeline_manifest=True,
    )
    compiler.Compiler().compile(
        importlib.import_module(f"pipelines.{pipeline}").build(parameters),
        str(out),
        kubernetes_manifest_options=options,
        kubernetes_manifest_format=True,
    )
