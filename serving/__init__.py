"""The KServe edge, the model registry and the feature store: everything that runs as a service."""
