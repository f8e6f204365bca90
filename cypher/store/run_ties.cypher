// About: the strongest evidence inside the groups of a drafted run.
// Parameters: run (text), seconds (integer: until the draft counts as dead unless more follows),
//  ties (list of maps: group (its id), one, other (account ids), bits, families (list of text))
// Rows: none
MATCH (draft:Draft {key: $run})
SET draft.until = datetime() + duration({seconds: $seconds})
WITH draft
UNWIND $ties AS row
MATCH (one:Account {id: row.one})
MATCH (other:Account {id: row.other})
CREATE (one)-[:ACTS_WITH {
  run: $run, group: row.group, bits: row.bits, families: row.families
}]->(other)
