package terminal

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
)

// item is a line of the tree with what lies under it: a step, or what happened
// in one.
type item struct {
	form    string // step, parallel, each, branch; call, note, approval
	state   string // open, done, fault, skipped, by_hand, cancelled, unknown
	title   string
	extra   string // "attempt 2", who skipped it and why
	mutates bool   // of a call: it changes something
	latest  string // of an open call: its progress
	answers int    // of a question: how many have come
	fault   string // why it failed
	began   time.Time
	ended   time.Time
	parent  *item
	under   []*item
}

// tree is what is known of a run, drawn from its events alone. Events that
// are out of order, or cut off from what they belong to, must not break it.
type tree struct {
	head  journal.Started
	root  *item
	steps map[string]*item // by path
	calls map[string]*item // by key
	asked map[string]*item // questions, by key
	note  string           // the last one
	end   *journal.Finished
	ended time.Time
}

func newTree() *tree {
	return &tree{root: &item{form: "run", state: "open"}, steps: map[string]*item{}, calls: map[string]*item{}, asked: map[string]*item{}}
}

// event takes in one event that happened at now.
func (t *tree) event(e gate.Event, now time.Time) {
	switch {
	case e.Record != nil:
		if !e.Record.Time.IsZero() {
			now = e.Record.Time
		}
		t.record(*e.Record, now)
	case e.Calling != nil:
		c := t.call(e.Calling.Key, e.Calling.Site, now)
		c.title, c.state, c.mutates = e.Calling.Says, "open", e.Calling.Effect != 0
		t.reopen(c.parent)
	case e.Progress != nil:
		for _, c := range []*item{t.calls[e.Progress.Key], t.asked[e.Progress.Key]} {
			if c != nil && c.state == "open" {
				c.latest = e.Progress.Text
			}
		}
	}
}

// with hands on the payload of r; one that cannot be read is left out.
func with[P any](r journal.Record, take func(P)) {
	if p, err := journal.Decode[P](r); err == nil {
		take(p)
	}
}

func (t *tree) record(r journal.Record, now time.Time) {
	switch r.Kind {
	case journal.RunStarted:
		with(r, func(s journal.Started) {
			t.head = s
			if s.DetectedAt.IsZero() {
				t.head.DetectedAt = now
			}
		})
	case journal.LeaseTaken:
		t.revive()
	case journal.StepStarted:
		with(r, func(s journal.Step) { t.begin(s, now) })
	case journal.StepFinished:
		with(r, func(s journal.Step) { t.finish(s, now) })
	case journal.CallIntent:
		with(r, func(in journal.Intent) {
			c := t.call(in.Key, in.Site, now)
			c.title, c.mutates = in.Says, true
		})
	case journal.CallOutcome:
		with(r, func(o journal.Outcome) { t.outcome(o, now) })
	case journal.ApprovalAsked:
		with(r, func(a journal.Approval) {
			t.drop(asks(a)) // a call that asks is shown as its question
			q := t.question(a, now)
			q.state, q.extra, q.answers = "open", "", 0
		})
	case journal.ApprovalGiven:
		with(r, func(a journal.Approval) { t.answer(a, now) })
	case journal.Note:
		with(r, t.take)
	case journal.PlanDeviated:
		with(r, func(d journal.Deviation) {
			t.say("fault", t.step(d.Site.Step), "NOT IN THE PLAN: "+d.Says+": "+d.Why)
		})
	case journal.FaultInjected:
		with(r, func(f journal.Injected) { t.say("injected", t.root, "fault injected: "+f.Fault) })
	case journal.RunFinished:
		with(r, func(f journal.Finished) { t.end, t.ended = &f, now })
	case journal.UndoStarted:
		with(r, func(u journal.Undoing) { t.undo(u, now) })
	case journal.UndoFinished:
		with(r, func(f journal.Finished) {
			t.close(t.step(journal.UndoRoot), now)
			t.undone(f, now)
		})
	}
}

// undo begins to take the run back.
func (t *tree) undo(u journal.Undoing, now time.Time) {
	s := t.step(journal.UndoRoot)
	if s.began.IsZero() {
		s.form, s.title, s.began = "undo", "Undo", now
		for _, line := range u.List()[len(u.Steps):] {
			t.say("note", s, line)
		}
	}
	s.state = "open"
}

func (t *tree) undone(f journal.Finished, now time.Time) {
	s := t.step(journal.UndoRoot)
	s.ended, s.state = now, "done"
	if f.Result != "done" {
		s.state = "fault"
	}
	f.Result = "undo " + f.Result
	t.end, t.ended = &f, now
}

// revive begins a new life of the run: an end that was written is none, and
// what became of calls that had left is to be found out.
func (t *tree) revive() {
	t.end = nil
	for _, c := range t.calls {
		if c.state == "open" {
			c.state, c.ended, c.latest = "unknown", c.began, ""
		}
	}
}

// reopen tells that something is going on in s, which an earlier life may have
// given up.
func (t *tree) reopen(s *item) {
	for ; s != nil && s != t.root; s = s.parent {
		if s.state != "open" {
			s.state, s.fault, s.extra = "open", "", ""
		}
	}
}

// step is the item at path; what the events have not told of is made up from
// the path.
func (t *tree) step(path string) *item {
	if path == "" {
		return t.root
	}
	if s := t.steps[path]; s != nil {
		return s
	}
	above, title := "", path
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		above, title = path[:i], path[i+1:]
	}
	for journal.OfUndo(above) && above != journal.UndoRoot && t.steps[above] == nil {
		above = above[:strings.LastIndexByte(above, '/')] // the undo of an inner step stands among the others
	}
	parent := t.step(above)
	s := &item{form: "step", state: "open", title: strings.ReplaceAll(title, "∕", "/"), parent: parent}
	parent.under = append(parent.under, s)
	t.steps[path] = s
	return s
}

