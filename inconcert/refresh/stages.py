"""The stages of a refresh. Each gives what is recorded of it, as JSON.

A stage may be stopped at any moment and be begun again: what it did by then is there already, or
is done again with the same result.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from graph.clock import iso, now, parse_time
from graph.errors import UserError
from graph.log import Doc
from graph.store import Counts
from inconcert.refresh.held import HeldError
from inconcert.refresh.work import Work, settings_sha256
from review import refreshes

if TYPE_CHECKING:
    from inconcert.refresh.outcome import Outcome
    from loaders.feeds import Delivery
    from loaders.load import Result


# -- load -----------------------------------------------------------------------------


def load(work: Work) -> Doc:
    """Every delivery becomes a batch. One that was being loaded when a refresh was stopped is
    looked for among the batches first."""
    for delivery in work.waiting:
        _take(work, delivery)
    batches = work.store.batches()
    own = [one["batch"] for one in work.deliveries() if one["refresh"] == work.number]
    known = batches[-1].batch if batches else 0
    return {"batches": own, "known_at": known, "as_of": iso(_moment(work))}


def _take(work: Work, delivery: Delivery) -> None:
    begun = work.refresh.get("taking")
    done = None
    if begun and begun["feed"] == delivery.feed and begun["mark"] == delivery.mark:
        done = _done_before(work, delivery, begun["after"])
    else:
        batches = work.store.batches()
        after = batches[-1].batch if batches else 0
        work.record("taking", {"feed": delivery.feed, "mark": delivery.mark, "after": after})
    work.tell(f"loading {delivery.feed}")
    if done is None:
        result = _load(work, delivery)
        assert result.batch is not None  # only a dry run has none
        done = _became(result.batch, result.counts)
    work.record(
        "took",
        {
            "feed": delivery.feed,
            "kind": delivery.kind,
            "mark": delivery.mark,
            "nightly": work.nightly,
            "complete": delivery.options.complete,
            **done,
        },
    )


def _load(work: Work, delivery: Delivery, dry: bool = False) -> Result:
    from dataclasses import replace
    from functools import partial

    from loaders.feeds import refuse_changed
    from loaders.files import inputs
    from loaders.kinds import sources
    from loaders.load import load as load_files

    options = replace(delivery.options, dry_run=dry)
    with inputs(delivery.paths, delivery.input_format) as readers:
        return load_files(
            work.store,
            sources()[delivery.kind],
            readers,
            options,
            say=partial(work.note, delivery.feed) if not dry else lambda _: None,
            before_commit=partial(refuse_changed, delivery),
        )


def _became(batch: int, counts: Counts) -> Doc:
    """What became of the rows of a batch."""
    return {"batch": batch, **asdict(counts)}


def _done_before(work: Work, delivery: Delivery, after: int) -> Doc | None:
    """What became of a delivery whose load was committed, though that was not recorded."""
    source = delivery.options.source or delivery.kind
    numbers = [batch.batch for batch in work.store.batches()]
    later = numbers[numbers.index(after) + 1 :] if after else numbers
    found = [
        batch
        for batch in work.store.batches()
        if batch.batch in later and (batch.kind, batch.source) == (delivery.kind, source)
    ]
    if not found or _load(work, delivery, dry=True).counts.loaded:
        return None
    return _became(found[0].batch, found[0].counts)


def _moment(work: Work) -> datetime:
    """As of when to detect: the latest fact, but not a time that has yet to come, nor one before
    what the queue knows already."""
    from graph.snapshot import moment_of
    from review.log import LAST, RUN

    moment = min(moment_of(work.store)[0], now())
    last = work.store.log.view(RUN, LAST)
    return max(moment, parse_time(last["as_of"])) if last else moment


# -- detect ---------------------------------------------------------------------------


def detect(work: Work) -> Doc:
    """Find, and keep what was found in a file: it is no run of the store yet."""
    from inconcert.refresh.outcome import keep, outcome_of, place_of, run_id_of

    facts = work.out("load")
    moment = parse_time(facts["as_of"])
    work.tell("files of facts compared")
    work.store.refuse_damaged()  # a flipped bit would be another fact, and nobody looks on
    detection = _detection(work, moment, facts["known_at"])
    work.met = detection.evidence.facts.meetings
    run_id = run_id_of(work.store, work.number, parse_time(work.refresh["begun"]))
    outcome = outcome_of(detection, run_id, parse_time(work.refresh["begun"]))
    keep(outcome, place_of(work.folder, work.number))
    result = outcome.run.result
    return {
        "run": run_id,
        "result_sha256": result["result_sha256"],
        "supply": result["supply"],
        "base_rule": result["base_rule"],
        "accounts": result["accounts"],
        "groups": [
            {
                **{name: group[name] for name in ("id", "line", "share", "grade")},
                "size": len(group["members"]),
            }
            for group in result["groups"]
        ],
        "evidence": outcome.evidence,
        "detection": result["run"]["settings_sha256"],
    }


def _detection(work: Work, moment: datetime, known_at: int) -> Any:
    from dataclasses import replace

    from detectors.engine.detect import detect as find
    from detectors.kept import Kept
    from inconcert.asking import by_settings_in_force, make_request
    from review.policy import lines
    from review.policy_history import in_force

    options = work.options
    request = make_request(
        (), (), iso(moment), known_at or None, options.seed, options.permutations
    )
    request = by_settings_in_force(request, work.store)
    policy = in_force(work.store.log.views("policy"), moment)
    wanted = lines(policy, moment, ("group",))
    if wanted:
        request = replace(request, lines=wanted)
    kept = Kept(work.folder / "kept", work.store.properties.key_fingerprint)
    return find(work.store, request, work.tell, kept)


def _outcome(work: Work) -> Outcome:
    """What the detection came to; found again where its file is gone."""
    from inconcert.refresh.outcome import kept, place_of

    place, digest = place_of(work.folder, work.number), work.out("detect")["result_sha256"]
    found = kept(place, digest)
    if found is None:
        again = detect(work)
        if again["result_sha256"] != digest:
            raise UserError(
                f"Detecting again for refresh {work.number} came to another result.",
                "Was this version or inconcert.toml changed meanwhile? `inconcert refresh drop` "
                "gives it up.",
            )
        found = kept(place, digest)
    assert found is not None
    return found


# -- check ----------------------------------------------------------------------------


def check(work: Work) -> Doc:
    """HeldError, and nothing follows, where there is cause for an alarm that nobody released."""
    from inconcert.refresh.alarms import alarms

    if "released" in work.refresh:
        return {"alarms": work.refresh["alarms"], "released": True}
    found = alarms(_seen(work))
    if found:
        work.record("held", {"alarms": found})
        raise HeldError(
            f"Refresh {work.number} is held: {found[0]['text']}"
            + (f" And {len(found) - 1} more." if len(found) > 1 else ""),
            f"`inconcert refresh show {work.number}` says what to look at; `refresh release` "
            "goes on, `refresh drop` gives it up.",
        )
    return {"alarms": []}


def _seen(work: Work) -> Any:
    from inconcert.refresh.alarms import MOST_NIGHTS, Seen

    view = work.store.log.view
    good = refreshes.latest(view, refreshes.GOOD)
    before, groups = None, []
    if good:
        measure = refreshes.refresh_of(view, work.refresh.get("measure") or good["number"])
        before = measure["stages"]["detect"]["out"]
        last = good["stages"]["publish"]["out"]["run"]
        published = [run for run in work.store.runs(last) if run.id == last]
        if published and not published[0].pruned:
            groups = work.store.run(last).result["groups"]
    outcome = _outcome(work)
    withdrawn = {batch.batch for batch in work.store.batches() if batch.withdrawn}
    number = good["number"] if good else 0
    nightly = _of_a_night(work, number)
    return Seen(
        number,
        nightly,
        refreshes.nights_before(view, work.refresh, MOST_NIGHTS) if nightly else [],
        [feed.name for feed in work.feeds],
        now(),
        [one for one in work.deliveries() if one["batch"] not in withdrawn],
        outcome.run.result,
        outcome.evidence,
        before,
        groups,
        work.options.alarms,
    )


def _of_a_night(work: Work, good: int) -> bool:
    """Whether a night is among what nothing followed from: this one, or one since the last good one
    that was held, and whose place others took before a person had looked."""
    view = work.store.log.view
    since = [refreshes.refresh_of(view, number) for number in range(good + 1, work.number)]
    passed = [one for one in since if one.get("dropped", {}).get("reason")]
    return work.nightly or any(one["sort"] == refreshes.NIGHTLY for one in passed)


# -- publish, queue, orders, retention ------------------------------------------------


def publish(work: Work) -> Doc:
    """The run becomes the store's current one; not where somebody took in a later one meanwhile:
    the queue knows more already."""
    from review.intake import passed
    from review.log import LAST, RUN

    run, last = _outcome(work).run, work.store.log.view(RUN, LAST)
    if last and (why := passed(run, last)):
        return {"run": last["run"], "passed_over": why}
    if not any(one.id == run.id for one in work.store.runs(run.id)):
        work.store.save_run(run)
    return {"run": run.id}


def queue(work: Work) -> Doc:
    """Its findings become cases, or continue some; the policy's orders follow."""
    from inconcert.scoring import scores_of
    from review.cases import CASE
    from review.intake import PastError, fill
    from review.log import RUN

    if why := work.out("publish").get("passed_over"):
        return {"cases": {}, "passed_over": why}
    run = work.store.run(work.out("detect")["run"])
    if work.store.log.view(RUN, run.id) is None:
        scores = scores_of(work.store, run, work.met)
        try:
            fill(work.store, work.queue.person, run, scores)
        except PastError as past:
            return {"cases": {}, "passed_over": past.sentence}
    cases = [case for case in work.store.log.views(CASE).values() if case["run"] == run.id]
    return {"cases": dict(sorted(Counter(case["change"] for case in cases).items()))}


