// About: removes referrals that are archived: all with one of these uids.
// Parameters: uid (list of text)
// Rows: none
UNWIND $uid AS wanted
MATCH ()-[fact:REFERRED]->()
WHERE fact.uid = wanted AND fact.revision >= 1
DELETE fact