func (t *tree) begin(r journal.Step, now time.Time) {
	s := t.step(r.Path)
	if s == t.root {
		return
	}
	if s.state != "open" {
		s.began = time.Time{}
	}
	t.forget(r.Path)
	t.reopen(s.parent)
	s.state, s.fault, s.extra, s.ended, s.under = "open", "", "", time.Time{}, nil
	s.describe(r)
	if s.began.IsZero() {
		s.began = now
	}
	if r.Attempt > 1 {
		s.extra = "attempt " + itoa(r.Attempt)
	}
}

func (s *item) describe(r journal.Step) {
	if r.Title != "" {
		s.title = r.Title
	}
	if r.Form != "" {
		s.form = r.Form
	}
}

// forget removes the keys of what lies under path.
func (t *tree) forget(path string) {
	for _, items := range []map[string]*item{t.steps, t.calls, t.asked} {
		maps.DeleteFunc(items, func(key string, _ *item) bool { return strings.HasPrefix(key, path+"/") })
	}
}

func (t *tree) finish(r journal.Step, now time.Time) {
	s := t.step(r.Path)
	if s == t.root {
		return
	}
	t.close(s, now)
	s.describe(r)
	s.state, s.ended = r.Result, now
	switch r.Result {
	case "value", "":
		s.state = "done"
	case "skipped", "by_hand", "cancelled":
		s.extra = r.Result
		if r.Result == "by_hand" {
			s.extra = "done by hand"
		}
		if r.By != "" {
			s.extra += " by " + r.By
		}
		if r.Reason != "" {
			s.extra += ": " + r.Reason
		}
	}
	if r.Fault != nil {
		s.fault = strings.TrimPrefix(r.Fault.Error(), fmt.Sprintf("step %q: ", r.Title)) // it stands under the step
	}
}

// close ends what is still open under s: nobody works on it any more.
func (t *tree) close(s *item, now time.Time) {
	kept := s.under[:0]
	for _, c := range s.under {
		t.close(c, now)
		if c.state == "open" {
			c.ended = now
			switch {
			case c.form == "call" && c.mutates:
				c.state = "unknown"
			case c.form == "call":
				continue
			default:
				c.state = "cancelled"
			}
		}
		kept = append(kept, c)
	}
	s.under = kept
}

// call is the item of the call or question with key, made when it is new. The
// last read that failed in the same step gives way to it.
func (t *tree) call(key string, site journal.Site, now time.Time) *item {
	if c := t.calls[key]; c != nil {
		return c
	}
	parent := t.step(site.Step)
	if n := len(parent.under); n > 0 {
		if last := parent.under[n-1]; last.form == "call" && !last.mutates && last.state == "fault" {
			parent.under = parent.under[:n-1]
		}
	}
	c := &item{form: "call", state: "open", parent: parent, began: now}
	parent.under = append(parent.under, c)
	t.calls[key] = c
	return c
}

func (t *tree) outcome(o journal.Outcome, now time.Time) {
	c := t.call(o.Key, o.Site, now)
	if c.title == "" {
		if c.title = o.Says; c.title == "" {
			c.title = o.Call
		}
		c.mutates = o.Effect != "reads"
		c.began = o.Started
	}
	c.ended, c.latest, c.state = now, "", "done"
	switch {
	case o.Fault != nil:
		c.state, c.fault = "fault", o.Fault.Error()
	case !c.mutates:
		t.drop(o.Key)
	}
	delete(t.calls, o.Key)
}

// asks is the key of a question: that of the call that asks.
func asks(a journal.Approval) string {
	if a.Call != "" {
		return a.Call
	}
	return a.Key
}

// question is the item of what a person is asked, made when it is new.
func (t *tree) question(a journal.Approval, now time.Time) *item {
	q := t.asked[asks(a)]
	if q == nil {
		parent := t.step(a.Site.Step)
		q = &item{form: "approval", state: "open", parent: parent, began: now}
		parent.under = append(parent.under, q)
		t.asked[asks(a)] = q
	}
	q.title = a.Text
	return q
}

func (t *tree) answer(a journal.Approval, now time.Time) {
	q := t.question(a, now)
	if q.extra != "" && q.state == "open" {
		q.extra += ", "
	}
	q.extra, q.ended, q.state = q.extra+a.Answer, now, "done"
	if q.answers++; q.answers < a.Needs && a.Answer == "approved" && a.BreakGlass == "" {
		q.state = "open" // others have to approve as well
	}
	if a.By != "" {
		q.extra += " by " + a.By
	}
	if a.BreakGlass != "" {
		q.extra += ": BREAK-GLASS: " + a.BreakGlass
	}
	if a.Answer == "denied" || a.Answer == "unanswered" {
		q.state = "fault"
	}
}

// drop takes a call out of the tree.
func (t *tree) drop(key string) {
	c := t.calls[key]
	if c == nil {
		return
	}
	delete(t.calls, key)
	if i := slices.Index(c.parent.under, c); i >= 0 {
		c.parent.under = slices.Delete(c.parent.under, i, i+1)
	}
}

func (t *tree) take(n journal.NoteText) {
	state := "note"
	if n.Form == "expect" {
		state = "fault"
		if ok, _ := n.Evidence["ok"].(bool); ok {
			state = "done"
		} else if _, planned := n.Evidence["planned"]; planned {
			state = "planned"
		}
	}
	t.say(state, t.step(n.Site.Step), n.Text)
}

// say adds a line that happens at one moment.
func (t *tree) say(state string, parent *item, text string) {
	parent.under = append(parent.under, &item{form: "note", state: state, title: text, parent: parent})
	t.note = text
}
