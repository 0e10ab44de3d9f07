// Package drill knows what a drill is: a runbook, a world, faults, and what
// has to be true afterwards. It scores; it never touches a world itself.
package drill

import (
	"fmt"
	"path/filepath"
	"sort"
	"time"

	"github.com/webhost-systems/drhost/host/report"
)

// Drill is the head of a drill file. Runbook and World are paths, made
// relative to the working folder.
type Drill struct {
	File      string
	Title     string
	Runbook   string
	World     string
	Speed     float64
	Every     string // monthly, quarterly
	Input     map[string]string
	Operator  map[string]string // text of a question -> answer
	RTO       time.Duration
	RPO       time.Duration
	Ends      string // how the run has to end: "done"
	HasBefore bool   // it has a setup function
}

// Parse reads the head of the drill in file.
func Parse(file string, head map[string]any) (*Drill, error) {
	d := &Drill{File: file, Input: map[string]string{}, Operator: map[string]string{}, Speed: 1}
	text := func(key string) string { s, _ := head[key].(string); return s }
	d.Title, d.Every, d.Ends = text("title"), text("every"), text("ends")
	if d.Ends == "" {
		d.Ends = "done"
	}
	if d.Title == "" {
		return nil, fmt.Errorf("%s: a drill needs a title", file)
	}
	for key, into := range map[string]*string{"runbook": &d.Runbook, "world": &d.World} {
		name := text(key)
		if name == "" {
			return nil, fmt.Errorf("%s: a drill needs %s = \"path\", relative to its own file", file, key)
		}
		*into = filepath.Join(filepath.Dir(file), name)
	}
	if speed, ok := head["speed"].(float64); ok {
		if speed < 1 {
			return nil, fmt.Errorf("%s: speed must be 1 or more", file)
		}
		d.Speed = speed
	}
	words(head["input"], d.Input)
	words(head["operator"], d.Operator)
	objective, _ := head["objective"].(map[string]any)
	for key, into := range map[string]*time.Duration{"rto": &d.RTO, "rpo": &d.RPO} {
		s, ok := objective[key].(string)
		if !ok {
			continue
		}
		v, err := time.ParseDuration(s)
		if err != nil {
			return nil, fmt.Errorf("%s: objective.%s: %q is no time such as \"4h\"", file, key, s)
		}
		*into = v
	}
	return d, nil
}

func words(v any, into map[string]string) {
	m, _ := v.(map[string]any)
	for k, x := range m {
		into[k] = fmt.Sprint(x)
	}
}

// Inputs are the --input flags of the run, sorted.
func (d *Drill) Inputs() []string {
	var out []string
	for k, v := range d.Input {
		out = append(out, k+"="+v)
	}
	sort.Strings(out)
	return out
}

// Verdict is the score of one drill.
type Verdict struct {
	Drill  string   `json:"drill"`
	Run    string   `json:"run"`
	Passed bool     `json:"passed"`
	Missed []string `json:"missed,omitempty"` // what did not hold, in words
	RTO    Figure   `json:"rto"`
	RPO    Figure   `json:"rpo"`
	Folder string   `json:"folder"`
}

// Figure is an objective and what was measured. Wall is what the drill really
// took, Live what it would have taken without --speed.
type Figure struct {
	Target  time.Duration `json:"target_ns"`
	Live    time.Duration `json:"live_ns"`
	Wall    time.Duration `json:"wall_ns,omitempty"`
	Missing bool          `json:"missing,omitempty"` // nothing was measured
}

// Score judges a run by its report and by what expect found.
func (d *Drill) Score(r *report.Run, expectation error) Verdict {
	v := Verdict{Drill: d.Title, Run: r.ID}
	if r.Status != d.Ends {
		v.Missed = append(v.Missed, fmt.Sprintf("the run ended %s: %s", r.Status, r.Message))
	}
	if expectation != nil {
		v.Missed = append(v.Missed, expectation.Error())
	}
	v.RTO, v.RPO = figure(d.RTO, r.RTO), figure(d.RPO, r.RPO)
	if d.RTO > 0 && v.RTO.Live > d.RTO {
		v.Missed = append(v.Missed, fmt.Sprintf("RTO %s, the objective is %s", v.RTO.Live.Round(time.Second), d.RTO))
	}
	switch {
	case d.RPO > 0 && v.RPO.Missing:
		v.Missed = append(v.Missed, "no RPO was measured; the runbook must note(text, { rpo_until = ... }) up to when data came back")
	case d.RPO > 0 && v.RPO.Live > d.RPO:
		v.Missed = append(v.Missed, fmt.Sprintf("RPO %s, the objective is %s", v.RPO.Live.Round(time.Second), d.RPO))
	}
	v.Passed = len(v.Missed) == 0
	return v
}

func figure(target time.Duration, o report.Objective) Figure {
	return Figure{Target: target, Live: time.Duration(o.Measured), Wall: time.Duration(o.Wall), Missing: !o.HasMeasure}
}
