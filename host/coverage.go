package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/drill"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/report"
)

// Coverage tells which resources of an environment a drilled scenario covers.
type Coverage struct {
	Env       string    `json:"env"`
	Resources []Covered `json:"resources"`
	// Unread are the modules whose resources could not be listed, and why.
	Unread map[string]string `json:"unread,omitempty"`
}

// Covered is one resource beside the drills that name it.
type Covered struct {
	binding.Resource
	By      []string   `json:"covered_by,omitempty"` // drill files, the one that Result is of first
	Drilled *time.Time `json:"last_drilled,omitempty"`
	Run     string     `json:"run,omitempty"`
	Result  string     `json:"result"` // passed, overdue, failed, never drilled, no scenario
	Covers  bool       `json:"covered"`
}

// Results of a resource's drills, the best first.
const (
	drillPassed  = "passed"
	drillOverdue = "passed, but overdue"
	drillFailed  = "failed"
	neverDrilled = "never drilled"
	noScenario   = "no scenario"
)

// Coverage reads the environment live and holds what it finds against the
// drills in folder and their runs.
func (h *Host) Coverage(ctx context.Context, folder, envName string) (*Coverage, error) {
	p, err := h.open(folder)
	if err != nil {
		return nil, err
	}
	if envName == "" {
		envName = p.config.DefaultEnv
	}
	env, err := p.environment(envName, h.Clock)
	if err != nil {
		return nil, err
	}
	drills, err := h.drilled(ctx, p, folder)
	if err != nil {
		return nil, err
	}
	c := &Coverage{Env: envName, Unread: map[string]string{}}
	for _, r := range h.inventory(ctx, p, env, c.Unread) {
		c.Resources = append(c.Resources, judgeCoverage(r, drills))
	}
	return c, nil
}

// inventory lists what every module and the configuration know of.
func (h *Host) inventory(ctx context.Context, p *project, env *environment, unread map[string]string) []binding.Resource {
	var found []binding.Resource
	resolve := h.guarded(p, env, p.resolver(env, &h.redactor))
	for _, m := range h.Catalog.Modules() {
		if m.Inventory == nil {
			continue
		}
		client, err := m.Open(binding.Env{Name: env.name, Simulated: env.simulated, Settings: env.settings[m.Name], Net: env.net,
			Clock: env.clock, Secret: resolve, Dir: p.config.Dir, State: env.state})
		if err == nil {
			var list []binding.Resource
			list, err = m.Inventory(ctx, client)
			closeAll(map[string]any{m.Name: client})
			found = append(found, list...)
		}
		if err != nil {
			unread[m.Name] = h.redactor.Text(fault.As(err).Message)
		}
	}
	for kind, names := range map[string][]string{"server": p.config.Protected.Servers, "zone": p.config.Protected.Zones, "database": p.config.Protected.Databases} {
		for _, name := range names {
			found = append(found, binding.Resource{Kind: kind, Name: name})
		}
	}
	slices.SortStableFunc(found, func(a, b binding.Resource) int {
		return strings.Compare(a.Kind+"\x00"+a.Name, b.Kind+"\x00"+b.Name)
	})
	return slices.CompactFunc(found, func(a, b binding.Resource) bool { return a.Kind == b.Kind && a.Name == b.Name })
}

// rehearsed is a drill and the newest run of it.
type rehearsed struct {
	drill *drill.Drill
	names []string    // the values of its runbook's inputs
	run   *report.Run // nil: there is none
	state string
}

// drilled reads the drills in and under folder and the runs of the state
// folder. What does not load is left to check.
func (h *Host) drilled(ctx context.Context, p *project, folder string) ([]*rehearsed, error) {
	list, err := h.List(folder)
	if err != nil {
		return nil, err
	}
	var out []*rehearsed
	for _, l := range list {
		if l.Form != "drill" || l.Problem != "" {
			continue
		}
		d, err := drill.Parse(l.File, l.Head)
		if err != nil {
			continue
		}
		out = append(out, &rehearsed{drill: d, names: h.inputsOf(d), state: neverDrilled})
	}
	ids, err := p.store.List(ctx)
	if err != nil {
		return nil, journalError(err)
	}
	for _, id := range ids { // the newest last
		records, err := p.store.Read(ctx, id)
		if errors.Is(err, context.Canceled) {
			return nil, err
		}
		if err == nil {
			h.attribute(records, out)
		}
	}
	return out, nil
}

