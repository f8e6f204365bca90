// About: what the members of a group bought, and where two of them show the same receipt.
// Parameters: group (text: a group of the current run)
// Rows: at (datetime or null), account (text), amount (float), exact (text; null: the
//  float is the exact amount), receipt (text), same_receipt (list of text: other members that
//  show this receipt)
// Example: :param group => 'd73645a0c1f2'
WITH COLLECT { MATCH (load:Batch {visible: true}) RETURN load.batch } AS visible
MATCH (:Store {single: 1})-[:CURRENT]->(run:Run)
MATCH (found:Group {key: run.id + '/' + $group})
MATCH (found)-[:INCLUDES]->(account:Account)-[:BOUGHT]->(p:Purchase)
WHERE p.batch IN visible
  AND NOT EXISTS {
    MATCH (later:Purchase {uid: p.uid})
    WHERE later.revision > p.revision AND later.batch IN visible
  }
WITH p.receipt AS receipt, collect(DISTINCT account.id) AS buyers,
  collect({account: account.id, p: p}) AS bought
UNWIND bought AS one
RETURN one.p.at AS at, one.account AS account, one.p.amount AS amount, one.p.exact AS exact,
  receipt,
  CASE WHEN receipt IS NULL THEN [] ELSE [buyer IN buyers WHERE buyer <> one.account] END
    AS same_receipt
ORDER BY at, account, receipt
LIMIT 500
