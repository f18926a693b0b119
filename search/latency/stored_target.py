"""Target under which a database knows this machine: an equal device may have another fingerprint there."""

from __future__ import annotations

from dataclasses import replace

from objectives.device.target import Target
from search.store.base import Store


def stored_target(store: Store, target: Target, key: str | None = None) -> Target:
    """Return the target as it is stored, if it is: with the device's fingerprint of that time.

    Where one thread is timed, older versions counted the cores in the fingerprint, so that another number of them was
    another target. Latencies that were stored then stay valid.

    Args:
        target: A target of this machine, with its reference.
        key: Key of the target of the study, which is preferred; the oldest one otherwise.
    """
    known = []
    for entry in store.targets():
        device = str(entry.description.get("device"))
        if target.on_same_device(device) and replace(target, device=device).key == entry.key:
            known.append(entry)
    found = next((entry for entry in known if entry.key == key), next(iter(known), None))
    return target if found is None else replace(target, device=str(found.description["device"]))
