-- For wrk: order.json, which lies beside this file, as every request's body.
local path = debug.getinfo(1, "S").source:match("^@(.*/)") .. "order.json"
local file = assert(io.open(path))
wrk.method = "POST"
wrk.body = file:read("*a")
wrk.headers["Content-Type"] = "application/json"
file:close()
