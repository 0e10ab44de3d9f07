// Package torture lets runs die at every boundary between drhost and what it
// stands on, resumes them, and holds the world that comes of it against that
// of an undisturbed run.
//
// A life is a process of its own that kills itself, as kill -9 does, at the
// boundary that its order names; the world lives in the process of the
// harness and goes on. The harness must never call a provider for a run, help
// a run along, or forgive a difference without saying so.
package torture

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/webhost-systems/drhost/bindings"
	"github.com/webhost-systems/drhost/host"
	"github.com/webhost-systems/drhost/host/binding"
	"github.com/webhost-systems/drhost/host/clock"
	"github.com/webhost-systems/drhost/host/gate"
	"github.com/webhost-systems/drhost/host/journal"
	"github.com/webhost-systems/drhost/host/journal/filestore"
	"github.com/webhost-systems/drhost/host/policy"
	"github.com/webhost-systems/drhost/stdlib"
)

// alive in the environment makes a process of the harness a life.
const alive = "DRHOST_TORTURE_LIFE"

// verbs of a life.
const (
	verbRun    = "run"
	verbResume = "resume"
	verbUndo   = "undo"
)

// order is what a life is to do, and where it is to die.
type order struct {
	Verb       string            `json:"verb"`
	Dir        string            `json:"dir"`
	State      string            `json:"state"`
	Run        string            `json:"run"`
	Runbook    string            `json:"runbook"`
	Drill      string            `json:"drill"`
	Input      map[string]string `json:"input"`
	Answers    map[string]string `json:"answers"`
	DetectedAt time.Time         `json:"detected_at"`
	Plan       Plan              `json:"plan"`
	Left       Durable           `json:"left"` // by earlier lives
	Lies       bool              `json:"lies,omitempty"`
}

// word is what a life says to the harness; exactly one field is set.
type word struct {
	Death *death `json:"death,omitempty"`
	Lost  *lost  `json:"lost,omitempty"`
	End   *end   `json:"end,omitempty"`
}

// death is the last word of a life that was killed.
type death struct {
	Key  string  `json:"key"` // of the boundary
	N    int     `json:"n"`   // its number in this life
	Left Durable `json:"left"`
}

// lost asks what became of a call.
type lost struct {
	Call string `json:"call"`
	Says string `json:"says"`
	Look string `json:"look"`
}

// found answers a lost.
type found struct {
	Landed binding.Landed  `json:"landed"`
	Result json.RawMessage `json:"result,omitempty"`
}

// end is the last word of a life that ended by itself.
type end struct {
	Exit       int     `json:"exit"`
	Message    string  `json:"message"`
	Boundaries int     `json:"boundaries"`
	Left       Durable `json:"left"`
}

// IsLife tells whether this process was started as a life. Such a process
// calls Live and exits with what it returns.
func IsLife() bool { return os.Getenv(alive) != "" }

// Live lives one life: it reads its order from standard input and speaks on
// file 3.
func Live() int {
	harness := &harness{in: bufio.NewReader(os.Stdin), out: json.NewEncoder(os.NewFile(3, "harness"))}
	var o order
	if err := harness.hear(&o); err != nil {
		fmt.Fprintln(os.Stderr, "a life without an order:", err)
		return 1
	}
	var d *disk
	m := newMortal(o.Plan, func(key string, n int) {
		harness.say(word{Death: &death{Key: key, N: n, Left: d.durable()}})
	})
	d = newDisk(m, o.Left, o.Lies)
	e := o.live(m, d, harness)
	e.Boundaries, e.Left = m.passed(), d.durable()
	harness.say(word{End: e})
	return 0
}

// live does what the order says with a host whose seams are the harness's.
func (o order) live(m *mortal, d *disk, harness *harness) *end {
	h, err := newHost(o.State)
	if err != nil {
		return &end{Exit: host.ExitInternal, Message: err.Error()}
	}
	h.Seams = host.Seams{
		Store:   func(journal.Store) journal.Store { return filestore.On(d, o.State, clock.System{}) },
		Network: func(n binding.Network) binding.Network { return onWire(n, m) },
	}
	r := host.Request{Runbook: o.Runbook, ID: o.Run, Input: o.Input, Env: "sim:" + o.Run, Mode: policy.Drill, Drill: o.Drill, DetectedAt: o.DetectedAt,
		Name: "torture", YesDestroy: true, Operator: &operator{host.Unattended{Yes: o.Verb == verbUndo, Answers: o.Answers, By: "torture"}, harness}}
	var result *host.Result
	switch o.Verb {
	case verbRun:
		result, err = h.Run(context.Background(), r)
	case verbResume:
		result, err = h.Resume(context.Background(), o.Dir, o.Run, r)
	case verbUndo:
		result, err = h.Undo(context.Background(), o.Dir, o.Run, r)
	default:
		err = fmt.Errorf("there is no verb %q", o.Verb)
	}
	if err != nil {
		return &end{Exit: host.ExitCode(err), Message: err.Error()}
	}
	return &end{Exit: result.End.Exit, Message: result.End.Message}
}

func newHost(state string) (*host.Host, error) {
	worlds := func(ctx context.Context, path string, o host.WorldOptions) (host.LiveWorld, error) {
		return bindings.StartWorld(ctx, path, o.Name, o.Speed, o.Seed)
	}
	h, err := host.New(bindings.Modules(), stdlib.Sources(), worlds, bindings.WorldVerbs(), "torture")
	if err == nil {
		h.State = state
	}
	return h, err
}

// operator plays the person at the run: the drill's answers, and for a lost
// mutation a look at the world.
type operator struct {
	host.Unattended
	harness *harness
}

// Settle asks the harness, which can see the world.
func (o *operator) Settle(_ context.Context, l gate.Lost) (gate.Verdict, error) {
	f, err := o.harness.ask(lost{Call: l.Call, Says: l.Says, Look: l.Look})
	if err != nil || f.Landed == binding.Unknown {
		return gate.Verdict{}, errors.Join(gate.ErrNobody, err)
	}
	return gate.Verdict{Landed: f.Landed, Result: f.Result, By: "torture"}, nil
}

// harness is the other side of a life.
type harness struct {
	asking   sync.Mutex // one question at a time
	speaking sync.Mutex
	in       *bufio.Reader
	out      *json.Encoder
}

func (h *harness) say(w word) {
	h.speaking.Lock()
	defer h.speaking.Unlock()
	if err := h.out.Encode(w); err != nil {
		fmt.Fprintln(os.Stderr, "speak to the harness:", err)
	}
}

func (h *harness) hear(v any) error {
	line, err := h.in.ReadBytes('\n')
	if err != nil && !(errors.Is(err, io.EOF) && len(line) > 0) {
		return err
	}
	return json.Unmarshal(line, v)
}

func (h *harness) ask(l lost) (f found, err error) {
	h.asking.Lock()
	defer h.asking.Unlock()
	h.say(word{Lost: &l})
	return f, h.hear(&f)
}
