"""The whole loop against the cluster that KUBECONFIG names, by the commands a user gives.

`python -m tests.e2e [--short]`, or `make e2e [SHORT=1]`. k8s/README.md says what it needs.
"""
