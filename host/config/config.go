// Package config reads drhost.toml: environments, contacts, objectives and
// what is protected. It also resolves references to credentials. It must never
// keep, print or accept a credential itself, and never ignore a key that it
// does not know: in an emergency a typo must be found when the file is read,
// not when its default bites.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/secret/sealed"
)

// File is the name of the configuration.
const File = "drhost.toml"

// Config is what drhost.toml says.
type Config struct {
	// Path is the file, empty when there is none.
	Path string
	// Dir is the file's folder, else the one the search began in. Relative
	// paths in the file start here.
	Dir        string
	DefaultEnv string
	Contacts   []Contact
	Protected  Protected
	Objectives map[string]Objective
	SLA        SLA
	Drill      Drill
	Limits     Limits
	Approvers  []Approver
	Secrets    Secrets

	envs  map[string]map[string]map[string]any
	flags map[string]flags
	lines positions
}

// Approver is a person whose signed answers count. Key is an SSH public key of
// type ed25519, as in authorized_keys.
type Approver struct {
	Name string `toml:"name"`
	Key  string `toml:"key"`
}

// flags are what an environment says of itself, beside its modules.
type flags struct {
	simulated bool
	shares    bool
}

// Contact is one line of the plan's table of emergency contacts.
type Contact struct {
	Role   string `toml:"role"`
	Person string `toml:"person"`
	Email  string `toml:"email"`
	Phone  string `toml:"phone"`
	Backup string `toml:"backup"` // another contact's person
}

// Protected names what is touched only after its name was typed.
type Protected struct {
	Servers   []string `toml:"servers"`
	Databases []string `toml:"databases"`
	Zones     []string `toml:"zones"`
}

// Objective is a component's target.
type Objective struct {
	RTO Duration `toml:"rto"`
	RPO Duration `toml:"rpo"`
}

// SLA is what was promised to customers.
type SLA struct {
	Availability float64 `toml:"availability"` // percent of a month: 99.9
}

// Drill says how drills are held.
type Drill struct {
	Notify []string `toml:"notify"` // the channels or people a drill's messages go to
}

// Limits bound what a run may use. Zero leaves drhost's own bound in place.
type Limits struct {
	Call   Duration `toml:"call"` // one call, without a deadline of its own
	Step   Duration `toml:"step"`
	Run    Duration `toml:"run"`
	Memory int      `toml:"memory_mb"` // of the runbook's values
}

// Secrets says where sealed credentials are kept, who can open them, and with
// which key this machine does.
type Secrets struct {
	Folder     string   `toml:"folder"`     // "secrets" when empty
	Recipients []string `toml:"recipients"` // public keys: age1..., ssh-ed25519 ..., ssh-rsa ...
	Identity   string   `toml:"identity"`   // file of a private key; never the key itself
}

// Duration reads "30s", "5m", "1h30m".
type Duration time.Duration

// UnmarshalText refuses what is no duration or is negative.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil || v < 0 {
		return fmt.Errorf(`must be a duration such as "30s", "5m" or "1h30m", not %q`, text)
	}
	*d = Duration(v)
	return nil
}

func (d Duration) String() string { return time.Duration(d).String() }

// Error is one mistake in the file.
type Error struct {
	Path    string
	Line    int // 0 when it is not known
	Message string
}

// Error reads "drhost.toml:12: message".
func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.Path, e.Message)
	}
	return fmt.Sprintf("%s:%d: %s", e.Path, e.Line, e.Message)
}

// Load finds drhost.toml upward from start, a folder or a file in it, and
// reads it. Without one the result has the environments production and
// staging, without settings, and Dir is start's folder. Mistakes are *Error,
// joined when there are several.
func Load(start string) (*Config, error) {
	dir, err := folderOf(start)
	if err != nil {
		return nil, fmt.Errorf("look for %s: %w", File, err)
	}
	for at := dir; ; at = filepath.Dir(at) {
		path := filepath.Join(at, File)
		text, err := os.ReadFile(path)
		if err == nil {
			return parse(path, bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))) // some editors begin with a byte order mark
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("read the configuration: %w", err)
		}
		if at == filepath.Dir(at) {
			break
		}
	}
	return &Config{Dir: dir, DefaultEnv: "production", envs: map[string]map[string]map[string]any{"production": {}, "staging": {}}}, nil
}

