// About: who loads or refreshes, or did last.
// Parameters: right (integer: 1 to write facts, 2 to refresh)
// Rows: token (text), user (text), host (text), pid (integer), doing (text), since (text), held (boolean)
MATCH (loader:Loader {single: $right})
RETURN loader.token AS token, loader.user AS user, loader.host AS host, loader.pid AS pid,
  loader.doing AS doing, loader.since AS since,
  coalesce(loader.until > datetime(), false) AS held
