package hetznersim

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"
)

// resource is something an action is about.
type resource struct {
	ID   int64  `json:"id"`
	Type string `json:"type"`
}

// action is one asynchronous command of the vendor.
type action struct {
	id        int64
	command   string
	status    string // running, success, error
	started   time.Time
	begun     time.Time // zero while it waits for another action
	finished  time.Time
	took      time.Duration // in real time
	failure   *problem
	resources []resource
	done      chan struct{} // closed when finished
}

// job is what an action does.
type job struct {
	command string
	on      []resource
	took    time.Duration // at speed 1
	after   *action       // which it waits for; nil: none
	busy    []*int        // counters of what is locked while it runs
	// begin acts on the metal, without the lock; its error fails the action.
	begin func(ctx context.Context) error
	// end does the bookkeeping, under the lock, when the time is over.
	end func()
	// fail undoes the bookkeeping, under the lock, when the action failed.
	fail func()
}

var errClosed = errors.New("the simulator is closed")

// start begins a job and returns its action at once. The caller holds the lock.
func (s *Sim) start(j job) *action {
	a := &action{
		id: s.next(), command: j.command, status: "running", started: s.now(),
		took: s.scaled(j.took), resources: j.on, done: make(chan struct{}),
	}
	s.actions[a.id] = a
	if s.ctx.Err() != nil {
		a.status, a.finished, a.failure = "error", a.started, &problem{code: "action_failed", message: errClosed.Error()}
		close(a.done)
		return a
	}
	for _, counter := range j.busy {
		*counter++
	}
	if j.after == nil {
		a.begun = s.clock.Now()
	}
	failing := s.failures[j.command] > 0
	if failing {
		s.failures[j.command]--
	}
	s.work.Go(func() { s.perform(a, j, failing) })
	return a
}

// FailNext makes the next actions of a command (such as "reset_server") end
// with the error action_failed, without having touched the machine.
func (s *Sim) FailNext(command string, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures[command] = times
}

func (s *Sim) perform(a *action, j job, failing bool) {
	defer close(a.done)
	err := s.await(a, j.after)
	if err == nil && failing {
		err = errors.New("the action failed")
	}
	if err == nil && j.begin != nil {
		err = j.begin(s.ctx)
	}
	if err == nil || failing {
		if waited := s.pause(a.took - s.clock.Now().Sub(a.begun)); waited != nil {
			err = errClosed
		}
	}
	s.mu.Lock()
	for _, counter := range j.busy {
		*counter--
	}
	a.finished = s.now()
	if err != nil {
		a.status, a.failure = "error", &problem{code: "action_failed", message: err.Error()}
		errors.As(err, &a.failure)
		if j.fail != nil {
			j.fail()
		}
	} else {
		a.status = "success"
		if j.end != nil {
			j.end()
		}
	}
	s.mu.Unlock()
	s.flush()
}

// await waits for the action before this one; its failure is this one's too.
func (s *Sim) await(a, before *action) error {
	if before == nil {
		return nil
	}
	select {
	case <-before.done:
	case <-s.ctx.Done():
		return errClosed
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a.begun = s.clock.Now()
	if before.status == "error" {
		return errors.New(before.command + " failed before it")
	}
	return nil
}

// about tells whether the action is about a kind of resource, and about the
// one with id when id is not 0.
func (a *action) about(kind string, id int64) bool {
	return slices.ContainsFunc(a.resources, func(r resource) bool {
		return r.Type == kind && (id == 0 || r.ID == id)
	})
}

func (a *action) progress(now time.Time) int {
	switch {
	case a.status != "running":
		return 100
	case a.begun.IsZero() || a.took <= 0:
		return 0
	}
	return int(min(99, max(0, 100*now.Sub(a.begun)/a.took)))
}

func (s *Sim) actionView(a *action) obj {
	view := obj{
		"id": a.id, "command": a.command, "status": a.status, "progress": a.progress(s.clock.Now()),
		"started": stamp(a.started), "finished": nil, "resources": a.resources, "error": nil,
	}
	if !a.finished.IsZero() {
		view["finished"] = stamp(a.finished)
	}
	if a.failure != nil {
		view["error"] = obj{"code": a.failure.code, "message": a.failure.message}
	}
	return view
}

// acted is the answer to most commands.
func (s *Sim) acted(a *action) (int, any, error) {
	return 201, obj{"action": s.actionView(a)}, nil
}

func (s *Sim) actionViews(list []*action) []obj {
	views := make([]obj, len(list))
	for i, a := range list {
		views[i] = s.actionView(a)
	}
	return views
}

// oneAction answers with one action, if it is one of those asked for.
func (s *Sim) oneAction(id int64, wanted func(*action) bool) (int, any, error) {
	a := s.actions[id]
	if a == nil || !wanted(a) {
		return 0, nil, notFound("action", id)
	}
	return 200, obj{"action": s.actionView(a)}, nil
}

// listActions answers /actions, where the vendor wants ids since January 2025,
// and /<noun>/actions, where it does not.
func (s *Sim) listActions(c *call, kind string) (int, any, error) {
	asked := c.query["id"]
	if kind == "" && len(asked) == 0 {
		return 0, nil, invalid("id", "must be given: listing all actions was removed")
	}
	wanted := map[int64]bool{}
	for _, text := range asked {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, nil, invalid("id", "is not a number: %q", text)
		}
		wanted[id] = true
	}
	return s.pageActions(c, func(a *action) bool {
		return (len(asked) == 0 || wanted[a.id]) && (kind == "" || a.about(kind, 0))
	})
}

// actionsOf answers /<noun>/<id>/actions of a resource that exists.
func (s *Sim) actionsOf(n noun, c *call) (int, any, error) {
	if _, _, err := n.get(c); err != nil {
		return 0, nil, err
	}
	return s.pageActions(c, func(a *action) bool { return a.about(n.kind, c.id) })
}

func (s *Sim) pageActions(c *call, wanted func(*action) bool) (int, any, error) {
	var found []*action
	for _, a := range inOrder(s.actions) {
		if wanted(a) && oneOf(c.query["status"], a.status) {
			found = append(found, a)
		}
	}
	fields := map[string]func(a, b *action) int{
		"id":       func(a, b *action) int { return int(a.id - b.id) },
		"command":  func(a, b *action) int { return compare(a.command, b.command) },
		"status":   func(a, b *action) int { return compare(a.status, b.status) },
		"started":  func(a, b *action) int { return a.started.Compare(b.started) },
		"finished": func(a, b *action) int { return a.finished.Compare(b.finished) },
		"progress": func(a, b *action) int { return a.progress(s.clock.Now()) - b.progress(s.clock.Now()) },
	}
	if err := order(c, found, fields); err != nil {
		return 0, nil, err
	}
	return page(c, "actions", found, s.actionView)
}
