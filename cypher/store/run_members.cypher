// About: who is in the drafted groups of a run.
// Parameters: run (text), seconds (integer: until the draft counts as dead unless more follows),
//  members (list of maps: key (the group's), account, share, share_without, holdings, bits,
//  named)
// Rows: none
MATCH (draft:Draft {key: $run})
SET draft.until = datetime() + duration({seconds: $seconds})
WITH draft
UNWIND $members AS row
MATCH (group:Draft {key: row.key})
MATCH (account:Account {id: row.account})
CREATE (group)-[:INCLUDES {
  share: row.share, share_without: row.share_without, holdings: row.holdings,
  bits: row.bits, named: row.named
}]->(account)
