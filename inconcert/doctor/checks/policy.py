"""Which policy and which settings of detection are in force, and what comes next?"""

from __future__ import annotations

from collections.abc import Iterator

from graph.clock import iso, now
from inconcert.doctor import Finding, Site, ok, warning


def look(site: Site) -> Iterator[Finding]:
    """The policy of now, the next one, the settings of detection."""
    yield from _detection(site)
    from review.policy_history import entries, entry_in_force

    views, moment = site.store.log.views("policy"), now()
    entry = entry_in_force(views, moment)
    policy = entry.policy
    if policy.built_in:
        yield warning(
            "The built-in policy is in force: nobody has published one.",
            "`inconcert policy publish` records yours.",
        )
    else:
        yield ok(
            f"Policy {entry.number} ('{policy.name}', {policy.sha256[:12]}), {entry.origin}, is in "
            f"force since {iso(policy.effective_from)}."
        )
    later = [one for one in entries(views) if one.policy.effective_from > moment]
    for one in later:
        yield ok(
            f"Policy {one.number} ('{one.policy.name}') takes effect at "
            f"{iso(one.policy.effective_from)}."
        )


def _detection(site: Site) -> Iterator[Finding]:
    from inconcert.refresh.work import settings_sha256

    history = site.settings.detection
    found = site.settings.detection_at(now())
    whence = "inconcert.toml" if history else "the built-in ones"
    yield ok(f"Settings of detection: {whence} ({settings_sha256(found)[:12]}).")
