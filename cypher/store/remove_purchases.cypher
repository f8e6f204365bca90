// About: removes purchases that are archived: all with one of these uids.
// Parameters: uid (list of text)
// Rows: none
UNWIND $uid AS wanted
MATCH (fact:Purchase)
WHERE fact.uid = wanted AND fact.revision >= 1
DETACH DELETE fact
