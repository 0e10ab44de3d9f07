local function assess() return step("Assess", function() return true end) end
return runbook {
  title = "Polling",
  run = function()
    expect("a", eventually("1m", function()
      step("Inside", function() end) --! a step cannot stand inside eventually, which may call it many times; put eventually inside the step
      return true
    end))
    retry(function()
      parallel("Within retry", { a = function() end }) --! a parallel cannot stand inside retry
    end)
    expect("b", eventually("1m", function()
      return assess() --! this call reaches the step "Assess", which cannot stand inside eventually
    end))
    expect("c", eventually("1m", function()
      local ok = pcall(function() step("Deep", function() end) end) --! this call reaches the step "Deep"
      return ok
    end))
  end,
}
