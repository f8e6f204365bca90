// About: sets the view of a case, drawn for people who look at the graph: its groups and its events.
// Parameters: key, doc (text: JSON), shown (map: what a person sees of it), groups (list of text: ids),
//  number (integer: the event by which it came to this)
// Rows: none
MERGE (case:View {kind: 'case', key: $key})
SET case = $shown
SET case:Case, case.kind = 'case', case.key = $key, case.doc = $doc
WITH case
CALL (case) {
  MATCH (event:Event {number: $number})
  MERGE (event)-[:OF]->(case)
}
CALL (case) {
  UNWIND $groups AS id
  MATCH (group:Group {id: id})
  MERGE (case)-[:ABOUT]->(group)
}
