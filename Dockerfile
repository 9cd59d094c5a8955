# One recipe, two images.
#   job     every pipeline step: the library, kfp, Feast, MLflow, torch
#   server  decisions over KServe: ONNX Runtime and Feast, no torch, no kfp
# BASE is any image with Python 3.11 as python3 and its venv module; by default python:3.11-slim-bookworm
# (3.11.16, index of all platforms, Docker Hub's listing of 2026-09-21) by its digest, since a tag moves.
# `docker buildx imagetools inspect docker.io/library/python:3.11-slim-bookworm` tells the next one. pip's configuration (an own
# package index, say) comes as the secret `pip-config` and stays out of every layer.
# TORCH_INDEX_URL chooses torch's build: https://download.pytorch.org/whl/cpu or .../whl/cu130. Empty:
# what the package index has, with CUDA (4 GB more).
ARG BASE=docker.io/library/python@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b

FROM ${BASE} AS build
# Where the wheel has the packages of the platform (setup.py).
ENV PYTHONPATH=/opt/venv/lib/python3.11/site-packages/invopt/_platform
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PATH=/opt/venv/bin:$PATH VIRTUAL_ENV=/opt/venv \
    UV_NO_CACHE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
WORKDIR /src
RUN --mount=type=secret,id=pip-config,target=/etc/pip.conf \
    python3 -m venv /opt/venv && python3 -m venv /opt/uv && /opt/uv/bin/python3 -m pip install uv==0.13.9
# Dependencies come before the source, so that a changed source does not install them again.
COPY pyproject.toml constraints.txt README.md ./
COPY docker/install.sh docker/hashes.txt docker/
# An index that builds its own files of packages: --build-arg HASHES=
ARG HASHES=docker/hashes.txt
ENV HASHES=${HASHES}

FROM build AS build-job
ARG TORCH_INDEX_URL
RUN --mount=type=secret,id=pip-config,target=/etc/pip.conf \
    if [ -n "${TORCH_INDEX_URL}" ]; then \
      INDEX=${TORCH_INDEX_URL} sh docker/install.sh --no-deps torch; fi \
    && sh docker/install.sh -r pyproject.toml --extra all
COPY . .
RUN --mount=type=secret,id=pip-config,target=/etc/pip.conf \
    sh docker/install.sh --no-deps . && python3 docker/sbom.py /opt/venv/sbom.cdx.json \
    && sh docker/slim.sh /opt/venv

FROM build AS build-server
RUN --mount=type=secret,id=pip-config,target=/etc/pip.conf \
    sh docker/install.sh -r pyproject.toml --extra features --extra serving 'psycopg[binary]'
COPY . .
RUN --mount=type=secret,id=pip-config,target=/etc/pip.conf \
    sh docker/install.sh --no-deps . && python3 docker/sbom.py /opt/venv/sbom.cdx.json \
    && sh docker/slim.sh /opt/venv serving.__main__ serving.predictor serving.endpoint.http \
      serving.endpoint.decision_model serving.answers.decider serving.answers.loaded_model \
      serving.answers.skew serving.stores.online_features serving.stores.prediction_log \
      feast.feature_store feast.infra.online_stores.redis feast.infra.registry.sql psycopg

FROM ${BASE} AS run
# Pods run with a read-only root: all that programs write by default goes to /tmp.
ENV PYTHONPATH=/opt/venv/lib/python3.11/site-packages/invopt/_platform
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp \
    MPLCONFIGDIR=/tmp/matplotlib DO_NOT_TRACK=1 MLFLOW_DISABLE_TELEMETRY=true
WORKDIR /tmp
USER 10001:10001
ARG REVISION=unknown
LABEL org.opencontainers.image.title=invopt org.opencontainers.image.revision=${REVISION}

FROM run AS server
COPY --from=build-server /opt/venv /opt/venv
EXPOSE 8080 8081
ENTRYPOINT ["python3", "-m", "serving"]

FROM run AS job
COPY --from=build-job /opt/venv /opt/venv
