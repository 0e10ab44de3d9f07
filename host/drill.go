package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/drill"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/policy"
	"github.com/webhost-systems/drhost/host/report"
	"github.com/webhost-systems/drhost/host/run"
	"github.com/webhost-systems/drhost/host/sandbox"
)

// DrillRequest asks for one drill.
type DrillRequest struct {
	File  string
	Speed float64 // 0: the drill's own
	Seed  int64
	// Say tells the person what goes on: starting the world, the fault, a run
	// that died.
	Say func(format string, args ...any)
	// Out and Err are the run part's standard output and error.
	Out, Err io.Writer
	Flags    []string // passed on to the run part, such as --no-color
}

// DrillResult is a drill's verdict with the report it rests on.
type DrillResult struct {
	Verdict drill.Verdict `json:"verdict"`
	Report  *report.Run   `json:"report"`
}

// Drills are the drill files named by paths, also those in folders.
func (h *Host) Drills(paths []string) ([]string, error) {
	files, err := luaFiles(paths)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, Usage(fmt.Errorf("there is no drill in %s", strings.Join(paths, ", ")))
	}
	return files, nil
}

// DrillSummary prints a verdict with the step tree and the figures.
func (h *Host) DrillSummary(w io.Writer, r *DrillResult, color bool) {
	report.Tree(w, r.Report, report.Style{Color: color})
	v := r.Verdict
	word := "PASSED"
	if !v.Passed {
		word = "FAILED"
	}
	fmt.Fprintf(w, "drill %s: %s\n", word, v.Drill)
	for _, m := range v.Missed {
		fmt.Fprintf(w, "  missed: %s\n", m)
	}
	fmt.Fprintf(w, "  RTO %s (wall clock %s), objective %s\n", v.RTO.Live.Round(time.Second), v.RTO.Wall.Round(100*time.Millisecond), v.RTO.Target)
	switch {
	case v.RPO.Target == 0 && v.RPO.Missing: // the drill loses no data, so it sets no objective
	case v.RPO.Missing:
		fmt.Fprintf(w, "  RPO not measured, objective %s\n", v.RPO.Target)
	default:
		fmt.Fprintf(w, "  RPO %s, objective %s\n", v.RPO.Live.Round(time.Millisecond), v.RPO.Target)
	}
	fmt.Fprintf(w, "  report: %s\n", shortPath(filepath.Join(v.Folder, "report.md")))
}

// Drill starts the drill's world, breaks it, recovers it with the runbook in a
// process of its own, and judges the result. When that process dies, the world
// stays up until the run is resumed to its end or ctx is done.
func (h *Host) Drill(ctx context.Context, r DrillRequest) (*DrillResult, error) {
	s, err := h.Stage(ctx, r)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	r.Say("drill %q: the disaster has struck; recovering with %s", s.Drill.Title, s.Drill.Runbook)
	if err := h.runPart(ctx, s.project, s.Drill, r, s.Run, s.Detected); err != nil {
		return nil, err
	}
	return s.Judge(ctx)
}

// Stage is a drill whose disaster has struck: what is left is to recover, as
// the run called Run in the environment "sim:" + Run, and to judge.
type Stage struct {
	Drill    *drill.Drill
	Run      string
	Sim      *Sim
	Detected time.Time

	host     *Host
	project  *project
	script   *sandbox.Script
	prepared *prepared
	world    any
}

// Stage starts the drill's world and breaks it.
func (h *Host) Stage(ctx context.Context, r DrillRequest) (_ *Stage, err error) {
	p, err := h.open(filepath.Dir(r.File))
	if err != nil {
		return nil, err
	}
	script, source, d, err := h.loadDrill(r.File)
	if err != nil {
		return nil, err
	}
	if r.Speed > 0 {
		d.Speed = r.Speed
	}
	st := &Stage{Drill: d, Run: newRunID(h.Clock.Now(), d.File), host: h, project: p, script: script}
	r.Say("drill %q: starting the world (%s, speed %g)", d.Title, filepath.Base(d.World), d.Speed)
	if st.Sim, err = h.startWorld(ctx, p, d.World, WorldOptions{Name: st.Run, Speed: d.Speed, Seed: r.Seed}); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, st.Close())
		}
	}()
	st.prepared, err = h.session(p, script, source, "sim:"+st.Run, journal.Started{Run: st.Run, Mode: string(policy.Drill), DetectedAt: h.Clock.Now()})
	if err != nil {
		return nil, err
	}
	st.world = script.Object("world", worldMethods(st.Sim.Live))
	for _, part := range []string{"setup", "fault"} {
		if err := perform(ctx, script, part, st.world); err != nil {
			return nil, &Error{run.ExitFailed, fmt.Errorf("%s, %s: %w", d.File, part, err)}
		}
	}
	st.Detected = h.Clock.Now()
	return st, nil
}

// Judge runs the drill's expectations on what the run has left.
func (st *Stage) Judge(ctx context.Context) (*DrillResult, error) {
	return st.host.judge(ctx, st.project, st.Drill, st.script, st.prepared, st.Sim, st.world, st.Run)
}

// Close ends the drill's world.
func (st *Stage) Close() error {
	if st.prepared != nil {
		closeAll(st.prepared.clients)
	}
	return st.Sim.Close()
}

