local hetzner, http = require "hetzner", require "http"

local function pick() return hetzner.server { name = "a" } end

return runbook {
  title = "Fields",
  input = { server = { doc = "Name of the server", example = "hobby-1" } },
  run = function(input)
    print(input.servr) --! the head declares no input "servr"; did you mean "server"?
    local server = hetzner.server { name = input.server }
    print(server.statuss) --! which has no field "statuss"; did you mean "status"?
    print(server.disk.sise, server["nmae"]) --! server.disk is a --! did you mean "name"?
    print(server.name.first) --! server.name is a string and has no field "first"
    print(server.cores.x, server.locked.x) --! server.cores is a number and has no field "x" --! server.locked is true or false
    print(server.volumes.size) --! server.volumes is a list and has no field "size"; take an item
    print(server.volumes["size"], server.volumes[1].sise) --! is a list and has no field "size" --! did you mean "size"?
    print(pick().ip4) --! did you mean "ipv4"?
    for _, volume in ipairs(server.volumes) do
      print(volume.imgae) --! volume is a check_test.Disk, which has no field "imgae"; did you mean "image"?
    end
    for _, label in pairs(server.labels) do
      print(label.x) --! label is a string
    end
    for _, one in ipairs(hetzner.servers {}) do
      print(one.adress, one.disk.size) --! one is a check_test.Server, which has no field "adress"
    end
    local state = step("Assess", function()
      if server.locked then return false end
      return { server = server, healthy = http.check({ url = "x" }).okay } --! has no field "okay"; did you mean "ok"?
    end)
    print(state.helthy) --! state has no field "helthy"; did you mean "healthy"?
    print(state.server.nam) --! state.server is a check_test.Server, which has no field "nam"
    print(run:result("Assess").sever) --! did you mean "server"?
    local found, failures = parallel("Look", {
      machine = function() return server end,
      none = function() end,
    })
    print(found.machin, found.machine.nam) --! found has no field "machin"; did you mean "machine"? --! found.machine is a check_test.Server
    print(failures.machine.knd, failures.nobody) --! a fault has no field "knd"; did you mean "kind"? --! failures has no field "nobody"
    each("Servers", hetzner.servers {}, { key = "name" }, function(one)
      print(one.nmae) --! did you mean "name"?
    end)
    local rebooted, broken = each("Names", { "a", "b" }, { keep_going = true }, function(name)
      return hetzner.reboot { server = name }
    end)
    print(rebooted.a.nmae, rebooted["b"].name, broken.a.knd) --! rebooted.a is a check_test.Server --! a fault has no field "knd"
    for name, one in pairs(rebooted) do print(name, one.statuss) end --! did you mean "status"?
    for _, one in ipairs(rebooted) do print(one) end --! ipairs takes a list, not a table of names
    local gone = hetzner.delete_server { name = "x" }
    print(gone.x) --! gone is nil here and has no field "x"
    local either
    if input.server == "x" then either = hetzner.server { name = "x" } else either = hetzner.create_server { name = "y" } end
    print(either.nmae) --! either is a check_test.Server
    local list = { { name = "a" }, { name = "b" } }
    print(list[1].nmae, list.name) --! list[...] has no field "nmae" --! list is a list and has no field "name"
    local open = { a = 1 }
    open.b = 2
    print(open.b, open.c) --! open has no field "c"; there are a, b
    local filled = { a = 1 }
    table.insert(filled, 3)
    print(filled.b, run:elapsd(), run.mod) --! run has no field "elapsd"; did you mean "elapsed"? --! did you mean "mode"?
  end,
}
