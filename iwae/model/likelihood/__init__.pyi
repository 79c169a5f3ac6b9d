from .build import build_likelihood as build_likelihood
from .likelihood import Likelihood as Likelihood
from .statistics import PixelStatistics as PixelStatistics
from .statistics import pixel_statistics as pixel_statistics
