// About: records whether the rows of an archived month may stand in the store.
// Parameters: name (text), state (text: unsettled or settled)
// Rows: none
MATCH (archive:Archive {kept: $name})
SET archive.state = $state, archive.parts = 0
WITH archive
MATCH (loader:Loader {single: 1})
SET archive.first_seq = loader.next_seq
