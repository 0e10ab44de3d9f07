package host

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/check"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/policy"
	"github.com/webhost-systems/drhost/host/report"
	"github.com/webhost-systems/drhost/host/run"
	"github.com/webhost-systems/drhost/host/sandbox"
	"github.com/webhost-systems/drhost/host/secret"
)

// Request asks for a run, a plan, or the run part of a drill.
type Request struct {
	Runbook    string
	ID         string // "": made up
	Input      map[string]string
	AskInput   AskInput // nil: nobody to ask
	Env        string   // "": the config's default
	Mode       policy.Mode
	Drill      string // title of the drill
	DetectedAt time.Time
	Operator   gate.Operator
	Name       string // who runs it; "": the user's name
	YesDestroy bool
	BreakGlass string // written justification of one person who goes on alone; "": none
	Plan       string // id of the plan that the run follows; "": none
	Observe    func(gate.Event)
	Warn       func(text string)      // takes what a person should know before it begins; may be nil
	Recall     func([]journal.Record) // takes what earlier lives journaled; may be nil
}

// Result is what a run ended with.
type Result struct {
	ID     string
	Folder string
	End    journal.Finished
	Report *report.Run
	Value  any // what the last step that finished returned, as plain data
	// Unwritten is why the reports are not beside the journal. It changes
	// nothing about how the run ended.
	Unwritten error
}

// Run starts a run and executes it to its end.
func (h *Host) Run(ctx context.Context, r Request) (*Result, error) {
	if r.Plan != "" {
		var err error
		if r, err = h.adopt(ctx, filepath.Dir(r.Runbook), r); err != nil {
			return nil, err
		}
	}
	p, err := h.open(filepath.Dir(r.Runbook))
	if err != nil {
		return nil, err
	}
	source, err := readSource(r.Runbook)
	if err != nil {
		return nil, err
	}
	return h.start(ctx, p, source, r)
}

// start begins a run of a source and executes it to its end.
func (h *Host) start(ctx context.Context, p *project, source sandbox.Source, r Request) (*Result, error) {
	p.asking(ctx, r.Operator)
	s, err := h.prepare(p, h.bundle(source), r.Env, r.Input)
	if err != nil {
		return nil, err
	}
	defer closeAll(s.clients)
	input, err := completeInput(ctx, s.script, r)
	if err != nil {
		return nil, err
	}
	if r.Mode == "" {
		r.Mode = policy.Run
	}
	if err := p.guardDrill(s.env, r.Mode); err != nil {
		return nil, err
	}
	if err := enoughSaid(r.BreakGlass); err != nil {
		return nil, err
	}
	started := h.head(p, r, s, input)
	warning := ""
	if r.Plan != "" {
		started.Plan = r.Plan
		if started.PlanHead, warning, err = h.follows(ctx, p, s, r); err != nil {
			return nil, err
		}
	}
	log, err := p.create(ctx, started)
	if err != nil {
		return nil, journalError(err)
	}
	defer log.Close()
	if err := seal(p.store.Path(started.Run), s.source); err != nil {
		return nil, journalError(err)
	}
	if r.Mode == policy.Plan {
		return h.planned(ctx, p, s, log, started, r)
	}
	if warning != "" && r.Warn != nil {
		r.Warn(warning)
	}
	return h.execute(ctx, p, s, log, started, r)
}

// create makes the run's journal. One of that id that died before its first
// record is taken over: nothing was done in it.
func (p *project) create(ctx context.Context, started journal.Started) (journal.Log, error) {
	log, err := p.store.Create(ctx, started.Run, holder(started.Operator))
	if !errors.Is(err, journal.ErrExists) {
		return log, err
	}
	if there, readErr := p.store.Read(ctx, started.Run); readErr != nil || begun(there) {
		return nil, errors.Join(err, readErr)
	}
	return p.store.Open(ctx, started.Run, holder(started.Operator))
}

// prepared is a checked script with its environment open; nothing was called.
type prepared struct {
	script   *sandbox.Script
	source   bundle
	env      *environment
	clients  map[string]any
	modules  []string
	dir      string // of the config
	resolve  binding.Resolver
	redactor *secret.Redactor
}

