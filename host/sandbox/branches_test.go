package sandbox

import (
	"strings"
	"testing"
)

func TestEachRefusesWhatItWouldPassOver(t *testing.T) {
	for list, want := range map[string]string{
		`{ a = 1, b = 2 }`:               `has the key "a"`,
		`{ 1, 2, nil, 4 }`:               "item 3 of the list is nil",
		`{ print }`:                      "parallel runs functions",
		`{ { id = 1 } }`:                 `no field "name"`,
		`{ "x", "x" }`:                   `two items are called "x"`,
		`{ { name = "a" }, n = 1 }`:      `has the key "n"`,
		`(function() return {} end)()`:   "",
		`{ "a/b", "a", { name = "b" } }`: "",
	} {
		end, _ := play(t, `local list = `+list+`
local ok, problem = pcall(each, "Go through", list, function(item) return item end)
return finish(ok and "went through" or tostring(problem))`)
		if want == "" && end.Message != "went through" || want != "" && !strings.Contains(end.Message, want) {
			t.Errorf("%s: %q, want %q", list, end.Message, want)
		}
	}
}

func TestWordsRefuseWhatTheyWouldIgnore(t *testing.T) {
	for body, want := range map[string]string{
		`local o = { timeout = "" } step("S", o, function() return 1 end)`:                          "option timeout must be a time",
		`local e = { 1, 2 } note("evidence", e)`:                                                    "not a list",
		`local answer = box.box { name = "a" }.name eventually("1s", function() return answer end)`: "it returned a",
	} {
		end, _ := play(t, `local ok, problem = pcall(function() `+body+` end)
return finish(ok and "went through" or tostring(problem))`)
		if !strings.Contains(end.Message, want) {
			t.Errorf("%s: %q, want %q", body, end.Message, want)
		}
	}
}

func TestEventuallyUsesTheWholeOfItsTime(t *testing.T) {
	end, _ := play(t, `local tries = 0
local ok = eventually("3s", { every = "5s" }, function() tries = tries + 1 return tries == 2 end)
return finish(tostring(ok) .. " " .. tries)`)
	if end.Message != "true 2" {
		t.Errorf("%q", end.Message)
	}
}

func TestAFaultOfAScriptNamesItsPlaceOnce(t *testing.T) {
	end, _ := play(t, `local ok, problem = pcall(step, "S", function() error("broke") end)
return finish(tostring(problem))`)
	if end.Message != "t.lua:3: broke" {
		t.Errorf("%q", end.Message)
	}
}

func TestASecretThatAStepReturnsStaysOne(t *testing.T) {
	end, _ := play(t, `local got = step("S", function() return { key = secret("env:KEY") } end)
return finish(tostring(got.key))`)
	if end.Message != "[secret]" {
		t.Errorf("%q", end.Message)
	}
}
