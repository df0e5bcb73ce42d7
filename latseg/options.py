"""Options that several commands share, and the groups into which the options of a command are composed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from devices.registry import COMPILED_TARGETS, DEVICES
from foundation.errors import UserError
from graphs.data.registry import GRAPHS
from latseg.option_groups import one_of
from latseg.units import parse_latency_ms, parse_size
from search.evaluators.registry import EVALUATORS
from search.spaces.registry import SPACES
from search.strategies.registry import STRATEGIES
from segmentation.data.registry import SOURCES

if TYPE_CHECKING:
    from search.options import DataOptions, TrainingOptions

ThreadsOption = Annotated[
    int | None, typer.Option("--threads", min=1, help="Threads of the runtime; default: one.", show_default=False)
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1, help="Seed of every random choice.")]
IgnoredSeedOption = Annotated[int, typer.Option("--seed", help="Accepted and not used: nothing here is random.")]
RunSeedOption = Annotated[int, typer.Option("--seed", help="Accepted and not used: the seed of the run applies.")]
ModelArgument = Annotated[Path | None, typer.Argument(metavar="[MODEL.onnx]", help="An ONNX file.")]
ShapesOption = Annotated[
    list[str] | None, typer.Option("--shape", help="NAME=1x3x224x224: shape of an input with dynamic axes.")
]
InputsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--input", help="NAME=VALUE or FILE.npz: value of an input whose numbers decide sizes, such as ratio=0.5."
    ),
]
ClassesOption = Annotated[int, typer.Option("--classes", min=2, help="Number of classes.")]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Id of a run, as `latseg search` printed it.")]
WinnerOption = Annotated[
    str | None,
    typer.Option("--winner", "-w", help="Id of a winner (or of any trial) of the run; a known network needs none."),
]
TeacherOption = Annotated[
    str | None,
    typer.Option(
        "--teacher",
        metavar="FILE[:KEY=VALUE,...]",
        help="A segmentation net of yours as the teacher, e.g. net.onnx:size=512x512,person=15.",
    ),
]
UnlabelledOption = Annotated[
    str | None,
    typer.Option("--unlabelled", metavar="DIR", help="Photographs without masks, which the teacher labels."),
]
TrainingDeviceOption = Annotated[
    str | None,
    typer.Option(
        help="Where networks are trained: cpu for the processor, cuda[:NUMBER] for a GPU; default: cpu, or the run's."
    ),
]
ClusterOption = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="auto|HOST:PORT",
        help="A Ray cluster whose machines train the candidates; auto: the one of this machine.",
    ),
]
TensorboardOption = Annotated[
    Path | None,
    typer.Option("--tensorboard", metavar="DIR", help="Log trials, loss, learning rate and mean IoU for TensorBoard."),
]
WandbOption = Annotated[
    str | None,
    typer.Option("--wandb", metavar="PROJECT", help="As --tensorboard, in this project of Weights & Biases."),
]
OptunaStorageOption = Annotated[
    str | None,
    typer.Option(
        "--optuna-storage", metavar="URL", help="Write each trial there for optuna-dashboard, e.g. sqlite:///trials.db."
    ),
]


def input_words(shapes: list[str] | None, inputs: list[str] | None) -> list[str]:
    """``--shape`` and ``--input`` as they were given, for another command."""
    words = [word for shape in shapes or () for word in ("--shape", shape)]
    return words + [word for value in inputs or () for word in ("--input", value)]


def device_words(name: str, threads: int) -> list[str]:
    """The options that choose a device, for another command."""
    return ["--device", name, *(["--threads", str(threads)] if threads > 1 else [])]


def followed_words(tensorboard: Path | None, wandb: str | None, optuna_storage: str | None = None) -> list[str]:
    """The options of a command that continues and is followed again; a password is not shown."""
    storage = None if optuna_storage is None else re.sub(r"(?<=://)([^:/@]*):[^@]*@", r"\1:***@", optuna_storage)
    given = {"--tensorboard": tensorboard, "--wandb": wandb, "--optuna-storage": storage}
    return [word for option, value in given.items() if value is not None for word in (option, str(value))]


DEFAULT_DEVICE = "cpu"
_DEVICES = f"{one_of(DEVICES.names)}; ssh://HOST/NAME is one of another machine"


@dataclass(frozen=True, slots=True)
class DeviceOptions:
    """The device that a command uses."""

    device: Annotated[
        str,
        typer.Option("--device", "-d", help=f"{_DEVICES}; options follow a colon, as in cpu:threads=2."),
    ] = DEFAULT_DEVICE
    threads: ThreadsOption = None


@dataclass(frozen=True, slots=True)
class SpaceOptions:
    """The search space, and what it is restricted to."""

    space: Annotated[str, typer.Option("--space", help=f"{one_of(SPACES.names)}; options follow a colon.")] = "portrait"
    size: Annotated[
        list[str] | None,
        typer.Option("--size", help="Input HEIGHTxWIDTH, e.g. 160x128; may be repeated. Default: all."),
    ] = None
    no_resize: Annotated[
        bool, typer.Option("--no-resize", help="Only nets without a resize operator, for NPUs that lack it.")
    ] = False

    @property
    def text(self) -> str:
        """The space with its options, ``--no-resize`` among them: ``portrait:no_resize=true``."""
        return with_option(self.space, "no_resize=true") if self.no_resize else self.space


def with_option(text: str, option: str) -> str:
    """``NAME[:KEY=VALUE,...]`` with one option more."""
    return f"{text}{',' if ':' in text else ':'}{option}"


@dataclass(frozen=True, slots=True)
class DevicesOptions:
    """The devices that a command uses."""

    device: Annotated[
        list[str] | None,
        typer.Option("--device", "-d", help=f"{_DEVICES}; may be repeated. Default: cpu."),
    ] = None
    threads: ThreadsOption = None

    @property
    def names(self) -> list[str]:
        """In the order given; without ``--device`` it is ``cpu``."""
        return list(self.device or [DEFAULT_DEVICE])


@dataclass(frozen=True, slots=True)
class TargetsOptions(DevicesOptions):
    """The devices and compiled targets that a command asks."""

    device: Annotated[
        list[str] | None,
        typer.Option(
            "--device",
            "-d",
            help=f"{one_of((*DEVICES.names, *COMPILED_TARGETS.names))}; may be repeated. Default: cpu.",
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class LatencyOptions(DevicesOptions):
    """Latency limits, and the devices on which they hold."""

    max_latency: Annotated[
        list[str] | None,
        typer.Option("--max-latency", help="Hard limit with its unit, e.g. 8ms; one for each --device."),
    ] = None

    @property
    def latency_ms(self) -> dict[str, float]:
        """One limit for each device, in the order given; without ``--device`` it is ``cpu``.

        Raises:
            UserError: numbers of devices and limits differ, a unit is missing, or a limit is not positive.
        """
        names = self.names
        limits = [parse_latency_ms(text) for text in self.max_latency or ()]
        if len(names) != len(limits) or len(set(names)) < len(names):
            raise UserError(
                "--max-latency",
                seen=f"{len(limits)} limits for {len(names)} devices ({', '.join(names)})",
                expected="one limit for each --device",
                remedy="write for example --device cpu --max-latency 8ms",
            )
        return dict(zip(names, limits, strict=True))


@dataclass(frozen=True, slots=True)
class BudgetOptions(LatencyOptions):
    """Hard limits, and the devices on which they hold."""

    max_params: Annotated[str, typer.Option("--max-params", help="Hard limit on parameters, e.g. 0.4M.")] = "0.4M"


@dataclass(frozen=True, slots=True)
class SearchLimits(BudgetOptions):
    """All hard constraints of a search."""

    budgets: Annotated[
        str | None,
        typer.Option(
            "--budgets",
            metavar="TIME,...",
            help="Several limits on one device, e.g. 1ms,2ms,4ms, in the place of --max-latency.",
        ),
    ] = None
    portable: Annotated[
        str | None,
        typer.Option(
            "--portable",
            metavar="NAME,...",
            help=f"Only nets that these run, too: {one_of((*DEVICES.names, *COMPILED_TARGETS.names))}.",
        ),
    ] = None
    allow_fallback: Annotated[
        bool, typer.Option("--allow-fallback", help="With --portable: accept operators on another compute unit.")
    ] = False

    @property
    def budgets_ms(self) -> list[float]:
        """The limits of ``--budgets``.

        Raises:
            UserError: another limit beside them, more than one device, or a unit is missing.
        """
        texts = split_names([self.budgets or ""])
        if self.max_latency or len(self.names) > 1 or not texts:
            beside = " with --max-latency" if self.max_latency else ""
            raise UserError(
                "--budgets", seen=f"{self.budgets!r} for {', '.join(self.names)}{beside}",
                expected="several limits for one --device, without --max-latency",
                remedy="write for example --device cpu --budgets 2ms,4ms",
            )  # fmt: skip
        return [parse_latency_ms(text, option="--budgets") for text in texts]

    @property
    def portable_names(self) -> list[str]:
        """In the order given."""
        return split_names([self.portable] if self.portable else [])


@dataclass(frozen=True, slots=True)
class DataGroup:
    """The data of a search."""

    data: Annotated[
        str | None,
        typer.Option(
            help=f"{one_of(SOURCES.names)}; text follows a colon, as in folder:PATH. Graphs: {one_of(GRAPHS.names)}."
        ),
    ] = None
    data_size: Annotated[str, typer.Option(help="HEIGHTxWIDTH to which images are resized.")] = "256x256"
    data_count: Annotated[int | None, typer.Option(min=4, help="Use at most so many pairs.")] = None
    resize_masks: Annotated[
        bool, typer.Option("--resize-masks", help="Resize masks whose size is not that of their image.")
    ] = False

    def checked(self) -> DataOptions:
        """The group for the Python interface.

        Raises:
            UserError: no source, or a malformed size.
        """
        from search.options import DataOptions

        if self.data is None:
            raise UserError(
                "--data", seen="nothing", expected="a source of data", remedy="write for example --data synthetic"
            )
        size = parse_size(self.data_size, option="--data-size")
        return DataOptions(source=self.data, size=size, count=self.data_count, resize_masks=self.resize_masks)


@dataclass(frozen=True, slots=True)
class RecipeGroup:
    """How a network is trained."""

    teacher_epochs: Annotated[int, typer.Option(min=0, help="Epochs of a teacher that is trained first; 0: none.")] = 0
    training_size: Annotated[str | None, typer.Option(help="HEIGHTxWIDTH at which the teacher is trained.")] = None
    batch_size: Annotated[int, typer.Option(min=2, help="Images in a training step.")] = 8
    training_threads: Annotated[int, typer.Option(min=1, help="Threads of PyTorch.")] = 2
    training_device: TrainingDeviceOption = None
    teacher: TeacherOption = None
    unlabelled: UnlabelledOption = None
    scene_steps: Annotated[
        int, typer.Option(min=0, help="Training steps of a network on synthetic scenes of people, before the data.")
    ] = 1500
    from_scratch: Annotated[
        bool,
        typer.Option("--from-scratch", help="No weights that ship with latseg, no scenes: from random weights."),
    ] = False

    def checked(self) -> TrainingOptions:
        """The group for the Python interface.

        Raises:
            UserError: a malformed size.
        """
        from search.options import TrainingOptions

        size = parse_size(self.training_size, option="--training-size") if self.training_size else None
        values = asdict(self) | {"training_size": size}
        threads, pretrained = values.pop("training_threads"), not values.pop("from_scratch")
        device = values.pop("training_device")
        values |= {} if device is None else {"device": device}
        return TrainingOptions(threads=threads, pretrained=pretrained, **values)


@dataclass(frozen=True, slots=True)
class TrainingGroup(RecipeGroup):
    """How much is trained in a search."""

    supernet_steps: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Training steps of the supernet. Default: 1 with a shipped supernet, else 400.",
            show_default=False,
        ),
    ] = None
    winner_epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Epochs of `latseg train`. Default: 30, and more for few pairs: 36,000 pictures at least.",
            show_default=False,
        ),
    ] = None
    evaluation_images: Annotated[
        int, typer.Option(min=1, help="Validation images by which trained candidates are compared.")
    ] = 48


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How the search goes."""

    calibration_nets: Annotated[
        int,
        typer.Option(
            "--calibration-nets", "--near-budget", min=0, help="Random nets measured near each latency budget first."
        ),
    ] = 10
    strategy: Annotated[
        str,
        typer.Option(
            help=f"{one_of(STRATEGIES.names)}; options follow a colon, as in evolution:population=32. "
            "Several joined by | take turns."
        ),
    ] = "evolution"
    evaluator: Annotated[
        str | None,
        typer.Option(
            help=f"How nets are compared: {one_of(EVALUATORS.names)}. Default for portrait: pretrained.",
            show_default=False,
        ),
    ] = None
    supernet: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="Use the supernet, or the short trainings, of this earlier run."),
    ] = None
    trials: Annotated[
        int | None,
        typer.Option(min=1, help="Nets to evaluate. Default: 200; with pretrained 2000.", show_default=False),
    ] = None
    winners: Annotated[int, typer.Option(min=1, help="Winners to certify.")] = 1


def split_names(texts: Sequence[str]) -> list[str]:
    """Names that may be separated by commas, as the options of one of them are: ``qnn, openvino:threads=2``."""
    names: list[str] = []
    for part in map(str.strip, ",".join(texts).split(",")):
        if "=" in part and ":" not in part and names:
            names[-1] += f",{part}"
        elif part:
            names.append(part)
    return names
