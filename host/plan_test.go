package host

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPlanOfAnotherLibrary: a plan speaks for the std modules that it was made
// with; another drhost may have others under the same names.
func TestPlanOfAnotherLibrary(t *testing.T) {
	s := newSite(t)
	text := strings.Replace(valves, "return runbook", "local gentle = require \"std.gentle\"\nreturn runbook", 1)
	text = strings.Replace(text, "valve.turn { name = input.name }", "gentle.turn(input.name)", 1)
	if err := os.WriteFile(filepath.Join(s.dir, "valves.lua"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	with := func(does string) map[string][]byte {
		return map[string][]byte{"std.gentle": []byte("local valve = require \"valve\"\nlocal gentle = {}\nfunction gentle.turn(name) return valve." + does + " { name = name } end\nreturn gentle\n")}
	}
	s.h.Std = with("turn")
	id := s.plan(t)
	s.h.Std = with("drain")
	if _, err := s.h.Run(t.Context(), s.request(Request{Plan: id, YesDestroy: true})); err == nil || !strings.Contains(err.Error(), "std.gentle is another one") {
		t.Errorf("a plan made with another std.gentle is followed: %v", err)
	}
	if len(s.done) > 0 {
		t.Errorf("it did %v", s.done)
	}
	s.h.Std = with("turn")
	if r, err := s.h.Run(t.Context(), s.request(Request{Plan: id})); err != nil || r.End.Result != "done" {
		t.Errorf("with the same one: %+v, %v", r, err)
	}
}