// attribute gives a run to the drill that it is one of.
func (h *Host) attribute(records []journal.Record, drills []*rehearsed) {
	if len(records) == 0 || records[0].Kind != journal.RunStarted {
		return
	}
	started, err := journal.Decode[journal.Started](records[0])
	if err != nil || started.Drill == "" {
		return
	}
	i := slices.IndexFunc(drills, func(r *rehearsed) bool { return r.drill.Title == started.Drill })
	if i < 0 {
		return
	}
	built, err := report.Build(records)
	if err != nil {
		return
	}
	r := drills[i]
	r.run, r.state = built, drillFailed
	if r.drill.Score(built, judged(built)).Passed {
		r.state = drillPassed
		if due := period(r.drill.Every); due > 0 && h.Clock.Now().Sub(built.Ended) > due {
			r.state = drillOverdue
		}
	}
}

// judged is what the expectations of a drill's run came to. Without any on
// record the drill was never judged.
func judged(r *report.Run) error {
	if len(r.Judgement) == 0 {
		return errors.New("the drill was not judged")
	}
	for _, n := range r.Judgement {
		if n.State != "done" {
			return fmt.Errorf("%s: %s", n.Title, n.State)
		}
	}
	return nil
}

// period is how long a drill counts, with some days of grace; 0: for ever.
func period(every string) time.Duration {
	const day = 24 * time.Hour
	switch every {
	case "daily":
		return 2 * day
	case "weekly":
		return 9 * day
	case "monthly":
		return 35 * day
	case "quarterly":
		return 100 * day
	}
	return 0
}

// inputsOf are the values that the drill's runbook is given, defaults too.
func (h *Host) inputsOf(d *drill.Drill) []string {
	given := map[string]string{}
	if source, err := readSource(d.Runbook); err == nil {
		if script, err := h.load(h.bundle(source)); err == nil {
			inputs, _ := script.Head["input"].(map[string]any)
			for name, v := range inputs {
				if described, ok := v.(map[string]any); ok {
					given[name], _ = described["default"].(string)
				}
			}
		}
	}
	for name, value := range d.Input {
		given[name] = value
	}
	var out []string
	for _, value := range given {
		if value != "" {
			out = append(out, value)
		}
	}
	return out
}

// judgeCoverage finds the drills that name a resource, and the best of them.
func judgeCoverage(r binding.Resource, drills []*rehearsed) Covered {
	c := Covered{Resource: r, Result: noScenario}
	best := slices.Index(results(), noScenario)
	for _, d := range drills {
		if !slices.ContainsFunc(d.names, func(value string) bool { return names(value, r) }) {
			continue
		}
		at := slices.Index(results(), d.state)
		better := at < best || (at == best && d.run != nil && c.Drilled != nil && d.run.Ended.After(*c.Drilled))
		if !better {
			c.By = append(c.By, d.drill.File)
			continue
		}
		best, c.Result, c.By = at, d.state, append([]string{d.drill.File}, c.By...)
		if d.run != nil {
			ended := d.run.Ended
			c.Drilled, c.Run = &ended, d.run.ID
		}
	}
	c.Covers = c.Result == drillPassed
	return c
}

func results() []string {
	return []string{drillPassed, drillOverdue, drillFailed, neverDrilled, noScenario}
}

// names tells whether an input's value means a resource: it is its name, or a
// selector of its label.
func names(value string, r binding.Resource) bool {
	if strings.EqualFold(value, r.Name) {
		return true
	}
	key, want, selects := strings.Cut(strings.Replace(value, "==", "=", 1), "=")
	return selects && want != "" && r.Labels[key] == want
}

// CoverageTable prints what is covered, what is not, and what could not be
// looked at.
func (h *Host) CoverageTable(w io.Writer, c *Coverage) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "KIND\tRESOURCE\tCOVERED BY\tLAST DRILLED\tRESULT")
	bare := 0
	for _, r := range c.Resources {
		by, when := "-", "-"
		if len(r.By) > 0 {
			by = r.By[0]
			if len(r.By) > 1 {
				by += fmt.Sprintf(" and %d more", len(r.By)-1)
			}
		}
		if r.Drilled != nil {
			when = r.Drilled.Local().Format("2006-01-02 15:04")
		}
		if !r.Covers {
			bare++
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", r.Kind, r.Name, by, when, r.Result)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, module := range slices.Sorted(maps.Keys(c.Unread)) {
		fmt.Fprintf(w, "not looked at: %s: %s\n", module, c.Unread[module])
	}
	_, err := fmt.Fprintf(w, "%d of %d resources of %s are covered by no drill that has passed lately\n", bare, len(c.Resources), c.Env)
	return err
}
