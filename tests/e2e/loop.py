"""The steps in order, of either form."""

from functools import partial

from tests.e2e import closing, faults, opening, planning, rollouts, short, whole
from tests.e2e.report import Step
from tests.e2e.world import World


def steps(world: World, with_faults: bool = False) -> list[Step]:
    """Return the steps; each names those that must be ok before it.

    Args:
        world: Of this run.
        with_faults: Whether to play the faults of k8s/README too, in the short form.
    """
    first = [
        Step("look", partial(opening.look, world)),
        Step("install", partial(opening.install, world), ("look",)),
        Step("first apply", partial(opening.first_apply, world), ("install",)),
        Step("data", partial(opening.data, world), ("install",)),
    ]
    rolling = [
        Step("promotion", partial(rollouts.promotion, world), ("canary",)),
        Step("rollback", partial(rollouts.rollback, world), ("promotion",)),
        Step("requests", partial(rollouts.requests, world), ("training",)),
        Step("corrupt model", partial(rollouts.corrupt_model, world), ("training",)),
        Step(
            "terminated training", partial(rollouts.terminated_training, world), ("two machines",)
        ),
        Step("terminated rollout", partial(rollouts.terminated_rollout, world), ("canary",)),
    ]
    last = [
        Step("backup and restore", partial(closing.backup, world), ("training",)),
        Step("audit", partial(closing.audit, world), ("install",)),
        Step("uninstall", partial(closing.uninstall, world), always=True),
    ]
    if world.short:
        fault = Step("first version fails", partial(faults.first_version, world), ("two machines",))
        first_fault = [fault] if with_faults else []
        return [
            *first,
            Step("two machines", partial(short.train_in_a_pod, world), ("data",)),
            *first_fault,
            Step("training", partial(short.first_model, world), ("two machines",)),
            Step("canary", partial(short.canary, world), ("training",)),
            *rolling,
            *(faults.steps(world) if with_faults else ()),
            *last,
        ]
    return [
        *first,
        Step("training", partial(whole.training, world), ("data",)),
        Step("failed run", partial(whole.failed_run, world), ("data",)),
        Step("replenishment", partial(whole.replenishment, world), ("training",)),
        Step("planners", partial(planning.workbench, world), ("replenishment",)),
        Step("two machines", partial(whole.two_machines, world), ("training",)),
        Step("canary", partial(whole.canary_of_run, world), ("two machines",)),
        *rolling,
        Step("monitoring", partial(whole.monitoring, world), ("training",)),
        Step("retraining", partial(whole.retraining, world), ("monitoring",)),
        Step("cron", partial(whole.cron, world), ("training",)),
        Step("why", partial(whole.why, world), ("monitoring",)),
        Step("parts", partial(whole.parts, world), ("replenishment",)),
        *last,
    ]
