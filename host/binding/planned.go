package binding

import (
	"math"
	"strings"
)

const plannedOpen, plannedClose = "‹planned: ", "›"

// Planned is the value that only a write can give, as a plan shows it:
// Planned("IPv4 of hobby-1-r") reads "‹planned: IPv4 of hobby-1-r›".
func Planned(what string) string { return plannedOpen + what + plannedClose }

// IsPlanned tells whether s holds a planned value.
func IsPlanned(s string) bool { return strings.Contains(s, plannedOpen) }

// KnownParts are the pieces of s around its planned values, the first and the
// last of them maybe empty.
func KnownParts(s string) []string {
	var parts []string
	for {
		open := strings.Index(s, plannedOpen)
		if open < 0 {
			return append(parts, s)
		}
		parts, s = append(parts, s[:open]), s[open+len(plannedOpen):]
		for nested := 1; nested > 0; { // a planned value may be named after another
			end, inner := strings.Index(s, plannedClose), strings.Index(s, plannedOpen)
			switch {
			case end < 0:
				return append(parts, "")
			case inner >= 0 && inner < end:
				nested, s = nested+1, s[inner+len(plannedOpen):]
			default:
				nested, s = nested-1, s[end+len(plannedClose):]
			}
		}
	}
}

// plannedBits is a NaN that only PlannedNumber gives: arithmetic on it gives it
// again, so that a plan can tell what rests on a number that nobody knows yet.
const plannedBits = 0x7FF8_0000_00D1_2057

// PlannedNumber stands in a plan for a number that only a write can give.
func PlannedNumber() float64 { return math.Float64frombits(plannedBits) }

// IsPlannedNumber tells whether n is one, or was reckoned from one.
func IsPlannedNumber(n float64) bool {
	return math.IsNaN(n) && math.Float64bits(n)&^(1<<63) == plannedBits
}

// PlannedInteger stands for such a number in the result of a Predict.
const PlannedInteger = math.MinInt64 + 0xD12057

// PlannedValue is the plain form of a value of kind k that only a write, or the
// world after one, can give.
func PlannedValue(k Kind, what string) map[string]any {
	return map[string]any{plannedMap: what, plannedOf: string(k)}
}

// PlannedKind returns what a plain planned value is about and its kind; ok is
// false for everything else.
func PlannedKind(v any) (what string, k Kind, ok bool) {
	m, isMap := v.(map[string]any)
	if !isMap {
		return "", "", false
	}
	what, ok = m[plannedMap].(string)
	of, _ := m[plannedOf].(string)
	return what, Kind(of), ok
}

// Doubt returns v, the answer of a read, as a plan may use it that has predicted
// changes since: every yes or no in it, every state and every number by name is
// planned, because the changes may alter just that. Names, addresses and other
// text stay. what says what was read.
func Doubt(v any, what string) any {
	switch v := v.(type) {
	case bool:
		return PlannedValue(Bool, what)
	case []any:
		for i := range v {
			if _, flag := v[i].(bool); !flag {
				v[i] = Doubt(v[i], what)
			}
		}
	case map[string]any:
		_, record := v[typeKey]
		out := make(map[string]any, len(v))
		for k, x := range v {
			about := k + " of " + what
			switch x := x.(type) {
			case string:
				if record && stateful(k) {
					out[k] = Planned(about)
					continue
				}
				out[k] = x
			case float64:
				if !record {
					out[k] = PlannedValue(Number, about)
					continue
				}
				out[k] = x
			default:
				out[k] = Doubt(x, about)
			}
		}
		return out
	}
	return v
}

// stateful tells of fields that say how something is at the moment.
func stateful(field string) bool {
	switch field {
	case "status", "state", "health", "phase", "role", "says", "reason":
		return true
	}
	return false
}

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
	case float64:
		return IsPlannedNumber(v)
	case map[string]any:
		if _, planned := v[plannedMap]; planned {
			return true
		}
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
const (
	plannedMap = "$planned"
	plannedOf  = "$of"
)

// PlannedEntry is what a planned map, or planned data of no fixed shape (see
// PlannedResult), answers for key; ok is false when m is none.
func PlannedEntry(m map[string]any, key string) (value any, ok bool) {
	what, kind, ok := PlannedKind(m)
	if !ok || kind == Bool || kind == Integer || kind == Number || kind == List {
		return nil, false
	}
	if kind == Any {
		return PlannedValue(Any, key+" of "+what), true
	}
	elem, _ := m[plannedItem].(string)
	return PlannedResult(&Type{Kind: Kind(elem)}, key+" of "+what), true
}

// PlannedResult is an answer of type t in which everything is planned: what a
// plan gives for a read whose own arguments are only planned.
func PlannedResult(t *Type, what string) any {
	switch t.Kind {
	case String, Duration, Moment:
		return Planned(what)
	case Bool, Integer, Number, Any:
		return PlannedValue(t.Kind, what)
	case List:
		m := PlannedValue(List, what)
		if t.Elem != nil {
			m[plannedItem] = PlannedResult(t.Elem, "one of "+what)
		}
		return m
	case Map:
		m := PlannedValue(Map, what)
		m[plannedItem] = string(t.Elem.Kind)
		return m
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

// plannedItem is, in a planned list, what one of its items is like.
const plannedItem = "$item"

// PlannedItem is what an item of a planned list is like.
func PlannedItem(v any) any {
	m, _ := v.(map[string]any)
	return m[plannedItem]
}
