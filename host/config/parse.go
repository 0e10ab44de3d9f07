package config

import (
	"bytes"
	"errors"
	"path/filepath"
	"reflect"
	"sort"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/webhost-systems/drhost/host/secret/sealed"
)

// file is the shape of drhost.toml.
type file struct {
	DefaultEnv string                    `toml:"default_env"`
	Env        map[string]map[string]any `toml:"env"` // checked against the modules by Check
	Contacts   []Contact                 `toml:"contacts"`
	Protected  Protected                 `toml:"protected"`
	Objectives map[string]Objective      `toml:"objectives"`
	SLA        SLA                       `toml:"sla"`
	Drill      Drill                     `toml:"drill"`
	Limits     Limits                    `toml:"limits"`
	Approvers  []Approver                `toml:"approvers"`
	Secrets    Secrets                   `toml:"secrets"`
}

func parse(path string, text []byte) (*Config, error) {
	c := &Config{Path: path, Dir: filepath.Dir(path)}
	var f file
	dec := toml.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return nil, c.explain(err)
	}
	c.lines = locate(text)
	c.DefaultEnv, c.Contacts, c.Protected, c.Objectives = f.DefaultEnv, f.Contacts, f.Protected, f.Objectives
	c.SLA, c.Drill, c.Limits, c.Approvers, c.Secrets = f.SLA, f.Drill, f.Limits, f.Approvers, f.Secrets
	mistakes := c.takeEnvironments(f.Env)
	mistakes = append(mistakes, c.checkOwn()...)
	if err := joined(mistakes); err != nil {
		return nil, err
	}
	return c, nil
}

// explain turns the decoder's errors into ours. Its own text quotes the line,
// which may hold what should not be printed.
func (c *Config) explain(err error) error {
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) {
		var mistakes []*Error
		for i := range unknown.Errors {
			e := &unknown.Errors[i]
			mistakes = append(mistakes, c.unknownKey(e))
		}
		return joined(mistakes)
	}
	var bad *toml.DecodeError
	if errors.As(err, &bad) {
		line, _ := bad.Position()
		message := inWords(strings.TrimPrefix(bad.Error(), "toml: "))
		if key := strings.Join(bad.Key(), "."); key != "" {
			message = key + ": " + message
		}
		return &Error{Path: c.Path, Line: line, Message: message}
	}
	return &Error{Path: c.Path, Message: strings.TrimPrefix(err.Error(), "toml: ")}
}

// inWords says for a person what the decoder says for a programmer.
func inWords(message string) string {
	_, kind, mismatch := strings.Cut(message, " into struct field ")
	switch {
	case mismatch && strings.HasSuffix(kind, "float64"), mismatch && strings.HasSuffix(kind, "int"):
		return "must be a number"
	case mismatch && strings.HasSuffix(kind, "type string"):
		return "must be text in double quotes"
	case mismatch && strings.Contains(kind, "type []"):
		return "must be a list"
	case strings.Contains(message, "at start of value"):
		return message + `; text is written in double quotes`
	}
	return message
}

func (c *Config) unknownKey(e *toml.DecodeError) *Error {
	line, _ := e.Position()
	key := e.Key()
	at := reflect.TypeFor[file]()
	for i, part := range key {
		for at.Kind() == reflect.Slice || at.Kind() == reflect.Pointer {
			at = at.Elem()
		}
		if at.Kind() == reflect.Map {
			at = at.Elem()
			continue
		}
		if at.Kind() != reflect.Struct {
			break
		}
		inner, names := fieldByTag(at, part)
		if inner != nil {
			at = inner
			continue
		}
		return &Error{Path: c.Path, Line: line, Message: "there is no key " + quoted(key[:i+1]) + didYouMean(part, names)}
	}
	return &Error{Path: c.Path, Line: line, Message: "there is no key " + quoted(key)}
}

func quoted(key []string) string { return `"` + strings.Join(key, ".") + `"` }

func fieldByTag(t reflect.Type, tag string) (reflect.Type, []string) {
	var names []string
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Tag.Get("toml")
		if name == tag {
			return f.Type, nil
		}
		if name != "" {
			names = append(names, name)
		}
	}
	return nil, names
}

