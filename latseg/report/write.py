"""Puts a run's report together from what the run and the store hold. Importing this module loads torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from export.bundle.manifest import read_manifest
from foundation.atomic_file import write_file
from foundation.errors import UserError
from latseg.curve_table import COLUMNS, curve_cells
from latseg.report.course_section import course_section
from latseg.report.data_section import data_section
from latseg.report.example_masks import example_strip
from latseg.report.held_out_section import held_out_sections
from latseg.report.page import Section, commands, html_table, image, page
from latseg.report.photographs import may_show
from latseg.report.predictor import predictor_sections
from latseg.report.search_section import search_section
from latseg.report.segmented_section import segmented_section
from latseg.report.teacher_section import teacher_section
from latseg.run_commands import search_command
from latseg.units import format_count
from latseg.workspace_folder import WorkspaceFolder, command_line
from search.analysis.run_log import log_of_run
from search.curve import curve_rows
from search.run_config import RunConfig
from search.run_context import RunContext
from search.shared_run import shared_folder, shared_run
from search.tasks.segmentation import SegmentationTask
from search.trial import Trial
from search.trials import TrialStore
from search.winners.selection import won


def write_report(
    context: RunContext,
    workspace: WorkspaceFolder,
    path: Path,
    *,
    photographs: bool = False,
    segmented: Path | None = None,
) -> None:
    """Writes the run's page.

    Args:
        context: the run.
        workspace: where the predictors are.
        path: the file.
        photographs: show masks on photographs, too; a report may be passed on, photographs often may not.
        segmented: folder that ``latseg segment`` wrote; its pictures are shown, whatever they are.

    Raises:
        UserError: the run has no trials yet, a file of the run or of ``segmented`` is damaged, or the page cannot be
            written.
    """
    with TrialStore(context.folder.trials, read_only=True) as store:
        trials, rejected, repaired = store.trials(), store.rejected(), store.repaired()
    if not trials:
        run = context.config.run
        remedy = f"continue it: `latseg search --resume {run}`"
        raise UserError(
            f"report of run {run}", seen="no trials", expected="a run that has evaluated nets", remedy=remedy
        )
    winners = won(trials)
    sections = [search_section(context.config, target, trials) for target in context.config.targets]
    if context.config.curve:
        sections.append(_curve_section(context))
    sections.append(_rejections_section(rejected, len(trials)))
    sections.append(course_section(log_of_run(context.config, context.folder, trials, rejected, repaired)))
    for target in context.config.targets:
        sections += predictor_sections(context, workspace, target, winners[:1])
    sections += data_section(context, photographs=photographs)
    if isinstance(context.task, SegmentationTask):
        sections.append(teacher_section(context, photographs=photographs))
    sections += _winner_sections(context, winners[:1], photographs=photographs)
    if segmented is not None:
        sections.append(segmented_section(segmented, shared_run(context.config).data))
    sections.append(_reproduction_section(context.config, workspace, winners))
    html = page(
        f"latseg run {context.config.run}",
        _lead(context.config, winners) + _after_training(context, winners[:1]),
        sections,
        footer=_footer(shared_run(context.config)),
        simulated=context.config.simulated,
    )
    try:
        write_file(path, html.encode())
    except OSError as error:
        raise UserError(
            "report", seen=f"{path} ({error.strerror or error})", expected="a file that can be written",
            remedy="name another one with --output FILE",
        ) from error  # fmt: skip


def _lead(config: RunConfig, winners: Sequence[Trial]) -> str:
    budgets = " and ".join(f"{target.maximum_ms:g} ms on {target.device}" for target in config.targets)
    limits = f"Limits: at most {budgets}, at most {format_count(config.max_parameters)} parameters. "
    if not winners:
        return limits + "No net was certified."
    best = winners[0]
    measured = " and ".join(f"{ms:.3f} ms on {name}" for name, ms in best.measured_ms.items())
    kind = "Certified winner" if best.certified else "Best net (simulated, not certified)"
    return limits + (
        f"{kind} {best.id}: {measured} measured, {format_count(best.parameters)} parameters, "
        f"quality {100 * best.quality:.1f} % as the search estimated it."
    )


def _after_training(context: RunContext, winners: Sequence[Trial]) -> str:
    """Quality after full training and budgets that are not certified, from the winner's bundle."""
    for winner in winners:
        bundle = context.folder.bundle(winner.id)
        if bundle.is_dir():
            manifest = read_manifest(bundle)
            qualities = ", ".join(f"{each.metric} {100 * each.value:.1f} %" for each in manifest.quality)
            trained = f" After full training: {qualities} ({manifest.quality[0].data})." if qualities else ""
            refused = "; ".join(manifest.refusals)
            return trained + (f" The exported file is NOT certified: {refused}." if refused else "")
    return ""


def _curve_section(context: RunContext) -> Section:
    rows = curve_rows(context.folder.path.parent, context.config)
    lead = (
        f"The best networks within each budget of {context.config.targets[0].device}, as far as the runs of this "
        "search have come. A network of a smaller budget counts for the larger ones, too."
    )
    return Section("The curve over the budgets", lead, html_table(COLUMNS, curve_cells(rows)))


def _rejections_section(rejected: Any, evaluated: int) -> Section:
    rows = [(name, count) for name, count in rejected.items()]
    body = html_table(("constraint broken", "candidates"), rows) if rows else "<p>None.</p>"
    lead = f"Candidates that broke a hard limit were repaired or dropped untrained; {evaluated:,} were evaluated."
    return Section("What the limits ruled out", lead, body)


def _winner_sections(context: RunContext, winners: Sequence[Trial], *, photographs: bool) -> list[Section]:
    """How the trained winner does on pictures; none for other tasks."""
    if not winners or not context.folder.training(winners[0].id).exists():
        return []
    if not isinstance(context.task, SegmentationTask):
        return []
    sections = held_out_sections(context, winners[0], photographs=photographs)
    return sections if sections[0].body else [*sections, _example_section(context, winners[0], photographs=photographs)]


def _example_section(context: RunContext, winner: Trial, *, photographs: bool) -> Section:
    if not may_show(context.config, photographs=photographs):
        note = "Photographs are left out, because a report may be passed on; --photographs includes them."
        return Section("Example masks", note, "")
    strips = example_strip(context, winner)
    lead = "Validation images: the image, its true mask, and the mask of the winner after its full training."
    body = '<div class="examples">' + "".join(image(png, caption) for png, caption in strips) + "</div>"
    return Section("Example masks", lead, body)


def _reproduction_section(config: RunConfig, workspace: WorkspaceFolder, winners: Sequence[Trial]) -> Section:
    root = shared_folder(workspace.root)
    lines = [search_command(shared_run(config), root)]
    for winner in winners[:1]:
        lines += [command_line(root, command, config.run, "--winner", winner.id) for command in ("train", "export")]
    lead = "The command lines of this run and of the steps after it, with folders by their names."
    return Section("Commands", lead, commands(lines))


def _footer(config: RunConfig) -> str:
    devices = "; ".join(
        f"{t.device}: {t.hardware}, {t.runtime} {t.runtime_version}, {t.threads} thread{'s' if t.threads > 1 else ''}"
        for t in config.targets
    )
    return f"{devices}. Data: {config.data}. Started {config.created}. latseg {config.versions.get('latseg', '')}."
