"""The embedded store: Delta Lake tables in a folder, and one SQLite ledger.

    FOLDER/
    ├── ledger.sqlite     batches, supplies, runs, properties: says what exists
    ├── key               the store's key (0600), unless INCONCERT_KEY_FILE names it
    ├── facts/KIND/       one Delta table for each kind of fact
    ├── accounts/         Delta table: account, ix, batch
    ├── quarantine/       refused rows, one file a batch
    └── loader.lock       held (flock) by whoever changes the facts

Rows count only when the ledger says that their batch is committed. Whoever reads the
Delta tables with other tools filters by it:
`batch IN (SELECT batch FROM visible_batches)`, a view in the ledger.
"""

from graph.embedded.store import EmbeddedStore

__all__ = ["EmbeddedStore"]
