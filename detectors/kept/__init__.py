"""What is kept between detections, so that the next one need not work everything out again.

A cache and nothing else: it may be deleted at any moment. Every result in it says from which
facts it came, and is taken over only for what came from the same: for the rest, and wherever
anything does not fit, the same functions work it out anew. So a detection with it and one
without give the same result, bit for bit.
"""

from detectors.kept.folder import NOTHING_KEPT, Kept

__all__ = ["NOTHING_KEPT", "Kept"]
