// About: deletes who is in the groups of a draft, in transactions of its own.
// Parameters: draft (text: its key)
// Rows: none
MATCH (:Draft {key: $draft})-[:FOUND]->(:Draft)-[member:INCLUDES]->(:Account)
CALL (member) {
  DELETE member
} IN TRANSACTIONS OF 10000 ROWS