def orders(work: Work) -> Doc:
    """What time has brought about; orders go out where a webhook is set, else they wait."""
    from review.cases import ORDER
    from review.clock import tick
    from review.outbox import given

    tick(work.store, work.queue.person, work.queue.policy)
    waiting = given(work.store.log.views(ORDER).values())
    work.undelivered = _send(work) if work.settings.review.webhook else 0
    return {
        "waiting": dict(sorted(Counter(one["action"] for one in waiting).items())),
        "failed": work.undelivered,
    }


def _send(work: Work) -> int:
    """How many orders were not delivered. They wait for the next time: a receiver that is down
    stops nothing but them."""
    from inconcert.manners import say
    from review.webhook import NoReceiverError, hook_of, send

    try:
        done = send(work.store, work.queue.person, hook_of(work.settings.review), _unsent(work))
        sentences = [*done.refused, *done.failed]
    except NoReceiverError as error:
        sentences = [error.sentence]
    for sentence in sentences:
        say(sentence)
    return len(_unsent(work))


def _unsent(work: Work) -> list[Doc]:
    from review.cases import ORDER
    from review.outbox import given

    return [one for one in given(work.store.log.views(ORDER).values()) if "sent" not in one]


def retention(work: Work) -> Doc:
    """Of old runs a summary stays; words of cases that were closed long ago are erased; months of
    facts that are old enough go to the archive, but for those that an open case needs."""
    if not work.nightly:
        return {}
    options, gone = work.options, []
    if options.keep_runs is not None:
        gone = work.store.prune_runs(options.keep_runs)
    erased = 0
    if options.retain_days is not None:
        from review.privacy import retain

        erased = retain(work.store, work.queue.person, options.retain_days)[0]
    archived = _archive(work) if options.archive else {"archived": []}
    return {"pruned": len(gone), "erased": erased, **archived}


