"""The folder of a model of parts: a main model, candidates beside it, who forecasts what."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from invopt.assessment import CHALLENGER
from invopt.challenger import write_candidates
from invopt.config import Config
from invopt.files import read_json, replacing_folder, write_json
from invopt.history import fit_config
from invopt.model_files import BASELINES, COMPOSED_VERSION, HEAD, JUDGED, PARTS
from invopt.panel import load_panel
from invopt.parts import Parts, part_folder
from invopt.types import Json, Notify

NETWORK_PART = "network"  # the challenger, where a baseline is the main model
_SERVED = ("model.onnx", HEAD, "features.json", "training.json", "reference.npz")


def rules_folder(assessment: Path, main: str) -> Path:
    """Return where an assessment keeps the rules of the model of parts around a candidate."""
    return assessment / PARTS / main.replace(" ", "-")


def model_to_register(files: Mapping[str, str], config: Config, out: str, notify: Notify) -> str:
    """Return the folder of a promoted challenger to register: with parts where it was judged so.

    Args:
        files: Paths of model, source (the training set), verdict and assessment.
        config: Of the run.
        out: Folder to write, where there are parts.
        notify: Called with lines of progress.
    """
    if not read_json(files["verdict"]).get("parts"):
        return files["model"]
    with replacing_folder(Path(out)) as folder:
        shutil.copytree(files["model"], folder, dirs_exist_ok=True)
        model, assessment = Path(files["model"]), Path(files["assessment"])
        compose_model(
            folder, CHALLENGER, assessment, network=model, source=files["source"],
            config=config, notify=notify,
        )  # fmt: skip
    return out


def compose_model(
    folder: Path,
    main: str,
    assessment: Path,
    network: Path,
    source: str,
    config: Config,
    notify: Notify,
) -> None:
    """Make a model's folder that of a model of parts.

    Candidates go into it as they were judged. Where the main model was fitted once more on every
    period, they are too, and what was judged of them goes where it keeps what was judged of it; the
    network, where it is but a part, stays as it was judged.

    Args:
        folder: Of the main model, complete; it is added to.
        main: Name of it among the candidates.
        assessment: Folder with the rules and the candidates.
        network: Folder of the challenger as it was judged.
        source: The panel.
        config: Of the run.
        notify: Called with lines of progress.
    """
    rules = Parts.read(rules_folder(assessment, main))
    known: Json = read_json(assessment / "metrics.json")["baselines"]
    names = {known[name]["folder"]: name for name in known}
    judged = {n: network if n == NETWORK_PART else assessment / BASELINES / n for n in rules.names}
    refitted = judged
    if (folder / JUDGED).is_dir():
        _put(folder / JUDGED, rules, judged)
        wanted = {names[name]: name for name in rules.names if name in names}
        refitted = judged | _refitted(folder / BASELINES, wanted, source, config, notify)
    _put(folder, rules, refitted)
    shutil.rmtree(folder / BASELINES, ignore_errors=True)
    notify(f"model of {1 + len(rules.names)} parts: {', '.join(rules.names)} beside its main model")


def _refitted(
    scratch: Path, wanted: Mapping[str, str], source: str, config: Config, notify: Notify
) -> dict[str, Path]:
    """Return folders of candidates fitted on every period, by the name of the part."""
    if not wanted:
        return {}
    panel = load_panel(Path(source))
    run, _ = fit_config(config, panel.timeline)
    made = write_candidates(
        panel, run, panel.num_periods, scratch, names=list(wanted), notify=notify
    )
    return {wanted[name]: path for name, path in made.items()}


def _put(folder: Path, rules: Parts, parts: Mapping[str, Path]) -> None:
    """Write rules and parts into the folder of a main model, which is of another format then."""
    for name, path in parts.items():
        place = part_folder(folder, name)
        place.mkdir(parents=True)
        for file in _SERVED:
            if (path / file).is_file():
                shutil.copy2(path / file, place / file)
    rules.save(folder)
    write_json(folder / HEAD, read_json(folder / HEAD) | {"format": COMPOSED_VERSION})
