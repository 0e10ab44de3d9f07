package report

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/journal"
)

// ErrNoRun is returned for records that do not hold a run_started.
var ErrNoRun = errors.New("the journal has no run_started: nothing was run yet")

// interrupted is the exit code of a run that has no end: it can be resumed.
const interrupted = 4

// Build tells the run that the records hold. Records are taken as verified.
func Build(records []journal.Record) (*Run, error) {
	b := &builder{run: &Run{Status: "unfinished", Exit: interrupted, Changes: []*Node{}}, root: &Node{Form: "run"}, after: &Node{Form: "run"}, nodes: map[string]*Node{}, pending: map[string]*Node{}, asked: map[string]*Node{}}
	for i := range records {
		b.now = records[i].Time
		if err := b.take(&records[i]); err != nil {
			return nil, fmt.Errorf("report: %w", err)
		}
		if records[i].Kind != journal.TailRepaired { // it belongs to the holder that comes next
			b.last = b.now
		}
	}
	r := b.run
	if !b.begun {
		return nil, ErrNoRun
	}
	if r.Ended.IsZero() {
		r.Ended = b.last
	}
	r.Records = len(records)
	r.Head = records[len(records)-1].Hash
	b.close(b.root)
	b.close(b.after)
	b.closeUndo()
	r.Steps, r.Judgement = b.root.Children, b.after.Children
	b.measure()
	return r, nil
}

// builder is the state of one walk through a journal.
type builder struct {
	run     *Run
	root    *Node
	after   *Node // what followed the end of the run: a drill being judged
	begun   bool
	now     time.Time // of the record being taken
	last    time.Time // of the one before
	nodes   map[string]*Node
	pending map[string]*Node // intents without outcome, by key
	asked   map[string]*Node // approvals without answer, by key
	taken   []Interruption   // take-overs of a run that had ended: counted when it goes on
	proofs  []proof
}

// proof is one measured recovery point.
type proof struct {
	until, fault time.Time
	text         string
}

// with decodes the payload of r and hands it on.
func with[P any](r *journal.Record, take func(P)) error {
	p, err := journal.Decode[P](*r)
	if err == nil {
		take(p)
	}
	return err
}

func (b *builder) take(r *journal.Record) error {
	undo := b.ofUndo(r)
	switch r.Kind {
	case journal.StepStarted, journal.CallIntent, journal.CallOutcome, journal.ApprovalAsked:
		if undo {
			b.undoGoesOn()
		} else {
			b.goOn()
		}
	}
	switch r.Kind {
	case journal.RunStarted:
		return with(r, b.started)
	case journal.StepStarted:
		return with(r, b.stepStarted)
	case journal.StepFinished:
		return with(r, b.stepFinished)
	case journal.CallIntent:
		return with(r, b.intent)
	case journal.CallOutcome:
		return with(r, b.outcome)
	case journal.ApprovalAsked:
		return with(r, b.approvalAsked)
	case journal.ApprovalGiven:
		return with(r, b.approvalGiven)
	case journal.Note:
		return with(r, b.note)
	case journal.SourceChanged:
		return with(r, func(c journal.Change) { b.run.Edits = append(b.run.Edits, c) })
	case journal.LeaseTaken:
		return with(r, b.leaseTaken)
	case journal.FaultInjected:
		return with(r, func(f journal.Injected) { b.run.Faults = append(b.run.Faults, f) })
	case journal.TailRepaired:
		return with(r, func(c journal.Repair) { b.run.Repairs = append(b.run.Repairs, c) })
	case journal.RunFinished:
		return with(r, b.finished)
	case journal.PlanMade:
		return with(r, b.planMade)
	case journal.PlanDeviated:
		return with(r, func(d journal.Deviation) {
			b.run.Deviations = append(b.run.Deviations, Deviation{At: b.now, Deviation: d})
		})
	case journal.UndoStarted:
		return with(r, b.undoStarted)
	case journal.UndoFinished:
		return with(r, b.undoFinished)
	}
	return nil // a kind of a later version: the rest can still be told
}

func (b *builder) started(s journal.Started) {
	r := b.run
	b.begun = true
	r.ID, r.Title, r.Runbook, r.Severity, r.Impact = s.Run, s.Title, s.Runbook, s.Severity, s.Impact
	r.Mode, r.Drill, r.Env, r.World, r.Speed = s.Mode, s.Drill, s.Env, s.World, s.Speed
	r.Operator, r.Version, r.Input, r.SourceHash = s.Operator, s.Version, s.Input, s.SourceHash
	r.RTO.Target, r.RPO.Target, r.Follows = s.RTO, s.RPO, s.Plan
	r.Started, r.Detected = b.now, s.DetectedAt
	if r.Detected.IsZero() {
		r.Detected = r.Started
	}
	b.root.Started = r.Started
}

