package binding

import "strings"

const plannedOpen, plannedClose = "‹planned: ", "›"

// Planned is the value that only a write can give, as a plan shows it:
// Planned("IPv4 of hobby-1-r") reads "‹planned: IPv4 of hobby-1-r›".
func Planned(what string) string { return plannedOpen + what + plannedClose }

// IsPlanned tells whether s holds a planned value.
func IsPlanned(s string) bool { return strings.Contains(s, plannedOpen) }

// HoldsPlanned tells whether plain data contains a planned value anywhere.
func HoldsPlanned(v any) bool {
	switch v := v.(type) {
	case string:
		return IsPlanned(v)
	case []any:
		for _, x := range v {
			if HoldsPlanned(x) {
				return true
			}
		}
	case map[string]any:
		for _, x := range v {
			if HoldsPlanned(x) {
				return true
			}
		}
	}
	return false
}

// plannedMap marks a map of which a plan cannot know the keys: it answers
// every key with a planned value of its kind.
const plannedMap = "$planned"

// PlannedEntry is what a planned map (see PlannedResult) answers for key; ok is
// false when m is none.
func PlannedEntry(m map[string]any, key string) (value any, ok bool) {
	what, ok := m[plannedMap].(string)
	if !ok {
		return nil, false
	}
	kind, _ := m["$of"].(string)
	return PlannedResult(&Type{Kind: Kind(kind)}, key+" of "+what), true
}

// PlannedResult is an answer of type t in which every string is planned:
// what a plan gives for a read whose own arguments are only planned.
func PlannedResult(t *Type, what string) any {
	switch t.Kind {
	case String, Duration, Moment, Any:
		return Planned(what)
	case Bool:
		return true
	case Integer, Number:
		return float64(0)
	case List:
		return []any{}
	case Map:
		return map[string]any{plannedMap: what, "$of": string(t.Elem.Kind)}
	case Record:
		out := map[string]any{}
		if t.Name != "" {
			out[typeKey] = t.Name
		}
		for _, f := range t.Fields {
			if v := PlannedResult(f.Type, f.Name+" of "+what); v != nil {
				out[f.Name] = v
			}
		}
		return out
	}
	return nil
}
