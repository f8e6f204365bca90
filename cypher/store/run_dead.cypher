// About: takes over the drafts of runs whose saving died, so that nothing more comes to them;
//  looks at every draft.
// Parameters: none
// Rows: draft (text: its new key), run (text)
MATCH (draft:Draft)
WHERE draft.until < datetime()
SET draft.key = randomUUID()
RETURN draft.key AS draft, draft.run AS run