// goOn takes back an end that was written, because the run was resumed. A run
// that is done, and a drill that is being judged, stay what they were.
func (b *builder) goOn() {
	r := b.run
	if r.Status == "unfinished" || r.Status == "done" || r.Mode == "drill" {
		return
	}
	r.Status, r.Message, r.Fault, r.Exit, r.Ended, r.NotDone = "unfinished", "", nil, interrupted, time.Time{}, nil
	b.resumed()
}

// resumed counts what followed an earlier end as part of the run.
func (b *builder) resumed() {
	b.run.Interruptions = append(b.run.Interruptions, b.taken...)
	b.root.Children = append(b.root.Children, b.after.Children...)
	b.taken, b.after.Children = nil, nil
}

func (b *builder) finished(f journal.Finished) {
	r := b.run
	b.resumed()
	r.Status, r.Message, r.Fault, r.Exit, r.Ended, r.NotDone = f.Result, f.Message, f.Fault, f.Exit, b.now, f.NotDone
}

func (b *builder) leaseTaken(h journal.Holder) {
	if !b.begun {
		return
	}
	i := Interruption{From: b.last, To: b.now, Lost: Span(positive(b.now.Sub(b.last))), By: h.Operator, Host: h.Host, Epoch: h.Epoch}
	if b.run.Status != "unfinished" {
		b.taken = append(b.taken, i)
		return
	}
	b.run.Interruptions = append(b.run.Interruptions, i)
}

func (b *builder) stepStarted(s journal.Step) {
	n := b.nodes[s.Path]
	if n == nil {
		n = &Node{Form: s.Form, Title: s.Title, Path: s.Path, Started: b.now, Owner: s.Owner, Site: s.Site}
		b.nodes[s.Path] = n
		b.put(b.above(s.Path, ""), n)
	}
	n.State, n.Ended, n.Fault = "open", time.Time{}, nil
	n.Reason, n.By = s.Reason, s.By // who wanted another attempt, and why
	n.Attempts = max(n.Attempts+1, s.Attempt)
}

func (b *builder) stepFinished(s journal.Step) {
	if b.nodes[s.Path] == nil {
		b.stepStarted(s)
	}
	n := b.nodes[s.Path]
	n.Ended, n.Fault = b.now, s.Fault
	if s.By != "" || s.Reason != "" {
		n.Reason, n.By = s.Reason, s.By
	}
	b.markUndone(s)
	switch s.Result {
	case "value":
		n.State = "done"
	case "fault":
		n.State = "failed"
	default:
		n.State = s.Result
	}
}

// above returns the innermost step or branch that key lies in. Titles may
// hold slashes, so the longest one that is known wins.
func (b *builder) above(key, step string) *Node {
	for at := strings.LastIndexByte(key, '/'); at >= 0; at = strings.LastIndexByte(key[:at], '/') {
		if n := b.nodes[key[:at]]; n != nil {
			return n
		}
	}
	if n := b.nodes[step]; n != nil {
		return n
	}
	if step != "" {
		return b.above(step, "")
	}
	return b.top()
}

// top is where what lies in no step belongs.
func (b *builder) top() *Node {
	if b.run.Status == "unfinished" {
		return b.root
	}
	return b.after
}

func (b *builder) put(parent, n *Node) { parent.Children = append(parent.Children, n) }

func (b *builder) intent(i journal.Intent) {
	if b.pending[i.Key] != nil {
		return // sent again after it was found not to have landed
	}
	n := &Node{Form: "call", Title: said(i.Says, i.Call), Path: i.Key, State: "unknown", Started: b.now, Call: i.Call, Effect: i.Effect, Site: i.Site}
	b.pending[i.Key] = n
	b.put(b.above(i.Key, i.Site.Step), n)
	b.run.Changes = append(b.run.Changes, n)
}

// The engine journals its own waits and questions as calls of "host".
const (
	hostCalls   = "host."
	hostApprove = "host.approve"
	hostAsk     = "host.ask"
)

