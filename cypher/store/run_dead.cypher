// About: takes over the drafts of runs whose saving died, so that nothing more comes to them;
//  looks at every draft. The lock comes first (SET), then the look at the time.
// Parameters: none
// Rows: draft (text: its new key), run (text)
MATCH (draft:Draft)
SET draft.locked = true
REMOVE draft.locked
WITH draft
WHERE draft.until < datetime()
SET draft.key = randomUUID()
RETURN draft.key AS draft, draft.run AS run
