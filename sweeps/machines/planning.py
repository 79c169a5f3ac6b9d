"""What `sweeps plan` finds out of a spec: its trials, and what they will take on this machine."""

import logging

from iwae.errors import SweepError
from sweeps.execution.data_sets import refuse_missing_files, surprises
from sweeps.execution.display import Display
from sweeps.execution.pacing import fitted
from sweeps.execution.pacing import forecast as with_forecast_epochs
from sweeps.execution.probing import probed_here
from sweeps.machines import machine
from sweeps.machines.admission import largest_trial
from sweeps.machines.local_ray import local_cpus
from sweeps.plan.forecast import Forecast, seconds_scale
from sweeps.plan.kinds import kinds
from sweeps.plan.outlook import Planned, outlook, places_of
from sweeps.plan.plan import draw_plan
from sweeps.spec.spec import SweepSpec
from tracking.files.files import Files

_log = logging.getLogger(__name__)


def planned(spec: SweepSpec, files: Files, display: Display, *, probe: bool = True) -> Planned:
    """The trials of a spec, and what they will take here.

    Args:
        spec: of the sweep.
        files: the storage, whose trials tell seconds where nothing was probed.
        display: shows that steps are measured.
        probe: measure shapes that are not known on this machine.

    Raises:
        DataError: the file of an npz set is missing or malformed, or does not suit its model.
        ConfigError: a trial takes more memory than there is.
    """
    drawn = draw_plan(with_forecast_epochs(spec))
    refuse_missing_files(drawn, spec)
    remarks = surprises(drawn, spec)
    largest = largest_trial(spec)
    shapes, forecast = kinds(spec), None
    if probe and _is_there(spec):
        try:
            probed = probed_here(shapes, spec.resources, display)
        except SweepError as error:
            _log.info(str(error))
        else:
            forecast = Forecast(probed) if probed else None
            spec = fitted(spec, probed) if len(probed) == len(shapes) else spec
    spec = with_forecast_epochs(spec)
    shapes = kinds(spec)
    if forecast is None and (scale := seconds_scale(files, spec)) is not None:
        forecast = Forecast(scale=scale)
    trials = draw_plan(spec)
    if forecast is None:
        return Planned(spec, trials, shapes, None, remarks)
    places = places_of(spec.resources, local_cpus(spec.resources, largest)[0], machine.gpus())
    return Planned(spec, trials, shapes, outlook(spec, trials, forecast, places), remarks)


def _is_there(spec: SweepSpec) -> bool:
    """Whether this machine has what a trial needs."""
    resources = spec.resources
    return resources.cpus <= machine.cpus().most and resources.gpus <= machine.gpus()
