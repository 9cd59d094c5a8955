"""A trained model: networks, what they need to read a panel, and how forecasts leave it."""

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from invopt.config import ModelConfig
from invopt.features import EncodedPanel, FeatureEncoder, FeatureSpec, model_inputs
from invopt.files import replacing_folder
from invopt.forecasts import ForecastArrays
from invopt.model.calibration import Calibration, Maps, Sums, learn_maps
from invopt.model.network import DemandNetwork, NetworkSizes
from invopt.model.own_past import STATE
from invopt.model_files import FORMAT_VERSION, HEAD, read_head
from invopt.panel import Panel

_AS_THEY_ARE = Maps()


class Average(nn.Module):
    """The average of several networks, in model units.

    Averaging quantiles level by level (Vincentisation) keeps them in order.

    Args:
        members: Networks of the same sizes.
    """

    def __init__(self, members: list[DemandNetwork]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return mean (B, H), quantiles (B, H, Q) and levels (B, H, Q)."""
        outputs = [member(*inputs) for member in self.members]
        mean, quantiles, levels = (torch.stack(o).mean(dim=0) for o in zip(*outputs, strict=True))
        return mean, quantiles, levels


class Ensemble(nn.Module):
    """The average of several networks, calibrated, in units of the data.

    Args:
        members: Networks of the same sizes.
        unit: Units of the data per model unit.
        is_count: True when quantiles are of jittered counts.
        maps: Of the quantiles.
    """

    def __init__(
        self,
        members: list[DemandNetwork],
        unit: float,
        *,
        is_count: bool,
        maps: Maps = _AS_THEY_ARE,
    ) -> None:
        super().__init__()
        self.average = Average(members)
        self.calibration = None if maps.quantiles is None else Calibration(maps.quantiles)
        self.sums = None if maps.sums is None else Sums(maps.sums)
        self.unit, self.shift = unit, 0.5 if is_count else 0.0

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return mean (B, H), quantiles (B, H, Q) and levels (B, H, Q) in units."""
        mean, quantiles, levels = self.average(*inputs)
        if self.calibration is not None:
            quantiles = self.calibration(mean, quantiles)
        if self.sums is not None:
            levels = self.sums(mean, levels)
        # Half the jitter off: rounding to the nearest unit then gives the count's own quantile.
        return (
            mean * self.unit,
            (quantiles - self.shift) * self.unit,
            (levels - self.shift) * self.unit,
        )


class Forecaster:
    """Forecasts panels with trained networks.

    Args:
        spec: How panels are read.
        config: Of the networks.
        members: Trained networks.
        maps: That calibrate quantiles.
    """

    def __init__(
        self,
        spec: FeatureSpec,
        config: ModelConfig,
        members: list[DemandNetwork],
        maps: Maps = _AS_THEY_ARE,
    ) -> None:
        self.spec, self.config, self.maps = spec, config, maps
        self.ensemble = Ensemble(members, spec.unit, is_count=spec.is_count, maps=maps).eval()

    @property
    def members(self) -> list[DemandNetwork]:
        """The networks."""
        return list(self.ensemble.average.members)  # type: ignore[arg-type]

    def predict(
        self, panel: Panel, cutoff: int | None = None, *, batch_size: int = 1024
    ) -> ForecastArrays:
        """Return forecasts of every series as it was known after period `cutoff`.

        Args:
            panel: Cleaned, with derived channels.
            cutoff: Last known period; the panel's last by default. Later sales are not looked
                at; channels known ahead are.
            batch_size: Series per pass.
        """
        cutoff = panel.num_periods - 1 if cutoff is None else cutoff
        encoded = FeatureEncoder(self.spec).encode(panel.truncate(cutoff + 1))
        return self.predict_encoded(encoded, cutoff, batch_size=batch_size)

    @torch.inference_mode()
    def predict_encoded(
        self, encoded: EncodedPanel, cutoff: int, *, batch_size: int = 1024
    ) -> ForecastArrays:
        """Return forecasts of an encoded panel; see predict."""
        num_series = len(encoded.static_ids)
        device = next(self.ensemble.parameters()).device
        parts: list[tuple[Tensor, ...]] = []
        for first in range(0, num_series, batch_size):
            rows = np.arange(first, min(first + batch_size, num_series))
            inputs = model_inputs(self.spec, encoded, rows, np.full(len(rows), cutoff))
            found = self.ensemble(*(torch.from_numpy(a).to(device) for a in inputs))
            parts.append(tuple(part.cpu() for part in found))
        mean, quantiles, levels = (torch.cat(p).numpy() for p in zip(*parts, strict=True))
        return ForecastArrays(
            mean, quantiles, levels, self.config.quantile_levels, self.config.level_quantiles,
            is_count=self.spec.is_count,
        )  # fmt: skip

    def save(self, path: Path) -> None:
        """Write the model as a folder of JSON and arrays; nothing in it is pickled."""
        with replacing_folder(path) as folder:
            self.spec.save(folder / "features.json")
            head = {"format": FORMAT_VERSION, "model": self.config.model_dump(mode="json")}
            (folder / HEAD).write_text(json.dumps(head, indent=1))
            self.maps.save(folder)
            for number, member in enumerate(self.members):
                arrays = {k: v.cpu().numpy() for k, v in member.state_dict().items()}
                np.savez(folder / f"member-{number:02d}.npz", **arrays)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path) -> "Forecaster":
        """Read a folder written by save.

        Raises:
            ContractError: If it is no model, or of another format.
        """
        head = read_head(path)
        spec = FeatureSpec.load(path / "features.json")
        config = ModelConfig.model_validate(head["model"])
        members = [_load_member(p, spec, config) for p in sorted(path.glob("member-*.npz"))]
        return cls(spec, config, members, Maps.load(path))

    def calibrated(self, encoded: EncodedPanel) -> "Forecaster":
        """Return the forecaster with its quantiles at the levels they hold in its training range.

        Args:
            encoded: The periods it was trained on.
        """
        levels, sums = self.config.quantile_levels, self.config.level_quantiles
        maps = learn_maps(self.ensemble.average, self.spec, encoded, levels, sums)
        return Forecaster(self.spec, self.config, self.members, maps)


def _load_member(path: Path, spec: FeatureSpec, config: ModelConfig) -> DemandNetwork:
    network = DemandNetwork(NetworkSizes.of(spec), config)
    with np.load(path, allow_pickle=False) as arrays:
        state = {k: torch.from_numpy(arrays[k]) for k in arrays.files}
    # A folder of before own pasts were looked at has none.
    state.setdefault(f"trunk.{STATE}", network.trunk.own.get_extra_state())
    network.load_state_dict(state)
    return network