// prepare finds every mistake that can be found before a client is opened, and
// then those of the environment. given are the inputs as they were typed.
func (h *Host) prepare(p *project, source bundle, envName string, given map[string]string) (*prepared, error) {
	if problems := h.checkSource(source); len(problems) > 0 {
		return nil, Usage(&ProblemsError{problems})
	}
	script, err := h.load(source)
	if err != nil {
		return nil, Usage(err)
	}
	if script.Form != "runbook" {
		return nil, Usage(fmt.Errorf("%s is a %s, not a runbook; use `drhost drill %s`", source.File, script.Form, source.File))
	}
	if err := knownInput(script, source.File, given); err != nil {
		return nil, Usage(err)
	}
	return h.attach(p, script, source, envName)
}

// attach opens the environment for a script.
func (h *Host) attach(p *project, script *sandbox.Script, source bundle, envName string) (*prepared, error) {
	if envName == "" {
		envName = p.config.DefaultEnv
	}
	env, err := p.environment(envName, h.Clock)
	if err != nil {
		return nil, err
	}
	modules := check.Requires(source.Text, source.std)
	if err := h.guard(p, env, modules); err != nil {
		return nil, err
	}
	h.Seams.surround(env)
	resolve := h.guarded(p, env, p.resolver(env, &h.redactor))
	clients, err := h.clients(env, modules, resolve, p.config.Dir)
	if err != nil {
		return nil, err
	}
	return &prepared{script: script, source: source, env: env, clients: clients, modules: modules, dir: p.config.Dir,
		resolve: resolve, redactor: &h.redactor}, nil
}

func (h *Host) head(p *project, r Request, s *prepared, input map[string]any) journal.Started {
	text := func(key string) string { v, _ := s.script.Head[key].(string); return v }
	objective, _ := s.script.Head["objective"].(map[string]any)
	target := func(key string) string { v, _ := objective[key].(string); return v }
	now := h.Clock.Now()
	started := journal.Started{Run: r.ID, Runbook: r.Runbook, Title: text("title"), Severity: text("severity"), Impact: text("impact"),
		SourceHash: hash(s.source.Source), Origin: p.origin(r.Runbook), Libraries: s.source.libraries(), Env: s.env.name, Mode: string(r.Mode), Drill: r.Drill, Operator: r.Name,
		DetectedAt: r.DetectedAt, RTO: target("rto"), RPO: target("rpo"), Version: h.Version}
	// The script goes on with what the journal holds, here as everywhere.
	for name, v := range input {
		input[name] = s.redactor.Data(v)
	}
	started.Input = input
	if started.Run == "" {
		started.Run = newRunID(now, r.Runbook)
	}
	if started.Operator == "" {
		started.Operator = whoami()
	}
	if started.DetectedAt.IsZero() {
		started.DetectedAt = now
	}
	if s.env.world != nil {
		started.World, started.WorldStarted, started.Speed = s.env.world.Name, s.env.world.Started, s.env.world.Speed
	}
	return started
}

// execute runs a prepared script on an open journal. Records of earlier lives
// are in the log.
func (h *Host) execute(ctx context.Context, p *project, s *prepared, log journal.Log, started journal.Started, r Request) (*Result, error) {
	if r.Operator == nil {
		r.Operator = &Unattended{}
	}
	o := h.gateOptions(p, s, log, started, r)
	var err error
	if o.Follow, err = p.followed(ctx, started, log.Records()); err != nil {
		return nil, err
	}
	g, err := gate.New(o, log.Records())
	if err != nil {
		return nil, journalError(err)
	}
	if len(log.Records()) == 0 || !begun(log.Records()) {
		if err := g.Append(journal.RunStarted, started, true); err != nil {
			return nil, journalError(err)
		}
	}
	end := s.begin(g, o, started).Run(ctx, s.script.Body("run", sandbox.Input(started.Input)))
	// An interrupted run is reported, too.
	return h.conclude(context.WithoutCancel(ctx), p, started.Run, end)
}

