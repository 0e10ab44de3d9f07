package tests

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func scriptJSON(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 && len(args) != 4 {
		ts.Fatalf("usage: json FILE PATH [= VALUE | ~ REGEXP | -> VAR]")
	}
	value, found, err := lookUp(ts.ReadFile(args[0]), args[1])
	ts.Check(err)
	if len(args) == 4 && args[2] == "->" {
		if neg || !found {
			ts.Fatalf("%s has no %s", args[0], args[1])
		}
		ts.Setenv(args[3], value)
		return
	}
	holds := found
	if len(args) == 4 {
		switch args[2] {
		case "=":
			holds = found && value == args[3]
		case "~":
			pattern, err := regexp.Compile(args[3])
			ts.Check(err)
			holds = found && pattern.MatchString(value)
		default:
			ts.Fatalf("json compares with =, ~ or ->, not %q", args[2])
		}
	}
	if holds == neg {
		ts.Fatalf("%s in %s: found %t, it is %s", args[1], args[0], found, value)
	}
}

// lookUp returns what stands at path, such as .0.run.status or .steps.#, in a
// JSON text: strings as they are, all else as compact JSON. An empty path is
// the whole.
func lookUp(text, path string) (value string, found bool, err error) {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return "", false, fmt.Errorf("not one JSON value: %w", err)
	}
	for _, key := range strings.Split(strings.TrimPrefix(path, "."), ".") {
		if key == "" {
			continue
		}
		if v, found = member(v, key); !found {
			return "", false, nil
		}
	}
	if s, ok := v.(string); ok {
		return s, true, nil
	}
	compact, err := json.Marshal(v)
	return string(compact), true, err
}

func member(v any, key string) (any, bool) {
	switch v := v.(type) {
	case map[string]any:
		if key == "#" {
			return len(v), true
		}
		inner, ok := v[key]
		return inner, ok
	case []any:
		if key == "#" {
			return len(v), true
		}
		i, err := strconv.Atoi(key)
		if err != nil || i < -len(v) || i >= len(v) {
			return nil, false
		}
		if i < 0 {
			i += len(v)
		}
		return v[i], true
	}
	return nil, false
}

// TestLookUp: what the scripts' json says can be wrong.
func TestLookUp(t *testing.T) {
	const text = `{"a":[{"b":"x"},{"b":2}],"n":null,"e":[]}`
	for _, c := range []struct {
		path, want string
		found      bool
	}{
		{".a.0.b", "x", true}, {".a.-1.b", "2", true}, {".a.#", "2", true}, {".e", "[]", true}, {".n", "null", true},
		{".a.2.b", "", false}, {".a.x", "", false}, {".c", "", false}, {".a.0.b.c", "", false},
	} {
		if got, found, err := lookUp(text, c.path); got != c.want || found != c.found || err != nil {
			t.Errorf("%s: %q, %t, %v; want %q, %t", c.path, got, found, err, c.want, c.found)
		}
	}
	if _, _, err := lookUp(text+text, ".a"); err == nil {
		t.Error("two JSON values were taken for one")
	}
}
