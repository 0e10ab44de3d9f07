package world

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Inject puts a fault into the world by its name, as `drhost sim fault` and
// the control port do. An unknown name or argument is an error.
func (w *World) Inject(name string, args map[string]any) error {
	a := &arguments{name: name, given: args}
	do := w.fault(a)
	if do == nil {
		return w.known(name)
	}
	if err := a.finish(); err != nil {
		return err
	}
	return do()
}

// FaultArguments are the names of a fault's arguments, none when there is no
// such fault.
func FaultArguments(name string) []string {
	a := &arguments{name: name}
	new(World).fault(a) // reads the arguments, and does nothing
	return a.known
}

// fault reads the arguments of a fault and answers what carries it out, or nil
// when there is none of that name.
func (w *World) fault(a *arguments) (do func() error) {
	switch a.name {
	case "kill_server":
		server := a.text("server", true)
		do = func() error { return w.KillServer(server) }
	case "hang_server":
		server := a.text("server", true)
		do = func() error { return w.HangServer(server) }
	case "break_server":
		server := a.text("server", true)
		do = func() error { return w.BreakServer(server) }
	case "sold_out":
		location, kind := a.text("location", true), a.text("type", false)
		do = func() error { return w.SoldOut(location, kind) }
	case "wrong_record":
		record, kind, content, ttl := a.text("name", true), a.text("type", false), a.text("content", false), int(a.number("ttl"))
		do = func() error { return w.WrongRecord(record, kind, content, ttl) }
	case "later":
		provider, method, path, count := a.text("provider", true), a.text("method", false), a.text("path", false), int(a.number("count"))
		fault, with := a.text("fault", true), a.table("args")
		do = func() error { return w.Later(provider, method, path, count, fault, with) }
	case "lose_record":
		record, kind := a.text("name", true), a.text("type", false)
		do = func() error { return w.LoseRecord(record, kind) }
	case "rogue_record":
		record, kind, content, ttl := a.text("name", true), a.text("type", false), a.text("content", true), int(a.number("ttl"))
		do = func() error { return w.RogueRecord(record, kind, content, ttl) }
	case "zone_status":
		zone, status := a.text("zone", true), a.text("status", true)
		do = func() error { return w.ZoneStatus(zone, status) }
	case "revoke_token":
		provider := a.text("provider", true)
		do = func() error { return w.RevokeToken(provider) }
	case "heal_api":
		provider := a.text("provider", true)
		do = func() error { return w.HealAPI(provider) }
	case "api":
		provider := a.text("provider", true)
		f := APIFault{Kind: a.text("kind", true), Count: int(a.number("count")), Factor: a.number("factor"),
			Status: int(a.number("status")), Cut: a.flag("cut"), Method: a.text("method", false), Path: a.text("path", false)}
		do = func() error { return w.FailAPI(provider, f) }
	case "cut_provider":
		provider := a.text("provider", true)
		do = func() error { return w.CutProvider(provider) }
	default:
		return w.flyFault(a)
	}
	return do
}

// FaultNames are the names that Inject knows.
func FaultNames() []string {
	return []string{"api", "bad_release", "break_server", "cut_provider", "disk_full", "hang_machine", "hang_server", "heal_api", "hold_lease", "kill_machine",
		"kill_server", "later", "lose_leader", "lose_machine", "lose_record", "region_down", "region_full", "region_up", "replica_lag", "revoke_token",
		"rogue_record", "sold_out", "wrong_record", "zone_status"}
}

// known refuses a name that Inject does not know.
func (w *World) known(fault string) error {
	if !slices.Contains(FaultNames(), fault) {
		return fmt.Errorf("there is no fault %q; there are %s", fault, strings.Join(FaultNames(), ", "))
	}
	return nil
}

// flyFault reads the arguments of a fault of Fly.io, or returns nil.
func (w *World) flyFault(a *arguments) func() error {
	one := func(key string, do func(string) error) func() error {
		value := a.text(key, true)
		return func() error { return do(value) }
	}
	switch a.name {
	case "kill_machine":
		return one("machine", w.KillMachine)
	case "lose_machine":
		return one("machine", w.LoseMachine)
	case "hang_machine":
		return one("machine", w.HangMachine)
	case "hold_lease":
		machine, by, minutes := a.text("machine", true), a.text("by", false), a.number("minutes")
		return func() error { return w.HoldLease(machine, by, minutes) }
	case "replica_lag":
		return one("machine", w.ReplicaLag)
	case "lose_leader":
		return one("app", w.LoseLeader)
	case "disk_full":
		return one("app", w.DiskFull)
	case "region_down":
		return one("region", func(name string) error { return w.Region(name, false) })
	case "region_up":
		return one("region", func(name string) error { return w.Region(name, true) })
	case "region_full":
		return one("region", w.RegionFull)
	case "bad_release":
		app, image := a.text("app", true), a.text("image", false)
		return func() error { return w.BadRelease(app, image) }
	}
	return nil
}

// arguments reads the arguments of a fault and remembers what is wrong.
type arguments struct {
	name  string
	given map[string]any
	known []string
	err   error
}

func (a *arguments) take(key string) (any, bool) {
	a.known = append(a.known, key)
	v, ok := a.given[key]
	return v, ok
}

func (a *arguments) wrong(key, want string) {
	if a.err == nil {
		a.err = fmt.Errorf("%s: %s must be %s", a.name, key, want)
	}
}

func (a *arguments) text(key string, required bool) string {
	v, ok := a.take(key)
	s, isText := v.(string)
	switch {
	case ok && !isText:
		a.wrong(key, "a text")
	case required && s == "" && a.err == nil:
		a.err = fmt.Errorf("%s needs %s", a.name, key)
	}
	return s
}

func (a *arguments) number(key string) float64 {
	v, ok := a.take(key)
	switch n := v.(type) {
	case float64:
		return n
	case int:
		return float64(n)
	}
	if ok {
		a.wrong(key, "a number")
	}
	return 0
}

func (a *arguments) table(key string) map[string]any {
	v, ok := a.take(key)
	m, isTable := v.(map[string]any)
	if text, isText := v.(string); isText { // as a command line gives it
		isTable = json.Unmarshal([]byte(text), &m) == nil && m != nil
	}
	if ok && !isTable {
		a.wrong(key, `a table, such as {"provider":"fly"}`)
	}
	return m
}

func (a *arguments) flag(key string) bool {
	v, ok := a.take(key)
	b, isFlag := v.(bool)
	if ok && !isFlag {
		a.wrong(key, "true or false")
	}
	return b
}

func (a *arguments) finish() error {
	for key := range a.given {
		if !slices.Contains(a.known, key) {
			return fmt.Errorf("%s: there is no argument %q; there are %s", a.name, key, strings.Join(a.known, ", "))
		}
	}
	return a.err
}