func (h *Host) loadDrill(file string) (*sandbox.Script, sandbox.Source, *drill.Drill, error) {
	source, err := readSource(file)
	if err != nil {
		return nil, source, nil, err
	}
	if problems := h.checkSource(h.bundle(source)); len(problems) > 0 {
		return nil, source, nil, Usage(&ProblemsError{problems})
	}
	script, err := h.load(h.bundle(source))
	if err != nil {
		return nil, source, nil, Usage(err)
	}
	if script.Form != "drill" {
		return nil, source, nil, Usage(fmt.Errorf("%s is a %s, not a drill; use `drhost run %s`", file, script.Form, file))
	}
	d, err := drill.Parse(file, script.Head)
	return script, source, d, Usage(err)
}

func perform(ctx context.Context, script *sandbox.Script, part string, args ...any) error {
	if !script.Has(part) {
		return nil
	}
	_, err := script.Body(part, args...)(ctx, &gate.Scope{Path: part})
	return err
}

// judge runs the drill's expectations; they become part of the run's journal.
func (h *Host) judge(ctx context.Context, p *project, d *drill.Drill, script *sandbox.Script, s *prepared, sim *Sim, world any, id string) (*DrillResult, error) {
	log, err := p.openWhenFree(ctx, id)
	if err != nil {
		return nil, runError(id, err)
	}
	defer log.Close()
	injected, err := injectedFaults(sim.Live)
	if err != nil {
		return nil, err
	}
	for _, f := range injected {
		if _, err := log.Append(journal.FaultInjected, f, false); err != nil {
			return nil, journalError(err)
		}
	}
	soFar, err := p.store.Read(ctx, id)
	if err != nil {
		return nil, journalError(err)
	}
	before, err := report.Build(soFar)
	if err != nil {
		return nil, journalError(err)
	}
	g, err := gate.New(gate.Options{Run: id, Log: log, Operator: &Unattended{Yes: true}, Clock: s.env.clock, Redactor: s.redactor,
		Rules: policy.Rules{Mode: policy.Drill, YesDestroys: true}}, nil)
	if err != nil {
		return nil, err
	}
	engine := run.New(run.Options{Gate: g, Operator: &Unattended{}, Clock: s.env.clock, Started: journal.Started{Run: id, Mode: string(policy.Drill), DetectedAt: h.Clock.Now()}})
	script.Begin(sandbox.Session{Engine: engine, Gate: g, Clients: s.clients, Secret: s.resolve})
	var expectation error
	if script.Has("expect") {
		_, expectation = engine.Step(ctx, &gate.Scope{}, run.Spec{Title: "Judge the drill", Attempts: 1}, script.Body("expect", world, outcome(before)))
	}
	verdict := d.Score(before, expectation)
	records, err := p.store.Read(ctx, id)
	if err != nil {
		return nil, journalError(err)
	}
	built, err := report.Build(records)
	if err != nil {
		return nil, journalError(err)
	}
	verdict.Folder = p.store.Path(id)
	return &DrillResult{Verdict: verdict, Report: built}, writeReports(verdict.Folder, built)
}

// openWhenFree opens the run's journal once its last holder has let go.
func (p *project) openWhenFree(ctx context.Context, id string) (journal.Log, error) {
	for try := 0; ; try++ {
		log, err := p.store.Open(ctx, id, holder(whoami()))
		var held *journal.HeldError
		if !errors.As(err, &held) || try > 50 {
			return log, err
		}
		if err := (clock.System{}).Sleep(ctx, 100*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// outcome is what expect = function(world, run) sees of the run.
func outcome(r *report.Run) any {
	return map[string]any{"id": r.ID, "result": r.Status, "message": r.Message, "rto": seconds(r.RTO.Measured), "wall": seconds(r.RTO.Wall),
		"rpo": seconds(r.RPO.Measured), "rpo_measured": r.RPO.HasMeasure, "mutations": float64(len(r.Changes))}
}

func seconds(s report.Span) float64 { return time.Duration(s).Seconds() }

// worldMethods are what a drill's script can do with its world:
// world:kill_server { server = "hobby-1" }.
func worldMethods(w LiveWorld) map[string]sandbox.Method {
	methods := map[string]sandbox.Method{}
	for _, verb := range w.Verbs() {
		methods[verb] = func(args []any) (any, error) {
			named := map[string]any{}
			if len(args) > 0 {
				if m, ok := args[0].(map[string]any); ok {
					named = m
				} else if list, ok := args[0].([]any); !ok || len(list) > 0 {
					return nil, errors.New("takes one table of named arguments")
				}
			}
			return w.Do(verb, named)
		}
	}
	return methods
}

func injectedFaults(w LiveWorld) ([]journal.Injected, error) {
	text, err := w.Faults()
	if err != nil {
		return nil, err
	}
	var list []struct {
		Time time.Time      `json:"time"`
		Name string         `json:"name"`
		Args map[string]any `json:"args"`
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, err
	}
	var out []journal.Injected
	for _, f := range list {
		out = append(out, journal.Injected{Fault: f.Name, Args: f.Args, At: f.Time})
	}
	return out, nil
}
