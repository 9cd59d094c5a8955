"""Kubeflow Pipelines' API: its errors in one sentence, and a pipeline by its name."""

import contextlib
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from invopt.errors import InvalidInputError
from serving.cluster.kubernetes import refusal, unreachable


@contextmanager
def explained(host: str, doing: str) -> Iterator[None]:
    """Turn KFP's errors into one sentence, and keep its links off the terminal.

    Raises:
        InvalidInputError: Instead of them.
    """
    from kfp_server_api import (  # type: ignore[import-untyped]  # noqa: PLC0415
        ApiException,
    )
    from urllib3.exceptions import HTTPError  # noqa: PLC0415

    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    except ApiException as err:
        raise InvalidInputError(
            f"{doing} at {host} failed: {refusal(err.status, err.body, err.reason)}"
        ) from err
    except HTTPError as err:
        raise unreachable(f"{doing} at {host}", err) from err


def find_pipeline(client: Any, name: str, namespace: str | None) -> str | None:
    """Return the id of a pipeline, None when there is none of this name.

    Args:
        client: Of KFP.
        name: Shown one.
        namespace: In an installation of several users; None for pipelines that all share.
    """
    wanted = {"operation": "EQUALS", "key": "display_name", "stringValue": name}
    listing = client.list_pipelines(
        page_size=2, filter=json.dumps({"predicates": [wanted]}), namespace=namespace
    )
    found = listing.pipelines or []
    return str(found[0].pipeline_id) if found else None
