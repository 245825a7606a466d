-- SPDX-License-Identifier: BSD-3-Clause
-- wrk ... -- TAG SECONDS PAUSE_MS close|keep: a request, a random pause of PAUSE_MS in the mean, and so on.
-- Each thread speaks to an address of its own, from WRK_ADDRESSES: the client's source address depends on
-- it. Each URI is one of its own. After SECONDS nothing more is sent: wrk cuts what is under way at its
-- end, and how much of a cut answer left the server is chance, so that no two servers could agree.
local nb_threads = 0

function setup(thread)
	local addresses = {}
	for address in os.getenv("WRK_ADDRESSES"):gmatch("%S+") do
		addresses[#addresses + 1] = address
	end
	thread.addr = wrk.lookup(addresses[nb_threads % #addresses + 1], "80")[1]
	nb_threads = nb_threads + 1
	thread:set("id", nb_threads)
end

function init(args)
	tag, pause = args[1], tonumber(args[3])
	tail = args[4] == "close" and " HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n"
		or " HTTP/1.1\r\nHost: lab\r\n\r\n"
	sent = 0
	last = os.time() + tonumber(args[2])
	math.randomseed(id)
end

function delay()
	if os.time() >= last then
		return 100000
	end
	return pause > 0 and math.random(0, 2 * pause) or 0
end

function request()
	sent = sent + 1
	return "GET /100?" .. tag .. "=" .. id .. "&n=" .. sent .. tail
end
