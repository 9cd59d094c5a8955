"""Kubernetes, Kubeflow Pipelines, KServe and Trainer as this project talks to them."""
