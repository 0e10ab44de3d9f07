package hetznersim

import (
	"regexp"
	"slices"
	"strings"
)

// labelValue and labelKey are the vendor's rules, which are Kubernetes'.
const (
	labelValue = `(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?`
	labelKey   = `(?:[A-Za-z0-9.-]{1,253}/)?[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?`
)

// Compiled once; they never change.
var (
	keyForm   = regexp.MustCompile(`^` + labelKey + `$`)
	valueForm = regexp.MustCompile(`^` + labelValue + `$`)
	setForm   = regexp.MustCompile(`^(` + labelKey + `)\s+(in|notin)\s*\(([^()]*)\)$`)
)

func isLabelKey(text string) bool   { return keyForm.MatchString(text) }
func isLabelValue(text string) bool { return valueForm.MatchString(text) }

// checkLabels refuses labels that the vendor would refuse.
func checkLabels(labels map[string]string) error {
	for key, value := range labels {
		if !isLabelKey(key) {
			return invalid("labels", "%q is not a valid label key", key)
		}
		if !isLabelValue(value) {
			return invalid("labels", "the value of label %q is not valid", key)
		}
	}
	return nil
}

// selector tells whether labels match.
type selector func(labels map[string]string) bool

// parseSelector reads a label selector: k, !k, k=v, k==v, k!=v, k in (a,b),
// k notin (a,b), joined by commas. An empty one matches everything.
func parseSelector(text string) (selector, error) {
	var all []selector
	for _, part := range splitSelector(text) {
		one, ok := parseRequirement(strings.TrimSpace(part))
		if !ok {
			return nil, invalid("label_selector", "cannot be read at %q", part)
		}
		all = append(all, one)
	}
	return func(labels map[string]string) bool {
		return !slices.ContainsFunc(all, func(one selector) bool { return !one(labels) })
	}, nil
}

// splitSelector splits at commas outside parentheses.
func splitSelector(text string) []string {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	var parts []string
	depth, from := 0, 0
	for i, r := range text {
		switch {
		case r == '(':
			depth++
		case r == ')':
			depth--
		case r == ',' && depth == 0:
			parts, from = append(parts, text[from:i]), i+1
		}
	}
	return append(parts, text[from:])
}

func parseRequirement(text string) (selector, bool) {
	if m := setForm.FindStringSubmatch(text); m != nil {
		values := strings.Split(m[3], ",")
		for i, value := range values {
			values[i] = strings.TrimSpace(value)
		}
		wanted := m[2] == "in"
		return func(labels map[string]string) bool {
			value, has := labels[m[1]]
			return (has && slices.Contains(values, value)) == wanted
		}, true
	}
	if key, negated := strings.CutPrefix(text, "!"); negated && isLabelKey(key) {
		return func(labels map[string]string) bool { _, has := labels[key]; return !has }, true
	}
	for _, operator := range []string{"!=", "==", "="} {
		key, value, found := strings.Cut(text, operator)
		if !found {
			continue
		}
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !isLabelKey(key) || !isLabelValue(value) {
			return nil, false
		}
		return func(labels map[string]string) bool {
			has, present := labels[key]
			return (present && has == value) == (operator != "!=")
		}, true
	}
	return func(labels map[string]string) bool { _, has := labels[text]; return has }, isLabelKey(text)
}
