package host

import (
	"strings"
	"testing"
)

// TestInputIsOfTheKindOfItsDefault: on a command line, and in a plan that a run
// follows, everything is text; a runbook compares numbers with numbers.
func TestInputIsOfTheKindOfItsDefault(t *testing.T) {
	type data = map[string]any
	for _, c := range []struct {
		given string
		d     data
		want  any
		says  string
	}{
		{"5", data{"default": 3.0}, 5.0, ""},
		{"three", data{"default": 3.0}, nil, "input n=three: it must be a number, such as 3"},
		{"NaN", data{"default": 3.0}, nil, "must be a number"},
		{"true", data{"default": false}, true, ""},
		{"yes", data{"default": false}, nil, "must be true or false"},
		{"5", data{"default": "3"}, "5", ""},
		{"5", data{"example": "3"}, "5", ""},
		{"2", data{"choices": []any{1.0, 2.0}, "default": 1.0}, 2.0, ""},
		{"4", data{"choices": []any{1.0, 2.0}}, nil, "must be one of 1, 2"},
	} {
		got, err := allowed("n", c.given, c.d)
		if got != c.want || (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s for %v: %v (%T), %v", c.given, c.d, got, got, err)
		}
	}
}
