// About: takes the lease unless another one that lives holds it; every taking has a higher fence.
// Parameters: right (integer: 1 to write facts, 2 to refresh), token (text), dead (text: the token of a holder known to be dead, or null), user (text),
//  host (text), pid (integer), doing (text), since (text), seconds (integer: until it lapses)
// Rows: fence (integer), next_seq (integer), next_ix (integer): none where another holds it
MATCH (loader:Loader {single: $right})
SET loader.asked = $token
WITH loader
WHERE NOT coalesce(loader.until > datetime(), false) OR loader.token IN [$dead, $token]
SET loader.fence = loader.fence + 1,
  loader.token = $token,
  loader.user = $user,
  loader.host = $host,
  loader.pid = $pid,
  loader.doing = $doing,
  loader.since = $since,
  loader.until = datetime() + duration({seconds: $seconds})
RETURN loader.fence AS fence, loader.next_seq AS next_seq, loader.next_ix AS next_ix
