package config

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/secret/sealed"
)

// Check holds every environment against the settings that the catalog's
// modules declare: unknown modules and keys, wrong types, missing values, and
// credentials that are written out instead of referred to. It resolves
// nothing.
func (c *Config) Check(catalog *binding.Catalog) error {
	var names []string
	for _, m := range catalog.Modules() {
		names = append(names, m.Name)
	}
	k := checker{config: c}
	for env, modules := range c.envs {
		for name, settings := range modules {
			path := []string{"env", env, name}
			module := catalog.Module(name)
			if module == nil {
				k.wrong(path, "there is no module %q%s", name, didYouMean(name, names))
				continue
			}
			k.record(path, module.Settings, settings)
		}
	}
	return joined(k.mistakes)
}

type checker struct {
	config   *Config
	mistakes []*Error
}

func (k *checker) wrong(path []string, format string, args ...any) {
	k.mistakes = append(k.mistakes, k.config.wrong(path, format, args...))
}

// must says what a value has to be; it does not say what it is, because that
// might be a credential in the wrong place.
func (k *checker) must(path []string, want string) {
	k.wrong(path, "%s must be %s", shown(path), want)
}

func shown(path []string) string { return strings.Join(path, ".") }

func with(path []string, key string) []string { return append(slices.Clone(path), key) }

func (k *checker) record(path []string, t *binding.Type, v any) {
	table, ok := v.(map[string]any)
	if !ok {
		k.must(path, "a table")
		return
	}
	var names []string
	for _, f := range t.Fields {
		names = append(names, f.Name)
		if _, given := table[f.Name]; !given && !f.Optional && f.Default == "" {
			k.wrong(path, "%s needs %s: %s", shown(path), f.Name, strings.TrimSuffix(f.Doc, "."))
		}
	}
	for key, value := range table {
		f := t.Field(key)
		if f == nil {
			k.wrong(with(path, key), "there is no setting %q in [%s]%s", key, shown(path), didYouMean(key, names))
			continue
		}
		k.value(with(path, key), f.Type, f.Enum, value)
	}
}

func (k *checker) value(path []string, t *binding.Type, enum []string, v any) {
	text, isText := v.(string)
	number, isNumber := v.(float64)
	switch t.Kind {
	case binding.Record:
		k.record(path, t, v)
	case binding.List:
		k.list(path, t, v)
	case binding.Map:
		table, ok := v.(map[string]any)
		if !ok {
			k.must(path, "a table")
		}
		for key, value := range table {
			k.value(with(path, key), t.Elem, nil, value)
		}
	case binding.String:
		if !isText {
			k.must(path, "a string")
		} else if len(enum) > 0 && !slices.Contains(enum, text) {
			k.wrong(path, "%s must be one of %s%s", shown(path), strings.Join(enum, ", "), didYouMean(text, enum))
		}
	case binding.Bool:
		if _, ok := v.(bool); !ok {
			k.must(path, "true or false")
		}
	case binding.Integer:
		if !isNumber || number != math.Trunc(number) {
			k.must(path, "a whole number")
		}
	case binding.Number:
		if !isNumber {
			k.must(path, "a number")
		}
	case binding.Duration:
		if d, err := time.ParseDuration(text); err != nil || d < 0 {
			k.must(path, `a duration such as "30s", "5m" or "1h30m"`)
		}
	case binding.Moment:
		if _, err := time.Parse(time.RFC3339Nano, text); err != nil {
			k.must(path, "a time such as 2026-02-28T03:00:00Z")
		}
	case binding.Secret:
		if why := badReference(text); !isText || why != "" {
			k.wrong(path, "%s: %s", shown(path), why)
		}
	}
}

func (k *checker) list(path []string, t *binding.Type, v any) {
	if _, isText := v.(string); isText && t.Elem.Kind == binding.String {
		return // one value, or several with commas
	}
	items, ok := v.([]any)
	if !ok {
		k.must(path, "a list")
	}
	for i, item := range items {
		k.value(with(path, index(i)), t.Elem, nil, item)
	}
}

// badReference tells what is wrong with a reference to a credential; it never
// repeats it, because it may be the credential.
func badReference(reference string) string {
	scheme, rest, ok := strings.Cut(reference, ":")
	if !ok || !slices.Contains(schemes(), scheme) {
		return "write where the credential is, not the credential itself: env:NAME, file:PATH, cmd:COMMAND or sealed:NAME"
	}
	if rest == "" {
		return fmt.Sprintf("something has to follow %s:", scheme)
	}
	if scheme == "sealed" {
		return sealed.BadName(rest)
	}
	return ""
}
