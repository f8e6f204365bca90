"""Identifiers: one canonical form a kind, so that two spellings are one identifier.

The form is versioned by kind: a changed rule gets a new version, which enters the digest,
so that old and new forms are never taken for each other.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from graph.digest import digests
from loaders.cells import nfc, text
from loaders.parsed import Fault, Parsed

_MAC = r"^(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}$|^(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}$"
_IPV4 = r"^(?:[0-9]{1,3}\.){3}[0-9]{1,3}$"


@dataclass(frozen=True)
class Form:
    """The canonical form of a kind: text → text, null where it cannot be one."""

    version: int
    canonical: Callable[[pl.Series], pl.Series]
    refusal: str = ""


def _as_it_stands(values: pl.Series) -> pl.Series:
    return values


def _lower(values: pl.Series) -> pl.Series:
    return values.str.to_lowercase()


def _device(values: pl.Series) -> pl.Series:
    """A device is often named by its MAC address; any other name keeps its case."""
    mac = _mac(values)
    return pl.select(pl.coalesce(mac, values)).to_series()


def _mac(values: pl.Series) -> pl.Series:
    lower = values.str.to_lowercase()
    digits = lower.str.replace_all(r"[:.-]", "")
    return pl.select(pl.when(lower.str.contains(_MAC)).then(digits)).to_series()


def _phone(values: pl.Series) -> pl.Series:
    """Digits, with + for an international number (00 in front means +)."""
    digits = values.str.replace_all(r"[\s().\-/\u2010-\u2015\u00a0]", "").str.replace(r"^00", "+")
    good = digits.str.contains(r"^\+?[0-9]{3,20}$")
    return pl.select(pl.when(good).then(digits)).to_series()


def _card(values: pl.Series) -> pl.Series:
    return values.str.replace_all(r"[\s-]", "").str.to_lowercase()


def _address(values: pl.Series) -> pl.Series:
    return values.str.to_lowercase().str.replace_all(r"[\s,]+", " ").str.strip_chars()


def _ip(values: pl.Series) -> pl.Series:
    """IPv4 without leading zeros; IPv6 as RFC 5952 writes it; an IPv4 inside IPv6 as IPv4."""
    plain = values.str.replace_all(r"\b0+([0-9])", "${1}")
    v4 = values.str.contains(_IPV4)
    octets = plain.str.split(".").list.eval(pl.element().cast(pl.Int32, strict=False))
    fine = v4 & (octets.list.max() <= 255).fill_null(False)
    v6 = values.str.contains(":", literal=True) & ~v4
    found = pl.select(pl.when(fine).then(plain)).to_series()
    if v6.any():
        # Distinct IPv6 addresses only: there is no vectorised parser for them.
        where = v6.arg_true()
        found = found.scatter(
            where, values.gather(where).map_elements(_ipv6, return_dtype=pl.String)
        )
    return found


def _ipv6(value: str) -> str | None:
    try:
        address = ipaddress.IPv6Address(value.partition("%")[0])
    except ValueError:
        return None
    return str(address.ipv4_mapped or address)


FORMS: dict[str, Form] = {
    "device": Form(1, _device),
    "mac": Form(1, _mac, "is not a MAC address"),
    "ip": Form(1, _ip, "is not an IP address"),
    "phone": Form(1, _phone, "is not a phone number"),
    "card": Form(1, _card),
    "email": Form(1, _lower),
    "address": Form(1, _address),
}
OTHER = Form(1, _as_it_stands)
"""Kinds without a form of their own: trimmed, NFC, case kept."""

_CONTROL = r"[\x00-\x1f\x7f]"
_LONGEST_KIND_BYTES = 64


def kinds(cells: pl.Series) -> Parsed:
    """Identifier kinds: a word, case folded."""
    raw, bad = text(cells)
    values = nfc(raw).str.to_lowercase()
    strange = values.str.contains(_CONTROL) | (values.str.len_bytes() > _LONGEST_KIND_BYTES)
    return Parsed(
        values,
        raw,
        [Fault(bad, "is not UTF-8"), Fault(strange, "is not a kind of identifier (one word)")],
    )


def identifiers(cells: pl.Series, kind: pl.Series, key: str) -> Parsed:
    """The keyed digest of each identifier's canonical form.

    `kind` gives each cell's kind (null: refused there). Equal identifiers of different kinds
    have different digests.
    """
    raw, bad = text(cells)
    rows = pl.DataFrame({"kind": kind, "value": nfc(raw)})
    distinct = rows.drop_nulls().unique()
    forms = pl.concat(
        [_canonical(part, str(name)) for (name,), part in distinct.group_by("kind")]
        or [_canonical(distinct, "")]
    )
    message = forms.select(
        pl.concat_str("kind", pl.lit("\x1f"), "version", pl.lit("\x1f"), "canonical")
    ).to_series()
    table = forms.with_columns(digest=digests(message, key, "identifier"))
    found = rows.join(table, on=["kind", "value"], how="left", maintain_order="left")
    faults = [Fault(bad, "is not UTF-8")]
    faults += [
        Fault(found["refusal"].eq(reason).fill_null(False), reason)
        for reason in table["refusal"].drop_nulls().unique(maintain_order=True)
    ]
    return Parsed(found["digest"], raw, faults)


def _canonical(part: pl.DataFrame, kind: str) -> pl.DataFrame:
    form = FORMS.get(kind, OTHER)
    canonical = form.canonical(part["value"])
    canonical = pl.select(pl.when(canonical != "").then(canonical)).to_series()
    refusal = form.refusal or f"is empty as {kind}"
    control = part["value"].str.contains(_CONTROL)
    return part.with_columns(
        version=pl.lit(str(form.version)),
        canonical=pl.select(pl.when(~control).then(canonical)).to_series(),
        refusal=pl.select(
            pl.when(control)
            .then(pl.lit("holds a control character"))
            .when(canonical.is_null())
            .then(pl.lit(refusal))
        ).to_series(),
    )
