-- For wrk: sixteen requests at a time on each connection.
init = function(args)
    wrk.headers["Host"] = "localhost"
    local requests = {}
    for i = 1, 16 do requests[i] = wrk.format("GET", "/") end
    whole = table.concat(requests)
end

request = function() return whole end
