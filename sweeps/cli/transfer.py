"""The commands that bring data in and take results out: import, export, bundle, open."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from sweeps.cli.app import (
    DATA,
    REPRODUCE,
    Json,
    Name,
    Storage,
    TrackingUri,
    app,
    err,
    on_terminal,
    out,
    print_json,
)


@app.command("import", rich_help_panel=DATA)
def import_(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE",
            help="An .npy, .npz, .csv, .tsv or .parquet file, or a folder of images in which folders are"
            " classes, and train, validation and test splits.",
        ),
    ],
    out_file: Annotated[Path, typer.Option("--out", metavar="FILE", help="The .npz file to write.")],
    label: Annotated[
        str | None, typer.Option(metavar="NAME", help="The column (or array) of the labels.")
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The column (or array) of the groups: none comes into two splits."),
    ] = None,
    attribute: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A column of what a conditional model is told in place of a class; may be repeated.",
        ),
    ] = None,
    split: Annotated[
        str | None, typer.Option(metavar="NAME", help="The column that says train, validation or test.")
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A column (or array) that is left out; may be repeated."),
    ] = None,
    array: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROLE=NAME",
            help="Of an .npz file: the array of the `items`, or of `train`, `train_labels`, `test`, ...;"
            " may be repeated.",
        ),
    ] = None,
    kept_as: Annotated[
        Literal["binary", "bytes", "floats"] | None,
        typer.Option("--as", help="What the numbers are, where the source does not say."),
    ] = None,
    header: Annotated[
        bool | None, typer.Option("--header/--no-header", help="Whether a table's first line holds names.")
    ] = None,
    channels: Annotated[
        Literal["first", "last"] | None, typer.Option(help="Which axis of images in an array holds channels.")
    ] = None,
    shape: Annotated[
        str | None,
        typer.Option(metavar="HxW[xC]", help="Of images whose pixels are the columns: 28x28, 32x32x3."),
    ] = None,
    resize: Annotated[
        str | None, typer.Option(metavar="HxW", help="Bring the images of a folder to this size.")
    ] = None,
    drop_missing: Annotated[
        bool, typer.Option("--drop-missing", help="Leave out items with NaN, infinity or without a label.")
    ] = False,
    drop_constant: Annotated[
        bool,
        typer.Option("--drop-constant", help="Leave out features that are the same in all training items."),
    ] = False,
    validation: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Validation items: a share (0.1) or a number (1000).")
    ] = None,
    test: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Test items: a share (0.2) or a number (1000).")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the items drawn for validation and test.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    json: Json = False,
) -> None:
    """Make a data set of your own files: read, checked, split by a seed, written as one .npz file.

    A source that has splits keeps them; what it lacks of validation (a tenth) and test (a fifth) is drawn.
    """
    from sweeps.importing.importing import import_data
    from sweeps.importing.source import Reading, height_and_width, image_shape, roles
    from sweeps.importing.split import Size
    from sweeps.screen.imported import show_imported

    reading = Reading(
        label=label,
        group=group,
        attribute=tuple(attribute or ()),
        split=split,
        arrays=roles(array or []),
        drop=tuple(drop or ()),
        header=header,
        channels=channels,
        shape=None if shape is None else image_shape(shape),
        resize=None if resize is None else height_and_width(resize),
        kept_as=kept_as,
        drop_missing=drop_missing,
        drop_constant=drop_constant,
    )
    told = {"validation": validation, "test": test}
    sizes = {name: Size.parse(text, f"--{name}") for name, text in told.items() if text is not None}
    with err.status(f"importing {source}"):
        found = import_data(source, out_file, reading, sizes=sizes, seed=seed, force=force)
    if json:
        print_json(found.to_dict())
    show_imported(found, str(source), err if json else out)


@app.command(rich_help_panel=DATA)
def export(
    run_id: Annotated[str, typer.Argument(metavar="RUN_ID", help="A complete trial's run in MLflow.")],
    embeddings: Annotated[
        bool, typer.Option("--embeddings", help="Mean and standard deviation of each latent unit.")
    ] = False,
    nll: Annotated[bool, typer.Option("--nll", help="The NLL of each item, in nats.")] = False,
    num_samples: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="K",
            show_default=False,
            help="Importance samples of the NLLs. Default: those of the run's final evaluation.",
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", show_default=False, help="Default: export-RUN_ID in this folder."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    tracking_uri: TrackingUri = None,
    storage: Storage = None,
    json: Json = False,
) -> None:
    """Write what a trained model says of each item of its data: train, validation and test as Parquet."""
    from sweeps.launch import export as export_run
    from sweeps.screen.results import show_exported

    with err.status("reading the record") as status:
        written = export_run(
            run_id,
            folder or f"export-{run_id}",
            embeddings=embeddings,
            nll=nll,
            num_samples=num_samples,
            force=force,
            storage=storage,
            tracking_uri=tracking_uri,
            progress=lambda what, fraction: status.update(f"{what} {fraction:.0%}" if fraction else what),
        )
    if json:
        print_json(written.to_dict())
    else:
        show_exported(written, out)


@app.command(rich_help_panel=REPRODUCE)
def bundle(
    name: Name,
    file: Annotated[Path, typer.Option("--out", metavar="FILE", help="The file to write, a zip.")],
    with_data: Annotated[bool, typer.Option("--with-data", help="Put the data sets in too.")] = False,
    storage: Storage = None,
    json: Json = False,
) -> None:
    """Write a sweep into one file: spec, plan, records, weights, provenance. `sweeps open` unpacks it."""
    from sweeps.launch import open as open_sweep

    with err.status(f"bundling {name}"):
        sweep = open_sweep(name, storage=storage, show=on_terminal)
        written = sweep.bundle(file, with_data=with_data)
    if json:
        print_json({"name": name, "path": str(written.path), "sha256": written.sha256, "bytes": written.size})
        return
    out.print(written.path, soft_wrap=True, highlight=False)
    data = f", {written.data} data files with it" if with_data else ""
    err.print(f"{written.size / 1e6:.1f} MB{data}; SHA-256 {written.sha256}", soft_wrap=True, highlight=False)
    err.print(f"elsewhere: sweeps open {written.path.name}", soft_wrap=True, highlight=False)


@app.command("open", rich_help_panel=REPRODUCE)
def open_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `sweeps bundle` wrote.")],
    tracking_uri: TrackingUri = None,
    storage: Storage = None,
    json: Json = False,
) -> None:
    """Unpack a bundle into storage and a tracking store here; then every command knows its sweep."""
    from sweeps.launch import open_bundle

    with err.status(f"opening {file.name}"):
        sweep = open_bundle(file, storage=storage, tracking_uri=tracking_uri, show=on_terminal)
    name, where = sweep.name, sweep.store.tracking_uri
    if json:
        print_json({"name": name, "storage": sweep.storage.files.uri, "tracking_uri": where})
        return
    trials = ", ".join(f"{number} {state}" for state, number in sweep.record().counts.items())
    out.print(f"{name}: {trials}; files in {sweep.storage.uri}, runs in {where}", soft_wrap=True)
    out.print(f"look at it: sweeps verify {name}; sweeps ui {name}; sweeps reproduce --best {name}")