// takeEnvironments checks that each environment holds tables only, and turns
// their values into plain data.
func (c *Config) takeEnvironments(envs map[string]map[string]any) []*Error {
	var mistakes []*Error
	c.envs, c.flags = map[string]map[string]map[string]any{}, map[string]flags{}
	for name, modules := range envs {
		c.envs[name] = map[string]map[string]any{}
		for module, settings := range modules {
			if c.takeFlag(name, module, settings) {
				continue
			}
			table, ok := plain(settings).(map[string]any)
			if !ok {
				mistakes = append(mistakes, c.wrong([]string{"env", name, module},
					"[env.%s] holds one table for each module, and %q is none: write [env.%s.<module>] above it", name, module, name))
				continue
			}
			c.envs[name][module] = table
		}
	}
	if len(c.envs) == 0 {
		c.envs["production"], c.envs["staging"] = map[string]map[string]any{}, map[string]map[string]any{}
	}
	return mistakes
}

// takeFlag takes what an environment says of itself; ok is false when key is
// none of that.
func (c *Config) takeFlag(env, key string, value any) (ok bool) {
	on, isBool := value.(bool)
	f := c.flags[env]
	switch {
	case !isBool:
		return false
	case key == "simulated":
		f.simulated = on
	case key == "shares_credentials":
		f.shares = on
	default:
		return false
	}
	c.flags[env] = f
	return true
}

// plain turns what the decoder gives into what bindings take.
func plain(v any) any {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case toml.LocalDate:
		return v.String()
	case toml.LocalTime:
		return v.String()
	case toml.LocalDateTime:
		return v.String()
	case map[string]any:
		for k := range v {
			v[k] = plain(v[k])
		}
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	}
	return v
}

// checkOwn checks what the file says about drhost itself.
func (c *Config) checkOwn() []*Error {
	var mistakes []*Error
	environments := c.Environments()
	switch _, known := c.envs[c.DefaultEnv]; {
	case c.DefaultEnv == "" && len(environments) == 1:
		c.DefaultEnv = environments[0]
	case c.DefaultEnv == "":
		c.DefaultEnv = "production"
	case !known:
		mistakes = append(mistakes, c.wrong([]string{"default_env"}, "default_env: there is no environment %q%s",
			c.DefaultEnv, didYouMean(c.DefaultEnv, environments)))
	}
	for i, contact := range c.Contacts {
		if contact.Role == "" || contact.Person == "" {
			mistakes = append(mistakes, c.wrong([]string{"contacts", index(i)}, "a contact needs a role and a person"))
		}
	}
	mistakes = append(mistakes, c.checkApprovers()...)
	if a := c.SLA.Availability; a < 0 || a > 100 {
		mistakes = append(mistakes, c.wrong([]string{"sla", "availability"}, "sla.availability is a percentage such as 99.9, not %v", a))
	}
	if c.Limits.Memory < 0 {
		mistakes = append(mistakes, c.wrong([]string{"limits", "memory_mb"}, "limits.memory_mb cannot be negative"))
	}
	for i, recipient := range c.Secrets.Recipients {
		if err := sealed.BadRecipient(recipient); err != nil {
			mistakes = append(mistakes, c.wrong([]string{"secrets", "recipients", index(i)}, "secrets.recipients, number %d: %v", i+1, err))
		}
	}
	if strings.HasPrefix(c.Secrets.Identity, "AGE-SECRET-KEY-") {
		mistakes = append(mistakes, c.wrong([]string{"secrets", "identity"}, "secrets.identity is the path of the key's file, not the key itself: keep the key out of %s, and make a new one, because this one was written down", File))
	}
	return mistakes
}

// joined returns the mistakes by line, or nil.
func joined(mistakes []*Error) error {
	sort.SliceStable(mistakes, func(i, j int) bool {
		if a, b := mistakes[i].Line, mistakes[j].Line; a != b {
			return a < b
		}
		return mistakes[i].Message < mistakes[j].Message
	})
	errs := make([]error, len(mistakes))
	for i, m := range mistakes {
		errs[i] = m
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

// Mistakes are those that an error of Load or Check tells of, one after the
// other.
func Mistakes(err error) []*Error {
	var one *Error
	var several interface{ Unwrap() []error }
	if errors.As(err, &several) {
		var out []*Error
		for _, e := range several.Unwrap() {
			out = append(out, Mistakes(e)...)
		}
		return out
	}
	if errors.As(err, &one) {
		return []*Error{one}
	}
	return nil
}
