"""`omnigap-orchestrate verify`: do the made pictures and recordings still say their questions."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from omnigap_orchestrator.cli.options import DEFAULT_RUN, INTERRUPTED, NOT_WHOLE, friendly, split
from omnigap_orchestrator.cli.stored_run import stored_run_option

CONTENT_LOST = 1


@click.command()
@stored_run_option
@click.option("--fleet", type=click.Choice(["auto", "embedded", "static"]), help="Where the readers come from.")
@click.option("--image-reader", metavar="HOST:PORT", help="Who reads images, instead of [reader] endpoints.")
@click.option("--speech-reader", metavar="HOST:PORT", help="Who hears recordings, instead of the run's ASR scorer.")
@click.option("--modalities", default="speech,image", show_default=True, help="Which carriers are read.")
@click.option(
    "--max-word-error",
    type=click.FloatRange(0, 1),
    default=0.2,
    show_default=True,
    help="Word error up to which a reading counts as whole.",
)
@click.option("--quiet", "-q", is_flag=True, help="No progress, only notes and the result.")
@click.option("--json", "as_json", is_flag=True, help="The result as JSON on standard output.")
@click.pass_context
@friendly
def verify(ctx: click.Context, /, quiet: bool, as_json: bool, **flags: Any) -> None:
    """Read every made image back by OCR and every made recording by ASR, and mark what lost its content.

    What was read before is not read again; another reader adds its readings to those that are there. The report is
    written again with what was found, and `report --verified-only` keeps to the items of which all came back.
    Exit code 0: every carrier of --modalities was read and none lost its content; 1: some did, or an error; 3: some
    could not be read, or not by the reader that this call names; 130: interrupted.
    """
    from omnigap.vocabulary import Modality
    from omnigap_orchestrator.cli.progress import observer_for
    from omnigap_orchestrator.cli.verification_view import print_verification
    from omnigap_orchestrator.config.services import FleetKind
    from omnigap_orchestrator.extras.readback.drive import Choices
    from omnigap_orchestrator.pipeline.folder import RunFolder
    from omnigap_orchestrator.run import verify as read_back
    from omnigap_orchestrator.validation import check_endpoint

    folder = RunFolder(flags["run_dir"] or DEFAULT_RUN)
    modalities = split(flags["modalities"])
    if not modalities or any(name not in ("speech", "image") for name in modalities):
        raise click.BadParameter(f"{flags['modalities']!r} names other than speech, image", param_hint="--modalities")
    for reader in ("image_reader", "speech_reader"):
        for place in split(flags[reader]):
            try:
                check_endpoint(place)
            except ValueError as error:
                raise click.BadParameter(str(error), param_hint=f"--{reader.replace('_', '-')}") from None
    choices = Choices(
        fleet=FleetKind(flags["fleet"]) if flags["fleet"] else None,
        image_reader=split(flags["image_reader"]),
        speech_reader=split(flags["speech_reader"]),
        modalities=tuple(Modality(name) for name in modalities),
        max_word_error=flags["max_word_error"],
    )
    with observer_for(quiet=quiet or as_json) as observer:
        try:
            found = asyncio.run(read_back(folder, choices, observer))
        except KeyboardInterrupt:
            observer.note("interrupted; every reading is kept, and the same command goes on from here")
            ctx.exit(INTERRUPTED)
    totals = print_verification(found.table, folder, choices.modalities, as_json=as_json)
    ctx.exit(CONTENT_LOST if totals.lost else NOT_WHOLE if totals.unread or found.left else 0)
