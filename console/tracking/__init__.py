"""Tracking of a Celery application: `from console.tracking import track; track(app)`.

Light on purpose: needs msgpack, redis and Celery, nothing of the web console.
"""

from console.tracking.tracker import Tracker, track, tracker

__all__ = ["Tracker", "track", "tracker"]
