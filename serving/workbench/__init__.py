"""The planner's workbench: what its page may ask and do, and how that is told over HTTP."""
