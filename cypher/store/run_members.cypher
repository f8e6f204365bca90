// About: who is in the groups of a run.
// Parameters: members (list of maps: key (the group's), account, share, share_without, holdings)
// Rows: none
UNWIND $members AS row
MATCH (group:Group {key: row.key})
MATCH (account:Account {id: row.account})
CREATE (group)-[:INCLUDES {
  share: row.share, share_without: row.share_without, holdings: row.holdings
}]->(account)
