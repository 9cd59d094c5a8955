"""What closes the loop: release, rollback, retraining, sweeps, data checks, and the reasons why."""
