// About: the strongest evidence inside the groups of a run.
// Parameters: run (text), ties (list of maps: group (its id), one, other (account ids), bits,
//  families (list of text))
// Rows: none
UNWIND $ties AS row
MATCH (one:Account {id: row.one})
MATCH (other:Account {id: row.other})
CREATE (one)-[:ACTS_WITH {
  run: $run, group: row.group, bits: row.bits, families: row.families
}]->(other)
