local hetzner = require "hetzner"
local function reboot(name)
  step("Reboot it", function() hetzner.reboot { server = name } end)
end
return runbook {
  title = "Titles",
  run = function(input)
    step("Assess the server", function()
      step("Inner", function() end)
      step("Inner", function() end) --! line 9 has a step titled "Inner" already
    end)
    step("Assess the server", function() end) --! line 8 has a step titled "Assess the server" already; titles must be unique
    step("Assess the servers", function() end) --? is almost the title of line 8
    step("Move server 1", function() end)
    step("Move server 2", function() end)
    step("", function() end) --! the title of a step is empty
    step("Reboot " .. input.name, function() end) --! the title of a step must be literal --! the head declares no input "name"
    parallel("Both", {
      a = function() step("Same", function() end) end,
      b = function() step("Same", function() end) end,
    })
    for _, name in ipairs { "a", "b" } do
      step("Loop", function() print(name) end) --! a step in a loop has the same title each time
    end
    each("Helpers", { "a" }, function()
      for _, name in ipairs { "a", "b" } do
        reboot(name) --! this call reaches the step "Reboot it", which would have the same title each time round the loop
      end
    end)
    reboot("a")
    reboot("b") --! line 30 reaches the step "Reboot it" already
    print(run:result("Asses the server")) --! no step is titled "Asses the server"; did you mean "Assess the server"?
    print(run:result(input)) --! run:result takes a literal title
    print(run:result("Both")) --! no step is titled "Both"
    if input then step("Once", function() end) else step("Once", function() end) end --! line 35 has a step titled "Once" already
  end,
}
