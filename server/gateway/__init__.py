"""The edge: connections, limits, decoding, routing. It holds no world state, so it survives any shard's death.

============== ================================================================
`limits`       every limit with its reason; the flood window
`admission`    how often a connection and an agent may ask
`visitors`     how many connections and failed hellos an address may have
`entrance`     what becomes of a request before there is a WebSocket
`decoding`     a frame → a request, or the refusal that says how to mend it
`values`       what the values in a request may be
`hints`        what a refused field must be, with something that works
`refusals`     every error of the gateway, with a hint that works
`requests`     what a request needs: pure decisions, no I/O
`session`      one client's conversation: seats, cursors, open requests
`resume`       the signed token that lets a session go on
`identity`     who says hello: a token's agent, a guest, a session that goes on
`permissions`  what each role may ask for
`greeting`     hello and welcome: somebody new, or a session that goes on
`connection`   one WebSocket: opcodes, outbox, closing
`catalogue`    the games, as `games` and `rules` tell them
`backends`     the links to supervisor and shards, and who waits for which answer
`replies`      a message → bytes, and what gives way when it is too much
`fanout`       who drives which player, and pushes to many
`gateway`      puts these together
`sweeper`      pings idle connections, closes silent and stalled ones
`drain`        stopping without leaving anybody hanging
`origin`       which Host and which pages are served
`paths`        the fixed table of what plain HTTP answers
`documents`    what the server tells about itself: llms.txt, SKILL.md, schemas, AsyncAPI
`logpages`     the log of a world over plain HTTP
`http`         plain HTTP on the same port: how answers look
============== ================================================================
"""
