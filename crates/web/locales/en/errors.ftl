# Failures: a title and what to do.

error-not-found = Not found
error-not-found-detail = There is nothing at this address. A reference number that is older than the archive, or a card or code that is not registered, also leads here.
error-misdirected = Wrong name
error-misdirected-detail = This console answers only as 127.0.0.1, [::1] or localhost: a page of another name could otherwise read it through your browser.
error-cross-site = From another site
error-cross-site-detail = A page of another site tried to change something here through your browser. Nothing was changed.
error-forbidden = Not allowed
error-forbidden-detail = This is not yours to do: { $what }. Nothing was changed.
error-conflict = It does not fit any more
error-conflict-detail = Nothing was changed: { $what }. Look again, then decide.
error-method-not-allowed = Not with this method
error-method-not-allowed-detail = This address does not have this method; the header “Allow” says which it has.
error-not-understood = The query means nothing
error-not-understood-detail = “{ $parameter }” is not understood; expected: { $expected }.
error-too-many-listeners = Too many listeners
error-too-many-listeners-detail = All places for live events are taken. Close other pages, or try again in a few seconds.
error-store-away = The store is away
error-store-away-detail = The store does not answer just now, so there is nothing to show. Try again in a few seconds; if it stays, look at the health checks.
error-timed-out = It took too long
error-timed-out-detail = The answer was given up after ten seconds. Try again, or ask for a shorter time.
error-internal = Our mistake
error-internal-detail = Something went wrong in the console. Tell the engineer the request number below.
error-no-effect = Nothing was changed: neither money nor PIN tries are affected.
error-request = Request
error-to-overview = To the overview
error-to-transactions = To the transactions
