package plan

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/journal"
)

// TestFits: what a plan could not know fits everything that it may turn out to
// be, and what it knew fits nothing else.
func TestFits(t *testing.T) {
	address := binding.Planned("IPv4 of a")
	nested := binding.Planned("host key of " + address)
	type data = map[string]any
	for _, c := range []struct {
		planned, given any
		fits           bool
	}{
		{"a", "a", true},
		{"a", "b", false},
		{address, "203.0.113.9", true},
		{address, nil, false},
		{"root@" + address + ":/var", "root@203.0.113.9:/var", true},
		{"root@" + address + ":/var", "admin@203.0.113.9:/var", false},
		{"root@" + address + ":/var", "root@203.0.113.9:/etc", false},
		{address + "-" + address, "x-y", true},
		{address + "-" + address, "xy", false},
		{"<" + nested + ">", "<SHA256:abc>", true},
		{"<" + nested + ">", "SHA256:abc>", false},
		{data{"n": 1.0, "s": address}, data{"n": 1.0, "s": "x"}, true},
		{data{"n": 1.0, "s": address}, data{"n": 2.0, "s": "x"}, false},
		{data{"n": 1.0}, data{"n": 1.0, "more": true}, false},
		{data{"n": 1.0, "more": true}, data{"n": 1.0}, false},
		{binding.PlannedValue(binding.Number, "rows"), 17.0, true},
		{data{"rows": binding.PlannedValue(binding.Number, "rows")}, data{"rows": 17.0}, true},
		{[]any{"a", address}, []any{"a", "x"}, true},
		{[]any{"a", address}, []any{"a"}, false},
		{[]any{}, data{}, true},
		{data(nil), data{}, true},
	} {
		if got := Fits(c.planned, c.given); got != c.fits {
			t.Errorf("Fits(%v, %v) is %v", c.planned, c.given, got)
		}
	}
}

// called is a call of the plan in step "S".
func called(call string) journal.PlanCall {
	return journal.PlanCall{Path: "S", Call: call, Args: map[string]any{}, Says: call}
}

// TestFollower: a run is held against the ways that it may still be on.
func TestFollower(t *testing.T) {
	p := journal.Plan{Calls: []journal.PlanCall{called("a"), called("b"), called("c")}, Ways: []journal.PlanWay{
		{Decisions: map[string]int{"S/eventually1": 0}, Calls: []int{0}},
		{Decisions: map[string]int{"S/eventually1": 1}, Calls: []int{0, 1, 1}},
		{Decisions: map[string]int{"S/eventually1": 1, "S/expect1": 1}, Calls: []int{0, 2}},
	}}
	none := map[string]any{}
	for name, c := range map[string]struct {
		does    []string // calls, "=key:n" decisions, "!n" failures of call n, "%n" such that were carried out
		strange int      // how many are not in the plan
		left    string
	}{
		"nothing":                      {nil, 0, "a"},
		"the first way":                {[]string{"a", "=S/eventually1:0"}, 0, ""},
		"the second, half":             {[]string{"a", "=S/eventually1:1", "b"}, 0, "b"},
		"the second":                   {[]string{"a", "=S/eventually1:1", "b", "b"}, 0, ""},
		"the third":                    {[]string{"a", "=S/eventually1:1", "=S/expect1:1", "c"}, 0, ""},
		"once too often":               {[]string{"a", "a"}, 1, ""},
		"again after it failed":        {[]string{"a", "!1", "a", "=S/eventually1:0"}, 0, ""},
		"carried out, in vain":         {[]string{"a", "%1", "=S/eventually1:0"}, 0, ""},
		"in vain, and once more":       {[]string{"a", "%1", "a", "=S/eventually1:0"}, 0, ""},
		"a call of another way":        {[]string{"a", "=S/eventually1:0", "b"}, 1, ""},
		"two ways at once":             {[]string{"a", "b", "c"}, 1, "b"},
		"what the plan does not know":  {[]string{"a", "d", "=S/eventually1:0"}, 1, ""},
		"a decision that is not there": {[]string{"a", "=S/eventually1:0", "=T/ask1:2"}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := Follow("p", p)
			strange, calls := 0, 0
			for _, what := range c.does {
				switch {
				case strings.HasPrefix(what, "="):
					key, n, _ := strings.Cut(what[1:], ":")
					f.Decided(journal.Decision{Key: key, Choice: int(n[0] - '0')})
				case strings.HasPrefix(what, "!"), strings.HasPrefix(what, "%"):
					f.Failed("S/"+what[1:], what[0] == '%')
				default:
					calls++
					if f.Calling(fmt.Sprintf("S/%d", calls), what, none) != "" {
						strange++
					}
				}
			}
			var left []string
			for _, l := range f.NotDone() {
				left = append(left, l.Says)
			}
			if strange != c.strange || strings.Join(left, " ") != c.left {
				t.Errorf("%d are strange, not %d; left is %q, not %q", strange, c.strange, left, c.left)
			}
		})
	}
	f := Follow("p", p)
	if why := f.Calling("T/1", "a", none); !strings.Contains(why, "no such call in this step") {
		t.Errorf("in another step: %q", why)
	}
	if why := f.Calling("S/1", "a", map[string]any{"x": 1.0}); !strings.Contains(why, "other arguments") {
		t.Errorf("with other arguments: %q", why)
	}
}

// TestExploreEnough: the first way is always followed, others only while there
// is time, and what is left is counted.
func TestExploreEnough(t *testing.T) {
	var seen []string
	ways, left, err := Explore(t.Context(), NewBook(func(journal.Outcome) error { return nil }), 100, func() bool { return len(seen) >= 3 },
		func(_ context.Context, w *Way) error {
			text := ""
			for i := range 4 {
				text += fmt.Sprint(w.Decide(journal.Decision{Key: fmt.Sprint("d", i), Choices: []string{"yes", "no"}, Site: journal.Site{Line: i}}))
			}
			seen = append(seen, text)
			return nil
		})
	if err != nil || len(ways) != 3 || !slices.Equal(seen, []string{"0000", "1000", "0100"}) {
		t.Errorf("followed %v, %v", seen, err)
	}
	if left != 7 { // 0010, 0001; 1100, 1010, 1001; 0110, 0101
		t.Errorf("%d left out", left)
	}
	all, left, err := Explore(t.Context(), NewBook(func(journal.Outcome) error { return nil }), 100, func() bool { return false },
		func(_ context.Context, w *Way) error {
			for i := range 4 {
				w.Decide(journal.Decision{Key: fmt.Sprint("d", i), Choices: []string{"yes", "no"}, Site: journal.Site{Line: i}})
			}
			return nil
		})
	if err != nil || len(all) != 16 || left != 0 {
		t.Errorf("%d ways, %d left out, %v", len(all), left, err)
	}
}