// gateOptions are those of the gate that a run's calls pass.
func (h *Host) gateOptions(p *project, s *prepared, log journal.Log, started journal.Started, r Request) gate.Options {
	mode, by := policy.Mode(started.Mode), r.Name
	if by == "" {
		by = whoami()
	}
	_, nobody := r.Operator.(*Unattended)
	return gate.Options{Run: started.Run, Log: log, Operator: r.Operator, Clock: s.env.clock, Redactor: s.redactor, Observe: r.Observe,
		Levers: levers{haltPath(p.state), p.pausePath(started.Run)}, Signatures: p.signatures(started.Run, mode), Attended: !nobody, By: by, Env: s.env.name, Hurry: strings.HasPrefix(started.Runbook, ofProgram),
		Rules: policy.Rules{Mode: mode, Protected: p.protected(), YesDestroys: r.YesDestroy || mode == policy.Drill, BreakGlass: r.BreakGlass}}
}

// begin gives the script what it acts with and returns the engine that runs it.
func (s *prepared) begin(g *gate.Gate, o gate.Options, started journal.Started) *run.Engine {
	engine := run.New(run.Options{Gate: g, Operator: o.Operator, Clock: o.Clock, Started: started})
	s.script.Begin(sandbox.Session{Engine: engine, Gate: g, Clients: s.clients, Secret: s.resolve})
	return engine
}

// conclude writes the reports beside the journal.
func (h *Host) conclude(ctx context.Context, p *project, id string, end journal.Finished) (*Result, error) {
	records, err := p.store.Read(ctx, id)
	if err != nil {
		return nil, journalError(fmt.Errorf("run %s has ended, %s: %s; %w", id, end.Result, end.Message, err))
	}
	built, err := report.Build(records)
	if err != nil {
		return nil, journalError(err)
	}
	folder := p.store.Path(id)
	return &Result{ID: id, Folder: folder, End: end, Report: built, Value: lastValue(records), Unwritten: writeReports(folder, built)}, nil
}

func begun(records []journal.Record) bool {
	for _, r := range records {
		if r.Kind == journal.RunStarted {
			return true
		}
	}
	return false
}

// reportFile is one of the reports beside a journal.
type reportFile struct {
	name  string
	write func(io.Writer, *report.Run) error
}

func reportFiles() []reportFile {
	return []reportFile{{"report.md", report.Markdown}, {"report.json", report.JSON}}
}

func writeReports(folder string, r *report.Run) error {
	for _, kind := range reportFiles() {
		name := kind.name
		f, err := os.CreateTemp(folder, name+".*")
		if err != nil {
			return err
		}
		err = errors.Join(kind.write(f, r), f.Close())
		if err == nil {
			err = os.Rename(f.Name(), filepath.Join(folder, name))
		}
		if err != nil {
			os.Remove(f.Name())
			return err
		}
	}
	return nil
}

var notInID = regexp.MustCompile(`[^a-z0-9]+`)

// newRunID reads 20261123-0305-hetzner-failure-3f9a: it sorts by time and says
// what it is. Lower-case letters, digits and dashes.
func newRunID(now time.Time, runbook string) string {
	name := strings.Trim(notInID.ReplaceAllString(strings.ToLower(strings.TrimSuffix(filepath.Base(runbook), ".lua")), "-"), "-")
	if len(name) > 18 {
		name = strings.TrimRight(name[:18], "-")
	}
	var salt [2]byte
	rand.Read(salt[:])
	return fmt.Sprintf("%s-%s-%s", now.UTC().Format("20060102-1504"), name, hex.EncodeToString(salt[:]))
}

func whoami() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}

func holder(operator string) journal.Holder {
	host, _ := os.Hostname()
	return journal.Holder{Operator: operator, Host: host, PID: os.Getpid()}
}

func journalError(err error) error {
	return &Error{run.ExitJournal, err}
}

// ProblemsError is a script that does not check.
type ProblemsError struct{ Problems []check.Problem }

func (e *ProblemsError) Error() string {
	var lines []string
	for _, p := range e.Problems {
		lines = append(lines, p.String())
	}
	return strings.Join(lines, "\n")
}

// checkSource returns the errors in source; warnings do not stop a run.
func (h *Host) checkSource(source bundle) []check.Problem {
	var out []check.Problem
	o := h.checkOptions()
	o.Std = source.std
	for _, p := range check.File(source.File, source.Text, o) {
		if p.Severity == check.Error {
			out = append(out, p)
		}
	}
	return out
}

func (h *Host) checkOptions() check.Options {
	return check.Options{Catalog: h.Catalog, Std: h.Std, World: h.WorldVerbs, WorldArgs: h.WorldArguments}
}