def _archive(work: Work) -> Doc:
    """Move old months: which went; what kept others back, an open case or a failure."""
    from review.retention import NeededError, record_moves, refuse_needed

    store, options = work.store, work.options
    assert options.archive is not None
    moment = parse_time(work.refresh["begun"])
    month = moment.year * 12 + moment.month - 1 - options.archive_after_months
    before = datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)
    known = {one.batch for one in store.archived()}
    why = {}
    try:
        store.archive(before, options.archive, lambda name: refuse_needed(store, name))
    except NeededError as error:
        why = {"kept_back": error.sentence}
    except UserError as error:
        why = {"failed": error.sentence}
    finally:
        record_moves(store, work.queue.person)
    new = [one for one in store.archived() if one.batch not in known]
    return {"archived": [one.month for one in new], **why}


Stage = Callable[[Work], Doc]

DO: dict[str, Stage] = {
    "load": load,
    "detect": detect,
    "check": check,
    "publish": publish,
    "queue": queue,
    "orders": orders,
    "retention": retention,
}
"""What each stage does; in the order of `review.refreshes.STAGES`."""

assert tuple(DO) == refreshes.STAGES


def settings_of(work: Work, stage: str, out: Doc) -> str:
    """The digest of the settings that a stage went by. `out`: what came out of it."""
    if stage == "load":
        feeds = ",".join(settings_sha256(feed) for feed in work.settings.feed)
        return hashlib.sha256(feeds.encode()).hexdigest()
    if stage == "detect":
        return str(out["detection"])
    if stage in ("queue", "orders"):
        return work.queue.policy.sha256
    return settings_sha256(work.options)
