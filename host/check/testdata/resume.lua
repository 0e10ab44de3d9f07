local hetzner = require "hetzner"
return runbook {
  title = "Resume",
  run = function()
    local server, list, found = nil, {}, { name = "x" }
    local answer
    local function remember(name) server = name end
    step("Assign", function()
      server = hetzner.server { name = "a" } --! "server" is changed inside a step but belongs outside of it: a resumed run does not run again what has finished
    end)
    step("Field", function()
      found.name = "b" --! "found" is changed inside a step
    end)
    parallel("Branches", {
      a = function() list[1] = "a" end, --! "list" is changed inside a branch of parallel
      b = function() table.insert(list, "b") end, --! "list" is changed inside a branch of parallel
    })
    each("Items", { 1, 2 }, function(item)
      list[item] = item --! "list" is changed inside the body of each
    end)
    step("Through a function", function()
      remember("x") --! this call changes "server", which belongs outside of a step
    end)
    step("Through pcall", function()
      pcall(function() server = nil end) --! "server" is changed inside a step
    end)
    step("Nested", function()
      local inner
      step("Deeper", function() inner = 1 end) --! "inner" is changed inside a step
      return inner
    end)
    step("Own locals", function()
      local own, t = 1, {}
      own = 2
      t.own = own
      if own then expect("x", eventually("1m", function() own = 3 return own == 3 end)) end
      return t
    end)
    step("Undone", { undo = function(made)
      hetzner.delete_server { name = made.naem } --! did you mean "name"
      answer = made.name --! "answer" is changed inside the undo of a step
    end }, function() return hetzner.server { name = "a" } end)
    local body = function() answer = 1 end --! "answer" is changed inside a step
    step("By name", body)
    pcall(step, "Through pcall of the word", function() answer = 2 end) --! "answer" is changed inside a step
    remember("outside of any step")
    server = answer
    return server, list, found
  end,
}
