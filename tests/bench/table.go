package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// measured is what came of one section.
type measured struct {
	Name    string `json:"name"`
	Explain string `json:"explanation"`
	Rows    []row  `json:"rows"`
	Problem string `json:"did_not_run,omitempty"`
}

// row is one figure, of time or of bytes, beside one rival. A target is either
// a figure or a ratio; the other is zero.
type row struct {
	Benchmark   string
	Took        time.Duration
	Rival       string
	RivalTook   time.Duration
	TargetTook  time.Duration
	Bytes       int64
	RivalBytes  int64
	TargetBytes int64
	TargetRatio float64
	Count       *count // instead of a duration
	Note        string // why there is no figure
}

// count is a figure that is no duration.
type count struct {
	Figure float64
	Unit   string
	Most   float64 // the target: at most that; 0: none
}

func (c count) String() string { return fmt.Sprintf("%.3g %s", c.Figure, c.Unit) }

// ratio is 0 when there is nothing to compare with.
func (r row) ratio() float64 {
	if r.RivalBytes > 0 {
		return float64(r.Bytes) / float64(r.RivalBytes)
	}
	if r.RivalTook <= 0 {
		return 0
	}
	return float64(r.Took) / float64(r.RivalTook)
}

// met is empty when there is no target.
func (r row) met() string {
	switch {
	case r.Count != nil && r.Count.Most > 0:
		return verdict(r.Count.Figure <= r.Count.Most)
	case r.TargetTook > 0:
		return verdict(r.Took < r.TargetTook)
	case r.TargetBytes > 0:
		return verdict(r.Bytes < r.TargetBytes)
	case r.TargetRatio > 0 && r.ratio() > 0:
		return verdict(r.ratio() < r.TargetRatio)
	}
	return ""
}

func verdict(met bool) string {
	if met {
		return "met"
	}
	return "missed"
}

func (r row) target() string {
	switch {
	case r.Count != nil && r.Count.Most > 0:
		return fmt.Sprintf("<= %.3g", r.Count.Most)
	case r.TargetTook > 0:
		return "< " + figure(r.TargetTook)
	case r.TargetBytes > 0:
		return "< " + weight(r.TargetBytes)
	case r.TargetRatio > 0:
		return fmt.Sprintf("< %.2f x", r.TargetRatio)
	}
	return ""
}

// MarshalJSON writes seconds.
func (r row) MarshalJSON() ([]byte, error) {
	out := map[string]any{"benchmark": r.Benchmark}
	add := func(name string, v any, given bool) {
		if given {
			out[name] = v
		}
	}
	add("measured_s", r.Took.Seconds(), r.Took > 0)
	add("rival", r.Rival, r.Rival != "")
	add("rival_s", r.RivalTook.Seconds(), r.RivalTook > 0)
	add("ratio", r.ratio(), r.ratio() > 0)
	add("target_s", r.TargetTook.Seconds(), r.TargetTook > 0)
	add("measured_bytes", r.Bytes, r.Bytes > 0)
	add("rival_bytes", r.RivalBytes, r.RivalBytes > 0)
	add("target_bytes", r.TargetBytes, r.TargetBytes > 0)
	add("target_ratio", r.TargetRatio, r.TargetRatio > 0)
	add("verdict", r.met(), r.met() != "")
	if r.Count != nil {
		add("measured", r.Count.Figure, true)
		add("unit", r.Count.Unit, true)
		add("target", r.Count.Most, r.Count.Most > 0)
	}
	add("note", r.Note, r.Note != "")
	return json.Marshal(out)
}

func printJSON(w io.Writer, done []measured) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(done)
}

func printTable(w io.Writer, done []measured) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "benchmark\tmeasured\trival\trival's\tratio\ttarget\t")
	for _, m := range done {
		for _, r := range m.Rows {
			ratio := ""
			if r.ratio() > 0 {
				ratio = times(r.ratio())
			}
			if r.Note != "" {
				ratio = r.Note
			}
			took := figure(r.Took) + weight(r.Bytes)
			if r.Count != nil {
				took = r.Count.String()
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Benchmark, took, r.Rival, figure(r.RivalTook)+weight(r.RivalBytes), ratio, r.target(), r.met())
		}
		if m.Problem != "" {
			fmt.Fprintf(t, "%s\tdid not run\t\t\t\t\t\n", m.Name)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, m := range done {
		text := m.Explain
		if m.Problem != "" {
			text = "did not run: " + m.Problem
		}
		if _, err := fmt.Fprintf(w, "\n%s: %s\n", m.Name, strings.TrimSpace(text)); err != nil {
			return err
		}
	}
	return nil
}

// times keeps a small ratio readable.
func times(ratio float64) string {
	if ratio < 0.1 {
		return fmt.Sprintf("%.2g x", ratio)
	}
	return fmt.Sprintf("%.2f x", ratio)
}

// weight reads "812 KiB", "3.4 MiB", "219 MiB"; nothing for zero.
func weight(bytes int64) string {
	switch mib := float64(bytes) / (1 << 20); {
	case bytes <= 0:
		return ""
	case mib < 1:
		return fmt.Sprintf("%.0f KiB", mib*1024)
	case mib < 10:
		return fmt.Sprintf("%.1f MiB", mib)
	default:
		return fmt.Sprintf("%.0f MiB", mib)
	}
}

// figure reads "850 ns", "8.21 µs", "23.4 ms", "14.21 s"; nothing for zero.
func figure(d time.Duration) string {
	switch {
	case d <= 0:
		return ""
	case d < time.Microsecond:
		return fmt.Sprintf("%d ns", d.Nanoseconds())
	case d < time.Millisecond:
		return fmt.Sprintf("%.3g µs", float64(d)/float64(time.Microsecond))
	case d < time.Second:
		return fmt.Sprintf("%.3g ms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}