func (b *builder) outcome(o journal.Outcome) {
	switch {
	case o.Call == hostApprove && o.Fault == nil:
		return // told by its approval_given
	case o.Call == hostAsk && o.Fault == nil:
		b.answered(o)
		return
	}
	n := b.pending[o.Key]
	delete(b.pending, o.Key)
	if n == nil {
		n = &Node{Form: "call", Title: said(o.Says, o.Call), Path: o.Key, Started: o.Started, Call: o.Call, Effect: o.Effect, Site: o.Site}
		if n.Started.IsZero() {
			n.Started = b.now.Add(-seconds(o.Took))
		}
		b.put(b.above(o.Key, o.Site.Step), n)
		if o.Effect != "reads" {
			b.run.Changes = append(b.run.Changes, n)
		}
	}
	n.State, n.Fault, n.Ended = "done", o.Fault, b.now
	if o.Fault != nil {
		n.State = "failed"
	}
	n.Wall, n.cut = Span(seconds(o.Took)), seconds(o.Cut)
	n.Tries, n.Settled, n.By = o.Tries, o.Settled, o.By
}

// answered tells a question with choices like an approval.
func (b *builder) answered(o journal.Outcome) {
	text, _ := o.Args["text"].(string)
	answer, _ := o.Value.(string)
	n := &Node{Form: "approval", Title: said(text, said(o.Says, o.Call)), Path: o.Key, State: "done", Started: o.Started, Ended: b.now,
		Answer: answer, By: o.By, Site: o.Site}
	b.put(b.above(o.Key, o.Site.Step), n)
	b.run.Approvals = append(b.run.Approvals, n)
}

func said(says, call string) string {
	if says == "" {
		return call
	}
	return says
}

func (b *builder) approvalAsked(a journal.Approval) {
	if b.asked[a.Key] != nil {
		return // asked again after an interruption
	}
	n := &Node{Form: "approval", Title: a.Text, Path: a.Key, State: "open", Started: b.now, Site: a.Site}
	b.asked[a.Key] = n
	parent := b.nodes[a.Key] // asked by the step itself; else on behalf of a call in it
	if parent == nil {
		parent = b.above(a.Key, a.Site.Step)
	}
	b.put(parent, n)
	b.run.Approvals = append(b.run.Approvals, n)
}

func (b *builder) approvalGiven(a journal.Approval) {
	if b.asked[a.Key] == nil {
		b.approvalAsked(a)
	}
	n := b.asked[a.Key]
	delete(b.asked, a.Key)
	n.Answer, n.By, n.Ended, n.State = a.Answer, a.By, b.now, "done"
	if a.Answer == "denied" || a.Answer == "unanswered" {
		n.State = "failed"
	}
	if a.Signed != nil {
		n.Signed = a.Signed.Fingerprint
	}
	if a.BreakGlass != "" {
		n.Reason = "BREAK-GLASS: " + a.BreakGlass
		b.run.BreakGlass = append(b.run.BreakGlass, BreakGlass{At: b.now, By: a.By, Justification: a.BreakGlass, What: a.Text, Site: a.Site})
	}
}

func (b *builder) note(t journal.NoteText) {
	if t.Form == "break_glass" {
		word := func(name string) string { s, _ := t.Evidence[name].(string); return s }
		b.run.BreakGlass = append(b.run.BreakGlass, BreakGlass{At: b.now, By: word("by"), Justification: word("justification"), What: word("although"), Site: t.Site})
	} else if t.Form == "evidence" || t.Form == "expect" || len(t.Evidence) > 0 {
		b.run.Evidence = append(b.run.Evidence, Evidence{At: b.now, Text: t.Text, Form: t.Form, Step: t.Site.Step, Facts: t.Evidence})
		if until, ok := moment(t.Evidence["rpo_until"]); ok {
			lost, _ := moment(t.Evidence["fault_at"])
			b.proofs = append(b.proofs, proof{until: until, fault: lost, text: t.Text})
		}
	}
	n := &Node{Form: "note", Title: t.Text, Path: t.Site.Step, State: "done", Started: b.now, Ended: b.now, Site: t.Site}
	if t.Form == "expect" && t.Evidence["ok"] == false {
		n.State = "failed"
	}
	b.put(b.above(t.Key, t.Site.Step), n)
	if t.Form == "" || t.Form == "note" {
		b.run.Notes = append(b.run.Notes, n)
	}
}

func moment(v any) (time.Time, bool) {
	text, _ := v.(string)
	at, err := time.Parse(time.RFC3339Nano, text)
	return at, err == nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func positive(d time.Duration) time.Duration { return max(d, 0) }
