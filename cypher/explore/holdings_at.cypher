// About: what the members of a group held at a time, as last stated by then (stores whose holdings
//  are rolled or replayed count transfers too: `inconcert show`).
// Parameters: group (text: a group of the current run), at (datetime)
// Rows: account (text), holdings (float), exact (text; null: the float is the exact amount),
//  stated_at (datetime; null: nothing stated, counts 0), batch (integer)
// Example: :param group => 'd73645a0c1f2'
// Example: :param at => datetime('2026-05-31T23:59:59Z')
WITH COLLECT { MATCH (load:Batch {visible: true}) RETURN load.batch } AS visible
MATCH (:Store {single: 1})-[:CURRENT]->(run:Run)
MATCH (found:Group {key: run.id + '/' + $group})
WITH visible, found, head(COLLECT {
  MATCH (load:Batch {visible: true})
  UNWIND load.complete_at AS moment
  WITH datetime(moment) AS moment
  WHERE moment <= $at
  RETURN moment ORDER BY moment DESC LIMIT 1
}) AS complete
MATCH (found)-[:INCLUDES]->(account:Account)
WITH account, head(COLLECT {
  MATCH (account)-[:HELD]->(h:Holding)
  WHERE h.batch IN visible
    AND (h.at <= $at OR h.at IS NULL AND complete IS NULL)
    AND (complete IS NULL OR h.at >= complete)
    AND NOT EXISTS {
      MATCH (later:Holding {uid: h.uid})
      WHERE later.revision > h.revision AND later.batch IN visible
    }
  RETURN h
  ORDER BY h.at IS NULL, h.at DESC, h.step IS NULL, h.step DESC, h.amount DESC
  LIMIT 1
}) AS last
RETURN account.id AS account, coalesce(last.amount, 0.0) AS holdings, last.exact AS exact,
  last.at AS stated_at, last.batch AS batch
ORDER BY holdings DESC, account
LIMIT 500
