-- SPDX-License-Identifier: BSD-3-Clause
-- Every request of every thread has a URI of its own; a pause before each keeps the rate moderate.
-- After 2 seconds nothing more is sent: wrk cuts what is under way at its end, and how much of a cut
-- answer left the server is chance, so that no two servers could agree.
local nb_threads = 0

function setup(thread)
	nb_threads = nb_threads + 1
	thread:set("id", nb_threads)
end

function init(args)
	tag = args[1] or "wrk"
	sent = 0
	last = os.time() + 2
end

function delay()
	return os.time() > last and 100000 or 4
end

function request()
	sent = sent + 1
	return wrk.format("GET", "/" .. (sent % 3 == 0 and "10k" or "100") .. "?" .. tag .. "=" .. id ..
		"&n=" .. sent)
end
