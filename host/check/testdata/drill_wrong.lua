return drill { --! a drill needs world: Path of the simulated world --? a drill without expect = function(world, run) proves nothing
  title = "A drill", runbok = "x.lua", runbook = "../x.lua", --! drill has no field "runbok"; did you mean "runbook"?
  speed = 0.5, --! speed must be 1 or more, not 0.5
  objective = { rto = "4 h" }, --! objective.rto must be a time
  fault = function(world)
    world.kill_server("hobby-1") --! write world:kill_server(...), with a colon
    world:kil_server("hobby-1") --! a world has no method "kil_server"; did you mean "kill_server"?
    world.kill_server = nil --! world cannot be changed
    local kill = world.kill_server
    kill(nil) --! write world:kill_server(...), with a colon
  end,
}
