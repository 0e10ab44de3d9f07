package binding

import (
	"strings"
	"testing"
)

// TestSentence leaves the parts out whose arguments were not given.
func TestSentence(t *testing.T) {
	t.Parallel()
	s := &Spec{Module: "backup", Name: "restore", Says: "restore[ the table {table} of] {id}[ as {database}] on {host} (replace: {replace})"}
	for _, c := range []struct {
		args map[string]any
		says string
	}{
		{map[string]any{"id": "a", "host": "h", "replace": false}, "restore a on h (replace: false)"},
		{map[string]any{"id": "a", "host": "h", "replace": true, "table": "t", "database": ""}, "restore the table t of a on h (replace: true)"},
		{map[string]any{"id": "[x]", "host": "h", "database": "[{id}]", "replace": false}, "restore [x] as [{id}] on h (replace: false)"},
		{map[string]any{"id": "a", "replace": false}, "restore a on - (replace: false)"},
		{map[string]any{"id": []any{strings.Repeat("a", 74) + "ääää"}, "host": "h", "replace": false},
			`restore ["` + strings.Repeat("a", 74) + "... on h (replace: false)"},
	} {
		if got := s.Sentence(c.args); got != c.says {
			t.Errorf("%v: %q, not %q", c.args, got, c.says)
		}
	}
}