func folderOf(start string) (string, error) {
	dir, err := filepath.Abs(start)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		dir = filepath.Dir(dir)
	}
	return dir, nil
}

// StateDir is where runs are kept when the command line does not say
// otherwise.
func (c *Config) StateDir() string { return filepath.Join(c.Dir, ".drhost") }

// SealedDir is where sealed credentials are kept.
func (c *Config) SealedDir() string {
	if c.Secrets.Folder == "" {
		return filepath.Join(c.Dir, "secrets")
	}
	return c.located(c.Secrets.Folder)
}

// SealedReferences are the settings that refer to sealed credentials, by the
// credential's name: "env.production.hetzner.token".
func (c *Config) SealedReferences() map[string][]string {
	found := map[string][]string{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case string:
			if name, ok := strings.CutPrefix(v, "sealed:"); ok && sealed.BadName(name) == "" {
				found[name] = append(found[name], path)
			}
		case map[string]any:
			for key, x := range v {
				walk(path+"."+key, x)
			}
		case []any:
			for i, x := range v {
				walk(path+"."+index(i), x)
			}
		}
	}
	for env, modules := range c.envs {
		for module, settings := range modules {
			walk("env."+env+"."+module, settings)
		}
	}
	for _, list := range found {
		sort.Strings(list)
	}
	return found
}

// Identity is the file of the private key that opens sealed credentials, empty
// when none is set.
func (c *Config) Identity() string {
	if c.Secrets.Identity == "" {
		return ""
	}
	return c.located(c.Secrets.Identity)
}

// located makes a path of the file absolute: "~" is the home folder, and
// relative paths start beside the file.
func (c *Config) located(path string) string { return located(path, c.Dir, os.Getenv) }

func located(path, dir string, getenv func(string) string) string {
	if path == "~" || strings.HasPrefix(path, "~/") {
		path = filepath.Join(getenv("HOME"), path[1:])
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	return path
}

// Environments returns their names, sorted.
func (c *Config) Environments() []string {
	names := make([]string, 0, len(c.envs))
	for name := range c.envs {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Env returns the settings of an environment by module; an empty name is
// DefaultEnv. The maps belong to the caller.
func (c *Config) Env(name string) (map[string]map[string]any, error) {
	if name == "" {
		name = c.DefaultEnv
	}
	modules, ok := c.envs[name]
	if !ok {
		return nil, c.wrong(nil, "there is no environment %q%s; there is %s", name,
			didYouMean(name, c.Environments()), quotedList(c.Environments()))
	}
	out := make(map[string]map[string]any, len(modules))
	for module, settings := range modules {
		out[module] = copied(settings).(map[string]any)
	}
	return out, nil
}

// Simulated tells whether the environment calls itself a simulated one:
// `simulated = true` under [env.<name>].
func (c *Config) Simulated(env string) bool { return c.flags[env].simulated }

// SharesCredentials tells whether the environment may use credentials of
// another: `shares_credentials = true` under [env.<name>].
func (c *Config) SharesCredentials(env string) bool { return c.flags[env].shares }

// Contact returns the contact with that role, or nil.
func (c *Config) Contact(role string) *Contact {
	for i := range c.Contacts {
		if c.Contacts[i].Role == role {
			return &c.Contacts[i]
		}
	}
	return nil
}

func copied(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[k] = copied(x)
		}
		return out
	case []any:
		out := slices.Clone(v)
		for i := range out {
			out[i] = copied(out[i])
		}
		return out
	}
	return v
}

// wrong returns a mistake at the place that path names in the file.
func (c *Config) wrong(path []string, format string, args ...any) *Error {
	file := c.Path
	if file == "" {
		file = File + " (there is none above " + c.Dir + ")"
	}
	return &Error{Path: file, Line: c.lines.line(path), Message: fmt.Sprintf(format, args...)}
}

func didYouMean(word string, candidates []string) string {
	if near := binding.Nearest(word, candidates); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

func quotedList(words []string) string {
	if len(words) == 0 {
		return "none"
	}
	text := ""
	for i, w := range words {
		switch {
		case i == 0:
		case i == len(words)-1:
			text += " and "
		default:
			text += ", "
		}
		text += fmt.Sprintf("%q", w)
	}
	return text
}
