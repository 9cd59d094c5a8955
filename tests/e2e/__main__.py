"""`python -m tests.e2e`: play the steps, print the table; 0 when nothing failed."""

import argparse
import sys

from invopt.errors import InvalidInputError
from tests.e2e.loop import steps as all_steps
from tests.e2e.report import Report
from tests.e2e.settings import Settings
from tests.e2e.world import World


def main(arguments: list[str] | None = None) -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e", description=__doc__)
    parser.add_argument("--short", action="store_true", help="without KFP, at most ten minutes")
    parser.add_argument(
        "--faults", action="store_true", help="the short form, and what goes wrong (k8s/README.md)"
    )
    parser.add_argument("--keep", action="store_true", help="leave the installation as it is")
    parser.add_argument("--only", metavar="STEP,…", help="look and these, on what was kept")
    parsed = parser.parse_args(arguments)
    try:
        settings = Settings.from_environment()
        world = World(settings, parsed.short or parsed.faults)
        steps = all_steps(world, parsed.faults)
        if parsed.only:
            world.kept = True
            names = {"look", *parsed.only.split(",")}
            unknown = names - {step.name for step in steps}
            if unknown:
                raise InvalidInputError(
                    f"there is no step {', '.join(sorted(unknown))}; there are "
                    f"{', '.join(step.name for step in steps)}."
                )
            steps = [step for step in steps if step.name in names]
        elif parsed.keep:
            steps = [step for step in steps if step.name != "uninstall"]
    except InvalidInputError as err:
        print(f"e2e: {err}", file=sys.stderr)
        return 1
    report = Report(settings.out, world.keep)
    try:
        report.play(steps)
    except KeyboardInterrupt:
        if not parsed.keep and not parsed.only:
            report.play([step for step in steps if step.always])
    finally:
        world.close()
        print(report.table())
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main())
