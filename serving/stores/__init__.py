"""What outlives a process: features, registry, models, snapshots, logs, plans.

The memory of the governor is here too; what it decides is in `invopt.monitoring`.
"""
