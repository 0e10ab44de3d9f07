package world

import (
	"strings"
	"testing"
)

// TestATableOfACommandLine: arguments that are tables come as JSON from there.
func TestATableOfACommandLine(t *testing.T) {
	for text, wrong := range map[string]bool{`{"provider":"fly"}`: false, `{}`: false, `provider=fly`: true, `null`: true, `["fly"]`: true, ``: true} {
		a := &arguments{name: "later", given: map[string]any{"args": text}}
		got := a.table("args")
		if (a.err != nil) != wrong {
			t.Errorf("%q: %v, %v", text, got, a.err)
		}
		if strings.Contains(text, "provider\"") && got["provider"] != "fly" {
			t.Errorf("%q: %v", text, got)
		}
	}
}
