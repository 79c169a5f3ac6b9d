"""What a model makes of items, as arrays for others to draw. Test items are shown, never measured."""

from iwae.evaluation.pictures.pictures import pictures as pictures
