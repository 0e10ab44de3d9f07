package plan

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/fault"
	"github.com/webhost-systems/drhost/host/journal"
)

// Follower compares a run with the plan that it follows. Its methods may be
// called from any goroutine.
type Follower struct {
	ID   string // of the plan
	plan journal.Plan

	mu   sync.Mutex
	ways []int            // ways that the run may be on
	done map[string][]int // call key -> the plan's calls, of which one was made
	half [][]int          // the plan's calls, of which one was carried out each and did not end well
	used []string         // keys of calls that were made, in their order
	told map[string]bool  // keys of calls that deviate, known already
}

// Follow begins at the start of plan id.
func Follow(id string, p journal.Plan) *Follower {
	f := &Follower{ID: id, plan: p, done: map[string][]int{}, told: map[string]bool{}}
	for i := range p.Ways {
		f.ways = append(f.ways, i)
	}
	return f
}

// Recall takes in what earlier lives of the run have done.
func (f *Follower) Recall(records []journal.Record) error {
	for _, r := range records {
		switch r.Kind {
		case journal.DecisionMade:
			d, err := journal.Decode[journal.Decision](r)
			if err != nil {
				return err
			}
			f.Decided(d)
		case journal.CallIntent:
			in, err := journal.Decode[journal.Intent](r)
			if err != nil {
				return err
			}
			if !journal.OfUndo(in.Key) {
				f.Calling(in.Key, in.Call, in.Args)
			}
		case journal.CallOutcome:
			out, err := journal.Decode[journal.Outcome](r)
			if err != nil {
				return err
			}
			if out.Fault != nil {
				f.Failed(out.Key, out.Fault.Sent == fault.Done)
			}
		case journal.PlanDeviated:
			d, err := journal.Decode[journal.Deviation](r)
			if err != nil {
				return err
			}
			f.mu.Lock()
			f.told[d.Key] = true
			f.mu.Unlock()
		}
	}
	return nil
}

// Decided narrows down the ways by what the world, or a person, has decided.
func (f *Follower) Decided(d journal.Decision) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.narrow(func(w journal.PlanWay) bool {
		choice, met := w.Decisions[d.Key]
		return !met || choice == d.Choice
	})
}

// narrow keeps the ways that fit, unless none does.
func (f *Follower) narrow(fits func(journal.PlanWay) bool) bool {
	var left []int
	for _, i := range f.ways {
		if fits(f.plan.Ways[i]) {
			left = append(left, i)
		}
	}
	if len(left) > 0 {
		f.ways = left
	}
	return len(left) > 0
}

// Calling takes in a change that is about to be made; why says in what way it
// is not in the plan, "" when it is.
func (f *Follower) Calling(key, call string, args map[string]any) (why string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var fitting []int
	var near *journal.PlanCall
	for i, c := range f.plan.Calls {
		if c.Path != parent(key) || c.Call != call {
			continue
		}
		near = &f.plan.Calls[i]
		if Fits(c.Args, args) {
			fitting = append(fitting, i)
		}
	}
	if len(fitting) == 0 {
		if near != nil {
			return "the plan has it with other arguments: " + near.Says
		}
		return "the plan has no such call in this step"
	}
	f.done[key] = fitting
	f.used = append(f.used, key)
	if f.narrow(f.covers) {
		return ""
	}
	delete(f.done, key)
	f.used = f.used[:len(f.used)-1]
	for _, w := range f.plan.Ways {
		if f.covers(w) {
			return "the plan has it on another way than the one that the run has taken"
		}
	}
	return "the plan has it less often, or on another way than the one that the run has taken"
}

// covers tells whether a way has each call that was made, as often.
func (f *Follower) covers(w journal.PlanWay) bool {
	_, ok := f.match(w)
	return ok
}

// match takes the calls that were made away from those of a way.
func (f *Follower) match(w journal.PlanWay) (left []int, ok bool) {
	left = append(left, w.Calls...)
	for _, key := range f.used {
		if !take(&left, f.done[key]) {
			return left, false
		}
	}
	return left, true
}

func take(left *[]int, one []int) bool {
	for i, n := range *left {
		for _, m := range one {
			if n == m {
				*left = append((*left)[:i:i], (*left)[i+1:]...)
				return true
			}
		}
	}
	return false
}

// Failed gives a call back that did not end well: it may be made again. It was
// made all the same when it was carried out.
func (f *Follower) Failed(key string, carried bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if carried && len(f.done[key]) > 0 {
		f.half = append(f.half, f.done[key])
	}
	delete(f.done, key)
	for i, k := range f.used {
		if k == key {
			f.used = append(f.used[:i:i], f.used[i+1:]...)
			return
		}
	}
}

// First tells whether the deviation of the call with key is new.
func (f *Follower) First(key string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	first := !f.told[key]
	f.told[key] = true
	return first
}

// NotDone are the changes of the plan that the run has not made. Of several
// ways that it may have taken the one counts of which least is missing.
func (f *Follower) NotDone() []journal.PlanCall {
	f.mu.Lock()
	defer f.mu.Unlock()
	var best []int
	found := false
	for _, i := range f.ways {
		left, _ := f.match(f.plan.Ways[i])
		for _, tried := range f.half {
			take(&left, tried)
		}
		if !found || len(left) < len(best) {
			best, found = left, true
		}
	}
	var out []journal.PlanCall
	for _, n := range best {
		out = append(out, f.plan.Calls[n])
	}
	return out
}

// Fits tells whether what a run gives is what the plan gives, where the plan
// could know it.
func Fits(planned, given any) bool {
	switch p := planned.(type) {
	case string:
		if binding.IsPlanned(p) {
			return given != nil && fitsText(p, given)
		}
	case map[string]any:
		if _, known := p["$planned"]; known {
			return true
		}
		g, ok := given.(map[string]any)
		if !ok || len(g) != len(p) {
			return false
		}
		for k, v := range p {
			if x, there := g[k]; !there || !Fits(v, x) {
				return false
			}
		}
		return true
	case []any:
		g, ok := given.([]any)
		if !ok || len(g) != len(p) {
			return len(p) == 0 && emptyMap(given)
		}
		for i := range p {
			if !Fits(p[i], g[i]) {
				return false
			}
		}
		return true
	}
	a, errA := json.Marshal(planned)
	b, errB := json.Marshal(given)
	return errA == nil && errB == nil && string(a) == string(b)
}

func emptyMap(v any) bool {
	m, ok := v.(map[string]any)
	return ok && len(m) == 0
}

// fitsText tells whether given is the planned text with its gaps filled in.
func fitsText(planned string, given any) bool {
	text, ok := given.(string)
	if !ok {
		text = fmt.Sprint(given)
	}
	known := binding.KnownParts(planned)
	for i, part := range known {
		at := strings.Index(text, part)
		if at < 0 || i == 0 && at > 0 {
			return false
		}
		text = text[at+len(part):]
	}
	return strings.HasSuffix(text, known[len(known)-1]) || text == "" || known[len(known)-1] == ""
}
